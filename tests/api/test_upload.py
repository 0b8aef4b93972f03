"""Uploads: where they end, under which name and as what, and what the agent is told about them."""

from __future__ import annotations

import asyncio
import datetime as dt
import hashlib
import io
import itertools
import os
import unicodedata
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from PIL import Image, ImageOps

from tests.api.files_rig import (
    BOUNDARY,
    MULTIPART,
    Rig,
    animation,
    assert_harmless,
    assert_refused,
    disposition,
    exchange,
    file_part,
    files_rig,
    multipart,
    opened,
    part,
    picture,
    resident_bytes,
    text_part,
)
from tests.api.wire import PATIENCE_S

pytestmark = pytest.mark.asyncio(loop_scope="module")

LIMIT = 200_000


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def rig(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Rig]:
    async with files_rig(tmp_path_factory.mktemp("upload")) as running:
        yield running


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def small(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Rig]:
    """A gateway that takes no more than `LIMIT`."""
    async with files_rig(tmp_path_factory.mktemp("small"), api__max_upload_bytes=LIMIT) as running:
        yield running


# --- stored -----------------------------------------------------------------------------------------------------------


async def test_an_upload_is_stored_under_its_name_and_todays_date(rig: Rig) -> None:
    before = {dt.datetime.now().date(), dt.datetime.now(dt.UTC).date()}
    stored = await rig.store(b"words", "notes.txt")
    today = before | {dt.datetime.now().date(), dt.datetime.now(dt.UTC).date()}
    assert stored.path.parent.name in {day.isoformat() for day in today}
    assert (stored.name, stored.content, stored.size) == ("notes.txt", b"words", 5)
    assert stored.mime == "text/plain"


async def test_an_upload_can_be_read_again(rig: Rig) -> None:
    for name, content in (("again.txt", b"words"), ("again.png", picture()), ("again.html", b"<script>1</script>")):
        stored = await rig.store(content, name)
        answer = await rig.get(stored.path)
        assert (answer.status_code, answer.content) == (200, content)
        assert answer.headers["Content-Type"].partition(";")[0] == stored.mime
        assert disposition(answer)[1] == stored.name
        assert (await rig.follow((await rig.link(stored.path))["url"])).content == content


async def test_a_name_that_is_taken_gets_a_number(rig: Rig) -> None:
    contents = [b"first", b"second", b"third"]
    for name, expected in {
        "taken.txt": ["taken.txt", "taken_1.txt", "taken_2.txt"],
        "no extension": ["no extension", "no extension_1", "no extension_2"],
    }.items():
        stored = [await rig.store(content, name) for content in contents]
        assert [one.name for one in stored] == expected
        assert [one.content for one in stored] == contents


async def test_a_name_with_a_number_is_a_name_like_others(rig: Rig) -> None:
    names = [(await rig.store(b"x", name)).name for name in ("n_1.txt", "n.txt", "n.txt", "n_1.txt")]
    assert names[:2] == ["n_1.txt", "n.txt"]
    assert len(set(names)) == 4


async def test_fifty_of_one_name_at_once_are_fifty_files(rig: Rig) -> None:
    contents = [f"{number} ".encode() * 5000 for number in range(50)]
    stored = await asyncio.gather(*(rig.store(content, "crowd.txt") for content in contents))
    assert {one.name for one in stored} == {"crowd.txt", *(f"crowd_{number}.txt" for number in range(1, 50))}
    assert [one.content for one in stored] == contents


async def test_pictures_of_one_name_at_once_do_not_meet(rig: Rig) -> None:
    sizes = [(2100 + 10 * number, 100) for number in range(6)]
    stored = await asyncio.gather(*(rig.store(picture(size), "many.png") for size in sizes))
    stored += await asyncio.gather(*(rig.store(picture((10, 10 + n), "WEBP"), "many.webp") for n in range(4)))
    assert {one.name for one in stored} == {"many.webp", *(f"many_{number}.webp" for number in range(1, 10))}
    assert [opened(one.path).width for one in stored] == [2000] * 6 + [10] * 4


