"""What Codex's resume token holds."""

from __future__ import annotations

import hashlib

import msgspec


class Context(msgspec.Struct, frozen=True):
    """A conversation: its id in Codex, and a digest of the system prompt that it was last told."""

    thread_id: str
    prompt: str = ""

    def encode(self) -> str:
        return msgspec.json.encode(self).decode()


def decode_context(token: str | None) -> Context | None:
    """The context of a resume token; None for none, or one that is not ours."""
    if token is None:
        return None
    try:
        return msgspec.json.decode(token, type=Context)
    except msgspec.DecodeError:
        return None


def prompt_digest(system_prompt: str | None) -> str:
    """What tells one system prompt from another; empty for none."""
    return hashlib.sha256(system_prompt.encode()).hexdigest()[:16] if system_prompt else ""
