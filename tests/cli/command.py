"""Runs the real `sygen` command in processes of its own: with pipes, and on a pseudo-terminal."""

from __future__ import annotations

import codecs
import os
import pty
import re
import select
import signal
import subprocess
import sys
import termios
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Self

from tests.cli.forks import Fork, Forks, loaded, take_terminal

COMMAND = (sys.executable, "-m", "sygen_bot")
LIMIT_S = 30.0
ANEW = {"PYTHONUTF8": "1"}
"""Given to a command, among its variables, that is to run in a process that has loaded nothing yet."""
_CONTROLS = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\x1b[()][A-Z0-9]|\x1b[=>]|\x1b\][^\x07]*\x07")


def environment(home: Path, **more: str) -> dict[str, str]:
    """The whole environment of the command: nothing of ours gets in."""
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(home.parent),
        "LANG": "C.UTF-8",
        "TERM": "xterm",
        "SYGEN_HOME": str(home),
        **more,
    }


_forks: Forks | None = None


@contextmanager
def quick_commands() -> Iterator[None]:
    """While this is open, commands are forked, but for those that are started anew."""
    global _forks
    with loaded() as _forks:
        yield
    _forks = None


def _forks_for(env: Mapping[str, str]) -> Forks | None:
    """None if the command has to be started anew: Python reads its own variables only when it starts."""
    return None if any(name.startswith("PYTHON") for name in env) else _forks


def run(home: Path, *arguments: str, given: str | None = None, **more: str) -> subprocess.CompletedProcess[str]:
    """`sygen ARGUMENTS` to its end. Whatever it is told to do, it never shows a traceback."""
    env = environment(home, **more)
    if (forks := _forks_for(env)) is None:
        return run_anew(home, *arguments, given=given, **more)
    ended = forks.run(arguments, env, given=given or "", timeout_s=LIMIT_S)
    assert "Traceback" not in ended.stdout + ended.stderr
    return ended


def run_anew(home: Path, *arguments: str, given: str | None = None, **more: str) -> subprocess.CompletedProcess[str]:
    """As `run`, in a process that has loaded nothing yet."""
    ended = subprocess.run(
        [*COMMAND, *arguments],
        env=environment(home, **more),
        input="" if given is None else given,
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )
    assert "Traceback" not in ended.stdout + ended.stderr
    return ended


def run_each(home: Path, commands: Sequence[Sequence[str]]) -> list[subprocess.CompletedProcess[str]]:
    """Commands that do not depend on each other, two at a time."""
    with ThreadPoolExecutor(2) as pool:
        return list(pool.map(lambda command: run(home, *command), commands))


class Running:
    """`sygen ARGUMENTS` with pipes, while it runs."""

    def __init__(self, home: Path, *arguments: str, stdin: Path = Path(os.devnull), **more: str) -> None:
        env = environment(home, **more)
        self.process: subprocess.Popen[bytes] | Fork
        with stdin.open("rb") as given:
            if (forks := _forks_for(env)) is not None:
                self.process = forks.start(arguments, env, given.fileno())
            else:
                self.process = subprocess.Popen(
                    [*COMMAND, *arguments], env=env, stdin=given, stdout=subprocess.PIPE, stderr=subprocess.PIPE
                )

    def __enter__(self) -> Self:
        return self

    def read_until(self, wanted: str) -> str:
        """What comes on stdout until `wanted` has come."""
        assert self.process.stdout is not None
        seen = b""
        while wanted.encode() not in seen:
            ready, _, _ = select.select([self.process.stdout], [], [], LIMIT_S)
            chunk = os.read(self.process.stdout.fileno(), 65536) if ready else b""
            assert chunk, f"{wanted!r} did not come, but {seen!r}"
            seen += chunk
        return seen.decode()

    def end(self, number: int | None = None) -> tuple[int, str, str]:
        """Send a signal, or none, and wait. Returns the exit code and the rest of stdout and stderr."""
        if number is not None:
            self.process.send_signal(number)
        out, err = self.process.communicate(timeout=LIMIT_S)
        return self.process.wait(), out.decode(), err.decode()

    def __exit__(self, *_exc: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.communicate()


@contextmanager
def serving(home: Path, *arguments: str, **more: str) -> Iterator[tuple[Running, str]]:
    """A gateway with the scripted provider, and its URL."""
    command = ("serve", "--host", "127.0.0.1", "--port", "0", "--provider", "scripted", *arguments)
    with Running(home, *command, stdin=Path(os.devnull), **more) as gateway:
        line = gateway.read_until("\n")
        yield gateway, line.removeprefix("listening on ").strip()


class Terminal:
    """`sygen ARGUMENTS` on a pseudo-terminal."""

    def __init__(self, home: Path, *arguments: str, **more: str) -> None:
        self._master, slave = pty.openpty()
        env = environment(home, **{"COLUMNS": "100", "LINES": "40", **more})
        self.process: subprocess.Popen[bytes] | Fork
        if (forks := _forks_for(env)) is not None:
            self.process = forks.start_on(slave, arguments, env)
        else:
            self.process = subprocess.Popen(
                [*COMMAND, *arguments],
                env=env,
                stdin=slave,
                stdout=slave,
                stderr=slave,
                start_new_session=True,
                preexec_fn=take_terminal,
            )
        os.close(slave)
        self.seen = ""
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")  # a read may end in the middle of a sign

    def __enter__(self) -> Self:
        return self

    def modes(self) -> list[object]:
        """How the terminal takes keys: echoed or not, line by line or not."""
        return list(termios.tcgetattr(self._master)[:4])

    @contextmanager
    def watching_modes(self) -> Iterator[set[int]]:
        """Every set of local modes that the terminal has in the meantime."""
        seen: set[int] = set()
        is_over = threading.Event()

        def look() -> None:
            while not is_over.is_set():
                seen.add(termios.tcgetattr(self._master)[3])

        with ThreadPoolExecutor(1) as pool:
            looking = pool.submit(look)
            try:
                yield seen
            finally:
                is_over.set()
            looking.result()

    def hang_up(self) -> None:
        """Close the terminal, as a window is closed."""
        os.close(self._master)
        self._master = -1

    def send(self, keys: str) -> None:
        os.write(self._master, keys.encode())

    def expect(self, wanted: str) -> str:
        """Wait until `wanted` is shown after what was expected before. Returns what was shown until then."""
        deadline = time.monotonic() + LIMIT_S
        while wanted not in self.seen:
            assert self._read(deadline), f"{wanted!r} was not shown, but {self.seen!r}"
        before, _, self.seen = self.seen.partition(wanted)
        return before

    def end(self) -> int:
        """Wait until the command has ended, reading on. Returns its exit code."""
        deadline = time.monotonic() + LIMIT_S
        while self._read(deadline):
            pass
        assert "Traceback" not in self.seen
        return self.process.wait(LIMIT_S)

    def _read(self, deadline: float) -> bool:
        ready, _, _ = select.select([self._master], [], [], max(deadline - time.monotonic(), 0))
        try:
            chunk = os.read(self._master, 65536) if ready else b""
        except OSError:  # the other end is closed
            chunk = b""
        if b"\x1b[6n" in chunk:  # where is the cursor?
            os.write(self._master, b"\x1b[1;1R")
        self.seen += _CONTROLS.sub("", self._decoder.decode(chunk))
        return bool(chunk)

    def __exit__(self, *_exc: object) -> None:
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        if self._master >= 0:
            os.close(self._master)
