"""An agent that speaks the Agent Client Protocol badly, in the manner that its argument names. Needs nothing but the standard library.

A message `stop <reason>` ends with that stop reason, `fail <code> <message>` with that error; `say <text>` is said first.
"""

from __future__ import annotations

import json
import os
import sys
import time
from typing import Any

MANNER = sys.argv[1]
TURNS = 0


def send(message: object) -> None:
    sys.stdout.write(json.dumps(message) + "\n")
    sys.stdout.flush()


def update(body: object, session_id: str = "s1") -> None:
    send({"jsonrpc": "2.0", "method": "session/update", "params": {"sessionId": session_id, "update": body}})


def say(text: str) -> None:
    update({"sessionUpdate": "agent_message_chunk", "content": {"type": "text", "text": text}})


def ask(call: dict[str, Any], kinds: tuple[str, ...]) -> dict[str, Any]:
    """A permission request with options of these kinds, and the result of its answer."""
    options = [{"optionId": f"the-{kind}", "name": kind, "kind": kind} for kind in kinds]
    params = {"sessionId": "s1", "toolCall": call, "options": options}
    send({"jsonrpc": "2.0", "id": "ask", "method": "session/request_permission", "params": params})
    while (answer := read()).get("id") != "ask":
        pass
    return answer


def read() -> dict[str, Any]:
    line = sys.stdin.readline()
    if not line:
        sys.exit(0)
    message: dict[str, Any] = json.loads(line)
    return message


def garbage() -> None:
    sys.stdout.write("this is no JSON\n{\n[1,2]\nnull\n\n\x00\n")
    sys.stdout.buffer.write(b"\xff\xfe{}\n")
    for message in (
        {"jsonrpc": "2.0", "id": 9999, "result": {}},
        {"jsonrpc": "2.0", "id": "what", "error": {"code": 1, "message": "?"}},
        {"jsonrpc": "2.0", "method": "session/update", "params": [1]},
        {"jsonrpc": "2.0", "method": "session/update", "params": {"sessionId": "s1", "update": "text"}},
        {"jsonrpc": "2.0", "method": "session/dance", "params": {}},
        {"jsonrpc": "2.0"},
        {"jsonrpc": "2.0", "id": {"a": 1}, "method": "session/request_permission", "params": {}},
        {
            "jsonrpc": "2.0",
            "id": 5,
            "method": "session/request_permission",
            "params": {"sessionId": "s1", "toolCall": {}},
        },
        {
            "jsonrpc": "2.0",
            "id": 6,
            "method": "fs/read_text_file",
            "params": {"sessionId": "s1", "path": "/etc/passwd"},
        },
    ):
        send(message)
    for body in (
        None,
        {"sessionUpdate": "moon_phase", "phase": 3},
        {"sessionUpdate": "agent_message_chunk", "content": "no block"},
        {"sessionUpdate": "agent_message_chunk", "content": {"type": "text", "text": 7}},
        {"sessionUpdate": "tool_call"},
        {"sessionUpdate": "tool_call", "toolCallId": 4},
        {"sessionUpdate": "tool_call_update", "toolCallId": "t", "content": [None, 1], "locations": [{}], "status": 9},
        {"sessionUpdate": "plan", "entries": [1, {"content": 2}]},
        {"sessionUpdate": "usage_update", "cost": {"amount": "much"}},
    ):
        update(body)
    update({"sessionUpdate": "agent_message_chunk", "content": {"type": "text", "text": "not yours"}}, "another")


def prompt(texts: list[str]) -> dict[str, Any]:
    """What the prompt is answered with: `result` or `error`."""
    global TURNS
    TURNS += 1
    match MANNER:
        case "dies-silent":
            os._exit(5)
        case "dies-speaking":
            say("I was about to")
            os._exit(5)
        case "echoes":
            say("|".join(texts))
        case "garbage":
            garbage()
        case "long-line":
            update({"sessionUpdate": "moon_phase", "phase": "x" * (32 << 20)})
        case "over-the-limit":
            update({"sessionUpdate": "agent_message_chunk", "content": {"type": "text", "text": "x" * (65 << 20)}})
        case "half-line":
            sys.stdout.write('{"jsonrpc": "2.0", "method": "session/upd')
            sys.stdout.flush()
            os._exit(0)
        case "deaf":
            while True:
                say("la ")
                time.sleep(0.05)
        case "always-only":
            answer = ask({"toolCallId": "t1", "kind": "execute", "title": "rm -rf /"}, ("allow_always",))
            say(json.dumps(answer["result"]))
        case "asks-at-once":  # as Gemini CLI does: no tool call before, and nothing after a refusal
            call = {
                "toolCallId": "t1",
                "kind": "execute",
                "title": "ls",
                "status": "pending",
                "content": [],
                "locations": [],
            }
            answer = ask(call, ("allow_always", "allow_once", "reject_once"))
            say(answer["result"]["outcome"].get("optionId", "nothing"))
        case "costs":
            update(
                {
                    "sessionUpdate": "usage_update",
                    "used": 1,
                    "size": 2,
                    "cost": {"amount": TURNS * 0.5, "currency": "USD"},
                }
            )
        case "mode-change":
            update({"sessionUpdate": "current_mode_update", "currentModeId": "yolo"})
            say(json.dumps(read()["params"]))
    for line in texts[-1].splitlines():
        word, _, rest = line.partition(" ")
        if word == "say":
            say(rest)
        elif word == "stop":
            return {"result": {"stopReason": rest}}
        elif word == "fail":
            code, _, message = rest.partition(" ")
            return {"error": {"code": int(code), "message": message}}
    say("fine")
    return {"result": {"stopReason": "end_turn"}}


def answer(method: str, params: dict[str, Any]) -> dict[str, Any]:
    match method:
        case "initialize":
            version = 99 if MANNER == "from-the-future" else 1
            return {"result": {"protocolVersion": version, "agentCapabilities": {"loadSession": True}}}
        case "session/new":
            modes = [
                {"id": mode, "name": mode} for mode in (("yolo",) if MANNER == "never-asks" else ("default", "yolo"))
            ]
            current = "yolo" if MANNER == "never-asks" else "default"
            return {"result": {"sessionId": "s1", "modes": {"currentModeId": current, "availableModes": modes}}}
        case "session/load":
            return {"error": {"code": -32002, "message": "no such session"}}
        case "session/prompt":
            return prompt([block["text"] for block in params["prompt"]])
        case _:
            return {"result": {}}


def main() -> None:
    match MANNER:
        case "hangs":
            time.sleep(3600)
        case "dies-at-start":
            sys.exit(3)
        case "needs-login":
            sys.stderr.write("Please set an Auth method in /home/user/.agent/settings.json\n")
            sys.exit(41)
        case "floods":
            for _ in range(16):
                sys.stderr.write("x" * (1 << 20))
    while True:
        message = read()
        if "method" in message and "id" in message:
            send({"jsonrpc": "2.0", "id": message["id"], **answer(message["method"], message.get("params") or {})})


if __name__ == "__main__":
    main()
