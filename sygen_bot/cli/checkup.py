"""The checks of `sygen doctor`. None of them changes anything, but that a database is opened as the gateway would."""

from __future__ import annotations

import asyncio
import itertools
import os
import shutil
import stat
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from sygen_bot.cli.connection import NoGateway, own_endpoint, started_instance
from sygen_bot.cli.link import missing_page
from sygen_bot.cli.network import exposure, find_tailscale
from sygen_bot.cli.terminal import command_line
from sygen_bot.errors import ConfigError, SetupError
from sygen_bot.paths import Paths

if TYPE_CHECKING:
    from sygen_bot.config import Settings
    from sygen_bot.instance import Instance
    from sygen_bot.providers.base import Availability, Provider

State = Literal["ok", "note", "broken"]

_ENOUGH_BYTES: Final = 500_000_000
_TOO_FEW_BYTES: Final = 50_000_000
_CHECK_S: Final = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What one check found. `remedy`: what to do about it, if there is something to do."""

    name: str
    state: State
    detail: str
    remedy: str = ""


def examine() -> list[Finding]:
    """Every check, in the order in which things are needed. What rests on something broken is left out."""
    paths = Paths.from_environment()
    findings = [_python(), *_home(paths)]
    if any(finding.state == "broken" for finding in findings):
        return findings
    settings, config_findings = _config(paths)
    findings += [*config_findings, _disk(paths)]
    if settings is None:
        return findings
    findings.append(asyncio.run(_database(paths)))
    instance, answering, gateway = _gateway(paths)
    providers = _providers(settings, paths, is_answered=answering is not None)
    findings += [*_port(settings, instance), _reach(settings), *_tls(settings, instance)]
    findings += [_page(settings), *providers, *_speech(settings, paths), gateway]
    return findings


def _python() -> Finding:
    version = ".".join(map(str, sys.version_info[:3]))
    return Finding(name="Python", state="ok", detail=f"{version} ({sys.executable})")


def _home(paths: Paths) -> Iterator[Finding]:
    home = paths.home
    if not home.exists():
        parent = next(folder for folder in home.parents if folder.exists())
        if parent.is_dir() and os.access(parent, os.W_OK | os.X_OK):
            yield Finding(name="home", state="ok", detail=f"{home} is not there yet; the first start makes it")
        else:
            yield Finding(
                name="home",
                state="broken",
                detail=f"{home} cannot be made: {parent} is {'not writable' if parent.is_dir() else 'no folder'}",
                remedy="Make it writable, or name another home with SYGEN_HOME.",
            )
        return
    try:
        paths.prepare()
        with tempfile.TemporaryFile(dir=home):
            pass
    except SetupError as error:
        yield Finding(name="home", state="broken", detail=error.what, remedy=error.remedy)
        return
    except OSError as error:
        yield Finding(
            name="home",
            state="broken",
            detail=f"{home}: {error.strerror}",
            remedy="Make it writable, or name another home with SYGEN_HOME.",
        )
        return
    yield Finding(name="home", state="ok", detail=str(home))
    for file in (paths.config_file, paths.identity_key, paths.database):
        if file.exists() and stat.S_IMODE(file.stat().st_mode) & 0o077:
            yield Finding(
                name="modes", state="note", detail=f"{file} is open to other users", remedy=f"chmod 600 {file}"
            )


def _config(paths: Paths) -> tuple[Settings | None, list[Finding]]:
    from sygen_bot.config import load_settings

    try:
        settings = load_settings(paths, create=False)
    except ConfigError as error:
        return None, [
            Finding(
                name="config",
                state="broken",
                detail=str(problem),
                remedy=f"Correct {paths.config_file}, or the SYGEN_ variable.",
            )
            for problem in error.problems
        ]
    except SetupError as error:
        return None, [Finding(name="config", state="broken", detail=error.what, remedy=error.remedy)]
    where = str(paths.config_file) if paths.config_file.exists() else "defaults; the first start writes the file"
    return settings, [Finding(name="config", state="ok", detail=where)]


def _disk(paths: Paths) -> Finding:
    folder = next(folder for folder in (paths.home, *paths.home.parents) if folder.exists())
    free = shutil.disk_usage(folder).free
    detail = f"{free / 1e9:.1f} GB free"
    if free >= _ENOUGH_BYTES:
        return Finding(name="disk", state="ok", detail=detail)
    state: State = "broken" if free < _TOO_FEW_BYTES else "note"
    return Finding(name="disk", state=state, detail=detail, remedy=f"Make room on the disk of {folder}.")


async def _database(paths: Paths) -> Finding:
    if not paths.database.exists():
        return Finding(name="database", state="ok", detail="not there yet; the first start makes it")
    from sygen_bot.storage.engine import open_storage

    try:
        storage = await open_storage(paths.database)
    except SetupError as error:
        return Finding(name="database", state="broken", detail=error.what, remedy=error.remedy)
    await storage.close()
    return Finding(name="database", state="ok", detail=f"{paths.database} opens")


def _gateway(paths: Paths) -> tuple[Instance | None, str | None, Finding]:
    """The gateway that runs here, the provider that answers in it, and what is to be said about it."""
    from sygen_bot.cli.status import StatusUnknown, read_status

    try:
        instance = started_instance(paths)
        if instance is None:
            remedy = f"`{command_line('serve')}` starts it."
            return None, None, Finding(name="gateway", state="note", detail="does not run", remedy=remedy)
        facts = read_status(own_endpoint(paths, instance))
    except (NoGateway, StatusUnknown) as error:
        return None, None, Finding(name="gateway", state="broken", detail=str(error), remedy="Restart it.")
    detail = f"answers at {instance.url} (pid {instance.pid}, version {facts.get('version')})"
    return instance, facts.get("provider"), Finding(name="gateway", state="ok", detail=detail)


def _port(settings: Settings, instance: Instance | None) -> Iterator[Finding]:
    from sygen_bot.instance import bind

    if instance is not None:
        return  # it has its port
    try:
        bind(settings.api.host, settings.api.port).close()
    except SetupError as error:
        yield Finding(name="port", state="broken", detail=error.what, remedy=error.remedy)
    else:
        yield Finding(name="port", state="ok", detail=f"{settings.api.host}:{settings.api.port} is free")


def _reach(settings: Settings) -> Finding:
    tailscale = find_tailscale()
    warning = exposure(settings.api.host, allow_public=settings.api.allow_public)
    if warning is not None:
        return Finding(
            name="reach",
            state="note",
            detail=f"{settings.api.host}: other machines reach it, and no Tailscale is found here",
            remedy=f"`{command_line('config', 'set', 'api.host', '127.0.0.1')}` keeps it to this machine; "
            f"`{command_line('config', 'set', 'api.allow_public', 'true')}` if it is meant.",
        )
    return Finding(name="reach", state="ok", detail=f"{settings.api.host}; Tailscale: {tailscale or 'not found'}")


def _page(settings: Settings) -> Finding:
    missing = missing_page(settings)
    return Finding(name="page", state="note" if missing else "ok", detail=missing or str(settings.web.page))


def _tls(settings: Settings, instance: Instance | None) -> Iterator[Finding]:
    from sygen_bot.cli.preflight import tls_problems

    problems = tls_problems(settings)
    used = (instance and instance.tls_cert) or settings.api.tls_cert
    for problem in problems:
        yield Finding(name="TLS", state="broken", detail=str(problem))
    if not problems:
        detail = str(used) if used else "not used; frames are encrypted end to end all the same"
        yield Finding(name="TLS", state="ok", detail=detail)


def _providers(settings: Settings, paths: Paths, *, is_answered: bool) -> Iterator[Finding]:
    from sygen_bot.cli.preflight import target_problems
    from sygen_bot.orchestrator.providers import build_providers

    providers = build_providers(settings, paths)
    for problem in target_problems(settings, providers):
        yield Finding(name="provider", state="broken", detail=str(problem))
    checks = asyncio.run(_checked(providers))
    named = settings.agent.provider or settings.provider
    can_answer = any(check.available for _, check in checks)
    for provider, check in checks:
        name = provider.info.id
        if check.available:
            models = f": {', '.join(check.models)}" if check.models else ""
            yield Finding(name=name, state="ok", detail=f"{provider.info.name}{models}")
        else:
            yield Finding(
                name=name,
                state="broken" if name == named else "note",
                detail=f"{provider.info.name} cannot run. {check.reason}".strip(),
                remedy=check.remedy,
            )
    if not can_answer and named is None and not is_answered:  # a running gateway may have its provider from a flag
        remedy = "Set up one of the providers above." if providers else "Install a provider."
        yield Finding(name="provider", state="broken", detail="nobody can answer", remedy=remedy)


async def _checked(providers: list[Provider]) -> list[tuple[Provider, Availability]]:
    async def check(provider: Provider) -> Availability:
        from sygen_bot.providers.base import Availability

        try:
            async with asyncio.timeout(_CHECK_S):
                return await provider.check()
        except TimeoutError:
            return Availability(available=False, reason=f"Its check took over {_CHECK_S:g} s.")

    checks = await asyncio.gather(*(check(provider) for provider in providers))
    await asyncio.gather(*(provider.close() for provider in providers))
    return list(zip(providers, checks, strict=True))


def _speech(settings: Settings, paths: Paths) -> Iterator[Finding]:
    """The engines that turn speech into text, in the order in which they are tried."""
    from sygen_bot.transcription.chain import Transcriber, TranscriptionOptions

    options = TranscriptionOptions(**settings.transcription.model_dump())
    engines = Transcriber(options=options, run_dir=paths.run_dir, environ=os.environ).engines()
    tried = itertools.count(1)
    for engine in engines:
        if engine.is_ready:
            yield Finding(name="speech", state="ok", detail=f"{next(tried)}. {engine.name}: {engine.detail}")
    for engine in engines:
        if not engine.is_ready and engine.is_configured:
            detail = f"{engine.name}: {engine.detail}"
            yield Finding(name="speech", state="broken", detail=detail, remedy=engine.remedy)
    if not any(engine.is_ready for engine in engines):
        remedy = "`pip install 'sygen-bot[whisper]'`, or see docs/config.md, Speech."
        yield Finding(name="speech", state="note", detail="no engine, so voices are not understood", remedy=remedy)