async def test_nothing_is_there_before_all_of_it_is(rig: Rig) -> None:
    body, let_go = multipart(file_part(b"x" * 300_000, "slow.txt")), asyncio.Event()

    async def slowly() -> AsyncIterator[bytes]:
        yield body[:200_000]
        await let_go.wait()
        yield body[200_000:]

    sent = rig.http.post("/upload", content=slowly(), headers={"Content-Type": MULTIPART})
    slow = asyncio.create_task(sent)
    quick = [await rig.store(b"quick", "quick.txt") for _ in range(3)]
    await rig.answers()
    assert not [name for name in rig.kept() if name.name == "slow.txt"]
    assert (await rig.get(quick[0].path.with_name("slow.txt"))).status_code == 404
    let_go.set()
    assert rig.stored(await slow).content == b"x" * 300_000


async def test_a_large_upload_streams_to_disk(rig: Rig) -> None:
    block, count = os.urandom(1_000_000), 45
    parts = multipart(file_part(b"@@", "large.bin")).split(b"@@")
    most, before = 0, resident_bytes()

    async def body() -> AsyncIterator[bytes]:
        nonlocal most
        yield parts[0]
        for _ in range(count):
            yield block
            most = max(most, resident_bytes() - before)
        yield parts[1]

    async with asyncio.timeout(PATIENCE_S):
        answer = await rig.http.post("/upload", content=body(), headers={"Content-Type": MULTIPART})
    stored = rig.stored(answer)
    assert stored.size == count * len(block)
    assert hashlib.sha256(stored.content).digest() == hashlib.sha256(block * count).digest()
    assert most < 16_000_000, most
    stored.path.unlink()


@pytest.mark.parametrize("begun", ["X-Header: ", 'Content-Disposition: form-data; name="file"; filename="', ""])
async def test_a_header_as_large_as_a_file_is_not_kept_in_memory(rig: Rig, begun: str) -> None:
    block, most, before = b"x" * 1_000_000, 0, resident_bytes()

    async def body() -> AsyncIterator[bytes]:
        nonlocal most
        yield f"--{BOUNDARY}\r\n{begun}".encode()
        for _ in range(45):
            yield block
            most = max(most, resident_bytes() - before)

    async with rig.nothing_left(), asyncio.timeout(PATIENCE_S):
        answer = await rig.http.post("/upload", content=body(), headers={"Content-Type": MULTIPART})
        rig.refused(answer, 400, 413, 431)
    assert most < 16_000_000, most


@pytest.mark.parametrize(
    "content", [b"", b"\r\n", b"\n", b"--", b"\r\n--", b"\0" * 1000, b"\r\n--a-boundary-of-the-test\r\n"]
)
async def test_any_bytes_arrive_as_they_are(rig: Rig, content: bytes) -> None:
    answer = await rig.upload(file_part(content, "bytes.bin"))
    if answer.status_code == 200:
        assert rig.stored(answer).content == content
    else:
        assert content == b"", "only what is empty may be refused"
        rig.refused(answer, 400, 422)


@pytest.mark.parametrize("size", [1, 7, 64, 1000])
async def test_how_it_is_cut_on_its_way_does_not_matter(rig: Rig, size: int) -> None:
    content = b"\r\n--a-boundary\r\n-" * 40
    body = multipart(text_part("caption", b"cut"), file_part(content, "cut.bin"))

    async def pieces() -> AsyncIterator[bytes]:
        for start in range(0, len(body), size):
            yield body[start : start + size]

    stored = rig.stored(await rig.http.post("/upload", content=pieces(), headers={"Content-Type": MULTIPART}))
    assert stored.content == content
    assert "cut" in stored.prompt


async def test_an_uploader_who_says_no_type_or_a_wrong_one_is_not_believed(rig: Rig) -> None:
    for kind, name, content, mime in (
        ("text/html", "typed.png", picture(), "image/png"),
        ("image/png", "typed.txt", b"words", "text/plain"),
        ("nonsense", "typed.txt", b"words", "text/plain"),
        ("image/png", "typed.pdf", b"%PDF-1.4\n%%EOF\n", "application/pdf"),
        ("text/plain", "really a picture.html", picture(kind="JPEG"), "image/jpeg"),
    ):
        stored = rig.stored(await rig.upload(file_part(content, name, kind=kind)))
        assert (stored.mime, stored.content) == (mime, content)
    bare = part(b'Content-Disposition: form-data; name="file"; filename="bare.txt"', b"words")
    assert rig.stored(await rig.upload(bare)).mime == "text/plain"


