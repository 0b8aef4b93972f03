"""A gateway whose files are looked at from outside: what a client asks for, what is left on disk, what must never come out."""

from __future__ import annotations

import asyncio
import io
import json
import os
import re
import select
import socket
import time
import unicodedata
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from typing import Any, Literal
from urllib.parse import unquote, urljoin

import httpx
import pytest
from PIL import Image

from sygen_bot.orchestrator.lifecycle import Gateway
from sygen_bot.paths import Paths
from tests.api.conftest import serving
from tests.api.wire import PATIENCE_S, TOKEN

SECRET = b"the secret that must never come out"
BOUNDARY = "a-boundary-of-the-tests"
MULTIPART = f"multipart/form-data; boundary={BOUNDARY}"
BEARER = b"Authorization: Bearer " + TOKEN.encode()
MOST_BYTES = 100_000_000
"""More than any answer here may have: who sends more is sending without end."""

Query = str | Path | Mapping[str, str] | list[tuple[str, str]]


@dataclass(frozen=True)
class Rig:
    """A gateway, the user's home around its own, a folder outside of both, and a browser with and one without the token."""

    gateway: Gateway
    paths: Paths
    user: Path
    outside: Path
    http: httpx.AsyncClient
    stranger: httpx.AsyncClient
    known: set[Path] = field(default_factory=set)
    """Every file below the home that has a reason to be there."""

    def put(self, name: str, content: bytes = b"public", *, folder: Path | None = None) -> Path:
        """A file in the workspace, or in another folder."""
        file = (folder or self.paths.workspace) / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
        self.known.add(file)
        return file

    def hide(self, name: str = "secret.txt", *, folder: Path | None = None) -> Path:
        """A file outside of everything, with the secret."""
        return self.put(name, SECRET, folder=folder or self.outside)

    async def get(self, path: Query, *, method: str = "GET", **headers: str) -> httpx.Response:
        """The answer to a request for a file. Headers with `_` for `-`."""
        params = path if isinstance(path, Mapping | list) else {"path": str(path)}
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return await fetch(self.http, method, "/files", params=params, headers=named)

    async def ask(self, query: bytes, *headers: bytes) -> httpx.Response:
        """The answer to `GET /files?` and whatever bytes."""
        lines = [b"GET /files?" + query + b" HTTP/1.1", b"Host: x", BEARER, b"Connection: close", *headers]
        answer = await self.exchange([b"\r\n".join([*lines, b"", b""])])
        assert answer is not None, "no answer at all"
        return answer

    async def link(self, path: Query | object) -> dict[str, Any]:
        answer = await self.link_answer({"path": str(path)})
        assert answer.status_code in (200, 201), answer.content
        body: dict[str, Any] = answer.json()
        assert set(body) == {"url", "expires_at"}
        return body

    async def link_answer(self, body: object) -> httpx.Response:
        return await self.http.post("/api/files/link", json=body)

    def absolute(self, url: str) -> str:
        """A link's address on this gateway, whether it was given whole or not."""
        whole = urljoin(f"{self.gateway.url}/", url)
        assert whole.startswith(f"{self.gateway.url}/"), f"{url} is on another server"
        return whole

    async def follow(self, url: str, *, method: str = "GET", **headers: str) -> httpx.Response:
        """What a link gives to somebody without a token."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return await fetch(self.stranger, method, self.absolute(url), headers=named)

    async def upload(self, *parts: bytes, content_type: str = MULTIPART) -> httpx.Response:
        return await self.http.post("/upload", content=multipart(*parts), headers={"Content-Type": content_type})

    async def store(self, content: bytes, filename: str = "file.bin", caption: str | None = None) -> Stored:
        """Upload one file, which has to be taken."""
        captions = () if caption is None else (text_part("caption", caption.encode()),)
        answer = await self.upload(file_part(content, filename), *captions)
        assert answer.status_code == 200, answer.content
        return self.stored(answer)

    def stored(self, answer: httpx.Response) -> Stored:
        """What the answer to an upload says, checked against what is on disk."""
        body = answer.json()
        assert set(body) == {"path", "name", "mime", "size", "prompt"}
        stored = Stored(Path(body["path"]), body["name"], body["mime"], body["size"], body["prompt"])
        assert stored.path.parent.parent == self.paths.uploads
        assert re.fullmatch(r"\d{4}-\d\d-\d\d", stored.path.parent.name)
        assert stored.path.resolve() == self.paths.uploads.resolve() / stored.path.parent.name / stored.name
        assert stored.path.is_file()
        assert not stored.path.is_symlink()
        assert stored.size == stored.path.stat().st_size
        assert stored.path.stat().st_mode & 0o111 == 0, "an upload may be run"
        assert_safe(stored.name)
        assert stored.prompt.startswith("[INCOMING FILE]")
        assert stored.name in stored.prompt
        assert stored.path.relative_to(self.paths.workspace).as_posix() in stored.prompt
        assert stored.mime in stored.prompt
        self.known.add(stored.path)
        return stored

    def exchange_head(self, *headers: bytes) -> bytes:
        """The head of an upload by hand."""
        lines = [b"POST /upload HTTP/1.1", b"Host: x", BEARER, b"Connection: close", *headers]
        return b"\r\n".join([*lines, b"", b""])

    async def exchange(self, pieces: Iterable[bytes], *, then: Then = "wait") -> httpx.Response | None:
        return await asyncio.to_thread(exchange, self.gateway.port, pieces, then=then)

    def refused(self, answer: httpx.Response | None, *statuses: int) -> None:
        """An error of the one shape, with one of these statuses, that tells nothing about the machine."""
        assert answer is not None, "no answer at all"
        assert_refused(answer, *statuses)
        assert str(self.user.parent).encode() not in answer.content

    def kept(self) -> set[Path]:
        """Every file below the home, unfinished ones too, but for the database."""
        return {
            file
            for file in self.paths.home.rglob("*")
            if not file.is_dir() and not file.name.startswith(self.paths.database.name)
        }

    @asynccontextmanager
    async def nothing_left(self) -> AsyncIterator[None]:
        """Fails if there is a file after the block that nobody was told of, or if the gateway does not answer any more."""
        yield
        deadline = time.monotonic() + PATIENCE_S
        while (left := self.kept() - self.known) and time.monotonic() < deadline:  # noqa: ASYNC110
            await asyncio.sleep(0.02)  # nothing tells when a gateway has seen that its client is gone
        assert not left
        await self.answers()

    async def answers(self) -> None:
        health = await self.stranger.get("/health")
        assert (health.status_code, health.json()["status"]) == (200, "ok")

    async def taken_or_refused(
        self, upload: Callable[[], Any], *statuses: int, within_s: float = PATIENCE_S
    ) -> Stored | None:
        """Either the upload is stored whole, as one file, or refused and nothing is left; in time; and the gateway still answers."""
        stored, began = None, time.monotonic()
        async with self.nothing_left():
            answer: httpx.Response = await upload()
            assert time.monotonic() - began < within_s
            if answer.status_code == 200:
                stored = self.stored(answer)
            else:
                self.refused(answer, *statuses)
        return stored


@dataclass(frozen=True)
class Stored:
    """What the gateway says about an upload."""

    path: Path
    name: str
    mime: str
    size: int
    prompt: str

    @property
    def content(self) -> bytes:
        return self.path.read_bytes()


@asynccontextmanager
async def files_rig(folder: Path, **settings: object) -> AsyncIterator[Rig]:
    """A gateway with a user's home of its own; `settings` by key, `__` for the dot."""
    user, outside = folder / "user", folder / "outside"
    for made in (user, outside):
        made.mkdir(parents=True)
    paths = Paths(user / ".sygen")
    by_key = {key.replace("__", "."): value for key, value in settings.items()}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HOME", str(user))
        headers = {b"Authorization": f"Bearer {TOKEN}".encode()}
        async with (
            serving(paths.home, by_key) as gateway,
            httpx.AsyncClient(base_url=gateway.url, headers=headers, timeout=PATIENCE_S) as http,
            httpx.AsyncClient(base_url=gateway.url, timeout=PATIENCE_S) as stranger,
        ):
            rig = Rig(gateway, paths, user, outside, http, stranger)
            rig.known.update(rig.kept())
            yield rig


