"""Attacks on uploads: names that lead elsewhere, bodies that lie about themselves, pictures that explode."""

from __future__ import annotations

import asyncio
import datetime as dt
import io
import itertools
import os
import resource
import struct
import time
import unicodedata
import zlib
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import pytest_asyncio
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from PIL import Image

from tests.api.files_rig import (
    BOUNDARY,
    MULTIPART,
    SECRET,
    Rig,
    Stored,
    Then,
    assert_harmless,
    file_part,
    files_rig,
    multipart,
    part,
    picture,
    text_part,
)
from tests.api.wire import client

pytestmark = pytest.mark.asyncio(loop_scope="module")

LIMIT = 4_000_000
TOO_MUCH = (400, 413, 422, 431)
KIND = b"Content-Type: " + MULTIPART.encode()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def rig(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Rig]:
    async with files_rig(tmp_path_factory.mktemp("attacks"), api__max_upload_bytes=LIMIT) as running:
        yield running


async def named(rig: Rig, filename: str | bytes, *, content: bytes = b"words") -> Stored | None:
    """Upload under a name; what was stored, if it was not refused."""
    stored = await rig.taken_or_refused(lambda: rig.upload(file_part(content, filename)), 400, 422)
    if stored is not None:
        assert stored.content == content
    return stored


# --- names ------------------------------------------------------------------------------------------------------------

ESCAPES = [
    "../evil.txt",
    "../../evil.txt",
    "../" * 20 + "evil.txt",
    "..",
    ".",
    "...",
    "/",
    "//",
    "\\",
    "..\\..\\evil.txt",
    "..%2f..%2fevil.txt",
    "%2e%2e%2fevil.txt",
]
ESCAPES += [
    "..%252fevil.txt",
    "....//evil.txt",
    "..;/evil.txt",
    "..\u2215evil.txt",
    "\uff0e\uff0e\uff0fevil.txt",
    "..\uff0fevil.txt",
    "..\uff3cevil.txt",
    "\u2025/evil.txt",
]
ESCAPES += [
    "a/../../evil.txt",
    "a/b/evil.txt",
    "./evil.txt",
    "../config/config.json",
    "../../config/config.json",
    "../../../.ssh/authorized_keys",
    "evil.txt/..",
    "evil.txt/.",
    "evil/",
]
ESCAPES += [
    "/etc/passwd",
    "/evil.txt",
    "//server/share/evil.txt",
    "C:\\evil.txt",
    "C:evil.txt",
    "c:/evil.txt",
    "\\\\server\\share\\evil.txt",
    "\\\\?\\C:\\evil.txt",
    "file:///evil.txt",
]
ESCAPES += [
    "~/evil.txt",
    "~root/evil.txt",
    "$HOME/evil.txt",
    "${IFS}evil.txt",
    "`id`.txt",
    "$(id).txt",
    ";id;.txt",
    "|id",
    "&id",
    "<x>.txt",
    "evil.txt::$DATA",
    "evil.txt:stream",
    "{{7*7}}.txt",
    "%s%n%x.txt",
]


@pytest.mark.parametrize("name", ESCAPES, ids=ascii)
async def test_a_name_never_leads_out_of_its_folder(rig: Rig, name: str) -> None:
    stored = await named(rig, name)
    assert stored is None or ".." not in stored.path.parts
    assert not (rig.paths.workspace / "evil.txt").exists()


CONTROLS = [
    b"a\0.txt",
    b"a.txt\0.png",
    b"\0",
    b"a\x1b[31m.txt",
    b"a\tb.txt",
    b"a\x7f.txt",
    b"a\x01.txt",
    b"a\xc2\x85.txt",
    b"a\xe2\x80\xa8b.txt",
]
CONTROLS += [
    b"a\rb.txt",
    b"a\nb.txt",
    b"a\r\n b.txt",
    b"a\r\nX-Evil: yes\r\n",
    b'a"\r\nContent-Type: text/html',
    b"a%00.txt",
    b"a%0d%0aX-Evil: yes",
    b"a%0A.txt",
]


@pytest.mark.parametrize("name", CONTROLS, ids=ascii)
async def test_a_control_character_in_a_name_is_dropped_or_refused(rig: Rig, name: bytes) -> None:
    stored = await named(rig, name)
    if stored is not None:
        assert "\n" not in stored.name
        answer = await rig.get(stored.path)
        assert answer.status_code == 200
        assert "X-Evil" not in answer.headers


@pytest.mark.parametrize(
    "raw",
    [
        b"\xff\xfe.txt",
        b"\xc3\x28.txt",
        b"\xed\xa0\x80.txt",
        b"\xe4.txt",
        b"\xc0\xae\xc0\xae\xc0\xafevil",
        "ключ.txt".encode("cp1251"),
        "名.txt".encode("utf-16"),
    ],
)
async def test_a_name_in_no_encoding_is_made_one_or_refused(rig: Rig, raw: bytes) -> None:
    stored = await named(rig, raw)
    if stored is not None:
        assert (await rig.get(stored.path)).status_code == 200


