"""`sygen chat` on a pseudo-terminal and in pipes."""

from __future__ import annotations

import json
import signal
import termios
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from sygen_bot.cli.chat_answer import finished_length
from tests.cli.command import ANEW, Running, Terminal, run, serving
from tests.cli.conftest import Served


def test_it_answers_with_markdown_and_shows_what_the_agent_does(served: Served) -> None:
    """In a process that has loaded nothing before, as the others here are not."""
    with Terminal(served.home, "chat", "--chat", "11", **ANEW) as terminal:
        terminal.expect("Sygen")
        terminal.expect("chat 11")
        terminal.send("TOOL Read {}\x1b\rSAY # Title\x1b\rSAY some **bold** words and <b>tags</b>\r")
        terminal.expect("· Read")
        terminal.expect("Title")
        terminal.expect("some bold words and <b>tags</b>")
        terminal.expect("chat 11")
        terminal.send("\x04")
        assert terminal.end() == 0


def test_ctrl_c_stops_the_turn_and_a_second_one_leaves(served: Served) -> None:
    with Terminal(served.home, "chat", "--chat", "12") as terminal:
        terminal.expect("chat 12")
        terminal.send("SLOW 1000 0.05\r")
        terminal.expect("w2 ")
        terminal.send("\x03")
        terminal.expect("The turn was aborted.")
        terminal.expect("chat 12")
        terminal.send("\x03")
        assert terminal.end() == 0


def test_tab_completes_commands_and_names(served: Served) -> None:
    with Terminal(served.home, "chat", "--chat", "13") as terminal:
        terminal.expect("chat 13")
        terminal.send("/hel\t")
        terminal.expect("/help")
        terminal.send("\r")
        terminal.expect("/model [NAME]")
        terminal.expect("chat 13")
        terminal.send("@scr\t")
        terminal.expect("@scripted")
        terminal.send(" SAY hello you\r")
        terminal.expect("hello you")
        terminal.expect("chat 13")
        terminal.send("/quit\r")
        assert terminal.end() == 0


def test_what_was_said_comes_back_and_is_for_nobody_else_to_read(served: Served, home: Path) -> None:
    token = run(served.home, "api", "token", "--show").stdout.strip()
    for keys in ("SAY said once\r", "\x1b[A\r"):
        with Terminal(home, "chat", "--chat", "14", SYGEN_URL=served.url, SYGEN_TOKEN=token) as terminal:
            terminal.expect("chat 14")
            terminal.send(keys)
            terminal.expect("SAY said once")
            terminal.expect("said once")
            terminal.expect("chat 14")
            terminal.send("\x04")
            assert terminal.end() == 0
    assert (home / "cli" / "history").stat().st_mode & 0o777 == 0o600


def test_what_is_typed_during_an_answer_is_not_lost(served: Served) -> None:
    with Terminal(served.home, "chat", "--chat", "18") as terminal:
        terminal.expect("chat 18")
        terminal.send("SLOW 20 0.05\r")
        terminal.expect("w2 ")
        terminal.send("SAY typed ahead\r\x04")
        terminal.expect("SAY typed ahead")
        terminal.expect("typed ahead")
        assert terminal.end() == 0


def test_it_comes_back_by_itself_when_the_gateway_does(home: Path) -> None:
    with serving(home) as (gateway, url), Terminal(home, "chat") as terminal:
        terminal.expect("connected")
        assert gateway.end(signal.SIGTERM)[0] == 0
        terminal.expect("The connection is gone.")
        terminal.send("SAY still here\r")
        terminal.expect("waiting for the gateway")
        with serving(home, "--port", url.rpartition(":")[2]):
            terminal.expect("Connected again.")
            terminal.expect("still here")
            terminal.send("\x04")
            assert terminal.end() == 0


def test_it_leaves_when_its_token_opens_nothing_any_more(home: Path) -> None:
    with serving(home):
        token = run(home, "api", "token", "--show").stdout.strip()
        with Terminal(home, "chat", "--token", token) as terminal:
            terminal.expect("connected")
            run(home, "api", "token", "--rotate")
            terminal.expect("api token --show")
            assert terminal.end() == 4


