"""HTTP: who may ask, and that whatever goes wrong is told in one shape without giving anything away."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import httpx
import pytest

from sygen_bot.orchestrator.lifecycle import Gateway
from tests.api.bare import bare_server
from tests.api.conftest import Serve
from tests.api.wire import PATIENCE_S, TOKEN, client, raw_http

pytestmark = pytest.mark.asyncio(loop_scope="module")


def bearer(token: str) -> dict[bytes, bytes]:
    return {b"Authorization": f"Bearer {token}".encode()}


@asynccontextmanager
async def browser(gateway: Gateway, token: str | None = TOKEN) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=gateway.url, headers=None if token is None else bearer(token)) as http:
        yield http


def assert_error(status: int, headers: dict[str, str], body: bytes, expected: int, code: str | None = None) -> None:
    """An error of the one shape, without a path or a traceback."""
    assert status == expected, body
    assert headers["content-type"].startswith("application/json")
    fields = json.loads(body)
    assert set(fields) == {"error", "code"}
    assert isinstance(fields["error"], str)
    assert fields["error"] != ""
    assert code is None or fields["code"] == code
    assert "/home" not in fields["error"]
    assert "Traceback" not in fields["error"]


# --- health -----------------------------------------------------------------------------------------------------------


async def test_health_tells_strangers_how_many_are_connected_and_nothing_else(gateway: Gateway) -> None:
    async with browser(gateway, None) as http:
        assert (await http.get("/health")).json() == {"status": "ok", "connections": 0}
        async with client(gateway), client(gateway, chat_id=77):
            assert (await http.get("/health")).json() == {"status": "ok", "connections": 2}
        assert (await http.get("/health", headers=bearer("wrong"))).status_code == 200


async def test_health_answers_head_too(gateway: Gateway) -> None:
    async with browser(gateway, None) as http:
        answer = await http.head("/health")
        assert (answer.status_code, answer.content) == (200, b"")


async def test_the_status_names_who_answers_as_the_greeting_does(gateway: Gateway) -> None:
    async with browser(gateway) as http, client(gateway) as peer:
        status = (await http.get("/api/status")).json()
        assert (status["provider"], status["model"]) == ("scripted", "scripted")
        assert (peer.hello["active_provider"], peer.hello["active_model"]) == ("scripted", "scripted")


# --- the token --------------------------------------------------------------------------------------------------------

PROTECTED = ["/api/providers", "/api/status", "/api/chat/sessions", "/openapi.json"]


@pytest.mark.parametrize("path", PROTECTED)
async def test_what_holds_something_asks_for_the_token(gateway: Gateway, path: str) -> None:
    async with browser(gateway) as http:
        assert (await http.get(path)).status_code == 200
    async with browser(gateway, None) as http:
        answer = await http.get(path)
        assert_error(answer.status_code, dict(answer.headers), answer.content, 401, "unauthorized")


@pytest.mark.parametrize("scheme", ["Bearer ", "bearer ", "BEARER ", "Bearer   "])
async def test_the_right_token_passes(gateway: Gateway, scheme: str) -> None:
    request = f"GET /api/status HTTP/1.1\r\nHost: x\r\nAuthorization: {scheme}{TOKEN}\r\nConnection: close\r\n\r\n"
    assert (await raw_http(gateway, request.encode()))[0] == 200


WRONG_HEADERS: list[str] = ["", "Bearer", "Bearer ", TOKEN, f"Basic {TOKEN}", f"Token {TOKEN}", f"Bearer{TOKEN}"]
WRONG_HEADERS += ["Bearer wrong", f"Bearer {TOKEN}x", f"Bearer {TOKEN[:-1]}", f"Bearer {TOKEN.upper()}", "Bearer ключ"]
WRONG_HEADERS += [f"Bearer Bearer {TOKEN}", "Bearer null", "Bearer \x7f", f'Bearer "{TOKEN}"', "Bearer " + "x" * 10_000]


async def test_a_wrong_token_of_any_kind_is_unauthorized(gateway: Gateway) -> None:
    texts = set()
    for header in [
        *(header.encode() for header in WRONG_HEADERS),
        b"Bearer \xff\xfe",
        b"Bearer " + TOKEN.encode("utf-16")[2:4],
    ]:
        request = b"GET /api/status HTTP/1.1\r\nHost: x\r\nAuthorization: " + header + b"\r\nConnection: close\r\n\r\n"
        status, headers, body = await raw_http(gateway, request)
        if status == 400:
            continue  # no header at all by the rules of HTTP
        assert_error(status, headers, body, 401, "unauthorized")
        assert headers["www-authenticate"].startswith("Bearer")
        texts.add(body)
    assert len(texts) == 1


async def test_the_token_counts_in_its_header_only(gateway: Gateway) -> None:
    async with browser(gateway, None) as http:
        assert (await http.get("/api/status", params={"token": TOKEN})).status_code == 401
        assert (await http.get("/api/status", headers={"Cookie": "token=x"})).status_code == 401


async def test_a_stranger_is_turned_away_before_what_he_sends_is_looked_at(gateway: Gateway) -> None:
    """With a body that never comes, and with one that is malformed."""
    head = "POST /api/chat/sessions HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nConnection: close\r\n"
    for rest in ("Content-Length: 1000000000\r\n\r\n{", "Content-Length: 1\r\n\r\n{"):
        assert_error(*(await raw_http(gateway, head + rest)), 401, "unauthorized")


async def test_a_body_has_a_limit(gateway: Gateway) -> None:
    async def in_pieces() -> AsyncIterator[bytes]:
        for _ in range(32):
            yield b" " * 65536

    async with browser(gateway) as http:
        for body in (b" " * 2_000_000, in_pieces()):
            answer = await http.post("/api/chat/sessions", content=body, headers={"Content-Type": "application/json"})
            assert_error(answer.status_code, dict(answer.headers), answer.content, 413, "too_large")


@pytest.mark.parametrize("token", ["voilà", "Å", "ключ 🔑", "a b", "\u00ff", "x\u00a0"])
async def test_any_text_can_be_the_token(serve: Serve, token: str) -> None:
    """Also one whose UTF-8 ends with a byte that Latin-1 takes for white space."""
    async with serve(token=token) as gateway, browser(gateway, token) as http:
        assert (await http.get("/api/status")).status_code == 200
        async with client(gateway, token=token) as peer:
            assert peer.hello["type"] == "auth_ok"


# --- one shape for all errors -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/nowhere", 404),
        ("GET", "/ws", 404),
        ("GET", "/../../etc/passwd", 404),
        ("GET", "/%2e%2e/%2e%2e/etc/passwd", 404),
        ("GET", "/%ff%00", 404),
        ("GET", "/redoc", 404),
        ("GET", "/" + "x" * 5000, 404),
        ("POST", "/health", 405),
        ("DELETE", "/api/status", 405),
        ("PROPFIND", "/health", 405),
    ],
)
async def test_what_does_not_exist_has_the_one_error_shape(
    gateway: Gateway, method: str, path: str, status: int
) -> None:
    request = f"{method} {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {TOKEN}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    answer = await raw_http(gateway, request.encode())
    assert_error(*answer, status)


async def test_what_does_not_exist_is_told_in_a_sentence(gateway: Gateway) -> None:
    async with browser(gateway) as http:
        assert (await http.get("/nowhere")).json()["error"] == "There is nothing at this address."
        assert (await http.put("/health")).json()["error"] == "This address does not take this method."


@pytest.mark.parametrize("path", ["/health/", "/api/providers/", "/docs/", "/api/chat/sessions/"])
async def test_a_slash_too_many_leads_nowhere(gateway: Gateway, path: str) -> None:
    async with browser(gateway) as http:
        answer = await http.get(path)
        assert_error(answer.status_code, dict(answer.headers), answer.content, 404, "not_found")


@pytest.mark.parametrize(
    ("path", "methods"),
    [
        ("/health", {"GET", "HEAD"}),
        ("/api/status", {"GET"}),
        ("/api/chat/sessions", {"GET", "POST"}),
        ("/api/chat/sessions/x", {"GET", "PUT", "DELETE"}),
    ],
)
async def test_a_wrong_method_is_told_the_right_ones(gateway: Gateway, path: str, methods: set[str]) -> None:
    async with browser(gateway) as http:
        answer = await http.options(path)
        assert answer.status_code == 405
        assert set(answer.headers["Allow"].split(", ")) == methods


MALFORMED = {
    "no HTTP": b"hello there\r\n\r\n",
    "another version": b"GET /health HTTP/7.3\r\nHost: x\r\n\r\n",
    "a header without a colon": b"GET /health HTTP/1.1\r\nHost: x\r\nnonsense\r\n\r\n",
    "a broken length": b"POST /health HTTP/1.1\r\nHost: x\r\nContent-Length: many\r\n\r\n",
    "two lengths": b"POST /health HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nxx",
    "a broken chunk": b"POST /health HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\nzz\r\n",
    "a TLS greeting": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\0" * 50,
}


@pytest.mark.parametrize("name", MALFORMED)
async def test_a_malformed_request_has_the_one_error_shape(gateway: Gateway, name: str) -> None:
    status, headers, body = await raw_http(gateway, MALFORMED[name])
    if status == 405:
        assert_error(status, headers, body, 405)  # answered before its body was looked at
    else:
        assert_error(status, headers, body, 400, "bad_request")
    async with browser(gateway, None) as http:
        assert (await http.get("/health")).status_code == 200


ENDLESS = {
    "a header": (b"GET /health HTTP/1.1\r\nHost: x\r\nX-Long: ", b"a" * 40_000),
    "a name": (b"GET /health HTTP/1.1\r\nHost: x\r\n", b"a" * 40_000),
    "headers": (b"GET /health HTTP/1.1\r\nHost: x\r\n", b"X-Some: thing\r\n" * 3000),
    "an upgrade": (b"GET /ws HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\n", b"X-Some: thing\r\n" * 3000),
    "an address": (b"GET /", b"a" * 40_000),
    "trailers": (
        b"POST /api/tasks HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n",
        b"X-Some: thing\r\n" * 3000,
    ),
}


@pytest.mark.parametrize("name", ENDLESS)
async def test_a_head_that_never_ends_is_refused(gateway: Gateway, name: str) -> None:
    begin, more = ENDLESS[name]
    reader, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
    answer = asyncio.create_task(reader.read())
    writer.write(begin)
    for _ in range(100):
        writer.write(more)
        if (await asyncio.wait({answer}, timeout=0.05))[0]:
            break
    with suppress(ConnectionResetError):
        said = await asyncio.wait_for(answer, PATIENCE_S)
        assert said.startswith(b"HTTP/1.1 431 " if name != "trailers" else b"HTTP/1.1 401 ")
    writer.close()
    async with browser(gateway, None) as http:
        assert (await http.get("/health")).status_code == 200


@pytest.mark.parametrize(
    "before", [b"", b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n"], ids=["at first", "after a request"]
)
@pytest.mark.parametrize("begin", [b"\r\n", b"GET /hea", b"GET /health HTTP/1.1\r\nHost: x\r\nX-Slow: "])
async def test_a_head_that_does_not_come_is_not_waited_for(serve: Serve, before: bytes, begin: bytes) -> None:
    """As long as a new socket may take to authenticate. What keeps coming makes no difference."""
    async with serve({"api.auth_timeout_s": 0.3}) as gateway:
        reader, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
        if before:
            writer.write(before)
            assert b"200 OK" in await reader.readuntil(b"}")
        answer = asyncio.create_task(reader.read())
        for byte in (begin + b"a" * 1_000 if begin.strip() else begin * 1_000).decode():
            writer.write(byte.encode())
            if (await asyncio.wait({answer}, timeout=0.02))[0]:
                break
        with suppress(ConnectionResetError):
            assert (await asyncio.wait_for(answer, PATIENCE_S)).startswith(b"HTTP/1.1 408 ")
        writer.close()


async def test_a_connection_without_a_word_is_closed(serve: Serve) -> None:
    async with serve({"api.auth_timeout_s": 0.2}) as gateway:
        reader, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
        said = await asyncio.wait_for(reader.read(), PATIENCE_S)
        assert said.startswith(b"HTTP/1.1 408 ")
        assert b'"code":"timeout"' in said
        writer.close()


async def test_long_headers_and_long_bodies_are_taken(gateway: Gateway) -> None:
    async with browser(gateway) as http:
        assert (await http.get("/health", headers={"X-Long": "a" * 50_000})).status_code == 200
        body = b'{"prompt": "SAY hi"' + b" " * 900_000 + b"}"
        answer = await http.post("/api/tasks", content=body, headers={"Content-Type": "application/json"})
        assert answer.status_code == 201


UPGRADE = "Host: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
KEY, VERSION = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n", "Sec-WebSocket-Version: 13\r\n"
BAD_UPGRADES = {
    "no key": f"GET /ws HTTP/1.1\r\n{UPGRADE}{VERSION}\r\n",
    "a short key": f"GET /ws HTTP/1.1\r\n{UPGRADE}{VERSION}Sec-WebSocket-Key: AAAA\r\n\r\n",
    "no version": f"GET /ws HTTP/1.1\r\n{UPGRADE}{KEY}\r\n",
    "an old version": f"GET /ws HTTP/1.1\r\n{UPGRADE}{KEY}Sec-WebSocket-Version: 8\r\n\r\n",
    "another path": f"GET /else HTTP/1.1\r\n{UPGRADE}{KEY}{VERSION}\r\n",
    "a foreign origin": f"GET /ws HTTP/1.1\r\n{UPGRADE}{KEY}{VERSION}Origin: http://evil.example\r\n\r\n",
}


@pytest.mark.parametrize("name", BAD_UPGRADES)
async def test_an_upgrade_that_is_refused_has_the_one_error_shape(gateway: Gateway, name: str) -> None:
    status, headers, body = await raw_http(gateway, BAD_UPGRADES[name])
    assert status in (400, 403, 404, 426)
    assert_error(status, headers, body, status)


async def test_a_crash_is_told_without_its_traceback(tmp_path: Path) -> None:
    def crash() -> dict[str, object]:
        raise RuntimeError(f"secret {tmp_path} {TOKEN}")

    async with bare_server(status=crash) as at:
        request = f"GET /api/status HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {TOKEN}\r\nConnection: close\r\n\r\n"
        status, headers, body = await raw_http(at, request.encode())
        assert_error(status, headers, body, 500, "internal_error")
        for secret in (b"secret", str(tmp_path).encode(), TOKEN.encode(), b"RuntimeError", b".py"):
            assert secret not in body


# --- what describes it ------------------------------------------------------------------------------------------------


PAGE = {
    "/docs": "text/html",
    "/docs/page.js": "text/javascript",
    "/docs/page.css": "text/css",
    "/docs/icon.svg": "image/svg",
}


@pytest.mark.parametrize("path", PAGE)
async def test_the_page_is_open_to_all_and_asks_nobody_else(gateway: Gateway, path: str) -> None:
    async with browser(gateway, None) as http:
        answer = await http.get(path)
        assert answer.status_code == 200
        assert answer.headers["Content-Type"].startswith(PAGE[path])
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        policy = dict(part.split(" ", 1) for part in answer.headers["Content-Security-Policy"].split("; "))
        assert (
            policy["default-src"]
            == policy["base-uri"]
            == policy["form-action"]
            == policy["frame-ancestors"]
            == "'none'"
        )
        assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == "'self'"
        named = answer.text.replace("http://www.w3.org/2000/svg", "")
        for elsewhere in ("http://", "https://", 'src="//', 'href="//', "@import", "innerHTML"):
            assert elsewhere not in named
        assert not re.search(r"\burl\(", named)
        head = await http.head(path)
        assert (head.status_code, head.content) == (200, b"")
        assert head.headers["Content-Length"] == answer.headers["Content-Length"]


async def test_the_page_has_no_script_and_no_style_inside(gateway: Gateway) -> None:
    async with browser(gateway, None) as http:
        page = (await http.get("/docs")).text
        assert re.findall(r"<script[^>]*>([^<]*)", page) == [""]
        assert not re.search(r"<style|\son\w+=|\sstyle=|javascript:", page)
        for name in re.findall(r'(?:src|href)="([^"]*)"', page):
            assert (await http.get(f"/{name}")).status_code == 200


async def test_answers_do_not_name_the_software_below(gateway: Gateway) -> None:
    async with browser(gateway) as http:
        assert "server" not in (await http.get("/health")).headers
