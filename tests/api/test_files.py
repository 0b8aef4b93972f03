"""Files over HTTP: what comes back for a path, to whom, in which pieces; and links that open one file for a while."""

from __future__ import annotations

import asyncio
import hashlib
import os
import re
import socket
import time
from collections.abc import AsyncIterator
from email.utils import formatdate
from pathlib import Path
from urllib.parse import quote, quote_plus

import httpx
import pytest
import pytest_asyncio

from tests.api.files_rig import (
    Rig,
    animation,
    assert_harmless,
    assert_refused,
    disposition,
    files_rig,
    picture,
    resident_bytes,
)
from tests.api.wire import PATIENCE_S, client

pytestmark = pytest.mark.asyncio(loop_scope="module")

TEXT = bytes(range(32, 127)) * 11
"""1045 bytes, each of which tells where it comes from."""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def rig(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Rig]:
    async with files_rig(tmp_path_factory.mktemp("files")) as running:
        yield running


# --- what it is -------------------------------------------------------------------------------------------------------

WAV = b"RIFF\x24\0\0\0WAVEfmt \x10\0\0\0\1\0\1\0\x40\x1f\0\0\x40\x1f\0\0\1\0\x08\0data\0\0\0\0"
MP4 = b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom" + b"\0" * 64
MP3 = b"ID3\x03\0\0\0\0\0\x0a" + b"\0" * 64
OGG = b"OggS\0\x02" + b"\0" * 22 + b"\x01\x13OpusHead" + b"\0" * 32
PDF = b"%PDF-1.4\n1 0 obj\n<<>>\nendobj\n%%EOF\n"

SHOWN = {
    "photo.png": (picture(), {"image/png"}),
    "photo.jpg": (picture(kind="JPEG"), {"image/jpeg"}),
    "photo.webp": (picture(kind="WEBP"), {"image/webp"}),
    "moving.gif": (animation(), {"image/gif"}),
    "sound.wav": (WAV, {"audio/wav", "audio/x-wav", "audio/vnd.wave"}),
    "sound.mp3": (MP3, {"audio/mpeg"}),
    "sound.ogg": (OGG, {"audio/ogg", "application/ogg", "audio/opus"}),
    "film.mp4": (MP4, {"video/mp4"}),
    "no extension": (picture(), {"image/png"}),
    "really a picture.txt": (picture(kind="JPEG"), {"image/jpeg"}),
    "really a picture.html": (picture(), {"image/png"}),
    "really a film.png": (MP4, {"video/mp4"}),
}
"""By name: the bytes and the types that they may be said to have."""


@pytest.mark.parametrize("name", SHOWN)
async def test_pictures_sounds_and_films_are_told_by_their_bytes_and_shown_in_place(rig: Rig, name: str) -> None:
    content, kinds = SHOWN[name]
    answer = await rig.get(rig.put(name, content))
    assert (answer.status_code, answer.content) == (200, content)
    assert answer.headers["Content-Type"] in kinds
    assert answer.headers["Content-Length"] == str(len(content))
    if answer.headers["Content-Type"].startswith("application/"):
        assert_harmless(answer)
    else:
        assert disposition(answer) == ("inline", name)


