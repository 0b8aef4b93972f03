"""The commands that look after an installation, and what all commands have in common."""

from __future__ import annotations

import json
import os
import resource
import subprocess
from pathlib import Path

import pytest

from tests.cli.command import COMMAND, Terminal, environment, run, run_anew, run_each
from tests.cli.conftest import Served

COMMANDS = (
    *((name,) for name in ("serve", "chat", "ask", "status", "doctor", "version", "api", "config", "model")),
    *((name,) for name in ("send", "get", "notifications", "task", "cron", "hook", "approvals")),
    *(("approvals", name) for name in ("list", "show", "answer", "rules", "revoke", "history")),
    *(("task", name) for name in ("add", "list", "show", "cancel", "edit", "run", "remove")),
    *(("cron", name) for name in ("add", "list", "show", "edit", "run", "remove")),
    *(("hook", name) for name in ("add", "list", "show", "edit", "remove", "secret", "test", "run")),
    *(("api", name) for name in ("enable", "token")),
    *(("config", name) for name in ("show", "set", "validate", "path")),
    *(("model", name) for name in ("install", "path")),
)


def test_every_command_explains_itself(home: Path) -> None:
    commands = [(*command, "--help") for command in ((), *COMMANDS)]
    for command, ended in zip(commands, run_each(home, commands), strict=True):
        assert (command, ended.returncode, ended.stderr) == (command, 0, "")
        assert f"Usage: python -m sygen_bot{''.join(f' {word}' for word in command[:-1])} " in ended.stdout
    assert not home.exists()


def test_the_exit_codes_of_ask_are_in_its_help(home: Path) -> None:
    told = run(home, "ask", "--help").stdout
    assert all(f"\n    {code} " in told for code in (0, 1, 2, 3, 4, 130))


def test_version_and_help_are_quick(home: Path) -> None:
    for arguments in (["version"], ["--help"]):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        assert run_anew(home, *arguments).returncode == 0
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        # processor time: what else the machine does is not its fault
        assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < 0.3


def test_every_command_loads_what_it_needs(served: Served) -> None:
    """Most tests here fork commands from a process that has everything loaded; these begin with nothing."""
    for arguments in (
        ("status",),
        ("doctor",),
        ("api", "token"),
        ("config", "show"),
        ("config", "set", "api.port", "0"),
        ("config", "validate"),
        ("ask", "hello"),
        ("send", __file__),
        ("notifications",),
        ("task", "add", "hello", "--wait"),
        ("task", "list"),
        ("cron", "list"),
        ("hook", "list"),
    ):
        ended = run_anew(served.home, *arguments)
        assert (arguments, ended.returncode) == (arguments, 0)
    assert run_anew(served.home, "get", "nothing.txt").returncode == 1
    assert run_anew(served.home, "model", "path").returncode == 1


def test_settings_are_set_as_json_or_text_and_shown_masked(home: Path) -> None:
    assert run(home, "config", "set", "api.port", "9001").stdout == "api.port = 9001\n"
    assert run(home, "config", "set", "api.allowed_origins", '["https://a.example"]').returncode == 0
    assert run(home, "config", "set", "model", "4").stdout == 'model = "4"\n'
    assert "hunter2" not in run(home, "config", "set", "api.token", "hunter2").stdout
    assert "hunter2" not in run(home, "config", "set", "providers.claude.env", '{"KEY": "hunter2"}').stdout
    shown = run(home, "config", "show")
    assert "hunter2" not in shown.stdout
    assert json.loads(shown.stdout)["api"]["port"] == 9001
    assert run(home, "config", "show", "api.port", SYGEN_API__PORT="9002").stdout == "9002\n"
    assert (home / "config" / "config.json").stat().st_mode & 0o777 == 0o600
    assert run(home, "config", "path").stdout == f"{home}/config/config.json\n"


def test_a_wrong_setting_is_refused_and_nothing_is_written(home: Path) -> None:
    run(home, "config", "set", "api.port", "9001")
    before = (home / "config" / "config.json").read_bytes()
    wrong = (
        ("api.port", "99999"),
        ("api.prt", "1"),
        ("api", "5"),
        ("", "1"),
        ("file_access", "some"),
        ("provider", "nope"),
        ("providers.nope", "{}"),
    )
    for ended in run_each(home, [("config", "set", *setting) for setting in wrong]):
        assert (ended.returncode, ended.stdout, len(ended.stderr.splitlines())) == (2, "", 1)
    assert (home / "config" / "config.json").read_bytes() == before
    assert run(home, "config", "show", "api.prt").returncode == 2


def test_validate_finds_what_serve_would_refuse(home: Path) -> None:
    assert run(home, "config", "validate").returncode == 0
    assert not home.exists()
    assert run(home, "config", "validate", SYGEN_API__PORT="many").returncode == 2
    assert run(home, "config", "validate", SYGEN_PROVIDER="nobody").returncode == 2
    (home / "config").mkdir(parents=True)
    (home / "config" / "config.json").write_text('{"providers": {"nope": {}}}')
    for command in ("validate",), ("set", "api.port", "9001"):
        ended = run(home, "config", *command)
        assert (ended.returncode, ended.stderr.partition(":")[0]) == (2, "providers.nope")


