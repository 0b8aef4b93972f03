"""The language of the scripted agent: text in, instructions out, nothing else.

The scripted provider runs it, and the fake model APIs of the integration tests speak it too. `parse_script` is total: what
a person typed wrong becomes a `Refused`, whose text is then said in place of the instruction.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import msgspec

MAX_SLOW_WORDS: Final = 100_000
MAX_SLOW_SECONDS: Final = 60.0
MAX_DELTAS: Final = 1_000_000
MAX_SPAWN_SECONDS: Final = 3600.0
MAX_SPAWNS: Final = 8
"""Children of one script: a message is typed by a person, and each of these is three real processes."""

_NUMBER = re.compile(r"[0-9]{1,9}(\.[0-9]{1,9})?", re.ASCII)
_TOOL_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.:-]{0,127}", re.ASCII)
_WORD = re.compile(r"\s*\S+\s*|\s+")


@dataclass(frozen=True, slots=True)
class Say:
    """Stream `text` word by word."""

    text: str


@dataclass(frozen=True, slots=True)
class Slow:
    """`SLOW`: stream `w0 w1 ... `, `count` words, `seconds` apart. `PACE`: deltas of 40 characters that say when they were made."""

    count: int
    seconds: float
    is_stamped: bool = False

    def piece(self, number: int) -> str:
        """What is said now, as number `number`. A stamp: the nanoseconds of the monotonic clock, which all processes of a machine share."""
        return f"{time.monotonic_ns():039d}\n" if self.is_stamped else f"w{number} "


@dataclass(frozen=True, slots=True)
class Burst:
    """`count` deltas of 40 characters, without yielding to the loop."""

    count: int


@dataclass(frozen=True, slots=True)
class Tick:
    """`count` deltas of 40 characters, one a loop turn."""

    count: int


@dataclass(frozen=True, slots=True)
class Think:
    """A thinking delta."""

    text: str


@dataclass(frozen=True, slots=True)
class Status:
    """A system status; None clears it."""

    label: str | None


@dataclass(frozen=True, slots=True)
class Tool:
    """A tool activity, start and end. `input` is decoded JSON."""

    name: str
    input: object


@dataclass(frozen=True, slots=True)
class Ask:
    """Ask for approval of a tool, then say `allowed` or `denied`. `input` is decoded JSON."""

    name: str
    input: object


@dataclass(frozen=True, slots=True)
class File:
    """Say a `<file:path>` tag."""

    path: str


@dataclass(frozen=True, slots=True)
class Spawn:
    """Start a child that starts a grandchild, both sleeping `seconds`. `detached`: the grandchild leaves the process group."""

    seconds: float
    detached: bool


@dataclass(frozen=True, slots=True)
class NoStream:
    """No deltas in this turn: what it says comes with its end."""

    text: str


@dataclass(frozen=True, slots=True)
class EchoHistory:
    """Say how many turns this session remembers."""


@dataclass(frozen=True, slots=True)
class Fail:
    """Raise, as a provider with a bug would."""

    message: str


@dataclass(frozen=True, slots=True)
class Refused:
    """A line that names an instruction but cannot be run: say `problem` in its place."""

    problem: str


Instruction = (
    Say | Slow | Burst | Tick | Think | Status | Tool | Ask | File | Spawn | NoStream | EchoHistory | Fail | Refused
)


def parse_script(text: str) -> list[Instruction] | None:
    """The instructions of `text`, one a line, in order; None if it holds none. Never raises.

    A line is an instruction if its first word is an instruction's name in capitals; other lines are passed over. Numbers out
    of bounds, JSON that is none and children beyond `MAX_SPAWNS` become `Refused`.
    """
    instructions: list[Instruction] = []
    spawns = 0
    for line in text.splitlines():
        name, rest = _first_word(line)
        form = _FORMS.get(name)
        if form is None:
            continue
        try:
            instruction = form(rest)
        except ValueError as problem:
            instruction = Refused(f"{name}: {problem}")
        if isinstance(instruction, Spawn):
            spawns += 1
            if spawns > MAX_SPAWNS:
                instruction = Refused(f"{name}: a script starts at most {MAX_SPAWNS} children")
        instructions.append(instruction)
    return instructions or None


def words(text: str) -> list[str]:
    """`text` cut into words that keep the white space around them: joined, they are `text`."""
    return _WORD.findall(text)


def filler(number: int) -> str:
    """The text of delta `number` of `BURST` and `TICK`: 40 characters, so that a lost or moved one shows."""
    return f"{number:039d}\n"


def _first_word(line: str) -> tuple[str, str]:
    word, *rest = line.split(maxsplit=1) or [""]
    return word, rest[0].rstrip() if rest else ""


def _text(rest: str) -> str:
    if not rest:
        raise ValueError("the text is missing")
    return rest


def _number(word: str, *, name: str, most: float) -> float:
    if _NUMBER.fullmatch(word) is None or float(word) > most:
        raise ValueError(f"{name} is a number from 0 to {most:g}")
    return float(word)


def _count(word: str, *, most: int) -> int:
    if not (word.isascii() and word.isdigit() and len(word) <= 9 and int(word) <= most):
        raise ValueError(f"n is a whole number from 0 to {most}")
    return int(word)


def _slow(rest: str, *, is_stamped: bool = False) -> Instruction:
    count, seconds = _first_word(rest)
    return Slow(_count(count, most=MAX_SLOW_WORDS), _number(seconds, name="seconds", most=MAX_SLOW_SECONDS), is_stamped)


def _tool_use(rest: str) -> tuple[str, object]:
    name, document = _first_word(rest)
    if _TOOL_NAME.fullmatch(name) is None:
        raise ValueError("the name of a tool is missing")
    if not document:
        return name, {}
    try:
        return name, msgspec.json.decode(document)
    except (ValueError, RecursionError):
        raise ValueError("what follows the tool's name is not JSON") from None


def _nothing(rest: str) -> Instruction:
    if rest:
        raise ValueError("nothing may follow it")
    return EchoHistory()


def _spawn(rest: str, *, detached: bool) -> Instruction:
    return Spawn(_number(rest, name="seconds", most=MAX_SPAWN_SECONDS), detached)


_FORMS: Final[dict[str, Callable[[str], Instruction]]] = {
    "SAY": lambda rest: Say(_text(rest)),
    "SLOW": _slow,
    "PACE": lambda rest: _slow(rest, is_stamped=True),
    "BURST": lambda rest: Burst(_count(rest, most=MAX_DELTAS)),
    "TICK": lambda rest: Tick(_count(rest, most=MAX_DELTAS)),
    "THINK": lambda rest: Think(_text(rest)),
    "STATUS": lambda rest: Status(rest or None),
    "TOOL": lambda rest: Tool(*_tool_use(rest)),
    "ASK": lambda rest: Ask(*_tool_use(rest)),
    "FILE": lambda rest: File(_text(rest)),
    "SPAWN": lambda rest: _spawn(rest, detached=False),
    "SPAWN_DETACHED": lambda rest: _spawn(rest, detached=True),
    "NOSTREAM": lambda rest: NoStream(_text(rest)),
    "ECHO_HISTORY": _nothing,
    "FAIL": lambda rest: Fail(_text(rest)),
}
