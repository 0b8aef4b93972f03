"""`sygen notifications`: listed, marked as read, and followed."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cli.command import Running, Terminal, run, run_each, serving


@pytest.fixture
def gateway_home(home: Path) -> Iterator[Path]:
    """The home of a gateway that nothing has happened in yet."""
    with serving(home, SYGEN_API__DRAIN_S="0"):
        yield home


def happen(home: Path, *prompts: str) -> None:
    for prompt in prompts:
        assert run(home, "task", "add", "--wait", prompt).returncode in (0, 1)


def listed(home: Path, *arguments: str) -> list[dict[str, Any]]:
    ended = run(home, "notifications", "--json", *arguments)
    assert (ended.returncode, ended.stderr) == (0, "")
    found: list[dict[str, Any]] = json.loads(ended.stdout)
    return found


def test_they_are_listed_and_read(gateway_home: Path) -> None:
    nothing = run(gateway_home, "notifications")
    assert (nothing.returncode, nothing.stdout, nothing.stderr) == (0, "", "There are none.\n")
    happen(gateway_home, "SAY hello\nSAY there", "FAIL oh", "SAY bell\x07")
    told = run(gateway_home, "notifications").stdout.splitlines()
    newest_first = listed(gateway_home)
    assert [line[:1] for line in told] == ["*", " "] * 3
    assert "  !! FAIL oh has failed  " in told[2]
    assert told[4].endswith(f"  SAY hello is done  {newest_first[2]['id']}")
    assert told[5] == "    hello there"
    assert "\x07" not in "".join(told)

    read = run(gateway_home, "notifications", "--read", newest_first[1]["id"])
    assert (read.returncode, read.stdout) == (0, "Read: FAIL oh has failed\n")
    assert [one["id"] for one in listed(gateway_home, "--unread")] == [newest_first[0]["id"], newest_first[2]["id"]]
    assert [one["read"] for one in listed(gateway_home, "--limit", "2")] == [False, True]
    assert run(gateway_home, "notifications", "--read", "all").stdout == "2 notifications were unread.\n"
    assert json.loads(run(gateway_home, "notifications", "--read", "all", "--json").stdout) == {"updated": 0}
    assert run(gateway_home, "notifications", "--unread").stderr == "There are none that nobody has read.\n"


def test_a_follower_is_told_what_was_and_what_comes(gateway_home: Path) -> None:
    happen(gateway_home, "SAY one", "SAY two", "SAY three")
    with Running(gateway_home, "notifications", "--follow", "--limit", "2", "--json") as following:
        before = following.read_until("\n")
        if before.count("\n") < 2:
            before += following.read_until("\n")
        assert [json.loads(line)["body"] for line in before.splitlines()] == ["two", "three"]
        happen(gateway_home, "SAY four")
        assert json.loads(following.read_until("\n"))["body"] == "four"
        assert following.end(signal.SIGINT) == (130, "", "")
    with Terminal(gateway_home, "notifications", "-f") as terminal:
        terminal.expect("SAY four is done")
        happen(gateway_home, "SAY five")
        terminal.expect("SAY five is done")
        terminal.send("\x03")
        assert terminal.end() == 130


def test_what_cannot_be_is_told_in_a_line(gateway_home: Path) -> None:
    for ended in run_each(
        gateway_home,
        [
            ("notifications", "--read", "nothing"),
            ("notifications", "--read", "../tasks"),
            ("notifications", "--read", ""),
        ],
    ):
        assert (ended.returncode, ended.stdout, len(ended.stderr.splitlines())) == (1, "", 1)
    for limit in ("0", "-1", "201", "abc"):
        assert run(gateway_home, "notifications", "--limit", limit).returncode == 2
    assert run(gateway_home, "notifications", "--read", "all", "--follow").returncode == 2
    wrong = run(gateway_home, "notifications", "--token", "wrong")
    assert (wrong.returncode, len(wrong.stderr.splitlines())) == (4, 1)


def test_without_a_gateway_there_are_none(home: Path) -> None:
    ended = run(home, "notifications")
    assert (ended.returncode, ended.stdout, len(ended.stderr.splitlines())) == (4, "", 1)
