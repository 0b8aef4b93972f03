"""Every agent process starts through the guard: when the gateway lets go, or dies, the whole process tree ends.

This file is both the module for the gateway (`Guard`, `sweep`) and the program that stands between the gateway and the
agent (`main`, at the end). The program is started for every agent, so what it imports must be little.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import sys
import time

if __name__ != "__main__":
    import asyncio
    import errno
    import shlex
    import shutil
    import tempfile
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path
    from types import TracebackType
    from typing import Self, TypeVar

    _T = TypeVar("_T")

TERM_GRACE_S = 1.0
"""How long the processes of a tree have between SIGTERM and SIGKILL."""
END_TIMEOUT_S = 5.0
"""How long `Guard.end` waits for a tree to be gone. The guard itself needs under 4 s."""
STREAM_LIMIT = 16 * 1024 * 1024
"""The longest line, in bytes, that may be read from an agent's stdout."""

_CONTROL = "control"
_ALIVE = "alive"
_PREFIX = "guard-"


class Guard:
    """One guarded process tree: create it, start the command, `await end()`; leaving it as a context ends it too.

    The gateway holds the writing end of one FIFO (`control`) and the reading end of another (`alive`). The guard process
    watches the first: its end of file means that the gateway let go. The guard process alone holds the writing end of the
    second: its end of file means that nothing of the tree is left.
    """

    def __init__(self, run_dir: Path) -> None:
        """`open` makes a private directory below `run_dir`."""
        self._run_dir = run_dir
        self._pipes: _Pipes | None = None
        self._at_work: set[asyncio.Task[object]] = set()
        self._watching: asyncio.Task[None] | None = None
        self._ending: asyncio.Task[None] | None = None

    async def open(self) -> _Pipes:
        """Make the directory and what is in it; `spawn` and `launcher` do it, too. Raises OSError."""
        if self._pipes is None:
            await self._in_thread(self._make_pipes)
        if self._pipes is None or self._ending is not None:
            raise OSError(errno.ECANCELED, os.strerror(errno.ECANCELED))
        return self._pipes

    async def __aenter__(self) -> Self:
        try:
            await self.open()
        except BaseException:
            await self.end()  # cancelled, it may be open all the same
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.end()

    async def launcher(self, argv: Sequence[str], *, env: Mapping[str, str] | None = None) -> Path:
        """An executable file that runs `argv` under this guard and passes its own arguments on, for callers that only take a path.

        With `env` the command gets exactly that environment, whatever the file is started with. Raises OSError.
        """
        pipes = await self.open()
        return await self._in_thread(lambda: pipes.write_launcher(argv, env))

    async def spawn(
        self, argv: Sequence[str], *, env: Mapping[str, str], cwd: Path, limit: int = STREAM_LIMIT
    ) -> asyncio.subprocess.Process:
        """Start `argv` under this guard with piped stdin, stdout and stderr; `limit` bounds a line, in bytes. Raises OSError.

        The process that is returned is the guard: it takes the streams and the exit code of `argv` (127: not found).
        """
        pipes = await self.open()
        process = await asyncio.create_subprocess_exec(
            *(*pipes.program, "--", *argv),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=dict(env),
            cwd=cwd,
            limit=limit,
        )
        # Until the guard holds `alive`, `ended` could not tell a tree that is about to start from one that is gone.
        exited = asyncio.ensure_future(process.wait())
        opened = asyncio.ensure_future(_readable(pipes.alive))
        try:
            await asyncio.wait({exited, opened}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            exited.cancel()
            opened.cancel()
        return process

    async def ended(self) -> None:
        """Returns when the guard process and every descendant are gone; at once if none was started."""
        if self._watching is None or self._watching.done():
            self._watching = asyncio.create_task(self._watch())
        await asyncio.shield(self._watching)

    async def end(self) -> None:
        """End the tree and remove what belongs to it, within 5 s. May be called again and at any time.

        Cancelling the caller does not cut it short: the cancellation passes on when the tree is gone.
        """
        if self._ending is None:
            self._ending = asyncio.create_task(self._end())
        await to_its_end(self._ending)

    async def _end(self) -> None:
        if self._at_work:
            await asyncio.wait(self._at_work)
        if self._pipes is None:
            return
        os.close(self._pipes.control)
        try:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(END_TIMEOUT_S):
                    await self.ended()
        finally:
            if self._watching is not None:
                self._watching.cancel()
                await asyncio.wait({self._watching})
            os.close(self._pipes.alive)
            await asyncio.to_thread(shutil.rmtree, self._pipes.directory, ignore_errors=True)

    async def _watch(self) -> None:
        if self._pipes is None:
            return
        while True:
            try:
                if not os.read(self._pipes.alive, 64):
                    return
            except BlockingIOError:
                await _readable(self._pipes.alive)

    def _make_pipes(self) -> None:
        self._pipes = _Pipes(self._run_dir)

    async def _in_thread(self, work: Callable[[], _T]) -> _T:
        """Work on the disk is never left half done: who is cancelled waits for it, and so does `end`."""
        if self._ending is not None:
            raise OSError(errno.ECANCELED, os.strerror(errno.ECANCELED))
        task = asyncio.create_task(asyncio.to_thread(work))
        self._at_work.add(task)
        task.add_done_callback(self._at_work.discard)
        return await to_its_end(task)


class _Pipes:
    """The files of one guard, and the two descriptors by which it is held."""

    def __init__(self, run_dir: Path) -> None:
        """Raises OSError."""
        run_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.directory = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=run_dir))
        os.mkfifo(self.directory / _CONTROL, 0o600)
        os.mkfifo(self.directory / _ALIVE, 0o600)
        # A FIFO opens for writing only while somebody has it open for reading.
        reader = os.open(self.directory / _CONTROL, os.O_RDONLY | os.O_NONBLOCK)
        try:
            self.control = os.open(self.directory / _CONTROL, os.O_WRONLY | os.O_NONBLOCK)
        finally:
            os.close(reader)
        self.alive = os.open(self.directory / _ALIVE, os.O_RDONLY | os.O_NONBLOCK)

    @property
    def program(self) -> list[str]:
        return [sys.executable, "-I", "-S", __file__, str(self.directory)]

    def write_launcher(self, argv: Sequence[str], env: Mapping[str, str] | None) -> Path:
        """Raises OSError."""
        options: list[str] = []
        if env is not None:
            number, name = tempfile.mkstemp(prefix="environment-", dir=self.directory)
            with os.fdopen(number, "wb") as file:
                file.write(b"\0".join(os.fsencode(f"{key}={value}") for key, value in env.items()))
            options = ["--environment", name]
        number, name = tempfile.mkstemp(prefix="launch-", dir=self.directory)
        with os.fdopen(number, "w") as script:
            script.write(f'#!/bin/sh\nexec {shlex.join([*self.program, *options, "--", *argv])} "$@"\n')
        launcher = Path(name)
        launcher.chmod(0o700)
        return launcher


