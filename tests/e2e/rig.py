"""What the tests in the browser stand on: the built page, a real gateway as its own process, and a watch over the browser."""

from __future__ import annotations

import asyncio
import base64
import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self
from urllib.parse import urlsplit

import httpx
import pytest
from playwright.async_api import BrowserContext, ConsoleMessage, Dialog, Error, Page, Request, WebError

from tests.cli.command import environment

ROOT: Final = Path(__file__).parents[2]
WEB: Final = ROOT / "web"
SHIPPED: Final = ROOT / "sygen_bot/web"
TOKEN: Final = "a token for tests, with ümlauts"
START_S: Final = 30.0

FLAGS: Final = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    # A name that is not this machine's own: pages from there are secure only over TLS.
    "--host-resolver-rules=MAP home.example 127.0.0.1",
)


# --- the page ---------------------------------------------------------------------------------------------------------


def built_page(shared: Path) -> Path:
    """The directory of the page: the one that SYGEN_WEB__DIRECTORY names, else that of the sources as they are now.

    What `make page` built is taken if it is not older than the sources. Else the page is built into `shared`, which all
    processes of a test run have in common: one builds, the others wait. Skips without Node.
    """
    if named := os.environ.get("SYGEN_WEB__DIRECTORY"):
        return Path(named)
    if _is_fresh():
        return SHIPPED
    npx = shutil.which("npx")
    if npx is None or not (WEB / "node_modules").is_dir():
        pytest.skip("The page is not built, and cannot be: `make page` needs Node.")
    page = shared / "page"
    with _one_at_a_time(shared / "page.lock"):
        if not (page / "index.html").exists():
            made = subprocess.run(
                [npx, "vite", "build", "--outDir", str(page), "--emptyOutDir", "--logLevel", "warn"],
                cwd=WEB,
                capture_output=True,
                text=True,
                timeout=110,
                check=False,
            )
            assert made.returncode == 0, made.stdout + made.stderr
    return page


def _is_fresh() -> bool:
    shipped = SHIPPED / "index.html"
    if not shipped.exists():
        return False
    sources = [WEB / "index.html", WEB / "package.json", *WEB.glob("*.ts")]
    for folder in ("src", "public"):
        sources += [file for file in (WEB / folder).rglob("*") if file.is_file()]
    built_at = shipped.stat().st_mtime
    return all(file.stat().st_mtime <= built_at for file in sources)


@contextmanager
def _one_at_a_time(lock: Path) -> Iterator[None]:
    with lock.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def chromium() -> str:
    """The browser. Skips where there is none."""
    found = shutil.which(os.environ.get("CHROMIUM") or "chromium")
    if found is None:
        pytest.skip("Chromium is not there: install it, or name it in the variable CHROMIUM.")
    return found


@dataclass(frozen=True)
class Certificate:
    """Self-signed, for home.example."""

    cert: Path
    key: Path
    fingerprint: str
    """Of its public key, as Chromium wants to have it."""


async def make_certificate(folder: Path) -> Certificate:
    cert, key = folder / "cert.pem", folder / "key.pem"
    making = await asyncio.create_subprocess_exec(
        *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"),
        *("-days", "1", "-subj", "/CN=home.example", "-addext", "subjectAltName=DNS:home.example"),
        *("-keyout", str(key), "-out", str(cert)),
        stderr=asyncio.subprocess.DEVNULL,
    )
    assert await making.wait() == 0
    reading = await asyncio.create_subprocess_exec(
        *("openssl", "pkey", "-in", str(key), "-pubout", "-outform", "DER"), stdout=asyncio.subprocess.PIPE
    )
    public, _ = await reading.communicate()
    return Certificate(cert, key, base64.b64encode(hashlib.sha256(public).digest()).decode())


# --- the gateway ------------------------------------------------------------------------------------------------------


