"""The providers of this installation, made from the configuration."""

from __future__ import annotations

from sygen_bot.config import ProviderSettings, Settings
from sygen_bot.paths import Paths
from sygen_bot.providers.base import Provider


def build_providers(settings: Settings, paths: Paths) -> list[Provider]:
    """Every provider that this version knows. The scripted one, which only plays a script, is there only if it is named."""
    from sygen_bot.providers.claude import ClaudeProvider
    from sygen_bot.providers.local import LocalProvider

    def of(name: str) -> ProviderSettings:
        return settings.providers.get(name, ProviderSettings())

    claude, local = of("claude"), of("local")
    providers: list[Provider] = [
        ClaudeProvider(
            run_dir=paths.run_dir,
            env=claude.env,
            command=claude.command,
            base_url=claude.base_url,
            models=claude.models,
            idle_ttl_s=claude.idle_ttl_s,
            private_dirs=paths.private,
        ),
        LocalProvider(run_dir=paths.run_dir, model_path=paths.weights, idle_ttl_s=local.idle_ttl_s),
    ]
    if "scripted" in {settings.provider, settings.agent.provider, *settings.providers}:
        from sygen_bot.testing.scripted import ScriptedProvider

        providers.append(ScriptedProvider(run_dir=paths.run_dir))
    return providers
