"""Files through the client SDK: to and from a real gateway, over bad networks, and from servers that mean harm."""

from __future__ import annotations

import asyncio
import errno
import io
import os
import ssl
import sys
import threading
import wave
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import BinaryIO
from urllib.parse import urlsplit

import pytest

from sygen_bot.client import Gateway as Client
from sygen_bot.client import (
    MessageRefused,
    NotPrivate,
    RequestFailed,
    TextDelta,
    Transcript,
    TransferFailed,
    UploadedFile,
    connect,
)
from sygen_bot.client.files import Files
from sygen_bot.client.wire import Address
from sygen_bot.orchestrator.lifecycle import Gateway
from sygen_bot.paths import Paths
from tests.api.conftest import serving
from tests.fakes.fault_proxy import FaultProxy

TOKEN = "a token"
EXAMPLE = Path(__file__).parents[2] / "examples" / "show_and_tell.py"
KEY = "A" * 42 + "E="
NOISE = os.urandom(1_000_000)
PATIENCE_S = 30.0


class Progress:
    """Notes what it is told, and does something once at a number of bytes."""

    def __init__(self, *, at: int = 0, act: Callable[[], object] = lambda: None) -> None:
        self.told: list[tuple[int, int | None]] = []
        self._at = at
        self._act: Callable[[], object] | None = act

    def __call__(self, done: int, total: int | None) -> None:
        self.told.append((done, total))
        if done > self._at and self._act is not None:
            act, self._act = self._act, None
            act()

    @property
    def is_rising(self) -> bool:
        return [done for done, _ in self.told] == sorted(done for done, _ in self.told)


@pytest.fixture
async def gateway(tmp_path: Path) -> AsyncIterator[Gateway]:
    async with asyncio.timeout(60), serving(tmp_path / "home", token=TOKEN) as running:
        yield running


@pytest.fixture
async def client(gateway: Gateway) -> AsyncIterator[Client]:
    async with connect(gateway.url, TOKEN) as connected:
        yield connected


@pytest.fixture
def remote(tmp_path: Path) -> Path:
    """A file that the gateway has."""
    return put(tmp_path, "remote.bin", NOISE)


def put(tmp_path: Path, name: str, content: bytes) -> Path:
    file = Paths(tmp_path / "home").workspace / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content)
    return file


def uploads(tmp_path: Path) -> list[Path]:
    """All that uploads have left on the gateway's disk, half files included."""
    return [path for path in Paths(tmp_path / "home").uploads.rglob("*") if path.is_file()]


@asynccontextmanager
async def through(gateway: Gateway, **faults: int) -> AsyncIterator[tuple[FaultProxy, Client]]:
    """A client whose every connection goes through a proxy."""
    port = urlsplit(gateway.url).port
    assert port is not None
    async with (
        FaultProxy(port, **faults) as proxy,
        connect(f"http://127.0.0.1:{proxy.port}", TOKEN) as connected,
    ):
        yield proxy, connected


async def until(is_so: Callable[[], bool]) -> None:
    """Wait for what other processes and threads do on the disk."""
    async with asyncio.timeout(PATIENCE_S):
        while not is_so():  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.01)


# --- uploads --------------------------------------------------------------------------------------------------------------


async def test_a_file_arrives_as_it_is_and_its_prompt_shows_it_to_the_agent(client: Client, tmp_path: Path) -> None:
    source, progress = tmp_path / 'Bericht für "Ann".bin', Progress()
    source.write_bytes(NOISE)
    uploaded = await client.upload(source, caption="look\r\nhere", on_progress=progress)
    assert Path(uploaded.path).read_bytes() == NOISE
    assert (uploaded.size, uploaded.name[:12]) == (len(NOISE), "Bericht für ")
    assert "look" in uploaded.prompt
    assert progress.told[0] == (0, len(NOISE))
    assert progress.told[-1] == (len(NOISE), len(NOISE))
    assert progress.is_rising


async def test_a_stream_is_uploaded_from_where_it_is(client: Client) -> None:
    stream = io.BytesIO(b"head and rest")
    stream.seek(9)
    uploaded = await client.upload(stream, name="rest.txt")
    assert (Path(uploaded.path).read_bytes(), uploaded.name) == (b"rest", "rest.txt")


