"""The web page: what is served of it, to whom, and what it may do in a browser."""

from __future__ import annotations

import asyncio
import gzip
import json
import os
import re
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import httpx
import pytest
import pytest_asyncio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sygen_bot.config import load_settings
from sygen_bot.errors import ConfigError
from sygen_bot.orchestrator.lifecycle import Gateway
from sygen_bot.paths import Paths
from tests.api.conftest import Serve, serving
from tests.api.wire import TOKEN, raw_http

pytestmark = pytest.mark.asyncio(loop_scope="module")

SECRET = "a secret outside of the page"
SCRIPT = "export const greeting = 'hello';\n" * 100
FILES = {
    "index.html": "<!doctype html><title>the page</title>",
    "manifest.webmanifest": '{"name": "Sygen"}',
    "sw.js": "self.addEventListener('fetch', () => undefined);",
    "icons/icon.svg": "<svg xmlns='http://www.w3.org/2000/svg'/>",
    "icons/icon-192.png": "no real picture",
    "assets/index-a1b2.js": SCRIPT,
    "assets/index-a1b2.css": "body {}",
    "assets/notes.unheard-of": "?",
    ".hidden": SECRET,
    ".git/config": SECRET,
}
TYPES = {
    "/": "text/html; charset=utf-8",
    "/manifest.webmanifest": "application/manifest+json",
    "/sw.js": "text/javascript; charset=utf-8",
    "/icons/icon.svg": "image/svg+xml",
    "/icons/icon-192.png": "image/png",
    "/assets/index-a1b2.js": "text/javascript; charset=utf-8",
    "/assets/index-a1b2.css": "text/css; charset=utf-8",
    "/assets/notes.unheard-of": "application/octet-stream",
}


def make_page(directory: Path) -> Path:
    """A page with everything that a real one has, and next to it what it must not show."""
    for name, content in FILES.items():
        file = directory / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(content)
    script = directory / "assets/index-a1b2.js"
    script.with_suffix(".js.gz").write_bytes(gzip.compress(SCRIPT.encode()))
    script.with_suffix(".js.br").write_bytes(b"as if it were brotli")
    (directory.parent / "secret.txt").write_text(SECRET)
    (directory.parent / f"{directory.name}-too").mkdir()
    (directory.parent / f"{directory.name}-too/secret.txt").write_text(SECRET)
    (directory / "out.txt").symlink_to(directory.parent / "secret.txt")
    (directory / "up").symlink_to(directory.parent)
    (directory / "within.html").symlink_to(directory / "index.html")
    os.mkfifo(directory / "pipe.js")
    return directory


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_page(tmp_path_factory.mktemp("page") / "page")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def gateway(tmp_path_factory: pytest.TempPathFactory, page: Path) -> AsyncIterator[Gateway]:
    async with serving(tmp_path_factory.mktemp("home") / "home", {"web.directory": page}) as running:
        yield running


@pytest_asyncio.fixture(loop_scope="module")
async def http(gateway: Gateway) -> AsyncIterator[httpx.AsyncClient]:
    """A browser that has no token."""
    async with httpx.AsyncClient(base_url=gateway.url, headers={"Accept-Encoding": "identity"}) as client:
        yield client


def policy_of(headers: Mapping[str, str]) -> dict[str, str]:
    return dict(part.split(" ", 1) for part in headers["Content-Security-Policy"].split("; "))


def assert_nothing_here(answer: httpx.Response) -> None:
    assert answer.status_code == 404
    assert answer.json() == {"error": "There is nothing at this address.", "code": "not_found"}


# --- what is served ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", TYPES)
async def test_everybody_gets_its_files_with_their_types(http: httpx.AsyncClient, path: str) -> None:
    answer = await http.get(path)
    assert answer.status_code == 200
    assert answer.text == FILES["index.html" if path == "/" else path[1:]]
    assert answer.headers["Content-Type"] == TYPES[path]
    assert answer.headers["Content-Length"] == str(len(answer.content))