LONG = [
    "x" * 300,
    "x" * 300 + ".txt",
    "ж" * 300 + ".txt",
    "\U0001f600" * 300 + ".png",
    "x." + "y" * 300,
    "." * 300,
    "a\u0301" * 300 + ".txt",
    "x" * 255,
    "x" * 251 + ".txt",
    "ж" * 125 + ".jpeg",
    "x" * 5000 + ".tar.gz",
]


@pytest.mark.parametrize("name", LONG, ids=lambda name: f"{len(name)} of {name[:1]!a}")
async def test_a_name_that_is_too_long_is_cut(rig: Rig, name: str) -> None:
    stored = [await named(rig, name) for _ in range(3)]
    taken = [one for one in stored if one is not None]
    assert len({one.path for one in taken}) == len(taken)
    for one in taken:
        if name.endswith((".txt", ".png", ".jpeg")):
            assert one.path.suffix == Path(name).suffix
        assert (await rig.get(one.path)).status_code == 200


async def test_a_long_picture_has_room_for_its_new_ending(rig: Rig) -> None:
    for name in ("x" * 251 + ".png", "ж" * 125 + ".png", "x" * 300 + ".png"):
        stored = await rig.store(picture((2100, 10)), name)
        assert stored.path.suffix == ".webp"


TRICKS = [
    "photo\u202egpj.exe",
    "\u2066a\u2069.txt",
    "\u200b.txt",
    "\ufeffa.txt",
    "a\u200db.txt",
    "a\u2044b.txt",
    "a\uff0fb.txt",
    "e\u0301.txt",
    "a" + "\u0300" * 50 + ".txt",
    "\U000e0041tag.txt",
]
TRICKS += [
    "name.",
    "name..",
    "name ",
    " name",
    "name. . .",
    ".hidden",
    "..hidden",
    "...",
    " .txt",
    "\xa0.txt",
    "\u3000",
    "-rf",
    "--help",
    "-",
    "—.txt",
    "~",
    "#a#",
    "a~",
    "*",
    "?",
    "'",
    "`",
    "\x22",
    "%",
    "&",
    "+",
]
TRICKS += [
    "CON",
    "con.txt",
    "NUL",
    "nul.tar.gz",
    "PRN.png",
    "AUX",
    "COM1",
    "COM1.txt",
    "LPT9.txt",
    "CON ",
    "COM\xb9.txt",
    "CONIN$",
    ".htaccess",
    ".bashrc",
    "desktop.ini",
    "Thumbs.db",
    "index.html",
]


@pytest.mark.parametrize("name", TRICKS, ids=ascii)
async def test_a_strange_name_becomes_a_harmless_one(rig: Rig, name: str) -> None:
    await named(rig, name)


async def test_names_that_look_alike_are_two_files(rig: Rig) -> None:
    for one, other in (
        ("caf\xe9.txt", "cafe\u0301.txt"),
        ("K.txt", "\u212a.txt"),
        ("a\uff0fb.txt", "a/b.txt"),
        ("Case.txt", "case.txt"),
    ):
        first, second = await named(rig, one, content=b"first"), await named(rig, other, content=b"second")
        if first is not None and second is not None:
            assert first.path != second.path
            assert (first.content, second.content) == (b"first", b"second")
            names = {unicodedata.normalize("NFC", stored.name) for stored in (first, second)}
            assert len(names) == 2, "a system that folds them would lose one"


STARRED = [
    b"filename*=UTF-8''na%C3%AFve.txt",
    b"filename*=utf-8'en'na%C3%AFve.txt",
    b"filename*=UTF-8''..%2F..%2Fevil.txt",
    b"filename*=UTF-8''%2Fetc%2Fpasswd",
    b"filename*=UTF-8''a%00b%0D%0AX-Evil%3A%20yes.txt",
    b"filename*=UTF-8''%ff%fe.txt",
    b"filename*=UTF-8''%",
    b"filename*=UTF-8''%zz.txt",
    b"filename*=UTF-8''",
    b"filename*=UTF-8",
    b"filename*=''",
    b"filename*=",
    b"filename*=ISO-8859-1''%E4.txt",
    b"filename*=UTF-16''%00a.txt",
    b"filename*=utf-7''+AC4ALgAv-evil.txt",
    b"filename*=idna''a.txt",
    b"filename*=rot13''a.txt",
    b"filename*=hex''61.txt",
    b"filename*=zlib''61.txt",
    b"filename*=no-such-charset''a.txt",
    b"filename*=unicode_escape''%5Cx2e%5Cx2e%5Cx2fevil.txt",
    b"filename*=\"UTF-8''quoted.txt\"",
    b"filename=\"plain.txt\"; filename*=UTF-8''..%2F..%2Fevil.txt",
    b"filename*=UTF-8''starred.txt; filename=\"../../evil.txt\"",
    b"filename*0=a; filename*1=../../; filename*2=evil.txt",
    b"filename*0*=UTF-8''a%2F; filename*1*=evil.txt",
    b'filename="one.txt"; filename="../two.txt"',
    b"filename=plain.txt",
    b"filename=with space.txt",
    b"filename='single.txt'",
    b'filename="a\\"b.txt"',
    b'filename="a\\\\b.txt"',
    b'filename="C:\\Users\\me\\a.txt"',
    b'filename="unclosed.txt',
    b'FILENAME="capitals.txt"',
    b'filename ="blank.txt"',
    b'filename="=?utf-8?Q?encoded.txt?="',
    b'filename="=?utf-8?B?Li4vLi4vZXZpbC50eHQ=?="',
    b'filename="a.txt"; name="caption"',
    b'filename="a;b=c.txt"',
]


