"""What chat sessions look like over HTTP. Times are epoch seconds."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic.config import JsonDict
from pydantic.json_schema import SkipJsonSchema

from sygen_bot.events import TurnStatus

ChatId = Annotated[int, Field(json_schema_extra={"minimum": 1, "maximum": 2**53 - 1})]
Title = Annotated[
    str,
    Field(
        description="1 to 200 characters; line breaks and other control characters become spaces",
        json_schema_extra={"minLength": 1, "maxLength": 200},
    ),
]


def _without_default(shape: JsonDict) -> None:
    """For a field that is not there, instead of null."""
    del shape["default"]


class Session(BaseModel):
    """A titled conversation. `channel_id` null for the chat's own; `provider` and `model` null for the gateway's default."""

    id: str
    agent: str
    title: str
    chat_id: int
    channel_id: int | None
    created_at: float
    updated_at: float
    archived: bool
    provider: str | None
    model: str | None
    message_count: int


class File(BaseModel):
    """A file that an answer mentions. `path` is absolute."""

    path: str
    name: str
    is_image: bool


class Tool(BaseModel):
    """A use of a tool. `output` and `duration_ms` are null while it runs."""

    name: str
    tool_id: str
    input: Any = Field(description="Any JSON")
    output: str | None
    is_error: bool
    duration_ms: int | None


class TextPart(BaseModel):
    """The next `chars` code points of the message's `content`."""

    type: Literal["text"]
    chars: int


class ThinkingPart(BaseModel):
    """The agent's reasoning, which is no part of its answer."""

    type: Literal["thinking"]
    text: str


class ToolPart(BaseModel):
    """A use of a tool: its place among the message's `tools`, from 0."""

    type: Literal["tool"]
    tool: int


class Usage(BaseModel):
    """What a turn used. `cost_usd` is null where it is not known."""

    input_tokens: int
    output_tokens: int
    cost_usd: float | None


class Failure(BaseModel):
    """Why there is no answer."""

    code: str
    message: str


class Message(BaseModel):
    """One message. `content` is what was said so far; `error` is there only if the turn failed."""

    id: str
    turn_id: str
    sender: Literal["user", "agent"]
    content: str
    timestamp: float
    files: list[File]
    tools: list[Tool]
    usage: Usage | None
    status: TurnStatus
    outline: list[Annotated[TextPart | ThinkingPart | ToolPart, Field(discriminator="type")]] = Field(
        description="In which order an answer's text, thoughts and tools came"
    )
    provider: str | None
    model: str | None
    duration_ms: int | None
    reason: str | None = Field(description="Why it was stopped, as in a result")
    error: Failure | SkipJsonSchema[None] = Field(default=None, json_schema_extra=_without_default)


class Messages(BaseModel):
    """Messages, oldest first. `cursor`: resume from there to get what follows."""

    messages: list[Message]
    has_more: bool
    total: int
    cursor: str


class Export(BaseModel):
    """A whole conversation, oldest message first."""

    session: Session
    messages: list[Message]


class Wanted(BaseModel):
    """The body of a request: numbers are numbers, and text is text."""

    model_config = ConfigDict(strict=True)


class NewSession(Wanted):
    """A session to begin: with the main agent, without a title, in the default chat, where nothing else is said."""

    agent: str | None = None
    title: Title | None = None
    chat_id: ChatId | None = None


class NewTitle(Wanted):
    """What a session is called from now on."""

    title: Title


class Choice(Wanted):
    """Who answers; null for the gateway's default."""

    provider: str | None = None
    model: str | None = None


class Chosen(BaseModel):
    """Who answers in a session from now on; null for the gateway's default."""

    session_id: str
    provider: str | None
    model: str | None
