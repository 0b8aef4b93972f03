"""Every error Sygen raises on purpose.

SygenError
├── ConfigError            the configuration cannot be used; one `Problem` per wrong key
├── SetupError             the machine lacks something: a port, a disk, a right, a package
├── StorageError           the database cannot be opened, read or written
├── RequestError           one request is refused; turns are left alone
│   ├── EmptyMessage  InvalidMessage  UnknownType  NoHandler  DecryptFailed
│   ├── QueueFull  NotFound  Forbidden  Conflict
│   ├── BadRequest  TooLarge  UnsupportedMedia  Unavailable
└── TurnError              a turn ended without an answer
    ├── ProviderUnavailable    the agent back end cannot run (missing, not logged in, overloaded)
    └── ProviderFailed         the agent back end ran and failed

`code` is the stable identifier that clients see. The text of a `RequestError` or `TurnError` is shown to people as it is:
it never holds a path, a token or a traceback.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar


class SygenError(Exception):
    """Base of all errors raised on purpose. `code` is stable; `str(error)` is one sentence for people."""

    code: ClassVar[str] = "internal_error"


@dataclass(frozen=True, slots=True)
class Problem:
    """One wrong setting: dotted `key`, what was `found` and what is `allowed`, both as text."""

    key: str
    found: str
    allowed: str

    def __str__(self) -> str:
        return f"{self.key}: found {self.found}; allowed: {self.allowed}"


class ConfigError(SygenError):
    """The configuration cannot be used. `str()` gives one line per problem."""

    code = "config"

    def __init__(self, *problems: Problem) -> None:
        super().__init__(*problems)
        self.problems = problems

    def __str__(self) -> str:
        return "\n".join(str(problem) for problem in self.problems)


class SetupError(SygenError):
    """The machine lacks something. `what` says what is wrong, `remedy` what to do about it."""

    code = "setup"

    def __init__(self, what: str, remedy: str) -> None:
        super().__init__(what, remedy)
        self.what = what
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.what}. {self.remedy}" if self.remedy else self.what


class StorageError(SetupError):
    """The database cannot be opened, read or written."""

    code = "storage"


class RequestError(SygenError):
    """One request is refused. Subclasses fix `code` and the sentence; `detail` replaces the sentence."""

    code = "invalid"
    sentence: ClassVar[str] = "The request cannot be understood."

    def __init__(self, detail: str = "") -> None:
        super().__init__(detail)
        self.detail = detail

    def __str__(self) -> str:
        return self.detail or self.sentence


class InvalidMessage(RequestError):
    code = "invalid"
    sentence = "The message is not what its type asks for."


class EmptyMessage(RequestError):
    code = "empty"
    sentence = "The message has no text."


class UnknownType(RequestError):
    code = "unknown_type"
    sentence = "This message type is not known."


class NoHandler(RequestError):
    code = "no_handler"
    sentence = "This gateway takes no messages."


class DecryptFailed(RequestError):
    code = "decrypt_failed"
    sentence = "The frame could not be opened."


class QueueFull(RequestError):
    code = "busy"
    sentence = "Too many messages are waiting in this session. Wait for an answer, or stop some."


class NotFound(RequestError):
    code = "not_found"
    sentence = "There is no such thing."


class Forbidden(RequestError):
    code = "forbidden"
    sentence = "This is not allowed."


class Conflict(RequestError):
    code = "conflict"
    sentence = "This contradicts what is already there."


class BadRequest(RequestError):
    code = "bad_request"
    sentence = "The request cannot be read."


class TooLarge(RequestError):
    code = "too_large"
    sentence = "This is too large."


class UnsupportedMedia(RequestError):
    code = "unsupported_media"
    sentence = "This kind of data is not taken here."


class Unavailable(RequestError):
    code = "unavailable"
    sentence = "What this needs is not there now."


class TurnError(SygenError):
    """A turn ended without an answer. The text is for people."""

    code = "internal_error"

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.detail = detail

    def __str__(self) -> str:
        return self.detail


class ProviderUnavailable(TurnError):
    """The agent back end cannot run now: not installed, not logged in, out of quota, unreachable."""

    code = "provider_unavailable"


class ProviderFailed(TurnError):
    """The agent back end ran and failed."""

    code = "internal_error"


class AgentDied(ProviderFailed):
    """The agent ended in the middle of its answer: what it had said stays, as an interrupted turn."""