@pytest.mark.parametrize("path", TYPES)
async def test_head_tells_the_same_without_the_file(http: httpx.AsyncClient, path: str) -> None:
    answer, whole = await http.head(path), await http.get(path)
    assert (answer.status_code, answer.content) == (200, b"")
    assert {**answer.headers, "date": ""} == {**whole.headers, "date": ""}


async def test_what_its_name_tells_is_kept_for_ever_and_the_rest_is_asked_for_again(http: httpx.AsyncClient) -> None:
    for path in TYPES:
        kept = (await http.get(path)).headers["Cache-Control"]
        assert kept == ("public, max-age=31536000, immutable" if path.startswith("/assets/") else "no-cache")


@pytest.mark.parametrize("path", ["/", "/sw.js", "/assets/index-a1b2.js"])
async def test_who_has_it_already_is_told_so(http: httpx.AsyncClient, path: str) -> None:
    first = await http.get(path)
    again = await http.get(path, headers={"If-None-Match": f'"other", {first.headers["ETag"]}'})
    assert (again.status_code, again.content) == (304, b"")
    for name in ("ETag", "Cache-Control", "Content-Security-Policy", "Vary"):
        assert again.headers[name] == first.headers[name]
    assert (await http.get(path, headers={"If-None-Match": '"other"'})).status_code == 200


@pytest.mark.parametrize(
    ("accepted", "sent"),
    [
        ("gzip, deflate, br, zstd", "br"),
        ("gzip", "gzip"),
        ("gzip;q=1.0, br;q=0", "gzip"),
        ("BR ; q=0.5", "br"),
        ("br;q=0.0, gzip;q=0", None),
        ("identity", None),
        ("*", None),
        (";;,,=;q=", None),
    ],
)
async def test_what_was_compressed_by_the_build_is_sent_to_who_takes_it(
    gateway: Gateway, page: Path, accepted: str, sent: str | None
) -> None:
    request = (
        f"GET /assets/index-a1b2.js HTTP/1.1\r\nHost: x\r\nAccept-Encoding: {accepted}\r\nConnection: close\r\n\r\n"
    )
    status, headers, body = await raw_http(gateway, request)
    ending = {"br": ".br", "gzip": ".gz", None: ""}[sent]
    assert (status, headers.get("content-encoding")) == (200, sent)
    assert body == (page / f"assets/index-a1b2.js{ending}").read_bytes()
    assert headers["content-type"] == "text/javascript; charset=utf-8"
    assert headers["vary"] == "Accept-Encoding"


async def test_each_encoding_has_a_tag_of_its_own(http: httpx.AsyncClient) -> None:
    tags = {
        (await http.get("/assets/index-a1b2.js", headers={"Accept-Encoding": encoding})).headers["ETag"]
        for encoding in ("identity", "gzip")
    }
    assert len(tags) == 2


async def test_a_new_build_shows_at_once(serve: Serve, tmp_path: Path) -> None:
    page = tmp_path / "page"
    async with serve({"web.directory": page}) as gateway, httpx.AsyncClient(base_url=gateway.url) as http:
        assert (await http.get("/")).status_code == 404
        page.mkdir()
        for content in ("first", "second"):
            (page / "new.html").write_text(content)
            (page / "new.html").rename(page / "index.html")
            answer = await http.get("/")
            assert (answer.status_code, answer.text) == (200, content)


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS"])
async def test_it_can_only_be_read(http: httpx.AsyncClient, method: str) -> None:
    for path in ("/", "/sw.js"):
        answer = await http.request(method, path)
        assert (answer.status_code, answer.headers["Allow"]) == (405, "GET, HEAD")
        assert answer.json()["code"] == "not_found"


# --- beside the API ---------------------------------------------------------------------------------------------------


