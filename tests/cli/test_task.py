"""`sygen task`: made, followed, shown and cancelled, for people and for scripts."""

from __future__ import annotations

import json
import signal
from pathlib import Path
from typing import Any

import pytest

from tests.cli.command import Running, Terminal, run, run_each, serving
from tests.cli.conftest import Served

LONG = "SLOW 5000 0.01"


def shown(home: Path, task_id: str) -> dict[str, Any]:
    task: dict[str, Any] = json.loads(run(home, "task", "show", task_id, "--json").stdout)
    return task


def added(home: Path, *arguments: str, given: str | None = None) -> str:
    ended = run(home, "task", "add", *arguments, given=given)
    assert (ended.returncode, ended.stderr) == (0, "")
    return ended.stdout.strip()


def test_a_task_is_made_and_shown_when_it_has_ended(served: Served) -> None:
    task_id = added(served.home, "SAY **hello**", "--title", "A greeting")
    waited = run(served.home, "task", "show", task_id, "--wait")
    assert (waited.returncode, waited.stdout, waited.stderr) == (0, "**hello**\n", "")
    told = run(served.home, "task", "show", task_id).stdout
    assert f"id        {task_id}\ntitle     A greeting\nstatus    done\nagent     main\n" in told
    assert told.endswith("\n\n**hello**\n")
    assert shown(served.home, task_id)["answer"] == "**hello**"
    with Terminal(served.home, "task", "show", task_id) as terminal:
        terminal.expect("A greeting")
        terminal.expect("hello")
        assert "**" not in terminal.seen
        assert terminal.end() == 0


def test_the_prompt_comes_from_standard_input_too(served: Served) -> None:
    for arguments, given, prompt in (
        ((), "SAY from stdin\n", "SAY from stdin"),
        (("SAY", "-"), "in place\n", "SAY in place"),
        (("SAY", "not", "read"), "ignored", "SAY not read"),
    ):
        task_id = added(served.home, *arguments, given=given)
        assert shown(served.home, task_id)["prompt"] == prompt


def test_waiting_prints_the_answer_and_exits_as_ask_does(served: Served) -> None:
    done = run(served.home, "task", "add", "--wait", "SAY one\nSAY two")
    assert (done.returncode, done.stdout, done.stderr) == (0, "one\ntwo\n", "")
    failed = run(served.home, "task", "add", "--wait", "SAY so far\nFAIL oh")
    assert (failed.returncode, failed.stdout, len(failed.stderr.splitlines())) == (1, "so far\n", 1)
    as_json = run(served.home, "task", "add", "--wait", "--json", "NOSTREAM hello")
    assert (as_json.returncode, json.loads(as_json.stdout)["answer"]) == (0, "hello")


def test_a_task_that_is_cancelled_while_somebody_waits_is_exit_code_3(served: Served) -> None:
    task_id = added(served.home, LONG)
    with Running(served.home, "task", "show", "--wait", task_id) as waiting:
        waiting.read_until("w0 ")
        cancelled = run(served.home, "task", "cancel", task_id)
        assert (cancelled.returncode, cancelled.stdout) == (0, f"{task_id}  aborted\n")
        code, out, err = waiting.end()
        assert (code, err) == (3, "It was cancelled.\n")
        assert out.endswith(" \n")
    again = run(served.home, "task", "cancel", task_id)
    assert (again.returncode, again.stdout, len(again.stderr.splitlines())) == (1, "", 1)


def test_ctrl_c_leaves_the_task_alone(served: Served) -> None:
    with Running(served.home, "task", "add", "--wait", LONG) as waiting:
        waiting.read_until("w0 ")
        code, _, err = waiting.end(signal.SIGINT)
    assert (code, err.startswith("The task goes on.")) == (130, True)
    newest = json.loads(run(served.home, "task", "list", "--limit", "1", "--json").stdout)[0]
    assert newest["status"] == "running"
    assert f"task cancel {newest['id']}`" in err
    assert json.loads(run(served.home, "task", "cancel", newest["id"], "--json").stdout)["status"] == "aborted"