SAVED = {
    "notes.txt": (b"plain words", "text/plain"),
    "umlauts.txt": ("Grüße, 🔑".encode(), "text/plain"),
    "notes.md": (b"# words", "text/"),
    "table.csv": (b"a,b\n1,2\n", "text/csv"),
    "data.json": (b'{"a": 1}', "application/json"),
    "README": (b"plain words", ""),
    "page.html": (b"<script>alert(1)</script>", ""),
    "page.HTML": (b"<!doctype html><script>alert(1)</script>", ""),
    "page.xhtml": (b'<html xmlns="http://www.w3.org/1999/xhtml"><script>alert(1)</script></html>', ""),
    "page.xml": (b'<?xml version="1.0"?><x xmlns="http://www.w3.org/1999/xhtml"/>', ""),
    "page.mhtml": (b"MIME-Version: 1.0\n\n<script>alert(1)</script>", ""),
    "drawing.svg": (b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>', ""),
    "code.js": (b"alert(1)", ""),
    "paper.pdf": (PDF, "application/pdf"),
    "paper.png": (PDF, "application/pdf"),
    "archive.zip": (b"PK\x05\x06" + b"\0" * 18, "application/zip"),
    "page": (b"<!doctype html><script>alert(1)</script>", ""),
    "program.exe": (b"MZ" + b"\0" * 100, ""),
    "program": (b"\x7fELF" + b"\0" * 100, ""),
    "what.is.this": (b"\0\1\2\3\xff", ""),
}
"""By name: the bytes and how the type begins, where only one will do."""


@pytest.mark.parametrize("name", SAVED)
async def test_everything_else_is_for_saving_and_can_do_nothing_in_a_page(rig: Rig, name: str) -> None:
    content, kind = SAVED[name]
    answer = await rig.get(rig.put(name, content))
    assert (answer.status_code, answer.content) == (200, content)
    assert answer.headers["Content-Type"].startswith(kind)
    assert re.fullmatch(r"[\w.+-]+/[\w.+-]+(; charset=[\w-]+)?", answer.headers["Content-Type"])
    assert_harmless(answer)
    assert disposition(answer)[1] == name


NAMES = [
    "plain.txt",
    "with space.txt",
    'quo"te.txt',
    "back\\slash.txt",
    "semi;colon=.txt",
    "per%20cent%.txt",
    "a'b.txt",
]
NAMES += [
    "naïve.txt",
    "ключ 🔑.txt",
    "漢字.png",
    "a, b.txt",
    "(a) [b] {c}.txt",
    "filename*=UTF-8''x.txt",
    "-dash",
    ".dot",
    "=?x?=",
]


@pytest.mark.parametrize("name", NAMES)
async def test_the_name_comes_back_as_it_is(rig: Rig, name: str) -> None:
    answer = await rig.get(rig.put(name))
    assert answer.status_code == 200
    assert disposition(answer)[1] == name


async def test_an_empty_file_is_an_empty_answer(rig: Rig) -> None:
    empty = rig.put("empty.txt", b"")
    answer = await rig.get(empty)
    assert (answer.status_code, answer.content, answer.headers["Content-Length"]) == (200, b"", "0")
    for pieces in ("bytes=0-", "bytes=0-0", "bytes=-1"):
        answer = await rig.get(empty, range=pieces)
        if answer.status_code != 200:
            assert_refused(answer, 416)


# --- who may have what ------------------------------------------------------------------------------------------------


async def test_without_the_token_there_is_nothing(rig: Rig) -> None:
    for path in (rig.put("for me.txt"), rig.outside / "nothing", ""):
        assert_refused(await rig.stranger.get("/files", params={"path": str(path)}), 401)
    answer = await rig.stranger.get(
        "/files", params={"path": str(rig.put("for me.txt"))}, headers={"Authorization": "Bearer x"}
    )
    assert_refused(answer, 401)


@pytest.mark.parametrize("query", [{}, {"file": "/x"}, {"PATH": "/x"}])
async def test_without_a_path_the_request_is_wrong(rig: Rig, query: dict[str, str]) -> None:
    rig.refused(await rig.get(query), 400)


async def test_an_empty_path_is_no_file(rig: Rig) -> None:
    rig.refused(await rig.get({"path": ""}), 400, 403, 404)


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
async def test_files_are_only_read(rig: Rig, method: str) -> None:
    file = rig.put("only read.txt")
    answer = await rig.get(file, method=method)
    rig.refused(answer, 405)
    assert file.read_bytes() == b"public"


async def test_what_is_no_file_is_not_found(rig: Rig) -> None:
    folder = rig.put("folder/file.txt").parent
    os.mkfifo(rig.paths.workspace / "pipe")
    within = os.open(rig.paths.workspace, os.O_RDONLY)
    try:
        with socket.socket(socket.AF_UNIX) as listening:
            listening.bind(f"/proc/self/fd/{within}/socket")  # the whole path may be too long for a socket
            for path in (folder, f"{folder}/", rig.paths.workspace / "pipe", rig.paths.workspace / "socket"):
                rig.refused(await rig.get(path), 404)
    finally:
        os.close(within)
    for path in ("missing.txt", "folder/missing.txt", "missing/missing.txt", "folder/file.txt/x"):
        rig.refused(await rig.get(f"{rig.paths.workspace}/{path}"), 404)


async def test_in_the_workspace_means_in_the_workspace(rig: Rig) -> None:
    assert (await rig.get(rig.put("deep/er/file.txt"))).status_code == 200
    (rig.paths.workspace / "inside").symlink_to(rig.put("deep/er/file.txt"))
    assert (await rig.get(rig.paths.workspace / "inside")).content == b"public"
    (rig.paths.workspace / "inside folder").symlink_to(rig.paths.workspace / "deep")
    assert (await rig.get(rig.paths.workspace / "inside folder/er/file.txt")).content == b"public"
    outside = [rig.hide(), rig.hide(folder=rig.user), rig.hide(folder=rig.paths.home)]
    outside += [rig.hide(folder=rig.paths.home / "workspace2"), Path("/etc/passwd"), rig.outside / "missing", Path("/")]
    for path in outside:
        rig.refused(await rig.get(path), 403)


async def test_in_the_home_means_in_the_users_home(tmp_path: Path) -> None:
    async with files_rig(tmp_path, file_access="home") as rig:
        for inside in (rig.put("a.txt"), rig.put("a.txt", folder=rig.user), rig.put("x/a.txt", folder=rig.user)):
            assert (await rig.get(inside)).content == b"public"
        for path in (rig.hide(), rig.hide(folder=rig.user.with_name("user2")), Path("/etc/passwd"), rig.user.parent):
            rig.refused(await rig.get(path), 403)
        (rig.user / "way out").symlink_to(rig.outside)
        rig.refused(await rig.get(rig.user / "way out" / "secret.txt"), 403)


async def test_all_means_anything_but_what_is_private(tmp_path: Path) -> None:
    async with files_rig(tmp_path, file_access="all") as rig:
        for anywhere in (rig.put("a.txt"), rig.put("a.txt", folder=rig.user), rig.put("a.txt", folder=rig.outside)):
            assert (await rig.get(anywhere)).content == b"public"
        (rig.paths.workspace / "way out").symlink_to(rig.outside)
        assert (await rig.get(rig.paths.workspace / "way out" / "a.txt")).content == b"public"
        assert (await rig.get("/etc/passwd")).content == Path("/etc/passwd").read_bytes()
        for nothing in (rig.outside, rig.outside / "missing", "/dev/null"):
            rig.refused(await rig.get(nothing), 404)
        rig.refused(await rig.get(rig.paths.config_file), 403)


# --- what a client has already ----------------------------------------------------------------------------------------


async def test_what_has_not_changed_is_not_sent_again(rig: Rig) -> None:
    file = rig.put("kept.txt", TEXT)
    tag = (await rig.get(file)).headers["ETag"]
    assert re.fullmatch(r'(W/)?"[\x21\x23-\x7e]+"', tag)
    weak, strong = (tag, tag[2:]) if tag.startswith("W/") else (f"W/{tag}", tag)
    for known in (tag, weak, strong, "*", f'"x", {tag}', f'"x" , W/"y",{weak}', f'{strong}, "z"'):
        for method in ("GET", "HEAD"):
            answer = await rig.get(file, method=method, if_none_match=known)
            assert (answer.status_code, answer.content, answer.headers.get("ETag")) == (304, b"", tag), known
    for known in ('"x"', 'W/"x"', '"x", "y"', strong[:-2] + '"', strong.strip('"') + "x", "", '"', ",,,"):
        answer = await rig.get(file, if_none_match=known)
        assert (answer.status_code, answer.content) == (200, TEXT), known
    answer = await rig.get(file, if_none_match=tag, range="bytes=0-9")
    assert answer.status_code == 304


async def test_a_file_that_changes_gets_another_tag(rig: Rig) -> None:
    file = rig.put("changing.txt", TEXT)
    first = (await rig.get(file)).headers["ETag"]
    assert (await rig.get(file)).headers["ETag"] == first
    with file.open("ab") as more:
        more.write(b"more")
    answer = await rig.get(file, if_none_match=first)
    assert (answer.status_code, answer.content) == (200, TEXT + b"more")
    grown = answer.headers["ETag"]
    assert grown != first
    file.write_bytes((TEXT + b"more")[::-1])  # as long as before
    os.utime(file, ns=(time.time_ns(), time.time_ns() + 2_000_000))
    assert (await rig.get(file)).headers["ETag"] not in (first, grown)


async def test_a_file_that_is_not_the_users_any_more_is_told_even_to_who_has_it(rig: Rig) -> None:
    file = rig.put("gone.txt", TEXT)
    tag = (await rig.get(file)).headers["ETag"]
    file.unlink()
    rig.refused(await rig.get(file, if_none_match=tag), 404)
    rig.refused(await rig.get(file, if_none_match="*"), 404)
    rig.refused(await rig.get(rig.hide(), if_none_match="*"), 403)


# --- pieces -----------------------------------------------------------------------------------------------------------

PIECES = {
    "bytes=0-0": (0, 0),
    "bytes=0-9": (0, 9),
    "bytes=10-19": (10, 19),
    "bytes=1000-": (1000, 1044),
    "bytes=0-": (0, 1044),
    "bytes=-1": (1044, 1044),
    "bytes=-45": (1000, 1044),
    "bytes=-1045": (0, 1044),
    "bytes=-5000": (0, 1044),
    "bytes=1044-1044": (1044, 1044),
    "bytes=1040-9999": (1040, 1044),
    "bytes=0-1044": (0, 1044),
}


@pytest.mark.parametrize("pieces", PIECES)
async def test_a_piece_is_sent_alone(rig: Rig, pieces: str) -> None:
    first, last = PIECES[pieces]
    answer = await rig.get(rig.put("pieces.txt", TEXT), range=pieces)
    assert (answer.status_code, answer.content) == (206, TEXT[first : last + 1])
    assert answer.headers["Content-Range"] == f"bytes {first}-{last}/{len(TEXT)}"
    assert answer.headers["Content-Length"] == str(last - first + 1)
    assert answer.headers["Accept-Ranges"] == "bytes"
    assert_harmless(answer)


@pytest.mark.parametrize("pieces", ["bytes=1045-", "bytes=1045-1050", "bytes=9999-99999", "bytes=-0"])
async def test_a_piece_beyond_the_end_is_refused_with_the_size(rig: Rig, pieces: str) -> None:
    answer = await rig.get(rig.put("pieces.txt", TEXT), range=pieces)
    rig.refused(answer, 416)
    assert answer.headers["Content-Range"] == "bytes */1045"


NO_PIECES = [
    "",
    "bytes",
    "bytes=",
    "bytes=a-b",
    "bytes=-",
    "bytes=--1",
    "bytes=5-2",
    "bytes=0x1-2",
    "bytes=1_0-2_0",
    "bytes=+1-+5",
]
NO_PIECES += [
    "items=0-1",
    "=0-1",
    "bytes=0-1=2",
    "bytes:0-1",
    "bytes=1.0-2",
    "bytes=0 1-2",
    "bytes=,",
    "bytes=0-1,x",
    "bytes=1e1-",
]


@pytest.mark.parametrize("pieces", NO_PIECES)
async def test_what_asks_for_no_piece_gets_the_whole_or_a_refusal(rig: Rig, pieces: str) -> None:
    answer = await rig.get(rig.put("pieces.txt", TEXT), range=pieces)
    if answer.status_code == 200:
        assert answer.content == TEXT
    elif answer.status_code == 206:  # the part of it that can be read
        assert answer.content in TEXT
    else:
        rig.refused(answer, 400, 416)


def parts(answer: httpx.Response) -> list[tuple[str, bytes]]:
    """(Content-Range, content) of the parts of a multipart answer."""
    boundary = answer.headers["Content-Type"].partition("boundary=")[2].strip('"')
    read = []
    for one in answer.content.split(f"--{boundary}".encode())[1:-1]:
        head, _, content = one.partition(b"\r\n\r\n")
        found = re.search(rb"(?i)content-range: ([^\r\n]+)", head)
        assert found
        read.append((found[1].decode(), content.removesuffix(b"\r\n")))
    return read


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ("bytes=0-9,100-109", [(0, 9), (100, 109)]),
        ("bytes=0-0, -1", [(0, 0), (1044, 1044)]),
        ("bytes=100-109,0-9", [(0, 9), (100, 109)]),
        ("bytes=0-9,2000-", [(0, 9)]),
        ("bytes=0-9,5-19", [(0, 9), (5, 19)]),
        ("bytes=2000-,3000-", []),
    ],
)
async def test_several_pieces_come_together_or_all_of_it(rig: Rig, asked: str, expected: list[tuple[int, int]]) -> None:
    answer = await rig.get(rig.put("pieces.txt", TEXT), range=asked)
    if answer.status_code == 200:
        assert answer.content == TEXT
        return
    if not expected:
        rig.refused(answer, 416)
        return
    assert answer.status_code == 206
    assert answer.headers["Content-Length"] == str(len(answer.content))
    if answer.headers["Content-Type"].startswith("multipart/byteranges"):
        got = parts(answer)
    else:
        got = [(answer.headers["Content-Range"], answer.content)]
    covered: set[int] = set()
    for told, content in got:
        first, last = map(int, re.fullmatch(r"bytes (\d+)-(\d+)/1045", told).groups())  # type: ignore[union-attr]
        assert content == TEXT[first : last + 1]
        covered |= set(range(first, last + 1))
    assert covered >= {place for first, last in expected for place in range(first, last + 1)}