def test_in_its_own_home_it_takes_a_new_token(home: Path) -> None:
    with serving(home), Terminal(home, "chat") as terminal:
        terminal.expect("connected")
        run(home, "api", "token", "--rotate")
        terminal.expect("Connected again.")
        terminal.send("SAY still in\r\x04")
        terminal.expect("SAY still in")
        terminal.expect("still in")
        assert terminal.end() == 0


def test_a_dumb_terminal_is_enough(served: Served) -> None:
    with Terminal(served.home, "chat", "--chat", "15", TERM="dumb") as terminal:
        terminal.expect("> ")
        terminal.send("TOOL Read {}\n")
        terminal.expect("· Read")
        terminal.expect("> ")
        terminal.send("SLOW 1000 0.05\n")
        terminal.expect("w1 ")
        terminal.send("\x03")
        terminal.expect("> ")
        terminal.send("\x04")
        assert terminal.end() == 0
    assert "\x1b" not in terminal.seen


def test_lines_that_are_piped_in_are_asked_one_after_another(served: Served) -> None:
    ended = run(served.home, "chat", "--chat", "16", given="SAY one\n\nFAIL here\nSAY two")
    assert (ended.returncode, ended.stdout) == (0, "one\ntwo\n")
    assert len(ended.stderr.splitlines()) == 1


def test_without_a_gateway_it_says_what_to_do(home: Path) -> None:
    ended = run(home, "chat")
    assert (ended.returncode, ended.stdout, len(ended.stderr.splitlines())) == (4, "", 1)
    assert "serve" in ended.stderr


def test_sigterm_ends_a_conversation_with_a_turn_running(served: Served) -> None:
    file = served.home.parent / "lines"
    file.write_text("SLOW 1000 0.05\n")
    with Running(served.home, "chat", "--chat", "17", stdin=file) as chatting:
        chatting.read_until("w0 ")
        assert chatting.end(signal.SIGTERM)[0] == 0


_pieces = st.sampled_from(
    [
        "text",
        "**bold**",
        "\n",
        "\n\n",
        "- item",
        "  - nested",
        "1. one",
        "```",
        "    code",
        "# head",
        "| a | b |",
        "|---|---|",
        "> quote",
        "---",
        "ü",
    ]
)


@given(st.lists(_pieces, max_size=30))
def test_blocks_that_were_printed_never_change(pieces: list[str]) -> None:
    growing = ["".join(pieces[:count]) for count in range(len(pieces) + 1)]
    render = MarkdownIt("commonmark").enable(["strikethrough", "table"]).render
    whole = render(growing[-1])
    for text in growing:
        assert whole.startswith(render(text[: finished_length(text)]))


def test_two_terminals_show_the_same_conversation(served: Served) -> None:
    with (
        Terminal(served.home, "chat", "--chat", "21") as one,
        Terminal(served.home, "chat", "--chat", "21") as other,
    ):
        one.expect("chat 21")
        other.expect("chat 21")
        one.send("SAY from the first\r")
        other.expect("> SAY from the first")
        other.expect("from the first")
        other.send("SAY and from the second\r")
        one.expect("> SAY and from the second")
        one.expect("and from the second")
        for terminal in (one, other):
            terminal.expect("chat 21")
            terminal.send("\x04")
            assert terminal.end() == 0


def test_a_chat_begins_with_what_was_said_before_set_apart_by_a_line(served: Served) -> None:
    for number in range(6):
        run(served.home, "ask", "--chat", "22", f"SAY memory {number}")
    run(served.home, "ask", "--chat", "22", "FAIL to answer")
    with Terminal(served.home, "chat", "--chat", "22") as terminal:
        assert "memory 1" not in terminal.expect("4 earlier messages")
        for number in range(2, 6):
            terminal.expect(f"> SAY memory {number}")
            terminal.expect(f"memory {number}")
        terminal.expect("> FAIL to answer")
        terminal.expect("The agent failed")
        terminal.expect("said before ──")
        assert "memory" not in terminal.expect("chat 22")
        terminal.send("\x04")
        assert terminal.end() == 0
    with Terminal(served.home, "chat", "--chat", "23") as terminal:
        assert "said before" not in terminal.expect("chat 23")
        terminal.send("\x04")
        assert terminal.end() == 0


