"""The client SDK: talk to a gateway from a program. Loads nothing of the server.

async with connect("http://127.0.0.1:8741", token) as gateway:
    async for event in gateway.ask("hello"):
        if isinstance(event, TextDelta):
            print(event.data, end="", flush=True)
"""

from sygen_bot.api.protocol import AuthOk, Notification, NotificationsRead, ProviderCard, Received
from sygen_bot.client.approvals import ApprovalNews, Approvals
from sygen_bot.client.errors import (
    CannotConnect,
    ClientError,
    ConnectionLost,
    HandshakeRefused,
    MessageRefused,
    NotPrivate,
    RequestFailed,
    TooLate,
    TransferFailed,
    TurnFailed,
)
from sygen_bot.client.files import Progress
from sygen_bot.client.gateway import ConnectionState, Gateway, connect
from sygen_bot.client.question import AnswerEvent
from sygen_bot.client.shapes import Agent, ApprovalRule, FileLink, PastApproval, Transcript, UploadedFile
from sygen_bot.events import (
    ApprovalDecision,
    ApprovalOutcome,
    ApprovalRequest,
    ApprovalResolved,
    FileRef,
    Result,
    SystemStatus,
    TextDelta,
    ThinkingDelta,
    ToolActivity,
    Usage,
    UserMessage,
)

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
    # what agents may do
    "Approvals",
    "ApprovalNews",
    "ApprovalRequest",
    "ApprovalResolved",
    "ApprovalDecision",
    "ApprovalOutcome",
    "ApprovalRule",
    "PastApproval",
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
    "TooLate",
    "RequestFailed",
    "TransferFailed",
    "NotPrivate",
)