async def test_a_piece_is_sent_only_if_the_file_is_still_the_same(rig: Rig) -> None:
    file = rig.put("resumed.txt", TEXT)
    os.utime(file, (1_700_000_000, 1_700_000_000))
    whole = await rig.get(file)
    tag = whole.headers["ETag"]
    same = await rig.get(file, range="bytes=10-19", if_range=tag)
    assert (same.status_code, same.content) == (200, TEXT) if tag.startswith("W/") else (206, TEXT[10:20])
    for other in (
        '"x"',
        'W/"x"',
        f"{tag}x",
        formatdate(1_600_000_000, usegmt=True),
        formatdate(1_800_000_000, usegmt=True),
        "x",
    ):
        answer = await rig.get(file, range="bytes=10-19", if_range=other)
        assert (answer.status_code, answer.content) == (200, TEXT), other
    if modified := whole.headers.get("Last-Modified"):
        assert modified == formatdate(1_700_000_000, usegmt=True)
        assert (await rig.get(file, range="bytes=10-19", if_range=modified)).status_code in (200, 206)
    with file.open("ab") as more:
        more.write(b"more")
    answer = await rig.get(file, range="bytes=10-19", if_range=tag)
    assert (answer.status_code, answer.content) == (200, TEXT + b"more")


async def test_a_download_that_broke_off_is_resumed(rig: Rig) -> None:
    content = os.urandom(300_000)
    file, got = rig.put("resumed.bin", content), b""
    while len(got) < len(content):
        answer = await rig.get(file, range=f"bytes={len(got)}-{len(got) + 70_000}")
        assert answer.status_code == 206
        got += answer.content
    assert got == content


