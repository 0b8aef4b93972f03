"""What engines say, made fit to be shown: transcripts without control characters, complaints without secrets and paths."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Final
from urllib.parse import parse_qsl, urlsplit

from sygen_bot.session.text import one_line, speakable

MOST_COMPLAINT: Final = 240
"""Of one engine, in characters."""

_ESCAPES: Final = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[@-Z\\-_])")
_CONTROLS: Final = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
_PATH: Final = re.compile(r"""(?:\bfile:/+|(?<![\w./\\])(?:(?<!:)//+|~?/(?!/)|[A-Za-z]:\\))[^\s'"`:;,()\[\]<>|]+""")
_CREDENTIALS: Final = re.compile(r"(://)[^/\s@]+@")
_KEY: Final = re.compile(
    r"\b(?:sk|pk|hf|gsk|ghp|xox[a-z])[-_][\w*-]{6,}|(?<=bearer )\S+|(?<=basic )\S+"
    r"|(?<=[?&])(?:\w*key|\w*token|\w*secret|password|sig|signature)=[^&\s]+",
    re.IGNORECASE,
)
_SECRET_NAME: Final = re.compile(r"key|token|secret|passw|credential|auth", re.IGNORECASE)
_SHORTEST_SECRET: Final = 6  # anything shorter would be found in ordinary words


def transcript(text: str) -> str:
    """The text of a transcript: line breaks and tabs stay, what else steers a terminal or the direction of reading goes."""
    unified = _ESCAPES.sub("", text).replace("\r\n", "\n").replace("\r", "\n")
    return speakable(_CONTROLS.sub("", unified)).strip()


def complaint(said: str, secrets: Iterable[str]) -> str:
    """What an engine complained about, in one short line without any of `secrets`, other keys, and absolute paths."""
    for secret in sorted(secrets, key=len, reverse=True):
        said = said.replace(secret, "***")
    said = _CREDENTIALS.sub(r"\1***@", one_line(_ESCAPES.sub("", said)))
    said = _PATH.sub("<path>", _KEY.sub("***", said))
    return said if len(said) <= MOST_COMPLAINT else said[: MOST_COMPLAINT - 1] + "…"


def secrets_of(environ: Mapping[str, str], *configured: str | None) -> set[str]:
    """The values that must never be told: those of variables with telling names, and what is secret in `configured`,
    commands and URLs."""
    found = {value for name, value in environ.items() if _SECRET_NAME.search(name)}
    for text in configured:
        words = (text or "").split()
        for word, before in zip(words, ["", *words], strict=False):
            name, _, value = word.rpartition("=")
            option = before if before.startswith("-") and "=" not in before else ""
            if _SECRET_NAME.search(name or option):
                found.add(value.strip("'\""))
            try:
                address = urlsplit(word)
            except ValueError:
                continue
            if address.scheme in ("http", "https"):
                found |= {address.username or "", address.password or ""}
                found |= {value for _, value in parse_qsl(address.query)}
    return {secret for secret in found if len(secret) >= _SHORTEST_SECRET}
