"""`sygen chat` on a pseudo-terminal and in pipes."""

from __future__ import annotations

import signal
import termios
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from sygen_bot.cli.chat_answer import finished_length
from tests.cli.command import Running, Terminal, run, serving
from tests.cli.conftest import Served


def test_it_answers_with_markdown_and_shows_what_the_agent_does(served: Served) -> None:
    with Terminal(served.home, "chat", "--chat", "11") as terminal:
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
