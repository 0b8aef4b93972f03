"""`sygen serve`: how it starts, what it says, how it stops."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
from pathlib import Path

import httpx
import pytest

from tests.cli.command import Running, Terminal, run, serving


def test_it_says_where_it_listens_and_answers_there(home: Path) -> None:
    with serving(home) as (gateway, url):
        assert url.startswith("http://127.0.0.1:")
        assert httpx.get(f"{url}/health").json()["status"] == "ok"
        code, out, err = gateway.end(signal.SIGTERM)
    assert (code, out) == (0, "")
    token = run(home, "api", "token", "--show").stdout.strip()
    assert token
    assert token not in err
    assert all(json.loads(line)["event"] for line in err.splitlines())


LOADED_LATER = frozenset(
    {
        *("alembic", "mako", "sqlalchemy.dialects.postgresql", "asyncpg"),
        *("rich", "pygments", "prompt_toolkit", "markdown_it", "segno"),
        *("httpx", "httpcore", "httpx2", "httpcore2", "tomllib", "pydantic.v1"),
        *("jinja2", "PIL", "filetype", "psutil"),
        *("claude_agent_sdk", "mcp", "openai", "acp", "xllamacpp", "faster_whisper"),
        *("uvicorn.protocols.http.h11_impl", "sygen_bot.testing", "sygen_bot.client"),
    }
)
"""What a gateway needs for a migration, a hook, a picture, an agent or a command, but not to start and answer."""
TELL_MODULES = """
import atexit, os, pathlib, sys
atexit.register(
    lambda: pathlib.Path(os.environ["MODULES"]).write_text("\\n".join(name for name, it in sys.modules.items() if it))
)
"""


def test_it_starts_without_what_it_needs_later(home: Path, tmp_path: Path) -> None:
    """Start time and memory are these modules: at a first start, and at the next one with the database there."""
    (tmp_path / "sitecustomize.py").write_text(TELL_MODULES)
    told = tmp_path / "modules"
    command = ("serve", "--host", "127.0.0.1", "--port", "0")
    for _ in range(2):
        with Running(home, *command, PYTHONPATH=str(tmp_path), MODULES=str(told)) as gateway:
            url = gateway.read_until("\n").removeprefix("listening on ").strip()
            assert httpx.get(f"{url}/health").status_code == 200
            assert gateway.end(signal.SIGTERM)[0] == 0
        modules = set(told.read_text().split())
        assert {"fastapi", "sqlalchemy.dialects.sqlite", "sygen_bot.api.server"} <= modules
        assert modules & LOADED_LATER == set()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_stops_cleanly_with_a_turn_running(home: Path, number: int) -> None:
    with serving(home, SYGEN_API__DRAIN_S="0.2") as (gateway, _url), Running(home, "ask", "SLOW 1000 0.05") as asking:
        asking.read_until("w0 ")
        code, out, _err = gateway.end(number)
        assert (code, out) == (0, "")
        assert asking.end()[0] == 3


def test_a_second_signal_does_not_wait_for_the_turn(home: Path) -> None:
    with serving(home, SYGEN_API__DRAIN_S="600") as (gateway, _url), Running(home, "ask", "SLOW 1000 0.05") as asking:
        asking.read_until("w0 ")
        gateway.process.send_signal(signal.SIGINT)
        assert gateway.process.stderr is not None
        while b"stopping" not in gateway.process.stderr.readline():
            assert gateway.process.poll() is None
        assert gateway.end(signal.SIGINT)[0] == 0
        assert asking.end(signal.SIGTERM)[0] in (3, 4, 143)


def test_a_bad_configuration_is_one_line_a_problem_and_exit_code_2(home: Path) -> None:
    (home / "config").mkdir(parents=True)
    (home / "config" / "config.json").write_text('{"api": {"prot": 1, "drain_s": "long"}, "file_access": "some"}')
    ended = run(home, "serve", "--port", "99999")
    assert (ended.returncode, ended.stdout) == (2, "")
    assert sorted(line.partition(":")[0] for line in ended.stderr.splitlines()) == [
        "api.drain_s",
        "api.port",
        "api.prot",
        "file_access",
    ]
    for unreadable in (b"{,}", b"\xff\xfe{}"):
        (home / "config" / "config.json").write_bytes(unreadable)
        for command in (("serve",), ("config", "validate")):
            ended = run(home, *command)
            assert (ended.returncode, len(ended.stderr.splitlines())) == (2, 1)


def test_a_provider_or_certificate_that_is_not_there_is_a_bad_configuration(home: Path, tmp_path: Path) -> None:
    missing = str(tmp_path / "missing.pem")
    ended = run(home, "serve", "--provider", "nobody", "--tls-cert", missing, "--tls-key", missing)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert [line.partition(":")[0] for line in ended.stderr.splitlines()] == ["api.tls_cert", "api.tls_key", "provider"]
    alone = run(home, "serve", "--tls-cert", missing)
    assert (alone.returncode, len(alone.stderr.splitlines())) == (2, 1)


@pytest.mark.skipif(shutil.which("openssl") is None, reason="makes its certificate with openssl")
def test_a_certificate_of_ones_own_is_trusted_by_the_commands_of_this_home(home: Path, tmp_path: Path) -> None:
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    making = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=gateway.example"]
    subprocess.run([*making, "-keyout", key, "-out", certificate], check=True, capture_output=True, timeout=20)
    with serving(home, "--tls-cert", str(certificate), "--tls-key", str(key)) as (_gateway, url):
        assert url.startswith("https://127.0.0.1:")
        assert run(home, "ask", "hello").stdout == "You said: hello\n"
        assert json.loads(run(home, "status", "--json").stdout)["running"] is True
        elsewhere = run(home.parent / "elsewhere", "ask", "hello", SYGEN_URL=url, SYGEN_TOKEN="any")
        assert (elsewhere.returncode, len(elsewhere.stderr.splitlines())) == (4, 1)


def test_a_busy_port_names_who_holds_it(home: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        ended = run(home, "serve", "--host", "127.0.0.1", "--port", str(port))
    assert (ended.returncode, ended.stdout, len(ended.stderr.splitlines())) == (1, "", 1)
    assert f"127.0.0.1:{port}" in ended.stderr
    assert f"pid {os.getpid()}" in ended.stderr


def test_an_address_of_another_machine_is_told_as_such(home: Path) -> None:
    ended = run(home, "serve", "--host", "192.0.2.1", "--port", "0", "--provider", "scripted")
    assert (ended.returncode, ended.stdout, len(ended.stderr.splitlines())) == (1, "", 1)
    assert ended.stderr.endswith("Choose an address of this machine with --host.\n")


def test_a_second_gateway_in_the_same_home_is_refused(home: Path) -> None:
    with serving(home) as (gateway, _url):
        ended = run(home, "serve", "--port", "0")
        assert (ended.returncode, ended.stdout, len(ended.stderr.splitlines())) == (1, "", 1)
        assert f"pid {gateway.process.pid}" in ended.stderr


def test_a_terminal_shows_the_token_and_what_comes_next(home: Path) -> None:
    with Terminal(home, "serve", "--host", "127.0.0.1", "--port", "0", "--provider", "scripted") as terminal:
        terminal.expect("listening on http://127.0.0.1:")
        terminal.expect("Scripted (scripted)")
        token = run(home, "api", "token", "--show").stdout.strip()
        terminal.expect(token)
        terminal.expect("chat")
        terminal.expect("Ctrl-C stops")
        terminal.send("\x03")
        assert terminal.end() == 0


def test_it_stops_when_its_terminal_is_closed(home: Path) -> None:
    with Terminal(home, "serve", "--host", "127.0.0.1", "--port", "0", "--provider", "scripted") as terminal:
        terminal.expect("Ctrl-C stops")
        terminal.hang_up()
        assert terminal.process.wait(20) == 0


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGUSR1])
def test_without_a_terminal_it_reads_its_token_again(home: Path, number: int) -> None:
    with serving(home) as (gateway, url):
        run(home, "config", "set", "api.token", "another")
        gateway.process.send_signal(number)
        assert gateway.process.stderr is not None
        while b"token_replaced" not in gateway.process.stderr.readline():
            assert gateway.process.poll() is None
        assert httpx.get(f"{url}/api/status", headers={"Authorization": "Bearer another"}).status_code == 200


def test_who_serves_the_world_or_allows_everything_is_warned(home: Path) -> None:
    run(home, "config", "set", "agents.main.approval_policy", "allow_all")
    with serving(home, "--host", "0.0.0.0") as (gateway, url):
        assert url.startswith("http://127.0.0.1:")
        err = gateway.end(signal.SIGTERM)[2]
    events = [json.loads(line)["event"] for line in err.splitlines()]
    assert "everything_allowed" in events
    assert "exposed" in events


def test_a_new_token_closes_the_clients_that_came_with_the_old_one(home: Path) -> None:
    run(home, "config", "set", "api.token", "old")
    with serving(home), Running(home, "ask", "--token", "old", "SLOW 1000 0.05") as asking:
        asking.read_until("w0 ")
        rotated = run(home, "api", "token", "--rotate")
        assert (rotated.returncode, rotated.stdout) == (0, "")
        assert "closed every connection" in rotated.stderr
        assert asking.end()[0] == 4
        assert len(run(home, "api", "token", "--show").stdout) > 40
        assert run(home, "ask", "--channel", "2", "SAY back").stdout == "back\n"
        assert run(home, "ask", "hello", "--token", "old").returncode == 4
