"""`sygen cron` against a real gateway."""

from __future__ import annotations

import json
import subprocess
import time
from pathlib import Path
from typing import Any

from tests.cli.command import COMMAND, LIMIT_S, Terminal, environment, run, run_each
from tests.cli.conftest import Served


def cron(served: Served, *arguments: str, given: str | None = None) -> str:
    """What `sygen cron ARGUMENTS` prints, if it has nothing to complain about."""
    ended = run(served.home, "cron", *arguments, given=given)
    assert (ended.returncode, ended.stderr) == (0, "")
    return ended.stdout


def decoded(served: Served, *arguments: str, given: str | None = None) -> Any:
    return json.loads(cron(served, *arguments, "--json", given=given))


def ended_run(served: Served, job_id: str) -> dict[str, Any]:
    """The last run of a job, once it has an end."""
    deadline = time.monotonic() + LIMIT_S
    while time.monotonic() < deadline:
        runs = decoded(served, "show", job_id)["runs"]
        if runs and runs[0]["ended_at"] is not None:
            found: dict[str, Any] = runs[0]
            return found
    raise AssertionError("it has no end")


def test_a_job_is_made_listed_run_changed_and_removed(served: Served) -> None:
    told = cron(served, "add", "30 7 * * 1-5", "SAY good morning", "--timezone", "Europe/Berlin")
    assert "  SAY good morning: made, next " in told
    job_id = told.split()[0]
    (line,) = (line for line in cron(served, "list").splitlines() if line.startswith(job_id))
    assert line.split("\t")[1:3] == ["SAY good morning", "30 7 * * 1-5"]

    assert cron(served, "run", job_id).endswith("SAY good morning: under way\n")
    assert ended_run(served, job_id)["answer"] == "good morning"
    shown = cron(served, "show", job_id)
    assert "schedule   30 7 * * 1-5 (Europe/Berlin)\n" in shown
    assert "\tdone\t" in shown
    assert "\tgood morning\n" in shown

    assert "next off" in cron(served, "edit", job_id, "--disable", "--title", "Morning")
    assert "\toff\tdone, " in cron(served, "list")
    assert cron(served, "remove", job_id) == "Removed.\n"
    assert job_id not in cron(served, "list", "--json")


def test_every_option_arrives_and_an_empty_one_takes_it_back(served: Served) -> None:
    job = decoded(
        *(served, "add", "0 * * * *", "-", "--title", "Inbox", "--timezone", "Asia/Tokyo", "--agent", "main"),
        *("--provider", "scripted", "--model", "m", "--chat", "7", "--channel", "8", "--quiet", "22:00-07:00"),
        *("--missed", "run-once", "--disabled"),
        given="SAY one\nSAY two\n",
    )
    expected = {
        "title": "Inbox",
        "prompt": "SAY one\nSAY two",
        "timezone": "Asia/Tokyo",
        "agent": "main",
        "provider": "scripted",
        "model": "m",
        "chat_id": 7,
        "channel_id": 8,
        "quiet_from": "22:00",
        "quiet_to": "07:00",
        "missed": "run_once",
        "enabled": False,
        "next_run_at": None,
    }
    assert {name: job[name] for name in expected} == expected
    changed = decoded(
        served, "edit", job["id"], "--no-chat", "--quiet", "", "--provider", "", "--enable", "--missed", "skip"
    )
    for name in ("chat_id", "channel_id", "quiet_from", "quiet_to", "provider", "model"):
        assert changed[name] is None
    assert (changed["enabled"], changed["missed"], changed["prompt"]) == (True, "skip", "SAY one\nSAY two")
    assert changed["next_run_at"] is not None
    cron(served, "remove", job["id"])