async def test_a_pipe_is_uploaded_to_its_end(client: Client) -> None:
    reading, writing = os.pipe()

    def write() -> None:
        with os.fdopen(writing, "wb") as pipe:
            pipe.write(NOISE)

    writer, progress = threading.Thread(target=write), Progress()
    writer.start()
    with os.fdopen(reading, "rb", buffering=0) as pipe:
        uploaded = await client.upload(pipe, on_progress=progress)
    writer.join()
    assert Path(uploaded.path).read_bytes() == NOISE
    assert progress.told[-1] == (len(NOISE), None)


async def test_a_file_that_is_too_large_is_refused_before_it_has_gone_whole(tmp_path: Path) -> None:
    source, progress = tmp_path / "large", Progress()
    with source.open("wb") as file:
        file.truncate(200_000_000)
    async with (
        serving(tmp_path / "home", {"api.max_upload_bytes": 1000}, token=TOKEN) as running,
        connect(running.url, TOKEN) as client,
    ):
        with pytest.raises(RequestFailed) as refused:
            await client.upload(source, on_progress=progress)
    assert (refused.value.status, refused.value.code) == (413, "too_large")
    assert "larger" in str(refused.value)
    assert progress.told[-1][0] < 100_000_000
    assert uploads(tmp_path) == []


async def test_an_upload_that_is_cut_goes_once_more_and_leaves_no_half_file(gateway: Gateway, tmp_path: Path) -> None:
    source, progress = tmp_path / "source.bin", Progress()
    source.write_bytes(NOISE * 20)
    async with through(gateway) as (proxy, client):
        uploading = asyncio.create_task(client.upload(source, on_progress=progress))
        await until(lambda: any(file.stat().st_size for file in uploads(tmp_path)))
        await proxy.cut()
        uploaded = await uploading
    assert not progress.is_rising  # it began anew
    assert Path(uploaded.path).read_bytes() == NOISE * 20
    await until(lambda: uploads(tmp_path) == [Path(uploaded.path)])


async def test_a_cancelled_upload_ends_at_once_and_leaves_nothing(gateway: Gateway, tmp_path: Path) -> None:
    async with connect(gateway.url, TOKEN) as client:
        begun = asyncio.Event()
        reading, writing = os.pipe()
        os.write(writing, b"x" * 30_000)
        with os.fdopen(reading, "rb", buffering=0) as pipe:
            uploading = asyncio.create_task(client.upload(pipe, on_progress=Progress(act=begun.set)))
            await begun.wait()
            uploading.cancel()
            with pytest.raises(asyncio.CancelledError):
                await uploading
            os.close(writing)
        await until(lambda: uploads(tmp_path) == [])


# --- downloads ------------------------------------------------------------------------------------------------------------


async def test_a_file_is_fetched_to_a_file_or_into_a_folder(client: Client, remote: Path, tmp_path: Path) -> None:
    progress = Progress()
    assert await client.download(str(remote), tmp_path / "here.bin", on_progress=progress) == tmp_path / "here.bin"
    assert (tmp_path / "here.bin").read_bytes() == NOISE
    assert (progress.told[0], progress.told[-1]) == ((0, len(NOISE)), (len(NOISE), len(NOISE)))
    assert progress.is_rising
    folder = tmp_path / "folder"
    folder.mkdir()
    assert await client.download(str(remote), folder) == folder / "remote.bin"
    assert [path.name for path in folder.iterdir()] == ["remote.bin"]


async def test_an_empty_file_is_a_file(client: Client, tmp_path: Path) -> None:
    empty = put(tmp_path, "empty", b"")
    fetched = await client.download(str(empty), tmp_path / "here")
    assert (fetched.read_bytes(), (tmp_path / "here.part").exists()) == (b"", False)


async def test_what_is_there_is_replaced_only_if_that_is_said(client: Client, remote: Path, tmp_path: Path) -> None:
    (tmp_path / "here").write_bytes(b"mine")
    with pytest.raises(FileExistsError):
        await client.download(str(remote), tmp_path / "here")
    assert (tmp_path / "here").read_bytes() == b"mine"
    (tmp_path / "remote.bin").write_bytes(b"mine")
    with pytest.raises(FileExistsError):
        await client.download(str(remote), tmp_path)
    assert (tmp_path / "remote.bin").read_bytes() == b"mine"
    await client.download(str(remote), tmp_path / "here", overwrite=True)
    assert (tmp_path / "here").read_bytes() == NOISE


