"""A program that speaks just enough of the protocol of Codex's app-server, and misbehaves as the variable HOSTILE says.

hang        never answers
flood       writes 8 MB to stderr first, and between its words
mute        ends when a turn begins, before it has said anything
mute-once   does so the first time that it is started in this directory
dies        ends in the middle of its answer
noise       says everything that makes no sense, then answers
unasked     uses a tool without asking
unhooked    does not know of hooks
no-start    answers with an error to the beginning of a conversation
"""

from __future__ import annotations

import json
import os
import sys
import time
import tomllib
from pathlib import Path
from typing import Any

MODE = os.environ.get("HOSTILE", "")
THREAD, TURN = "the-thread", "the-turn"


def main() -> None:
    if MODE == "hang":
        time.sleep(600)
    if MODE == "flood":
        flood()
    for line in sys.stdin:
        message = json.loads(line)
        if "id" in message and "method" in message:
            answer(message["id"], message["method"])


def answer(call_id: int, method: str) -> None:
    match method:
        case "hooks/list":
            say(id=call_id, result={"data": [] if MODE == "unhooked" else [{"hooks": [hook()]}]})
        case "thread/start" if MODE == "no-start":
            say(id=call_id, error={"code": -32600, "message": "failed to load configuration: /secret/config.toml"})
        case "thread/start":
            say(id=call_id, result={"thread": {"id": THREAD}, "model": "hostile"})
        case "turn/start":
            turn(call_id)
        case _:
            say(id=call_id, result={})


def turn(call_id: int) -> None:
    if MODE == "mute" or (MODE == "mute-once" and first_time()):
        sys.exit(3)
    say(id=call_id, result={"turn": {"id": TURN}})
    if MODE == "noise":
        noise()
    if MODE == "unasked":
        item = {"type": "commandExecution", "id": "call", "command": "rm -rf /", "status": "inProgress"}
        notify("item/started", item=item)
        time.sleep(600)
    notify("item/agentMessage/delta", itemId="text", delta="still ")
    if MODE == "dies":
        sys.exit(3)
    if MODE == "flood":
        flood()
    notify("item/agentMessage/delta", itemId="text", delta="here")
    notify("turn/completed", turn={"id": TURN, "status": "completed", "error": None})


def noise() -> None:
    write(b'this is no JSON\n\n[1, 2]\n"text"\n{"id": 4711, "result": {}}\n{"neither": 1}\n\xff\xfe\x00\n')
    write(b'{"method": "item/started", "params": {"threadId": "' + THREAD.encode() + b'", "item": 7}}\n')
    notify("an/event/of/the/future", item={"type": "unheard-of", "id": "x"})
    notify("item/started", item={"type": "unheard-of", "id": "x"})
    notify("item/started", item={"type": "webSearch"})
    notify("item/agentMessage/delta", itemId=None, delta=["not", "a", "text"])
    notify("item/agentMessage/delta", threadId="another", itemId="other", delta="somebody else")
    notify("item/completed", item={"type": "webSearch", "id": "never-begun", "query": "q"})
    notify("thread/tokenUsage/updated", turnId=TURN, tokenUsage={"last": {"inputTokens": "many"}})
    notify("turn/completed", turn={"id": "another-turn", "status": "completed"})
    notify("turn/completed", turn="none")
    say(id="odd", method="a/request/of/the/future", params={})
    say(id=4712, method="item/commandExecution/requestApproval", params={"itemId": "nobody-asked", "command": "rm"})
    notify("long", text="x" * (32 * 1024 * 1024))
    write(b'{"method": "half a li')
    write(b"ne\n")


def hook() -> dict[str, Any]:
    """Our own hook, as the real one lists it."""
    (text,) = (word.partition("=")[2] for word in sys.argv if word.startswith("hooks.PreToolUse="))
    command = tomllib.loads(f"hooks = {text}")["hooks"][0]["hooks"][0]["command"]
    return {"key": "k", "currentHash": "h", "source": "sessionFlags", "enabled": True, "command": command}


def first_time() -> bool:
    try:
        Path("has-died").touch(exist_ok=False)
    except FileExistsError:
        return False
    return True


def flood() -> None:
    for _ in range(128):
        os.write(2, b"e" * 65536)


def notify(method: str, **params: object) -> None:
    say(method=method, params={"threadId": THREAD, "turnId": TURN, **params})


def say(**message: object) -> None:
    write(json.dumps(message).encode() + b"\n")


def write(data: bytes) -> None:
    while data:
        data = data[os.write(1, data) :]


if __name__ == "__main__":
    main()