@pytest.mark.parametrize("disposed", STARRED, ids=ascii)
async def test_any_form_of_the_name_is_safe(rig: Rig, disposed: bytes) -> None:
    body = part(b'Content-Disposition: form-data; name="file"; ' + disposed, b"words")
    stored = await rig.taken_or_refused(lambda: rig.upload(body), 400, 422)
    assert stored is None or stored.content == b"words"


@settings(max_examples=120, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    name=st.text(st.characters(exclude_characters='"\r\n', codec="utf-8"), max_size=80)
    | st.text(st.sampled_from("./\\ -~a\0\u202e\u0301:"), max_size=12)
)
@example(name="a" * 254 + "é")
async def test_any_name_is_made_safe_or_refused(rig: Rig, name: str) -> None:
    if stored := await named(rig, name):
        stored.path.unlink()


async def test_a_name_that_is_a_link_to_elsewhere_is_taken(rig: Rig) -> None:
    """And not written through."""
    folder, target = (await rig.store(b"x", "first.txt")).path.parent, rig.outside / "target.txt"
    (folder / "dangling.txt").symlink_to(target)
    secret = rig.hide()
    (folder / "living.txt").symlink_to(secret)
    (folder / "folder.txt").mkdir()
    os.mkfifo(folder / "pipe.txt")
    for name in ("dangling", "living", "folder", "pipe"):
        assert (await rig.store(b"words", f"{name}.txt")).name == f"{name}_1.txt"
    assert not target.exists()
    assert secret.read_bytes() == SECRET
    for name in ("dangling.txt", "living.txt", "pipe.txt"):
        (folder / name).unlink()


async def test_a_day_that_is_a_link_to_elsewhere_is_not_followed_out(tmp_path: Path) -> None:
    async with files_rig(tmp_path) as rig:
        rig.paths.uploads.mkdir(parents=True, exist_ok=True)
        for day in (
            dt.datetime.now(dt.UTC).date(),
            dt.datetime.now().date(),
            dt.datetime.now().date() + dt.timedelta(days=1),
        ):
            link = rig.paths.uploads / day.isoformat()
            if not link.is_symlink():
                link.symlink_to(rig.outside)
        answer = await rig.upload(file_part(b"words", "out.txt"))
        assert answer.status_code < 500 or answer.status_code == 503
        assert not list(rig.outside.iterdir())
        await rig.answers()


# --- bodies that lie --------------------------------------------------------------------------------------------------

WHOLE = multipart(text_part("caption", b"words"), file_part(b"x" * 100_000, "half.txt"))


@pytest.mark.parametrize("then", ["end", "reset"])
@pytest.mark.parametrize("at", [0.0, 0.0001, 0.001, 0.002, 0.5, 0.999, 0.9999])
async def test_a_body_that_stops_half_way_leaves_nothing(rig: Rig, at: float, then: Then) -> None:
    head = rig.exchange_head(KIND, b"Content-Length: %d" % len(WHOLE))
    async with rig.nothing_left():
        answer = await rig.exchange([head, WHOLE[: int(len(WHOLE) * at)]], then=then)
        if answer is not None:
            rig.refused(answer, 400)


@pytest.mark.parametrize("then", ["end", "reset"])
async def test_chunks_that_stop_half_way_leave_nothing(rig: Rig, then: Then) -> None:
    head = rig.exchange_head(KIND, b"Transfer-Encoding: chunked")
    for pieces in (
        [b"%x\r\n" % len(WHOLE), WHOLE[:60_000]],
        [b"7fff\r\n", WHOLE[:0x7FFF], b"\r\n"],
        [b"ea60\r\n", WHOLE[:60_000], b"\r\nzz\r\n"],
    ):
        async with rig.nothing_left():
            answer = await rig.exchange([head, *pieces], then=then)
            if answer is not None:
                rig.refused(answer, 400)


@pytest.mark.parametrize("missing", [1, 2, 3, 4, 5, 20, 40, 1000])
async def test_a_body_whose_end_is_missing_is_broken(rig: Rig, missing: int) -> None:
    body = WHOLE[:-missing]
    whole = body.rstrip(b"\r\n").endswith(b"--" + BOUNDARY.encode() + b"--")
    stored = await rig.taken_or_refused(
        lambda: rig.http.post("/upload", content=body, headers={"Content-Type": MULTIPART}), 400
    )
    assert whole or stored is None


async def test_many_who_stop_half_way_leave_nothing_and_hold_up_nobody(rig: Rig) -> None:
    head = rig.exchange_head(KIND, b"Content-Length: %d" % len(WHOLE))
    async with rig.nothing_left():
        broken = [rig.exchange([head, WHOLE[:50_000]], then="reset") for _ in range(30)]
        _, stored = await asyncio.gather(asyncio.gather(*broken), rig.store(b"words", "whole.txt"))
        assert stored.content == b"words"