def test_the_newest_are_listed(served: Served) -> None:
    first, second = added(served.home, "SAY 1", "--title", "First"), added(served.home, "SAY 2", "--title", "Second")
    lines = run(served.home, "task", "list", "--limit", "2").stdout.splitlines()
    assert [(line.split()[0], line.split()[-1]) for line in lines] == [(second, "Second"), (first, "First")]


def test_a_terminal_takes_no_orders_from_a_task(served: Served) -> None:
    task_id = added(served.home, "SAY bell\x07 \x1b]0;owned\x07", "--title", "x\x1b]0;owned\x07")
    with Terminal(served.home, "task", "show", "--wait", task_id) as terminal:
        terminal.expect("bell ]0;owned")
        assert terminal.end() == 0
    assert "\x1b" not in run(served.home, "task", "list").stdout


def test_what_cannot_be_is_one_clear_line(served: Served) -> None:
    wrong = [
        (2, "add", " "),
        (1, "add", "hello", "--agent", "nobody"),
        (1, "add", "hello", "--model", "nothing"),
        (1, "show", "nothing"),
        (1, "show", "--wait", "nothing"),
        (1, "cancel", "../status"),
        (4, "list", "--token", "wrong"),
        (4, "list", "--url", "http://127.0.0.1:1", "--token", "any"),
    ]
    for (code, *command), ended in zip(
        wrong, run_each(served.home, [("task", *map(str, command)) for _, *command in wrong]), strict=True
    ):
        assert (command, ended.returncode, ended.stdout, len(ended.stderr.splitlines())) == (command, code, "", 1)


def test_without_a_gateway_there_is_no_task(home: Path) -> None:
    ended = run(home, "task", "add", "hello")
    assert (ended.returncode, len(ended.stderr.splitlines())) == (4, 1)


@pytest.mark.parametrize("signal_number", [signal.SIGTERM, signal.SIGKILL])
def test_a_task_outlives_its_gateway_if_it_repeats(home: Path, signal_number: int) -> None:
    with serving(home, SYGEN_API__DRAIN_S="0") as (gateway, _):
        does_not = added(home, LONG)
        with Running(home, "task", "show", "--wait", does_not) as first:
            first.read_until("w0 ")
        with Running(home, "task", "add", "--wait", "--repeats", "SLOW 40 0.05") as second:
            second.read_until("w0 ")
            gateway.end(signal_number)
    with serving(home, SYGEN_API__DRAIN_S="0"):
        tasks = json.loads(run(home, "task", "list", "--json").stdout)
        [repeats] = [task["id"] for task in tasks if task["id"] != does_not]
        waited = run(home, "task", "show", "--wait", repeats)
        assert (waited.returncode, waited.stdout[:3], waited.stderr) == (0, "w0 ", "")
        assert shown(home, repeats)["attempt"] == 2
        stopped = run(home, "task", "show", "--wait", does_not)
        assert (stopped.returncode, stopped.stderr) == (3, "The gateway stopped while it ran.\n")
        found = json.loads(run(home, "notifications", "--json").stdout)
        assert sorted(one["source_id"] for one in found) == sorted([repeats, does_not])


def test_a_task_is_renamed_run_again_and_removed(served: Served) -> None:
    first = run(served.home, "task", "add", "SAY the same", "--title", "one", "--wait", "--json")
    task = json.loads(first.stdout)["id"]
    assert run(served.home, "task", "edit", task, "--title", "two").stdout == f"{task}  two\n"
    again = run(served.home, "task", "run", task, "--wait")
    assert (again.returncode, again.stdout) == (0, "the same\n")
    assert run(served.home, "task", "list").stdout.count("  two\n") == 2
    assert run(served.home, "task", "remove", task).returncode == 0
    gone = run(served.home, "task", "show", task)
    assert (gone.returncode, gone.stdout, len(gone.stderr.splitlines())) == (1, "", 1)


def test_a_task_that_runs_is_not_removed(served: Served) -> None:
    task = run(served.home, "task", "add", "SLOW 1000 0.05").stdout.strip()
    refused = run(served.home, "task", "remove", task)
    assert refused.returncode == 1
    assert "Cancel it first" in refused.stderr
    assert run(served.home, "task", "cancel", task).returncode == 0