def test_what_is_wrong_is_told_in_one_line(served: Served, home: Path) -> None:
    wrong = (
        (("add", "61 * * * *", "x"), 1, "The minute '61' is wrong. Allowed: 0-59"),
        (("add", "0 0 30 2 *", "x"), 1, "never comes"),
        (("add", "* * * * *", "x", "--timezone", "Mars/Olympus"), 1, "There is no time zone 'Mars/Olympus'"),
        (("add", "* * * * *", " "), 1, "A prompt has"),
        (("add", "* * * * *", "x", "--quiet", "22:00"), 1, "give both"),
        (("show", "nothing"), 1, "There is no such thing."),
        (("run", "a/../b"), 1, "There is no"),
        (("remove", "nothing"), 1, "There is no such thing."),
        (("edit", "nothing", "--title", "x"), 1, "There is no such thing."),
        (("edit", "nothing"), 2, "say what is to be different"),
        (("edit", "nothing", "--no-chat", "--chat", "1"), 2, "one too many"),
        (("add", "* * * * *", "x", "--missed", "never"), 2, "never"),
    )
    for (arguments, code, reason), ended in zip(
        wrong, run_each(served.home, [("cron", *arguments) for arguments, _, _ in wrong]), strict=True
    ):
        assert (arguments, ended.returncode, ended.stdout) == (arguments, code, "")
        assert reason in ended.stderr
        assert code == 2 or ended.stderr.count("\n") == 1
    nowhere = run(home, "cron", "list")
    assert (nowhere.returncode, nowhere.stdout) == (4, "")
    assert nowhere.stderr.startswith("No gateway runs here. ")
    wrong_token = run(home, "cron", "list", "--url", served.url, "--token", "wrong")
    assert "The gateway does not accept the token" in wrong_token.stderr


def test_a_terminal_shows_a_table_and_nothing_that_steers_it(served: Served) -> None:
    job = decoded(served, "add", "0 0 1 1 *", "SAY [bold]x[/bold]", "--title", "a [red]\x1b[31mtitle")
    with Terminal(served.home, "cron", "list") as terminal:
        assert terminal.end() == 0
        assert "schedule" in terminal.seen
        assert "a [red] [31mtitle" in terminal.seen
    cron(served, "remove", job["id"])


def test_ids_are_completed_with_their_titles(served: Served) -> None:
    job = decoded(served, "add", "0 0 1 1 *", "SAY x", "--title", "New year")
    words = f"sygen cron show {job['id'][:5]}"
    shell = environment(served.home, _SYGEN_COMPLETE="complete_bash", COMP_WORDS=words, COMP_CWORD="3")
    program = "from sygen_bot.cli.app import app; app(prog_name='sygen')"
    ended = subprocess.run(
        [COMMAND[0], "-c", program], env=shell, capture_output=True, text=True, check=False, timeout=LIMIT_S
    )
    assert ended.stdout.split() == [job["id"]]
    cron(served, "remove", job["id"])


def test_where_http_could_be_read_on_the_way_the_encrypted_connection_is_asked(served: Served) -> None:
    job = decoded(served, "add", "0 0 1 1 *", "SAY x", "--title", "Far away")
    token = run(served.home, "api", "token", "--show").stdout.strip()
    far = ("--url", served.url.replace("127.0.0.1", "127.1"), "--token")  # the same, but not known to be this machine
    assert decoded(served, "show", job["id"], *far, token)["title"] == "Far away"
    refused = run(served.home, "cron", "show", "nothing", *far, token)
    assert (refused.returncode, refused.stdout, refused.stderr) == (1, "", "There is no such thing.\n")
    wrong = run(served.home, "cron", "list", *far, "wrong")
    assert wrong.stderr.startswith("The gateway does not accept the token")
    assert wrong.stderr.count("\n") == 1
    assert run(served.home, "cron", "remove", job["id"], *far, token).stdout == "Removed.\n"


def test_bytes_that_are_no_text_are_no_bug(served: Served) -> None:
    ended = subprocess.run(
        [*COMMAND, "cron", "add", "0 0 1 1 *", b"SAY \xff\xfe", "--json"],
        env=environment(served.home),
        capture_output=True,
        check=False,
        timeout=LIMIT_S,
    )
    assert (ended.returncode, ended.stderr) == (0, b"")
    cron(served, "remove", json.loads(ended.stdout)["id"])
    assert run(served.home, "cron", "show", "\udcff").stderr == "There is no such thing.\n"
