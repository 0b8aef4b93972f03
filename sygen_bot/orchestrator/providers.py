"""The providers of this installation, made from the configuration."""

from __future__ import annotations

from sygen_bot.config import Settings
from sygen_bot.paths import Paths
from sygen_bot.providers.base import Provider


def build_providers(settings: Settings, paths: Paths) -> list[Provider]:
    """Every provider that this version knows. The scripted one, which only plays a script, is there only if it is named."""
    if "scripted" not in {settings.provider, settings.agent.provider, *settings.providers}:
        return []
    from sygen_bot.testing.scripted import ScriptedProvider

    return [ScriptedProvider(run_dir=paths.run_dir)]
