"""Avatars: which picture shows, that every name is only a name, and that what is kept is kept whole."""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from sygen_bot.agents.avatars import Avatar, Avatars, sweep_avatars
from sygen_bot.agents.colours import srgb_hex
from sygen_bot.agents.portrait import portrait
from sygen_bot.agents.profiles import Agents, Profile
from sygen_bot.errors import NotFound, RequestError
from sygen_bot.files.images import ImageScaler

NONE: Mapping[str, Path] = MappingProxyType({})
NASTY = [
    "../../etc/passwd",
    "a/b",
    "..",
    ".",
    "",
    "\0",
    "<script>alert(1)</script>",
    "\"&'",
    "ÄÖ é",
    "🦊",
    "x" * 5000,
    "\ud800",
]


def avatars(home: Path, configured: Mapping[str, Path] = NONE) -> Avatars:
    scaler = ImageScaler(max_dimension=2000, output_format="webp", quality=85)
    return Avatars(home / "avatars", configured=configured, scaler=scaler)


def picture(file: Path, colour: str, size: tuple[int, int] = (300, 200)) -> Path:
    Image.new("RGB", size, colour).save(file)
    return file


def shown(home: Path, avatar: Avatar) -> tuple[tuple[int, int], tuple[int, ...]]:
    """The size of a WebP and the colour in its middle."""
    assert avatar.mime == "image/webp"
    file = home / "shown.webp"
    file.write_bytes(avatar.data)
    with Image.open(file) as image:
        assert image.format == "WEBP"
        pixel = image.convert("RGB").getpixel((image.width // 2, image.height // 2))
        assert isinstance(pixel, tuple)
        return image.size, tuple(round(value / 255) * 255 for value in pixel)


# --- which one shows --------------------------------------------------------------------------------------------------


async def test_an_upload_comes_before_the_configuration_and_that_before_a_made_one(tmp_path: Path) -> None:
    red, blue = picture(tmp_path / "red.png", "red"), picture(tmp_path / "blue.jpg", "blue")
    kept = avatars(tmp_path, {"ada": red})
    assert shown(tmp_path, await kept.get("ada")) == ((200, 200), (255, 0, 0))
    await kept.put("ada", blue)
    assert shown(tmp_path, await kept.get("ada")) == ((200, 200), (0, 0, 255))
    assert (await kept.get("other")).mime == "image/svg+xml"
    await kept.remove("ada")
    await kept.remove("ada")
    assert shown(tmp_path, await kept.get("ada"))[1] == (255, 0, 0)


async def test_an_upload_is_there_after_a_restart_and_for_its_owner_alone(tmp_path: Path) -> None:
    await avatars(tmp_path).put("ada", picture(tmp_path / "red.png", "red", (900, 700)))
    (file,) = (tmp_path / "avatars").iterdir()
    assert (file.stat().st_mode & 0o077, file.parent.stat().st_mode & 0o077) == (0, 0)
    assert shown(tmp_path, await avatars(tmp_path).get("ada")) == ((256, 256), (255, 0, 0))


async def test_a_configured_picture_that_changes_shows_anew(tmp_path: Path) -> None:
    file = picture(tmp_path / "configured.png", "red")
    kept = avatars(tmp_path, {"ada": file})
    first = await kept.get("ada")
    assert await kept.get("ada") is first, "it is not read again while it is the same"
    picture(file, "blue", (310, 200))
    second = await kept.get("ada")
    assert shown(tmp_path, second)[1] == (0, 0, 255)
    assert second.etag != first.etag
    assert list((tmp_path / "avatars").iterdir()) == [], "nothing of it is kept on the disk"
    file.unlink()
    assert (await kept.get("ada")).mime == "image/svg+xml"


async def test_a_configured_picture_that_is_none_does_not_show(tmp_path: Path) -> None:
    (tmp_path / "script.svg").write_text("<svg><script>alert(1)</script></svg>")
    os.mkfifo(tmp_path / "pipe")
    wrong = {name: tmp_path / name for name in ("script.svg", "pipe", "missing")} | {"folder": tmp_path}
    kept = avatars(tmp_path, wrong)
    for name in wrong:
        assert await kept.picture(name) is None
        assert (await kept.get(name)).data.decode() == portrait(name)


async def test_what_is_no_picture_is_refused_and_the_old_one_stays(tmp_path: Path) -> None:
    kept = avatars(tmp_path)
    await kept.put("ada", picture(tmp_path / "red.png", "red"))
    before = await kept.get("ada")
    (tmp_path / "text").write_text("no picture")
    with pytest.raises(RequestError):
        await kept.put("ada", tmp_path / "text")
    assert await kept.get("ada") == before
    assert len(list((tmp_path / "avatars").iterdir())) == 1


async def test_whoever_reads_while_another_is_put_gets_one_or_the_other(tmp_path: Path) -> None:
    red, blue = picture(tmp_path / "red.png", "red"), picture(tmp_path / "blue.png", "blue")
    kept = avatars(tmp_path)
    await kept.put("ada", red)
    putting = asyncio.gather(*(kept.put("ada", source) for source in (blue, red, blue, red)))
    seen = {(await kept.get("ada")).data}
    while not putting.done():
        seen.add((await kept.get("ada")).data)
        await asyncio.sleep(0.01)
    await putting
    assert 1 <= len(seen) <= 2
    assert len(list((tmp_path / "avatars").iterdir())) == 1


async def test_what_a_crash_left_behind_is_removed_at_the_next_start(tmp_path: Path) -> None:
    (tmp_path / "avatars").mkdir()
    (tmp_path / "avatars" / ".new-half").write_bytes(b"half")
    await asyncio.to_thread(sweep_avatars, tmp_path / "avatars")
    assert list((tmp_path / "avatars").iterdir()) == []


# --- names ------------------------------------------------------------------------------------------------------------


async def test_whatever_a_name_is_its_file_lies_in_the_directory(tmp_path: Path) -> None:
    kept, red = avatars(tmp_path), picture(tmp_path / "red.png", "red")
    for name in NASTY:
        await kept.put(name, red)
        assert (await kept.get(name)).mime == "image/webp"
    files = [file.name for file in (tmp_path / "avatars").iterdir()]
    assert len(files) == len(NASTY)
    assert all(re.fullmatch(r"[0-9a-f]{64}\.webp", name) for name in files)
    assert {file.name for file in tmp_path.iterdir()} == {"avatars", "red.png"}


# --- the made ones ----------------------------------------------------------------------------------------------------


@given(st.one_of(st.text(st.characters()), st.sampled_from(NASTY)))
def test_a_made_picture_is_plain_svg_whatever_the_name(name: str) -> None:
    drawn = portrait(name)
    assert drawn == portrait(name)
    assert drawn.isascii()
    assert len(drawn) < 4096
    root = ElementTree.fromstring(drawn)  # noqa: S314 - our own
    assert root.attrib["viewBox"] == "0 0 256 256"
    known = {"svg", "defs", "g", "rect", "circle", "path", "stop", "linearGradient", "radialGradient"}
    for element in root.iter():
        assert element.tag.removeprefix("{http://www.w3.org/2000/svg}") in known
        assert not (element.text or "").strip()
        for attribute, value in element.attrib.items():
            assert not attribute.startswith("on")
            assert "href" not in attribute
            assert re.fullmatch(r"[\w .#()+-]*", value), value
    assert set(re.findall(r"url\(([^)]*)\)", drawn)) <= {f"#{element.get('id')}" for element in root.iter()}


def test_a_made_picture_does_not_change_from_one_version_to_the_next() -> None:
    """People know their agents by it."""
    assert re.findall("#[0-9a-f]{6}", portrait("main")) == [
        "#f84c47",
        "#bf0161",
        "#fea844",
        "#fea844",
        "#fea844",
        "#b5008d",
        "#b5008d",
        "#b5008d",
    ]


def test_names_look_different() -> None:
    assert len({portrait(f"agent {number}") for number in range(500)}) == 500


@given(st.floats(0, 1), st.floats(0, 0.4), st.floats(-720, 720))
def test_every_colour_can_be_shown(lightness: float, chroma: float, hue: float) -> None:
    assert re.fullmatch("#[0-9a-f]{6}", srgb_hex(lightness, chroma, hue))


@pytest.mark.parametrize(
    ("oklch", "expected"),
    [
        ((1, 0, 0), "#ffffff"),
        ((0, 0, 0), "#000000"),
        ((0.62796, 0.25768, 29.234), "#ff0000"),
        ((0.86644, 0.29483, 142.495), "#00ff00"),
        ((0.45201, 0.31321, 264.052), "#0000ff"),
    ],
)
def test_known_colours_come_out_as_they_are(oklch: tuple[float, float, float], expected: str) -> None:
    found = srgb_hex(*oklch)
    pairs = zip(bytes.fromhex(found[1:]), bytes.fromhex(expected[1:]), strict=True)
    assert all(abs(one - other) <= 2 for one, other in pairs), found


# --- the list ---------------------------------------------------------------------------------------------------------


async def test_an_agent_without_a_provider_is_answered_for_by_the_best_one(tmp_path: Path) -> None:
    best: list[str | None] = [None]
    agents = Agents(
        [
            Profile(name="main", title="Main", provider=None, model=None),
            Profile(name="own", title="Own", provider="claude", model="opus"),
            Profile(name="half", title="Half", provider="claude", model=None),
        ],
        avatars=avatars(tmp_path, {"own": picture(tmp_path / "red.png", "red")}),
        best=lambda: best[0],
        models=lambda provider: {"claude": ["sonnet", "opus"]}.get(provider, []),
    )

    async def listed() -> list[tuple[str | None, ...]]:
        return [(card.name, card.provider, card.model) for card in await agents.listed()]

    own = [("own", "claude", "opus"), ("half", "claude", "sonnet")]
    assert await listed() == [("main", None, None), *own]
    best[0] = "claude"
    assert await listed() == [("main", "claude", "sonnet"), *own]
    best[0] = "local"
    assert await listed() == [("main", "local", None), *own]
    assert [card.has_avatar for card in await agents.listed()] == [False, True, False]


async def test_an_unknown_agent_has_nothing(tmp_path: Path) -> None:
    agents = Agents([], avatars=avatars(tmp_path), best=lambda: None, models=lambda _provider: [])
    for asked in (agents.get("x"), agents.avatar("x"), agents.set_avatar("x", tmp_path), agents.remove_avatar("x")):
        with pytest.raises(NotFound):
            await asked