@pytest.mark.parametrize(
    ("path", "status"), [("/etc/passwd", 403), ("{workspace}/not there", 404), ("relative", 403), ("a\x00b", 403)]
)
async def test_a_refusal_says_why_and_leaves_nothing(client: Client, tmp_path: Path, path: str, status: int) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    with pytest.raises(RequestFailed) as refused:
        await client.download(path.format(workspace=Paths(tmp_path / "home").workspace), folder / "here")
    assert refused.value.status in (status, 400, 404)
    assert str(refused.value).endswith(".")
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize("seed", range(2))
async def test_a_download_that_is_cut_many_times_arrives_whole(gateway: Gateway, tmp_path: Path, seed: int) -> None:
    remote = put(tmp_path, "remote.bin", NOISE[:400_000])
    async with through(gateway, seed=seed, most_bytes=100_000, most_cuts=8) as (proxy, client):
        proxy.go_wild()
        async with asyncio.timeout(PATIENCE_S):
            fetched = await client.download(str(remote), tmp_path / "here.bin")
            stream = io.BytesIO()
            await client.download_into(str(remote), stream)
    assert proxy.cuts > 3
    assert fetched.read_bytes() == stream.getvalue() == NOISE[:400_000]


async def stopped_download(gateway: Gateway, remote: Path, to: Path) -> int:
    """A download that is stopped half-way. Returns how much of it is there."""
    async with through(gateway, most_bytes=100_000, most_cuts=10_000) as (proxy, client):
        proxy.go_wild()  # nobody gets past without us: a new attempt is made after each cut
        progress = Progress(at=200_000, act=lambda: downloading.cancel())
        downloading = asyncio.create_task(client.download(str(remote), to, on_progress=progress))
        with pytest.raises(asyncio.CancelledError):
            await downloading
    size = to.with_name(f"{to.name}.part").stat().st_size
    assert 200_000 < size < len(NOISE)
    return size


async def test_a_later_call_goes_on_where_the_first_was_stopped(
    gateway: Gateway, client: Client, remote: Path, tmp_path: Path
) -> None:
    stopped_at = await stopped_download(gateway, remote, tmp_path / "here")
    progress = Progress()
    await client.download(str(remote), tmp_path / "here", on_progress=progress)
    assert (tmp_path / "here").read_bytes() == NOISE
    assert progress.told[0][0] == stopped_at > 0
    assert not (tmp_path / "here.part").exists()
    assert not (tmp_path / "here.part.json").exists()


async def test_a_file_that_has_changed_meanwhile_begins_anew(
    gateway: Gateway, client: Client, remote: Path, tmp_path: Path
) -> None:
    await stopped_download(gateway, remote, tmp_path / "here")
    remote.write_bytes(NOISE[::-1])
    progress = Progress()
    await client.download(str(remote), tmp_path / "here", on_progress=progress)
    assert (tmp_path / "here").read_bytes() == NOISE[::-1]
    assert progress.told[0][0] == 0


async def test_the_part_of_another_file_is_not_gone_on_with(
    gateway: Gateway, client: Client, remote: Path, tmp_path: Path
) -> None:
    await stopped_download(gateway, remote, tmp_path / "here")
    other = put(tmp_path, "other.bin", NOISE[::-1])
    await client.download(str(other), tmp_path / "here")
    assert (tmp_path / "here").read_bytes() == NOISE[::-1]


async def test_two_downloads_to_one_place_do_not_mix(client: Client, remote: Path, tmp_path: Path) -> None:
    results = await asyncio.gather(
        *(client.download(str(remote), tmp_path / "here", overwrite=True) for _ in range(2)), return_exceptions=True
    )
    assert (tmp_path / "here").read_bytes() == NOISE
    for result in results:
        assert result == tmp_path / "here" or isinstance(result, TransferFailed)


async def test_a_full_disk_is_told_with_the_name_of_the_file(client: Client, remote: Path, tmp_path: Path) -> None:
    (tmp_path / "here.part").symlink_to("/dev/full")
    with pytest.raises(OSError, match="No space left") as told:
        await client.download(str(remote), tmp_path / "here")
    assert (told.value.errno, told.value.filename) == (errno.ENOSPC, str(tmp_path / "here.part"))


async def test_a_link_opens_one_file_without_a_token(client: Client, gateway: Gateway, remote: Path) -> None:
    import httpx

    link = await client.link(str(remote))
    assert link.url.startswith(f"{gateway.url}/")
    assert link.expires_at > 0
    async with httpx.AsyncClient() as stranger:
        assert (await stranger.get(link.url)).content == NOISE


