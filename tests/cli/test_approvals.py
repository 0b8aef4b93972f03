"""`sygen approvals`, and what `sygen ask` does when the agent asks."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.cli.command import COMMAND, Running, Terminal, environment, run, run_each
from tests.cli.conftest import Served


@contextmanager
def waiting(served: Served, command: str, *, chat: int) -> Iterator[tuple[Running, str]]:
    """A question whose agent waits for a yes or no, and the id of that."""
    with Running(served.home, "ask", "--chat", str(chat), f"ASK Bash {json.dumps({'command': command})}") as asking:
        yield asking, served.waiting(command)


def decoded(served: Served, *arguments: str) -> list[dict[str, Any]]:
    ended = run(served.home, "approvals", *arguments, "--json")
    assert (ended.returncode, ended.stderr) == (0, "")
    found: list[dict[str, Any]] = json.loads(ended.stdout)
    return found


def test_what_waits_is_listed_shown_and_answered_by_the_beginning_of_its_id(served: Served) -> None:
    nothing = run(served.home, "approvals")
    assert (nothing.returncode, nothing.stdout, nothing.stderr) == (0, "", "Nothing waits for an answer.\n")
    with waiting(served, "rm -r one", chat=1) as (asking, request):
        told = run(served.home, "approvals")
        assert told.stdout.split("\t")[0] == request[:8]
        assert told.stdout.endswith("\tBash: rm -r one\n")
        shown = run(served.home, "approvals", "show", request[:8]).stdout
        assert "always would hold for exactly this:\n  rm -r one\n" in shown
        answered = run(served.home, "approvals", "answer", request[:8], "yes")
        assert (answered.returncode, answered.stdout) == (0, "Bash: rm -r one · allowed once\n")
        assert asking.end()[:2] == (0, "allowed\n")
    late = run(served.home, "approvals", "answer", request, "no")
    assert (late.returncode, late.stdout, len(late.stderr.splitlines())) == (1, "", 1)


def test_a_rule_is_made_listed_revoked_and_remembered(served: Served) -> None:
    with waiting(served, "rm -r two", chat=2) as (asking, request):
        answered = run(served.home, "approvals", "answer", request, "always")
        assert answered.stdout == "Bash: rm -r two · allowed always\n"
        assert asking.end()[1] == "allowed\n"
    (rule,) = [one for one in decoded(served, "rules") if one["pattern"] == "rm -r two"]
    assert f"approvals revoke {rule['id']}" in answered.stderr
    assert run(served.home, "ask", 'ASK Bash {"command": "rm -r two"}').stdout == "allowed\n"
    assert f"{rule['id']}\tmain\t" in run(served.home, "approvals", "rules").stdout
    revoked = run(served.home, "approvals", "revoke", rule["id"][:6])
    assert (revoked.returncode, revoked.stdout) == (0, "Revoked: Bash: rm -r two is asked about again.\n")
    assert run(served.home, "approvals", "revoke", rule["id"]).returncode == 1
    newest, first = decoded(served, "history", "--limit", "2")
    assert (newest["decided_by"], first["id"]) == (f"rule {rule['id']}", request)
    assert decoded(served, "history", "--limit", "1", "--before", newest["id"]) == [first]
    with Terminal(served.home, "approvals", "history") as terminal:
        assert terminal.end() == 0
        assert "wanted to use" in terminal.seen
        assert f"rule {rule['id']}" in terminal.seen


def test_what_is_wrong_is_one_line(served: Served, home: Path) -> None:
    with waiting(served, "one", chat=3) as (one, _), waiting(served, "two", chat=4) as (two, _):
        wrong = (
            (("answer", "", "yes"), 1),
            (("answer", "nothing", "yes"), 1),
            (("answer", "../rules", "no"), 1),
            (("show", "\udcff"), 1),
            (("revoke", "nothing"), 1),
            (("history", "--before", "nothing"), 1),
            (("list", "--url", served.url, "--token", "wrong"), 4),
        )
        for (arguments, code), ended in zip(
            wrong, run_each(served.home, [("approvals", *arguments) for arguments, _ in wrong]), strict=True
        ):
            told = (arguments, ended.returncode, ended.stdout, len(ended.stderr.splitlines()))
            assert told == (arguments, code, "", 1)
        assert run(served.home, "approvals", "answer", "one", "perhaps").returncode == 2
        waits = [one["id"] for one in decoded(served, "list")]
        run_each(served.home, [("approvals", "answer", request, "no") for request in waits])
        assert one.end()[1] == two.end()[1] == "denied\n"
    nowhere = run(home, "approvals")
    assert (nowhere.returncode, nowhere.stdout, len(nowhere.stderr.splitlines())) == (4, "", 1)


def test_ids_are_completed_with_what_they_are_about(served: Served) -> None:
    with waiting(served, "complete me", chat=5) as (asking, request):
        program = "from sygen_bot.cli.app import app; app(prog_name='sygen')"
        for words, expected in (
            (f"sygen approvals answer {request[:5]}", [request]),
            ("sygen approvals re", ["revoke"]),
        ):
            count = str(len(words.split()) - 1)
            shell = environment(served.home, _SYGEN_COMPLETE="complete_bash", COMP_WORDS=words, COMP_CWORD=count)
            ended = subprocess.run(
                [COMMAND[0], "-c", program], env=shell, capture_output=True, text=True, check=False, timeout=20
            )
            assert ended.stdout.split() == expected
        run(served.home, "approvals", "answer", request, "no")
        asking.end()


def test_ask_on_a_terminal_asks_there(served: Served) -> None:
    script = 'SAY so far\nASK Bash {"command": "rm here"}\nASK Read {"file_path": "/etc/motd"}\nSAY done'
    with Terminal(served.home, "ask", "--chat", "6", script) as terminal:
        terminal.expect("so far")
        terminal.expect("main asks: Bash")
        terminal.expect("[y] once")
        terminal.send("y")
        terminal.expect("Bash: rm here · allowed once")
        terminal.expect("main asks: Read")
        terminal.expect("[y] once")
        terminal.send("n")
        terminal.expect("Read: /etc/motd · denied")
        terminal.expect("done")
        assert terminal.end() == 0


def test_ask_is_stopped_by_ctrl_c_while_it_asks_and_leaves_the_terminal_as_it_was(served: Served) -> None:
    with Terminal(served.home, "ask", "--chat", "7", 'ASK Bash {"command": "rm here"}') as terminal:
        before = terminal.modes()
        terminal.expect("[y] once")
        assert terminal.modes() != before
        terminal.send("\x03")
        assert terminal.end() == 130
        assert terminal.modes() == before


def test_ask_without_a_terminal_says_once_that_it_waits_and_in_json_what_for(served: Served) -> None:
    script = 'ASK Bash {"command": "first"}\nASK Bash {"command": "second"}'
    with Running(served.home, "ask", "--chat", "8", "--json", script) as asking:
        lines = asking.read_until("\n")
        for number in range(2):
            event = json.loads(lines.splitlines()[-1])
            assert (event["type"], event["summary"]) == ("approval_request", ("first", "second")[number])
            run(served.home, "approvals", "answer", event["id"], "yes")
            if number == 0:
                lines = asking.read_until('"second"')
                while not lines.endswith("\n"):
                    lines += asking.read_until("\n")
        code, out, err = asking.end()
    assert (code, len(err.splitlines())) == (0, 1)
    assert "yes or no to Bash: first." in err
    assert '"decision":"allow_once"' in out


def test_ask_may_say_yes_or_no_to_everything_of_its_turn_alone(served: Served) -> None:
    script = 'ASK Bash {"command": "one"}\nASK Bash {"command": "two"}'
    allowed, denied = run_each(
        served.home, [("ask", "--chat", "9", "--yes", script), ("ask", "--chat", "10", "--no", script)]
    )
    assert (allowed.returncode, allowed.stdout) == (0, "allowed\nallowed\n")
    assert allowed.stderr == "Bash: one · allowed once\nBash: two · allowed once\n"
    assert (denied.returncode, denied.stdout) == (0, "denied\ndenied\n")
    assert run(served.home, "ask", "--yes", "--no", "hello").returncode == 2
    with waiting(served, "not yours", chat=11) as (other, request):
        with Running(served.home, "ask", "--chat", "11", "--yes", 'ASK Bash {"command": "mine"}') as mine:
            while json.loads(run(served.home, "status", "--json").stdout)["turns_queued"] == 0:
                assert mine.process.poll() is None
            assert request in [one["id"] for one in decoded(served, "list")]
            run(served.home, "approvals", "answer", request, "no")
            assert mine.end()[:2] == (0, "allowed\n")
        assert other.end()[1] == "denied\n"