def test_who_comes_in_the_middle_of_an_answer_sees_all_of_it_once(served: Served) -> None:
    with Running(served.home, "ask", "--chat", "24", "SAY first\nSAY\x20\nSLOW 60 0.05") as asking:
        asking.read_until("w5 ")
        with Terminal(served.home, "chat", "--chat", "24") as terminal:
            before = terminal.expect("w59")
            assert all(before.count(f"w{number} ") + before.count(f"w{number}\r") == 1 for number in range(59))
            assert before.index("said before") < before.index("w0 ")
            terminal.send("\x04")
            assert terminal.end() == 0


def test_what_is_asked_here_is_shown_once(served: Served) -> None:
    with Terminal(served.home, "chat", "--chat", "25") as terminal:
        terminal.expect("chat 25")
        for number in range(5):
            terminal.send(f"SAY answer {number}\r")
            terminal.expect(f"SAY answer {number}")
            terminal.expect(f"answer {number}")
            terminal.expect("chat 25")
        terminal.send("\x04")
        assert terminal.end() == 0
        assert "answer" not in terminal.seen


def test_the_terminal_is_left_as_it_was(served: Served) -> None:
    with Terminal(served.home, "chat", "--chat", "26") as terminal:
        before = terminal.modes()
        terminal.expect("chat 26")
        terminal.send("SAY one\r")
        terminal.expect("SAY one")
        terminal.expect("chat 26")
        assert terminal.modes() != before
        terminal.send("\x04")
        assert terminal.end() == 0
        assert terminal.modes() == before


def test_the_terminal_never_takes_keys_itself_while_something_is_printed(served: Served) -> None:
    with Terminal(served.home, "chat", "--chat", "27") as terminal:
        terminal.expect("chat 27")
        with terminal.watching_modes() as seen:
            for number in range(10):
                run(served.home, "ask", "--chat", "27", f"SAY from elsewhere {number}")
                terminal.expect(f"> SAY from elsewhere {number}")
        assert seen, "somebody looked"
        assert not any(local & termios.ICANON for local in seen)
        terminal.send("\x04")
        assert terminal.end() == 0


def test_a_file_is_sent_with_what_is_said_about_it(served: Served, tmp_path: Path) -> None:
    (tmp_path / "two words.txt").write_text("inside")
    with Terminal(served.home, "chat", "--chat", "28") as terminal:
        terminal.expect("chat 28")
        terminal.send(f'/send "{tmp_path}/two words.txt" SAY got it\r')
        terminal.expect("got it")
        terminal.expect("chat 28")
        terminal.send(f"/send {tmp_path}/none.txt\r")
        terminal.expect("No such file")
        terminal.expect("chat 28")
        terminal.send(f"/send {tmp_path}/two\t")
        terminal.send("\x03/quit\r")
        assert terminal.end() == 0
    (sent,) = (served.home / "workspace" / "api_files").rglob("two words.txt")
    assert sent.read_text() == "inside"


def test_a_tool_is_asked_about_with_all_that_it_would_do(served: Served) -> None:
    with Terminal(served.home, "chat", "--chat", "31") as terminal:
        terminal.expect("chat 31")
        sly = json.dumps({"command": "rm -r build", "why": "\x1b]0;title\x07 \u202e"})
        terminal.send(f"SAY what I mean to do\x1b\rASK Bash {sly}\r")
        terminal.expect("ASK Bash")
        assert "\nwhat I mean to do" in terminal.expect("main asks: Bash").replace("\r", "\n")
        shown = terminal.expect("[y] once  [a] always  [n] no")
        assert "command: rm -r build" in shown
        assert "why: <U+001B>]0;title<U+0007> <U+202E>" in shown
        assert "\u202e" not in shown
        terminal.expect(" left")
        terminal.send("y")
        terminal.expect("Bash: rm -r build · allowed once")
        terminal.expect("allowed")
        terminal.expect("chat 31")
        terminal.send("\x04")
        assert terminal.end() == 0


