"""Runs many `sygen` commands quickly: one process loads what they need, and each command is a fork of it.

Most of what a command costs is loading. A fork has the arguments, the environment and the standard streams of its command and
none of its caller's, and it ends as any interpreter does.
"""

from __future__ import annotations

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
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

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
)
_MOST_BYTES = 1024 * 1024
_STREAMS = (("stdin", "r", "strict"), ("stdout", "w", "strict"), ("stderr", "w", "backslashreplace"))


class Forks:
    """The process that has everything loaded, by the address at which it takes commands."""

    def __init__(self, address: str) -> None:
        self._address = address

    def run(
        self, arguments: Sequence[str], env: Mapping[str, str], *, given: str, timeout_s: float
    ) -> subprocess.CompletedProcess[str]:
        """`sygen ARGUMENTS` to its end. A command that takes too long is killed, and TimeoutError raised."""
        with ExitStack() as stack:
            stdin, stdout, stderr = (stack.enter_context(tempfile.TemporaryFile()) for _ in range(3))
            stdin.write(given.encode())
            stdin.seek(0)
            line = stack.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET))
            line.settimeout(timeout_s)
            line.connect(self._address)
            order = json.dumps([list(arguments), dict(env)]).encode()
            socket.send_fds(line, [order], [file.fileno() for file in (stdin, stdout, stderr)])
            pid = int(line.recv(64))
            try:
                code = int(line.recv(64))
            except TimeoutError:
                os.kill(pid, signal.SIGKILL)
                raise
            for file in (stdout, stderr):
                file.seek(0)
            return subprocess.CompletedProcess(list(arguments), code, stdout.read().decode(), stderr.read().decode())


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
        line.send(str(pid).encode())
        _, status = os.waitpid(pid, 0)
        line.send(str(os.waitstatus_to_exitcode(status)).encode())
        os._exit(0)
    line.close()
    for number, (stream, (name, mode, errors)) in enumerate(zip(streams, _STREAMS, strict=True)):
        os.dup2(stream, number)
        os.close(stream)
        setattr(sys, name, open(number, mode, encoding="utf-8", errors=errors))  # noqa: PTH123, SIM115 - as long as the process
    arguments, env = json.loads(order)
    os.environ.clear()
    os.environ.update(env)
    sys.argv += arguments

    from sygen_bot.cli.app import main as command

    command()


if __name__ == "__main__":
    main()
