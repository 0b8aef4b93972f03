"""The composition root: the only place that wires the gateway together, starts it and stops it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import time
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Final

import structlog
from tzlocal import get_localzone_name

from sygen_bot import __version__
from sygen_bot.agents.avatars import Avatars, sweep_avatars
from sygen_bot.agents.profiles import Agents, Profile
from sygen_bot.api.context import ApiContext, ApiLimits, Automation, FileContext, PageContext, TokenGate
from sygen_bot.api.crypto import encode_key, libsodium, public_key
from sygen_bot.api.protocol import CLOSE_POLICY, CLOSE_RESTART
from sygen_bot.api.server import ApiServer
from sygen_bot.automation.cron import Cron
from sygen_bot.automation.reports import reports
from sygen_bot.automation.runner import Runner
from sygen_bot.automation.tasks import Tasks
from sygen_bot.automation.webhooks import Webhooks
from sygen_bot.config import Settings
from sygen_bot.errors import SetupError
from sygen_bot.files.allowed_roots import AllowedRoots
from sygen_bot.files.images import ImageScaler
from sygen_bot.files.storage import UploadFolder
from sygen_bot.identity import load_identity
from sygen_bot.instance import bind, url_here
from sygen_bot.notifications.center import NotificationCenter
from sygen_bot.orchestrator.approvals import Approvals
from sygen_bot.orchestrator.chats import ChatSessions
from sygen_bot.orchestrator.core import AgentProfile, Orchestrator
from sygen_bot.orchestrator.freshness import Freshness
from sygen_bot.orchestrator.providers import build_providers
from sygen_bot.orchestrator.upkeep import keep_clean, keep_fresh
from sygen_bot.paths import Paths
from sygen_bot.providers.base import Provider
from sygen_bot.providers.guard import sweep
from sygen_bot.providers.registry import ProviderRegistry, Target
from sygen_bot.session.key import SessionKey
from sygen_bot.storage.approvals import ApprovalStore
from sygen_bot.storage.engine import Storage, open_storage
from sygen_bot.storage.history import ChatHistory, ChatSession
from sygen_bot.storage.hooks import HookStore
from sygen_bot.storage.jobs import JobStore
from sygen_bot.storage.notifications import NotificationStore
from sygen_bot.storage.runs import RunStore
from sygen_bot.storage.sessions import SessionStore
from sygen_bot.transcription.chain import Transcriber, TranscriptionOptions, sweep_recordings

_NEWEST_SESSIONS: Final = 20
_MOST_TURNS_TOLD_AGAIN: Final = 200
"""A client that has missed more turns than this reads the history instead."""
_log = structlog.get_logger(__name__)


class Gateway:
    """A running gateway."""

    def __init__(
        self,
        *,
        settings: Settings,
        orchestrator: Orchestrator,
        server: ApiServer,
        runner: Runner,
        transcriber: Transcriber,
        token: TokenGate,
        port: int,
        identity: bytes,
    ) -> None:
        self._settings = settings
        self._server = server
        self._runner = runner
        self._transcriber = transcriber
        self._token = token
        self.orchestrator = orchestrator
        self.port = port
        self.server_key = encode_key(public_key(identity))

    @property
    def url(self) -> str:
        """Where this machine reaches the gateway."""
        api = self._settings.api
        return url_here(api.host, self.port, has_tls=api.tls_cert is not None)

    @property
    def token(self) -> str:
        return self._token.token

    def replace_token(self, token: str) -> None:
        """From now on only `token` opens; every socket that came in with another one is closed."""
        if token != self._token.token:
            self._token.replace(token)
            self._server.close_connections(CLOSE_POLICY, "the token has changed")

    async def stop(self, code: int = CLOSE_RESTART) -> None:
        """Give the turns `api.drain_s` to end, stop the rest, and close every socket with `code`."""
        self._server.refuse_connections()
        self._runner.refuse()
        await self.orchestrator.drain(self._settings.api.drain_s)
        await self._runner.close()
        await self._transcriber.close()
        await self._server.stop(code)


@asynccontextmanager
async def running_gateway(
    settings: Settings, paths: Paths, *, token: str, providers: Iterable[Provider] | None = None
) -> AsyncIterator[Gateway]:
    """A gateway that serves until the block is left, and is stopped then. Raises SetupError, StorageError."""
    await asyncio.to_thread(_prepare, paths)
    listener = await asyncio.to_thread(bind, settings.api.host, settings.api.port)
    async with contextlib.AsyncExitStack() as stack:
        stack.callback(listener.close)
        storage = await open_storage(settings.storage.url or paths.database)
        stack.push_async_callback(storage.close)
        store, history = SessionStore(storage), ChatHistory(storage)
        accepted_before = await store.recover(max_age_s=settings.session.requeue_max_age_s)
        registry = ProviderRegistry(build_providers(settings, paths) if providers is None else providers)
        stack.push_async_callback(registry.close)
        await registry.refresh()
        refreshing = asyncio.create_task(keep_fresh(registry))
        stack.callback(refreshing.cancel)
        uploads = UploadFolder(paths.uploads)
        await asyncio.to_thread(uploads.remove_unfinished)
        await asyncio.to_thread(sweep_avatars, paths.avatars)

        async def newest(chat_id: int) -> list[ChatSession]:
            return await history.sessions(
                chat_id=chat_id, agent=None, include_archived=False, before=None, limit=_NEWEST_SESSIONS
            )

        center = NotificationCenter(NotificationStore(storage))
        await center.start()
        runs, jobs = RunStore(storage), JobStore(storage)
        approvals = Approvals(ApprovalStore(storage), timeout_s=settings.approvals.timeout_s)
        await approvals.start()
        stack.push_async_callback(approvals.close)

        async def start_task(prompt: str, title: str | None) -> str:
            return (await automation.tasks.create(prompt, title=title)).id

        orchestrator = Orchestrator(
            list_sessions=newest,
            reports=reports(notifications=center, runs=runs, jobs=jobs),
            start_task=start_task,
            registry=registry,
            store=store,
            agent=await asyncio.to_thread(_agent, settings, paths),
            approvals=approvals,
            queue_limit=settings.api.queue_limit,
            max_parallel_turns=settings.session.max_parallel_turns,
            max_answer_bytes=settings.session.max_answer_bytes,
            turn_timeouts_s={
                name: provider.turn_timeout_s
                for name, provider in settings.providers.items()
                if provider.turn_timeout_s
            },
        )
        runner = Runner(agents=orchestrator, store=runs, notifications=center, max_parallel=settings.tasks.max_parallel)
        automation = await asyncio.to_thread(
            _automation, settings, storage, runner=runner, registry=registry, notifications=center, jobs=jobs
        )
        transcriber = _transcriber(settings, paths)
        identity, gate = await asyncio.to_thread(load_identity, paths), TokenGate(token)
        await orchestrator.take_up(accepted_before)  # before the first client may send one of them again
        server = await start_api_server(
            settings,
            paths,
            orchestrator=orchestrator,
            history=history,
            transcriber=transcriber,
            notifications=center,
            approvals=approvals,
            automation=automation,
            identity=identity,
            token=gate,
            listener=listener,
        )
        gateway = Gateway(
            settings=settings,
            orchestrator=orchestrator,
            server=server,
            runner=runner,
            transcriber=transcriber,
            token=gate,
            port=listener.getsockname()[1],
            identity=identity,
        )
        stack.push_async_callback(gateway.stop)
        await runner.start()
        if automation.cron is not None:
            ticking = asyncio.create_task(automation.cron.run(), name="cron")
            stack.callback(ticking.cancel)
        cleaning = asyncio.create_task(keep_clean(settings, uploads, center, approvals, automation.webhooks))
        stack.callback(cleaning.cancel)
        yield gateway


def _prepare(paths: Paths) -> None:
    """The home, and nothing in it of a gateway that crashed. Raises SetupError."""
    libsodium()  # it is looked for among files, which is not to be in the midst of the first answer
    paths.prepare()
    sweep(paths.run_dir)
    sweep_recordings(paths.run_dir)


async def start_api_server(
    settings: Settings,
    paths: Paths,
    *,
    orchestrator: Orchestrator,
    history: ChatHistory,
    transcriber: Transcriber,
    notifications: NotificationCenter,
    approvals: Approvals,
    automation: Automation,
    identity: bytes,
    token: TokenGate,
    listener: socket.socket,
) -> ApiServer:
    """Wire the API to the orchestrator and serve it on a bound socket. Returns when connections are accepted."""
    started, api = time.monotonic(), settings.api

    def active(key: SessionKey) -> tuple[str | None, str | None]:
        session = orchestrator.loaded(key)
        target = None if session is None else orchestrator.target_of(session)
        if target is None:
            return None, None
        models = orchestrator.registry.check_of(target.provider).models
        return target.provider, target.model or (models[0] if models else None)

    def status() -> dict[str, object]:
        provider = settings.agent.provider or settings.provider or orchestrator.registry.best()
        models = () if provider is None else orchestrator.registry.check_of(provider).models
        return {
            "version": __version__,
            "uptime_s": round(time.monotonic() - started, 1),
            "connections": server.connections,
            "sessions": orchestrator.sessions_active,
            "turns_running": orchestrator.turns_running,
            "turns_queued": orchestrator.turns_queued,
            "max_parallel_turns": settings.session.max_parallel_turns,
            "processes": [
                {"provider": name, "count": provider.processes}
                for name, provider in orchestrator.registry.all().items()
                if provider.processes
            ],
            "approvals_pending": len(approvals.pending()),
            "provider": provider,
            "model": settings.agent.model or settings.model or next(iter(models), None),
        }

    pictures = ImageScaler(
        max_dimension=settings.image.max_dimension,
        output_format=settings.image.output_format,
        quality=settings.image.quality,
    )
    server = ApiServer(
        ApiContext(
            message_handler=orchestrator,
            past_events=partial(history.events, most_turns=_MOST_TURNS_TOLD_AGAIN),
            chats=ChatSessions(
                orchestrator=orchestrator,
                history=history,
                agents=list(settings.agents),
                default_chat_id=settings.default_chat_id,
            ),
            files=_files(settings, paths, pictures),
            transcriber=transcriber,
            notifications=notifications,
            approvals=approvals,
            automation=automation,
            agents=_agents(settings, paths, orchestrator.registry, pictures),
            providers=orchestrator.registry,
            active=active,
            status=status,
            limits=ApiLimits(
                max_frame_bytes=api.max_frame_bytes,
                send_timeout_s=api.send_timeout_s,
                auth_timeout_s=api.auth_timeout_s,
                max_connections=api.max_connections,
                max_unauthenticated=api.max_unauthenticated,
                max_unauthenticated_per_address=api.max_unauthenticated_per_address,
            ),
            identity=identity,
            token=token,
            default_chat_id=settings.default_chat_id,
            require_sealed=api.require_sealed,
            allowed_origins=api.allowed_origins,
            page=_page(settings),
        ),
        listener=listener,
        tls_cert=api.tls_cert,
        tls_key=api.tls_key,
    )
    await server.start()
    return server


def _files(settings: Settings, paths: Paths, pictures: ImageScaler) -> FileContext:
    roots = {"all": None, "home": (Path.home(),), "workspace": (paths.workspace,)}
    return FileContext(
        roots=AllowedRoots(
            roots=roots[settings.file_access],
            home=paths.home,
            workspace=paths.workspace,
            private=[key for key in (settings.api.tls_key,) if key is not None],
        ),
        uploads=UploadFolder(paths.uploads),
        pictures=pictures,
        workspace=settings.agent.workspace or paths.workspace,
        max_upload_bytes=settings.api.max_upload_bytes,
    )


def _page(settings: Settings) -> PageContext | None:
    web = settings.web
    return PageContext(directory=web.page, gateways=web.gateways) if web.enabled else None


def _automation(
    settings: Settings,
    storage: Storage,
    *,
    runner: Runner,
    registry: ProviderRegistry,
    notifications: NotificationCenter,
    jobs: JobStore,
) -> Automation:
    agents = list(settings.agents)
    cron = Cron(
        store=jobs,
        runner=runner,
        agents=agents,
        default_agent=settings.agent_name,
        default_timezone=settings.cron.timezone or get_localzone_name(),
    )
    webhooks = Webhooks(
        store=HookStore(storage),
        runner=runner,
        notifications=notifications,
        agents=agents,
        default_agent=settings.agent_name,
        default_chat_id=settings.default_chat_id,
        find_target=registry.named,
        rate_per_minute=settings.webhooks.rate_per_minute,
    )
    tasks = Tasks(runner=runner, agents=agents, default_agent=settings.agent_name, find_target=registry.named)
    return Automation(
        tasks=tasks,
        cron=cron if settings.cron.enabled else None,
        webhooks=webhooks if settings.webhooks.enabled else None,
        max_hook_bytes=settings.webhooks.max_body_bytes,
    )


def _agents(settings: Settings, paths: Paths, registry: ProviderRegistry, pictures: ImageScaler) -> Agents:
    return Agents(
        [
            Profile(
                name=name,
                title=agent.title if name == "main" or "title" in agent.model_fields_set else name,
                provider=agent.provider or settings.provider,
                model=agent.model or settings.model,
            )
            for name, agent in settings.agents.items()
        ],
        avatars=Avatars(
            paths.avatars,
            configured={
                name: agent.avatar.expanduser() for name, agent in settings.agents.items() if agent.avatar is not None
            },
            scaler=pictures,
        ),
        best=registry.best,
        models=lambda provider: registry.check_of(provider).models,
    )


def _transcriber(settings: Settings, paths: Paths) -> Transcriber:
    chosen = settings.transcription
    return Transcriber(options=TranscriptionOptions(**chosen.model_dump()), run_dir=paths.run_dir, environ=os.environ)


def _agent(settings: Settings, paths: Paths) -> AgentProfile:
    agent = settings.agent
    provider, model = agent.provider or settings.provider, agent.model or settings.model
    workspace = agent.workspace or paths.workspace
    try:
        workspace.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SetupError(
            f"The workspace {workspace} cannot be made: {error.strerror}", "Make it, or set `agents.main.workspace`."
        ) from error
    session = settings.session
    return AgentProfile(
        name=settings.agent_name,
        workspace=workspace,
        policy=agent.approval_policy,
        uploads=paths.uploads,
        private=paths.private,
        system_prompt=agent.system_prompt,
        default=None if provider is None else Target(provider, model),
        freshness=Freshness(
            idle_timeout_minutes=session.idle_timeout_minutes,
            max_messages=session.max_messages,
            daily_reset_hour=session.daily_reset_hour,
        ),
    )
