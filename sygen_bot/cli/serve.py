"""`sygen serve`: runs the gateway until it is told to stop."""

from __future__ import annotations

import contextlib
import gc
import sys
from pathlib import Path
from typing import Annotated, Final

import typer

from sygen_bot.cli.terminal import program

EPILOG: Final = (
    "Prints one line, `listening on URL`, when it accepts connections. SIGTERM or Ctrl-C stops it: turns that run get "
    "api.drain_s seconds to end; a second one stops it at once. A closed terminal stops it, too; "
    "without a terminal SIGHUP, and SIGUSR1 always, makes it read its token again. "
    "Exit codes: 0 stopped; 1 it could not run; 2 the configuration is wrong, one line on stderr for each problem."
)

_SWITCH_S: Final = 0.0001
_DONE_WITHOUT: Final = ("rich", "pydantic.v1")
"""What libraries of the gateway load if they can, and nothing here uses: 70 ms of a start, and 9 MiB.

structlog would draw tracebacks with rich, FastAPI asks of every model whether it is one of Pydantic's first version.
"""


def serve(
    host: Annotated[str | None, typer.Option(metavar="ADDRESS", help="Bind address (config: api.host).")] = None,
    port: Annotated[
        int | None, typer.Option(metavar="PORT", help="Port (config: api.port); 0 takes a free one.")
    ] = None,
    provider: Annotated[
        str | None, typer.Option(metavar="NAME", help=f"Who answers; `{program()} doctor` lists who can.")
    ] = None,
    model: Annotated[str | None, typer.Option(metavar="NAME", help="Which of its models.")] = None,
    tls_cert: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Serve HTTPS with this certificate (PEM, with its chain).")
    ] = None,
    tls_key: Annotated[Path | None, typer.Option(metavar="FILE", help="The key of the certificate (PEM).")] = None,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Log more.")] = False,
) -> None:
    """Run the gateway."""
    given = {
        "api.host": host,
        "api.port": port,
        "provider": provider,
        "model": model,
        "api.tls_cert": tls_cert,
        "api.tls_key": tls_key,
    }
    gc.disable()  # until the gateway is up: nothing made by then is thrown away, and looking for it takes time
    try:
        _run({key: value for key, value in given.items() if value is not None}, verbose=verbose)
    finally:
        gc.enable()


def _run(overrides: dict[str, object], *, verbose: bool) -> None:
    for name in _DONE_WITHOUT:
        sys.modules.setdefault(name, None)  # type: ignore[arg-type]  # None: importing it fails as if it were not installed

    import asyncio

    import uvloop

    from sygen_bot.cli.logs import configure_logs
    from sygen_bot.cli.serving import serve_until_stopped

    configure_logs(verbose=verbose)
    # The database works in threads. On a busy loop each of its statements would wait this long for its turn.
    sys.setswitchinterval(_SWITCH_S)
    with contextlib.suppress(asyncio.CancelledError), asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(serve_until_stopped(overrides))  # cancelled: the second signal
