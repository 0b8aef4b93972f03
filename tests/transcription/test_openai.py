"""The engine that asks a server, against a real one on loopback; and a URL as the custom engine."""

from __future__ import annotations

import asyncio

import pytest

from sygen_bot.transcription.errors import TranscriptionFailed
from tests.fakes.openai_audio import SpeechApi, speech_api
from tests.fakes.speech import Speech
from tests.transcription.conftest import Machine

PATIENCE_S = 10.0
WEBM = "video/webm"


async def test_the_recording_is_sent_as_it_is_with_the_key_and_the_fields(machine: Machine, speech: Speech) -> None:
    machine.link("ffmpeg", "ffprobe")
    machine.environ["SPEECH_KEY"] = "sk-secret"
    async with speech_api() as api:
        transcriber = machine.transcriber(
            openai_base_url=f"{api.url}/v1/", openai_api_key_env="SPEECH_KEY", model="large", language="en"
        )
        transcript = await transcriber.transcribe(speech.files["webm"], mime=WEBM)
        (posted,) = api.requests
    assert (transcript.text, transcript.engine) == ("hello from the server", "openai")
    assert transcript.duration_s == pytest.approx(speech.duration_s, abs=0.1)
    assert posted.path == "/v1/audio/transcriptions"
    assert posted.headers["authorization"] == "Bearer sk-secret"
    assert posted.fields == {"model": "large", "response_format": "json", "language": "en"}
    assert posted.file == speech.files["webm"].read_bytes()
    assert (posted.file_name, posted.file_type) == ("speech.webm", WEBM)


async def test_a_server_without_a_key_is_asked_without_one(machine: Machine, speech: Speech) -> None:
    async with speech_api() as api:
        api.answer({"text": " hi ", "duration": "3.25", "language": "en", "segments": [{"a": [[]]}]})
        transcriber = machine.transcriber(openai_base_url=api.url, model="/a/model/of/another/engine")
        transcript = await transcriber.transcribe(speech.files["ogg"], mime="audio/ogg")
        (posted,) = api.requests
    assert (transcript.text, transcript.duration_s) == ("hi", 3.25)
    assert "authorization" not in posted.headers
    assert posted.fields == {"model": "whisper-1", "response_format": "json"}


async def test_without_a_tool_to_measure_and_without_being_told_the_length_is_unknown(
    machine: Machine, speech: Speech
) -> None:
    async with speech_api() as api:
        wrong: list[object] = ["NaN", "1e999", -1, [], {}]
        for nonsense in wrong:
            api.answer({"text": "hi", "duration": nonsense})
            transcript = await machine.transcriber(openai_base_url=api.url).transcribe(speech.files["webm"], mime=WEBM)
            assert transcript.duration_s is None
        transcript = await machine.transcriber(openai_base_url=api.url).transcribe(speech.silence, mime="audio/wav")
        assert transcript.duration_s == 2.0


WRONG: list[tuple[int, bytes, dict[str, str]]] = [
    (500, b"", {}),
    (503, b"<html>over capacity</html>", {"Content-Type": "text/html"}),
    (401, b'{"error": {"message": "no"}}', {}),
    (200, b'{"error": "not today"}', {}),
    (200, b'"a string"', {}),
    (200, b"{" * 100_000, {}),
    (200, b'{"text": "' + b"x" * 5_000_000 + b'"}', {}),
    (200, b"short", {"Content-Length": "100"}),
    (307, b"moved", {"Location": "/elsewhere", "Content-Type": "text/plain"}),
    (200, b"\xff\xfe", {}),
]


@pytest.mark.parametrize("answer", WRONG)
async def test_any_other_answer_is_a_failure(
    machine: Machine, speech: Speech, answer: tuple[int, bytes, dict[str, str]]
) -> None:
    async with speech_api() as api:
        api.status, api.body = answer[:2]
        api.headers |= answer[2]
        with pytest.raises(TranscriptionFailed) as caught:
            await machine.transcriber(openai_base_url=api.url).transcribe(speech.silence, mime="audio/wav")
        assert len(str(caught.value)) < 500
        assert len(api.requests) == 1


async def test_an_address_that_cannot_be_one_is_a_failure(machine: Machine, speech: Speech) -> None:
    for address in ("http://", "http://127.0.0.1:1/v1", "http://[::", "https://exa mple\x00/"):
        with pytest.raises(TranscriptionFailed):
            await machine.transcriber(openai_base_url=address).transcribe(speech.silence, mime="audio/wav")


async def test_a_server_that_says_nothing_is_left_after_the_time_limit(machine: Machine, speech: Speech) -> None:
    async with speech_api() as api:
        api.gate.clear()
        transcriber = machine.transcriber(openai_base_url=api.url, timeout_s=0.2)
        with pytest.raises(TranscriptionFailed, match=r"longer than 0\.2 s"):
            async with asyncio.timeout(PATIENCE_S):
                await transcriber.transcribe(speech.silence, mime="audio/wav")
        await left(api)


async def test_cancelling_hangs_up(machine: Machine, speech: Speech) -> None:
    async with speech_api() as api:
        api.gate.clear()
        asking = asyncio.create_task(
            machine.transcriber(openai_base_url=api.url).transcribe(speech.silence, mime="audio/wav")
        )
        async with asyncio.timeout(PATIENCE_S):
            await api.asked.wait()
        asking.cancel()
        await left(api)
        with pytest.raises(asyncio.CancelledError):
            await asking


@pytest.mark.parametrize(
    ("body", "kind"), [(b'{"text": "heard"}', "application/json"), (b"heard\n", "text/plain; charset=utf-8")]
)
async def test_a_url_can_be_the_custom_engine(machine: Machine, speech: Speech, body: bytes, kind: str) -> None:
    async with speech_api() as api:
        api.body, api.headers = body, {"Content-Type": kind}
        transcriber = machine.transcriber(custom=f"{api.url}/hear?token=secret", language="fr")
        assert "secret" not in (await asyncio.to_thread(transcriber.engines))[0].detail
        transcript = await transcriber.transcribe(speech.files["ogg"], mime="audio/ogg")
        (posted,) = api.requests
    assert (transcript.text, transcript.engine) == ("heard", "custom")
    assert (posted.path, posted.fields) == ("/hear?token=secret", {"language": "fr"})
    assert posted.file == speech.files["ogg"].read_bytes()


async def left(api: SpeechApi) -> None:
    async with asyncio.timeout(PATIENCE_S):
        await api.left.wait()
