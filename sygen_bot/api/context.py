"""What the API needs from the rest of the gateway: the small Protocols it is wired with."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from sygen_bot.api.protocol import ProviderCard
from sygen_bot.session.key import SessionKey
from sygen_bot.session.log import Subscriber


class MessageHandler(Protocol):
    """Takes messages. `submit` returns the turn's id, and `follow` hands on what the session says from then on."""

    def submit(self, key: SessionKey, text: str) -> str: ...
    def follow(self, key: SessionKey, subscriber: Subscriber) -> Callable[[], None]: ...


class AbortHandler(Protocol):
    """Stops the turns of a chat, or with `channel_only` of one session; returns their number."""

    def __call__(self, key: SessionKey, *, channel_only: bool) -> int: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class FileContext:
    """Where files may be read, where uploads go, and the agents' workspace."""

    allowed_roots: tuple[Path, ...] | None  # None: anywhere
    upload_dir: Path
    workspace: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiLimits:
    """Bounds of the API: sizes in bytes, times in seconds."""

    max_frame_bytes: int
    send_timeout_s: float
    auth_timeout_s: float
    max_connections: int
    max_unauthenticated: int
    max_unauthenticated_per_address: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiContext:
    """Everything the API server is wired with. `message_handler` None: messages are answered with `no_handler`."""

    message_handler: MessageHandler | None
    abort_handler: AbortHandler | None
    file_context: FileContext
    providers: Callable[[], Sequence[ProviderCard]]
    active: Callable[[SessionKey], Awaitable[tuple[str | None, str | None]]]
    status: Callable[[], dict[str, object]]
    limits: ApiLimits
    identity: bytes
    token: TokenGate
    default_chat_id: int
    require_sealed: bool
    allowed_origins: tuple[str, ...] = ()


@dataclass(slots=True)
class TokenGate:
    """Knows the token. Compares digests in constant time, with the same work for a right, a wrong and an absurd one."""

    token: str
    _digest: bytes = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self.replace(self.token)

    def replace(self, token: str) -> None:
        self.token = token
        self._digest = _digest(token)

    def opens(self, given: object) -> bool:
        """Whether `given` is the token. An empty configured token is opened by nothing."""
        matches = hmac.compare_digest(_digest(given if isinstance(given, str) else ""), self._digest)
        return matches and isinstance(given, str) and bool(self.token)


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()
