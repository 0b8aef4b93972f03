"""The program that holds the local model: `local_worker.py WEIGHTS`, run by `LocalProvider` under the guard.

It is a process of its own so that a crash in native code does not take the gateway down, and so that generating does not
hold the gateway's interpreter lock. It imports nothing of the gateway: what it says is one JSON object a line.

    stdin   {"op": "generate", "id": 1, "messages": [...], "max_tokens": 512, "room": 512}
            {"op": "cancel", "id": 1}
    stdout  {"ready": true} once, or {"fatal": "why"} and the end
            {"id": 1, "reading": tokens that must be read before the answer begins}
            {"id": 1, "delta": "text"} ...
            {"id": 1, "end": "stop" | "length" | "cancelled", "usage": [prompt tokens, answer tokens]}
            {"id": 1, "error": "why", "too_long": true if the messages leave less than `room` tokens of the context}
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import sys
import threading
from collections.abc import Iterator
from typing import Any

CONTEXT_TOKENS = 2048
"""What the model was trained to see at once, its answer included."""
PARALLEL = 2
"""Answers at a time. Each place costs 46 MB; the tokens per second are shared, none are lost."""

# Chosen by reading answers: a model this small wanders off above this temperature, repeats itself without the penalty, and
# at a higher one stops repeating what it should, such as the name of the person it talks to.
_SAMPLING = {"temperature": 0.2, "top_p": 0.9, "top_k": 40, "repeat_penalty": 1.05}
_PROMPT_BATCH = 64  # tokens read between two looks at whether to go on, and before the other answer gets its next token
_PROMPT_CACHE_MIB = 64  # about three full contexts of other conversations, so that they need not be read again
_NICENESS = 5  # the gateway goes first where cores are few


def main(weights: str) -> int:
    """Serve requests until stdin ends."""
    answers = _Answers()
    try:
        with contextlib.suppress(OSError):
            os.nice(_NICENESS)
        server = _load(weights)
    except Exception as error:  # noqa: BLE001 - the process ends here
        answers.send({"fatal": f"{type(error).__name__}: {error}"})
        return 1
    answers.send({"ready": True})
    generations: dict[int, _Generation] = {}

    def generate(request: dict[str, Any]) -> None:
        generations[request["id"]].run(server)
        del generations[request["id"]]

    for line in sys.stdin.buffer:
        request = json.loads(line)
        if request["op"] == "generate":
            generations[request["id"]] = _Generation(request, answers)
            threading.Thread(target=generate, args=(request,), daemon=True).start()
        elif generation := generations.get(request["id"]):
            generation.cancelled.set()
    os._exit(0)  # not return: threads may be in the middle of native code


class _Answers:
    """What used to be stdout. Native code that prints to descriptor 1 now prints to stderr."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._file = os.fdopen(os.dup(1), "wb", buffering=0)
        os.dup2(2, 1)

    def send(self, answer: dict[str, object]) -> None:
        line = json.dumps(answer).encode() + b"\n"
        with self._lock, contextlib.suppress(BrokenPipeError):
            self._file.write(line)


def _load(weights: str) -> Any:
    import xllamacpp

    parameters = xllamacpp.CommonParams()
    parameters.model.path = weights
    parameters.n_ctx = PARALLEL * CONTEXT_TOKENS
    parameters.n_parallel = PARALLEL
    parameters.n_batch = parameters.n_ubatch = _PROMPT_BATCH
    parameters.cpuparams.n_threads = parameters.cpuparams_batch.n_threads = max(_cores() - 1, 1)
    parameters.n_gpu_layers = 0
    parameters.cache_ram_mib = _PROMPT_CACHE_MIB
    parameters.verbosity = 0
    with _no_listener(parameters):
        return xllamacpp.Server(parameters)


@contextlib.contextmanager
def _no_listener(parameters: Any) -> Iterator[None]:
    """The library insists on serving HTTP: it gets a socket file, which is gone, and a key, which nobody knows."""
    path = f"model-{os.getpid()}.sock"  # relative to the private working directory: absolute ones may be too long
    parameters.hostnames = [path]
    parameters.api_keys = [secrets.token_hex(32)]
    parameters.n_threads_http = 1
    parameters.ui = parameters.endpoint_slots = False
    try:
        yield
    finally:
        with contextlib.suppress(OSError):
            os.unlink(path)  # noqa: PTH108 - this program imports little


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class _Generation:
    """One request, from its first chunk to its end."""

    def __init__(self, request: dict[str, Any], answers: _Answers) -> None:
        self.cancelled = threading.Event()
        self._request, self._answers = request, answers
        self._usage = [0, 0]
        self._end: dict[str, object] = {"end": "cancelled"}

    def run(self, server: Any) -> None:
        try:
            server.handle_chat_completions(
                {
                    "messages": self._request["messages"],
                    "max_tokens": self._request["max_tokens"],
                    "stream": True,
                    "stream_options": {"include_usage": True},
                    "return_progress": True,
                    **_SAMPLING,
                },
                self._hear,
            )
        except Exception as error:  # noqa: BLE001 - the request's thread ends here
            self._end = {"error": f"{type(error).__name__}: {error}"}
        self._send(**self._end, usage=self._usage)

    def _hear(self, chunk: Any) -> bool:
        """Told everything, first how long the prompt is and how far it was read. True stops the generation."""
        if progress := chunk.get("prompt_progress"):
            if progress["total"] > CONTEXT_TOKENS - self._request["room"]:
                self._end = _TOO_LONG
                return True
            if not progress["time_ms"]:
                self._send(reading=progress["total"] - progress["cache"])
        if error := chunk.get("error"):
            is_too_long = error.get("type") == "exceed_context_size_error"
            self._end = _TOO_LONG if is_too_long else {"error": str(error.get("message"))}
        if counts := chunk.get("usage"):
            self._usage = [counts["prompt_tokens"], counts["completion_tokens"]]
        for choice in chunk.get("choices", ()):
            if text := choice["delta"].get("content"):
                self._send(delta=text)
            if reason := choice.get("finish_reason"):
                self._end = {"end": reason}
        return self.cancelled.is_set()

    def _send(self, **answer: object) -> None:
        self._answers.send({"id": self._request["id"], **answer})


_TOO_LONG: dict[str, object] = {"error": "the messages do not fit into the context", "too_long": True}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
