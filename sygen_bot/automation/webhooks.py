"""Webhooks: others say over HTTP that something happened, and an agent is told. What comes is proved, bounded, and run once."""

from __future__ import annotations

import asyncio
import hashlib
import json
import math
import secrets
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, Protocol, TypedDict, Unpack

import structlog

from sygen_bot.automation import signatures
from sygen_bot.automation.runner import new_id, own_session
from sygen_bot.errors import BadRequest, Conflict, NotFound, RequestError
from sygen_bot.providers.registry import Target
from sygen_bot.session.key import SessionKey, is_valid_id
from sygen_bot.session.text import one_line, speakable
from sygen_bot.storage.hooks import Delivery, Hook, HookAuth, HookMode, HookStore
from sygen_bot.storage.notifications import Notification
from sygen_bot.storage.runs import Run, Source

MAX_TITLE_CHARS: Final = 200
LEAST_SECRET_CHARS: Final = 16
MOST_SECRET_CHARS: Final = 512

_log = structlog.get_logger(__name__)


class Runner(Protocol):
    """Runs what is kept already, see `sygen_bot.automation.runner`."""

    def take(self, run: Run) -> None: ...
    async def listed(
        self, *, source: Source | None, source_id: str | None, before: str | None, limit: int
    ) -> list[Run]: ...


class Teller(Protocol):
    """Keeps a notification and tells it, see `sygen_bot.notifications.center`."""

    async def add(self, notification: Notification) -> None: ...


class HookWrong(RequestError):
    """A hook cannot be like that."""

    code = "invalid"
    sentence = "The webhook is wrong."


class NotProved(RequestError):
    """Whoever sent this has not the secret of a hook that takes deliveries. It does not say whether there is such a hook."""

    code = "unauthorized"
    sentence = "There is no such webhook, or this is not signed with its secret."


class TooOften(RequestError):
    """More came than the hook takes. `retry_after_s`: in how many seconds it takes the next."""

    code = "rate_limited"
    sentence = "This webhook is called too often."

    def __init__(self, retry_after_s: int) -> None:
        super().__init__()
        self.retry_after_s = retry_after_s


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """What a sender is told: its delivery has this run. `is_duplicate`: it had it before."""

    delivery_id: str
    run_id: str
    is_duplicate: bool


class HookChange(TypedDict, total=False):
    """What of a hook is to be different."""

    title: str
    mode: HookMode
    template: str
    agent: str
    provider: str | None
    model: str | None
    chat_id: int | None
    channel_id: int | None
    is_enabled: bool


