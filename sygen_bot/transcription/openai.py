"""Any server with the speech API of OpenAI."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Final

from sygen_bot.transcription.engines import EngineCheck, EngineName, Heard, is_path
from sygen_bot.transcription.recording import Recording

_OWN: Final = "https://api.openai.com/v1"
_MODEL: Final = "whisper-1"


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenAI:
    """`base_url` as in `https://host/v1`; the key is in the variable `key_variable` of `environ`."""

    name: ClassVar[EngineName] = "openai"
    base_url: str | None
    key_variable: str
    environ: Mapping[str, str]
    model: str | None
    language: str | None

    def check(self) -> EngineCheck:
        is_configured = self.base_url is not None
        if is_configured or self._key:
            whose = self.base_url or _OWN
            key = f"the key in {self.key_variable}" if self._key else "no key"
            return EngineCheck(
                name=self.name, is_ready=True, is_configured=is_configured, detail=f"{whose}, {self._model}, {key}"
            )
        return EngineCheck(
            name=self.name,
            is_ready=False,
            detail=f"no base URL is configured, and {self.key_variable} is not set",
            remedy=f"Set `transcription.openai_base_url`, or {self.key_variable} in the gateway's environment.",
        )

    async def hear(self, recording: Recording) -> Heard:
        from sygen_bot.transcription.posting import post  # httpx takes its time to load

        model = await asyncio.to_thread(lambda: self._model)  # which may name a file
        fields = {"model": model, "response_format": "json"}
        if self.language:
            fields["language"] = self.language
        headers = {"Authorization": f"Bearer {self._key}"} if self._key else {}
        return await post(
            f"{(self.base_url or _OWN).rstrip('/')}/audio/transcriptions", recording, fields=fields, headers=headers
        )

    @property
    def _key(self) -> str:
        return self.environ.get(self.key_variable, "").strip()

    @property
    def _model(self) -> str:
        return _MODEL if self.model is None or is_path(self.model) else self.model
