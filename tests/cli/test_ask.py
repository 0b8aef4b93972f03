"""`sygen ask` against a real gateway."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests.cli.command import COMMAND, Running, Terminal, environment, run, run_each, serving
from tests.cli.conftest import Served


def test_an_answer_is_all_there_is_on_stdout(served: Served) -> None:
    ended = run(served.home, "ask", "TOOL Read {}\nSTATUS reading\nSAY one two")
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "one two\n", "")


def test_words_need_no_quotes_and_standard_input_is_added(served: Served) -> None:
    assert (
        run(served.home, "ask", "what", "is", "this?", given="a pipe\n").stdout == "You said: what is this?\n\na pipe\n"
    )


def test_a_dash_stands_for_standard_input(served: Served) -> None:
    assert run(served.home, "ask", "about", "-", "please", given="ümläut").stdout == "You said: about ümläut please\n"


def test_an_answer_that_cannot_be_streamed_is_printed_whole(served: Served) -> None:
    assert run(served.home, "ask", "NOSTREAM all at once").stdout == "all at once\n"


def test_text_arrives_while_the_turn_runs(served: Served) -> None:
    with Running(served.home, "ask", "--channel", "3", "SLOW 1000 0.05") as asking:
        asking.read_until("w2 ")
        assert asking.process.poll() is None


def test_json_is_one_event_a_line(served: Served) -> None:
    ended = run(served.home, "ask", "--json", "TOOL Read {}\nSAY one two")
    events = [json.loads(line) for line in ended.stdout.splitlines()]
    assert [event["type"] for event in events] == ["tool_activity", "text_delta", "text_delta", "result"]
    assert events[-1]["text"] == "one two"
    assert (ended.returncode, ended.stderr) == (0, "")


def test_a_failed_turn_is_exit_code_1(served: Served) -> None:
    ended = run(served.home, "ask", "FAIL on purpose")
    assert (ended.returncode, ended.stdout, len(ended.stderr.splitlines())) == (1, "", 1)
    as_json = run(served.home, "ask", "--json", "FAIL on purpose")
    assert (as_json.returncode, json.loads(as_json.stdout)["code"], as_json.stderr) == (1, "internal_error", "")


def test_nothing_to_ask_is_exit_code_2(served: Served) -> None:
    wrong: tuple[list[str], ...] = ([], ["  "], ["--timeout", "0", "hello"], ["--chat", "9007199254740992", "hello"])
    for ended in run_each(served.home, [("ask", *arguments) for arguments in wrong]):
        assert (ended.returncode, ended.stdout) == (2, "")
        assert ended.stderr


def test_a_turn_that_takes_too_long_is_aborted_and_exit_code_3(served: Served) -> None:
    ended = run(served.home, "ask", "--channel", "4", "--timeout", "1.5", "SLOW 1000 0.05")
    assert (ended.returncode, ended.stdout[:3]) == (3, "w0 ")
    assert "1.5 s" in ended.stderr
    assert run(served.home, "ask", "--channel", "4", "--timeout", "5", "SAY free again").stdout == "free again\n"


def test_a_turn_that_somebody_stops_is_exit_code_3(served: Served) -> None:
    with Running(served.home, "ask", "--chat", "5", "SLOW 1000 0.05") as asking:
        asking.read_until("w0 ")
        stopped = run(served.home, "ask", "--chat", "5", "/stop")
        assert (stopped.returncode, stopped.stderr) == (0, "1 turn was stopped.\n")
        code, _out, err = asking.end()
        assert (code, err) == (3, "The turn was aborted.\n")


def test_a_message_that_is_too_long_is_refused_in_a_line(served: Served) -> None:
    ended = run(served.home, "ask", given="x" * 1_100_000)
    assert (ended.returncode, ended.stdout, len(ended.stderr.splitlines())) == (1, "", 1)
    assert "too long" in ended.stderr
    as_json = run(served.home, "ask", "--json", given="x" * 1_100_000)
    assert (as_json.returncode, json.loads(as_json.stdout)["code"]) == (1, "too_large")


def test_a_question_survives_the_gateway_and_is_answered_by_the_next(home: Path) -> None:
    with serving(home, SYGEN_API__DRAIN_S="0") as (gateway, url), Running(home, "ask", "SLOW 1000 0.05") as asking:
        asking.read_until("w1 ")
        with Running(home, "ask", "SAY at last") as waiting:
            while json.loads(run(home, "status", "--json").stdout)["turns_queued"] == 0:
                assert waiting.process.poll() is None
            assert gateway.end(signal.SIGKILL)[0] == -signal.SIGKILL
            with serving(home, "--port", url.rpartition(":")[2]):
                code, out, err = asking.end()
                assert (code, out[:6], err) == (3, "w2 w3 ", "The turn was interrupted.\n")
                assert waiting.end() == (0, "at last\n", "")


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--token", "wrong"], "api token --show"),
        (["--url", "http://127.0.0.1:1", "--token", "any"], "nothing listens there"),
        (["--url", "http://127.0.0.1:1"], "SYGEN_TOKEN"),
        (["--url", "not a url", "--token", "any"], "not a url"),
    ],
)
def test_no_way_in_is_exit_code_4_and_one_line_that_helps(served: Served, arguments: list[str], told: str) -> None:
    ended = run(served.home, "ask", "hello", *arguments)
    assert (ended.returncode, ended.stdout, len(ended.stderr.splitlines())) == (4, "", 1)
    assert told in ended.stderr


def test_a_wrong_server_key_is_noticed(served: Served) -> None:
    ended = run(served.home, "ask", "hello", SYGEN_SERVER="A" * 42 + "E=")
    assert ended.returncode == 4
    assert len(ended.stderr.splitlines()) == 1
    assert "or --server-key is not its identity key" in ended.stderr


def test_a_gateway_is_found_by_variables_from_another_home(served: Served) -> None:
    token = run(served.home, "api", "token", "--show").stdout.strip()
    elsewhere = served.home.parent / "elsewhere"
    assert run(elsewhere, "ask", "hello", SYGEN_URL=served.url, SYGEN_TOKEN=token).stdout == "You said: hello\n"
    link = f"{served.url}/#token={token}"
    assert run(elsewhere, "ask", "--url", link, "hello").stdout == "You said: hello\n"
    assert not elsewhere.exists()


def test_ctrl_c_aborts_the_turn_and_is_exit_code_130(served: Served) -> None:
    with Running(served.home, "ask", "--channel", "6", "SLOW 1000 0.05") as asking:
        asking.read_until("w1 ")
        code, out, err = asking.end(signal.SIGINT)
    assert (code, err) == (130, "")
    assert out.endswith("\n")
    started = time.monotonic()
    assert run(served.home, "ask", "--channel", "6", "SAY free").stdout == "free\n"
    assert time.monotonic() - started < 10


def test_a_reader_that_goes_away_ends_it_quietly(served: Served) -> None:
    with Running(served.home, "ask", "--channel", "7", "SLOW 1000 0.02") as asking:
        asking.read_until("w0 ")
        assert asking.process.stdout is not None
        asking.process.stdout.close()
        assert asking.process.stderr is not None
        assert asking.process.wait(20) == 1
        assert asking.process.stderr.read() == b""
        asking.process.stdout = None


def test_a_terminal_shows_tools_and_takes_no_orders_from_the_answer(served: Served) -> None:
    with Terminal(served.home, "ask", "TOOL Read {}\nSAY bell\x07 and title \x1b]0;owned\x07 end") as terminal:
        terminal.expect("· Read")
        terminal.expect("bell and title ]0;owned end")
        assert terminal.end() == 0


def test_bytes_that_are_no_text_and_streams_that_are_not_there_do_no_harm(served: Served) -> None:
    shell = f"{' '.join(COMMAND)} ask $(printf 'a\\377b')"
    for redirection, expected in (("", "You said: a\ufffdb\n"), ("<&-", "You said: a\ufffdb\n"), (">&- 2>&-", "")):
        ended = subprocess.run(
            ["/bin/sh", "-c", f"{shell} {redirection}"],
            env=environment(served.home),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=20,
            check=False,
        )
        assert (ended.returncode, ended.stdout.decode(), ended.stderr) == (0, expected, b"")
