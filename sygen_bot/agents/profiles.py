"""The agents of a gateway, as clients see them: names, titles, who answers for them, and their pictures."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from sygen_bot.agents.avatars import Avatar, Avatars
from sygen_bot.errors import NotFound


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """An agent as it is configured. `provider` and `model`: its own or the gateway's, None where neither names one."""

    name: str
    title: str
    provider: str | None
    model: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentCard:
    """An agent as clients see it. `provider` and `model`: who answers for it now, None where nobody can."""

    name: str
    title: str
    provider: str | None
    model: str | None
    has_avatar: bool


class Agents:
    """Lists agents and keeps their pictures. Methods that take a name raise NotFound for an unknown one.

    `best` is the provider that answers where none is configured; `models` are those of a provider, its default first.
    """

    def __init__(
        self,
        profiles: Iterable[Profile],
        *,
        avatars: Avatars,
        best: Callable[[], str | None],
        models: Callable[[str], Sequence[str]],
    ) -> None:
        self._profiles = {profile.name: profile for profile in profiles}
        self._avatars = avatars
        self._best = best
        self._models = models

    async def listed(self) -> list[AgentCard]:
        """All of them, in the order of the configuration."""
        return [await self.get(name) for name in self._profiles]

    async def get(self, name: str) -> AgentCard:
        profile = self._known(name)
        provider = profile.provider or self._best()
        models = () if provider is None else self._models(provider)
        return AgentCard(
            name=name,
            title=profile.title,
            provider=provider,
            model=profile.model or next(iter(models), None),
            has_avatar=await self._avatars.picture(name) is not None,
        )

    async def avatar(self, name: str) -> Avatar:
        """Its picture, a made one if it has none."""
        self._known(name)
        return await self._avatars.get(name)

    async def set_avatar(self, name: str, source: Path) -> AgentCard:
        """Raises RequestError if `source` is no picture that can be used."""
        self._known(name)
        await self._avatars.put(name, source)
        return await self.get(name)

    async def remove_avatar(self, name: str) -> None:
        """Take the uploaded picture away, if there is one; what is configured shows again."""
        self._known(name)
        await self._avatars.remove(name)

    def _known(self, name: str) -> Profile:
        if (profile := self._profiles.get(name)) is None:
            raise NotFound("There is no agent of this name.")
        return profile