async def test_files_travel_by_tls_as_the_conversation_does(tmp_path: Path) -> None:
    cert, key = str(tmp_path / "cert.pem"), str(tmp_path / "key.pem")
    making = await asyncio.create_subprocess_exec(
        *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"),
        *("-days", "1", "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"),
        *("-keyout", key, "-out", cert),
        stderr=asyncio.subprocess.DEVNULL,
        env={"PATH": "/usr/bin:/bin", "HOME": str(tmp_path)},
    )
    assert await making.wait() == 0
    settings = {"api.tls_cert": cert, "api.tls_key": key}
    trusting = ssl.create_default_context(cafile=cert)
    async with (
        serving(tmp_path / "home", settings, token=TOKEN) as running,
        connect(running.url, TOKEN, ssl_context=trusting) as client,
    ):
        uploaded = await client.upload(io.BytesIO(NOISE), name="noise")
        assert (await client.download(uploaded.path, tmp_path)).read_bytes() == NOISE
        reading, writing = os.pipe()
        with os.fdopen(reading, "rb"), os.fdopen(writing, "wb", buffering=0) as pipe:
            stop = Progress(at=-1, act=lambda: downloading.cancel())
            downloading = asyncio.create_task(client.download_into(uploaded.path, pipe, on_progress=stop))
            with pytest.raises(asyncio.CancelledError):
                await downloading


# --- voices and agents ----------------------------------------------------------------------------------------------------


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    with wave.open(str(tmp_path / "voice.wav"), "wb") as file:
        file.setparams((1, 2, 8000, 0, "NONE", ""))
        file.writeframes(bytes(16_000))
    return tmp_path / "voice.wav"


def hearing(tmp_path: Path, said: str) -> str:
    """The command line of an engine that hears the same in everything, and notes how often it was asked."""
    engine = tmp_path / "engine"
    engine.write_text(f"#!/bin/sh\necho \"$1\" >> {tmp_path / 'heard'}\nprintf '%s' '{said}'\n")
    engine.chmod(0o755)
    return f"{engine} {{file}}"


async def test_what_is_said_in_a_recording_is_asked(tmp_path: Path, recording: Path) -> None:
    settings = {"transcription.custom": hearing(tmp_path, "SAY good morning")}
    async with (
        serving(tmp_path / "home", settings, token=TOKEN) as running,
        connect(running.url, TOKEN) as client,
        asyncio.timeout(PATIENCE_S),
    ):
        events = [event async for event in client.ask_voice(recording)]
        heard = events[0]
        assert isinstance(heard, Transcript)
        assert (heard.text, heard.engine) == ("SAY good morning", "custom")
        assert "".join(event.data for event in events if isinstance(event, TextDelta)) == "good morning"
        assert len(uploads(tmp_path)) == 1


async def test_a_recording_in_which_nothing_is_said_is_not_asked(tmp_path: Path, recording: Path) -> None:
    settings = {"transcription.custom": hearing(tmp_path, " ")}
    async with (
        serving(tmp_path / "home", settings, token=TOKEN) as running,
        connect(running.url, TOKEN) as client,
        asyncio.timeout(PATIENCE_S),
    ):
        with pytest.raises(MessageRefused, match="Nothing is said"):
            _ = [event async for event in client.ask_voice(recording)]
        assert (await client.history())["total"] == 0


async def test_a_connection_that_is_lost_while_the_gateway_listens_sends_no_recording_twice(
    tmp_path: Path, recording: Path
) -> None:
    engine = tmp_path / "engine"
    engine.write_text(f"#!/bin/sh\nif mkdir {tmp_path / 'first'}; then sleep 1000; fi 2> /dev/null\necho SAY heard\n")
    engine.chmod(0o755)
    settings = {"transcription.custom": f"{engine} {{file}}"}
    async with (
        asyncio.timeout(PATIENCE_S),
        serving(tmp_path / "home", settings, token=TOKEN) as running,
        through(running) as (proxy, client),
    ):
        asking = client.ask_voice(recording)
        first = asyncio.ensure_future(anext(asking))
        await until((tmp_path / "first").exists)
        await proxy.cut()
        assert (await first) == Transcript("SAY heard", "custom", 1.0)
        await asking.aclose()
    assert len(uploads(tmp_path)) == 1


async def test_the_agents_are_told(client: Client) -> None:
    assert [agent.name for agent in await client.agents()] == ["main"]


async def run_example(gateway: Gateway, *arguments: str) -> str:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, str(EXAMPLE), *arguments),
        env={"SYGEN_URL": gateway.url, "SYGEN_TOKEN": TOKEN},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(PATIENCE_S):
        out, problems = await process.communicate()
    assert process.returncode == 0, problems.decode()
    return out.decode()