def test_the_api_is_enabled_with_a_token_that_stays(home: Path) -> None:
    assert run(home, "api", "token").returncode == 1
    assert run(home, "api", "enable").returncode == 0
    token = run(home, "api", "token", "--show").stdout.strip()
    assert len(token) >= 43
    assert token not in run(home, "api", "token").stdout
    run(home, "api", "enable")
    assert run(home, "api", "token", "--show").stdout.strip() == token
    assert run(home, "api", "token", "--rotate", SYGEN_API__TOKEN="given").returncode == 2


def test_a_terminal_gets_the_identity_key_and_a_link_with_the_token(served: Served, home: Path) -> None:
    token = run(served.home, "api", "token", "--show").stdout.strip()
    with Terminal(served.home, "api", "token", "--show") as terminal:
        assert terminal.expect("identity  ").strip() == token
        terminal.expect("link      ")
        assert terminal.end() == 0
    link = terminal.seen.strip()
    assert link.startswith(f"{served.url}/#token={token}&server=")
    assert run(home, "ask", "hello", SYGEN_URL=link).stdout == "You said: hello\n"


def test_status_tells_whether_a_gateway_runs(served: Served, home: Path) -> None:
    facts = json.loads(run(served.home, "status", "--json").stdout)
    assert (facts["running"], facts["url"], facts["provider"]) == (True, served.url, "scripted")
    assert served.url in run(served.home, "status").stdout
    ended = run(home, "status")
    assert (ended.returncode, ended.stdout, len(ended.stderr.splitlines())) == (1, "", 1)
    as_json = run(home, "status", "--json")
    assert (as_json.returncode, json.loads(as_json.stdout)["running"]) == (1, False)
    wrong = run(served.home, "status", "--token", "wrong")
    assert wrong.returncode == 1
    assert f"`SYGEN_HOME={served.home} python -m sygen_bot api token --show` tells what is right" in wrong.stderr


def test_the_doctor_finds_nothing_broken_where_all_is_well(served: Served) -> None:
    ended = run(served.home, "doctor", "--json", SYGEN_PROVIDER="scripted")
    found = {finding["name"]: finding["state"] for finding in json.loads(ended.stdout)}
    assert ended.returncode == 0
    assert found["gateway"] == found["database"] == found["scripted"] == found["home"] == "ok"


def test_the_doctor_says_what_is_broken(home: Path) -> None:
    (home / "config").mkdir(parents=True)
    (home / "sygen.db").write_text("no database at all, but text that is long enough to look at" * 20)
    ended = run(home, "doctor", "--json", SYGEN_PROVIDER="scripted")
    found = {finding["name"]: finding for finding in json.loads(ended.stdout)}
    assert ended.returncode == 1
    assert found["database"]["state"] == "broken"
    assert found["database"]["remedy"]
    (home / "config" / "config.json").write_text('{"api": {"prot": 1}, "provider": 5}')
    ended = run(home, "doctor")
    assert ended.returncode == 1
    assert "api.prot" in ended.stdout
    assert "provider" in ended.stdout


def test_a_home_that_is_a_file_is_one_clear_line(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.write_text("in the way")
    commands = [
        ("serve", "--port", "0"),
        ("api", "enable"),
        ("api", "token", "--rotate"),
        ("config", "set", "api.port", "1"),
        ("model", "install"),
        ("status",),
        ("ask", "hello"),
        ("chat",),
    ]
    for command, ended in zip(commands, run_each(home, commands), strict=True):
        assert (command, ended.stdout, len(ended.stderr.splitlines())) == (command, "", 1)
        assert ended.returncode == (4 if command[0] in ("ask", "chat") else 1)
    examined = run(home, "doctor")
    assert examined.returncode == 1
    assert str(home) in examined.stdout


def test_a_folder_where_a_file_should_be_is_one_clear_line(home: Path) -> None:
    (home / "run" / "gateway.lock").mkdir(parents=True)
    ended = run(home, "serve", "--port", "0", "--provider", "scripted")
    assert (ended.returncode, len(ended.stderr.splitlines())) == (1, 1)
    assert "gateway.lock" in ended.stderr


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no full device here")
def test_output_that_cannot_be_written_is_one_clear_line(home: Path) -> None:
    for arguments in (["version"], ["config", "path"]):
        with Path("/dev/full").open("wb") as full:
            ended = subprocess.run(
                [*COMMAND, *arguments],
                env=environment(home),
                stdout=full,
                stderr=subprocess.PIPE,
                check=False,
                timeout=20,
            )
        assert ended.returncode == 1
        assert len(ended.stderr.splitlines()) == 1


def test_an_index_that_cannot_be_reached_is_one_clear_line(home: Path) -> None:
    ended = run(home, "model", "install", PIP_INDEX_URL="http://127.0.0.1:1/simple")
    assert (ended.returncode, len(ended.stderr.splitlines())) == (1, 2)
    assert run(home, "model", "path").returncode == 1


def test_the_shell_is_told_how_to_complete(home: Path) -> None:
    shell = environment(home, _SYGEN_COMPLETE="complete_bash", COMP_WORDS="sygen config set api.po", COMP_CWORD="3")
    program = "from sygen_bot.cli.app import app; app(prog_name='sygen')"
    ended = subprocess.run(
        [COMMAND[0], "-c", program], env=shell, capture_output=True, text=True, check=False, timeout=20
    )
    assert ended.stdout.split() == ["api.port"]
    assert os.environ.get("_SYGEN_COMPLETE") is None