# --- only the head ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["photo.png", "notes.txt", "empty.txt"])
async def test_the_head_says_what_the_whole_would(rig: Rig, name: str) -> None:
    file = rig.put(name, {**SHOWN, **SAVED}.get(name, (b"", ""))[0])
    whole, head = await rig.get(file), await rig.get(file, method="HEAD")
    assert (head.status_code, head.content) == (200, b"")
    assert {**head.headers, "date": ""} == {**whole.headers, "date": ""}


async def test_the_head_of_a_refusal_has_its_status_and_no_body(rig: Rig) -> None:
    for path, status in ((rig.hide(), 403), (rig.paths.workspace / "missing", 404), (rig.paths.config_file, 403)):
        answer = await rig.get(path, method="HEAD")
        assert (answer.status_code, answer.content) == (status, b"")
    assert (await rig.get({}, method="HEAD")).status_code == 400
    assert (await rig.stranger.head("/files", params={"path": "/x"})).status_code == 401


# --- large ones, and such that change under way -----------------------------------------------------------------------


async def test_a_large_file_streams(rig: Rig) -> None:
    block = os.urandom(1_000_000)
    file, expected = rig.paths.workspace / "large.bin", hashlib.sha256()
    with file.open("wb") as written:
        for _ in range(60):
            written.write(block)
            expected.update(block)
    before, most, got, size = resident_bytes(), 0, hashlib.sha256(), 0
    try:
        async with rig.http.stream("GET", "/files", params={"path": str(file)}) as answer:
            assert answer.headers["Content-Length"] == "60000000"
            async for chunk in answer.aiter_raw():
                got.update(chunk)
                size += len(chunk)
                most = max(most, resident_bytes() - before) if size % 7 == 0 else most
        assert (size, got.digest()) == (60_000_000, expected.digest())
        assert most < 16_000_000, most
        middle = await rig.get(file, range="bytes=29999990-30000009")
        assert (middle.status_code, middle.content) == (206, block[-10:] + block[:10])
    finally:
        file.unlink()


