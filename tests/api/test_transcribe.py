"""Speech to text over HTTP and over the socket. The engines are real processes and a real server."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from sygen_bot.orchestrator.lifecycle import Gateway
from tests.api.conftest import Serve
from tests.api.wire import PATIENCE_S, TOKEN, client
from tests.fakes.openai_audio import SpeechApi, speech_api
from tests.fakes.speech import Speech, speak

ADDRESS = "/api/transcribe"
CUSTOM = "transcription.custom"
SIZE = "transcription.max_file_bytes"


@pytest.fixture(scope="module")
def speech(tmp_path_factory: pytest.TempPathFactory) -> Speech:
    return speak(tmp_path_factory.mktemp("speech"))


@pytest.fixture(autouse=True)
def _no_other_engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever engines this machine has: the gateway finds those that a test brings."""
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)


@asynccontextmanager
async def browser(gateway: Gateway) -> AsyncIterator[httpx.AsyncClient]:
    headers = {b"Authorization": f"Bearer {TOKEN}".encode()}
    async with httpx.AsyncClient(base_url=gateway.url, headers=headers, timeout=PATIENCE_S) as http:
        yield http


def uploaded(home: Path, name: str, content: bytes) -> str:
    """A file in the workspace of a gateway, by its path."""
    file = home / "workspace" / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content)
    return str(file)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


async def posted(http: httpx.AsyncClient, path: object) -> tuple[int, Any]:
    answer = await http.post(ADDRESS, json={"file_path": path})
    return answer.status_code, answer.json()


async def test_what_was_said_is_answered_over_http_and_over_the_socket(
    serve: Serve, home: Path, speech: Speech
) -> None:
    async with (
        speech_api() as api,
        serve({"transcription.openai_base_url": api.url}) as gateway,
        browser(gateway) as http,
        client(gateway, rpc=True) as peer,
    ):
        voice = uploaded(home, "api_files/voice.wav", speech.files["wav"].read_bytes())
        status, body = await posted(http, voice)
        assert status == 200
        assert body == {"text": "hello from the server", "engine": "openai", "duration_s": body["duration_s"]}
        assert body["duration_s"] == pytest.approx(speech.duration_s, abs=0.01)
        assert await peer.request("POST", ADDRESS, {"file_path": voice}) == (200, body)
        assert [posted.file for posted in api.requests] == [Path(voice).read_bytes()] * 2
    assert not list((home / "run").glob("transcription-*"))


async def test_what_cannot_be_transcribed_is_refused_each_in_its_way(serve: Serve, home: Path, speech: Speech) -> None:
    async with speech_api() as api, serve({"transcription.openai_base_url": api.url, SIZE: 100_000}) as gateway:
        silence = speech.silence.read_bytes()
        outside = home.parent / "outside.wav"
        outside.write_bytes(silence)
        workspace = home / "workspace"
        (workspace / "out.wav").symlink_to(outside)
        os.mkfifo(workspace / "fifo.wav")
        wrong: list[tuple[object, int, str]] = [
            (str(workspace / "nowhere.wav"), 404, "not_found"),
            (str(workspace), 404, "not_found"),
            (str(workspace / "fifo.wav"), 404, "not_found"),
            (str(outside), 403, "forbidden"),
            (str(workspace / "out.wav"), 403, "forbidden"),
            (f"{workspace}/../config/config.json", 403, "forbidden"),
            ("voice.wav", 400, "bad_request"),
            (f"{workspace}/a\0.wav", 400, "bad_request"),
            (7, 422, "invalid"),
            (uploaded(home, "notes.txt", b"only words"), 415, "unsupported_media"),
            (uploaded(home, "notes.wav", b"#EXTM3U\nfile:///etc/passwd\n"), 415, "unsupported_media"),
            (uploaded(home, "large.wav", speech.files["wav"].read_bytes()), 413, "too_large"),
        ]
        async with browser(gateway) as http, client(gateway, rpc=True) as peer:
            for path, status, code in wrong:
                answered = await posted(http, path)
                assert (answered[0], answered[1]["code"]) == (status, code), path
                assert await peer.request("POST", ADDRESS, {"file_path": path}) == answered
            for body in ("{}", "[", '{"file_path": null}'):
                answer = await http.post(ADDRESS, content=body, headers={"Content-Type": "application/json"})
                assert answer.status_code in (400, 422)
            stranger = await http.post(ADDRESS, json={"file_path": "/x"}, headers={"Authorization": "Bearer no"})
            assert stranger.status_code == 401
        assert api.requests == []


async def test_without_an_engine_it_is_unavailable_and_the_sentence_helps(
    serve: Serve, home: Path, speech: Speech
) -> None:
    async with serve({CUSTOM: "missing {file}"}) as gateway, browser(gateway) as http:
        status, body = await posted(http, uploaded(home, "voice.ogg", speech.files["ogg"].read_bytes()))
    assert (status, body["code"]) == (503, "unavailable")
    assert "sygen-bot[whisper]" in body["error"]


async def test_when_all_engines_fail_each_is_quoted_without_secrets(
    serve: Serve, home: Path, speech: Speech, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "very-secret-value")
    async with speech_api() as api:
        api.answer({"error": {"message": f"bad key very-secret-value in {home}/x"}}, 401)
        async with serve({"transcription.openai_base_url": api.url}) as gateway, browser(gateway) as http:
            status, body = await posted(http, uploaded(home, "voice.webm", speech.files["webm"].read_bytes()))
    assert (status, body["code"]) == (502, "transcription_failed")
    assert "openai: its server answered 401: bad key *** in <path>" in body["error"]


async def until_left(api: SpeechApi) -> None:
    async with asyncio.timeout(PATIENCE_S):
        await api.left.wait()


async def test_when_the_client_goes_the_work_ends(serve: Serve, home: Path, speech: Speech) -> None:
    async with speech_api() as api, serve({"transcription.openai_base_url": api.url}) as gateway:
        api.gate.clear()
        voice = uploaded(home, "voice.wav", speech.silence.read_bytes())
        body = json.dumps({"file_path": voice})
        reader, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
        writer.write(
            f"POST {ADDRESS} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {TOKEN}\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(body)}\r\n\r\n{body}".encode()
        )
        async with asyncio.timeout(PATIENCE_S):
            await api.asked.wait()
        writer.close()
        await until_left(api)
        api.gate.set()
        async with browser(gateway) as http:
            assert (await posted(http, voice))[0] == 200
        assert reader.at_eof() or await reader.read() == b""


async def test_stopping_the_gateway_ends_what_runs(serve: Serve, home: Path, speech: Speech) -> None:
    async with speech_api() as api:
        api.gate.clear()
        async with serve({"transcription.openai_base_url": api.url}) as gateway, browser(gateway) as http:
            asking = asyncio.create_task(posted(http, uploaded(home, "voice.wav", speech.silence.read_bytes())))
            async with asyncio.timeout(PATIENCE_S):
                await api.asked.wait()
            async with asyncio.timeout(PATIENCE_S):
                await gateway.stop()
            await until_left(api)
            assert (await asking)[0] == 503
