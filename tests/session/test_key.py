"""A session's name reads back as the session, and nothing else reads as one."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sygen_bot.session.key import MAX_ID, SessionKey, is_valid_id

_ids = st.integers(1, MAX_ID)
_keys = st.builds(SessionKey, st.from_regex(r"[a-z][a-z0-9_]{0,31}", fullmatch=True), _ids, st.none() | _ids)


def test_the_text_of_a_key_names_transport_chat_and_topic() -> None:
    assert str(SessionKey("api", 123, None)) == "api:123"
    assert str(SessionKey("api", 123, 77)) == "api:123:77"


@given(_keys)
@settings(deadline=None)
def test_parsing_the_text_gives_the_key_back(key: SessionKey) -> None:
    assert SessionKey.parse(str(key)) == key


@given(_keys, _keys)
@settings(deadline=None)
def test_different_keys_have_different_texts(one: SessionKey, other: SessionKey) -> None:
    assert (str(one) == str(other)) == (one == other)


@given(st.text())
@settings(deadline=None)
def test_any_text_is_a_key_that_reads_back_or_is_refused(text: str) -> None:
    try:
        key = SessionKey.parse(text)
    except ValueError:
        return
    assert str(key) == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "api",
        "api:",
        "api:0",
        "api:01",
        "api:-1",
        "api:1:",
        "api:1:0",
        "api:1:2:3",
        "api:1 ",
        "api:1\n",
        "API:1",
        ":1",
        "api:١",
        f"api:{MAX_ID + 1}",
        f"{'a' * 33}:1",
    ],
)
def test_what_only_looks_like_a_key_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"not a|ids are"):
        SessionKey.parse(text)


def test_no_field_has_a_default_so_that_no_transport_is_forgotten() -> None:
    for field in dataclasses.fields(SessionKey):
        assert field.default is dataclasses.MISSING
        assert field.default_factory is dataclasses.MISSING


@pytest.mark.parametrize("wrong", [0, -1, MAX_ID + 1, True, 1.0, "1", None])
def test_ids_are_integers_that_json_carries_exactly(wrong: Any) -> None:
    assert not is_valid_id(wrong)
    with pytest.raises(ValueError, match="ids are integers"):
        SessionKey("api", wrong, None)
    if wrong is not None:
        with pytest.raises(ValueError, match="ids are integers"):
            SessionKey("api", 1, wrong)


@pytest.mark.parametrize("transport", ["", "API", "a:b", "1a", "a b", "ä", "a" * 33])
def test_a_transport_is_a_short_plain_name(transport: str) -> None:
    with pytest.raises(ValueError, match="not a transport"):
        SessionKey(transport, 1, None)
