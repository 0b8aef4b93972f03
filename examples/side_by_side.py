"""Put one question to every provider that can run, at the same time, each in a channel of its own.

SYGEN_URL=http://127.0.0.1:8741 SYGEN_TOKEN=... python examples/side_by_side.py "Name a prime number."
"""

import asyncio
import os
import sys

from sygen_bot.client import Result, connect

URL, TOKEN = os.environ["SYGEN_URL"], os.environ["SYGEN_TOKEN"]


async def answer_of(provider: str, channel_id: int, question: str) -> str:
    async with connect(URL, TOKEN, channel_id=channel_id) as gateway:
        async for event in gateway.ask(f"@{provider} {question}"):
            if isinstance(event, Result):
                return event.text
    return ""


async def main() -> None:
    question = " ".join(sys.argv[1:]) or "hello"
    async with connect(URL, TOKEN) as gateway:
        names = [provider.id for provider in gateway.hello.providers]
    answers = await asyncio.gather(*(answer_of(name, 1000 + n, question) for n, name in enumerate(names)))
    for name, answer in zip(names, answers, strict=True):
        print(f"{name}: {answer}")


asyncio.run(main())