async def _readable(descriptor: int) -> None:
    loop = asyncio.get_running_loop()
    readable = asyncio.Event()
    loop.add_reader(descriptor, readable.set)
    try:
        await readable.wait()
    finally:
        loop.remove_reader(descriptor)


async def to_its_end(task: asyncio.Task[_T]) -> _T:
    """What `task` returns. Cancelling the caller does not cut it short: the cancellation passes on when it is done."""
    cancelled = False
    while not task.done():
        try:
            await asyncio.wait({task})
        except asyncio.CancelledError:
            cancelled = True
    if cancelled:
        if not task.cancelled():
            task.exception()  # nobody needs to hear of it
        raise asyncio.CancelledError
    return task.result()


def sweep(run_dir: Path) -> None:
    """Remove what gateways that crashed left below `run_dir`. What belongs to a running one stays."""
    for directory in run_dir.glob(f"{_PREFIX}*"):
        try:
            control = os.open(directory / _CONTROL, os.O_RDONLY | os.O_NONBLOCK)
        except OSError:
            shutil.rmtree(directory, ignore_errors=True)
            continue
        with contextlib.closing(os.fdopen(control, "rb", buffering=0)) as file:
            abandoned = file.read(1) == b""  # None: somebody still holds the writing end
        if abandoned:
            shutil.rmtree(directory, ignore_errors=True)


