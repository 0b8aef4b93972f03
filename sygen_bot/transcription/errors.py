"""Why a recording is not transcribed. The texts are for people: no path, no secret."""

from __future__ import annotations

from sygen_bot.errors import RequestError, TooLarge, Unavailable, UnsupportedMedia


class NoEngine(Unavailable):
    sentence = "No speech engine is there. `pip install 'sygen-bot[whisper]'` brings one; `sygen doctor` shows what else would do."


class TranscriptionFailed(RequestError):
    code = "transcription_failed"
    sentence = "No engine could transcribe this."


class RecordingTooLarge(TooLarge):
    sentence = "The recording is too large to be transcribed."


class NotARecording(UnsupportedMedia):
    sentence = "This is neither audio nor video."


class EngineFailed(Exception):
    """One engine did not do it; the next one is asked. The text is what it said, not yet fit for strangers."""
