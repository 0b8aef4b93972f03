"""An agent that speaks JSON-RPC on its standard streams: one guarded process with everything it starts."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

import structlog

from sygen_bot.providers.guard import Guard
from sygen_bot.providers.jsonrpc import Params, Peer
from sygen_bot.providers.process_tree import process_tree

AFTERMATH_S: Final = 0.3
"""How long what a tool started has, after an interruption, until it must be gone."""
_KEPT_ERROR_BYTES: Final = 4096
_CHUNK: Final = 64 * 1024
_log = structlog.get_logger(__name__)


class StdioAgent:
    """Start it once, talk through `peer`, and `end` it, also if `start` was cancelled or raised.

    `environment` is all that the process gets. `log_name`: whose words these are in the gateway's log.
    """

    def __init__(
        self,
        *,
        run_dir: Path,
        argv: Sequence[str],
        environment: Mapping[str, str],
        workspace: Path,
        log_name: str,
    ) -> None:
        self._argv = argv
        self._environment = environment
        self._workspace = workspace
        self._log_name = log_name
        self._guard = Guard(run_dir)
        self._process: asyncio.subprocess.Process | None = None
        self._peer: Peer | None = None
        self._draining: asyncio.Task[None] | None = None
        self._errors: deque[bytes] = deque()
        self._known_pids: set[int] = set()

    async def start(
        self,
        *,
        on_notification: Callable[[str, Params], None],
        on_request: Callable[[str, Params], Awaitable[object]],
        on_closed: Callable[[], None] | None = None,
        names_version: bool = True,
    ) -> Peer:
        """Start the process; a missing program shows in `exit_code` 127. Raises OSError. The arguments are those of `Peer`."""
        starting = asyncio.create_task(self._start(on_notification, on_request, on_closed, names_version))
        try:
            return await asyncio.shield(starting)
        except asyncio.CancelledError:
            await asyncio.wait({starting})  # else `end` would not know of the process
            if not starting.cancelled():
                starting.exception()  # nobody needs to hear of it
            raise

    async def _start(
        self,
        on_notification: Callable[[str, Params], None],
        on_request: Callable[[str, Params], Awaitable[object]],
        on_closed: Callable[[], None] | None,
        names_version: bool,
    ) -> Peer:
        process = self._process = await self._guard.spawn(
            self._argv, env=self._environment, cwd=self._workspace, limit=_CHUNK
        )
        if process.stdin is None or process.stdout is None or process.stderr is None:
            raise OSError("the guard gave no streams")
        self._draining = asyncio.create_task(self._drain(process.stderr), name=f"stderr of {self._log_name}")
        self._peer = Peer(
            process.stdout,
            process.stdin,
            on_notification=on_notification,
            on_request=on_request,
            on_closed=on_closed,
            log_name=self._log_name,
            names_version=names_version,
        )
        self._peer.start()
        return self._peer

    @property
    def is_alive(self) -> bool:
        """It runs and its pipes are open."""
        return (
            self._process is not None
            and self._process.returncode is None
            and self._peer is not None
            and self._peer.is_open
        )

    async def exit_code(self, *, within_s: float) -> int | None:
        """How it ended, 127 for a program that was not found; None if it has not ended after `within_s`."""
        if self._process is None:
            return None
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(within_s):
                await self._process.wait()
        return self._process.returncode

    @property
    def stderr_tail(self) -> str:
        """The last it said on stderr, up to 4 KiB."""
        return b"".join(self._errors)[-_KEPT_ERROR_BYTES:].decode(errors="replace").strip()

    async def remember_tree(self) -> None:
        """What runs now may be there after the turn that begins: servers of the agent's own."""
        self._known_pids = await asyncio.to_thread(self._tree)

    async def nothing_left(self) -> bool:
        """Whether nothing runs but what ran when the turn began. Waits up to `AFTERMATH_S` for it."""
        deadline = time.monotonic() + AFTERMATH_S
        while True:
            tree = await asyncio.to_thread(self._tree)
            if tree and tree <= self._known_pids:
                return True
            if time.monotonic() > deadline:
                return False
            await asyncio.sleep(0.02)

    async def end(self, *, grace_s: float) -> None:
        """End the process and everything it started: it has `grace_s` to go by itself when its stdin is closed. Call once."""
        if grace_s and self._process is not None and self._process.stdin is not None and self.is_alive:
            self._process.stdin.close()
            await self.exit_code(within_s=grace_s)
        await self._guard.end()
        if self._peer is not None:
            await self._peer.close()
        if self._draining is not None:
            self._draining.cancel()
            await asyncio.wait({self._draining})
        if self._process is not None:
            await self._process.wait()  # so that nothing of it is left in the event loop

    async def _drain(self, stderr: asyncio.StreamReader) -> None:
        """Read all that it says there, so that it never waits for us, and keep the end."""
        with contextlib.suppress(OSError):
            while chunk := await stderr.read(_CHUNK):
                self._errors.append(chunk[-_KEPT_ERROR_BYTES:])
                while sum(map(len, self._errors)) - len(self._errors[0]) >= _KEPT_ERROR_BYTES:
                    self._errors.popleft()
                _log.debug("agent_stderr", agent=self._log_name, text=chunk[-500:].decode(errors="replace"))

    def _tree(self) -> set[int]:
        """The pids of the guard and of all below it; empty if it is gone."""
        return set() if self._process is None else process_tree(self._process.pid)
