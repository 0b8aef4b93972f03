"""Names that come from outside become names and nothing more."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sygen_bot.files.names import MAX_NAME_BYTES, safe_name


@pytest.mark.parametrize(
    ("given_name", "name"),
    [
        ("photo.png", "photo.png"),
        ("Résumé 2026.pdf", "Résumé 2026.pdf"),
        ("文書.txt", "文書.txt"),
        ("../../etc/passwd", "passwd"),
        ("..\\..\\boot.ini", "boot.ini"),
        ("/etc/", "etc"),
        ("", "file"),
        ("...", "file"),
        ("---", "file"),
        (".bashrc", "bashrc"),
        ("-rf.txt", "rf.txt"),
        ("a\r\nb\0c.txt", "abc.txt"),
        ("invoice\u202efdp.exe", "invoicefdp.exe"),
        ("a\uff0fb.txt", "a_b.txt"),
        ("trailing. . ", "trailing"),
        ("many   spaces.txt", "many spaces.txt"),
        ('what?*<>|":.txt', "what_______.txt"),
    ],
)
def test_what_a_name_becomes(given_name: str, name: str) -> None:
    assert safe_name(given_name) == name


def test_a_long_name_keeps_its_suffix() -> None:
    name = safe_name("x" * 300 + ".tar")
    assert len(name) == MAX_NAME_BYTES
    assert name.endswith("x.tar")


@given(st.text(max_size=400))
def test_any_text_becomes_one_harmless_name_and_then_stays(text: str) -> None:
    name = safe_name(text)
    assert 0 < len(name.encode()) <= MAX_NAME_BYTES
    assert not set("/\\\0") & set(name)
    assert name[0] not in ".- "
    assert name[-1] not in ". "
    assert not {"Cc", "Cf", "Cs"} & {unicodedata.category(character) for character in name}
    assert safe_name(name) == name