async def test_a_file_that_grows_under_way_is_sent_as_long_as_it_was(rig: Rig) -> None:
    content = os.urandom(8_000_000)
    file = rig.put("growing.bin", content)
    async with rig.http.stream("GET", "/files", params={"path": str(file)}) as answer:
        chunks = answer.aiter_raw()
        got = await anext(chunks)
        with file.open("ab") as more:
            more.write(b"x" * 1_000_000)
        async for chunk in chunks:
            got += chunk
    assert answer.headers["Content-Length"] == "8000000"
    assert got == content
    assert (await rig.get(file, range="bytes=7999999-8000000")).content == content[-1:] + b"x"


async def test_a_file_that_shrinks_under_way_breaks_off_and_nothing_is_made_up(rig: Rig) -> None:
    content = os.urandom(16_000_000)
    file, got = rig.put("shrinking.bin", content), bytearray()

    async def read() -> None:
        async with asyncio.timeout(PATIENCE_S), rig.http.stream("GET", "/files", params={"path": str(file)}) as answer:
            async for chunk in answer.aiter_raw():
                if not got:
                    os.truncate(file, 100)
                got.extend(chunk)

    with pytest.raises(httpx.RemoteProtocolError):
        await read()
    assert content.startswith(got)
    await rig.answers()


