"""Pictures made smaller: what comes out is right, what cannot be done is left alone, and nothing of it hurts the gateway."""

from __future__ import annotations

import asyncio
import contextlib
import io
import os
import struct
import subprocess
import sys
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import psutil
import pytest
from PIL import Image, ImageCms, PngImagePlugin

from sygen_bot.errors import RequestError, UnsupportedMedia
from sygen_bot.files.images import ImageFormat, ImageScaler, UnusablePicture

_T = TypeVar("_T")

RED, GREEN, BLUE, WHITE = (200, 30, 30), (30, 160, 60), (40, 60, 200), (255, 255, 255)
ORIENTATION, GPS = 0x0112, 0x8825


def scaler(
    output_format: ImageFormat = "png",
    *,
    max_dimension: int = 40,
    max_pixels: int = 1_000_000,
    timeout_s: float = 20,
    max_parallel: int = 2,
) -> ImageScaler:
    return ImageScaler(
        max_dimension=max_dimension,
        output_format=output_format,
        quality=90,
        max_pixels=max_pixels,
        timeout_s=timeout_s,
        max_parallel=max_parallel,
    )


def quarters(size: tuple[int, int] = (80, 60)) -> Image.Image:
    """Red, green, blue and white, clockwise from the top left."""
    image = Image.new("RGB", (2, 2))
    for place, colour in {(0, 0): RED, (1, 0): GREEN, (1, 1): BLUE, (0, 1): WHITE}.items():
        image.putpixel(place, colour)
    return image.resize(size, Image.Resampling.NEAREST)


def corners(image: Image.Image) -> list[tuple[int, ...]]:
    """The colours near the four corners, clockwise from the top left."""
    right, bottom = image.width * 7 // 8, image.height * 7 // 8
    left, top = image.width // 8, image.height // 8
    shown = image.convert("RGB")
    return [colour(shown, *place) for place in ((left, top), (right, top), (right, bottom), (left, bottom))]


def colour(image: Image.Image, x: int, y: int) -> tuple[int, ...]:
    pixel = image.getpixel((x, y))
    assert isinstance(pixel, tuple)
    return pixel


def assert_close(found: list[tuple[int, ...]], wanted: list[tuple[int, ...]], tolerance: int = 12) -> None:
    for one, other in zip(found, wanted, strict=True):
        assert all(abs(a - b) <= tolerance for a, b in zip(one, other, strict=True)), (found, wanted)


def saved(folder: Path, image: Image.Image, kind: str, **options: object) -> Path:
    source = folder / f"source.{kind.lower()}"
    image.save(source, kind, **options)
    return source


def animation(kind: str, size: tuple[int, int] = (80, 60)) -> bytes:
    frames, out = [Image.new("RGB", size, one) for one in (RED, GREEN, BLUE)], io.BytesIO()
    frames[0].save(out, kind, save_all=True, append_images=frames[1:], duration=50)
    return out.getvalue()


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(width: int, height: int, rows: bytes) -> bytes:
    """A PNG that says it is that large, with whatever in it."""
    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    body = chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows, 9)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


async def result(source: Path, one: ImageScaler, mime: str) -> Image.Image:
    target = source.with_name("target")
    assert await one.scaled(source, target) == mime
    with Image.open(target) as image:
        image.load()
    assert image.format is not None
    assert f"image/{image.format.lower()}" == mime
    return image


async def assert_stays(source: Path, one: ImageScaler | None = None) -> None:
    before, target = source.read_bytes(), source.with_name("target")
    assert await (one or scaler()).scaled(source, target) is None
    assert not target.exists()
    assert source.read_bytes() == before


# --- what comes out ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "BMP", "TIFF", "GIF", "AVIF"])
async def test_a_large_picture_of_any_kind_becomes_smaller(kind: str, tmp_path: Path) -> None:
    image = await result(saved(tmp_path, quarters(), kind), scaler(), "image/png")
    assert image.size == (40, 30)
    assert_close(corners(image), [RED, GREEN, BLUE, WHITE], 16)


@pytest.mark.parametrize("output_format", ["webp", "jpeg", "png"])
async def test_it_comes_in_the_format_that_is_asked_for(output_format: ImageFormat, tmp_path: Path) -> None:
    image = await result(saved(tmp_path, quarters((60, 80)), "PNG"), scaler(output_format), f"image/{output_format}")
    assert image.size == (30, 40)
    assert_close(corners(image), [RED, GREEN, BLUE, WHITE], 20)


async def test_a_thin_picture_keeps_a_pixel_of_width(tmp_path: Path) -> None:
    assert (await result(saved(tmp_path, Image.new("RGB", (4000, 1)), "PNG"), scaler(), "image/png")).size == (40, 1)


