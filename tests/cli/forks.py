"""Runs many `sygen` commands quickly: one process loads what they need, and each command is a fork of it.

Most of what a command costs is loading. A fork has the arguments, the environment and the standard streams of its command and
none of its caller's, may have a terminal of its own, and ends as any interpreter does.
"""

from __future__ import annotations

import fcntl
import gc
import importlib
import json
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
import termios
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import IO

_LOADED_BEFORE = (
    "sygen_bot.cli.app",
    "sygen_bot.cli.calling",
    "sygen_bot.client",
    "sygen_bot.config",
    "typer._adapters",
    "httpx",
    "nacl.public",
    "rich.markdown",
    "websockets.asyncio.client",
    "prompt_toolkit.shortcuts",
    "sygen_bot.cli.chat",
    "sygen_bot.orchestrator.lifecycle",
    "sygen_bot.testing.scripted",
    "uvicorn.lifespan.off",
    "uvloop",
)
_MOST_BYTES = 1024 * 1024
_STREAMS = (("stdin", "r", "strict"), ("stdout", "w", "strict"), ("stderr", "w", "backslashreplace"))


class Fork:
    """A command while it runs, with what `subprocess.Popen` has of a process."""

    def __init__(self, line: socket.socket, stdout: IO[bytes] | None = None, stderr: IO[bytes] | None = None) -> None:
        self._line = line
        self.stdout, self.stderr = stdout, stderr
        self.returncode: int | None = None
        self.pid = int(line.recv(64))

    def poll(self) -> int | None:
        with suppress(subprocess.TimeoutExpired):
            self.wait(0)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        if self.returncode is None:
            if not select.select([self._line], [], [], timeout)[0]:
                raise subprocess.TimeoutExpired(f"pid {self.pid}", timeout or 0)
            self.returncode = int(self._line.recv(64))
            self._line.close()
        return self.returncode

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            with suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def communicate(self, timeout: float | None = None) -> tuple[bytes, bytes]:
        """The rest of stdout and stderr, when it has ended."""
        deadline = None if timeout is None else time.monotonic() + timeout
        streams = [stream for stream in (self.stdout, self.stderr) if stream is not None and not stream.closed]
        rest = dict.fromkeys(streams, b"")
        while streams:
            left = None if deadline is None else max(deadline - time.monotonic(), 0)
            ready, _, _ = select.select(streams, [], [], left)
            if not ready:
                raise subprocess.TimeoutExpired(f"pid {self.pid}", timeout or 0)
            for stream in ready:
                chunk = os.read(stream.fileno(), 65536)
                rest[stream] += chunk
                if not chunk:
                    streams.remove(stream)
                    stream.close()
        self.wait(None if deadline is None else max(deadline - time.monotonic(), 0))
        out, err = (rest.get(stream, b"") if stream is not None else b"" for stream in (self.stdout, self.stderr))
        return out, err


class Forks:
    """The process that has everything loaded, by the address at which it takes commands."""

    def __init__(self, address: str) -> None:
        self._address = address

    def run(
        self, arguments: Sequence[str], env: Mapping[str, str], *, given: str, timeout_s: float
    ) -> subprocess.CompletedProcess[str]:
        """`sygen ARGUMENTS` to its end. A command that takes too long is killed, and TimeoutExpired raised."""
        with ExitStack() as stack:
            stdin, stdout, stderr = (stack.enter_context(tempfile.TemporaryFile()) for _ in range(3))
            stdin.write(given.encode())
            stdin.seek(0)
            fork = Fork(self._order(arguments, env, [file.fileno() for file in (stdin, stdout, stderr)]))
            try:
                code = fork.wait(timeout_s)
            except subprocess.TimeoutExpired:
                fork.kill()
                raise
            for file in (stdout, stderr):
                file.seek(0)
            return subprocess.CompletedProcess(list(arguments), code, stdout.read().decode(), stderr.read().decode())

    def start(self, arguments: Sequence[str], env: Mapping[str, str], stdin: int) -> Fork:
        """`sygen ARGUMENTS` with pipes, which are not buffered."""
        (out, its_out), (err, its_err) = os.pipe(), os.pipe()
        line = self._order(arguments, env, [stdin, its_out, its_err])
        os.close(its_out)
        os.close(its_err)
        return Fork(line, os.fdopen(out, "rb", 0), os.fdopen(err, "rb", 0))

    def start_on(self, terminal: int, arguments: Sequence[str], env: Mapping[str, str]) -> Fork:
        """`sygen ARGUMENTS` in a session of its own, whose terminal this is."""
        return Fork(self._order(arguments, env, [terminal] * 3, has_terminal=True))

    def _order(
        self, arguments: Sequence[str], env: Mapping[str, str], streams: Sequence[int], *, has_terminal: bool = False
    ) -> socket.socket:
        line = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        line.connect(self._address)
        socket.send_fds(line, [json.dumps([list(arguments), dict(env), has_terminal]).encode()], streams)
        return line


@contextmanager
def loaded() -> Iterator[Forks]:
    """A process that has everything loaded; it ends when the block is left, and when its starter is gone."""
    with tempfile.TemporaryDirectory(prefix="forks-") as folder:  # a short path: it becomes the name of a socket
        address = f"{folder}/address"
        program = subprocess.Popen(
            [sys.executable, "-m", __name__, address],
            env={"PATH": os.environ["PATH"], "HOME": folder, "LANG": "C.UTF-8"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=Path(__file__).parents[2],
        )
        with program:
            assert program.stdout is not None
            assert program.stdout.read(1), "it has ended"
            yield Forks(address)
            program.communicate()


def take_terminal() -> None:
    """Make standard input the terminal of this session."""
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


# --- the process ------------------------------------------------------------------------------------------------------


def main() -> None:
    """Serve commands until standard input is closed."""
    from sygen_bot import __file__ as package

    address, sys.argv = sys.argv[1], [str(Path(package).with_name("__main__.py"))]  # as `python -m sygen_bot` has it
    for module in _LOADED_BEFORE:
        importlib.import_module(module)
    sys.modules["__main__"].__package__ = "sygen_bot"
    gc.freeze()  # what forks only read, they share
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listener:
        listener.bind(address)
        listener.listen()
        os.write(1, b".")
        while listener.fileno() in select.select([listener.fileno(), 0], [], [])[0]:
            line, _ = listener.accept()
            if os.fork() == 0:
                listener.close()
                _serve(line)
                return
            line.close()
            with suppress(ChildProcessError):
                while os.waitpid(-1, os.WNOHANG)[0]:
                    pass


def _serve(line: socket.socket) -> None:
    """Be the parent of one command, or, when this returns, the command itself at its end."""
    order, streams, _, _ = socket.recv_fds(line, _MOST_BYTES, 3)
    if pid := os.fork():
        for stream in streams:
            os.close(stream)
        _, status = os.waitpid(pid, 0)
        line.send(str(os.waitstatus_to_exitcode(status)).encode())
        os._exit(0)
    arguments, env, has_terminal = json.loads(order)
    for number, (stream, (name, mode, errors)) in enumerate(zip(streams, _STREAMS, strict=True)):
        os.dup2(stream, number)
        os.close(stream)
        setattr(sys, name, open(number, mode, encoding="utf-8", errors=errors))  # noqa: PTH123, SIM115 - as long as the process
    if has_terminal:
        os.setsid()
        take_terminal()
    line.send(str(os.getpid()).encode())
    line.close()
    os.environ.clear()
    os.environ.update(env)
    sys.argv += arguments

    from sygen_bot.cli.app import main as command

    command()


if __name__ == "__main__":
    main()
