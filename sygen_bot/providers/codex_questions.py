"""Where the hooks of one Codex ask whether a tool may be used: a private socket of the gateway.

Codex runs a command before every use of a tool, whatever its own rules say about that tool. Its hooks let the tool run when they fail,
so the command refuses unless it was told to allow.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import shlex
import shutil
import socket
import sys
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Final

import msgspec
import structlog

from sygen_bot.providers import codex_hook
from sygen_bot.providers.guard import to_its_end

PATIENCE_S: Final = 24 * 3600
"""How long Codex waits for the answer; a person may have to be asked."""
_PREFIX: Final = "codex-"
_MAX_USE_BYTES: Final = 64 * 1024 * 1024
_MAX_PATH_BYTES: Final = 100
"""The name of a socket can be no longer."""
_log = structlog.get_logger(__name__)
_NO_ANSWER: Final = "echo The gateway gave no answer, so this may not be done. >&2; exit 2"


class Questions:
    """`open` it before Codex starts, with `command` as its hook; `close` it after.

    `ask` gets each use as Codex's hook describes it, and returns None or why it may not be.
    """

    def __init__(self, *, run_dir: Path, ask: Callable[[dict[str, Any]], Awaitable[str | None]]) -> None:
        self._ask = ask
        self._path = run_dir / f"{_PREFIX}{secrets.token_hex(4)}"
        self._shelter: str | None = None
        self._listener: socket.socket | None = None
        self._server: asyncio.Server | None = None
        self._answering: set[asyncio.Task[None]] = set()

    async def open(self) -> None:
        """Raises OSError."""
        await to_its_end(asyncio.create_task(asyncio.to_thread(self._listen)))
        # It is known before it begins to serve, so that a cancellation in between leaves nothing open.
        self._server = await asyncio.start_unix_server(self._accept, sock=self._listener, start_serving=False)
        await self._server.start_serving()

    @property
    def command(self) -> str:
        """The hook: a line for any shell."""
        program = [sys.executable, "-I", "-S", str(Path(codex_hook.__file__)), str(self._path)]
        return f"{shlex.join(program)} || /bin/sh -c {shlex.quote(_NO_ANSWER)}"

    def let_go(self) -> None:
        """Give no answer to what is being asked: it is refused."""
        for task in self._answering:
            task.cancel()

    async def close(self) -> None:
        """Also after an `open` that raised or was cancelled."""
        if self._server is not None:
            self._server.close()
        self.let_go()
        if self._answering:
            await asyncio.wait(self._answering)
        await asyncio.to_thread(self._remove)

    def _listen(self) -> None:
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if len(os.fsencode(self._path)) > _MAX_PATH_BYTES:
            self._shelter = tempfile.mkdtemp(prefix=_PREFIX)
            self._path = Path(self._shelter) / "socket"
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(self._path))
        self._path.chmod(0o600)

    def _remove(self) -> None:
        if self._listener is not None:
            self._listener.close()
            self._path.unlink(missing_ok=True)
        if self._shelter is not None:
            shutil.rmtree(self._shelter, ignore_errors=True)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(self._answer(reader, writer), name="answer a hook of Codex")
        self._answering.add(task)
        task.add_done_callback(self._answering.discard)

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            text = await _read(reader)
            if not text:  # somebody only looked whether we are there
                return
            use = msgspec.json.decode(text, type=dict[str, Any])
            refusal = await self._ask(use)
            writer.write(codex_hook.ALLOW if refusal is None else _refuse(refusal))
            await writer.drain()
        except Exception:  # noqa: BLE001 - the question ends here; without an answer the use is refused
            _log.exception("codex_hook_not_answered")
        finally:
            writer.close()


def sweep_questions(run_dir: Path) -> None:
    """Remove the sockets that gateways which crashed left in `run_dir`."""
    for path in run_dir.glob(f"{_PREFIX}*"):
        with socket.socket(socket.AF_UNIX) as probe, contextlib.suppress(OSError):
            try:
                probe.connect(str(path))
            except ConnectionRefusedError:
                path.unlink()


async def _read(reader: asyncio.StreamReader) -> bytes:
    parts: list[bytes] = []
    length = 0
    while part := await reader.read(65536):
        length += len(part)
        if length > _MAX_USE_BYTES:
            raise OSError("the use of a tool is too long to be looked at")
        parts.append(part)
    return b"".join(parts)


def _refuse(reason: str) -> bytes:
    decision = {"hookEventName": "PreToolUse", "permissionDecision": "deny", "permissionDecisionReason": reason}
    return msgspec.json.encode({"hookSpecificOutput": decision})
