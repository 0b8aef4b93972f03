"""`sygen doctor`: looks at everything the gateway needs and says what to do about what is missing."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Final

import typer

from sygen_bot.cli.terminal import as_typed, clean

if TYPE_CHECKING:
    from sygen_bot.cli.checkup import Finding

_SIGNS: Final = {"ok": ("ok", "green"), "note": ("note", "yellow"), "broken": ("BROKEN", "red")}


def doctor(as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> None:
    """Check this installation. Exit code 1 if something is broken."""
    from sygen_bot.cli.checkup import examine

    findings = examine()
    if as_json:
        typer.echo(json.dumps([asdict(finding) for finding in findings], indent=2, ensure_ascii=False))
    else:
        _print(findings)
    if any(finding.state == "broken" for finding in findings):
        raise typer.Exit(1)


def _print(findings: list[Finding]) -> None:
    name_width = max(len(finding.name) for finding in findings)
    for finding in findings:
        sign, colour = _SIGNS[finding.state]
        start = (
            f"{typer.style(f'{sign:<6}', fg=colour, bold=finding.state == 'broken')}  {finding.name:<{name_width}}  "
        )
        typer.echo(start + clean(as_typed(finding.detail)))
        if finding.remedy:
            typer.echo(" " * (10 + name_width) + clean(as_typed(finding.remedy)))
    broken = sum(finding.state == "broken" for finding in findings)
    if sys.stdout.isatty():
        typer.echo()
    typer.echo(
        "Everything needed is there." if not broken else f"{broken} broken." if broken > 1 else "1 thing is broken."
    )