async def test_many_are_read_at_once(rig: Rig) -> None:
    files = [rig.put(f"many/{number}.bin", os.urandom(50_000)) for number in range(40)]
    answers = await asyncio.gather(*map(rig.get, files))
    assert [answer.content for answer in answers] == [file.read_bytes() for file in files]


async def test_a_reader_who_goes_away_or_stands_still_disturbs_nobody(rig: Rig) -> None:
    file = rig.put("stalled.bin", os.urandom(20_000_000))
    async with rig.http.stream("GET", "/files", params={"path": str(file)}) as stalled:
        await anext(stalled.aiter_raw(1000))
        assert (await rig.get(rig.put("quick.txt"))).content == b"public"
    await rig.answers()


# --- links ------------------------------------------------------------------------------------------------------------


async def test_a_link_opens_one_file_without_the_token(rig: Rig) -> None:
    film = rig.put("a film.mp4", MP4)
    link = await rig.link(film)
    answer = await rig.follow(link["url"])
    assert (answer.status_code, answer.content) == (200, MP4)
    assert answer.headers["Content-Type"] == "video/mp4"
    assert disposition(answer) == ("inline", "a film.mp4")
    head = await rig.follow(link["url"], method="HEAD")
    assert (head.status_code, head.content, head.headers["Content-Length"]) == (200, b"", str(len(MP4)))
    piece = await rig.follow(link["url"], range="bytes=4-7")
    assert (piece.status_code, piece.content) == (206, b"ftyp")
    assert piece.headers["Content-Range"] == f"bytes 4-7/{len(MP4)}"
    assert (await rig.follow(link["url"], if_none_match=answer.headers["ETag"])).status_code == 304
    assert_refused(await rig.follow(link["url"], range="bytes=9999-"), 416)
    assert (await rig.follow(link["url"])).content == MP4, "a player asks more than once"


async def test_a_link_is_good_for_ten_minutes(rig: Rig) -> None:
    before = time.time()
    link = await rig.link(rig.put("soon gone.txt"))
    assert before + 598 <= link["expires_at"] <= time.time() + 602


