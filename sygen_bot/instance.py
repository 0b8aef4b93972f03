"""One gateway per home: a lock that dies with its process, and what others may know about the gateway that holds it."""

from __future__ import annotations

import errno
import fcntl
import os
import socket
import time
from typing import IO, Self

import msgspec

from sygen_bot import __version__
from sygen_bot.errors import SetupError
from sygen_bot.paths import Paths


class Instance(msgspec.Struct, frozen=True):
    """A running gateway. `url`: where it answers on this machine, empty while it starts. `started_at`: epoch seconds.

    `tls_cert`: the file of the certificate that it serves HTTPS with. `host`: the address it listens on.
    """

    pid: int
    url: str
    started_at: float
    version: str
    tls_cert: str | None = None
    host: str = ""


class InstanceLock:
    """Held while a gateway runs. Raises SetupError, naming the other process, if one runs in this home already."""

    def __init__(self, paths: Paths) -> None:
        self._paths = paths
        self._started_at = time.time()
        self._file: IO[bytes] | None = None

    def __enter__(self) -> Self:
        try:
            file = self._paths.lock_file.open("a+b")
        except OSError as error:
            raise SetupError(
                f"The lock {self._paths.lock_file} cannot be used: {error.strerror}", "Make it readable and writable."
            ) from error
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.close()
            other = running_instance(self._paths)
            who = f" (pid {other.pid})" if other else ""
            raise SetupError(
                f"A gateway already runs in {self._paths.home}{who}", "Stop it, or use another SYGEN_HOME."
            ) from None
        self._file = file
        self.publish(url="")
        return self

    def publish(self, *, url: str, host: str = "", tls_cert: str | None = None) -> None:
        """Tell other commands where this gateway answers."""
        if self._file is not None:
            own = Instance(os.getpid(), url, self._started_at, __version__, tls_cert, host)
            self._file.truncate(0)
            self._file.write(msgspec.json.encode(own))
            self._file.flush()

    def __exit__(self, *_exc: object) -> None:
        if self._file is not None:
            self._file.truncate(0)
            self._file.close()


def running_instance(paths: Paths) -> Instance | None:
    """The gateway that runs in this home, if one does: a file left behind by a crash does not count."""
    try:
        with paths.lock_file.open("rb") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                return msgspec.json.decode(file.read(), type=Instance)
    except (OSError, msgspec.DecodeError):
        pass
    return None


def url_here(host: str, port: int, *, has_tls: bool) -> str:
    """Where this machine reaches what listens on `host`."""
    name = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, f"[{host}]" if ":" in host else host)  # noqa: S104
    return f"{'https' if has_tls else 'http'}://{name}:{port}"


def bind(host: str, port: int) -> socket.socket:
    """A listening socket. Raises SetupError, naming the process that holds a busy port."""
    # Not `create_server`: asyncio turns Nagle's algorithm off only on sockets that say they are TCP, and so do their children.
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(1024)
    except (OSError, TypeError, ValueError) as error:  # the last two: what can be no address at all
        listener.close()
        raise _cannot_listen(host, port, error) from error
    return listener


def _cannot_listen(host: str, port: int, error: Exception) -> SetupError:
    number = error.errno if isinstance(error, OSError) else None
    reason = (error.strerror if isinstance(error, OSError) else None) or "that is no address"
    remedy = "Choose an address of this machine with --host."
    if number == errno.EADDRINUSE:
        holder = port_holder(port)
        reason = f"{holder} listens there" if holder else reason
        remedy = "Stop it, or choose another port with --port."
    elif number == errno.EACCES:
        remedy = "Choose a port above 1023 with --port."
    return SetupError(f"Cannot listen on {f'[{host}]' if ':' in host else host}:{port}: {reason}", remedy)


def port_holder(port: int) -> str | None:
    """Which process listens on `port`, as `name (pid 123)`; None if that cannot be seen."""
    import psutil  # only needed when something went wrong

    try:
        for connection in psutil.net_connections(kind="tcp"):
            if connection.status == psutil.CONN_LISTEN and connection.laddr.port == port and connection.pid:
                return f"{psutil.Process(connection.pid).name()} (pid {connection.pid})"
    except (psutil.Error, OSError):
        pass
    return None
