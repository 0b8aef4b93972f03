"""The gateway's log: on stderr, readable on a terminal, one JSON object a line elsewhere, and without secrets."""

from __future__ import annotations

import logging
import os
import sys
from typing import Any, Final

import structlog

_SECRET: Final = frozenset({"token", "sealed", "authorization", "api_key", "password", "secret", "private_key"})
_HEAD: Final = ("timestamp", "level", "event")


def configure_logs(*, verbose: bool) -> None:
    """Send what the gateway and its libraries log to stderr. `verbose`: debug too, and what libraries say at info."""
    is_terminal = sys.stderr.isatty()
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="%H:%M:%S" if is_terminal else "iso", utc=not is_terminal),
        _without_secrets,
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.make_filtering_bound_logger(logging.DEBUG if verbose else logging.INFO),
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*shared, structlog.stdlib.ExtraAdder()],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                *_rendering(is_terminal=is_terminal),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(logging.INFO if verbose else logging.WARNING)
    logging.getLogger("sygen_bot").setLevel(logging.DEBUG if verbose else logging.INFO)


def _rendering(*, is_terminal: bool) -> list[Any]:
    if is_terminal:
        # The plain formatter: the colourful one prints local variables, tokens among them.
        return [
            structlog.dev.ConsoleRenderer(
                colors="NO_COLOR" not in os.environ,
                exception_formatter=structlog.dev.plain_traceback,
                pad_event_to=0,
            )
        ]
    return [structlog.processors.format_exc_info, _head_first, structlog.processors.JSONRenderer(ensure_ascii=False)]


def _head_first(_logger: object, _method: str, event: Any) -> Any:
    """When, how bad and what: before the details, for people who read the lines all the same."""
    return {name: event[name] for name in _HEAD if name in event} | event


def _without_secrets(_logger: object, _method: str, event: Any) -> Any:
    for name in _SECRET & event.keys():
        event[name] = "********"
    return event
