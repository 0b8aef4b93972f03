"""The guard: whatever an agent starts ends when the gateway lets go, is told to, or dies."""

from __future__ import annotations

import asyncio
import os
import signal
import stat
import sys
import time
from collections.abc import Coroutine, Iterator
from pathlib import Path

import psutil
import pytest

from sygen_bot.providers.guard import Guard, sweep
from tests.fakes.survivors import MARK, marked, new_mark, until_marked

PROJECT = Path(__file__).parents[2]
PYTHON = [sys.executable, "-I", "-S", "-c"]
SLEEP = "import time; print('ready', flush=True); time.sleep(60)"
STUBBORN = f"import signal; [signal.signal(s, signal.SIG_IGN) for s in (15, 2, 1)]; {SLEEP}"


def tree(grandchild: str, *, detached: bool, wait: bool = True) -> list[str]:
    """A command that starts `grandchild`, in a session of its own if detached, and waits for it or leaves it behind."""
    return [
        *PYTHON,
        f"import subprocess as s; c = s.Popen({[*PYTHON, grandchild]!r}, start_new_session={detached});"
        f"{'c.wait()' if wait else ''}",
    ]


async def ready(process: asyncio.subprocess.Process) -> None:
    assert process.stdout is not None
    async with asyncio.timeout(20):
        assert await process.stdout.readline() == b"ready\n"


def entries(directory: Path, pattern: str = "*") -> set[Path]:
    return set(directory.glob(pattern))


@pytest.fixture
def mark() -> Iterator[str]:
    value = new_mark()
    yield value
    for pid in marked(value):
        os.kill(pid, signal.SIGKILL)


def environment(mark: str) -> dict[str, str]:
    return {MARK: mark, "PATH": os.environ["PATH"]}


async def test_streams_and_exit_code_are_those_of_the_command(tmp_path: Path) -> None:
    async with Guard(tmp_path) as guard:
        script = "import sys; print(sys.stdin.read().upper()); print('oh', file=sys.stderr); sys.exit(7)"
        process = await guard.spawn([*PYTHON, script], env={}, cwd=tmp_path)
        out, err = await process.communicate(b"hello")
    assert (out, err, process.returncode) == (b"HELLO\n", b"oh\n", 7)


async def test_a_command_ended_by_a_signal_gives_128_and_its_number(tmp_path: Path) -> None:
    async with Guard(tmp_path) as guard:
        process = await guard.spawn([*PYTHON, "import os; os.kill(os.getpid(), 10)"], env={}, cwd=tmp_path)
        assert await process.wait() == 128 + signal.SIGUSR1


async def test_a_command_that_does_not_exist_is_reported_as_a_shell_would(tmp_path: Path) -> None:
    async with Guard(tmp_path) as guard:
        process = await guard.spawn(["no-such-command"], env={"PATH": "/nowhere"}, cwd=tmp_path)
        _, err = await process.communicate()
    assert process.returncode == 127
    assert err == b"no-such-command: No such file or directory\n"


async def test_closing_stdout_is_seen_while_the_command_goes_on(tmp_path: Path) -> None:
    async with Guard(tmp_path) as guard:
        process = await guard.spawn([*PYTHON, f"import os; os.close(1); os.close(2); {SLEEP}"], env={}, cwd=tmp_path)
        assert process.stdout is not None
        async with asyncio.timeout(5):
            assert await process.stdout.read() == b""
        assert process.returncode is None


async def test_the_command_gets_exactly_the_environment_and_directory_it_is_given(tmp_path: Path) -> None:
    here = tmp_path.resolve()
    given = {"ONE": "1", "TWO": "a=b\nc", "EMPTY": ""}
    async with Guard(tmp_path / "run") as guard:
        process = await guard.spawn(["/usr/bin/env", "-0"], env=given, cwd=tmp_path)
        out, _ = await process.communicate()
        assert sorted(out.decode().split("\0")) == sorted(["", *(f"{key}={value}" for key, value in given.items())])
        process = await guard.spawn(["/bin/pwd"], env=given, cwd=tmp_path)
        out, _ = await process.communicate()
        assert out.decode().strip() == str(here)


async def test_a_launcher_passes_its_arguments_on_and_replaces_the_environment(tmp_path: Path) -> None:
    async with Guard(tmp_path / "run with 'quotes'") as guard:
        script = "import os, sys; print(sys.argv[1:]); print(sorted(os.environ.items()))"
        launcher = await guard.launcher([*PYTHON, script], env={"KEY": "v a l", "LC_CTYPE": "C.UTF-8"})
        process = await asyncio.create_subprocess_exec(
            launcher, "--flag", "two words", "$HOME", env={"SECRET": "x"}, stdout=asyncio.subprocess.PIPE
        )
        out, _ = await process.communicate()
        await guard.ended()
        again = await asyncio.create_subprocess_exec(await guard.launcher(["/bin/sh", "-c", "exit 3"]))
        assert await again.wait() == 3
    expected = f"{['--flag', 'two words', '$HOME']}\n{[('KEY', 'v a l'), ('LC_CTYPE', 'C.UTF-8')]}\n"
    assert out.decode() == expected