@pytest.mark.parametrize("turn", range(1, 9))
@pytest.mark.parametrize("kind", ["JPEG", "TIFF"])
async def test_a_turned_photograph_stands_upright(kind: str, turn: int, tmp_path: Path) -> None:
    upright = quarters()
    back = {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }
    exif = Image.Exif()
    exif[ORIENTATION] = turn
    source = saved(tmp_path, upright.transpose(back[turn]) if turn in back else upright, kind, exif=exif)
    image = await result(source, scaler(), "image/png")
    assert image.size == (40, 30)
    assert_close(corners(image), [RED, GREEN, BLUE, WHITE], 16)
    assert ORIENTATION not in image.getexif()


@pytest.mark.parametrize("output_format", ["webp", "jpeg", "png"])
async def test_nothing_tells_where_a_photograph_was_taken(output_format: ImageFormat, tmp_path: Path) -> None:
    exif = Image.Exif()
    exif.get_ifd(GPS)[2] = (47.0, 22.0, 11.0)
    exif[0x010E] = "at the secret place"
    source = saved(tmp_path, quarters(), "JPEG", exif=exif, comment=b"the secret place", xmp=b"<x>secret place</x>")
    assert source.read_bytes().count(b"secret") == 3
    image = await result(source, scaler(output_format), f"image/{output_format}")
    assert not image.getexif()
    written = source.with_name("target").read_bytes()
    assert not any(word in written for word in (b"secret", b"Exif\0", b"EXIF", b"eXIf", b"http://ns.adobe"))


async def test_text_in_a_png_does_not_stay(tmp_path: Path) -> None:
    notes = PngImagePlugin.PngInfo()
    notes.add_text("Comment", "the secret place")
    source = saved(tmp_path, quarters(), "PNG", pnginfo=notes)
    await result(source, scaler(), "image/png")
    assert b"secret" not in source.with_name("target").read_bytes()


@pytest.mark.parametrize("output_format", ["webp", "jpeg", "png"])
async def test_the_profile_of_the_colours_stays_with_them(output_format: ImageFormat, tmp_path: Path) -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    image = await result(
        saved(tmp_path, quarters(), "JPEG", icc_profile=profile), scaler(output_format), f"image/{output_format}"
    )
    assert image.info.get("icc_profile") == profile


async def test_a_profile_that_does_not_fit_or_is_none_is_left_out(tmp_path: Path) -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    for image, given in ((quarters().convert("L"), profile), (quarters(), b"no profile at all"), (quarters(), b"")):
        made = await result(saved(tmp_path, image, "JPEG", icc_profile=given), scaler("webp"), "image/webp")
        assert not made.info.get("icc_profile")


@pytest.mark.parametrize("output_format", ["webp", "png"])
async def test_transparency_stays(output_format: ImageFormat, tmp_path: Path) -> None:
    given = quarters().convert("RGBA")
    given.paste((0, 0, 0, 0), (0, 0, 40, 30))
    image = await result(saved(tmp_path, given, "PNG"), scaler(output_format), f"image/{output_format}")
    assert image.mode == "RGBA"
    assert [colour(image, *place)[3] for place in ((5, 5), (35, 5))] == [0, 255]


async def test_a_jpeg_shows_white_where_nothing_was(tmp_path: Path) -> None:
    given = quarters().convert("RGBA")
    given.paste((0, 0, 0, 0), (0, 0, 40, 30))
    image = await result(saved(tmp_path, given, "PNG"), scaler("jpeg"), "image/jpeg")
    assert_close(corners(image), [WHITE, GREEN, BLUE, WHITE], 20)


async def test_a_palette_with_a_transparent_entry_keeps_both(tmp_path: Path) -> None:
    given = quarters().convert("P", palette=Image.Palette.ADAPTIVE, colors=8)
    nothing = given.getpixel((2, 2))
    image = await result(saved(tmp_path, given, "PNG", transparency=nothing), scaler(), "image/png")
    assert colour(image, 5, 5)[3] == 0
    assert_close(corners(image)[1:], [GREEN, BLUE, WHITE])


async def test_the_inks_of_a_cmyk_jpeg_become_colours(tmp_path: Path) -> None:
    image = await result(saved(tmp_path, quarters().convert("CMYK"), "JPEG", quality=95), scaler("webp"), "image/webp")
    assert image.mode == "RGB"
    assert_close(corners(image), [RED, GREEN, BLUE, WHITE], 24)


async def test_sixteen_bits_of_grey_become_eight_of_the_same_grey(tmp_path: Path) -> None:
    given = Image.new("I;16", (80, 60), 0x8000)
    image = await result(saved(tmp_path, given, "PNG"), scaler(), "image/png")
    assert_close([colour(image.convert("RGB"), 20, 15)], [(128, 128, 128)], 2)


