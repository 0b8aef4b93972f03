"""The tool by which Claude Code starts a background task: an MCP server within the gateway's own process."""

from __future__ import annotations

from typing import Any, Final

from claude_agent_sdk import create_sdk_mcp_server, tool
from claude_agent_sdk.types import McpSdkServerConfig

from sygen_bot.errors import SygenError
from sygen_bot.providers.base import TaskStarter

SERVER: Final = "sygen"
_DESCRIPTION: Final = (
    "Start a background task: another agent works on `prompt` in a conversation of its own while this one goes on, and the user "
    "is notified when it is done. It knows nothing of this conversation, so say all that it needs. Returns the task's id."
)
_INPUT: Final = {
    "type": "object",
    "properties": {
        "prompt": {"type": "string", "description": "What the agent is to do"},
        "title": {"type": "string", "description": "A few words for the list of tasks and the notification"},
    },
    "required": ["prompt"],
}


class TaskTool:
    """Starts tasks on behalf of the turn that runs; without a turn it starts none."""

    def __init__(self) -> None:
        self._start: TaskStarter | None = None

    def open(self, start: TaskStarter | None) -> None:
        self._start = start

    def shut(self) -> None:
        self._start = None

    def server(self) -> McpSdkServerConfig:
        """For one CLI, which is to know it by the name `SERVER`."""

        @tool("start_task", _DESCRIPTION, _INPUT)
        async def start_task(arguments: dict[str, Any]) -> dict[str, Any]:
            if self._start is None:
                return _said("No task can be started now.", is_error=True)
            title = arguments.get("title")
            try:
                task_id = await self._start(str(arguments.get("prompt", "")), None if title is None else str(title))
            except SygenError as error:
                return _said(str(error), is_error=True)
            return _said(f"Task {task_id} has been started. The user will be notified when it has ended.")

        return create_sdk_mcp_server(SERVER, tools=[start_task])


def _said(text: str, *, is_error: bool = False) -> dict[str, Any]:
    return {"content": [{"type": "text", "text": text}], "is_error": is_error}