async def test_its_files_are_private_and_gone_at_the_end(tmp_path: Path) -> None:
    guard = Guard(tmp_path)
    launcher = await guard.launcher(["true"], env={"KEY": "secret"})
    (directory,) = entries(tmp_path)
    assert stat.S_IMODE(directory.stat().st_mode) == 0o700
    assert all(stat.S_IMODE(file.stat().st_mode) & 0o077 == 0 for file in (launcher, *entries(directory)))
    await guard.end()
    assert entries(tmp_path) == set()


@pytest.mark.parametrize("detached", [False, True], ids=["child", "setsid"])
@pytest.mark.parametrize("grandchild", [SLEEP, STUBBORN], ids=["willing", "ignores_sigterm"])
async def test_ending_it_ends_grandchildren_too(tmp_path: Path, mark: str, grandchild: str, detached: bool) -> None:
    guard = Guard(tmp_path)
    await ready(await guard.spawn(tree(grandchild, detached=detached), env=environment(mark), cwd=tmp_path))
    assert len(marked(mark)) == 3
    began = time.monotonic()
    await guard.end()
    assert marked(mark) == set()
    assert time.monotonic() - began < 10


async def test_a_tree_that_keeps_forking_is_ended(tmp_path: Path, mark: str) -> None:
    forking = (
        "import os, time\n"
        "deadline = time.monotonic() + 20\n"
        "print('ready', flush=True)\n"
        "while time.monotonic() < deadline:\n"
        "    if os.fork():\n"
        "        os._exit(0)\n"
        "    os.setsid()\n"
        "    time.sleep(0.002)\n"
    )
    guard = Guard(tmp_path)
    process = await guard.spawn(tree(forking, detached=True), env=environment(mark), cwd=tmp_path)
    await ready(process)
    await guard.end()
    assert await until_marked(mark, 0, timeout_s=1) == set()


async def test_what_the_command_leaves_behind_ends_with_it(tmp_path: Path, mark: str) -> None:
    async with Guard(tmp_path) as guard:
        command = tree(STUBBORN, detached=True, wait=False)
        process = await guard.spawn(command, env=environment(mark), cwd=tmp_path)
        await process.communicate()
        await guard.ended()
        assert marked(mark) == set()
        assert process.returncode == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
async def test_a_signal_to_the_guard_ends_the_tree(tmp_path: Path, mark: str, number: signal.Signals) -> None:
    async with Guard(tmp_path) as guard:
        process = await guard.spawn(tree(SLEEP, detached=True), env=environment(mark), cwd=tmp_path)
        await ready(process)
        process.send_signal(number)
        assert await process.wait() == 128 + signal.SIGTERM
        assert marked(mark) == set()


async def test_the_command_ends_even_when_the_guard_is_killed(tmp_path: Path, mark: str) -> None:
    async with Guard(tmp_path) as guard:
        process = await guard.spawn([*PYTHON, STUBBORN], env=environment(mark), cwd=tmp_path)
        await ready(process)
        process.kill()
        assert await until_marked(mark, 0, timeout_s=5) == set()


async def test_killing_the_gateway_ends_the_tree(tmp_path: Path, mark: str) -> None:
    gateway = (
        "import asyncio, pathlib, sys\n"
        "from sygen_bot.providers.guard import Guard\n"
        "async def main():\n"
        f"    guard = Guard(pathlib.Path({str(tmp_path)!r}))\n"
        f"    process = await guard.spawn({tree(STUBBORN, detached=True)!r}, env={environment(mark)!r}, cwd='/')\n"
        "    print((await process.stdout.readline()).decode(), end='', flush=True)\n"
        "    await asyncio.sleep(60)\n"
        "asyncio.run(main())\n"
    )
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", gateway, stdout=asyncio.subprocess.PIPE, cwd=PROJECT
    )
    await ready(process)
    assert len(marked(mark)) == 3
    process.kill()
    await process.wait()
    assert await until_marked(mark, 0, timeout_s=5) == set()


async def test_nothing_starts_once_the_gateway_has_let_go(tmp_path: Path) -> None:
    run_dir = tmp_path / "run"
    launcher = await crashed_gateway(run_dir, ["touch", str(tmp_path / "started")])
    (directory,) = entries(run_dir)
    # Somebody else reading its FIFOs does not stand for the gateway, which held a writing end.
    readers = [os.open(file, os.O_RDONLY | os.O_NONBLOCK) for file in entries(directory)]
    try:
        for _ in range(2):  # with what the gateway left, and with nothing but the launcher
            process = await asyncio.create_subprocess_exec(launcher)
            async with asyncio.timeout(5):
                assert await process.wait() == 126
            for file in entries(directory) - {launcher}:
                file.unlink()
    finally:
        for reader in readers:
            os.close(reader)
    assert entries(tmp_path) == {run_dir}