@pytest.mark.parametrize(
    "name", ["naïve.txt", "ключ 🔑.txt", "漢字.txt", "with space.txt", "a'b (1) [2].txt", "x.tar.gz", "a,b;c.txt"]
)
async def test_ordinary_names_are_kept(rig: Rig, name: str) -> None:
    assert (await rig.store(b"words", name)).name == unicodedata.normalize("NFC", name)


# --- what the agent is told -------------------------------------------------------------------------------------------

CAPTION = "What is this? „Grüße“ 🔑"


async def test_the_caption_may_come_before_or_after_the_file(rig: Rig) -> None:
    parts = [text_part("caption", CAPTION.encode()), file_part(b"words", "told.txt"), text_part("else", b"ignored")]
    prompts = []
    for order in itertools.permutations(parts):
        stored = rig.stored(await rig.upload(*order))
        assert CAPTION in stored.prompt
        prompts.append(stored.prompt.replace(stored.name, "told.txt"))
    assert len(set(prompts)) == 1


async def test_without_a_caption_the_agent_is_told_the_rest(rig: Rig) -> None:
    without, blank = await rig.store(b"words", "mute.txt"), await rig.store(b"words", "mute.txt", "")
    assert blank.prompt.replace(blank.name, without.name) == without.prompt
    assert "None" not in without.prompt


async def test_the_prompt_speaks_of_what_is_stored(rig: Rig) -> None:
    stored = await rig.store(picture((2500, 100)), "scaled.png", "a line")
    assert "scaled.png" not in stored.prompt
    for told in ("scaled.webp", "image/webp", "api_files/", "a line"):
        assert told in stored.prompt
    assert str(rig.paths.workspace) not in stored.prompt.replace(str(stored.path), ""), "the path is relative"


async def test_the_prompt_is_a_message_that_the_agent_answers(rig: Rig) -> None:
    stored = await rig.store(b"words", "message.txt", CAPTION)
    assert stored.prompt.strip()
    assert stored.prompt.encode()
    assert "\0" not in stored.prompt


# --- pictures ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("size", "scaled"),
    [
        ((2500, 1200), (2000, 960)),
        ((1200, 2500), (960, 2000)),
        ((2001, 10), (2000, 10)),
        ((3000, 1), (2000, 1)),
        ((1, 3000), (1, 2000)),
    ],
)
async def test_a_large_picture_is_scaled_down(rig: Rig, size: tuple[int, int], scaled: tuple[int, int]) -> None:
    stored = await rig.store(picture(size), "large.png")
    image = opened(stored.path)
    assert image.format == "WEBP"
    assert max(image.size) == 2000
    assert all(abs(got - wanted) <= 1 for got, wanted in zip(image.size, scaled, strict=True))
    assert (stored.path.suffix, stored.mime) == (".webp", "image/webp")
    assert (await rig.get(stored.path)).headers["Content-Type"] == "image/webp"


@pytest.mark.parametrize(
    ("kind", "mode"),
    [
        ("PNG", "RGBA"),
        ("PNG", "L"),
        ("PNG", "LA"),
        ("PNG", "P"),
        ("PNG", "1"),
        ("PNG", "I;16"),
        ("JPEG", "CMYK"),
        ("JPEG", "L"),
        ("BMP", "RGB"),
        ("GIF", "P"),
        ("WEBP", "RGBA"),
        ("TIFF", "RGB"),
    ],
)
async def test_pictures_of_every_kind_are_scaled(rig: Rig, kind: str, mode: str) -> None:
    content = picture((2200, 40), kind, mode=mode)
    stored = await rig.store(content, f"kind.{kind.lower()}")
    if stored.content != content:  # a kind that cannot be read is kept
        assert (opened(stored.path).format, opened(stored.path).width) == ("WEBP", 2000)
        assert stored.mime == "image/webp"
    else:
        assert (kind, mode) in {("TIFF", "RGB"), ("PNG", "I;16")}


async def test_what_is_transparent_stays_so(rig: Rig) -> None:
    written = io.BytesIO()
    Image.new("RGBA", (2100, 40), (255, 0, 0, 0)).save(written, "PNG")
    image = opened((await rig.store(written.getvalue(), "clear.png")).path)
    assert image.convert("RGBA").getpixel((5, 5))[3] == 0  # type: ignore[index]


