"""What the API needs from the rest of the gateway: the small Protocols it is wired with."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from sygen_bot.agents.avatars import Avatar
from sygen_bot.agents.profiles import AgentCard
from sygen_bot.api.protocol import ProviderCard
from sygen_bot.automation.cron import Cron
from sygen_bot.automation.tasks import Tasks
from sygen_bot.automation.webhooks import Webhooks
from sygen_bot.events import ApprovalDecision, ApprovalRequest, ApprovalResolved
from sygen_bot.files.allowed_roots import AllowedRoots
from sygen_bot.files.storage import UploadFolder
from sygen_bot.notifications.center import Read
from sygen_bot.orchestrator.chats import Message, MessagePage
from sygen_bot.providers.base import Availability, ProviderInfo
from sygen_bot.providers.registry import Target
from sygen_bot.session.key import SessionKey
from sygen_bot.session.log import LoggedEvent, SessionLog
from sygen_bot.session.receipt import ReceiptHandler
from sygen_bot.storage.approvals import Approval, ApprovalRule
from sygen_bot.storage.history import ChatSession
from sygen_bot.storage.notifications import Notification
from sygen_bot.transcription.chain import Transcript


class Conversation(Protocol):
    """One session. Its `log` says everything that happens in it."""

    @property
    def id(self) -> str: ...
    @property
    def agent(self) -> str: ...
    @property
    def log(self) -> SessionLog: ...
    @property
    def is_deleted(self) -> bool: ...

    def submit(self, text: str, *, client_id: str | None, on_receipt: ReceiptHandler) -> str:
        """Take a message and return the id of its turn; what becomes of it is told to `on_receipt`. Raises RequestError."""
        ...


class MessageHandler(Protocol):
    """Opens sessions, and stops the turns of a chat, or with `channel_only` of one session.

    The call of `abort` decides what is stopped; awaiting it gives their number, when each has its end.
    """

    async def open(self, key: SessionKey) -> Conversation: ...
    def abort(self, key: SessionKey, *, channel_only: bool) -> Awaitable[int]: ...


class PastEvents(Protocol):
    """What a session's log said after the place `after` up to `until`; None if that is too much to tell again."""

    async def __call__(self, session_id: str, *, after: int, until: int) -> list[LoggedEvent] | None: ...


class ChatSessions(Protocol):
    """The chat sessions. Raises RequestError: NotFound for an unknown id, `invalid` for what cannot be; StorageError."""

    async def listed(
        self, *, chat_id: int | None, agent: str | None, include_archived: bool, before: str | None, limit: int
    ) -> list[ChatSession]: ...
    async def create(self, *, agent: str | None, title: str | None, chat_id: int | None) -> ChatSession: ...
    async def get(self, session_id: str) -> ChatSession: ...
    async def rename(self, session_id: str, title: str) -> ChatSession: ...
    async def archive(self, session_id: str, *, is_archived: bool) -> ChatSession: ...
    async def delete(self, session_id: str) -> None: ...
    async def choose(self, session_id: str, *, provider: str | None, model: str | None) -> Target | None: ...
    async def messages(self, session_id: str, *, limit: int, before: str | None) -> MessagePage: ...
    async def export(self, session_id: str) -> tuple[ChatSession, AsyncIterator[Message]]: ...


class Pictures(Protocol):
    """Makes pictures smaller."""

    async def scaled(self, source: Path, target: Path) -> str | None:
        """Write a smaller `source` to `target` and return its MIME type; None if it stays as it is."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class FileContext:
    """Which files may be read, where uploads go, and the workspace of the agent that is told about them."""

    roots: AllowedRoots
    uploads: UploadFolder
    pictures: Pictures
    workspace: Path
    max_upload_bytes: int


class Transcribing(Protocol):
    """Turns what an open file says into text, see `sygen_bot.transcription.chain`."""

    async def transcribe(self, path: Path, *, mime: str, fd: int | None = None) -> Transcript: ...


class Agents(Protocol):
    """The agents and their pictures. Methods that take a name raise NotFound for an unknown one."""

    async def listed(self) -> list[AgentCard]: ...
    async def get(self, name: str) -> AgentCard: ...
    async def avatar(self, name: str) -> Avatar: ...
    async def set_avatar(self, name: str, source: Path) -> AgentCard:
        """Raises RequestError for what is no picture, OSError if it cannot be stored."""
        ...

    async def remove_avatar(self, name: str) -> None: ...


class Notifications(Protocol):
    """What happened while nobody looked, see `sygen_bot.notifications.center`. Raises StorageError."""

    @property
    def unread(self) -> int: ...
    def listen(self, listener: Callable[[Notification | Read], None]) -> Callable[[], None]: ...
    async def listed(self, *, limit: int, unread_only: bool, before: str | None) -> list[Notification]: ...
    async def mark_read(self, notification_id: str) -> Notification: ...
    async def mark_all_read(self) -> int: ...


class Approvals(Protocol):
    """What agents want to do and people decide, see `sygen_bot.orchestrator.approvals`. What waits raises StorageError."""

    def pending(self) -> Sequence[ApprovalRequest]: ...
    def listen(self, listener: Callable[[ApprovalRequest | ApprovalResolved, str], None]) -> Callable[[], None]: ...
    async def answer(self, approval_id: str, decision: ApprovalDecision, *, by: str | None) -> None:
        """Raises NotFound, RequestError."""
        ...

    async def history(self, *, before: str | None, limit: int) -> list[Approval]: ...
    def rules(self) -> Sequence[ApprovalRule]: ...
    async def revoke(self, rule_id: str) -> ApprovalRule: ...


class Providers(Protocol):
    """Who can answer: `cards` those that can now, `listed` all with what their last check said, `refresh` checks them again."""

    def cards(self) -> Sequence[ProviderCard]: ...
    def listed(self) -> Sequence[tuple[ProviderInfo, Availability]]: ...
    async def refresh(self) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Automation:
    """Agents that no person waits for. `cron` and `webhooks` are None where they are switched off."""

    tasks: Tasks
    cron: Cron | None
    webhooks: Webhooks | None
    max_hook_bytes: int


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
class PageContext:
    """Where the web client's files are, and the origins of other gateways that it may talk to."""

    directory: Path
    gateways: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiContext:
    """Everything the API server is wired with.

    Without a `message_handler` messages are answered with `no_handler`, without `past_events` what is no longer in memory is a
    gap, and without `chats`, `files`, `transcriber`, `agents`, `notifications`, `approvals` or `automation` there are none of
    their routes; `transcriber` and `agents` need `files`, and without a `page` there is none.
    """

    message_handler: MessageHandler | None
    providers: Providers
    active: Callable[[SessionKey], tuple[str | None, str | None]]
    status: Callable[[], dict[str, object]]
    limits: ApiLimits
    identity: bytes
    token: TokenGate
    default_chat_id: int
    require_sealed: bool
    allowed_origins: tuple[str, ...] = ()
    past_events: PastEvents | None = None
    chats: ChatSessions | None = None
    files: FileContext | None = None
    transcriber: Transcribing | None = None
    agents: Agents | None = None
    notifications: Notifications | None = None
    approvals: Approvals | None = None
    automation: Automation | None = None
    page: PageContext | None = None


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