LENGTHS = {
    "too small": [b"Content-Length: 50000"],
    "nothing": [b"Content-Length: 0"],
    "negative": [b"Content-Length: -1"],
    "very negative": [b"Content-Length: -99999999999999999999"],
    "no number": [b"Content-Length: many"],
    "empty": [b"Content-Length: "],
    "a plus": [b"Content-Length: +5"],
    "hex": [b"Content-Length: 0x100"],
    "a fraction": [b"Content-Length: 1e3"],
    "two different": [b"Content-Length: 100", b"Content-Length: %d" % len(WHOLE)],
    "two in one": [b"Content-Length: 100, 200"],
    "huge": [b"Content-Length: " + b"9" * 30],
    "both kinds": [b"Content-Length: 100", b"Transfer-Encoding: chunked"],
    "no such coding": [b"Transfer-Encoding: gzip"],
    "two codings": [b"Transfer-Encoding: chunked, chunked"],
    "neither": [],
}


@pytest.mark.parametrize("name", LENGTHS)
async def test_a_wrong_length_leaves_nothing(rig: Rig, name: str) -> None:
    async with rig.nothing_left():
        answer = await rig.exchange([rig.exchange_head(KIND, *LENGTHS[name]), WHOLE], then="end")
        if answer is not None:
            rig.refused(answer, 400, 411, 413, 415, 422)


async def test_a_length_that_is_too_large_leaves_nothing(rig: Rig) -> None:
    for length in (len(WHOLE) + 1, len(WHOLE) * 2):
        head = rig.exchange_head(KIND, b"Content-Length: %d" % length)
        async with rig.nothing_left():
            answer = await rig.exchange([head, WHOLE], then="end")
            if answer is not None and answer.status_code == 200:
                assert rig.stored(answer).size == 100_000  # it had come whole before the connection ended
            elif answer is not None:
                rig.refused(answer, 400)


async def test_the_same_length_twice_is_one_length_or_wrong(rig: Rig) -> None:
    length = b"Content-Length: %d" % len(WHOLE)

    async def upload() -> object:
        return await rig.exchange([rig.exchange_head(KIND, length, length), WHOLE])

    await rig.taken_or_refused(upload, 400)


async def test_what_follows_a_length_that_is_too_small_is_no_request(rig: Rig) -> None:
    secret = rig.hide(folder=rig.paths.workspace)
    hidden = b"GET /files?path=" + str(secret).encode() + b" HTTP/1.1\r\nHost: x\r\n\r\n"
    body = multipart(file_part(b"words", "first.txt"))
    async with rig.nothing_left():
        answer = await rig.exchange([rig.exchange_head(KIND, b"Content-Length: 20"), body, hidden])
        rig.refused(answer, 400)


# --- bodies without end -----------------------------------------------------------------------------------------------

OPEN = f"--{BOUNDARY}\r\n".encode()
FILE_HEAD = OPEN + b'Content-Disposition: form-data; name="file"; filename="endless.bin"\r\n'
BLOCK = b"x" * 65536