async def test_the_second_picture_in_a_phones_jpeg_is_no_animation(tmp_path: Path) -> None:
    source = tmp_path / "source.jpg"
    quarters().save(source, "MPO", save_all=True, append_images=[Image.new("RGB", (20, 20))])
    with Image.open(source) as twin:
        assert twin.format == "MPO"
    image = await result(source, scaler(), "image/png")
    assert_close(corners(image), [RED, GREEN, BLUE, WHITE], 16)


async def test_a_jpeg_may_be_larger_than_its_pixels_would_allow_since_it_is_decoded_small(tmp_path: Path) -> None:
    source = saved(tmp_path, quarters((1600, 1200)), "JPEG")
    assert (await result(source, scaler(), "image/png")).size == (40, 30)
    await assert_stays(source, scaler(max_dimension=1500))  # this would need all of them
    await assert_stays(source, scaler(max_pixels=400_000))  # and not without end


# --- what stays as it is ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [(1, 1), (40, 40), (40, 3)])
async def test_a_picture_that_is_small_enough_stays(size: tuple[int, int], tmp_path: Path) -> None:
    await assert_stays(saved(tmp_path, quarters(size), "PNG"))


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG", "AVIF", "TIFF"])
async def test_what_moves_or_has_pages_stays(kind: str, tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.write_bytes(animation(kind))
    await assert_stays(source)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "GIF", "AVIF"])
async def test_half_a_picture_stays(kind: str, tmp_path: Path) -> None:
    source = saved(tmp_path, Image.effect_noise((300, 300), 80).convert("RGB"), kind)
    source.write_bytes(source.read_bytes()[: source.stat().st_size // 2])
    await assert_stays(source)


@pytest.mark.parametrize(("width", "height"), [(90, 90), (5, 5)])
async def test_a_png_that_lies_about_its_size_stays(width: int, height: int, tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.write_bytes(png(width, height, b"\0" * 300))
    await assert_stays(source)


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"hello, I am no picture", id="text"),
        pytest.param(b"\x89PNG\r\n\x1a\n", id="only the head of a PNG"),
        pytest.param(b"\xff\xd8\xff" + b"\0" * 5000, id="a JPEG of zeros"),
        pytest.param(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 900 900\nshowpage\n", id="PostScript"),
        pytest.param(b"%PDF-1.7\n", id="PDF"),
        pytest.param(b'<svg xmlns="http://www.w3.org/2000/svg" width="900" height="900"/>', id="SVG"),
        pytest.param(b"P6 900 900 255\n" + b"\0" * 900 * 900 * 3, id="a raster format that nobody sends"),
    ],
)
async def test_what_is_no_picture_of_a_known_kind_stays_and_is_no_avatar(content: bytes, tmp_path: Path) -> None:
    source, target = tmp_path / "source", tmp_path / "target"
    source.write_bytes(content)
    await assert_stays(source)
    with pytest.raises(UnsupportedMedia):
        await scaler().as_avatar(source, target)
    assert not target.exists()


async def test_what_is_no_file_is_no_picture(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for source in (tmp_path / "pipe", tmp_path / "missing", tmp_path, Path("/dev/zero")):
        assert await scaler().scaled(source, tmp_path / "target") is None
        with pytest.raises(UnsupportedMedia):
            await scaler().as_avatar(source, tmp_path / "target")


async def test_a_bomb_stays_and_does_not_go_off(tmp_path: Path) -> None:
    source, target = tmp_path / "source", tmp_path / "target"
    rows = 50_001 * 100
    block = zlib.compressobj(9)
    some = block.compress(bytes(rows)) + block.flush(zlib.Z_FULL_FLUSH)
    checksum = (rows * 500 % 65_521 << 16) | 1  # of that many zeros
    packed = some + some[2:] * 499 + b"\3\0" + struct.pack(">I", checksum)
    head = struct.pack(">IIBBBBB", 50_000, 50_000, 8, 0, 0, 0, 0)
    source.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", packed) + chunk(b"IEND", b""))
    assert source.stat().st_size < 3 * 2**20
    one = ImageScaler(max_dimension=2000, output_format="webp", quality=85, timeout_s=10)
    await assert_stays(source, one)
    with pytest.raises(UnusablePicture, match="too many pixels"):
        await one.as_avatar(source, target)
    assert not target.exists()


@pytest.mark.parametrize("max_pixels", [4799, 4800])
async def test_pixels_are_bounded_exactly(max_pixels: int, tmp_path: Path) -> None:
    written = await scaler(max_pixels=max_pixels).scaled(saved(tmp_path, quarters(), "PNG"), tmp_path / "target")
    assert (written is not None) == (max_pixels == 4800)


# --- the process ------------------------------------------------------------------------------------------------------


def slow_picture(folder: Path) -> Path:
    """It takes seconds to read."""
    source = folder / "slow.png"
    source.write_bytes(png(20_000, 3_000, bytes(20_001 * 3_000)))
    return source


def readers() -> list[psutil.Process]:
    """The processes of ours that read pictures."""
    found = []
    for one in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.NoSuchProcess):
            if "image_worker" in " ".join(one.cmdline()):
                found.append(one)
    return found


async def until(seen: Callable[[], _T]) -> _T:
    async with asyncio.timeout(10):
        while True:
            if found := seen():
                return found
            await asyncio.sleep(0.005)


async def test_what_takes_too_long_stays_and_its_process_is_gone(tmp_path: Path) -> None:
    one = scaler(max_pixels=10**8, timeout_s=0.05)
    await assert_stays(slow_picture(tmp_path), one)
    with pytest.raises(UnusablePicture):
        await one.as_avatar(slow_picture(tmp_path), tmp_path / "target")
    assert readers() == []
    assert not (tmp_path / "target").exists()


async def test_who_is_cancelled_leaves_no_process_and_no_file(tmp_path: Path) -> None:
    task = asyncio.create_task(scaler(max_pixels=10**8).scaled(slow_picture(tmp_path), tmp_path / "target"))
    (reader,) = await until(readers)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not reader.is_running()
    assert not (tmp_path / "target").exists()


async def test_a_process_that_dies_takes_nothing_with_it(tmp_path: Path) -> None:
    one = scaler(max_pixels=10**8)
    task = asyncio.create_task(one.scaled(slow_picture(tmp_path), tmp_path / "target"))
    (reader,) = await until(readers)
    reader.kill()
    assert await task is None
    assert (await result(saved(tmp_path, quarters(), "PNG"), one, "image/png")).size == (40, 30)


async def test_no_more_than_a_few_are_read_at_once(tmp_path: Path) -> None:
    one, source = scaler(max_pixels=10**8), slow_picture(tmp_path)
    tasks = [asyncio.create_task(one.scaled(source, tmp_path / f"target{number}")) for number in range(6)]
    await until(lambda: len(readers()) == 2)
    for _ in range(20):
        assert len(readers()) <= 2
        await asyncio.sleep(0.005)
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)
    await until(lambda: not readers())
    source = saved(tmp_path, quarters(), "PNG")
    again = [one.scaled(source, tmp_path / f"again{number}") for number in range(6)]
    assert await asyncio.gather(*again) == ["image/png"] * 6, "all have their turn"