def test_always_shows_what_it_holds_for_and_how_it_is_taken_back(served: Served) -> None:
    with Terminal(served.home, "chat", "--chat", "32") as terminal:
        terminal.expect("chat 32")
        terminal.send('ASK Fetch {"url": "https://a.example/b?c"}\r')
        terminal.expect("[y] once")
        terminal.send("a")
        terminal.expect("without asking, for exactly this:")
        terminal.expect("https://a.example ")
        terminal.expect("[n] back")
        terminal.send("n")
        terminal.expect("[y] once")
        terminal.send("a")
        terminal.expect("[y] yes, always")
        terminal.send("y")
        terminal.expect("Fetch: https://a.example/b?c · allowed always")
        terminal.expect("revoke ")
        terminal.expect("chat 32")
        terminal.send('ASK Fetch {"url": "https://a.example/other"}\r')
        assert "main asks" not in terminal.expect("chat 32")
        terminal.send("\x04")
        assert terminal.end() == 0


def test_what_is_long_is_cut_until_somebody_wants_to_see_all_of_it(served: Served) -> None:
    with Terminal(served.home, "chat", "--chat", "33") as terminal:
        terminal.expect("chat 33")
        terminal.send(f"ASK Write {json.dumps({'content': chr(10).join(f'<{n}>' for n in range(60))})}\r")
        terminal.expect("main asks: Write")
        assert "<59>" not in terminal.expect("[v] all of it")
        terminal.send("v")
        terminal.expect("<59>")
        terminal.expect("[n] no")
        terminal.send("n")
        terminal.expect("denied")
        terminal.expect("chat 33")
        terminal.send("\x04")
        assert terminal.end() == 0


def test_ctrl_c_stops_the_turn_while_a_tool_is_asked_about(served: Served) -> None:
    with Terminal(served.home, "chat", "--chat", "34") as terminal:
        terminal.expect("chat 34")
        terminal.send('ASK Bash {"command": "ls"}\r')
        terminal.expect("[y] once")
        terminal.send("\x03")
        terminal.expect("The turn was aborted.")
        terminal.expect("chat 34")
        terminal.send("\x04")
        assert terminal.end() == 0


def test_what_is_typed_before_the_question_is_no_answer_and_not_lost(served: Served) -> None:
    with Terminal(served.home, "chat", "--chat", "35") as terminal:
        terminal.expect("chat 35")
        terminal.send('SLOW 20 0.02\x1b\rASK Bash {"command": "ls"}\r')
        terminal.expect("w2 ")
        terminal.send("SAY yes")
        terminal.expect("[y] once")
        terminal.send("n")
        terminal.expect("denied")
        terminal.expect("> SAY yes")
        terminal.send("\r")
        terminal.expect("yes")
        terminal.expect("chat 35")
        terminal.send("\x04")
        assert terminal.end() == 0


def test_a_question_goes_when_another_device_answers_or_the_turn_ends(served: Served) -> None:
    with Terminal(served.home, "chat", "--chat", "36") as terminal:
        terminal.expect("chat 36")
        for number, word in ((1, "yes"), (2, "no")):
            terminal.send(f'ASK Bash {{"command": "echo {number}"}}\r')
            terminal.expect("[y] once")
            run(served.home, "approvals", "answer", served.waiting(f"echo {number}"), word)
            terminal.expect(f"echo {number} · {'allowed once' if word == 'yes' else 'denied'} (terminal on ")
            terminal.expect("chat 36")
        terminal.send("half a line")
        terminal.expect("half a line")
        with Running(served.home, "ask", "--chat", "36", 'ASK Bash {"command": "echo 3"}') as asking:
            terminal.expect("main asks: Bash")
            terminal.expect("[y] once")
            asking.end(signal.SIGINT)
        terminal.expect("echo 3 · its turn has ended")
        terminal.expect("> half a line")
        terminal.send("\x03\x04")
        assert terminal.end() == 0


