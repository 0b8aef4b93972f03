"""The name of one conversation: which transport, which chat, which topic or channel in it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Self

MAX_ID = 2**53 - 1
"""The largest chat or topic id: the largest integer that JSON numbers carry exactly everywhere."""

_TRANSPORT = re.compile(r"[a-z][a-z0-9_]{0,31}")
_FORM = re.compile(rf"({_TRANSPORT.pattern}):([1-9][0-9]{{0,15}})(?::([1-9][0-9]{{0,15}}))?")


def is_valid_id(value: object) -> bool:
    """Whether `value` is an id: an integer from 1 to `MAX_ID`. A bool is none."""
    return type(value) is int and 1 <= value <= MAX_ID


@dataclass(frozen=True, slots=True)
class SessionKey:
    """One conversation. `str(key)` is `api:123` or `api:123:77`; `SessionKey.parse` gives the key back.

    No field has a default: a forgotten transport would file a conversation under the wrong one.
    Raises ValueError for a transport that is not lower-case letters, digits and `_`, or an id out of range.
    """

    transport: str
    chat_id: int
    topic_id: int | None

    def __post_init__(self) -> None:
        if not is_valid_id(self.chat_id) or not (self.topic_id is None or is_valid_id(self.topic_id)):
            raise ValueError(f"ids are integers from 1 to 2^53-1, not {self.chat_id!r} and {self.topic_id!r}")
        if _TRANSPORT.fullmatch(self.transport) is None:
            raise ValueError(f"not a transport name: {self.transport!r}")

    def __str__(self) -> str:
        base = f"{self.transport}:{self.chat_id}"
        return base if self.topic_id is None else f"{base}:{self.topic_id}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """The key that `text` names. Raises ValueError if it names none."""
        match = _FORM.fullmatch(text)
        if match is None:
            raise ValueError(f"not a session key: {text[:80]!r}")
        transport, chat_id, topic_id = match.groups()
        return cls(transport, int(chat_id), None if topic_id is None else int(topic_id))