class Webhooks:
    """The webhooks of this gateway. Every method that waits raises StorageError, and NotFound for the id of no hook.

    `agents`: the names that a hook may ask. `rate_per_minute`: how many deliveries each hook takes. `clock`: epoch seconds.
    `find_target`: who a provider and a model name, either of them None for any; None for nobody known.
    """

    def __init__(
        self,
        *,
        store: HookStore,
        runner: Runner,
        notifications: Teller,
        agents: Collection[str],
        default_agent: str,
        default_chat_id: int,
        rate_per_minute: int,
        find_target: Callable[[str | None, str | None], Target | None],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._store = store
        self._runner = runner
        self._notifications = notifications
        self._agents = agents
        self._default_agent = default_agent
        self._default_chat_id = default_chat_id
        self._find_target = find_target
        self._taken = _Rate(rate_per_minute, clock)
        self._noted = _Rate(rate_per_minute, clock)
        self._clock = clock
        self._changing = asyncio.Lock()
        self._broken: set[tuple[str, float]] = set()
        """Hooks, each as of its last change, whose template failed: that is told once."""

    # --- for their owner ----------------------------------------------------------------------------------------------

    async def create(
        self,
        *,
        title: str,
        template: str,
        auth: HookAuth = "bearer",
        secret: str | None = None,
        **rest: Unpack[_NewHook],
    ) -> tuple[Hook, str]:
        """A new hook and its secret, made if none is given, which is never shown again. Raises RequestError for what cannot be."""
        secret = _checked_secret(secret)
        now = self._clock()
        hook = Hook(
            id=new_id(),
            title=title,
            mode=rest.get("mode", "task"),
            template=template,
            auth=auth,
            secret=signatures.kept_secret(auth, secret),
            agent=rest.get("agent") or self._default_agent,
            provider=rest.get("provider"),
            model=rest.get("model"),
            chat_id=rest.get("chat_id"),
            channel_id=rest.get("channel_id"),
            is_enabled=rest.get("is_enabled", True),
            created_at=now,
            updated_at=now,
        )
        hook = await self._checked(hook)
        await self._store.add(hook)
        return hook, secret

    async def get(self, hook_id: str) -> Hook:
        hook = await self._store.get(hook_id)
        if hook is None:
            raise NotFound
        return hook

    async def listed(self) -> list[Hook]:
        """All of them, oldest first."""
        return await self._store.listed()

    async def update(self, hook_id: str, **change: Unpack[HookChange]) -> Hook:
        """The hook as it is from now on. Raises RequestError for what cannot be."""
        if change.get("mode") == "task":
            change = {"chat_id": None, "channel_id": None, **change}
        async with self._changing:
            before = await self.get(hook_id)
            hook = await self._checked(replace(before, **change, updated_at=self._clock()))
            if not await self._store.update(hook):
                raise NotFound
        return hook

    async def rotate_secret(self, hook_id: str, secret: str | None = None) -> str:
        """From now on only this secret, or a new one, is right. It is never shown again."""
        secret = _checked_secret(secret)
        async with self._changing:
            hook = await self.get(hook_id)
            kept = signatures.kept_secret(hook.auth, secret)
            if not await self._store.update(replace(hook, secret=kept, updated_at=self._clock())):
                raise NotFound
        return secret

    async def remove(self, hook_id: str) -> None:
        if not await self._store.remove(hook_id):
            raise NotFound
        for rate in (self._taken, self._noted):
            rate.forget(hook_id)

    async def delivered(self, hook_id: str, *, limit: int) -> list[Delivery]:
        """What came, newest first."""
        await self.get(hook_id)
        return await self._store.delivered(hook_id, limit=limit)

    async def runs(self, hook_id: str, *, before: str | None, limit: int) -> list[Run]:
        """Its newest runs; `before`: those that came before that one."""
        await self.get(hook_id)
        return await self._runner.listed(source="webhook", source_id=hook_id, before=before, limit=limit)

    async def test(self, hook_id: str, payload: Mapping[str, Any] | None = None) -> Receipt:
        """Deliver a sample as its sender would, signed with the secret. Raises as `receive` does; Conflict for a hook that is off.

        Of a bearer hook there is only the digest of its token: its sample is taken as if the token had been right.
        """
        hook = await self.get(hook_id)
        if not hook.is_enabled:
            raise Conflict("This webhook is switched off.")
        name = f"test-{new_id()}"
        sample = _sample(hook, name) if payload is None else dict(payload)
        if hook.auth == "stripe":
            sample["id"] = name
        body = json.dumps(sample).encode()
        if hook.auth == "bearer":
            return await self._receive_proved(hook, name, {}, body)
        headers = signatures.sign(hook.auth, hook.secret, body, now=self._clock(), delivery_id=name)
        return await self.receive(hook_id, headers, body)

    async def forget(self, *, before: float) -> int:
        """Remove what is known of deliveries from before that moment, in epoch seconds. Returns how many. Their runs stay."""
        return await self._store.forget(before=before)

    # --- for senders --------------------------------------------------------------------------------------------------

    async def receive(self, hook_id: str, headers: Mapping[str, str], body: bytes) -> Receipt:
        """Take a delivery: when this returns its run is kept, and runs. `headers` by lower-case name.

        Raises NotProved, with the same words and the same work whether there is such a hook or not; TooOften; BadRequest for what
        is no JSON object; TemplateWrong. What is refused after the signature is kept with the reason, so that strangers fill nothing.
        """
        now = self._clock()
        hook = await self._store.get(hook_id)
        if hook is None or not hook.is_enabled:
            signatures.verify_nothing(headers, body, now=now)
            _log.warning("hook_refused", hook=_named(hook_id), reason="unknown" if hook is None else "switched off")
            raise NotProved
        if not signatures.verify(hook.auth, hook.secret, headers, body, now=now):
            _log.warning("hook_refused", hook=hook.id, reason="not signed with its secret, or too long ago")
            raise NotProved
        return await self._receive_proved(hook, None, headers, body)

    async def _receive_proved(
        self, hook: Hook, delivery_id: str | None, headers: Mapping[str, str], body: bytes
    ) -> Receipt:
        now = self._clock()
        name = delivery_id or signatures.delivery_id(hook.auth, headers, None) or new_id()
        try:
            self._taken.spend(hook.id)
            payload = await asyncio.to_thread(_parse, body)
            name = delivery_id or signatures.delivery_id(hook.auth, headers, payload) or name
            prompt = await asyncio.to_thread(_prompt, hook, payload)
        except RequestError as refused:
            await self._refuse(hook, name, refused, now)
            raise
        run = Run(
            id=_run_id(hook.id, name),
            source="webhook",
            source_id=hook.id,
            title=hook.title,
            prompt=prompt,
            key=self._key(hook),
            agent=hook.agent,
            provider=hook.provider,
            model=hook.model,
            created_at=now,
        )
        kept = await self._store.deliver(hook.id, name, received_at=now, outcome=run)
        if kept is None:  # it was removed in between
            raise NotProved
        delivery, is_new = kept
        if is_new:
            self._runner.take(run)
        return Receipt(delivery_id=delivery.delivery_id, run_id=delivery.run_id or run.id, is_duplicate=not is_new)

    async def _refuse(self, hook: Hook, name: str, refused: RequestError, now: float) -> None:
        """Keep why there is no run, not more often than the hook may be called. The owner is told of a template that fails."""
        _log.warning("hook_refused", hook=hook.id, delivery=name, reason=str(refused))
        try:
            self._noted.spend(hook.id)
        except TooOften:
            return
        await self._store.deliver(hook.id, name, received_at=now, outcome=str(refused))
        version = (hook.id, hook.updated_at)
        if isinstance(refused, BadRequest | TooOften) or version in self._broken:
            return
        self._broken.add(version)
        await self._notifications.add(
            Notification(
                id=f"hook-{new_id()}",
                type="webhook",
                title=f"{hook.title} could not be run",
                body=f"{refused} What is delivered to this webhook is refused as long as it cannot be filled in.",
                agent=hook.agent,
                status="failed",
                source_id=hook.id,
                severity="critical",
                chat_id=hook.chat_id,
                channel_id=hook.channel_id,
                session_id=None,
                created_at=now,
            )
        )

    def _key(self, hook: Hook) -> SessionKey:
        if hook.mode == "task":
            return own_session()
        return SessionKey("api", hook.chat_id or self._default_chat_id, hook.channel_id)

    async def _checked(self, hook: Hook) -> Hook:
        """The hook, its texts fit to be kept. Raises RequestError for what cannot be."""
        title = one_line(hook.title)
        if not title or len(title) > MAX_TITLE_CHARS:
            raise HookWrong(f"The title has to have 1 to {MAX_TITLE_CHARS} characters.")
        if hook.agent not in self._agents:
            raise HookWrong(f"There is no agent {_quoted(hook.agent)}.")
        if hook.mode == "task" and (hook.chat_id is not None or hook.channel_id is not None):
            raise HookWrong("A webhook of mode task runs in a session of its own: it has no chat and no channel.")
        if not all(one is None or is_valid_id(one) for one in (hook.chat_id, hook.channel_id)):
            raise HookWrong("Chats and channels are numbers from 1 to 2^53-1.")
        if hook.provider is not None or hook.model is not None:
            target = self._find_target(hook.provider, hook.model)
            if target is None:
                raise HookWrong(f"There is no provider or model {_quoted(hook.provider or hook.model or '')}.")
            hook = replace(hook, provider=target.provider, model=target.model)
        await asyncio.to_thread(_check_template, hook.template)
        chat_id = (hook.chat_id or self._default_chat_id) if hook.mode == "chat" else None
        return replace(hook, title=title, template=speakable(hook.template), chat_id=chat_id)


class _NewHook(TypedDict, total=False):
    mode: HookMode
    agent: str | None
    provider: str | None
    model: str | None
    chat_id: int | None
    channel_id: int | None
    is_enabled: bool


class _Rate:
    """A bucket for each hook that fills up evenly: as many at once as come in a minute."""

    def __init__(self, per_minute: int, clock: Callable[[], float]) -> None:
        self._size = float(per_minute)
        self._clock = clock
        self._buckets: dict[str, tuple[float, float]] = {}

    def spend(self, hook_id: str) -> None:
        """Raises TooOften."""
        now = self._clock()
        left, since = self._buckets.get(hook_id, (self._size, now))
        left = min(self._size, left + max(now - since, 0.0) * self._size / 60)  # a clock that is set back gives nothing
        if left < 1 - 1e-6:  # the rounding of a refill
            self._buckets[hook_id] = left, now
            raise TooOften(max(math.ceil((1 - left) * 60 / self._size), 1))
        self._buckets[hook_id] = left - 1, now

    def forget(self, hook_id: str) -> None:
        self._buckets.pop(hook_id, None)


# Jinja costs start-up time: it is loaded when the first hook needs it.


def _parse(body: bytes) -> dict[str, Any]:
    from sygen_bot.automation.templates import parse_payload

    return parse_payload(body)


def _prompt(hook: Hook, payload: dict[str, Any]) -> str:
    from sygen_bot.automation.templates import prompt

    return prompt(hook.template, payload, hook={"id": hook.id, "title": hook.title})


def _check_template(source: str) -> None:
    from sygen_bot.automation.templates import check_template

    check_template(source)


def _quoted(name: str) -> str:
    return json.dumps(one_line(name)[:80], ensure_ascii=False)


def _checked_secret(secret: str | None) -> str:
    """A secret: the given one, or 256 random bits. Raises HookWrong for a short one."""
    if secret is None:
        return secrets.token_urlsafe(32)
    if not LEAST_SECRET_CHARS <= len(secret) <= MOST_SECRET_CHARS or secret != one_line(secret):
        raise HookWrong(f"A secret has {LEAST_SECRET_CHARS} to {MOST_SECRET_CHARS} characters in one line.")
    return secret


def _run_id(hook_id: str, delivery_id: str) -> str:
    """The same for the same delivery: so it is run once."""
    return "hook-" + hashlib.sha256(f"{hook_id}\n{delivery_id}".encode()).hexdigest()[:32]


def _sample(hook: Hook, name: str) -> dict[str, Any]:
    """Something like what such a sender sends."""
    samples: dict[HookAuth, dict[str, Any]] = {
        "bearer": {"event": "test", "text": "This is a sample."},
        "github": {
            "zen": "Keep it logically awesome.",
            "action": "test",
            "repository": {"full_name": "octocat/sample"},
        },
        "stripe": {"id": name, "object": "event", "type": "test.sample", "data": {"object": {}}},
    }
    return samples[hook.auth]


def _named(hook_id: str) -> str:
    """What a stranger called a hook, for the log."""
    return one_line(hook_id)[:40]