# ---- The program. `guard.py DIRECTORY [--environment FILE] -- COMMAND...`

_GONE = 126  # the exit code when the gateway had already let go, or the command line cannot be used
_ENDING_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


def main(arguments: list[str]) -> int:
    """Run the command, end everything it started, and return its exit code (128+n if signal n ended it)."""
    directory, options, command = _split(arguments)
    wakeup, asked_to_end = _watch_signals()
    try:
        control = os.open(os.path.join(directory, _CONTROL), os.O_RDONLY | os.O_NONBLOCK)  # noqa: PTH118
        alive = os.open(os.path.join(directory, _ALIVE), os.O_WRONLY | os.O_NONBLOCK)  # noqa: PTH118
        environment = _environment(options)
    except OSError:
        return _GONE
    if _let_go(control):
        return _GONE
    with contextlib.suppress(OSError):
        os.write(alive, b".")
    with contextlib.suppress(PermissionError):  # it leads a group already: then it leads its session too, or nearly so
        os.setsid()
    subreaper = _adopt_orphans()
    child = _start(command, environment)
    _drop_streams()
    tree = _Tree(child, subreaper)
    poll = select.poll()
    poll.register(control, select.POLLIN)
    poll.register(wakeup, select.POLLIN)
    while tree.status is None and not asked_to_end and not _let_go(control):
        poll.poll()
        _drain(wakeup)
        tree.reap()
    tree.end(wakeup)
    return 128 + signal.SIGKILL if tree.status is None else _exit_code(tree.status)


def _split(arguments: list[str]) -> tuple[str, list[str], list[str]]:
    middle = arguments.index("--")
    return arguments[0], arguments[1:middle], arguments[middle + 1 :]


def _environment(options: list[str]) -> dict[bytes, bytes]:
    # Not os.environ: Python adds LC_CTYPE to its own copy when it starts in the C locale.
    source = options[1] if options else "/proc/self/environ"
    try:
        with open(source, "rb") as file:  # noqa: PTH123
            pairs = [item.partition(b"=") for item in file.read().split(b"\0")]
    except OSError:
        if options:
            raise
        return dict(os.environb)
    return {name: value for name, separator, value in pairs if separator}


def _watch_signals() -> tuple[int, list[int]]:
    """A pipe that becomes readable at every signal, and the list that the ending ones are added to."""
    asked_to_end: list[int] = []
    reader, writer = os.pipe()
    os.set_blocking(reader, False)
    os.set_blocking(writer, False)
    signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    for number in _ENDING_SIGNALS:
        signal.signal(number, lambda received, _frame: asked_to_end.append(received))
    signal.signal(signal.SIGCHLD, lambda _number, _frame: None)
    return reader, asked_to_end


def _let_go(control: int) -> bool:
    try:
        return os.read(control, 64) == b""
    except BlockingIOError:
        return False


def _drain(reader: int) -> None:
    with contextlib.suppress(BlockingIOError):
        while os.read(reader, 512):
            pass


def _prctl(option: int, value: int) -> bool:
    if not sys.platform.startswith("linux"):
        return False
    import ctypes

    return bool(ctypes.CDLL(None).prctl(option, value, 0, 0, 0) == 0)


def _adopt_orphans() -> bool:
    """Make every orphan of the tree a child of the guard. False where the system cannot."""
    set_child_subreaper = 36
    return _prctl(set_child_subreaper, 1)