class GatewayProcess:
    """`sygen serve` with the scripted agent and the built page. It keeps its port and its home when it is started again."""

    def __init__(self, home: Path, page: Path, **settings: str) -> None:
        self.home = home
        self.page = page
        self.port = 0
        self.scheme = "https" if "SYGEN_API__TLS_CERT" in settings else "http"
        self._settings = {
            "SYGEN_API__TOKEN": TOKEN,
            "SYGEN_API__DRAIN_S": "0",
            "SYGEN_WEB__DIRECTORY": str(page),
            **settings,
        }
        self._process: asyncio.subprocess.Process | None = None

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_exc: object) -> None:
        await self.kill()

    @property
    def url(self) -> str:
        return f"{self.scheme}://127.0.0.1:{self.port}"

    async def start(self) -> None:
        words = ("serve", "--host", "127.0.0.1", "--port", str(self.port), "--provider", "scripted")
        self.home.mkdir(parents=True, exist_ok=True)
        log = self.home.with_suffix(".log")
        with log.open("ab") as errors:
            self._process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "sygen_bot", *words),
                env=environment(self.home, **self._settings),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=errors,
            )
        assert self._process.stdout is not None
        async with asyncio.timeout(START_S):
            line = (await self._process.stdout.readline()).decode()
        found = re.match(r"listening on \S+:(\d+)", line)
        assert found is not None, f"{line!r}\n{log.read_text()[-3000:]}"
        self.port = int(found[1])

    async def kill(self) -> None:
        """As a crash does it: nothing is said and nothing is put in order."""
        if self._process is not None and self._process.returncode is None:
            self._process.kill()
            await self._process.wait()

    async def stop(self) -> None:
        """As a person does it."""
        assert self._process is not None
        self._process.terminate()
        async with asyncio.timeout(START_S):
            await self._process.wait()

    async def api(self, method: str, path: str, body: object = None) -> Any:
        """What another client of the same person does. Returns the decoded answer."""
        headers = {b"Authorization": f"Bearer {TOKEN}".encode()}
        async with httpx.AsyncClient(base_url=self.url, headers=headers, verify=False, timeout=20) as http:  # noqa: S501 - our own certificate
            answer = await http.request(method, path, json=body)
            assert answer.is_success, f"{method} {path}: {answer.status_code} {answer.text}"
            return answer.json() if answer.content else None

    async def new_chat(self, title: str) -> str:
        """The id of a chat that has nothing in it."""
        session = await self.api("POST", "/api/chat/sessions", {"title": title})
        return str(session["id"])


# --- the watch over the browser ---------------------------------------------------------------------------------------


class Watch:
    """Whatever a page must not do: errors, violations of its policy, dialogs, and requests to others than its gateway."""

    def __init__(self) -> None:
        self._hosts: set[str] = set()
        self._expected: list[re.Pattern[str]] = []
        self.troubles: list[str] = []
        self.requests: list[str] = []

    def follow(self, context: BrowserContext) -> None:
        context.on("console", self._console)
        context.on("weberror", self._error)
        context.on("request", self._request)
        context.on("page", self._page)

    def allow_host(self, url: str) -> None:
        self._hosts.add(urlsplit(url).netloc)

    def expect(self, *patterns: str) -> None:
        """What this test brings about on purpose."""
        self._expected += map(re.compile, patterns)

    def expect_lost_connections(self) -> None:
        self.expect(r"WebSocket connection to '.*' failed", r"net::ERR_(CONNECTION|EMPTY|INTERNET|NETWORK|SOCKET)\w*")
        self.expect(
            "An unknown error occurred when fetching the script"
        )  # of the service worker, by the browser itself

    def unexpected(self) -> list[str]:
        return [trouble for trouble in self.troubles if not any(one.search(trouble) for one in self._expected)]

    def _page(self, page: Page) -> None:
        page.on("dialog", self._dialog)

    def _console(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.troubles.append(f"console {message.type}: {message.text} ({message.location.get('url')})")

    def _error(self, error: WebError) -> None:
        self.troubles.append(f"page error: {error.error}")

    async def _dialog(self, dialog: Dialog) -> None:
        self.troubles.append(f"dialog: {dialog.message}")
        await dialog.dismiss()

    def _request(self, request: Request) -> None:
        self.requests.append(request.url)
        parts = urlsplit(request.url)
        if parts.scheme in ("blob", "data"):
            return
        if parts.netloc not in self._hosts:
            self.troubles.append(f"request to another host: {request.url}")


async def closed(context: BrowserContext) -> None:
    """End a context, also one that has ended already."""
    try:
        await context.close()
    except Error as error:
        if "closed" not in str(error):
            raise