async def test_the_api_comes_first(serve: Serve, tmp_path: Path) -> None:
    page = tmp_path / "page"
    for name in ("health", "docs", "api/status", "openapi.json", "ws", "files", "index.html"):
        (page / name).parent.mkdir(parents=True, exist_ok=True)
        if not (page / name).exists():
            (page / name).write_text("the page")
    async with serve({"web.directory": page}) as gateway, httpx.AsyncClient(base_url=gateway.url) as http:
        assert (await http.get("/health")).json()["status"] == "ok"
        assert (await http.get("/api/status")).status_code == 401
        assert (await http.get("/openapi.json")).status_code == 401
        assert (await http.get("/files")).status_code == 401
        assert "Sygen API" in (await http.get("/docs")).text
        assert (await http.post("/health")).headers["Allow"] == "GET, HEAD"
        assert (await http.get("/")).text == "the page"


@pytest.mark.parametrize(
    "path", ["/nowhere", "/assets", "/assets/", "/icons/", "/index.html/", "/api/nothing", "/SW.js"]
)
async def test_what_is_in_neither_has_the_one_error_shape(http: httpx.AsyncClient, path: str) -> None:
    assert_nothing_here(await http.get(path))


async def test_without_the_page_the_root_says_how_to_get_it(serve: Serve, tmp_path: Path) -> None:
    async with serve({"web.directory": tmp_path}) as gateway, httpx.AsyncClient(base_url=gateway.url) as http:
        answer = await http.get("/")
        assert (answer.status_code, answer.headers["Content-Type"]) == (404, "text/html; charset=utf-8")
        assert "make page" in answer.text
        assert str(tmp_path) not in answer.text
        assert policy_of(answer.headers)["script-src"] == "'self'"
        assert not re.search(r"<script|<style|\son\w+=|\sstyle=", answer.text)
        assert answer.headers["Cache-Control"] == "no-store"
        assert (await http.head("/")).content == b""
        for path in ("/index.html", "/sw.js"):
            assert_nothing_here(await http.get(path))
        assert_nothing_here(await http.post("/"))


async def test_it_can_be_switched_off(serve: Serve, page: Path) -> None:
    off = {"web.enabled": False, "web.directory": page}
    async with serve(off) as gateway, httpx.AsyncClient(base_url=gateway.url) as http:
        for path in ("/", "/index.html", "/assets/index-a1b2.js"):
            assert_nothing_here(await http.get(path))


# --- attacks ----------------------------------------------------------------------------------------------------------

PARTS = [
    *FILES,
    "..",
    ".",
    "%2e%2e",
    "%2E.",
    "..%2f",
    "%2f",
    "%5c..",
    "..\\",
    "%00",
    "%ff",
    "%c0%ae%c0%ae",
    "%252e%252e",
    "",
]
PARTS += [
    "up",
    "out.txt",
    "secret.txt",
    "page-too",
    "assets",
    "index.html",
    "~",
    "..;",
    "C:",
    "pipe.js",
    "%0d%0a",
    "within.html",
]


@given(st.lists(st.sampled_from(PARTS), max_size=5), st.sampled_from(["/", "//", "%2f", "%5c"]))
@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_no_path_leads_out_of_the_page(gateway: Gateway, parts: list[str], between: str) -> None:
    request = f"GET /{between.join(parts)} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    status, _, body = await raw_http(gateway, request)
    if status == 200:
        assert body.decode() in FILES.values()
    else:
        assert (status, json.loads(body)["code"]) == (404, "not_found")
    assert SECRET not in body.decode()


NO_NAMES = ["/../secret.txt", "/%2e%2e/secret.txt", "/assets/../../secret.txt", "/..%2fsecret.txt", "//../secret.txt"]
NO_NAMES += [
    "/out.txt",
    "/up/secret.txt",
    "/.hidden",
    "/.git/config",
    "/assets/../index.html",
    "/../page-too/secret.txt",
]
NO_NAMES += ["/assets/..%5c..%5csecret.txt", "/pipe.js", "/%00", "/index.html%00", "/" + "x" * 5000]


@pytest.mark.parametrize("path", NO_NAMES)
async def test_what_is_no_plain_name_below_the_page_is_nothing(gateway: Gateway, path: str) -> None:
    request = f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    status, _, body = await asyncio.wait_for(raw_http(gateway, request), 10)
    assert (status, json.loads(body)["code"]) == (404, "not_found")


