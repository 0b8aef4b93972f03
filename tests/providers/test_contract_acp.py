"""An agent that speaks the Agent Client Protocol, made with the reference library, keeps the contract of all providers."""

from __future__ import annotations

import base64
import json
import sys
from pathlib import Path

from sygen_bot.providers.acp import AcpProvider
from sygen_bot.providers.acp_profiles import custom_profile
from sygen_bot.providers.base import Attachment, Provider
from sygen_bot.testing.contract import ProviderContract


class TestAcp(ProviderContract):
    turn_timeout_s = 30.0
    keeps_warm = True
    attaches = True

    async def make_provider(self, tmp_path: Path, marker: str) -> Provider:
        self.sessions = tmp_path / "sessions"
        return AcpProvider(
            profile=custom_profile("scripted-acp", "Scripted", (sys.executable, "-m", "sygen_bot.testing.acp_agent")),
            run_dir=tmp_path / "run",
            env={"ACP_AGENT_SESSIONS": str(self.sessions), self.marker_variable: marker},
        )

    def something(self) -> str:
        return "SAY the sea is wide"

    def slow(self) -> str:
        return "SLOW 1000 0.02"

    def teach(self) -> str:
        return "SAY I shall remember"

    def recall(self) -> str:
        return "ECHO_HISTORY"

    def remembers(self, answer: str, resume_token: str | None) -> bool:
        del resume_token  # tells nothing: the memory is the agent's
        return answer == "I remember 1 turns."

    def write_file(self, path: Path) -> str | None:
        return f"ASK Write {json.dumps({'file_path': str(path), 'content': 'x'})}"

    def spawn(self, seconds: int) -> str | None:
        return f"SPAWN_DETACHED {seconds}\nSLOW 1000 0.02"

    def sees(self, attachment: Attachment) -> bool:
        (conversation,) = self.sessions.glob("*.json")
        picture = base64.b64encode(attachment.path.read_bytes()).decode()
        prompt = json.loads(conversation.read_bytes())["turns"][-1]["prompt"]
        return bool({"type": "image", "mimeType": attachment.mime, "data": picture}.items() <= prompt[-1].items())
