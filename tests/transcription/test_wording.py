"""What engines say is made fit to be shown, whatever it is."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from sygen_bot.transcription.wording import MOST_COMPLAINT, complaint, secrets_of, transcript

ANYTHING = st.text(st.characters(codec=None), max_size=300) | st.lists(
    st.sampled_from(["\x1b[31m", "\x1b]0;", "\x07", "/home/ada/x", "C:\\Users\\ada", " ", "a", "'", "\n", "\r", ":"]),
    max_size=30,
).map("".join)


@given(ANYTHING)
def test_a_transcript_can_be_shown_and_kept(said: str) -> None:
    text = transcript(said)
    assert not re.search("[\0-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]", text)
    assert transcript(text) == text


@given(ANYTHING, st.text(st.characters(categories=["L", "N"]), min_size=6, max_size=40), ANYTHING)
def test_a_complaint_is_one_short_line_without_the_secret(before: str, secret: str, after: str) -> None:
    said = complaint(f"{before} {secret} {after}", {secret})
    assert len(said) <= MOST_COMPLAINT
    assert said.isprintable() or not re.search("[\0-\x1f\x7f-\x9f]", said)
    assert secret not in said or secret in "***<path>"


@given(
    st.text(max_size=100),
    st.sampled_from([" ", "'", '"', "(", "=", "\n", "[", ",", ":", " file://", " /", " ~"]),
    st.text(max_size=100),
)
def test_a_complaint_has_no_absolute_path(before: str, between: str, after: str) -> None:
    assert "/home/ada" not in complaint(f"{before}{between}/home/ada/{after}", set())


def test_ordinary_words_stay() -> None:
    said = "model tiny.en and/or 16 kHz: 3/4 done, see https://example.com/help?page=2 or v1/models"
    assert complaint(said, set()) == said


def test_secrets_are_found_in_variables_commands_and_addresses() -> None:
    environ = {"OPENAI_API_KEY": "one-one", "PATH": "/usr/bin", "MY_TOKEN": "two-two", "AUTH": "x"}
    configured = ("hear --api-key 'three-3' --password=four-4 {file}", "https://ada:five-5@host/v1?k=six-six", None)
    assert secrets_of(environ, *configured) == {"one-one", "two-two", "three-3", "four-4", "five-5", "six-six"}
