"""The client SDK: talk to a gateway from a program. Loads nothing of the server.

async with connect("http://127.0.0.1:8741", token) as gateway:
    async for event in gateway.ask("hello"):
        if isinstance(event, TextDelta):
            print(event.data, end="", flush=True)
"""

from sygen_bot.api.protocol import AuthOk, Notification, NotificationsRead, ProviderCard, Received
from sygen_bot.client.errors import (
    CannotConnect,
    ClientError,
    ConnectionLost,
    HandshakeRefused,
    MessageRefused,
    NotPrivate,
    RequestFailed,
    TransferFailed,
    TurnFailed,
)
from sygen_bot.client.files import Progress
from sygen_bot.client.gateway import AnswerEvent, ConnectionState, Gateway, connect
from sygen_bot.client.shapes import Agent, FileLink, Transcript, UploadedFile
from sygen_bot.events import FileRef, Result, SystemStatus, TextDelta, ThinkingDelta, ToolActivity, Usage, UserMessage

__all__ = (  # noqa: RUF022 - by kind
    # connecting
    "connect",
    "Gateway",
    "ConnectionState",
    "AuthOk",
    "ProviderCard",
    # what an agent says
    "AnswerEvent",
    "TextDelta",
    "ThinkingDelta",
    "ToolActivity",
    "SystemStatus",
    "Result",
    "FileRef",
    "Usage",
    "UserMessage",
    "Received",
    "Notification",
    "NotificationsRead",
    # files, voices and agents
    "UploadedFile",
    "FileLink",
    "Transcript",
    "Agent",
    "Progress",
    # errors
    "ClientError",
    "CannotConnect",
    "HandshakeRefused",
    "ConnectionLost",
    "MessageRefused",
    "TurnFailed",
    "RequestFailed",
    "TransferFailed",
    "NotPrivate",
)
