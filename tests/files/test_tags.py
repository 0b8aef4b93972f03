"""The files that an answer mentions: whichever way agents write them, and nothing that only looks like one."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sygen_bot.events import FileRef
from sygen_bot.files.tags import file_refs


def paths(text: str) -> list[str]:
    return [ref.path for ref in file_refs(text)]


@pytest.mark.parametrize(
    ("tag", "path", "name"),
    [
        ("<file:/home/me/chart.png>", "/home/me/chart.png", "chart.png"),
        ("<file: /home/me/my notes.txt >", "/home/me/my notes.txt", "my notes.txt"),
        ('<file:"/a/b.txt">', "/a/b.txt", "b.txt"),
        ("<file:'/a/b.txt'>", "/a/b.txt", "b.txt"),
        ("<file:/a/größe 日本.txt>", "/a/größe 日本.txt", "größe 日本.txt"),
        ("<file:/a/100%25.txt>", "/a/100%25.txt", "100%25.txt"),
        ("<file:/a/b#c?d.txt>", "/a/b#c?d.txt", "b#c?d.txt"),
        ("<file:///a/b%20c.txt>", "/a/b c.txt", "b c.txt"),
        ("<file://localhost/a/b.txt>", "/a/b.txt", "b.txt"),
        ("<file:file:///a/b.txt>", "/a/b.txt", "b.txt"),
        ("<file:FILE:///a/b.txt>", "/a/b.txt", "b.txt"),
        (r"<file:C:\Users\me\a.txt>", r"C:\Users\me\a.txt", "a.txt"),
        ("<file:C:/Users/me/a.txt>", "C:/Users/me/a.txt", "a.txt"),
        ("<file:///C:/Users/me/a%20b.txt>", "C:/Users/me/a b.txt", "a b.txt"),
        (r"<file:\\server\share\a.txt>", r"\\server\share\a.txt", "a.txt"),
        ("<file://server/share/a.txt>", r"\\server\share\a.txt", "a.txt"),
        ("<file:/>", "/", "/"),
    ],
)
def test_an_absolute_path_is_found_in_every_spelling(tag: str, path: str, name: str) -> None:
    assert file_refs(f"See {tag}.") == (FileRef(path, name, name.endswith(".png")),)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "no tag",
        "<file:>",
        "<file: >",
        "<file:relative/a.txt>",
        "<file:~/a.txt>",
        "<file:./a.txt>",
        "<file:C:a.txt>",
        "<file:/a\n.txt>",
        "<file:/a<b>",
        "<file://>",
        "<file://[bad/a.txt>",
        "<file:https://example.com/a.txt>",
        "<FILE:/a.txt>",
        "< file:/a.txt>",
        f"<file:/{'a' * 5000}>",
    ],
)
def test_what_names_no_absolute_path_is_no_file(text: str) -> None:
    assert file_refs(text) == ()


@pytest.mark.parametrize("tag", ["<file:///a%00.txt>", "<file:///a%0Ab.txt>", "<file:/a\x00.txt>", "<file:/a\x1b[2J>"])
def test_a_path_with_control_characters_is_no_file(tag: str) -> None:
    assert file_refs(tag) == ()


def test_several_come_in_order_and_each_once() -> None:
    text = "<file:/b.txt> then <file:/a.png>, <file:'/b.txt'> again and <file:/c.txt><file:/a.png>"
    assert paths(text) == ["/b.txt", "/a.png", "/c.txt"]


@pytest.mark.parametrize(
    ("name", "is_image"),
    [
        ("a.png", True),
        ("a.JPG", True),
        ("a.svg", True),
        ("a.webp", True),
        ("a.pdf", False),
        ("png", False),
        (".png", False),
    ],
)
def test_images_are_known_by_their_extension(name: str, is_image: bool) -> None:
    assert file_refs(f"<file:/x/{name}>")[0].is_image == is_image


@given(st.text())
@settings(deadline=None)
def test_no_text_makes_it_raise_and_every_file_is_absolute(text: str) -> None:
    for tagged in (text, f"<file:{text}>", f"<file://{text}>", f"<file:///{text}>"):
        for ref in file_refs(tagged):
            assert ref.path.startswith("/") or ref.path[1:2] == ":" or ref.path.startswith("\\\\")
            assert not any(ord(character) < 32 for character in ref.path)
            assert ref.name


_names = st.text(st.characters(exclude_categories=["Cc", "Cs"], exclude_characters="<>/\\'\"%"), min_size=1).filter(
    lambda name: name == name.strip() and name not in (".", "..")
)


@given(
    st.lists(_names, min_size=1, max_size=5), st.text(st.characters(exclude_characters="<>", exclude_categories=["Cs"]))
)
@settings(deadline=None)
def test_any_posix_path_between_any_words_is_found_as_it_is(parts: list[str], around: str) -> None:
    path = "/" + "/".join(parts)
    assert [(ref.path, ref.name) for ref in file_refs(f"{around}<file:{path}>{around}")] == [(path, parts[-1])]
