"""The suite that every provider passes: subclass `ProviderContract` in a test module and say how to talk to your agent.

    class TestMyAgent(ProviderContract):
        async def make_provider(self, tmp_path: Path, marker: str) -> Provider:
            return MyProvider(run_dir=tmp_path / "run", env={self.marker_variable: marker})

Needs pytest and pytest-asyncio in auto mode. Everything that depends on what an agent understands is a method to override;
the defaults suit an agent that answers anything at all. Fixtures of your own reach the methods through an autouse fixture
that sets attributes: pytest makes a new instance for each test.
"""

from __future__ import annotations

import asyncio
import base64
import itertools
import os
import re
import time
import uuid
from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

import pytest

from sygen_bot.events import ContextSaved, Finished, ProviderEvent, TextDelta, ToolActivity
from sygen_bot.providers.base import Attachment, Decision, Provider, ToolRequest, Turn
from sygen_bot.session.key import SessionKey

TINY_PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg=="
)
"""A picture of one pixel."""


def survivors(variable: str, value: str) -> set[int]:
    """The pids of all running processes whose environment has `variable=value`, this one apart. Needs /proc."""
    wanted = f"{variable}={value}".encode()
    found = set()
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            marked = wanted in (entry / "environ").read_bytes().split(b"\0")
            state = (entry / "stat").read_bytes().rpartition(b")")[2].split()[0]
        except (OSError, IndexError):
            continue  # it ended in the meantime, or is another user's
        if marked and state not in b"ZX":
            found.add(int(entry.name))
    return found - {os.getpid()}


@dataclass
class Heard:
    """What a turn has yielded so far."""

    events: list[ProviderEvent] = field(default_factory=list)

    @property
    def deltas(self) -> list[str]:
        return [event.data for event in self.events if isinstance(event, TextDelta)]

    @property
    def answer(self) -> str:
        """What the agent said, streamed or not."""
        unstreamed = [event.text or "" for event in self.events if isinstance(event, Finished)]
        return "".join(self.deltas) or "".join(unstreamed)

    @property
    def resume_token(self) -> str | None:
        tokens = [event.resume_token for event in self.events if isinstance(event, ContextSaved)]
        return tokens[-1] if tokens else None


class Approvals:
    """An approver that gives one answer and remembers what it was asked."""

    def __init__(self, decision: Decision = "deny") -> None:
        self.decision = decision
        self.requests: list[ToolRequest] = []

    async def __call__(self, request: ToolRequest) -> Decision:
        self.requests.append(request)
        return self.decision


class Undecided(Approvals):
    """An approver that never comes to an answer. `asked`: somebody waits for one. `given_up`: nobody does any more."""

    def __init__(self) -> None:
        super().__init__()
        self.asked = asyncio.Event()
        self.given_up = asyncio.Event()

    async def __call__(self, request: ToolRequest) -> Decision:
        self.requests.append(request)
        self.asked.set()
        try:
            never: asyncio.Future[Decision] = asyncio.get_running_loop().create_future()
            return await never
        finally:
            self.given_up.set()


