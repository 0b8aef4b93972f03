"""The life of a served gateway: checked, started, announced, and stopped by a signal."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import sys
from collections.abc import Callable
from typing import Final

import structlog
import typer

from sygen_bot.cli.link import missing_page
from sygen_bot.cli.network import exposure
from sygen_bot.cli.preflight import target_problems, tls_problems
from sygen_bot.cli.terminal import command_line
from sygen_bot.cli.welcome import print_welcome, who_answers
from sygen_bot.config import Settings, ensure_token, load_settings
from sygen_bot.errors import ConfigError, SygenError
from sygen_bot.instance import InstanceLock
from sygen_bot.orchestrator.lifecycle import Gateway, running_gateway
from sygen_bot.orchestrator.providers import build_providers
from sygen_bot.paths import Paths

_HARD_STOP_S: Final = 3.0
_COLLECT_AFTER: Final = (5_000, 20, 50)
"""Of `gc.set_threshold`: what connections and turns are made of stays, and was looked through too often (CPython's own are 700, 10, 10)."""
_log = structlog.get_logger(__name__)


async def serve_until_stopped(overrides: dict[str, object]) -> None:
    """Until a signal. Raises ConfigError, SetupError, StorageError."""
    paths = Paths.from_environment()
    paths.prepare()
    settings = load_settings(paths, overrides=overrides)
    providers = build_providers(settings, paths)
    if problems := [*tls_problems(settings), *target_problems(settings, providers)]:
        raise ConfigError(*problems)
    token = settings.api.token.get_secret_value() or ensure_token(paths)

    gateway: Gateway | None = None

    one_at_a_time = asyncio.Lock()  # what was read last is newest
    reading: set[asyncio.Task[None]] = set()

    async def read_token_again() -> None:
        async with one_at_a_time:
            try:
                new = (await asyncio.to_thread(load_settings, paths)).api.token.get_secret_value()
            except SygenError as error:
                _log.warning("token_not_read", reason=str(error))
                return
            if gateway is not None and new and new != gateway.token:
                gateway.replace_token(new)
                _log.info("token_replaced", note="all connections were closed")

    def told_to_read() -> None:
        if gateway is None:
            return  # it is read after the start
        task = asyncio.create_task(read_token_again(), name="read the token again")
        reading.add(task)
        task.add_done_callback(reading.discard)

    stop = _stop_on_signals(lambda: 0 if gateway is None else gateway.orchestrator.turns_running, settings)
    _on_hangup(stop, told_to_read)
    asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, told_to_read)
    with InstanceLock(paths) as lock:
        async with running_gateway(settings, paths, token=token, providers=providers) as gateway:
            await read_token_again()
            certificate = settings.api.tls_cert
            gc.freeze()  # what is there by now stays; looking through all of it again would stall the loop for 50 ms
            gc.set_threshold(*_COLLECT_AFTER)
            gc.enable()
            lock.publish(
                url=gateway.url,
                host=settings.api.host,
                tls_cert=None if certificate is None else str(certificate.absolute()),
            )
            _announce(gateway, settings)
            await stop.wait()


def _stop_on_signals(turns_running: Callable[[], int], settings: Settings) -> asyncio.Event:
    """Set at the first SIGINT or SIGTERM. The second one cancels this task, and if that hangs ends the process."""
    loop, stop, serving = asyncio.get_running_loop(), asyncio.Event(), asyncio.current_task()

    def told_to_stop() -> None:
        if not stop.is_set():
            stop.set()
            if turns := turns_running():
                _say_stopping(turns, settings.api.drain_s)
        elif serving is not None:
            serving.cancel()
            loop.call_later(_HARD_STOP_S, os._exit, 1)  # what agents started ends with us, by their guard

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, told_to_stop)
    return stop


def _on_hangup(stop: asyncio.Event, read_token_again: Callable[[], None]) -> None:
    """The terminal has been closed: stop. Without one it means what it means for daemons: look at the configuration again."""
    if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:  # nohup: that is to be kept
        return
    act = stop.set if sys.stdin.isatty() else read_token_again
    asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, act)


def _say_stopping(turns: int, drain_s: float) -> None:
    if sys.stderr.isatty():
        what = "1 running turn" if turns == 1 else f"{turns} running turns"
        typer.echo(f"Stopping. {what} may take up to {drain_s:g} s to end; once more stops at once.", err=True)
    else:
        _log.info("stopping", turns_running=turns, drain_s=drain_s)


# --- what it says when it is there --------------------------------------------------------------------------------------


def _announce(gateway: Gateway, settings: Settings) -> None:
    typer.echo(f"listening on {gateway.url}")
    sys.stdout.flush()
    answers, advice = who_answers(gateway.orchestrator.registry, settings)
    warnings = _warnings(settings)
    if sys.stdout.isatty():
        print_welcome(gateway, settings, answers=answers, advice=advice, warnings=[*warnings.values()])
        return
    for event, text in warnings.items():
        _log.warning(event, advice=text)
    _log.info(
        "ready",
        url=gateway.url,
        answers=answers or "nobody",
        hint=f"`{command_line('api', 'token', '--show')}` tells the token",
    )
    for text in advice:
        _log.warning("cannot_answer", reason=text)
    if missing := missing_page(settings):
        _log.info("no_page", advice=missing)


def _warnings(settings: Settings) -> dict[str, str]:
    """What to be aware of, by the name of its event in the log."""
    warnings = {}
    if text := exposure(settings.api.host, allow_public=settings.api.allow_public):
        warnings["exposed"] = text
    if settings.agent.approval_policy == "allow_all":
        warnings["everything_allowed"] = (
            "the agent may use every tool without being asked (agents.main.approval_policy is allow_all)"
        )
    return warnings