async def test_a_link_does_not_show_the_token(rig: Rig) -> None:
    url = (await rig.link(rig.put("linked.txt")))["url"]
    for written in (rig.gateway.token, quote(rig.gateway.token), quote_plus(rig.gateway.token)):
        assert written not in url


@pytest.mark.parametrize("name", ["page.html", "drawing.svg", "paper.pdf", "code.js"])
async def test_what_can_run_is_harmless_by_link_too(rig: Rig, name: str) -> None:
    answer = await rig.follow((await rig.link(rig.put(name, SAVED[name][0])))["url"])
    assert answer.content == SAVED[name][0]
    assert_harmless(answer)


@pytest.mark.parametrize("name", ["ключ 🔑.txt", "a b&c=d#e?f+g%20.txt", "'\"\\.txt"])
async def test_any_name_can_be_linked(rig: Rig, name: str) -> None:
    answer = await rig.follow((await rig.link(rig.put(name, name.encode())))["url"])
    assert (answer.status_code, answer.content) == (200, name.encode())


async def test_a_link_is_refused_for_what_is_refused(rig: Rig) -> None:
    workspace = rig.paths.workspace
    (workspace / "link out").symlink_to(rig.hide())
    for path in (rig.hide(), workspace / "link out", rig.paths.config_file, rig.paths.database, "/etc/passwd"):
        rig.refused(await rig.link_answer({"path": str(path)}), 403)
    for path in (workspace / "missing", workspace):
        rig.refused(await rig.link_answer({"path": str(path)}), 404)
    for path in (f"{workspace}/a\0b", f"{workspace}/a\nb", "relative.txt", "", "x" * 10_000):
        rig.refused(await rig.link_answer({"path": path}), 400, 403, 404, 422)
    wrong: list[object] = [None, 5, True, [], {}, ["/x"]]
    for body in ({"file": "/x"}, *wrong, "x", *({"path": path} for path in wrong)):
        rig.refused(await rig.link_answer(body), 400, 422)
    assert_refused(await rig.stranger.post("/api/files/link", json={"path": str(rig.put("linked.txt"))}), 401)
    rig.refused(await rig.http.get("/api/files/link", params={"path": str(rig.put("linked.txt"))}), 404, 405)


async def test_a_path_may_be_relative_to_the_workspace_and_leads_nowhere_else(rig: Rig) -> None:
    file = rig.put("folder/a.txt", b"inside")
    relative = file.relative_to(rig.paths.workspace)
    assert (await rig.get(relative)).content == b"inside"
    assert (await rig.follow((await rig.link(relative))["url"])).content == b"inside"
    hidden = os.path.relpath(rig.hide(), rig.paths.workspace)
    for answer in (await rig.get(hidden), await rig.link_answer({"path": hidden})):
        rig.refused(answer, 403)
    rig.refused(await rig.get("no such.txt"), 404)


async def test_a_link_follows_what_happens_to_its_file(rig: Rig) -> None:
    file = rig.put("moving.txt")
    url = (await rig.link(file))["url"]
    file.write_bytes(b"another text")
    assert (await rig.follow(url)).content == b"another text"
    file.unlink()
    assert_refused(await rig.follow(url), 403, 404)
    file.symlink_to(rig.hide())
    assert_refused(await rig.follow(url), 403, 404)
    file.unlink()
    file.symlink_to(rig.paths.config_file)
    assert_refused(await rig.follow(url), 403, 404)


@pytest.mark.parametrize("chat", [9001])
async def test_a_link_can_be_asked_for_over_the_socket(rig: Rig, chat: int) -> None:
    async with client(rig.gateway, rpc=True, chat_id=chat) as peer:
        status, link = await peer.request("POST", "/api/files/link", {"path": str(rig.put("film.mp4", MP4))})
        assert status in (200, 201)
        assert set(link) == {"url", "expires_at"}
        answer = await rig.follow(link["url"])
        assert (answer.status_code, answer.content) == (200, MP4)
        status, refusal = await peer.request("POST", "/api/files/link", {"path": str(rig.hide())})
        assert (status, set(refusal), refusal["code"]) == (403, {"error", "code"}, "forbidden")
