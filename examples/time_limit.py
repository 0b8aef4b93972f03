"""Give the agent a number of seconds, then stop it and keep what it has said.

SYGEN_URL=http://127.0.0.1:8741 SYGEN_TOKEN=... python examples/time_limit.py 5 "Tell me a long story."
"""

import asyncio
import os
import sys

from sygen_bot.client import Gateway, Result, connect


async def stop_after(gateway: Gateway, seconds: float) -> None:
    await asyncio.sleep(seconds)
    await gateway.abort(channel_only=True)


async def main() -> None:
    seconds, question = float(sys.argv[1]), " ".join(sys.argv[2:])
    async with connect(os.environ["SYGEN_URL"], os.environ["SYGEN_TOKEN"]) as gateway:
        timer = asyncio.create_task(stop_after(gateway, seconds))
        async for event in gateway.ask(question):
            if isinstance(event, Result):
                print(event.text, "(stopped)" if event.aborted else "")
        timer.cancel()


asyncio.run(main())
