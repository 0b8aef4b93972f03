"""What `sygen serve` says on a terminal when the gateway is there."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

import typer

from sygen_bot.cli.link import links_of, missing_page
from sygen_bot.cli.qr_code import qr_code
from sygen_bot.cli.terminal import as_typed, command_line

if TYPE_CHECKING:
    from sygen_bot.config import Settings
    from sygen_bot.orchestrator.lifecycle import Gateway
    from sygen_bot.providers.registry import ProviderRegistry


def who_answers(registry: ProviderRegistry, settings: Settings) -> tuple[str | None, list[str]]:
    """Who answers, as people call it; or None, and why nobody does and what to do about it."""
    named = settings.agent.provider or settings.provider
    chosen = named or registry.best()
    if chosen is not None and registry.check_of(chosen).available:
        models = registry.check_of(chosen).models
        model = settings.agent.model or settings.model or (models[0] if models else None)
        name = registry.all()[chosen].info.name
        return f"{name} ({chosen}/{model})" if model and model != chosen else f"{name} ({chosen})", []
    candidates = [named] if named else list(registry.all())
    reasons = [
        as_typed(f"{registry.all()[provider].info.name}: {check.reason} {check.remedy}".strip())
        for provider in candidates
        if (check := registry.check_of(provider))
    ]
    return None, reasons or [f"No provider is installed. `{command_line('doctor')}` tells what there could be."]


def print_welcome(
    gateway: Gateway, settings: Settings, *, answers: str | None, advice: Sequence[str], warnings: Sequence[str]
) -> None:
    """The token, the key, the page and what to type next. Only for a terminal: it shows the token."""
    lines = [
        "",
        f"  answers   {typer.style(answers, bold=True)}"
        if answers
        else f"  answers   {typer.style('nobody can yet', fg='yellow', bold=True)}",
        *(f"            {line}" for line in advice),
        f"  token     {gateway.token}",
        f"  identity  {gateway.server_key}",
        *_page(gateway, settings),
        "",
        "  In another terminal:",
        *(f"    {typer.style(command_line(*words), fg='cyan')}" for words in (("chat",), ("ask", "hello"))),
    ]
    lines += ["", typer.style("  Ctrl-C stops the gateway.", dim=True), ""]
    for text in warnings:
        typer.echo(f"{typer.style('warning:', fg='yellow')} {text}", err=True)
    typer.echo("\n".join(lines))


def _page(gateway: Gateway, settings: Settings) -> list[str]:
    """Where to open the page: here, and on a phone, by a code that its camera reads."""
    if missing := missing_page(settings):
        return [f"  page      {missing}"]
    links = links_of(
        settings, url=gateway.url, host=settings.api.host, token=gateway.token, server_key=gateway.server_key
    )
    lines = [f"  page      {typer.style(links.here, fg='cyan')}"]
    if links.elsewhere is None:
        return [*lines, f"            {links.advice}"]
    if links.elsewhere != links.here:
        lines.append(f"  elsewhere {typer.style(links.elsewhere, fg='cyan')}")
    code = qr_code(links.elsewhere, sys.stdout)
    return lines if code is None else [*lines, "", code]