def forever(first: bytes, again: bytes) -> Iterator[bytes]:
    """As good as: many times what may be uploaded."""
    yield first
    for _ in range(20 * LIMIT // max(1, len(again))):
        yield again


ENDLESS = {
    "a file": (FILE_HEAD + b"\r\n", BLOCK),
    "a caption": (OPEN + b'Content-Disposition: form-data; name="caption"\r\n\r\n', BLOCK),
    "a field nobody asked for": (OPEN + b'Content-Disposition: form-data; name="else"\r\n\r\n', BLOCK),
    "a file nobody asked for": (FILE_HEAD.replace(b'"file"', b'"else"') + b"\r\n", BLOCK),
    "a header": (OPEN + b"X-Header: ", BLOCK),
    "a header's name": (OPEN, BLOCK),
    "headers": (FILE_HEAD, b"X-Header: x\r\n" * 5000),
    "a file name": (OPEN + b'Content-Disposition: form-data; name="file"; filename="', BLOCK),
    "a name": (OPEN + b'Content-Disposition: form-data; name="', BLOCK),
    "what comes first": (b"", BLOCK),
    "lines that come first": (b"", b"\r\n" * 30_000),
    "parts": (b"", (OPEN + b'Content-Disposition: form-data; name="a"\r\n\r\n\r\n') * 500),
    "empty parts": (b"", OPEN * 1000),
    "files": (b"", file_part(b"words", "many.txt") * 500),
    "ends": (multipart(text_part("caption", b"words")), multipart() * 1000),
    "boundaries that are none": (FILE_HEAD + b"\r\n", b"\r\n--a-boundary-of-the-test" * 2000),
    "line ends in a file": (FILE_HEAD + b"\r\n", b"\r" * 65536),
    "NUL": (b"\0", b"\0" * 65536),
}


@pytest.mark.parametrize("name", ENDLESS)
async def test_a_body_that_never_ends_is_refused_at_the_limit(rig: Rig, name: str) -> None:
    first, again = ENDLESS[name]
    head, sent = rig.exchange_head(KIND, b"Transfer-Encoding: chunked"), 0

    def chunks() -> Iterable[bytes]:
        nonlocal sent
        yield head
        for piece in forever(first, again):
            if piece:
                yield b"%x\r\n%s\r\n" % (len(piece), piece)
                sent += len(piece)

    began = time.monotonic()
    async with rig.nothing_left():
        rig.refused(await rig.exchange(chunks()), *TOO_MUCH)
    assert sent < LIMIT + 16_000_000, "what is on its way in the buffers, and no more"
    assert time.monotonic() - began < 5


async def test_a_body_that_goes_on_after_its_end_is_cut_or_refused(rig: Rig) -> None:
    body = multipart(file_part(b"words", "epilogue.txt"))

    def chunks() -> Iterable[bytes]:
        yield rig.exchange_head(KIND, b"Transfer-Encoding: chunked")
        for piece in forever(body, BLOCK):
            yield b"%x\r\n%s\r\n" % (len(piece), piece)

    async def upload() -> object:
        return await rig.exchange(chunks())

    stored = await rig.taken_or_refused(upload, *TOO_MUCH)
    assert stored is None or stored.content == b"words"


async def test_a_body_that_says_it_has_no_end_is_refused_at_the_limit(rig: Rig) -> None:
    head = rig.exchange_head(KIND, b"Content-Length: 1000000000000")
    async with rig.nothing_left():
        rig.refused(await rig.exchange(forever(head + FILE_HEAD + b"\r\n", BLOCK)), 413)


async def test_a_body_that_unpacks_itself_is_not_unpacked(rig: Rig) -> None:
    packed = zlib.compress(multipart(file_part(b"\0" * 10_000_000, "bomb.bin")))
    headers = {"Content-Type": MULTIPART, "Content-Encoding": "deflate"}
    async with rig.nothing_left():
        rig.refused(await rig.http.post("/upload", content=packed, headers=headers), 400, 413, 415)


# --- too much of something --------------------------------------------------------------------------------------------

FILE = file_part(b"words", "much.txt")
MUCH: dict[str, list[bytes]] = {
    "10,000 fields before the file": [*(text_part(f"f{n}", b"v") for n in range(10_000)), FILE],
    "10,000 fields after the file": [FILE, *(text_part(f"f{n}", b"v") for n in range(10_000))],
    "10,000 captions": [FILE, *(text_part("caption", b"v") for _ in range(10_000))],
    "10,000 files": [file_part(b"words", f"much {n}.txt") for n in range(10_000)],
    "10,000 files of other names": [file_part(b"words").replace(b'"file"', b'"else"')] * 10_000 + [FILE],
    "10,000 headers": [
        part(b"\r\n".join([b"X-Header: x"] * 10_000) + FILE.split(b"\r\n\r\n")[0][len(OPEN) - 2 :], b"words")
    ],
    "10,000 headers of different names": [
        part(FILE[len(OPEN) : FILE.index(b"\r\n\r\n")] + b"".join(b"\r\nX-%d: x" % n for n in range(10_000)), b"words")
    ],
    "10,000 parameters": [
        part(b'Content-Disposition: form-data; name="file"; filename="much.txt"' + b"; a=b" * 10_000, b"words")
    ],
    "10,000 continuations": [
        part(
            b'Content-Disposition: form-data; name="file"' + b"".join(b"; filename*%d=a" % n for n in range(10_000)),
            b"words",
        )
    ],
    "a header of a million": [
        part(b"X-Header: " + b"x" * 1_000_000 + b"\r\n" + FILE[len(OPEN) : FILE.index(b"\r\n\r\n")], b"words")
    ],
    "a file name of a million": [file_part(b"words", "x" * 1_000_000 + ".txt")],
    "a million quotes": [
        part(b'Content-Disposition: form-data; name="file"; filename="' + b'\\"' * 500_000 + b'"', b"words")
    ],
    "a million blanks": [
        part(b'Content-Disposition: form-data; name="file";' + b" " * 1_000_000 + b'filename="a.txt"', b"words")
    ],
    "a caption of 3 MB": [FILE, text_part("caption", b"caption " * 400_000)],
    "a caption of 3 MB first": [text_part("caption", "ü".encode() * 1_500_000), FILE],
    "a caption that is a file": [FILE, file_part(b"words").replace(b'"file"', b'"caption"')],
    "a caption that is no text": [FILE, text_part("caption", b"\xff\xfe\0\xed\xa0\x80")],
    "a caption with controls": [FILE, text_part("caption", b"\0\x1b[31m\r\n\x07\x7f")],
}


@pytest.mark.parametrize("name", MUCH)
async def test_too_much_of_anything_is_refused_or_does_no_harm(rig: Rig, name: str) -> None:
    stored = await rig.taken_or_refused(lambda: rig.upload(*MUCH[name]), *TOO_MUCH, within_s=6)
    if stored is not None:
        assert stored.content == b"words"
        async with client(rig.gateway, chat_id=1) as peer:  # it is for sending as a message
            assert (await peer.ask(stored.prompt[:100_000]))[-1]["type"] == "result"


async def test_a_caption_of_many_megabytes_is_over_the_limit(rig: Rig) -> None:
    for parts in ([FILE, text_part("caption", b"x" * LIMIT * 3)], [text_part("caption", b"x" * LIMIT * 3), FILE]):
        async with rig.nothing_left():
            rig.refused(await rig.upload(*parts), *TOO_MUCH)


BOUNDARIES = {
    "of 10,000": "b" * 10_000,
    "of 71": "b" * 71,
    "of a million": "b" * 1_000_000,
    "of one": "b",
    "of dashes": "-" * 60,
    "of line ends": "a%0d%0ab",
    "with blanks": "a b c",
    "with quotes": "a'b",
    "that is special": "(a)[b].*+?^$",
    "that is not ASCII": "grün",
}


@pytest.mark.parametrize("name", BOUNDARIES)
@pytest.mark.parametrize("quoted", [True, False], ids=["quoted", "bare"])
async def test_any_boundary_is_used_or_refused(rig: Rig, name: str, quoted: bool) -> None:
    boundary = BOUNDARIES[name].encode()
    body = multipart(file_part(b"words", "bounded.txt")).replace(BOUNDARY.encode(), boundary)
    kind = b"Content-Type: multipart/form-data; boundary=" + (b'"' + boundary + b'"' if quoted else boundary)

    async def upload() -> object:
        return await rig.exchange([rig.exchange_head(kind, b"Content-Length: %d" % len(body)), body])

    stored = await rig.taken_or_refused(upload, 400, 431)
    assert stored is None or stored.content == b"words"


KINDS = [
    "multipart/form-data; boundary=a-boundary-of-the-tests; boundary=b",
    "multipart/form-data; boundary=b; boundary=a-boundary-of-the-tests",
    "multipart/form-data;boundary=a-boundary-of-the-tests;charset=utf-16",
    "multipart/form-data; boundary=a-boundary-of-the-tests; charset=zlib",
    "MULTIPART/FORM-DATA; BOUNDARY=a-boundary-of-the-tests",
    "multipart/form-data, multipart/form-data; boundary=a-boundary-of-the-tests",
    "multipart/mixed; boundary=a-boundary-of-the-tests",
    "multipart/form-dataa; boundary=a-boundary-of-the-tests",
    "multipart/form-data; boundary*=UTF-8''a-boundary-of-the-tests",
    'multipart/form-data; boundary="a-boundary-of-the-tests',
    "multipart/form-data; boundary=a-boundary-of-the-tests" + "; a=b" * 10_000,
    "multipart/form-data" + ";" * 50_000 + " boundary=a-boundary-of-the-tests",
    "multipart/" + "x" * 50_000,
]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind[:60])
async def test_any_content_type_is_understood_or_refused(rig: Rig, kind: str) -> None:
    stored = await rig.taken_or_refused(
        lambda: rig.upload(file_part(b"words", "kind.txt"), content_type=kind), 400, 415, 431, within_s=3
    )
    assert stored is None or stored.content == b"words"