async def fetch(http: httpx.AsyncClient, method: str, url: str, **options: Any) -> httpx.Response:
    """An answer, unless it takes too long or has no end."""
    async with asyncio.timeout(PATIENCE_S), http.stream(method, url, **options) as answer:
        content = bytearray()
        async for chunk in answer.aiter_bytes():
            content += chunk
            assert len(content) <= MOST_BYTES, "an answer without end"
        return httpx.Response(answer.status_code, headers=answer.headers, content=bytes(content))


# --- multipart by hand ------------------------------------------------------------------------------------------------


def part(head: bytes, content: bytes) -> bytes:
    """A part of a multipart body; `head` without the empty line."""
    return b"\r\n".join([f"--{BOUNDARY}".encode(), head, b"", content, b""])


def text_part(name: str, content: bytes) -> bytes:
    return part(f'Content-Disposition: form-data; name="{name}"'.encode(), content)


def file_part(content: bytes, filename: str | bytes = "file.bin", *, kind: str = "application/octet-stream") -> bytes:
    """The field `file`; quotes in its name as browsers write them, anything else as it is."""
    raw = filename if isinstance(filename, bytes) else filename.replace('"', "%22").encode("utf-8", "surrogatepass")
    head = b'Content-Disposition: form-data; name="file"; filename="' + raw + b'"\r\nContent-Type: ' + kind.encode()
    return part(head, content)


