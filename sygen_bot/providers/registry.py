"""Which providers there are, which of them can run now, and which is the best of those."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from sygen_bot.api.protocol import ProviderCard
from sygen_bot.errors import ProviderUnavailable
from sygen_bot.providers.base import Availability, Provider, ProviderInfo

PREFERENCE: Final = ("claude", "codex", "gemini", "openai", "local")
"""Who is asked when nobody is named: the first of these that can run. Others run only when they are named."""

_NOT_CHECKED: Final = Availability(available=False, reason="It has not been checked yet.")


@dataclass(frozen=True, slots=True)
class Target:
    """Who answers: a provider, and one of its models or None for its default."""

    provider: str
    model: str | None = None

    def __str__(self) -> str:
        return self.provider if self.model is None else f"{self.provider}/{self.model}"


class ProviderRegistry:
    """The providers of this gateway with what their last check said."""

    def __init__(self, providers: Iterable[Provider]) -> None:
        self._providers: dict[str, Provider] = {provider.info.id: provider for provider in providers}
        self._checks: dict[str, Availability] = {}
        self._refreshing: asyncio.Task[None] | None = None

    async def refresh(self) -> None:
        """Check every provider, all at once; who asks while that is going on waits for the same checks."""
        if self._refreshing is None:
            self._refreshing = asyncio.create_task(self._check_all(), name="check the providers")
            self._refreshing.add_done_callback(self._refreshed)
        await asyncio.shield(self._refreshing)

    async def _check_all(self) -> None:
        checks = await asyncio.gather(*(provider.check() for provider in self._providers.values()))
        self._checks = dict(zip(self._providers, checks, strict=True))

    def _refreshed(self, _task: object) -> None:
        self._refreshing = None

    def all(self) -> Mapping[str, Provider]:
        return self._providers

    def check_of(self, provider_id: str) -> Availability:
        """What the last check said; a provider that was never checked counts as unavailable."""
        return self._checks.get(provider_id, _NOT_CHECKED)

    def cards(self) -> list[ProviderCard]:
        """The providers that can run now, as clients see them."""
        return [
            ProviderCard(provider.info.id, provider.info.name, provider.info.color, self.check_of(name).models)
            for name, provider in self._providers.items()
            if self.check_of(name).available
        ]

    def listed(self) -> list[tuple[ProviderInfo, Availability]]:
        """Every provider with what its last check said."""
        return [(provider.info, self.check_of(name)) for name, provider in self._providers.items()]

    def get(self, provider_id: str) -> Provider:
        """The provider of that name. Raises ProviderUnavailable, with the reason, if it cannot run now."""
        provider = self._providers.get(provider_id)
        if provider is None:
            raise ProviderUnavailable(f"There is no provider {provider_id!r}. `/model` lists what there is.")
        check = self.check_of(provider_id)
        if not check.available:
            raise ProviderUnavailable(f"{provider.info.name} cannot run now. {check.reason} {check.remedy}".strip())
        return provider

    def best(self) -> str | None:
        """The most preferred provider that can run now."""
        return next((name for name in PREFERENCE if self.check_of(name).available), None)

    def find(self, name: str) -> Target | None:
        """Who `name` means: a provider, a model of one that can run now, or `provider/model`."""
        provider_id, slash, model = name.partition("/")
        if provider_id in self._providers:
            known = self.check_of(provider_id).models
            if not slash:
                return Target(provider_id)
            return Target(provider_id, model) if model and (model in known or not known) else None
        owners = (owner for owner in self._providers if name in self.check_of(owner).models)
        owner = next(owners, None)
        return None if owner is None else Target(owner, name)

    def named(self, provider: str | None, model: str | None) -> Target | None:
        """Who these name; None for nobody known. Without a provider, the first that has the model."""
        if provider is None:
            provider = next((name for name in self._providers if model in self.check_of(name).models), None)
        if provider is None or provider not in self._providers:
            return None
        return self.find(provider if model is None else f"{provider}/{model}")

    async def close(self) -> None:
        """End everything the providers keep running."""
        await asyncio.gather(*(provider.close() for provider in self._providers.values()))