def test_a_turn_that_began_elsewhere_is_asked_about_here_and_what_was_typed_stays(served: Served) -> None:
    with Terminal(served.home, "chat", "--chat", "37") as terminal:
        terminal.expect("chat 37")
        terminal.send("SAY half")
        terminal.expect("SAY half")
        with Running(served.home, "ask", "--chat", "37", 'ASK Bash {"command": "ls"}') as asking:
            terminal.expect("main asks: Bash")
            terminal.expect("[y] once")
            terminal.send("y")
            terminal.expect("ls · allowed once")
            assert asking.end()[:2] == (0, "allowed\n")
            terminal.expect("> SAY half")
        with Running(served.home, "ask", "--chat", "37", 'ASK Bash {"command": "ls"}') as asking:
            terminal.expect("[y] once")
            terminal.send("\x03")
            assert asking.end()[0] == 3
        terminal.expect("> SAY half")
        terminal.send(" past eight\r")
        terminal.expect("half past eight")
        terminal.expect("chat 37")
        terminal.send("\x04")
        assert terminal.end() == 0


def test_another_conversation_is_a_quiet_line_until_it_is_wanted(served: Served) -> None:
    with Terminal(served.home, "chat", "--chat", "38") as terminal:
        terminal.expect("chat 38")
        terminal.send("/approve\r")
        terminal.expect("Nothing waits for an answer.")
        terminal.expect("chat 38")
        with Running(served.home, "ask", "--chat", "39", 'ASK Bash {"command": "ls there"}') as asking:
            terminal.expect("Another conversation waits: main, Bash: ls there · /approve answers")
            terminal.send("/approve\r")
            terminal.expect("[y] once")
            terminal.send("\x03")
            terminal.expect("It goes on waiting.")
            terminal.expect("chat 38")
            terminal.send("/approve\r")
            terminal.expect("[y] once")
            terminal.send("y")
            terminal.expect("ls there · allowed once")
            assert asking.end()[:2] == (0, "allowed\n")
        terminal.expect("chat 38")
        terminal.send("\x04")
        assert terminal.end() == 0


def test_a_dumb_terminal_asks_in_lines(served: Served) -> None:
    with Terminal(served.home, "chat", "--chat", "40", TERM="dumb") as terminal:
        terminal.expect("> ")
        terminal.send('ASK Bash {"command": "ls dumb"}\nSAY ahead\n')
        terminal.expect("main asks for Bash: ls dumb")
        terminal.expect("y once, a always, n no?")
        terminal.send("perhaps\n")
        terminal.expect("y once, a always, n no?")
        terminal.send("a\n")
        terminal.expect("anything else goes back")
        terminal.send("n\n")
        terminal.expect("y once, a always, n no?")
        terminal.send("y\n")
        terminal.expect("allowed once")
        terminal.expect("ahead")
        terminal.expect("> ")
        with Running(served.home, "ask", "--chat", "40", 'ASK Bash {"command": "ls more"}') as asking:
            terminal.expect("n no?")
            terminal.send("n\n")
            assert asking.end()[:2] == (0, "denied\n")
        terminal.expect("> ")
        terminal.send("\x04")
        assert terminal.end() == 0
    assert "\x1b" not in terminal.seen


def test_where_nobody_can_answer_it_says_who_has_to(served: Served) -> None:
    file = served.home.parent / "question"
    file.write_text('ASK Bash {"command": "ls piped"}\n')
    with Running(served.home, "chat", "--chat", "41", stdin=file) as chatting:
        run(served.home, "approvals", "answer", served.waiting("ls piped"), "yes")
        code, out, err = chatting.end()
    assert (code, out, len(err.splitlines())) == (0, "allowed\n", 1)
    assert err.startswith("The agent waits for somebody's yes or no to Bash: ls piped.")
    assert "approvals" in err