async def test_a_link_within_the_page_is_followed(http: httpx.AsyncClient) -> None:
    assert (await http.get("/within.html")).text == FILES["index.html"]


@pytest.mark.parametrize("path", ["/", "/sw.js", "/icons/icon.svg", "/assets/index-a1b2.js"])
async def test_it_runs_only_its_own_scripts_and_talks_only_to_its_gateway(http: httpx.AsyncClient, path: str) -> None:
    headers = (await http.get(path)).headers
    policy = policy_of(headers)
    assert policy["default-src"] == policy["script-src"] == policy["style-src"] == policy["worker-src"] == "'self'"
    assert policy["connect-src"] == "'self'"
    assert policy["object-src"] == policy["base-uri"] == policy["form-action"] == "'none'"
    assert policy["require-trusted-types-for"] == "'script'"
    assert policy["trusted-types"] == "sygen"
    for unsafe in ("unsafe", "data:", "*", "http"):
        assert unsafe not in headers["Content-Security-Policy"]
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "no-referrer"
    allowed = dict(part.split("=") for part in headers["Permissions-Policy"].split(", "))
    assert {name for name, who in allowed.items() if who != "()"} == {"microphone"}
    assert allowed["microphone"] == "(self)"


async def test_no_page_of_others_may_frame_or_embed_it(http: httpx.AsyncClient) -> None:
    headers = (await http.get("/")).headers
    assert policy_of(headers)["frame-ancestors"] == "'none'"
    assert headers["Cross-Origin-Opener-Policy"] == headers["Cross-Origin-Resource-Policy"] == "same-origin"
    plain = (await http.get("/", headers={"Host": "home.example:8741"})).headers
    assert "Cross-Origin-Opener-Policy" not in plain, "browsers ignore it there, and complain"


# --- other gateways ---------------------------------------------------------------------------------------------------


async def test_it_may_talk_to_the_gateways_that_are_named(serve: Serve, page: Path) -> None:
    others = ["https://other.example:8741", "http://192.0.2.7"]
    async with (
        serve({"web.directory": page, "web.gateways": others}) as gateway,
        httpx.AsyncClient(base_url=gateway.url) as http,
    ):
        assert policy_of((await http.get("/")).headers)["connect-src"].split() == [
            "'self'",
            *("https://other.example:8741", "wss://other.example:8741"),
            *("http://192.0.2.7", "ws://192.0.2.7"),
        ]


NO_GATEWAYS = ["*", "null", "other.example", "https://", "https://a.example/", "https://a.example/x", "ftp://a.example"]
NO_GATEWAYS += [
    "https://a.example; script-src *",
    "https://a.example 'unsafe-eval'",
    "https://*.example",
    "https://u@a.example",
]
NO_GATEWAYS += [
    "https://[::1]:8741",
    "https://a.example:x",
    "https://a.example\n",
    "wss://a.example",
    "https://ä.example",
    "",
]


@pytest.mark.parametrize("origin", NO_GATEWAYS)
async def test_what_is_no_origin_cannot_be_named_as_a_gateway(tmp_path: Path, origin: str) -> None:
    with pytest.raises(ConfigError) as refused:
        load_settings(Paths(tmp_path), overrides={"web.gateways": [origin]})
    assert "web.gateways.0: found" in str(refused.value)


FOREIGN = [
    "http://evil.example",
    "https://chat.example.evil.example",
    "http://chat.example",
    "https://chat.example:444",
]
FOREIGN += ["null", "", "*", "https://chat.example,https://evil.example", "HTTPS://CHAT.EXAMPLE"]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def open_gateway(tmp_path_factory: pytest.TempPathFactory, page: Path) -> AsyncIterator[Gateway]:
    """One that lets the page of https://chat.example in."""
    own = {"web.directory": page, "api.allowed_origins": ["https://chat.example"]}
    async with serving(tmp_path_factory.mktemp("open") / "home", own) as running:
        yield running


ASKED = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization, content-type"}


