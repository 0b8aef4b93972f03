"""One gateway per home: the lock, what others read of it, and who holds a port."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from textwrap import dedent

import pytest

from sygen_bot import __version__
from sygen_bot.errors import SetupError
from sygen_bot.instance import InstanceLock, bind, port_holder, running_instance
from sygen_bot.paths import Paths

GATEWAY = """
    import sys
    from pathlib import Path
    from sygen_bot.instance import InstanceLock
    from sygen_bot.paths import Paths

    with InstanceLock(Paths(Path(sys.argv[1]))) as lock:
        lock.publish(url="http://127.0.0.1:1234")
        print("ready", flush=True)
        sys.stdin.read()
"""
LISTENER = """
    import socket, sys
    with socket.create_server(("127.0.0.1", 0)) as listener:
        print(listener.getsockname()[1], flush=True)
        sys.stdin.read()
"""


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    paths = Paths(tmp_path)
    paths.prepare()
    return paths


@contextlib.contextmanager
def process(source: str, *arguments: object) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A Python program with the first line that it says; it ends when its stdin does."""
    argv = [sys.executable, "-I", "-c", dedent(source), *map(str, arguments)]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as started:
        assert started.stdout is not None
        try:
            yield started, started.stdout.readline().strip()
        finally:
            started.kill()


def test_others_see_who_runs_and_where(paths: Paths) -> None:
    before = time.time()
    with InstanceLock(paths) as lock:
        starting = running_instance(paths)
        lock.publish(url="http://127.0.0.1:8741")
        running = running_instance(paths)
    assert starting is not None
    assert starting.url == ""
    assert running is not None
    assert (running.pid, running.url, running.version) == (os.getpid(), "http://127.0.0.1:8741", __version__)
    assert before <= running.started_at <= time.time()


def test_nobody_runs_in_a_new_home_or_after_the_end(paths: Paths) -> None:
    assert running_instance(paths) is None
    with InstanceLock(paths):
        pass
    assert running_instance(paths) is None
    assert running_instance(Paths(paths.home / "nowhere")) is None


def test_a_second_gateway_in_the_same_home_is_refused_with_the_pid_of_the_first(paths: Paths) -> None:
    with process(GATEWAY, paths.home) as (first, said):
        assert said == "ready"
        with pytest.raises(SetupError, match=rf"already runs in .* \(pid {first.pid}\)"), InstanceLock(paths):
            pass
        running = running_instance(paths)  # being refused has left it as it was
        assert running is not None
        assert (running.pid, running.url) == (first.pid, "http://127.0.0.1:1234")


def test_a_gateway_in_another_home_is_no_obstacle(paths: Paths, tmp_path: Path) -> None:
    other = Paths(tmp_path / "other")
    other.prepare()
    with InstanceLock(paths), InstanceLock(other):
        assert running_instance(other) is not None


def test_what_a_killed_gateway_left_behind_counts_for_nothing(paths: Paths) -> None:
    with process(GATEWAY, paths.home) as (first, said):
        assert said == "ready"
        first.kill()
        first.wait()
        assert paths.lock_file.stat().st_size > 0
        assert running_instance(paths) is None
        with InstanceLock(paths):
            running = running_instance(paths)
    assert running is not None
    assert running.pid == os.getpid()


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"pid": "x"}', b"\xff\x00"])
def test_a_lock_file_that_cannot_be_read_is_no_gateway_and_no_crash(paths: Paths, content: bytes) -> None:
    paths.lock_file.write_bytes(content)
    assert running_instance(paths) is None
    with InstanceLock(paths):
        assert running_instance(paths) is not None
        paths.lock_file.write_bytes(content)
        assert running_instance(paths) is None
        with pytest.raises(SetupError, match="already runs"), InstanceLock(paths):
            pass


def test_a_lock_file_that_cannot_be_opened_is_one_clear_line(paths: Paths) -> None:
    paths.lock_file.mkdir()
    with pytest.raises(SetupError), InstanceLock(paths):
        pass


def test_the_process_that_listens_on_a_port_is_named() -> None:
    with process(LISTENER) as (listener, port):
        holder = port_holder(int(port))
    assert holder is not None
    assert holder.endswith(f"(pid {listener.pid})")


def test_a_port_that_nobody_listens_on_has_no_holder() -> None:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        assert port_holder(bound.getsockname()[1]) is None


def test_a_busy_port_is_told_with_its_holder_and_the_way_out() -> None:
    with process(LISTENER) as (listener, port), pytest.raises(SetupError) as refused:
        bind("127.0.0.1", int(port))
    assert str(refused.value).startswith(f"Cannot listen on 127.0.0.1:{port}: ")
    assert str(refused.value).endswith(
        f"(pid {listener.pid}) listens there. Stop it, or choose another port with --port."
    )


@pytest.mark.parametrize("host", ["192.0.2.1", "nowhere.invalid", "2001:db8::1", "no\0address"])
def test_an_address_that_is_not_of_this_machine_is_not_blamed_on_who_has_the_port(host: str) -> None:
    with process(LISTENER) as (_listener, port), pytest.raises(SetupError) as refused:
        bind(host, int(port))
    assert "listens there" not in refused.value.what
    assert refused.value.remedy == "Choose an address of this machine with --host."


@pytest.mark.skipif(os.geteuid() == 0, reason="who is root may listen on every port")
def test_a_port_that_needs_more_rights_is_told_so() -> None:
    with pytest.raises(SetupError, match="above 1023"):
        bind("127.0.0.1", 1)
