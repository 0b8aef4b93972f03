"""A conversation: what a person says goes to the gateway, what comes back is shown, until one of them leaves."""

from __future__ import annotations

import asyncio
import io
import shlex
import signal
import sys
import uuid
from contextlib import aclosing, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol

import typer

from sygen_bot.cli.approver import APPROVE, Approver, Asker
from sygen_bot.cli.connection import NO_CONNECTION, Endpoint, device_name, with_advice
from sygen_bot.cli.elsewhere import Elsewhere
from sygen_bot.cli.interrupts import on_interrupt
from sygen_bot.cli.terminal import is_smart
from sygen_bot.client import (
    ClientError,
    ConnectionLost,
    Gateway,
    MessageRefused,
    NotPrivate,
    RequestFailed,
    TransferFailed,
    connect,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sygen_bot.cli.elsewhere import Said
    from sygen_bot.client import AnswerEvent, ConnectionState

QUIT: Final = ("/quit", "/exit")
SEND: Final = "/send"


async def converse(endpoint: Endpoint, chat_id: int | None, channel_id: int | None) -> int:
    """Talk until somebody leaves. Returns the exit code."""
    conversation = Conversation()
    try:
        async with connect(
            endpoint.url,
            endpoint.opening,
            chat_id,
            channel_id,
            server_key=endpoint.server_key,
            ssl_context=endpoint.ssl_context,
            on_state=conversation.state_changed,
            approvals=True,
            device=device_name(),
        ) as gateway:
            conversation.allow_plain = endpoint.is_private
            return await conversation.run(gateway, _screen(gateway, endpoint, conversation), endpoint)
    except ClientError as error:
        typer.echo(with_advice(error, endpoint), err=True)
        return NO_CONNECTION


class _CannotSend(Exception):
    """A file is not sent. The text says why."""


class Screen(Asker, Protocol):
    """Where a conversation is read and shown."""

    async def read(self) -> str | None:
        """What the person says next; None if they leave."""
        ...

    def begin(self) -> None:
        """A turn begins."""
        ...

    def show(self, event: AnswerEvent) -> None: ...

    def end(self) -> None:
        """The turn is over, whether or not it had a result."""
        ...

    def note(self, sentence: str, *, is_error: bool = False) -> None:
        """Say something that is no part of an answer, also while `read` waits."""
        ...

    def past(self, said: Sequence[Said], *, left_out: int) -> None:
        """Show what was said before, and that `left_out` messages came before that. `read` does not wait yet."""
        ...

    def message(self, text: str) -> None:
        """Show what the person says on another device, also while `read` waits."""
        ...

    def block(self, text: str) -> None:
        """Show a whole piece of an answer that was not asked for here, also while `read` waits."""
        ...

    def leave(self) -> None:
        """Make `read` return None."""
        ...

    def close(self) -> None:
        """Leave the terminal as it was."""
        ...


class Conversation:
    """Passes what a person says to the gateway and shows what comes back, until one of them leaves."""

    def __init__(self) -> None:
        self.state: ConnectionState = "connected"
        self._screen: Screen | None = None
        self._is_leaving = False
        self._over: ClientError | None = None
        self._aborting: asyncio.Task[None] | None = None
        self._stopping: asyncio.Task[None] | None = None
        self._is_sending = False
        self._stop: Callable[[], None] | None = None
        """Ends the turn that was asked for here, while it runs."""
        self.allow_plain = False
        """Whether files may travel over http, because the way is private."""

    def state_changed(self, state: ConnectionState) -> None:
        was, self.state = self.state, state
        if self._screen is None or state == was:
            return
        if state == "reconnecting":
            self._screen.note("The connection is gone. Trying to get it back ...")
        elif state == "connected":
            self._screen.note("Connected again.")

    async def run(self, gateway: Gateway, screen: Screen, endpoint: Endpoint) -> int:
        """The exit code."""
        self._screen = screen
        elsewhere = Elsewhere(gateway, screen)
        approver = Approver(gateway, screen, stop=lambda: self._stop_turn(gateway), elsewhere=f"{APPROVE} answers")
        following: list[asyncio.Task[None]] = []
        try:
            await elsewhere.recall()
            work = (elsewhere.follow(), approver.follow(), self._follow(gateway, screen))
            following = [asyncio.create_task(each) for each in work]
            while not self._is_leaving and self._over is None:
                text = await screen.read()
                if text is None or text.strip().lower() in QUIT:
                    break
                if text.strip().lower() == APPROVE:
                    await approver.ask_all()
                elif text.strip():
                    await self._turn(gateway, screen, elsewhere, approver, text)
        finally:
            self._screen = None
            for task in following:
                task.cancel()
            await approver.put_away()
            screen.close()
            await asyncio.gather(*following, return_exceptions=True)
            await elsewhere.close()
        if self._over is not None:
            screen.note(with_advice(self._over, endpoint), is_error=True)
            return NO_CONNECTION
        return 0

    async def _follow(self, gateway: Gateway, screen: Screen) -> None:
        """Show notifications, and notice the end of the connection for good."""
        try:
            async for notification in gateway.notifications():
                title, body = notification.fields.get("title"), notification.fields.get("body")
                screen.note(" - ".join(str(part) for part in (title, body) if part) or "A notification came.")
        except ClientError as error:
            self._over = error
            screen.leave()

    async def _turn(
        self, gateway: Gateway, screen: Screen, elsewhere: Elsewhere, approver: Approver, text: str
    ) -> None:
        answering = asyncio.create_task(self._answer(gateway, screen, elsewhere, approver, text))

        def interrupted(number: int) -> None:
            if self._aborting is not None or number == signal.SIGTERM:
                self._is_leaving = True
                answering.cancel()
            elif self.state != "connected" or self._is_sending:
                answering.cancel()
            else:
                self._aborting = asyncio.create_task(self._abort(gateway))

        screen.begin()
        self._stop = lambda: interrupted(signal.SIGINT)
        try:
            with on_interrupt(interrupted):
                await asyncio.wait([answering])
        finally:
            self._stop = None
            if not answering.done():
                await approver.put_away()
            screen.end()
            self._aborting = None
            answering.cancel()
        if not answering.cancelled() and (error := answering.exception()) is not None:
            raise error

    async def _answer(
        self, gateway: Gateway, screen: Screen, elsewhere: Elsewhere, approver: Approver, text: str
    ) -> None:
        try:
            if text.strip().lower() == "/stop":  # no turn: nothing but the number of stopped ones answers it
                stopped = await gateway.abort()
                screen.note("1 turn was stopped." if stopped == 1 else f"{stopped} turns were stopped.")
                return
            if text.split(maxsplit=1)[0].lower() == SEND:
                text = await self._sent(gateway, text.strip()[len(SEND) :])
            message_id = uuid.uuid4().hex
            elsewhere.expect(message_id)
            try:
                async with aclosing(gateway.ask(text, message_id=message_id)) as events:
                    async for event in events:
                        await approver.free()
                        screen.show(event)
            except asyncio.CancelledError:
                elsewhere.leave_to_us(message_id)
                raise
        except (MessageRefused, RequestFailed, TransferFailed, NotPrivate, ConnectionLost) as error:
            screen.note(str(error), is_error=True)
        except _CannotSend as error:
            screen.note(str(error), is_error=True)

    async def _sent(self, gateway: Gateway, arguments: str) -> str:
        """Upload the file that is named. Returns the message that shows it to the agent."""
        given = io.StringIO(arguments)
        words = shlex.shlex(given, posix=True)
        words.whitespace_split, words.commenters = True, ""
        try:
            file = words.get_token()
        except ValueError as error:
            raise _CannotSend("A quote is not closed.") from error
        if not file:
            raise _CannotSend(f"Say which file: {SEND} FILE, and after it what you want to say about it.")
        caption = given.read().strip()
        self._is_sending = True
        try:
            uploaded = await gateway.upload(
                Path(file).expanduser(), caption=caption or None, allow_plain=self.allow_plain
            )
        except OSError as error:
            raise _CannotSend(f"{file}: {error.strerror or error}.") from error
        finally:
            self._is_sending = False
        return uploaded.prompt

    def _stop_turn(self, gateway: Gateway) -> None:
        """End the turn whose agent asks, whoever began it."""
        if self._stop is not None:
            self._stop()
        elif self._stopping is None or self._stopping.done():
            self._stopping = asyncio.create_task(self._abort(gateway))

    async def _abort(self, gateway: Gateway) -> None:
        with suppress(ClientError):  # then the turn ends with the connection
            await gateway.abort(channel_only=True)


def _screen(gateway: Gateway, endpoint: Endpoint, conversation: Conversation) -> Screen:
    if is_smart(sys.stdin) and is_smart(sys.stdout):
        from sygen_bot.cli.chat_screen import RichScreen

        return RichScreen(gateway=gateway, url=endpoint.url, state=lambda: conversation.state)
    from sygen_bot.cli.chat_plain import PlainScreen

    return PlainScreen()