async def test_a_multipart_in_a_multipart_is_only_bytes(rig: Rig) -> None:
    inner = b'--inner\r\nContent-Disposition: file; filename="../../nested.txt"\r\n\r\nwords\r\n--inner--\r\n'
    for head in (
        b'Content-Disposition: form-data; name="file"; filename="outer.txt"\r\nContent-Type: multipart/mixed; boundary=inner',
        b'Content-Disposition: form-data; name="file"\r\nContent-Type: multipart/mixed; boundary=inner',
    ):
        stored = await rig.taken_or_refused(lambda head=head: rig.upload(part(head, inner)), 400, 422)  # type: ignore[misc]
        assert stored is None or stored.content == inner
        assert not list(rig.paths.workspace.rglob("nested*"))


@pytest.mark.parametrize("coding", ["base64", "quoted-printable", "gzip", "7bit", "no-such-coding", "x" * 10_000])
async def test_a_part_that_says_it_is_encoded_is_only_bytes_or_refused(rig: Rig, coding: str) -> None:
    head = (
        b'Content-Disposition: form-data; name="file"; filename="coded.txt"\r\nContent-Transfer-Encoding: '
        + coding.encode()
    )
    stored = await rig.taken_or_refused(lambda: rig.upload(part(head, b"d29yZHM=")), *TOO_MUCH)
    assert stored is None or stored.content in (b"d29yZHM=", b"words")


BROKEN_PARTS = [
    b"no header at all",
    b": no name",
    b"Content-Disposition",
    b"Content-Disposition:",
    b"Content-Disposition: ;;;;",
    b'Content-Disposition: attachment; name="file"; filename="a.txt"',
    b"Content-Disposition: form-data; name=file; filename=a.txt",
    b'Content-Disposition: form-data; filename="a.txt"',
    b'Content-Disposition: form-data; name=""; filename="a.txt"',
    b'Content-Disposition: form-data; name="fi\\le"; filename="a.txt"',
    b'Content-Disposition: form-data; name="file"; name="else"; filename="a.txt"',
    b"Content-Disposition: form-data; name*=UTF-8''file; filename=\"a.txt\"",
    b'Content-Disposition: form-data; name="caption"\r\nContent-Disposition: form-data; name="file"; filename="a.txt"',
    b'Content-Disposition: form-data;\r\n name="file"; filename="a.txt"',
    b'\xff\xfe: \x00\r\nContent-Disposition: form-data; name="file"; filename="a.txt"',
    b'Content-Type: text/html\r\nContent-Length: 99999999\r\nContent-Disposition: form-data; name="file"; filename="a.txt"',
    b'Content-Disposition: form-data; name="file"; filename="a.txt"\r\nContent-Type: text/plain\nX-Evil: yes',
]


