"""`sygen chat` on a pseudo-terminal and in pipes."""

from __future__ import annotations

import signal
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
    with serving(home), Terminal(home, "chat") as terminal:
        terminal.expect("connected")
        run(home, "api", "token", "--rotate")
        terminal.expect("api token --show")
        assert terminal.end() == 4


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
