"""The gateway's identity key: made once, kept private, and never quietly replaced."""

from __future__ import annotations

import base64
import stat
import subprocess
import sys
from pathlib import Path
from textwrap import dedent

import pytest

from sygen_bot.api.crypto import public_key
from sygen_bot.errors import SetupError
from sygen_bot.identity import load_identity, load_public_identity
from sygen_bot.paths import Paths

MANY = 4
LOADER = """
    import sys
    from pathlib import Path
    from sygen_bot.identity import load_identity
    from sygen_bot.paths import Paths

    print("ready", flush=True)
    sys.stdin.readline()
    print(load_identity(Paths(Path(sys.argv[1]))).hex())
"""


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    paths = Paths(tmp_path)
    paths.prepare()
    return paths


def test_the_key_is_made_at_the_first_call_and_stays(paths: Paths) -> None:
    key = load_identity(paths)
    assert len(key) == 32
    assert load_identity(paths) == key
    assert stat.S_IMODE(paths.identity_key.stat().st_mode) == 0o600
    assert [entry.name for entry in paths.identity_key.parent.iterdir()] == [paths.identity_key.name]


def test_each_home_has_a_key_of_its_own(paths: Paths, tmp_path: Path) -> None:
    other = Paths(tmp_path / "other")
    other.prepare()
    assert load_identity(paths) != load_identity(other)


def test_the_public_half_is_shown_only_once_there_is_a_key(paths: Paths) -> None:
    assert load_public_identity(paths) is None
    key = load_identity(paths)
    assert load_public_identity(paths) == base64.b64encode(public_key(key)).decode()


def test_processes_that_start_at_once_get_the_same_key(paths: Paths) -> None:
    argv = [sys.executable, "-I", "-c", dedent(LOADER), str(paths.home)]
    processes = [subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(MANY)]
    try:
        for process in processes:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
        for process in processes:
            assert process.stdin is not None
            process.stdin.write("\n")
            process.stdin.flush()
        said = [process.communicate(timeout=30)[0].strip() for process in processes]
    finally:
        for process in processes:
            process.kill()
            process.wait()
    assert set(said) == {load_identity(paths).hex()}


@pytest.mark.parametrize("content", [b"", b"short", bytes(31), bytes(33)])
def test_a_damaged_key_is_refused_and_left_for_its_owner_to_repair(paths: Paths, content: bytes) -> None:
    paths.identity_key.write_bytes(content)
    with pytest.raises(SetupError, match="is damaged"):
        load_identity(paths)
    assert paths.identity_key.read_bytes() == content


def test_a_place_that_cannot_be_used_is_one_clear_line(tmp_path: Path) -> None:
    with pytest.raises(SetupError, match="cannot be used") as refused:
        load_identity(Paths(tmp_path / "never prepared"))
    assert "\n" not in str(refused.value)


def test_what_a_crash_left_half_way_does_not_stop_the_next_start(paths: Paths) -> None:
    """A container gives its gateway the same pid every time."""
    crash = """
        import os, sys
        from pathlib import Path
        from sygen_bot.identity import load_identity
        from sygen_bot.paths import Paths
        os.link = lambda *_: os._exit(9)
        os.getpid = lambda: 7
        load_identity(Paths(Path(sys.argv[1])))
    """
    again = crash.replace("os.link = lambda *_: os._exit(9)", "")
    for source, code in ((crash, 9), (again, 0)):
        argv = [sys.executable, "-I", "-c", dedent(source), str(paths.home)]
        assert subprocess.run(argv, timeout=30).returncode == code
    assert len(load_identity(paths)) == 32
