"""Agents over HTTP: the list, and their pictures with everything that HTTP says about a picture."""

from __future__ import annotations

import asyncio
import io
import json
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import quote

import httpx
import pytest
import pytest_asyncio
from PIL import Image

from sygen_bot.orchestrator.lifecycle import Gateway
from tests.api.conftest import Serve, serving
from tests.api.wire import TOKEN, client, raw_http

pytestmark = pytest.mark.asyncio(loop_scope="module")

AGENTS = "/api/agents"
MAX_BYTES = 10 * 1024 * 1024
NASTY = "../a/avatar?<script>\u2028ä"
UNKNOWN = "nobody"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def gateway(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Gateway]:
    folder = tmp_path_factory.mktemp("agents")
    (folder / "configured.png").write_bytes(picture("blue"))
    agents = {
        "main": {},
        "ada": {"title": "Ada", "provider": "claude", "model": "opus"},
        "blue": {"avatar": str(folder / "configured.png")},
        "lost": {"avatar": str(folder / "missing.png")},
        NASTY: {},
    }
    async with serving(folder / "home", {"agents": agents}) as running:
        yield running


@pytest_asyncio.fixture(loop_scope="module")
async def http(gateway: Gateway) -> AsyncIterator[httpx.AsyncClient]:
    headers = {b"Authorization": f"Bearer {TOKEN}".encode()}
    async with httpx.AsyncClient(base_url=gateway.url, headers=headers, timeout=30) as one:
        yield one


def picture(colour: str, size: tuple[int, int] = (300, 200), kind: str = "PNG") -> bytes:
    out = io.BytesIO()
    Image.new("RGB", size, colour).save(out, kind)
    return out.getvalue()


def avatar(name: str) -> str:
    return f"{AGENTS}/{quote(name, safe='')}/avatar"


