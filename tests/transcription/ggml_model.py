"""Weights for whisper.cpp, made from those that faster-whisper reads: the same numbers in another order.

Formats: CTranslate2 `model.bin` of version 6, and what whisper.cpp's `convert-pt-to-ggml.py` writes.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, Final

import numpy as np
from faster_whisper.feature_extractor import FeatureExtractor  # type: ignore[import-untyped]

Array = np.ndarray[Any, np.dtype[Any]]

_MAGIC: Final = 0x67676D6C
_CHUNKS, _SAMPLES, _MELS = 1500, 400, 80
_TYPES: Final = {0: np.float32, 1: np.int8, 2: np.int16, 3: np.int32, 4: np.float16}
_TEXT_TOKENS: Final = 50_257  # those of GPT-2, the end of text included; whisper.cpp adds the others itself


def convert(model: Path, target: Path) -> Path:
    """Write the English model in the directory `model` as the ggml file `target`."""
    have = dict(_read(model / "model.bin"))
    layers = sum(name.startswith("encoder/layer_") and name.endswith("ffn/linear_0/weight") for name in have)
    tokens, width = have["decoder/embeddings/weight"].shape
    heads, context = width // 64, have["decoder/position_encodings/encodings"].shape[0]
    with target.open("wb") as out:
        sizes = (tokens, _CHUNKS, width, heads, layers, context, width, heads, layers, _MELS, 1)
        out.write(struct.pack("<12i", _MAGIC, *sizes))
        mels = np.asarray(FeatureExtractor().mel_filters, np.float32)
        out.write(struct.pack("<2i", *mels.shape) + mels.tobytes())
        _write_vocabulary(model / "tokenizer.json", out)
        for name, tensor in _renamed(have, layers):
            _write(out, name, tensor)
    return target


def _read(file: Path) -> Iterator[tuple[str, Array]]:
    content = memoryview(file.read_bytes())
    place = 0

    def take(form: str) -> Any:
        nonlocal place
        values = struct.unpack_from(f"<{form}", content, place)
        place += struct.calcsize(f"<{form}")
        return values[0]

    def name() -> str:
        nonlocal place
        length = take("H")
        place += length
        return bytes(content[place - length : place]).rstrip(b"\0").decode()

    assert take("I") == 6
    name()
    take("I")
    for _ in range(take("I")):
        called, shape = name(), [0] * take("B")
        shape = [take("I") for _ in shape]
        kind, size = _TYPES[take("B")], take("I")
        yield called, np.frombuffer(content[place : place + size], kind).reshape(shape)
        place += size


def _renamed(have: dict[str, Array], layers: int) -> Iterator[tuple[str, Array]]:
    for number in (1, 2):
        yield f"encoder.conv{number}.weight", have[f"encoder/conv{number}/weight"]
        yield f"encoder.conv{number}.bias", have[f"encoder/conv{number}/bias"].reshape(-1, 1)
    yield "decoder.token_embedding.weight", have["decoder/embeddings/weight"]
    for half, last in (("encoder", "ln_post"), ("decoder", "ln")):
        yield f"{half}.positional_embedding", have[f"{half}/position_encodings/encodings"].astype(np.float32)
        yield from _norm(have, f"{half}/layer_norm", f"{half}.{last}")
        for number in range(layers):
            yield from _layer(have, f"{half}/layer_{number}", f"{half}.blocks.{number}")


def _layer(have: dict[str, Array], old: str, new: str) -> Iterator[tuple[str, Array]]:
    yield from _norm(have, f"{old}/self_attention/layer_norm", f"{new}.attn_ln")
    yield from _attention(have, f"{old}/self_attention", f"{new}.attn", [("query", "key", "value"), ("out",)])
    if f"{old}/attention/linear_0/weight" in have:
        yield from _norm(have, f"{old}/attention/layer_norm", f"{new}.cross_attn_ln")
        parts = [("query",), ("key", "value"), ("out",)]
        yield from _attention(have, f"{old}/attention", f"{new}.cross_attn", parts)
    yield from _norm(have, f"{old}/ffn/layer_norm", f"{new}.mlp_ln")
    for number in (0, 1):
        for kind in ("weight", "bias"):
            yield f"{new}.mlp.{2 * number}.{kind}", have[f"{old}/ffn/linear_{number}/{kind}"]


def _attention(have: dict[str, Array], old: str, new: str, parts: list[tuple[str, ...]]) -> Iterator[tuple[str, Array]]:
    for number, names in enumerate(parts):
        for kind in ("weight", "bias"):
            pieces = np.split(have[f"{old}/linear_{number}/{kind}"], len(names))
            for name, piece in zip(names, pieces, strict=True):
                if (name, kind) != ("key", "bias"):
                    yield f"{new}.{name}.{kind}", piece


def _norm(have: dict[str, Array], old: str, new: str) -> Iterator[tuple[str, Array]]:
    yield f"{new}.weight", have[f"{old}/gamma"]
    yield f"{new}.bias", have[f"{old}/beta"]


def _write_vocabulary(tokenizer: Path, out: BinaryIO) -> None:
    known: dict[str, int] = json.loads(tokenizer.read_text("utf-8"))["model"]["vocab"]
    words = sorted((number, word) for word, number in known.items() if number < _TEXT_TOKENS)
    out.write(struct.pack("<i", len(words)))
    letters = _bytes_of_letters()
    for _, word in words:
        spelled = bytes(letters[letter] for letter in word) if all(letter in letters for letter in word) else b""
        out.write(struct.pack("<i", len(spelled)) + spelled)


def _bytes_of_letters() -> dict[str, int]:
    """GPT-2 spells every byte with a letter that can be printed."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in printable]
    return {chr(byte): byte for byte in printable} | {chr(256 + place): byte for place, byte in enumerate(others)}


def _write(out: BinaryIO, name: str, tensor: Array) -> None:
    is_small = tensor.ndim < 2 or name.endswith((".bias", "positional_embedding"))
    data = tensor.astype(np.float32 if is_small else np.float16)
    spelled = name.encode()
    out.write(struct.pack("<3i", data.ndim, len(spelled), 0 if is_small else 1))
    out.write(struct.pack(f"<{data.ndim}i", *reversed(data.shape)) + spelled)
    out.write(data.tobytes())
