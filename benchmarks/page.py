"""What the page adds: from the arrival of a delta in the browser to the moment its text is drawn, while 2,000 arrive a second.

A model on loopback streams at that pace through a real gateway to the real page in Chromium. The page is watched from before its
first script on: when frames arrive, what text there is after each frame that is drawn, and which tasks took longer than 50 ms.
"""

from __future__ import annotations

import asyncio
import json
import time
from asyncio.subprocess import DEVNULL
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from playwright.async_api import Page, async_playwright

from benchmarks.gateway import gateway
from benchmarks.samples import milliseconds
from tests.fakes.model_api import ModelApi, Request, head, send

PER_SECOND: Final = 2_000
SECONDS: Final = 3
DELTAS: Final = PER_SECOND * SECONDS
RUNS: Final = 3
TARGETS: Final = {"delta_ms": 30, "task_ms": 100}
_PROBE: Final = Path(__file__).with_name("probe.js")
_PATIENCE_S: Final = 20
_CHROMIUM: Final = "/usr/bin/chromium"
_FLAGS: Final = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--window-size=1280,800",
]


class _PacedModel(ModelApi[Request]):
    """An endpoint that says one numbered delta of 40 characters after the other, as Markdown, at its pace."""

    request_type = Request

    async def answer(self, request: Request, writer: asyncio.StreamWriter) -> None:
        if request.method == "GET":
            models = json.dumps({"object": "list", "data": [{"id": "paced", "object": "model"}]})
            return await send(writer, 200, "application/json", models.encode())
        writer.write(head(200, "text/event-stream") + b"\r\n")
        began = time.perf_counter()
        first, end = map(int, request.body["messages"][-1]["content"].split())
        said = first
        while said < end:
            due = min(end, first + int((time.perf_counter() - began) * PER_SECOND) + 1)
            for number in range(said, due):
                writer.write(_chunk({"content": _delta(number)}))
            said = due
            await writer.drain()
            await asyncio.sleep(0.0005)
        writer.write(_chunk({}, "stop") + b"data: [DONE]\n\n")
        await writer.drain()
        return None


def _chunk(delta: dict[str, str], reason: str | None = None) -> bytes:
    choices = [{"index": 0, "delta": delta, "finish_reason": reason}]
    return b"data: " + json.dumps({"object": "chat.completion.chunk", "choices": choices}).encode() + b"\n\n"


def _delta(number: int) -> str:
    """40 characters: words, something strong, and the end of a paragraph now and then."""
    end = "\n\n" if number % 12 == 11 else " "
    return f"#{number}# **strong** and `code`".ljust(40 - len(end), "x") + end


def run() -> dict[str, Any]:
    """Rows of `RUNS` answers."""
    return {"targets": TARGETS, "per_second": PER_SECOND, "seconds": SECONDS, "rows": asyncio.run(_measure())}


async def _measure() -> list[dict[str, Any]]:
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="sygen-benchmark-")))
        model = await stack.enter_async_context(_PacedModel())
        home = folder / "home"
        (home / "config").mkdir(parents=True, mode=0o700)
        settings = {"providers": {"paced": {"kind": "openai", "base_url": f"{model.url}/v1"}}}
        (home / "config" / "config.json").write_text(json.dumps(settings))
        running = await asyncio.to_thread(stack.enter_context, gateway("--provider", "paced", home=home))
        chromium = await stack.enter_async_context(_chromium(folder / "profile"))
        address = f"http://127.0.0.1:{running.port}/#token={running.token}"
        return [await _answer(chromium, address, run * DELTAS) for run in range(RUNS)]


@asynccontextmanager
async def _chromium(profile: Path) -> AsyncIterator[str]:
    """Where a browser listens that somebody can watch, or not."""
    flags = [*_FLAGS, "--headless=new", "--remote-debugging-port=0", f"--user-data-dir={profile}"]
    process = await asyncio.create_subprocess_exec(
        _CHROMIUM, *flags, "about:blank", stdin=DEVNULL, stdout=DEVNULL, stderr=DEVNULL
    )
    try:
        async with asyncio.timeout(_PATIENCE_S):
            while not (said := profile / "DevToolsActivePort").exists() or "\n" not in said.read_text():
                await asyncio.sleep(0.05)
        yield f"http://127.0.0.1:{said.read_text().splitlines()[0]}"
    finally:
        process.terminate()
        await process.wait()


@asynccontextmanager
async def _watched(chromium: str) -> AsyncIterator[Page]:
    """The page of that browser, while somebody watches it."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.connect_over_cdp(chromium)
        yield browser.contexts[0].pages[0]
        await browser.close()  # it goes on unwatched


async def _answer(chromium: str, address: str, first: int) -> dict[str, Any]:
    """One answer, its deltas numbered from `first` on; raises RuntimeError if not all of it arrived and was drawn.

    The page has drawn the answers before it when this one begins. Nobody watches meanwhile: each frame of a socket that is watched
    costs the page more than the frame.
    """
    async with _watched(chromium) as page:
        await page.add_init_script(path=_PROBE)
        await page.goto("about:blank")
        await page.goto(address)
        await page.get_by_role("textbox", name="Message").wait_for()
        if first > 0:
            await page.wait_for_function("last => probe.seen.at(-1)?.[1] === last", arg=first - 1)
        await page.evaluate("text => probe.begin(text)", f"{first} {first + DELTAS}")
    await asyncio.sleep(SECONDS + 3)
    async with _watched(chromium) as page:
        await page.wait_for_function(
            "last => probe.seen.at(-1)?.[1] === last && !document.querySelector('[aria-busy=true]')",
            arg=first + DELTAS - 1,
        )
        probe = await page.evaluate("() => probe.end()")
    if [number for _, number in probe["arrivals"]] != list(range(first, first + DELTAS)):
        raise RuntimeError("not every delta arrived once and in its order")
    arrivals = [at for at, _ in probe["arrivals"]]
    waits, seen = list[float](), iter(probe["seen"])
    drawn, marker = next(seen)
    for number, arrived in enumerate(arrivals, first):
        while marker < number:
            drawn, marker = next(seen)
        waits.append((drawn - arrived) / 1000)
    span = (arrivals[-1] - arrivals[0]) / 1000
    return {
        "per_second": round(DELTAS / span),
        "frames_drawn": len(probe["seen"]),
        "delta_ms": milliseconds(waits),
        "long_tasks": len(probe["long"]),
        "task_ms": round(max(probe["long"], default=0)),
    }