def sent_by(origin: str, token: str | None = TOKEN) -> dict[bytes, bytes]:
    """The headers of a request that a page of this origin makes."""
    return {b"Origin": origin.encode()} | ({} if token is None else {b"Authorization": f"Bearer {token}".encode()})


def granted(answer: httpx.Response) -> set[str]:
    return {name for name in answer.headers if name.startswith("access-control-")}


async def test_an_allowed_origin_may_ask_and_read(open_gateway: Gateway) -> None:
    origin = {"Origin": "https://chat.example"}
    async with httpx.AsyncClient(base_url=open_gateway.url) as http:
        for path in ("/api/status", "/upload", "/files", "/api/agents/main/avatar", "/nowhere"):
            asked = await http.options(path, headers={**origin, **ASKED})
            assert (asked.status_code, asked.content) == (204, b"")
            assert asked.headers["Access-Control-Allow-Origin"] == "https://chat.example"
            assert "POST" in asked.headers["Access-Control-Allow-Methods"].split(", ")
            allowed = asked.headers["Access-Control-Allow-Headers"].lower().split(", ")
            assert {"authorization", "content-type", "if-none-match", "range"} == set(allowed)
        for token, status in ((TOKEN, 200), (None, 401)):
            answer = await http.get("/api/status", headers=sent_by("https://chat.example", token))
            assert answer.status_code == status
            assert answer.headers["Access-Control-Allow-Origin"] == "https://chat.example"
            assert "Origin" in answer.headers["Vary"]
            exposed = answer.headers["Access-Control-Expose-Headers"].split(", ")
            assert {"Content-Disposition", "ETag", "Content-Range", "Content-Length"} <= set(exposed)
            assert "Access-Control-Allow-Credentials" not in answer.headers


@pytest.mark.parametrize("origin", FOREIGN)
async def test_no_other_origin_is_granted_anything(open_gateway: Gateway, origin: str) -> None:
    async with httpx.AsyncClient(base_url=open_gateway.url) as http:
        asked = await http.options("/api/status", headers={"Origin": origin, **ASKED})
        assert (asked.status_code, granted(asked)) == (405, set())
        for path in ("/api/status", "/health", "/", "/nowhere"):
            answer = await http.get(path, headers=sent_by(origin))
            assert granted(answer) == set()
            assert "Origin" in answer.headers["Vary"], "a cache must not give one origin's answer to another"


async def test_without_allowed_origins_nobody_is_granted_anything(gateway: Gateway) -> None:
    async with httpx.AsyncClient(base_url=gateway.url) as http:
        for origin in ("https://chat.example", gateway.url, "null"):
            answer = await http.get("/api/status", headers=sent_by(origin))
            assert (answer.status_code, granted(answer)) == (200, set())
            assert granted(await http.options("/api/status", headers={"Origin": origin, **ASKED})) == set()


async def test_an_options_request_that_asks_for_nothing_is_an_ordinary_one(open_gateway: Gateway) -> None:
    async with httpx.AsyncClient(base_url=open_gateway.url) as http:
        answer = await http.options("/api/status", headers={"Origin": "https://chat.example"})
        assert (answer.status_code, answer.headers["Allow"]) == (405, "GET")


@pytest.mark.parametrize("origin", ["null", "*", "", "chat.example", "https://chat.example/", "https://*.example"])
async def test_what_is_no_origin_cannot_be_allowed(tmp_path: Path, origin: str) -> None:
    with pytest.raises(ConfigError) as refused:
        load_settings(Paths(tmp_path), overrides={"api.allowed_origins": [origin]})
    assert "api.allowed_origins.0: found" in str(refused.value)


@pytest.mark.parametrize("origin", ["https://chat.example", "http://[::1]:8741", "tauri://localhost", "HTTP://Box:80"])
async def test_an_origin_is_kept_as_browsers_write_it(tmp_path: Path, origin: str) -> None:
    kept = load_settings(Paths(tmp_path), overrides={"api.allowed_origins": [origin]}).api.allowed_origins
    assert kept == (origin.lower(),)
