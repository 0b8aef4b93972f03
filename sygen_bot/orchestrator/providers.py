"""The providers of this installation, made from the configuration."""

from __future__ import annotations

from sygen_bot.config import ProviderSettings, Settings
from sygen_bot.paths import Paths
from sygen_bot.providers.base import Provider
from sygen_bot.providers.claude import ClaudeProvider
from sygen_bot.providers.local import LocalProvider


def build_providers(settings: Settings, paths: Paths) -> list[Provider]:
    """Every provider that this version knows. The scripted one, which only plays a script, is there only if it is named."""
    providers: list[Provider] = []
    claude = settings.providers.get("claude", ProviderSettings())
    providers.append(
        ClaudeProvider(
            run_dir=paths.run_dir,
            command=claude.command,
            env=claude.env,
            models=claude.models,
            idle_ttl_s=claude.idle_ttl_s,
        )
    )
    local = settings.providers.get("local", ProviderSettings())
    providers.append(
        LocalProvider(run_dir=paths.run_dir, weights=paths.weights, env=local.env, idle_ttl_s=local.idle_ttl_s)
    )
    if "scripted" in {settings.provider, settings.agent.provider, *settings.providers}:
        from sygen_bot.testing.scripted import ScriptedProvider

        providers.append(ScriptedProvider(run_dir=paths.run_dir))
    return providers