def multipart(*parts: bytes) -> bytes:
    return b"".join([*parts, f"--{BOUNDARY}--\r\n".encode()])


# --- HTTP by hand -----------------------------------------------------------------------------------------------------

Then = Literal["wait", "end", "reset"]


def exchange(port: int, pieces: Iterable[bytes], *, then: Then = "wait") -> httpx.Response | None:
    """Send pieces until the server answers or hangs up; then wait for its answer, or `end` the sending side, or hang up.

    None if there was no answer. Blocking: an answer that came before the connection broke is not lost.
    """
    received, deadline = bytearray(), time.monotonic() + PATIENCE_S
    with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_S) as sock:
        with suppress(ConnectionError):
            for piece in pieces:
                waiting = memoryview(piece)
                while waiting:
                    assert time.monotonic() < deadline, "the server neither reads nor answers"
                    readable, writable, _ = select.select([sock], [sock], [], 1)
                    if readable:
                        break
                    if writable:
                        waiting = waiting[sock.send(waiting[:65536], socket.MSG_DONTWAIT) :]
                if waiting:
                    break
            if then == "reset":
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
                return None
            if then == "end":
                with suppress(OSError):  # the server was quicker
                    sock.shutdown(socket.SHUT_WR)
        with suppress(ConnectionError):
            while chunk := sock.recv(65536):
                received += chunk
                assert len(received) <= MOST_BYTES, "an answer without end"
                assert time.monotonic() < deadline, "an answer that takes too long"
    return _parsed(bytes(received)) if received else None


class _Bytes:
    """Bytes for the standard library's parser, which wants a socket."""

    def __init__(self, raw: bytes) -> None:
        self._raw = raw

    def makefile(self, *_: object) -> io.BytesIO:
        return io.BytesIO(self._raw)


def _parsed(raw: bytes) -> httpx.Response:
    answer = HTTPResponse(_Bytes(raw))  # type: ignore[arg-type]  # it only ever calls `makefile`
    try:
        answer.begin()
        return httpx.Response(answer.status, headers=answer.getheaders(), content=answer.read())
    except HTTPException as error:
        raise AssertionError(f"no HTTP: {raw[:200]!r}") from error


