"""News for every client: encoded once, and sent to a few connections in each pass of the event loop, so that nobody waits for all."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterable
from typing import Final, Generic, Protocol, TypeVar

import structlog

_AT_ONCE: Final = 64
_log = structlog.get_logger(__name__)


class Receiver(Protocol):
    """A client's connection."""

    def notify(self, payload: bytes) -> None: ...


R = TypeVar("R", bound=Receiver)


class Broadcast(Generic[R]):
    """Each receiver gets the news in their order. `receivers` tells who is there when a piece of news goes out."""

    def __init__(self, receivers: Callable[[], Iterable[R]]) -> None:
        self._receivers = receivers
        self._waiting: deque[tuple[bytes, Callable[[R], bool]]] = deque()
        self._left: deque[R] = deque()
        self._is_running = False

    def send(self, payload: bytes, *, to: Callable[[R], bool] = lambda _: True) -> None:
        """Send an encoded event to those receivers."""
        self._waiting.append((payload, to))
        if not self._is_running:
            self._is_running = True
            self._pass()

    def _pass(self) -> None:
        if not self._left:
            self._left.extend(self._receivers())
        payload, is_for = self._waiting[0]
        for _ in range(min(_AT_ONCE, len(self._left))):
            receiver = self._left.popleft()
            if is_for(receiver):
                self._tell(receiver, payload)
        if not self._left:
            self._waiting.popleft()
        self._is_running = bool(self._waiting)
        if self._is_running:
            asyncio.get_running_loop().call_soon(self._pass)

    def _tell(self, receiver: R, payload: bytes) -> None:
        try:
            receiver.notify(payload)
        except Exception:  # noqa: BLE001 - one that has trouble takes no others with it
            _log.exception("client_not_told")