async def test_a_picture_stays_upright(rig: Rig) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by a quarter
    stored = await rig.store(picture((2400, 1200), "JPEG", exif=exif), "turned.jpg")
    assert ImageOps.exif_transpose(opened(stored.path)).size == (1000, 2000)


@pytest.mark.parametrize("size", [(2000, 2000), (2000, 10), (10, 10)])
async def test_a_picture_that_is_small_enough_is_kept(rig: Rig, size: tuple[int, int]) -> None:
    content = picture(size)
    stored = await rig.store(content, "small.png")
    assert (stored.content, stored.mime, stored.path.suffix) == (content, "image/png", ".png")


MOVING = {
    "moving.gif": animation((2100, 20)),
    "moving.webp": animation((2100, 20), "WEBP"),
    "moving.png": animation((2100, 20), "PNG"),
}


@pytest.mark.parametrize("name", MOVING)
async def test_what_moves_is_kept(rig: Rig, name: str) -> None:
    stored = await rig.store(MOVING[name], name)
    assert (stored.name, stored.content) == (name, MOVING[name])


BROKEN = {
    "cut.png": picture((2500, 300))[:-200],
    "cut.jpg": picture((2500, 300), "JPEG")[:500],
    "head.png": b"\x89PNG\r\n\x1a\n",
    "noise.png": b"\x89PNG\r\n\x1a\n" + os.urandom(1000),
    "noise.jpg": b"\xff\xd8\xff\xe0" + os.urandom(1000),
    "noise.webp": b"RIFF\x10\x27\0\0WEBPVP8 " + os.urandom(1000),
    "words.png": b"no picture at all",
}


@pytest.mark.parametrize("name", BROKEN)
async def test_a_picture_that_cannot_be_read_is_kept(rig: Rig, name: str) -> None:
    stored = await rig.store(BROKEN[name], name)
    assert (stored.name, stored.content) == (name, BROKEN[name])
    assert (await rig.get(stored.path)).content == BROKEN[name]


async def test_how_large_and_as_what_is_for_the_settings_to_say(tmp_path: Path) -> None:
    for kind, suffixes in (("jpeg", {".jpg", ".jpeg"}), ("png", {".png"})):
        async with files_rig(tmp_path / kind, image__max_dimension=100, image__output_format=kind) as rig:
            for mode in ("RGB", "RGBA", "P", "LA", "1"):
                stored = await rig.store(picture((300, 150), mode=mode), "set.png")
                assert (stored.path.suffix in suffixes, stored.mime) == (True, f"image/{kind}")
                assert (opened(stored.path).format, opened(stored.path).size) == (kind.upper(), (100, 50))


# --- too much ---------------------------------------------------------------------------------------------------------


