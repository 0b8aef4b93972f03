"""What may not be done on an event loop, and the few places where it may."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from blockbuster import BlockBuster, BlockBusterFunction

_PACKAGE: Final = "sygen_bot"
_APART: Final = (
    "sygen_bot.cli",  # a command's loop serves nobody else; that of `sygen serve` runs in a process of its own
    "sygen_bot.testing.contract",  # tests
    "sygen_bot.storage.migrations",  # see `_migrate` below
)
_MORE: Final = (
    *("os.open", "os.lstat", "os.chmod", "os.fsync", "os.fdatasync"),
    *("io.open", "builtins.open", "fcntl.flock"),
)
"""What blocks as well and is not on blockbuster's own list."""

_IMPORTS: Final = ("<frozen importlib._bootstrap>", {"_find_and_load"})

_ALLOWED: Final[tuple[tuple[str, str], ...]] = (
    # The settings are read before there is a gateway; that tests do it on their loop holds up nobody.
    ("sygen_bot/config.py", "load_settings"),
    # At the start, before the first client: SQLite's file is made, an async driver is looked for among the installed packages.
    ("sygen_bot/storage/engine.py", "_open_sqlite"),
    ("sygen_bot/storage/engine.py", "_open_server"),
    # Also at the start. On SQLite it runs in a thread; an async driver has its connection on the loop, and Alembic reads its files there.
    ("sygen_bot/storage/engine.py", "_migrate"),
    # asyncpg looks for the password file and certificates of the user whenever it connects.
    ("asyncpg/connect_utils.py", "_parse_connect_dsn_and_args"),
    # FastAPI finds out where a route is written, once for each, for its own error messages.
    ("fastapi/routing.py", "_extract_endpoint_context"),
    # asyncio starts processes on its loop; what it opens are pipes and /dev/null.
    ("asyncio/unix_events.py", "_start"),
    # An error that nobody expected is shown with the lines it came from: only in tests, the gateway's own log does without rich.
    ("rich/traceback.py", "_render_stack"),
)
"""Functions, with all that they call."""


@contextmanager
def nothing_blocks() -> Iterator[None]:
    """Code of the package that blocks a running event loop raises BlockingError."""
    buster = BlockBuster(_PACKAGE, excluded_modules=_APART)
    for name in _MORE:
        buster.functions[name] = BlockBusterFunction(
            None, name, scanned_modules=_PACKAGE, excluded_modules=_APART, can_block_functions=[_IMPORTS]
        )
    for function in buster.functions.values():
        for file, allowed in _ALLOWED:
            function.can_block_in(file, allowed)
    buster.activate()
    try:
        yield
    finally:
        buster.deactivate()