async def test_the_process_sees_nothing_of_our_environment_and_leads_its_own_session(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SYGEN_API__TOKEN", "secret")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    task = asyncio.create_task(scaler(max_pixels=10**8).scaled(slow_picture(tmp_path), tmp_path / "target"))
    (reader,) = await until(readers)
    await until(lambda: reader.nice() > os.nice(0))  # then its limits are set
    assert set(reader.environ()) <= {"PATH", "MALLOC_ARENA_MAX", "LC_CTYPE"}
    assert os.getsid(reader.pid) == reader.pid
    assert 0 < reader.rlimit(psutil.RLIMIT_AS)[1] < 2**30
    assert 0 < reader.rlimit(psutil.RLIMIT_CPU)[1] < 60
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


def test_the_gateway_itself_never_loads_pillow() -> None:
    source = "import sys, sygen_bot.files.images, sygen_bot.agents.profiles; sys.exit('PIL' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", source], timeout=60, check=False).returncode == 0


# --- avatars ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("size", "side"), [((80, 60), 32), ((600, 300), 256), ((20, 30), 20), ((1, 1), 1)])
async def test_an_avatar_is_the_middle_of_a_picture(size: tuple[int, int], side: int, tmp_path: Path) -> None:
    target = tmp_path / "target"
    await scaler().as_avatar(saved(tmp_path, quarters(size), "JPEG", quality=95), target, side=min(side, 256))
    with Image.open(target) as image:
        assert (image.format, image.size) == ("WEBP", (side, side))
        if side > 1:
            assert_close(corners(image), [RED, GREEN, BLUE, WHITE], 40)


async def test_an_animation_stands_still_as_an_avatar(tmp_path: Path) -> None:
    source, target = tmp_path / "source", tmp_path / "target"
    source.write_bytes(animation("GIF"))
    await scaler().as_avatar(source, target)
    with Image.open(target) as image:
        assert (image.size, getattr(image, "is_animated", False)) == ((60, 60), False)
        assert_close([colour(image.convert("RGB"), 30, 30)], [RED])


async def test_an_avatar_of_half_a_picture_is_refused(tmp_path: Path) -> None:
    source = saved(tmp_path, Image.effect_noise((300, 300), 80), "PNG")
    source.write_bytes(source.read_bytes()[:5000])
    with pytest.raises(RequestError) as refused:
        await scaler().as_avatar(source, tmp_path / "target")
    assert refused.value.code == "unsupported_media"
    assert not (tmp_path / "target").exists()
