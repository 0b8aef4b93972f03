"""What an upload of 50 MB costs the others: the server's memory, and how late the deltas of a session come meanwhile."""

from __future__ import annotations

import asyncio
import itertools
import sys
import time
from pathlib import Path
from typing import Any, Final

import uvloop

from benchmarks import machine
from benchmarks.gateway import Running, gateway
from benchmarks.samples import milliseconds, spread
from benchmarks.wire import Wire, connect

MEGABYTES: Final = 50
RUNS: Final = 3
UPLOADS: Final = 3
"""One after another in each run: a single one takes less time than there are deltas to be late."""
PACE_S: Final = 0.01
TARGET_MIB: Final = 8
TARGET_MS: Final = 20
_SENDER: Final = """
import http.client, os, sys, time
port, token, size = int(sys.argv[1]), sys.argv[2], int(sys.argv[3])
head = b'--b\\r\\nContent-Disposition: form-data; name="file"; filename="big.bin"\\r\\n\\r\\n'
tail = b"\\r\\n--b--\\r\\n"
line = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
line.putrequest("POST", "/upload")
line.putheader("Authorization", f"Bearer {token}")
line.putheader("Content-Type", "multipart/form-data; boundary=b")
line.putheader("Content-Length", str(len(head) + size + len(tail)))
line.endheaders(head)
block = os.urandom(65536)
for start in range(0, size, 65536):
    line.send(block[: min(65536, size - start)])
line.send(tail)
answer = line.getresponse()
sys.exit(answer.status != 200 or b"big" not in answer.read())
"""


def run() -> dict[str, Any]:
    """A session that says something every 10 ms, alone and beside uploads, taking turns in one gateway."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        samples = [runner.run(_measure()) for _ in range(RUNS)]
    rows = {
        name: {
            "late_ms": milliseconds([late for sample in samples for late in sample[name]["late"]]),
            "seconds": spread([sample[name]["seconds"] for sample in samples], 2),
        }
        for name in ("alone", "beside uploads")
    }
    more = spread([sample["more_mib"] for sample in samples], 1)
    return {
        "megabytes": MEGABYTES,
        "uploads": UPLOADS,
        "runs": RUNS,
        "pace_ms": PACE_S * 1000,
        "target_mib": TARGET_MIB,
        "target_ms": TARGET_MS,
        "more_mib": more,
        "rows": rows,
    }


async def _measure() -> dict[str, Any]:
    with gateway("--provider", "scripted") as server:
        talking = await connect(server.port, token=server.token, chat_id=1)
        await _listen(talking, 20)
        await _send(server, 1024)  # what the first upload loads is no cost of this one's size
        alone = await _beside(talking, asyncio.sleep(2.0))
        before = machine.status_kib(server.pid, "VmRSS")
        _forget_peak(server)
        beside = await _beside(talking, _uploads(server))
        more = (machine.status_kib(server.pid, "VmHWM") - before) / 1024
        talking.close()
        await asyncio.sleep(0.05)
        return {"alone": alone, "beside uploads": beside, "more_mib": more}


async def _beside(talking: Wire, work: Any) -> dict[str, Any]:
    """How late each delta of a paced answer comes after the one before it, in seconds over the pace, while `work` is done."""
    began = time.perf_counter()
    working = asyncio.ensure_future(work)
    late: list[float] = []
    while not working.done():
        late += await _listen(talking, 50)
    await working
    return {"late": late, "seconds": time.perf_counter() - began}


async def _listen(talking: Wire, deltas: int) -> list[float]:
    talking.send(type="message", text=f"SLOW {deltas} {PACE_S}")
    times: list[float] = []
    while True:
        event, when = await talking.event_of("text_delta", "result")
        if event["type"] == "result":
            return [max(0.0, later - before - PACE_S) for before, later in itertools.pairwise(times)]
        times.append(when)


async def _uploads(server: Running) -> None:
    for _ in range(UPLOADS):
        await _send(server, MEGABYTES * 1024 * 1024)


async def _send(server: Running, size: int) -> None:
    """From a process of its own, so that the one that measures is not busy with it."""
    arguments = (str(server.port), server.token, str(size))
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", _SENDER, *arguments)
    if await process.wait():
        raise RuntimeError("the upload was refused")


def _forget_peak(server: Running) -> None:
    """From here on VmHWM is the most since now (proc(5))."""
    Path(f"/proc/{server.pid}/clear_refs").write_text("5")
