"""Which providers there are, who is asked when nobody is named, and whom a name means."""

from __future__ import annotations

from collections.abc import AsyncGenerator

import pytest

from sygen_bot.api.protocol import ProviderCard
from sygen_bot.errors import ProviderUnavailable
from sygen_bot.events import Finished, ProviderEvent
from sygen_bot.providers.base import Availability, ProviderInfo, Turn
from sygen_bot.providers.registry import PREFERENCE, ProviderRegistry, Target
from sygen_bot.session.key import SessionKey


class Agent:
    """A provider that is what it is made to be."""

    def __init__(self, provider_id: str, *models: str, missing: str = "") -> None:
        self.info = ProviderInfo(id=provider_id, name=provider_id.title(), color="#123456")
        self.models, self.missing, self.is_closed = models, missing, False

    @property
    def processes(self) -> int:
        return 0

    async def check(self) -> Availability:
        if self.missing:
            return Availability(available=False, reason=self.missing, remedy="Install it.")
        return Availability(available=True, models=self.models)

    async def run(self, turn: Turn) -> AsyncGenerator[ProviderEvent, None]:  # noqa: ARG002
        yield Finished()

    async def forget(self, session: SessionKey) -> None: ...

    async def close(self) -> None:
        self.is_closed = True


async def registry(*agents: Agent) -> ProviderRegistry:
    made = ProviderRegistry(agents)
    await made.refresh()
    return made


@pytest.mark.parametrize(
    ("agents", "best"),
    [
        ([], None),
        ([Agent("scripted")], None),
        ([Agent("local"), Agent("claude"), Agent("openai")], "claude"),
        ([Agent("local"), Agent("claude", missing="It is not logged in.")], "local"),
        ([Agent("claude", missing="It is not logged in.")], None),
    ],
    ids=["nobody", "only a scripted one", "several", "one not logged in", "none logged in"],
)
async def test_the_most_preferred_that_can_run_answers_when_nobody_is_named(
    agents: list[Agent], best: str | None
) -> None:
    assert (await registry(*agents)).best() == best


def test_the_scripted_agent_is_never_chosen_by_itself() -> None:
    assert "scripted" not in PREFERENCE


async def test_clients_see_those_that_can_run_in_their_order() -> None:
    made = await registry(Agent("claude", "sonnet", "opus"), Agent("codex", missing="No."), Agent("local"))
    assert made.cards() == [
        ProviderCard("claude", "Claude", "#123456", ("sonnet", "opus")),
        ProviderCard("local", "Local", "#123456", ()),
    ]


async def test_before_the_first_check_nobody_can_run() -> None:
    unchecked = ProviderRegistry([Agent("claude")])
    assert (unchecked.cards(), unchecked.best()) == ([], None)
    with pytest.raises(ProviderUnavailable, match="not been checked"):
        unchecked.get("claude")


async def test_refreshing_notices_what_came_and_what_went() -> None:
    agent = Agent("claude", missing="It is not installed.")
    made = await registry(agent)
    assert made.best() is None
    agent.missing = ""
    await made.refresh()
    assert made.best() == "claude"


async def test_asking_for_who_cannot_run_says_why_and_what_to_do() -> None:
    made = await registry(Agent("claude", missing="It is not logged in."))
    with pytest.raises(ProviderUnavailable, match=r"Claude cannot run now\. It is not logged in\. Install it\."):
        made.get("claude")
    with pytest.raises(ProviderUnavailable, match="no provider 'nobody'"):
        made.get("nobody")


@pytest.mark.parametrize(
    ("name", "target"),
    [
        ("claude", Target("claude")),
        ("claude/opus", Target("claude", "opus")),
        ("opus", Target("claude", "opus")),
        ("large", Target("local", "large")),
        ("claude/large", None),
        ("any/thing", Target("any", "thing")),
        ("any/a/b", Target("any", "a/b")),
        ("absent", Target("absent")),
        ("nobody", None),
        ("nobody/opus", None),
        ("claude/", None),
        ("any/", None),
        ("", None),
        ("/", None),
    ],
)
async def test_a_name_means_a_provider_or_a_model_or_both(name: str, target: Target | None) -> None:
    made = await registry(
        Agent("claude", "sonnet", "opus"), Agent("local", "large"), Agent("any"), Agent("absent", missing="No.")
    )
    assert made.find(name) == target
    if target is not None and target.model is not None:
        assert made.find(str(target)) == target


async def test_a_model_that_two_have_is_asked_of_the_first() -> None:
    made = await registry(Agent("codex", "gpt"), Agent("openai", "gpt"))
    assert made.find("gpt") == Target("codex", "gpt")


async def test_closing_closes_all_of_them() -> None:
    agents = [Agent("claude"), Agent("local", missing="No.")]
    await (await registry(*agents)).close()
    assert all(agent.is_closed for agent in agents)
