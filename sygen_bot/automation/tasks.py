"""Background tasks: one prompt for an agent, run once in a session of its own, while nobody waits."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection
from typing import Final

from sygen_bot.automation.runner import Runner, new_id, own_session
from sygen_bot.errors import Conflict, NotFound, RequestError
from sygen_bot.providers.registry import Target
from sygen_bot.session.text import one_line, speakable
from sygen_bot.storage.runs import Run

MAX_PROMPT_CHARS: Final = 100_000
MAX_TITLE_CHARS: Final = 200
_TITLE_FROM_PROMPT_CHARS: Final = 80


class Unusable(RequestError):
    """The request is understood, but there can be no such task."""

    code = "invalid"


class Tasks:
    """Every method raises StorageError; those that take an id raise NotFound for an unknown one.

    `agents`: their names. `find_target`: who a provider and a model name, either of them None for any; None for nobody known.
    """

    def __init__(
        self,
        *,
        runner: Runner,
        agents: Collection[str],
        default_agent: str,
        find_target: Callable[[str | None, str | None], Target | None],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._runner = runner
        self._agents = agents
        self._default_agent = default_agent
        self._find_target = find_target
        self._clock = clock

    async def create(
        self,
        prompt: str,
        *,
        title: str | None = None,
        agent: str | None = None,
        provider: str | None = None,
        model: str | None = None,
        repeats: bool = False,
    ) -> Run:
        """Keep a task and have it run. `repeats`: run it again if the gateway stops before its end. Raises Unusable."""
        prompt = speakable(prompt)
        if not prompt.strip() or len(prompt) > MAX_PROMPT_CHARS:
            raise Unusable(f"A prompt has 1 to {MAX_PROMPT_CHARS} characters.")
        if agent is not None and agent not in self._agents:
            raise Unusable(f"There is no agent {agent!r}.")
        target = None
        if provider is not None or model is not None:
            target = self._find_target(provider, model)
            if target is None:
                raise Unusable(f"There is no provider or model {provider or model!r}.")
        run = Run(
            id=new_id(),
            source="task",
            source_id=None,
            title=_title_from(prompt) if title is None else _checked_title(title),
            prompt=prompt,
            key=own_session(),
            agent=agent or self._default_agent,
            provider=None if target is None else target.provider,
            model=None if target is None else target.model,
            repeats=repeats,
            created_at=self._clock(),
        )
        return await self._runner.add(run)

    async def get(self, task_id: str) -> Run:
        run = await self._runner.get(task_id)
        if run.source != "task":
            raise NotFound
        return run

    async def listed(self, *, before: str | None, limit: int) -> list[Run]:
        """The newest; `before`: those that were made before that one."""
        return await self._runner.listed(source="task", before=before, limit=limit)

    async def rename(self, task_id: str, title: str) -> Run:
        """Raises Unusable."""
        return await self._runner.rename((await self.get(task_id)).id, _checked_title(title))

    async def remove(self, task_id: str) -> None:
        """Remove a task that has ended, and what was said in it. Raises Conflict if it has not ended."""
        await self._runner.remove((await self.get(task_id)).id)

    async def cancel(self, task_id: str) -> Run:
        """Stop it, whether it waits or runs, and return it with its end. Raises Conflict if it has ended."""
        if (await self.get(task_id)).ended_at is not None:
            raise Conflict("This task has ended.")
        return await self._runner.cancel(task_id)


def _title_from(prompt: str) -> str:
    """The first line that says something."""
    line = next(line for line in map(one_line, prompt.splitlines()) if line) if one_line(prompt) else "Task"
    return line if len(line) <= _TITLE_FROM_PROMPT_CHARS else f"{line[: _TITLE_FROM_PROMPT_CHARS - 1].rstrip()}…"


def _checked_title(title: str) -> str:
    clean = one_line(title)
    if not clean or len(clean) > MAX_TITLE_CHARS:
        raise Unusable(f"A title has 1 to {MAX_TITLE_CHARS} characters.")
    return clean