async def test_ended_returns_at_once_when_nothing_was_started(tmp_path: Path) -> None:
    async with Guard(tmp_path) as guard, asyncio.timeout(10):
        await guard.ended()


async def test_ended_waits_for_the_tree_and_many_may_wait(tmp_path: Path) -> None:
    async with Guard(tmp_path) as guard:
        process = await guard.spawn(["/bin/cat"], env={}, cwd=tmp_path)
        waiting = [asyncio.create_task(guard.ended()) for _ in range(3)]
        done, _ = await asyncio.wait(waiting, timeout=0.2)
        assert done == set()
        waiting[0].cancel()
        assert process.stdin is not None
        process.stdin.close()
        async with asyncio.timeout(5):
            await asyncio.gather(*waiting[1:])


async def test_ending_twice_and_at_once_is_fine(tmp_path: Path, mark: str) -> None:
    guard = Guard(tmp_path)
    await guard.spawn([*PYTHON, SLEEP], env=environment(mark), cwd=tmp_path)
    await asyncio.gather(guard.end(), guard.end())
    await guard.end()
    assert marked(mark) == set()


async def test_a_cancelled_end_still_ends_the_tree_and_then_passes_the_cancellation_on(
    tmp_path: Path, mark: str
) -> None:
    guard = Guard(tmp_path)
    await ready(await guard.spawn([*PYTHON, STUBBORN], env=environment(mark), cwd=tmp_path))
    ending = asyncio.create_task(guard.end())
    await asyncio.wait({ending}, timeout=0.1)
    ending.cancel()
    with pytest.raises(asyncio.CancelledError):
        await ending
    assert marked(mark) == set()


@pytest.mark.parametrize("turns", range(4))
async def test_nothing_is_left_of_one_that_is_cancelled_while_it_opens(tmp_path: Path, turns: int) -> None:
    async def guarded() -> None:
        async with Guard(tmp_path):
            await asyncio.Event().wait()

    before = psutil.Process().num_fds()
    await cancelled_after(turns, guarded())
    assert entries(tmp_path) == set()
    assert psutil.Process().num_fds() == before


@pytest.mark.parametrize("turns", range(4))
async def test_nothing_is_left_of_a_launcher_that_is_cancelled_while_it_is_written(tmp_path: Path, turns: int) -> None:
    guard = Guard(tmp_path)
    await guard.open()
    await cancelled_after(turns, guard.launcher(["true"], env={"KEY": "secret"}))
    await guard.end()
    assert entries(tmp_path) == set()


async def test_one_that_was_never_opened_ends_at_once_and_starts_nothing_any_more(tmp_path: Path) -> None:
    guard = Guard(tmp_path / "run")
    await guard.end()
    with pytest.raises(OSError, match="cancel"):
        await guard.spawn(["true"], env={}, cwd=tmp_path)
    assert entries(tmp_path) == set()


async def cancelled_after(turns: int, work: Coroutine[object, None, object]) -> None:
    """Cancel `work` after so many turns of the event loop."""
    task = asyncio.create_task(work)
    for _ in range(turns):
        await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_sweep_removes_what_a_crash_left_and_spares_what_runs(tmp_path: Path) -> None:
    await crashed_gateway(tmp_path, ["true"])
    (crashed,) = entries(tmp_path)
    (tmp_path / "guard-halfway").mkdir()
    (tmp_path / "other").mkdir()
    async with Guard(tmp_path) as guard:
        await guard.spawn(["/bin/cat"], env={}, cwd=tmp_path)
        (running,) = entries(tmp_path, "guard-*") - {crashed, tmp_path / "guard-halfway"}
        await asyncio.to_thread(sweep, tmp_path)
        assert entries(tmp_path) == {running, tmp_path / "other"}
    await asyncio.to_thread(sweep, tmp_path / "missing")


async def crashed_gateway(run_dir: Path, argv: list[str]) -> Path:
    """The launcher that a gateway made for `argv` before it was killed."""
    program = (
        "import asyncio, os, pathlib\n"
        "from sygen_bot.providers.guard import Guard\n"
        "async def main():\n"
        f"    guard = Guard(pathlib.Path({str(run_dir)!r}))\n"
        f"    launcher = await guard.launcher({argv!r}, env={{'PATH': os.environ['PATH'], 'KEY': 'secret'}})\n"
        "    print(launcher, flush=True)\n"
        "    os.kill(os.getpid(), 9)\n"
        "asyncio.run(main())\n"
    )
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", program, stdout=asyncio.subprocess.PIPE, cwd=PROJECT
    )
    out, _ = await process.communicate()
    return Path(out.decode().strip())