def colour(answer: httpx.Response) -> tuple[int, ...]:
    """The colour in the middle of a WebP."""
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "image/webp"
    with Image.open(io.BytesIO(answer.content)) as image:
        assert image.format == "WEBP"
        pixel = image.convert("RGB").getpixel((image.width // 2, image.height // 2))
    assert isinstance(pixel, tuple)
    return tuple(round(value / 255) * 255 for value in pixel)


async def send(http: httpx.AsyncClient, name: str, content: bytes, field: str = "avatar") -> httpx.Response:
    return await http.post(avatar(name), files={field: ("../evil.png", content, "text/html")})


def assert_refused(answer: httpx.Response, status: int, code: str) -> None:
    assert (answer.status_code, answer.json()["code"]) == (status, code), answer.text
    assert set(answer.json()) == {"error", "code"}
    assert "/" not in answer.json()["error"].replace("multipart/form-data", "")


def leftovers(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """What lies about that is no stored picture."""
    return [
        file.name for file in tmp_path_factory.getbasetemp().rglob("*") if file.name.startswith((".new-", ".incoming-"))
    ]


# --- the list ---------------------------------------------------------------------------------------------------------


async def test_the_agents_are_listed_as_they_are_configured(http: httpx.AsyncClient) -> None:
    answer = await http.get(AGENTS)
    assert answer.status_code == 200
    agents = {one["name"]: one for one in answer.json()}
    assert list(agents) == ["main", "ada", "blue", "lost", NASTY]
    assert agents["ada"] == {
        "name": "ada",
        "title": "Ada",
        "provider": "claude",
        "model": "opus",
        "has_avatar": False,
    }
    assert (agents["main"]["provider"], agents["main"]["title"]) == ("scripted", "Main")
    assert [agents[name]["has_avatar"] for name in ("blue", "lost")] == [True, False]


async def test_they_are_listed_over_the_socket_too(gateway: Gateway, http: httpx.AsyncClient) -> None:
    async with client(gateway, rpc=True) as socket:
        assert await socket.request("GET", AGENTS) == (200, (await http.get(AGENTS)).json())


async def test_a_stranger_sees_no_agent_and_no_picture(gateway: Gateway) -> None:
    async with httpx.AsyncClient(base_url=gateway.url) as stranger:
        for method, path in (
            ("GET", AGENTS),
            ("GET", avatar("main")),
            ("POST", avatar("main")),
            ("DELETE", avatar("main")),
        ):
            assert_refused(await stranger.request(method, path), 401, "unauthorized")


# --- reading ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["main", "lost", NASTY])
async def test_an_agent_without_a_picture_has_a_made_one_that_cannot_do_anything(
    name: str, http: httpx.AsyncClient
) -> None:
    answer = await http.get(avatar(name))
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "image/svg+xml"
    assert answer.headers["Content-Security-Policy"] == "sandbox; default-src 'none'; style-src 'unsafe-inline'"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Cache-Control"] == "private, no-cache"
    assert answer.text.startswith("<svg ")
    assert "<script" not in answer.text
    assert (await http.get(avatar(name))).content == answer.content


async def test_a_configured_picture_shows(http: httpx.AsyncClient) -> None:
    answer = await http.get(avatar("blue"))
    assert colour(answer) == (0, 0, 255)
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert "Content-Security-Policy" not in answer.headers


async def test_who_has_a_picture_is_not_sent_it_again(http: httpx.AsyncClient) -> None:
    for name in ("main", "blue"):
        tag = (await http.get(avatar(name))).headers["ETag"]
        assert tag[0] == tag[-1] == '"', "it is a strong one"
        for condition in (tag, "*", f'"other", {tag}', f"W/{tag}"):
            answer = await http.get(avatar(name), headers={"If-None-Match": condition})
            assert (answer.status_code, answer.content, answer.headers["ETag"]) == (304, b"", tag), condition
            assert answer.headers["Cache-Control"] == "private, no-cache"
        for condition in ('"other"', tag.strip('"'), ""):
            assert (await http.get(avatar(name), headers={"If-None-Match": condition})).status_code == 200, condition


async def test_head_tells_the_same_without_the_picture(http: httpx.AsyncClient) -> None:
    told, shown = await http.head(avatar("blue")), await http.get(avatar("blue"))
    assert (told.status_code, told.content) == (200, b"")
    for header in ("Content-Type", "Content-Length", "ETag", "Cache-Control"):
        assert told.headers[header] == shown.headers[header]
    answer = await http.head(avatar("blue"), headers={"If-None-Match": "*"})
    assert answer.status_code == 304


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "DELETE"])
@pytest.mark.parametrize("name", [UNKNOWN, "", "..%2f..%2fmain", "main/", "\0", "Main"])
async def test_an_unknown_agent_is_not_found(method: str, name: str, http: httpx.AsyncClient) -> None:
    answer = await http.request(method, avatar(name))
    assert answer.status_code == 404
    if method != "HEAD":
        assert_refused(answer, 404, "not_found")


async def test_a_method_that_is_not_there_names_those_that_are(http: httpx.AsyncClient) -> None:
    answer = await http.put(avatar("main"))
    assert_refused(answer, 405, "not_found")
    assert answer.headers["Allow"] == "GET, HEAD, POST, DELETE"


# --- changing ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["main", "blue", NASTY])
async def test_an_uploaded_picture_shows_until_it_is_taken_away(name: str, http: httpx.AsyncClient) -> None:
    before = await http.get(avatar(name))
    answer = await send(http, name, picture("red", (900, 700), "JPEG"))
    assert answer.status_code == 200
    assert (answer.json()["name"], answer.json()["has_avatar"]) == (name, True)
    shown = await http.get(avatar(name))
    assert colour(shown) == (255, 0, 0)
    assert shown.headers["ETag"] != before.headers["ETag"]
    assert len(shown.content) < 10_000
    for _ in range(2):
        gone = await http.delete(avatar(name))
        assert (gone.status_code, gone.content) == (204, b"")
    assert (await http.get(avatar(name))).content == before.content


async def test_the_last_of_many_uploads_is_whole(http: httpx.AsyncClient) -> None:
    colours = {"red": (255, 0, 0), "lime": (0, 255, 0), "blue": (0, 0, 255)}
    answers = await asyncio.gather(*(send(http, "ada", picture(name)) for name in colours))
    assert [answer.status_code for answer in answers] == [200, 200, 200]
    assert colour(await http.get(avatar("ada"))) in colours.values()
    await http.delete(avatar("ada"))


@pytest.mark.parametrize(
    "content",
    [b"", b"no picture", b"<svg xmlns='http://www.w3.org/2000/svg'><script/></svg>", picture("red")[:60]],
    ids=["nothing", "text", "SVG", "half a picture"],
)
async def test_what_is_no_picture_is_refused_and_nothing_is_left(
    content: bytes, http: httpx.AsyncClient, tmp_path_factory: pytest.TempPathFactory
) -> None:
    before = await http.get(avatar("main"))
    assert_refused(await send(http, "main", content), 415, "unsupported_media")
    assert (await http.get(avatar("main"))).content == before.content
    assert leftovers(tmp_path_factory) == []


async def test_a_picture_may_be_large_but_not_too_large(
    http: httpx.AsyncClient, tmp_path_factory: pytest.TempPathFactory
) -> None:
    padded = picture("red", kind="JPEG")
    fits = await send(http, "main", padded + bytes(MAX_BYTES - len(padded)))
    assert fits.status_code == 200
    assert_refused(await send(http, "main", padded + bytes(MAX_BYTES - len(padded) + 1)), 413, "too_large")
    assert_refused(await send(http, "main", bytes(MAX_BYTES * 2)), 413, "too_large")
    await http.delete(avatar("main"))
    assert leftovers(tmp_path_factory) == []


async def test_a_body_without_a_picture_in_the_right_field_is_refused(http: httpx.AsyncClient) -> None:
    assert_refused(await send(http, "main", picture("red"), field="file"), 400, "bad_request")
    assert_refused(await http.post(avatar("main"), json={"avatar": "x"}), 400, "bad_request")
    assert_refused(await http.post(avatar("main")), 400, "bad_request")
    assert_refused(await http.post(avatar("main"), files={"avatar": (None, "text")}), 400, "bad_request")


async def test_an_unknown_agent_is_refused_before_the_body_is_read(gateway: Gateway) -> None:
    head = (
        f"POST {avatar(UNKNOWN)} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 1000000\r\n"
        f"Content-Type: multipart/form-data; boundary=b\r\nAuthorization: Bearer "
    )
    status, _, body = await raw_http(gateway, head.encode() + TOKEN.encode() + b"\r\n\r\n")
    assert (status, json.loads(body)["code"]) == (404, "not_found")


async def test_an_upload_outlives_the_gateway(serve: Serve, tmp_path: Path) -> None:
    headers = {b"Authorization": f"Bearer {TOKEN}".encode()}
    for is_first in (True, False):
        async with serve() as running, httpx.AsyncClient(base_url=running.url, headers=headers, timeout=30) as http:
            if is_first:
                await send(http, "main", picture("red"))
            assert colour(await http.get(avatar("main"))) == (255, 0, 0)
    (file,) = (tmp_path / "home" / "avatars").iterdir()
    assert file.stat().st_mode & 0o077 == 0
