"""JSON-RPC 2.0 over the pipes of an agent process: one JSON object a line, calls in both directions.

An agent can say anything. What is no message, is over the limit, or answers nothing that was asked is skipped, and logged once for
each kind; it never ends the conversation.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, Final

import msgspec
import structlog

METHOD_NOT_FOUND: Final = -32601
INTERNAL_ERROR: Final = -32603
LINE_LIMIT: Final = 64 * 1024 * 1024
"""The longest line that is kept, in bytes. A longer one is skipped."""

_CHUNK: Final = 256 * 1024
_log = structlog.get_logger(__name__)
_decode = msgspec.json.Decoder(float_hook=float).decode
_encode = msgspec.json.Encoder().encode

Params = dict[str, Any]


class RpcError(Exception):
    """The other side answered a call with an error."""

    def __init__(self, code: int, message: str, data: object = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.data = data


class PeerClosed(Exception):
    """The other side is gone."""


class Peer:
    """One end of a conversation over `reader` and `writer`; `start` begins to read, `close` ends that.

    `on_notification` gets the method and parameters of each notification, in order; `on_request` answers a request of the other side,
    in a task of its own, and may raise RpcError. Neither is called for parameters that are no object. `on_closed` hears once that
    the other side has gone. `names_version` puts the field `jsonrpc` into every message. `log_name`: whose words these are.
    """

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        *,
        on_notification: Callable[[str, Params], None],
        on_request: Callable[[str, Params], Awaitable[object]],
        log_name: str,
        on_closed: Callable[[], None] | None = None,
        names_version: bool = True,
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._on_notification = on_notification
        self._on_request = on_request
        self._on_closed = on_closed
        self._log_name = log_name
        self._envelope: Params = {"jsonrpc": "2.0"} if names_version else {}
        self._calls: dict[int, asyncio.Future[Any]] = {}
        self._last_id = 0
        self._answering: dict[str, asyncio.Task[None]] = {}
        self._reading: asyncio.Task[None] | None = None
        self._is_open = True
        self._logged: set[str] = set()

    @property
    def is_open(self) -> bool:
        """False when the other side has gone, or `close` was called."""
        return self._is_open

    def start(self) -> None:
        self._reading = asyncio.create_task(self._read(), name=f"read {self._log_name}")

    async def call(self, method: str, params: Params, *, timeout_s: float | None = None) -> Any:  # JSON
        """Ask the other side and return its result. Raises RpcError, PeerClosed, TimeoutError."""
        if not self._is_open:
            raise PeerClosed
        self._last_id += 1
        call_id = self._last_id
        answer = self._calls[call_id] = asyncio.get_running_loop().create_future()
        try:
            async with asyncio.timeout(timeout_s):
                await self._send({"id": call_id, "method": method, "params": params})
                return await answer
        finally:
            self._calls.pop(call_id, None)

    async def notify(self, method: str, params: Params) -> None:
        """Tell the other side something. Raises PeerClosed."""
        await self._send({"method": method, "params": params})

    async def close(self) -> None:
        """Stop reading, give up what is being answered, and let every call end with PeerClosed."""
        tasks = [*self._answering.values()] + ([] if self._reading is None else [self._reading])
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)
        self._end()
        self._writer.close()
        with contextlib.suppress(OSError):
            await self._writer.wait_closed()

    def cancel_requests(self) -> None:
        """Give up every request of the other side that is being answered: it gets no answer any more."""
        for task in self._answering.values():
            task.cancel()

    # --- writing ------------------------------------------------------------------------------------------------------

    async def _send(self, message: Params) -> None:
        if not self._is_open:
            raise PeerClosed
        try:
            self._writer.write(_encode(self._envelope | message) + b"\n")
            await self._writer.drain()
        except (OSError, RuntimeError) as error:  # the pipe broke, or was closed under us
            raise PeerClosed from error

    # --- reading ------------------------------------------------------------------------------------------------------

    async def _read(self) -> None:
        try:
            async for line in self._lines():
                self._take(line)
        except OSError as error:
            _log.info("agent_pipe_broke", agent=self._log_name, error=str(error))
        finally:
            self._end()

    async def _lines(self) -> AsyncIterator[bytes]:
        """Whole lines. What came after the last newline when the pipe ended is none."""
        parts: list[bytes] = []
        length = 0
        while chunk := await self._reader.read(_CHUNK):
            *whole, rest = chunk.split(b"\n")
            for end in whole:
                if length + len(end) <= LINE_LIMIT:
                    yield b"".join((*parts, end))
                else:
                    self._odd("a line over the limit", b"")
                parts, length = [], 0
            length += len(rest)
            if length <= LINE_LIMIT:
                parts.append(rest)
            else:
                parts = []

    def _take(self, line: bytes) -> None:
        if not line.strip():
            return
        try:
            message = _decode(line)
        except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
            self._odd("no JSON", line)
            return
        if not isinstance(message, dict):
            self._odd("no object", line)
            return
        method, message_id = message.get("method"), message.get("id")
        params = message.get("params")
        if isinstance(method, str):
            if params is None:
                params = {}
            if not isinstance(params, dict):
                self._odd("parameters that are no object", line)
            elif message_id is None:
                self._heard(method, params)
            elif isinstance(message_id, str | int):
                self._asked(message_id, method, params)
            else:
                self._odd("an id that is none", line)
        elif "result" in message or "error" in message:
            self._answered(message_id, message, line)
        else:
            self._odd("neither call nor answer", line)

    def _heard(self, method: str, params: Params) -> None:
        try:
            self._on_notification(method, params)
        except Exception:  # noqa: BLE001 - what an agent says may have any shape; the next message is another one
            if f"notification {method}" not in self._logged:
                self._logged.add(f"notification {method}")
                _log.exception("agent_message_not_understood", agent=self._log_name, method=method)

    def _answered(self, message_id: object, message: Params, line: bytes) -> None:
        answer = self._calls.get(message_id) if isinstance(message_id, int) else None
        if answer is None or answer.done():
            self._odd("an answer to nothing that was asked", line)
            return
        error = message.get("error")
        if isinstance(error, dict):
            code, text = error.get("code"), error.get("message")
            answer.set_exception(
                RpcError(
                    code if isinstance(code, int) else INTERNAL_ERROR, str(text or "no reason given"), error.get("data")
                )
            )
        elif error is not None:
            answer.set_exception(RpcError(INTERNAL_ERROR, str(error)))
        else:
            answer.set_result(message.get("result"))

    def _asked(self, message_id: str | int, method: str, params: Params) -> None:
        key = f"{type(message_id).__name__} {message_id}"
        if key in self._answering:
            self._odd("a request whose id is in use", b"")
            return
        task = asyncio.create_task(self._answer(message_id, method, params), name=f"answer {self._log_name} {method}")
        self._answering[key] = task
        task.add_done_callback(lambda _: self._answering.pop(key, None))

    async def _answer(self, message_id: str | int, method: str, params: Params) -> None:
        try:
            answer: Params = {"result": await self._on_request(method, params)}
        except RpcError as error:
            answer = {"error": {"code": error.code, "message": error.message}}
        except Exception:  # noqa: BLE001 - the request ends here; an error is an answer too
            _log.exception("agent_request_failed", agent=self._log_name, method=method)
            answer = {"error": {"code": INTERNAL_ERROR, "message": "The client failed."}}
        with contextlib.suppress(PeerClosed):
            await self._send({"id": message_id, **answer})

    def _end(self) -> None:
        if not self._is_open:
            return
        self._is_open = False
        for answer in self._calls.values():
            if not answer.done():
                answer.set_exception(PeerClosed())
                answer.exception()  # whoever waits gets it; if nobody does any more, nobody needs to hear of it
        for task in self._answering.values():
            task.cancel()
        if self._on_closed is not None:
            self._on_closed()

    def _odd(self, what: str, line: bytes) -> None:
        if what not in self._logged:
            self._logged.add(what)
            _log.warning(
                "agent_said_nonsense", agent=self._log_name, what=what, line=line[:200].decode(errors="replace")
            )
