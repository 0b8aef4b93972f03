"""The web client: the files of one directory, open to everybody, for every address that is no route of the API.

They are looked up at each request, so that a new build shows at once. What they may do in a browser is said by their headers.
"""

from __future__ import annotations

import asyncio
import os
import re
import stat
from collections.abc import Sequence
from email.utils import formatdate
from pathlib import Path
from typing import Final

from fastapi import Request, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from sygen_bot.api.context import PageContext
from sygen_bot.api.file_response import matches, streamed
from sygen_bot.api.refusals import refusal
from sygen_bot.files.allowed_roots import OpenedFile

_INDEX: Final = "index.html"
_HASHED: Final = "assets/"
"""Below it every name tells its content: what was fetched once never has to be asked for again."""
_OPEN_FLAGS: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
_ENCODINGS: Final = {"br": ".br", "gzip": ".gz"}
"""The endings of what the build has compressed, the best first."""
_UNKNOWN: Final = "application/octet-stream"
_TYPES: Final = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".ico": "image/x-icon",
    ".jpg": "image/jpeg",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".mp3": "audio/mpeg",
    ".ogg": "audio/ogg",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
    ".wasm": "application/wasm",
    ".webmanifest": "application/manifest+json",
    ".webp": "image/webp",
    ".woff2": "font/woff2",
}
_POLICY: Final = {
    "default-src": "'self'",
    "script-src": "'self'",
    "style-src": "'self'",
    "img-src": "'self' blob:",
    "media-src": "'self' blob:",
    "connect-src": "'self'",
    "font-src": "'self'",
    "worker-src": "'self'",
    "manifest-src": "'self'",
    "object-src": "'none'",
    "base-uri": "'none'",
    "form-action": "'none'",
    "frame-ancestors": "'none'",
    "require-trusted-types-for": "'script'",
    "trusted-types": "sygen",  # the page's one policy: it lets the address of the page's own service worker through
}
_FORBIDDEN_FEATURES: Final = (
    *("accelerometer", "camera", "display-capture", "encrypted-media", "geolocation", "gyroscope", "hid"),
    *("idle-detection", "local-fonts", "magnetometer", "midi", "payment", "publickey-credentials-get", "serial", "usb"),
    "xr-spatial-tracking",
)
_HEADERS: Final = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": ", ".join(("microphone=(self)", *(f"{name}=()" for name in _FORBIDDEN_FEATURES))),
}
_NOT_HERE: Final = """\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>Sygen</title>
<link rel="icon" href="/docs/icon.svg">
<link rel="stylesheet" href="/docs/page.css">
</head>
<body>
<header>
<img src="/docs/icon.svg" alt="" width="28" height="28">
<h1>Sygen</h1>
</header>
<div id="door" role="main">
<h2>The gateway runs, but its web page is not here</h2>
<p>A release of Sygen carries the page. An installation from the sources has to build it first, which takes
<a href="https://nodejs.org/">Node.js</a> 20.19 or newer:</p>
<pre>make page</pre>
<p>Then reload; the gateway can stay as it is. If <code>web.directory</code> is set, the page is looked for there.</p>
<p>Everything else works: <code>sygen chat</code> in a terminal, and the <a href="/docs">API</a>.</p>
</div>
</body>
</html>
"""


class Page:
    """The ASGI application that answers what no route does. `otherwise` answers what is no file of the page either."""

    def __init__(self, context: PageContext, *, otherwise: ASGIApp) -> None:
        self._directory = context.directory
        self._otherwise = otherwise
        self._headers = {**_HEADERS, "Content-Security-Policy": _policy(context.gateways)}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        answer = await asyncio.to_thread(self._answer, Request(scope))
        await (answer or self._otherwise)(scope, receive, send)

    def _answer(self, request: Request) -> Response | None:
        path = request.scope["path"]
        name, is_read = _INDEX if path == "/" else path[1:], request.method in ("GET", "HEAD")
        file = _opened(self._directory, name)
        if file is None:
            return self._not_here(request) if path == "/" and is_read else None
        try:
            if is_read:
                return self._file(request, name, file)
        except BaseException:
            file.close()
            raise
        file.close()
        return refusal(405, "This address does not take this method.", {"Allow": "GET, HEAD"})

    def _file(self, request: Request, name: str, file: OpenedFile) -> Response:
        mime = _TYPES.get(file.path.suffix.lower(), _UNKNOWN)
        headers = {
            **self._headers_for(request),
            "Cache-Control": "public, max-age=31536000, immutable" if name.startswith(_HASHED) else "no-cache",
            "Vary": "Accept-Encoding",
        }
        for encoding in _accepted(request.headers.get("Accept-Encoding", "")):
            if (smaller := _opened(self._directory, name + _ENCODINGS[encoding])) is not None:
                file.close()
                file, headers["Content-Encoding"] = smaller, encoding
                break
        headers |= {"ETag": file.etag, "Last-Modified": formatdate(file.modified_at, usegmt=True)}
        if matches(request.headers.get("If-None-Match"), file.etag):
            file.close()
            return Response(status_code=304, headers=headers)
        if request.method == "HEAD":
            file.close()
            return Response(headers={**headers, "Content-Length": str(file.size)}, media_type=mime)
        return streamed(file, headers=headers, mime=mime)

    def _headers_for(self, request: Request) -> dict[str, str]:
        """Browsers take word of an opener only from pages that they trust, and complain about others."""
        host = request.url.hostname or ""
        is_trusted = request.url.scheme == "https" or host in ("localhost", "::1") or host.startswith("127.")
        return {**self._headers, "Cross-Origin-Opener-Policy": "same-origin"} if is_trusted else self._headers

    def _not_here(self, request: Request) -> Response:
        """404, and not 503: the gateway does all that it can do, and nothing comes by waiting."""
        return Response(
            _NOT_HERE, 404, {**self._headers_for(request), "Cache-Control": "no-store"}, "text/html; charset=utf-8"
        )


def _policy(gateways: Sequence[str]) -> str:
    """`gateways`: origins of http or https. The WebSocket of the gateway itself is part of 'self'."""
    others = [address for origin in gateways for address in (origin, origin.replace("http", "ws", 1))]
    parts = {**_POLICY, "connect-src": " ".join(("'self'", *others))}
    return "; ".join(f"{name} {sources}" for name, sources in parts.items())


def _opened(directory: Path, name: str) -> OpenedFile | None:
    """A regular file below the directory, wherever its symlinks lead; none that is hidden."""
    if any(part in ("", ".", "..") or part.startswith(".") or "\\" in part for part in name.split("/")):
        return None
    try:
        root = os.path.realpath(directory)
        path = os.path.realpath(os.path.join(root, name))  # noqa: PTH118 - a Path would tidy up what was asked for
        if not path.startswith(root.rstrip("/") + "/"):
            return None
        fd = os.open(path, _OPEN_FLAGS)
    except (OSError, ValueError):  # it is not there, may not be read, or is no name at all
        return None
    try:
        if stat.S_ISREG(os.fstat(fd).st_mode):
            return OpenedFile.of(fd, path)
    except BaseException:
        os.close(fd)
        raise
    os.close(fd)
    return None


def _accepted(header: str) -> list[str]:
    """The encodings that may be sent, the best first."""
    wanted = {}
    for part in header.lower().split(","):
        name, _, weight = part.replace(" ", "").partition(";q=")
        wanted[name] = not re.fullmatch(r"0(\.0*)?", weight)
    return [encoding for encoding in _ENCODINGS if wanted.get(encoding, False)]