async def test_up_to_the_limit_it_is_taken(small: Rig) -> None:
    assert (await small.store(b"x" * (LIMIT // 2), "half.bin")).size == LIMIT // 2
    await small.taken_or_refused(lambda: small.upload(file_part(b"x" * LIMIT, "all.bin")), 413)


@pytest.mark.parametrize("size", [LIMIT + 1, LIMIT * 2, LIMIT * 20])
@pytest.mark.parametrize("told", [True, False], ids=["with its length", "in chunks"])
async def test_over_the_limit_it_is_refused_and_nothing_is_left(small: Rig, size: int, told: bool) -> None:
    body = multipart(file_part(b"x" * size, "too large.bin"))
    length = [b"Content-Length: %d" % len(body)] if told else [b"Transfer-Encoding: chunked"]
    head = small.exchange_head(b"Content-Type: " + MULTIPART.encode(), *length)
    pieces = [body] if told else [*(b"%x\r\n%s\r\n" % (len(one), one) for one in cut(body, 60_000)), b"0\r\n\r\n"]
    async with small.nothing_left():
        answer = await asyncio.to_thread(exchange, small.gateway.port, [head, *pieces])
        small.refused(answer, 413)


def cut(body: bytes, size: int) -> list[bytes]:
    return [body[start : start + size] for start in range(0, len(body), size)]


async def test_what_was_refused_does_not_take_a_name(small: Rig) -> None:
    small.refused(await small.upload(file_part(b"x" * LIMIT * 2, "name.bin")), 413)
    assert (await small.store(b"x", "name.bin")).name == "name.bin"


# --- nothing to take --------------------------------------------------------------------------------------------------

WHOLE = multipart(file_part(b"words", "wrong.txt"))
NO_UPLOADS: dict[str, tuple[str | None, bytes]] = {
    "JSON": ("application/json", b'{"file": "words"}'),
    "a form": ("application/x-www-form-urlencoded", b"file=words"),
    "text": ("text/plain", b"words"),
    "nothing": (None, b""),
    "no type": (None, WHOLE),
    "an empty type": ("", WHOLE),
    "no boundary": ("multipart/form-data", WHOLE),
    "an empty boundary": ("multipart/form-data; boundary=", WHOLE),
    "another boundary": ("multipart/form-data; boundary=another", WHOLE),
    "an empty body": (MULTIPART, b""),
    "no parts": (MULTIPART, multipart()),
    "only a caption": (MULTIPART, multipart(text_part("caption", b"words"))),
    "a file of another name": (MULTIPART, multipart(file_part(b"words").replace(b'"file"', b'"files"'))),
    "a name in capitals": (MULTIPART, multipart(file_part(b"words").replace(b'"file"', b'"FILE"'))),
    "a field that is no file": (MULTIPART, multipart(text_part("file", b"words"))),
    "a caption that is the file": (MULTIPART, multipart(file_part(b"words").replace(b'"file"', b'"caption"'))),
    "no end": (MULTIPART, file_part(b"words")),
    "a part without a head": (MULTIPART, multipart(part(b"", b"words"))),
    "a part without a name": (MULTIPART, multipart(part(b"Content-Disposition: form-data", b"words"))),
    "text in front": (MULTIPART, b"words"),
}


@pytest.mark.parametrize("name", NO_UPLOADS)
async def test_what_is_no_upload_is_refused(rig: Rig, name: str) -> None:
    kind, body = NO_UPLOADS[name]
    headers = {} if kind is None else {"Content-Type": kind}
    async with rig.nothing_left():
        rig.refused(await rig.http.post("/upload", content=body, headers=headers), 400)


async def test_without_the_token_nothing_is_taken(rig: Rig) -> None:
    async with rig.nothing_left():
        assert_refused(await rig.stranger.post("/upload", content=WHOLE, headers={"Content-Type": MULTIPART}), 401)
        wrong = {"Content-Type": MULTIPART, "Authorization": "Bearer wrong"}
        assert_refused(await rig.stranger.post("/upload", content=WHOLE, headers=wrong), 401)


async def test_a_stranger_is_turned_away_before_his_file_is_read(rig: Rig) -> None:
    head = b"POST /upload HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 1000000000\r\n"
    head += b"Content-Type: " + MULTIPART.encode() + b"\r\n\r\n"
    answer = await rig.exchange([head, file_part(b"x" * 1000)])
    assert answer is not None
    assert_refused(answer, 401)


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH"])
async def test_uploads_are_posted(rig: Rig, method: str) -> None:
    async with rig.nothing_left():
        answer = await rig.http.request(method, "/upload", content=WHOLE, headers={"Content-Type": MULTIPART})
        rig.refused(answer, 404, 405)


async def test_a_file_without_a_name_gets_one_or_is_refused(rig: Rig) -> None:
    for disposed in (b'filename=""', b"filename=", b'filename="."', b'filename=".."', b'filename="/"', b'filename=" "'):
        body = part(b'Content-Disposition: form-data; name="file"; ' + disposed, b"words")
        await rig.taken_or_refused(lambda body=body: rig.upload(body), 400, 422)  # type: ignore[misc]


async def test_of_two_files_one_is_taken_or_none(rig: Rig) -> None:
    parts = [file_part(b"one", "one.txt"), file_part(b"two", "two.txt")]
    stored = await rig.taken_or_refused(lambda: rig.upload(*parts), 400, 422)
    assert stored is None or stored.content in (b"one", b"two")


async def test_an_uploaded_page_is_harmless(rig: Rig) -> None:
    drawing = b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'
    stored = rig.stored(await rig.upload(file_part(drawing, "drawing.svg", kind="image/png")))
    assert stored.content == drawing
    assert_harmless(await rig.get(stored.path))


async def test_a_file_that_may_be_run_may_not_be_when_it_arrives(rig: Rig) -> None:
    for name in ("run.sh", "run.py", "run", "run.desktop"):
        stored = await rig.store(b"#!/bin/sh\nexit 1\n", name)
        assert not os.access(stored.path, os.X_OK)