@pytest.mark.parametrize("head", BROKEN_PARTS, ids=ascii)
async def test_a_part_with_a_broken_head_is_refused_or_understood(rig: Rig, head: bytes) -> None:
    stored = await rig.taken_or_refused(lambda: rig.upload(part(head, b"words")), 400, 422)
    assert stored is None or stored.content == b"words"


@settings(max_examples=120, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    pieces=st.lists(
        st.sampled_from(
            [
                OPEN,
                OPEN[:-2],
                OPEN[:-2] + b"--",
                b"\r\n",
                b"\n",
                b"--",
                b'Content-Disposition: form-data; name="file"; filename="a"',
                b'name="caption"',
                b": ",
            ]
        )
        | st.binary(max_size=8),
        max_size=12,
    )
)
async def test_any_body_is_an_upload_or_refused(rig: Rig, pieces: list[bytes]) -> None:
    content = b"".join(pieces)
    stored = await rig.taken_or_refused(
        lambda: rig.http.post("/upload", content=content, headers={"Content-Type": MULTIPART}), 400, 422
    )
    if stored is not None:
        stored.path.unlink()


# --- pictures ---------------------------------------------------------------------------------------------------------


@contextmanager
def memory_within(extra_bytes: int) -> Iterator[None]:
    """The most that this process, or one of its children, has ever held grows by no more than this."""

    def most() -> int:
        return max(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)) * 1024

    before = most()
    yield
    assert most() - before < extra_bytes


