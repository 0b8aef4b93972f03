"""Show the agent a file, or ask it aloud: a recording is asked, anything else is sent with the question.

SYGEN_URL=http://127.0.0.1:8741 SYGEN_TOKEN=... python examples/show_and_tell.py photo.jpg "What is this?"
SYGEN_URL=http://127.0.0.1:8741 SYGEN_TOKEN=... python examples/show_and_tell.py question.ogg
"""

import asyncio
import os
import sys

from sygen_bot.client import TextDelta, Transcript, connect

SOUNDS = (".aac", ".flac", ".m4a", ".mp3", ".oga", ".ogg", ".opus", ".wav", ".webm")


def show_progress(done: int, total: int | None) -> None:
    print(f"\r{done} of {total or '?'} bytes", end="", file=sys.stderr)


async def main() -> None:
    file, question = sys.argv[1], " ".join(sys.argv[2:])
    async with connect(os.environ["SYGEN_URL"], os.environ["SYGEN_TOKEN"]) as gateway:
        if file.endswith(SOUNDS):
            answer = gateway.ask_voice(file, on_progress=show_progress)
        else:
            uploaded = await gateway.upload(file, caption=question, on_progress=show_progress)
            answer = gateway.ask(uploaded.prompt)
        async for event in answer:
            if isinstance(event, Transcript):
                print(f"\nI heard: {event.text}", file=sys.stderr)
            elif isinstance(event, TextDelta):
                print(event.data, end="", flush=True)
        print()


asyncio.run(main())