def _start(command: list[str], environment: dict[bytes, bytes]) -> int:
    guard = os.getpid()
    signals = {*_ENDING_SIGNALS, signal.SIGCHLD}
    signal.pthread_sigmask(signal.SIG_BLOCK, signals)
    child = os.fork()
    if child == 0:
        try:
            set_parent_death_signal = 1
            _prctl(set_parent_death_signal, signal.SIGKILL)  # if the guard itself is killed, at least this process ends
            os.setpgid(0, 0)
            for number in (*signals, signal.SIGPIPE, signal.SIGXFSZ):
                signal.signal(number, signal.SIG_DFL)
            signal.set_wakeup_fd(-1)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, signals)
            if os.getppid() == guard:
                os.execvpe(command[0], command, environment)  # noqa: S606
        except OSError as error:
            os.write(2, os.fsencode(f"{command[0]}: {error.strerror}\n"))
        finally:
            os._exit(127)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, signals)
    with contextlib.suppress(OSError):  # both set it, so that it is set whichever runs first
        os.setpgid(child, child)
    return child


def _drop_streams() -> None:
    """Leave the streams to the child, so that its closing them is seen at the other end."""
    null = os.open(os.devnull, os.O_RDWR)
    for number in (0, 1, 2):
        os.dup2(null, number)


def _exit_code(status: int) -> int:
    code = os.waitstatus_to_exitcode(status)
    return code if code >= 0 else 128 - code


class _Tree:
    """The processes below the guard. `status` is the wait status of the command, None while it runs."""

    def __init__(self, child: int, subreaper: bool) -> None:
        self.status: int | None = None
        self._child = child
        self._subreaper = subreaper

    def reap(self) -> None:
        """Collect every child, adopted ones too, that has exited."""
        with contextlib.suppress(ChildProcessError):
            while True:
                pid, status = os.waitpid(-1, os.WNOHANG)
                if pid == 0:
                    return
                if pid == self._child:
                    self.status = status

    def end(self, wakeup: int) -> None:
        """Ask, then force, until none is left."""
        poll = select.poll()
        poll.register(wakeup, select.POLLIN)
        asked: set[int] = set()
        force_at = time.monotonic() + TERM_GRACE_S
        while True:
            self.reap()
            left = (
                self._signal(signal.SIGKILL, set())
                if time.monotonic() >= force_at
                else self._signal(signal.SIGTERM, asked)
            )
            if not left:
                return
            poll.poll(20)
            _drain(wakeup)

    def _signal(self, number: int, spared: set[int]) -> bool:
        """Send `number` to all but those in `spared`, add them to it, and say whether there are any at all."""
        if not self._subreaper:
            return self._signal_group(number, spared)
        descendants = _descendants(os.getpid())
        for pid in descendants - spared:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, number)
        spared |= descendants
        return bool(descendants)

    def _signal_group(self, number: int, spared: set[int]) -> bool:
        try:
            os.killpg(self._child, 0 if self._child in spared else number)
        except (ProcessLookupError, PermissionError):
            return False
        spared.add(self._child)
        return True


def _descendants(root: int) -> set[int]:
    """All processes below `root`, as the parent links in /proc tell."""
    children: dict[int, list[int]] = {}
    for name in os.listdir("/proc"):  # noqa: PTH208
        if name.isdigit():
            try:
                with open(f"/proc/{name}/stat", "rb") as file:  # noqa: PTH123
                    # pid (name) state parent ...: the name may hold anything, so count from its last parenthesis.
                    parent = int(file.read().rpartition(b")")[2].split()[1])
            except (OSError, IndexError):
                continue  # it ended in the meantime
            children.setdefault(parent, []).append(int(name))
    found: set[int] = set()
    waiting = [root]
    while waiting:
        for pid in children.get(waiting.pop(), ()):
            found.add(pid)
            waiting.append(pid)
    return found


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