def png(
    width: int, height: int, *, depth: int = 1, colour: int = 0, data: bytes | None = None, extra: bytes = b""
) -> bytes:
    """A PNG of any size, without ever holding it."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack("!I", len(content)) + kind + content + struct.pack("!I", zlib.crc32(kind + content))

    if data is None:
        channels = {0: 1, 2: 3, 6: 4}[colour]
        packer, row = zlib.compressobj(1), b"\0" * (1 + (width * depth * channels + 7) // 8)
        data = b"".join(packer.compress(row) for _ in range(height)) + packer.flush()
    head = struct.pack("!IIBBBBB", width, height, depth, colour, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + extra + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def text_chunk(size: int) -> bytes:
    content = b"Comment\0\0" + zlib.compress(b"x" * size)
    return struct.pack("!I", len(content)) + b"zTXt" + content + struct.pack("!I", zlib.crc32(b"zTXt" + content))


def gif_of_many(frames: int) -> bytes:
    frame = b"!\xf9\x04\0\1\0\0\0,\0\0\0\0\1\0\1\0\0\2\2D\1\0"
    return b"GIF89a" + struct.pack("<HH", 30_000, 30_000) + b"\x80\0\0" + b"\0" * 6 + frame * frames + b";"


def bitmap_that_lies() -> bytes:
    head = struct.pack("<IiiHHIIiiII", 40, 60_000, 60_000, 1, 24, 0, 0, 0, 0, 0, 0)
    return b"BM" + struct.pack("<IHHI", 54, 0, 0, 54) + head


def tall_jpeg() -> bytes:
    content = bytearray(picture((64, 64), "JPEG"))
    place = content.index(b"\xff\xc0") + 5
    content[place : place + 4] = struct.pack("!HH", 65_000, 65_000)
    return bytes(content)


def webp_that_lies() -> bytes:
    content = bytearray(picture((64, 64), "WEBP", lossless=True))
    place = content.index(b"VP8L") + 9
    content[place : place + 4] = struct.pack("<I", 16_383 | 16_383 << 14)
    return bytes(content)


def tiff_that_lies() -> bytes:
    written = io.BytesIO()
    Image.new("1", (64, 64)).save(written, "TIFF")
    return written.getvalue().replace(struct.pack("<HHII", 256, 4, 1, 64), struct.pack("<HHII", 256, 4, 1, 2**31 - 1))


POSTSCRIPT = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9000 9000\n%%EndComments\n(/tmp/evil) (w) file closefile\nshowpage\n%%EOF\n"

BOMBS: dict[str, Callable[[], bytes]] = {
    "squares of black.png": lambda: png(25_000, 25_000),
    "wide.png": lambda: png(200_000, 1000),
    "tall.png": lambda: png(1000, 200_000),
    "in colour.png": lambda: png(12_000, 12_000, depth=8, colour=2),
    "deep colour.png": lambda: png(6000, 6000, depth=16, colour=6),
    "only a head.png": lambda: png(2**31 - 1, 2**31 - 1, data=b""),
    "much too large for its data.png": lambda: png(60_000, 60_000, data=zlib.compress(b"\0" * 100)),
    "no size.png": lambda: png(0, 0, data=zlib.compress(b"")),
    "text.png": lambda: png(3000, 10, extra=text_chunk(200_000_000)),
    "texts.png": lambda: png(3000, 10, extra=text_chunk(1_000_000) * 150),
    "frames.gif": lambda: gif_of_many(20_000),
    "canvas.gif": lambda: gif_of_many(1),
    "lies.bmp": bitmap_that_lies,
    "lies.jpg": tall_jpeg,
    "lies.webp": webp_that_lies,
    "lies.tiff": tiff_that_lies,
    "program.eps": lambda: POSTSCRIPT,
    "program.png": lambda: POSTSCRIPT,
}


@pytest.mark.parametrize("name", BOMBS)
async def test_a_picture_that_would_explode_is_kept_or_refused_and_stops_nothing(rig: Rig, name: str) -> None:
    content, slowest = BOMBS[name](), 0.0
    assert len(content) < LIMIT

    async def upload() -> object:
        nonlocal slowest
        sent = asyncio.ensure_future(rig.upload(file_part(content, name)))
        while not sent.done():
            began = time.monotonic()
            await asyncio.wait({sent, asyncio.ensure_future(rig.answers())})
            slowest = max(slowest, time.monotonic() - began) if not sent.done() else slowest
            await asyncio.wait({sent}, timeout=0.05)
        return await sent

    with memory_within(400_000_000):
        stored = await rig.taken_or_refused(upload, 400, 413, 415, 422)
    if stored is not None:
        assert stored.content == content or stored.mime == "image/webp"
        stored.path.unlink()
    assert slowest < 3


async def test_many_pictures_that_would_explode_at_once_stop_nothing(rig: Rig) -> None:
    body = file_part(BOMBS["in colour.png"](), "at once.png")
    with memory_within(800_000_000):
        answers = await asyncio.gather(*(rig.upload(body) for _ in range(4)))
    for answer in answers:
        if answer.status_code == 200:
            rig.stored(answer).path.unlink()
        else:
            rig.refused(answer, 400, 413, 415, 422)
    await rig.answers()


PAGE = b"<!doctype html><script>alert(1)</script>"
LIES = {
    "page.png": PAGE,
    "page.jpg": PAGE,
    "picture.html": picture(),
    "picture.svg": picture(),
    "picture.txt": picture(kind="JPEG"),
    "picture.sh": picture(),
    "program.png": b"\x7fELF" + b"\0" * 100,
    "program.jpg": b"MZ" + b"\0" * 100,
    "script.png": b"#!/bin/sh\nexit 1\n",
    "archive.png": b"PK\3\4" + b"\0" * 100,
    "both.html": picture() + PAGE,
    "both.gif": b"GIF89a/*" + PAGE + b"*/",
}


@pytest.mark.parametrize("name", LIES)
async def test_what_lies_about_its_type_is_kept_as_it_is_and_told_by_its_bytes(rig: Rig, name: str) -> None:
    stored = rig.stored(await rig.upload(file_part(LIES[name], name, kind="image/png")))
    assert stored.content == LIES[name]
    assert stored.mime != "text/html"
    if name.startswith("picture"):
        assert stored.mime in ("image/png", "image/jpeg")
    answer = await rig.get(stored.path)
    assert answer.content == LIES[name]
    assert "html" not in answer.headers["Content-Type"]
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


async def test_a_large_picture_with_a_false_name_becomes_an_honest_one(rig: Rig) -> None:
    for name in ("large.html", "large.sh", "large", "large.svg"):
        stored = await rig.store(picture((2100, 50)), name)
        assert (stored.path.suffix, stored.mime) == (".webp", "image/webp")


DRAWINGS = [
    b'<svg xmlns="http://www.w3.org/2000/svg" width="9000" height="9000"><script>alert(1)</script></svg>',
    b'<?xml version="1.0"?><!DOCTYPE svg [<!ENTITY x SYSTEM "file:///etc/passwd">]><svg xmlns="http://www.w3.org/2000/svg"><text>&x;</text></svg>',
    b'<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;"><!ENTITY c "&b;&b;&b;&b;&b;&b;&b;">]><svg>&c;</svg>',
]


@pytest.mark.parametrize("drawing", DRAWINGS, ids=["script", "entity", "entities"])
async def test_a_drawing_is_not_looked_into_and_cannot_run(rig: Rig, drawing: bytes) -> None:
    for name in ("drawing.svg", "drawing.png", "drawing"):
        stored = rig.stored(await rig.upload(file_part(drawing, name, kind="image/svg+xml")))
        assert stored.content == drawing
        answer = await rig.get(stored.path)
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        if "png" not in answer.headers["Content-Type"]:
            assert_harmless(answer)


# --- after all of it --------------------------------------------------------------------------------------------------


async def test_nothing_unfinished_is_left_of_all_this(rig: Rig) -> None:
    """The last test of the module: also what came to light late."""
    async with rig.nothing_left():
        pass
    for folder, file in itertools.product([rig.paths.workspace, rig.outside], ["evil.txt", "evil"]):
        assert not (folder / file).exists()
