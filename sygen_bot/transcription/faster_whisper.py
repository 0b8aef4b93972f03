"""The program of the extra `whisper`: `python -m sygen_bot.transcription.faster_whisper [--model M] [--language L] FILE`.

A process of its own, so that it can be stopped at any moment and its memory is given back. It imports nothing of the gateway.
It writes {"text": "...", "duration": seconds} to stdout, or one line about what is wrong to stderr.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import json
import os
import sys
from pathlib import Path
from typing import Any

_NICENESS = 5  # the gateway goes first where cores are few


def main(arguments: list[str]) -> int:
    """Transcribe the file of the command line."""
    parser = argparse.ArgumentParser(prog="faster_whisper", description="Transcribe a recording with faster-whisper.")
    parser.add_argument("file", help="audio, or video with sound")
    parser.add_argument("--model", default="base", help="a name, or a directory with a CTranslate2 model")
    parser.add_argument("--language", help="as in `en`; without it the language is recognised")
    asked = parser.parse_args(arguments)
    with contextlib.suppress(OSError):
        os.nice(_NICENESS)
    try:
        # Without speech the model would make something up: the filter gives it only what is speech.
        pieces, about = _load(asked.model).transcribe(
            asked.file, language=asked.language, vad_filter=True, condition_on_previous_text=False
        )
        text = "".join(piece.text for piece in pieces)
    except Exception as error:  # noqa: BLE001 - the process ends here
        sys.stderr.write(f"{type(error).__name__}: {error}\n")
        return 1
    sys.stdout.write(json.dumps({"text": text.strip(), "duration": about.duration}))
    return 0


def _load(model: str) -> Any:
    is_here = Path(model).is_dir()
    if is_here:
        os.environ["HF_HUB_OFFLINE"] = "1"
    whisper_model = importlib.import_module("faster_whisper").WhisperModel
    try:
        return whisper_model(model, compute_type="auto", local_files_only=True)
    except Exception:
        if is_here:
            raise
        return whisper_model(model, compute_type="auto")  # it is not here yet: download it


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
