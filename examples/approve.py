"""Say no to every use of a tool that has `rm` in it, whatever conversation asks. Everything else is left to people.

SYGEN_URL=http://127.0.0.1:8741 SYGEN_TOKEN=... python examples/approve.py
"""

import asyncio
import os
import re
import sys

from sygen_bot.client import ApprovalRequest, TooLate, connect


async def main() -> None:
    async with connect(
        os.environ["SYGEN_URL"], os.environ["SYGEN_TOKEN"], approvals=True, device="no removing"
    ) as gateway:
        print("watching", file=sys.stderr, flush=True)
        async for event in gateway.approvals.follow():
            if isinstance(event, ApprovalRequest) and re.search(r"\brm\b", str(event.input)):
                try:
                    await gateway.approvals.answer(event.id, "deny")
                except TooLate:  # somebody else was faster
                    continue
                print(f"denied: {event.tool}: {event.summary}", flush=True)


asyncio.run(main())
