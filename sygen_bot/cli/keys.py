"""Keys from a terminal, one by one, not echoed."""

from __future__ import annotations

import asyncio
import os
import termios
from typing import Final, Self

_CHUNK: Final = 1024


class Quiet:
    """Keeps what is typed from being echoed. It is not lost: whoever reads next gets it. Ctrl-C is a signal unless `takes_signals`."""

    def __init__(self, descriptor: int, *, takes_signals: bool = False) -> None:
        self._descriptor = descriptor
        self._takes_signals = takes_signals
        self._before: list[int | list[bytes | int]] | None = None

    def start(self) -> None:
        try:
            self._before = termios.tcgetattr(self._descriptor)
            silent = termios.tcgetattr(self._descriptor)
            silent[0] &= ~termios.ICRNL
            silent[3] &= ~(termios.ECHO | termios.ICANON)
            if self._takes_signals:
                silent[3] &= ~termios.ISIG
            termios.tcsetattr(self._descriptor, termios.TCSANOW, silent)
        except termios.error:
            self._before = None

    def stop(self) -> None:
        if self._before is not None:
            termios.tcsetattr(self._descriptor, termios.TCSANOW, self._before)
            self._before = None


class Keys:
    """What is typed while this is open, Ctrl-C too."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._quiet = Quiet(descriptor, takes_signals=True)

    def __enter__(self) -> Self:
        self._quiet.start()
        return self

    def __exit__(self, *_exc: object) -> None:
        self._quiet.stop()

    async def next(self, within_s: float) -> str | None:
        """What was typed since, several characters if that was at once; None if nothing was. Raises EOFError if nobody is there any more."""
        loop = asyncio.get_running_loop()
        readable = asyncio.Event()
        loop.add_reader(self._descriptor, readable.set)
        try:
            async with asyncio.timeout(within_s):
                await readable.wait()
        except TimeoutError:
            return None
        finally:
            loop.remove_reader(self._descriptor)
        try:
            typed = os.read(self._descriptor, _CHUNK)
        except OSError as error:
            raise EOFError from error
        if not typed:
            raise EOFError
        return typed.decode("utf-8", "replace")
