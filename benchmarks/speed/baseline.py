"""The baseline: an encrypted stream as one would write it first, with aiohttp, `json` and `nacl.public.Box`. Frozen.

It speaks as much of the protocol as the load client needs: the first frame with token and key, `BURST n`, `TICK n` and
`PACE n seconds` as messages, `text_delta` and `result` as events; whoever names the same chat hears the same. No queue, no log,
no storage, no limits. Compression is off. What it is compared with may change; this file and its libraries' versions do not
(`frozen.py`), so that ratios can be compared over the years.

`python baseline.py TOKEN` prints its port and serves until it is killed.
"""

from __future__ import annotations

import asyncio
import base64
import hmac
import json
import socket
import sys
import time
from collections import defaultdict
from collections.abc import AsyncIterator

from aiohttp import web
from nacl.public import Box, PrivateKey, PublicKey


class Client:
    """One encrypted connection."""

    def __init__(self, ws: web.WebSocketResponse, box: Box) -> None:
        self._ws = ws
        self._box = box

    async def send(self, event: dict[str, object]) -> None:
        await self._ws.send_str(base64.b64encode(self._box.encrypt(json.dumps(event).encode())).decode())

    def opened(self, frame: str) -> dict[str, str]:
        message: dict[str, str] = json.loads(self._box.decrypt(base64.b64decode(frame)))
        return message


async def agent(script: str) -> AsyncIterator[str]:
    """The words of the agent, in pieces of 40 characters."""
    kind, *numbers = script.split()
    count = int(numbers[0]) if kind in ("BURST", "TICK", "PACE") else 0
    started = time.monotonic()
    for index in range(count):
        if kind == "TICK":
            await asyncio.sleep(0)
        if kind == "PACE":
            await asyncio.sleep(max(0.0, started + index * float(numbers[1]) - time.monotonic()))
            yield f"{time.monotonic_ns():039d}\n"
        else:
            yield f"{index:039d}\n"


class Server:
    """All chats and who is in them."""

    def __init__(self, token: str) -> None:
        self._token = token
        self._chats: defaultdict[int, list[Client]] = defaultdict(list)
        self._turns: set[asyncio.Task[None]] = set()

    async def handle(self, request: web.Request) -> web.StreamResponse:
        ws = web.WebSocketResponse(compress=False)
        await ws.prepare(request)
        hello = json.loads(await ws.receive_str())
        if not hmac.compare_digest(hello["token"], self._token):
            await ws.close(code=1008)
            return ws
        private = PrivateKey.generate()
        client = Client(ws, Box(private, PublicKey(base64.b64decode(hello["e2e_pk"]))))
        public = base64.b64encode(bytes(private.public_key)).decode()
        await ws.send_str(json.dumps({"type": "auth_ok", "chat_id": hello["chat_id"], "e2e_pk": public}))
        chat = self._chats[hello["chat_id"]]
        chat.append(client)
        async for message in ws:
            turn = asyncio.create_task(self._answer(chat, client.opened(message.data)["text"]))
            self._turns.add(turn)
            turn.add_done_callback(self._turns.discard)
        chat.remove(client)
        return ws

    async def _answer(self, chat: list[Client], script: str) -> None:
        said = []
        async for piece in agent(script):
            said.append(piece)
            for client in chat:
                await client.send({"type": "text_delta", "data": piece})
        for client in chat:
            await client.send({"type": "result", "text": "".join(said), "stream_fallback": False})


async def serve(token: str) -> None:
    listener = socket.create_server(("127.0.0.1", 0), backlog=1024)
    app = web.Application()
    app.router.add_get("/ws", Server(token).handle)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.SockSite(runner, listener).start()
    print(listener.getsockname()[1], flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(serve(sys.argv[1]))
