"""News for every client: encoded once, and sent to a few connections in each pass of the event loop, so that nobody waits for all."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterable
from typing import Final, Protocol

import structlog

_AT_ONCE: Final = 64
_log = structlog.get_logger(__name__)


class Receiver(Protocol):
    """A client's connection."""

    @property
    def is_syncing(self) -> bool: ...
    def notify(self, payload: bytes) -> None: ...


class Broadcast:
    """Each receiver gets the news in their order. `receivers` tells who is there when a piece of news goes out."""

    def __init__(self, receivers: Callable[[], Iterable[Receiver]]) -> None:
        self._receivers = receivers
        self._waiting: deque[tuple[bytes, bool]] = deque()
        self._left: deque[Receiver] = deque()
        self._is_running = False

    def send(self, payload: bytes, *, to_syncing_only: bool = False) -> None:
        """Send an encoded event."""
        self._waiting.append((payload, to_syncing_only))
        if not self._is_running:
            self._is_running = True
            self._pass()

    def _pass(self) -> None:
        if not self._left:
            self._left.extend(self._receivers())
        payload, to_syncing_only = self._waiting[0]
        for _ in range(min(_AT_ONCE, len(self._left))):
            receiver = self._left.popleft()
            if receiver.is_syncing or not to_syncing_only:
                self._tell(receiver, payload)
        if not self._left:
            self._waiting.popleft()
        self._is_running = bool(self._waiting)
        if self._is_running:
            asyncio.get_running_loop().call_soon(self._pass)

    def _tell(self, receiver: Receiver, payload: bytes) -> None:
        try:
            receiver.notify(payload)
        except Exception:  # noqa: BLE001 - one that has trouble takes no others with it
            _log.exception("client_not_told")