# --- what an answer has to be -----------------------------------------------------------------------------------------

CODES = {400: "bad_request", 401: "unauthorized", 403: "forbidden", 404: "not_found", 413: "too_large", 422: "invalid"}
CODES |= {405: "not_found", 415: "unsupported_media"}


def assert_refused(answer: httpx.Response, *statuses: int) -> None:
    assert answer.status_code in statuses, (answer.status_code, answer.content[:300])
    assert SECRET not in answer.content
    assert answer.headers["Content-Type"].startswith("application/json")
    body = json.loads(answer.content)
    assert set(body) == {"error", "code"}
    assert isinstance(body["error"], str)
    assert body["error"]
    assert body["code"] == CODES.get(answer.status_code, body["code"])
    for inside in ("Traceback", ".py", "Errno", "/usr", "/home", "/proc", "/etc", "Error("):
        assert inside not in body["error"]


_WINDOWS = {"CON", "PRN", "AUX", "NUL", *(f"{name}{number}" for name in ("COM", "LPT") for number in range(1, 10))}


def assert_safe(name: str) -> None:
    """One component of a path that is harmless on any system, in a listing and on a command line."""
    assert name
    assert 0 < len(name.encode()) <= 255
    assert not set(name) & set("/\\\0"), name
    assert not name.startswith((".", "-", " ")), name
    assert not name.endswith((".", " ")), name
    assert name.split(".")[0].rstrip().upper() not in _WINDOWS, name
    assert not [one for one in name if unicodedata.category(one) in ("Cc", "Cf", "Cs", "Zl", "Zp")], ascii(name)


def disposition(answer: httpx.Response) -> tuple[str, str]:
    """(kind, name) of a Content-Disposition, read as RFC 6266 says."""
    (raw,) = [value for name, value in answer.headers.raw if name.lower() == b"content-disposition"]
    header = raw.decode("ascii")
    kind, _, rest = header.partition(";")
    if extended := re.search(r"filename\*=(?i:utf-8)'[^']*'([^;\s]*)", rest):
        assert re.fullmatch(r"[A-Za-z0-9!#$&+.^_`|~%-]+", extended[1]), header
        return kind, unquote(extended[1], errors="strict")
    if quoted := re.search(r'filename="((?:[^"\\]|\\.)*)"', rest):
        return kind, re.sub(r"\\(.)", r"\1", quoted[1])
    token = re.search(r"filename=([^\s;\"]+)\s*(?:;|$)", rest)
    assert token, header
    return kind, token[1]


def assert_harmless(answer: httpx.Response) -> None:
    """Whatever it is, a browser neither shows nor runs it."""
    assert disposition(answer)[0] == "attachment"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert re.search(r"(^|;)\s*sandbox\s*(;|$)", answer.headers["Content-Security-Policy"])


# --- pictures ---------------------------------------------------------------------------------------------------------


def picture(size: tuple[int, int] = (40, 30), kind: str = "PNG", *, mode: str = "RGB", **options: Any) -> bytes:
    """An image file."""
    written = io.BytesIO()
    gradient = Image.linear_gradient("L").resize(size)
    gradient.convert(mode).save(written, kind, **options)
    return written.getvalue()


def animation(size: tuple[int, int] = (40, 30), kind: str = "GIF", frames: int = 2) -> bytes:
    written = io.BytesIO()
    images = [Image.new("P", size, number) for number in range(frames)]
    for number, image in enumerate(images):
        image.putpalette([0, 0, 0, 255, 255, 255, 255, 0, 0] + [0] * 759)
        image.putpixel((number, 0), 2)
    images[0].save(written, kind, save_all=True, append_images=images[1:], duration=50, loop=0)
    return written.getvalue()


def opened(file: Path) -> Image.Image:
    """A picture, read whole."""
    with Image.open(file) as image:
        image.load()
        return image


def resident_bytes() -> int:
    """How much memory this process, gateway and all, holds now."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