async def test_the_example_shows_files_and_asks_recordings(tmp_path: Path, recording: Path) -> None:
    (tmp_path / "photo.txt").write_text("no photo")
    settings = {"transcription.custom": hearing(tmp_path, "SAY good morning")}
    async with serving(tmp_path / "home", settings, token=TOKEN) as running:
        assert "what is this?" in await run_example(running, str(tmp_path / "photo.txt"), "what", "is", "this?")
        assert await run_example(running, str(recording)) == "good morning\n"


# --- servers that are no gateway ------------------------------------------------------------------------------------------

Answer = Callable[[dict[str, str]], bytes]


@asynccontextmanager
async def answering(answer: Answer) -> AsyncIterator[tuple[Files, Callable[[], Awaitable[str]]]]:
    """The transfers of a client whose gateway answers each request by its headers, and a link to follow."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        headers = dict(line.lower().split(": ", 1) for line in head.split("\r\n")[1:] if ": " in line)
        writer.write(answer(headers))
        await writer.drain()
        writer.close()

    async def link() -> str:
        return url

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        yield files_of(url), link


def files_of(url: str, key: str | None = None) -> Files:
    return Files(address=lambda: Address.parse(url, TOKEN, key), ssl_context=None, give_up_after_s=None)


async def fetch(files: Files, link: Callable[[], Awaitable[str]], to: Path, path: str = "/there/file.bin") -> Path:
    async with asyncio.timeout(PATIENCE_S):
        return await files.download(path, to, on_progress=None, overwrite=False, allow_plain=False, link=link)


def reply(body: bytes, *headers: str, status: str = "200 OK", length: int | None = None) -> bytes:
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body) if length is None else length}", *headers, "", ""]
    return "\r\n".join(lines).encode() + body


@pytest.mark.parametrize(
    "disposition",
    [
        'filename="../../x"',
        'filename="/etc/cron.d/x"',
        'filename="..\\\\..\\\\x"',
        "filename*=UTF-8''..%2F..%2Fx",
        "filename*=UTF-8''%00..%2F%0A.x",
        'filename=".bashrc"',
        'filename=".."',
        'filename=""',
        f'filename="{"x" * 3000}"',
        "filename*=nonsense''%ff%fe",
        "filename*0=../;filename*1=x",
    ],
)
async def test_a_name_that_means_harm_stays_in_the_folder(tmp_path: Path, disposition: str) -> None:
    folder = tmp_path / "a" / "folder"
    folder.mkdir(parents=True)
    seen: list[dict[str, str]] = []

    def answer(headers: dict[str, str]) -> bytes:
        seen.append(headers)
        return reply(b"content", f"Content-Disposition: attachment; {disposition}")

    async with answering(answer) as (files, link):
        fetched = await fetch(files, link, folder)
    assert fetched.parent == folder
    assert not fetched.name.startswith(".")
    assert [path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()] == [b"content"]
    assert "authorization" not in seen[0]


async def test_a_path_that_means_harm_stays_in_the_folder(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    async with answering(lambda _headers: reply(b"content")) as (files, link):
        assert (await fetch(files, link, folder, "..")).parent == folder


async def test_pieces_are_put_together_only_if_they_are_of_one_file(tmp_path: Path) -> None:
    """An ETag that is weak, or none, promises nothing: everything is fetched again."""
    for etag in ('ETag: W/"1"', "X: no"):
        answers = iter([reply(b"ol", etag, length=6), reply(b"new", etag, length=6), reply(b"newest", etag)])
        seen: list[dict[str, str]] = []

        def answer(
            headers: dict[str, str], seen: list[dict[str, str]] = seen, answers: Iterator[bytes] = answers
        ) -> bytes:
            seen.append(headers)
            return next(answers)

        async with answering(answer) as (files, link):
            assert (await fetch(files, link, tmp_path / etag[:4])).read_bytes() == b"newest"
        assert [headers.get("range") for headers in seen] == [None] * 3


async def test_the_part_of_a_file_elsewhere_is_not_gone_on_with_whatever_its_etag(tmp_path: Path) -> None:
    for note in ('{"path": "/other", "etag": "\\"1\\""}', "nonsense", "[]", '{"path": "/there/file.bin", "etag": 1}'):
        (tmp_path / "here.part").write_bytes(b"ot")
        (tmp_path / "here.part.json").write_text(note)
        async with answering(lambda headers: reply(b"whole" if "range" not in headers else b"no")) as (files, link):
            assert (await fetch(files, link, tmp_path / "here")).read_bytes() == b"whole"
        (tmp_path / "here").unlink()


async def test_who_leaves_hangs_up_at_once_on_a_server_that_says_nothing(tmp_path: Path) -> None:
    asked, left = asyncio.Event(), asyncio.Event()

    async def listen(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        asked.set()
        await reader.read()
        left.set()
        writer.close()

    async with await asyncio.start_server(listen, "127.0.0.1", 0) as server:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"

        async def link() -> str:
            return url

        fetching = asyncio.create_task(fetch(files_of(url), link, tmp_path / "here"))
        async with asyncio.timeout(10):
            await asked.wait()
            fetching.cancel()
            with pytest.raises(asyncio.CancelledError):
                await fetching
            await left.wait()
    assert list(tmp_path.iterdir()) == []


async def test_a_part_that_is_whole_already_is_taken_as_it_is(tmp_path: Path) -> None:
    def answer(headers: dict[str, str]) -> bytes:
        if "range" not in headers:
            return reply(b"whole", 'ETag: "1"', length=6)  # it says that there is more, and there is not
        return reply(b"", "Content-Range: bytes */5", status="416 Range Not Satisfiable")

    async with answering(answer) as (files, link):
        assert (await fetch(files, link, tmp_path / "here")).read_bytes() == b"whole"


async def test_another_part_than_the_one_that_was_asked_for_is_not_taken(tmp_path: Path) -> None:
    answers = iter(
        [
            reply(b"who", 'ETag: "1"', length=5),
            reply(b"XX", "Content-Range: bytes 0-1/5", status="206 Partial Content"),
            reply(b"whole", 'ETag: "1"'),
        ]
    )
    async with answering(lambda _headers: next(answers)) as (files, link):
        assert (await fetch(files, link, tmp_path / "here")).read_bytes() == b"whole"


async def test_a_server_that_never_brings_anything_is_given_up(tmp_path: Path) -> None:
    async with answering(lambda _headers: b"") as (files, link):
        with pytest.raises(TransferFailed, match="not arrive whole"):
            await fetch(files, link, tmp_path / "here")
    assert list(tmp_path.iterdir()) == []


async def test_a_stream_does_not_mix_two_files(tmp_path: Path) -> None:
    answers = iter([reply(b"ol", 'ETag: "1"', length=3), reply(b"new", 'ETag: "2"')])
    async with answering(lambda _headers: next(answers)) as (files, link):
        with pytest.raises(TransferFailed, match="changed"):
            await files.copy(io.BytesIO(), on_progress=None, allow_plain=False, link=link)


async def test_an_upload_that_is_cut_again_is_given_up(tmp_path: Path) -> None:
    attempts: list[int] = []

    async def cut(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        attempts.append(len(await reader.readexactly(100_000)))
        writer.transport.abort()

    source = io.BytesIO(NOISE * 8)
    async with await asyncio.start_server(cut, "127.0.0.1", 0) as server:
        with pytest.raises(TransferFailed, match="not uploaded"):
            await send(files_of(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"), source)
    assert attempts == [100_000] * 2


async def test_an_answer_that_is_none_of_ours_is_told_in_plain_words(tmp_path: Path) -> None:
    for body in (b"<html>", b"[]", b'{"path": 1}'):
        async with answering(lambda _headers, body=body: reply(body)) as (files, _link):  # type: ignore[misc]
            with pytest.raises(RequestFailed, match="not what this version expects"):
                await send(files)
    async with answering(lambda _headers: reply(b"<html>", status="418 No")) as (files, _link):
        with pytest.raises(RequestFailed, match="HTTP 418") as refused:
            await send(files)
        assert refused.value.status == 418


async def send(files: Files, source: BinaryIO | None = None) -> UploadedFile:
    async def there() -> None:
        return None

    async with asyncio.timeout(PATIENCE_S):
        return await files.upload(
            source or io.BytesIO(b"content"),
            name="name",
            caption=None,
            on_progress=None,
            allow_plain=False,
            until_there=there,
        )


async def test_files_do_not_travel_in_the_open_where_the_connection_is_sealed(tmp_path: Path) -> None:
    async def link() -> str:
        raise AssertionError("nothing is asked for")

    files = files_of("http://192.0.2.1:8741", KEY)
    with pytest.raises(NotPrivate, match="--allow-plain"):
        await send(files)
    with pytest.raises(NotPrivate):
        await fetch(files, link, tmp_path / "here")
    assert list(tmp_path.iterdir()) == []
