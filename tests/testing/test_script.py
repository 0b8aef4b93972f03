"""The script language: every instruction, and that nothing a person types makes the parser raise."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from sygen_bot.testing.script import (
    MAX_SPAWNS,
    Ask,
    Burst,
    EchoHistory,
    Fail,
    File,
    Instruction,
    NoStream,
    Refused,
    Say,
    Slow,
    Spawn,
    Status,
    Think,
    Tick,
    Tool,
    filler,
    parse_script,
    words,
)

NAMES = (
    "SAY SLOW BURST TICK THINK STATUS TOOL ASK FILE SPAWN SPAWN_DETACHED NOSTREAM ECHO_HISTORY FAIL".split()  # noqa: SIM905
)


@pytest.mark.parametrize(
    ("line", "instruction"),
    [
        ("SAY hello  there", Say("hello  there")),
        ("  SAY hello \t", Say("hello")),
        ("SLOW 3 0.25", Slow(3, 0.25)),
        ("SLOW 0 0", Slow(0, 0.0)),
        ("PACE 3 0.25", Slow(3, 0.25, is_stamped=True)),
        ("BURST 200000", Burst(200_000)),
        ("TICK 5", Tick(5)),
        ("THINK what now", Think("what now")),
        ("STATUS compacting", Status("compacting")),
        ("STATUS", Status(None)),
        ('TOOL Read {"path": "a b"}', Tool("Read", {"path": "a b"})),
        ("TOOL Read", Tool("Read", {})),
        ('ASK Bash {"command": "ls"}', Ask("Bash", {"command": "ls"})),
        ("FILE /tmp/a chart.png", File("/tmp/a chart.png")),
        ("SPAWN 60", Spawn(60.0, detached=False)),
        ("SPAWN_DETACHED 1.5", Spawn(1.5, detached=True)),
        ("NOSTREAM all at once", NoStream("all at once")),
        ("ECHO_HISTORY", EchoHistory()),
        ("FAIL out of luck", Fail("out of luck")),
    ],
)
def test_each_instruction_is_understood(line: str, instruction: Instruction) -> None:
    assert parse_script(line) == [instruction]


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("SAY", "SAY: the text is missing"),
        ("SLOW 3", "SLOW: seconds is a number from 0 to 60"),
        ("SLOW 3 61", "SLOW: seconds is a number from 0 to 60"),
        ("SLOW 3 nan", "SLOW: seconds is a number from 0 to 60"),
        ("SLOW 100001 0", "SLOW: n is a whole number from 0 to 100000"),
        ("BURST 1000001", "BURST: n is a whole number from 0 to 1000000"),
        ("BURST -1", "BURST: n is a whole number from 0 to 1000000"),
        ("BURST ٣", "BURST: n is a whole number from 0 to 1000000"),
        ("TICK " + "9" * 5000, "TICK: n is a whole number from 0 to 1000000"),
        ("SPAWN 3601", "SPAWN: seconds is a number from 0 to 3600"),
        ("SPAWN inf", "SPAWN: seconds is a number from 0 to 3600"),
        ("TOOL", "TOOL: the name of a tool is missing"),
        ("TOOL Read {", "TOOL: what follows the tool's name is not JSON"),
        ("ASK Read " + "[" * 100_000, "ASK: what follows the tool's name is not JSON"),
        ("ECHO_HISTORY now", "ECHO_HISTORY: nothing may follow it"),
    ],
)
def test_what_cannot_be_run_is_refused_with_one_sentence(line: str, problem: str) -> None:
    assert parse_script(line) == [Refused(problem)]


@pytest.mark.parametrize("text", ["", "hello", "say it", "Say it", "SAYING it", "please SAY it", "\n\n"])
def test_a_message_without_an_instruction_is_no_script(text: str) -> None:
    assert parse_script(text) is None


def test_lines_run_in_order_and_other_lines_are_passed_over() -> None:
    assert parse_script("Do this:\nTHINK hm\n\nSAY done\nthank you") == [Think("hm"), Say("done")]


def test_one_script_cannot_start_children_without_end() -> None:
    script = parse_script("SPAWN 1\n" * (MAX_SPAWNS + 1))
    assert script is not None
    assert script[:-1] == [Spawn(1.0, detached=False)] * MAX_SPAWNS
    assert script[-1] == Refused(f"SPAWN: a script starts at most {MAX_SPAWNS} children")


@given(st.text())
@example("\ud800")
def test_no_text_makes_the_parser_raise(text: str) -> None:
    parse_script(text)


@given(st.lists(st.tuples(st.sampled_from(NAMES), st.text(max_size=40)), max_size=10))
def test_no_instruction_makes_the_parser_raise(lines: list[tuple[str, str]]) -> None:
    script = parse_script("\n".join(f"{name} {rest}" for name, rest in lines))
    assert (script is None) == (not lines)


@given(st.one_of(st.integers(), st.floats(), st.text(max_size=10)))
def test_a_number_is_taken_within_its_bounds_or_refused(number: object) -> None:
    for instruction in parse_script(f"BURST {number}\nSLOW 1 {number}\nSPAWN {number}") or []:
        assert (
            isinstance(instruction, Refused)
            or (isinstance(instruction, Burst) and 0 <= instruction.count <= 1_000_000)
            or (isinstance(instruction, Slow) and 0 <= instruction.seconds <= 60)
            or (isinstance(instruction, Spawn) and 0 <= instruction.seconds <= 3600)
        )


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
        max_leaves=8,
    )
)
def test_the_input_of_a_tool_can_always_be_encoded_again(value: object) -> None:
    document = msgspec.json.encode(value).decode()
    (instruction,) = parse_script(f"TOOL Read {document}") or []
    assert isinstance(instruction, Tool | Refused)
    if isinstance(instruction, Tool):
        msgspec.json.encode(instruction.input)


@given(st.text())
def test_words_joined_are_the_text(text: str) -> None:
    assert "".join(words(text)) == text


def test_fillers_are_forty_characters_and_all_different() -> None:
    assert {len(filler(number)) for number in range(1000)} == {40}
    assert len({filler(number) for number in range(1000)}) == 1000
