"""Ask one question and print the answer as it comes.

SYGEN_URL=http://127.0.0.1:8741 SYGEN_TOKEN=... python examples/ask.py "What is in this folder?"
"""

import asyncio
import os
import sys

from sygen_bot.client import TextDelta, ToolActivity, connect


async def main() -> None:
    async with connect(os.environ["SYGEN_URL"], os.environ["SYGEN_TOKEN"]) as gateway:
        async for event in gateway.ask(" ".join(sys.argv[1:]) or "hello"):
            if isinstance(event, ToolActivity):
                print(f"[{event.name}]", file=sys.stderr)
            elif isinstance(event, TextDelta):
                print(event.data, end="", flush=True)
        print()


asyncio.run(main())