class ProviderContract(ABC):
    """What `sygen_bot.providers.base.Provider` promises, as tests."""

    marker_variable: ClassVar[str] = "AGENT_MARKER"
    turn_timeout_s: ClassVar[float] = 120.0
    """The longest that one whole turn may take, the start of the agent included."""
    keeps_warm: ClassVar[bool] = False
    """Whether the agent's process may outlive a turn, or an abort, until `forget` or `close`."""
    streams: ClassVar[bool] = True

    _turns: ClassVar[itertools.count[int]] = itertools.count(1)

    # ---- What to override

    @abstractmethod
    async def make_provider(self, tmp_path: Path, marker: str) -> Provider:
        """A new instance. Every process that it starts has `marker_variable=marker` in its environment.

        Two calls with the same arguments give two instances that share what outlives a process.
        """

    def something(self) -> str:
        """A message that gets an answer of two words or more."""
        return "Tell me about the sea in two sentences."

    def slow(self) -> str:
        """A message whose answer streams for some seconds."""
        return "Write a very long story about the sea. Do not stop before you have written a thousand words."

    def teach(self) -> str:
        """A message with something to remember."""
        return "My name is Zebedee. Please remember it."

    def recall(self) -> str:
        """A message whose answer shows whether `teach` is remembered."""
        return "What is my name?"

    def remembers(self, answer: str, resume_token: str | None) -> bool:
        """Whether the answer to `recall`, or the token after it, shows that `teach` came before it."""
        return "zebedee" in f"{answer} {resume_token}".lower()

    def write_file(self, path: Path) -> str | None:
        """A message that makes the agent use a tool that would write `path`; None if it has no tools."""
        del path
        return None

    writes: ClassVar[bool] = True
    """Whether the tool of `write_file` really writes the file when it is allowed."""

    def spawn(self, seconds: int) -> str | None:
        """A message that makes the agent start a child that leaves its process group and sleeps that long; None if it cannot."""
        del seconds
        return None

    def sees(self, attachment: Attachment) -> bool:
        """Whether the agent was given the attachment of the last turn as such, and not only by its path; asked of what stands in for the world."""
        del attachment
        return False

    attaches: ClassVar[bool] = False
    """Whether pictures reach the agent in its own form."""

    # ---- Fixtures and steps

    @pytest.fixture
    def marker(self) -> str:
        """A value that no other process on this machine has."""
        return uuid.uuid4().hex

    @pytest.fixture
    async def provider(self, tmp_path: Path, marker: str) -> AsyncIterator[Provider]:
        provider = await self.make_provider(tmp_path, marker)
        yield provider
        await provider.close()
        assert survivors(self.marker_variable, marker) == set()

    @pytest.fixture
    def workspace(self, tmp_path: Path) -> Path:
        """The agent's working directory."""
        workspace = tmp_path / "workspace"
        workspace.mkdir()
        return workspace

    def turn(
        self,
        workspace: Path,
        text: str,
        *,
        resume_token: str | None = None,
        session: int = 1,
        approve: Approvals | None = None,
        attachments: tuple[Attachment, ...] = (),
    ) -> Turn:
        return Turn(
            session=SessionKey("contract", session, None),
            turn_id=f"turn-{next(self._turns)}",
            text=text,
            model=None,
            resume_token=resume_token,
            workspace=workspace,
            system_prompt=None,
            approve=approve or Approvals(),
            attachments=attachments,
        )

    async def hear(self, provider: Provider, turn: Turn) -> Heard:
        """A whole turn."""
        heard = Heard()
        async with asyncio.timeout(self.turn_timeout_s):
            async for event in provider.run(turn):
                heard.events.append(event)
        return heard

    @asynccontextmanager
    async def speaking(self, provider: Provider, turn: Turn) -> AsyncIterator[tuple[asyncio.Task[None], Heard]]:
        """A turn in the middle of its answer: the task that listens to it, and what was heard."""
        heard = Heard()
        started = asyncio.Event()

        async def listen() -> None:
            async for event in provider.run(turn):
                heard.events.append(event)
                if len(heard.deltas) >= 2:
                    started.set()

        task = asyncio.create_task(listen())
        waiting = asyncio.create_task(started.wait())
        try:
            await asyncio.wait({task, waiting}, timeout=self.turn_timeout_s, return_when=asyncio.FIRST_COMPLETED)
            assert not task.done(), "the answer to `slow` ended at once"
            assert started.is_set(), "no delta came"
            yield task, heard
        finally:
            waiting.cancel()
            task.cancel()
            await asyncio.wait({task})

    def assert_nothing_left(self, marker: str) -> None:
        if not self.keeps_warm:
            assert survivors(self.marker_variable, marker) == set()

    # ---- The promises

    def test_it_says_who_it_is(self, provider: Provider) -> None:
        assert re.fullmatch(r"[a-z][a-z0-9_-]*", provider.info.id)
        assert provider.info.name
        assert re.fullmatch(r"#[0-9A-F]{6}", provider.info.color)

    async def test_a_check_is_quick_and_starts_nothing(self, provider: Provider, marker: str) -> None:
        start = time.monotonic()
        availability = await provider.check()
        assert time.monotonic() - start < 5
        assert availability.available, availability.reason
        assert survivors(self.marker_variable, marker) == set()

    async def test_a_turn_streams_and_ends_with_finished(self, provider: Provider, workspace: Path) -> None:
        heard = await self.hear(provider, self.turn(workspace, self.something()))
        assert [isinstance(event, Finished) for event in heard.events] == [False] * (len(heard.events) - 1) + [True]
        assert heard.answer.strip()
        if self.streams:
            assert len(heard.deltas) > 1
            assert "" not in heard.deltas

    async def test_turns_of_a_session_follow_each_other(self, provider: Provider, workspace: Path) -> None:
        first = await self.hear(provider, self.turn(workspace, self.something()))
        second = await self.hear(provider, self.turn(workspace, self.something(), resume_token=first.resume_token))
        assert first.answer
        assert second.answer

    async def test_cancelling_ends_the_work_within_five_seconds(
        self, provider: Provider, workspace: Path, marker: str
    ) -> None:
        async with self.speaking(provider, self.turn(workspace, self.slow())) as (task, heard):
            start = time.monotonic()
            task.cancel()
            await asyncio.wait({task}, timeout=10)
            assert task.cancelled()
            assert time.monotonic() - start < 5
            self.assert_nothing_left(marker)
        assert not any(isinstance(event, Finished) for event in heard.events)

    async def test_the_next_turn_may_follow_a_cancelled_one_at_once(self, provider: Provider, workspace: Path) -> None:
        async with self.speaking(provider, self.turn(workspace, self.slow())) as (task, heard):
            task.cancel()
            await asyncio.wait({task}, timeout=10)
        token = heard.resume_token
        assert token is not None, "a turn that was cut off must be remembered"
        after = await self.hear(provider, self.turn(workspace, self.something(), resume_token=token))
        assert after.answer

    async def test_cancelling_before_anything_was_said_leaves_a_usable_provider(
        self, provider: Provider, workspace: Path, marker: str
    ) -> None:
        task = asyncio.create_task(self.hear(provider, self.turn(workspace, self.slow())))
        for _ in range(3):  # far enough to have begun, not far enough to have an answer
            await asyncio.sleep(0)
        start = time.monotonic()
        task.cancel()
        await asyncio.wait({task}, timeout=10)
        assert task.cancelled()
        assert time.monotonic() - start < 5
        self.assert_nothing_left(marker)
        assert (await self.hear(provider, self.turn(workspace, self.something()))).answer

    async def test_closing_the_stream_early_is_a_cancellation(
        self, provider: Provider, workspace: Path, marker: str
    ) -> None:
        events = provider.run(self.turn(workspace, self.slow()))
        assert isinstance(events, AsyncGenerator)
        async with asyncio.timeout(self.turn_timeout_s):
            async for event in events:
                if isinstance(event, TextDelta):
                    break
        start = time.monotonic()
        await events.aclose()
        assert time.monotonic() - start < 5
        self.assert_nothing_left(marker)
        assert (await self.hear(provider, self.turn(workspace, self.something()))).answer

    async def test_a_resume_token_outlives_the_provider(
        self, provider: Provider, workspace: Path, tmp_path: Path, marker: str
    ) -> None:
        taught = await self.hear(provider, self.turn(workspace, self.teach()))
        assert taught.resume_token is not None
        await provider.close()
        again = await self.make_provider(tmp_path, marker)
        try:
            heard = await self.hear(again, self.turn(workspace, self.recall(), resume_token=taught.resume_token))
        finally:
            await again.close()
        assert self.remembers(heard.answer, heard.resume_token)

    async def test_a_forgotten_session_begins_anew(self, provider: Provider, workspace: Path) -> None:
        taught = self.turn(workspace, self.teach())
        await self.hear(provider, taught)
        await provider.forget(taught.session)
        heard = await self.hear(provider, self.turn(workspace, self.recall()))
        assert not self.remembers(heard.answer, heard.resume_token)

    async def test_forgetting_an_unknown_session_does_nothing(self, provider: Provider) -> None:
        await provider.forget(SessionKey("contract", 99, None))

    async def test_two_sessions_run_at_the_same_time(self, provider: Provider, workspace: Path) -> None:
        heard = await asyncio.gather(
            *(self.hear(provider, self.turn(workspace, self.something(), session=number)) for number in (1, 2))
        )
        assert all(each.answer for each in heard)

    async def test_cancelling_one_session_leaves_the_other_alone(self, provider: Provider, workspace: Path) -> None:
        async with self.speaking(provider, self.turn(workspace, self.slow())) as (task, _):
            other = asyncio.create_task(self.hear(provider, self.turn(workspace, self.something(), session=2)))
            await asyncio.sleep(0)
            task.cancel()
            assert (await other).answer

    async def test_what_is_denied_does_not_run(self, provider: Provider, workspace: Path) -> None:
        path = workspace / "written-by-the-agent"
        message = self.write_file(path)
        if message is None:
            pytest.skip("this agent has no tools")
        approvals = Approvals("deny")
        await self.hear(provider, self.turn(workspace, message, approve=approvals))
        assert [request.read_only for request in approvals.requests[:1]] == [False]
        assert not path.exists()

    async def test_what_is_allowed_runs(self, provider: Provider, workspace: Path) -> None:
        path = workspace / "written-by-the-agent"
        message = self.write_file(path)
        if message is None:
            pytest.skip("this agent has no tools")
        approvals = Approvals("allow")
        heard = await self.hear(provider, self.turn(workspace, message, approve=approvals))
        assert len(approvals.requests) == 1, "a use is asked for once"
        assert path.exists() == self.writes
        uses = [event for event in heard.events if isinstance(event, ToolActivity)]
        if self.writes:
            assert [use.phase for use in uses] == ["start", "end"]
            assert uses[0].tool_id == uses[1].tool_id != ""
            assert not uses[1].is_error

    async def test_cancelling_while_an_approval_waits_gives_it_up(
        self, provider: Provider, workspace: Path, marker: str
    ) -> None:
        path = workspace / "written-by-the-agent"
        message = self.write_file(path)
        if message is None:
            pytest.skip("this agent has no tools")
        undecided = Undecided()
        task = asyncio.create_task(self.hear(provider, self.turn(workspace, message, approve=undecided)))
        async with asyncio.timeout(self.turn_timeout_s):
            await undecided.asked.wait()
        start = time.monotonic()
        task.cancel()
        await asyncio.wait({task}, timeout=10)
        assert task.cancelled()
        assert time.monotonic() - start < 5
        async with asyncio.timeout(5):
            await undecided.given_up.wait()
        assert not path.exists()
        self.assert_nothing_left(marker)
        assert (await self.hear(provider, self.turn(workspace, self.something()))).answer

    async def test_cancelling_ends_what_the_agent_started(
        self, provider: Provider, workspace: Path, marker: str
    ) -> None:
        message = self.spawn(60)
        if message is None:
            pytest.skip("this agent starts nothing")
        before = survivors(self.marker_variable, marker)
        task = asyncio.create_task(self.hear(provider, self.turn(workspace, message, approve=Approvals("allow"))))
        async with asyncio.timeout(self.turn_timeout_s):
            while not (started := self.sleepers(marker) - before):  # noqa: ASYNC110 - nobody tells of a process
                await asyncio.sleep(0.02)
        task.cancel()
        await asyncio.wait({task}, timeout=10)
        assert task.cancelled()
        assert not started & survivors(self.marker_variable, marker)

    def sleepers(self, marker: str) -> set[int]:
        """The pids of the marked processes that run `sleep`."""
        found = set()
        for pid in survivors(self.marker_variable, marker):
            try:
                command = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
            except OSError:
                continue
            if Path(command[0].decode(errors="replace")).name == "sleep":
                found.add(pid)
        return found

    async def test_a_picture_reaches_the_agent_as_one(self, provider: Provider, workspace: Path) -> None:
        if not self.attaches:
            pytest.skip("this agent takes no pictures")
        path = workspace / "dot.png"
        path.write_bytes(TINY_PNG)
        attachment = Attachment(path=path, mime="image/png", name="dot.png")
        turn = self.turn(workspace, self.something(), attachments=(attachment,))
        assert (await self.hear(provider, turn)).answer
        assert self.sees(attachment)

    async def test_an_attachment_that_is_gone_stops_nothing(self, provider: Provider, workspace: Path) -> None:
        gone = Attachment(path=workspace / "gone.png", mime="image/png", name="gone.png")
        assert (await self.hear(provider, self.turn(workspace, self.something(), attachments=(gone,)))).answer

    async def test_closing_leaves_no_process_and_may_be_repeated(
        self, provider: Provider, workspace: Path, marker: str
    ) -> None:
        await self.hear(provider, self.turn(workspace, self.something()))
        start = time.monotonic()
        await provider.close()
        assert time.monotonic() - start < 5
        assert survivors(self.marker_variable, marker) == set()
        assert provider.processes == 0
        await provider.close()

    async def test_closing_a_provider_that_never_ran_is_fine(self, provider: Provider) -> None:
        await provider.close()
