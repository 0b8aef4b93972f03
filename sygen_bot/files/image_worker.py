"""The program that opens pictures: `image_worker.py JOB`, run by `ImageScaler`, one process for each picture.

A picture is hostile input to native code. Here it can take no more time and memory than it is given, and a crash is its own.
This imports nothing of the gateway, and Pillow only when it is run. It says how it went by its exit code, an `Outcome`.
"""

from __future__ import annotations

import contextlib
import enum
import io
import json
import os
import resource
import signal
import stat
import struct
import sys
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypedDict

if TYPE_CHECKING:
    from PIL import Image

FORMATS: Final = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF")
"""What is opened at all: raster formats."""

_JPEG: Final = b"\xff\xd8\xff"
_JPEG_ALLOWANCE: Final = 4  # so many times the pixels: a JPEG can be decoded in a smaller size
_TWIN_JPEG: Final = "MPO"  # as phones make them: a JPEG with a second picture in it, for depth or for a preview
_MAX_OUTPUT_BYTES: Final = 512 * 1024 * 1024
_MAX_PROFILE_BYTES: Final = 64 * 1024  # of a screen's or camera's: under 4 KiB; those of printers reach megabytes
_MAX_WEBP_SIDE: Final = 16_383
_NICENESS: Final = 5  # the gateway goes first where cores are few
_ORIENTATION: Final = 0x0112
_WRONG_METADATA: Final = (OSError, SyntaxError, ValueError, TypeError, LookupError, ArithmeticError, struct.error)


class Outcome(enum.IntEnum):
    """How it went. Anything else that the process ends with is a failure of its own."""

    WRITTEN = 0
    SMALL_ENOUGH = 10
    ANIMATED = 11  # or of several pages
    UNREADABLE = 12
    TOO_MANY_PIXELS = 13


class Job(TypedDict):
    """`side`: pixels. With `is_avatar` the first frame is cut to a centred square of at most that, else the picture fits into one."""

    source: str
    target: str
    format: str
    quality: int
    side: int
    is_avatar: bool
    max_pixels: int
    max_memory_bytes: int
    timeout_s: float


def main(argument: str) -> int:
    """Do one job. The target is written only when all went well."""
    job: Job = json.loads(argument)
    _limit(job)
    from PIL import AvifImagePlugin, Image

    AvifImagePlugin.DEFAULT_MAX_THREADS = 1  # each would reserve memory of its own
    warnings.simplefilter("ignore")
    warnings.simplefilter("error", Image.DecompressionBombWarning)
    try:
        content = _converted(job)
    except (Image.DecompressionBombWarning, Image.DecompressionBombError, MemoryError):
        return Outcome.TOO_MANY_PIXELS
    except Exception:  # noqa: BLE001 - the process ends here, and what a file can make Pillow raise is open-ended
        return Outcome.UNREADABLE
    if isinstance(content, Outcome):
        return content
    Path(job["target"]).write_bytes(content)
    return Outcome.WRITTEN


def _limit(job: Job) -> None:
    """Bounds that hold even when the gateway is gone. Systems that lack one go without it."""
    seconds = int(job["timeout_s"]) + 1
    bounds = {
        resource.RLIMIT_CPU: seconds,
        resource.RLIMIT_AS: job["max_memory_bytes"],
        resource.RLIMIT_FSIZE: _MAX_OUTPUT_BYTES,
        resource.RLIMIT_CORE: 0,
    }
    for kind, value in bounds.items():
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(kind, (value, value))
    signal.setitimer(signal.ITIMER_REAL, seconds + 1)
    os.umask(0o077)
    with contextlib.suppress(OSError):
        os.nice(_NICENESS)


def _converted(job: Job) -> bytes | Outcome:
    from PIL import Image

    # Not blocking on a FIFO; what is no regular file is no picture.
    number = os.open(job["source"], os.O_RDONLY | os.O_NONBLOCK)
    with os.fdopen(number, "rb") as file:
        if not stat.S_ISREG(os.fstat(number).st_mode):
            return Outcome.UNREADABLE
        is_jpeg = file.peek(len(_JPEG)).startswith(_JPEG)
        Image.MAX_IMAGE_PIXELS = job["max_pixels"] * (_JPEG_ALLOWANCE if is_jpeg else 1)
        with Image.open(file, formats=FORMATS) as image:
            if job["is_avatar"]:
                return _encoded(*_square(image, job), job)
            side = min(job["side"], _MAX_WEBP_SIDE) if job["format"] == "webp" else job["side"]
            if max(image.size) <= side:
                return Outcome.SMALL_ENOUGH
            if image.format != _TWIN_JPEG and getattr(image, "is_animated", False):
                return Outcome.ANIMATED
            return _encoded(*_fitted(image, side, job), job)


def _fitted(image: Image.Image, side: int, job: Job) -> tuple[Image.Image, bytes]:
    width, height = image.size
    scale = side / max(width, height)
    size = max(round(width * scale), 1), max(round(height * scale), 1)
    _load(image, (size[0] * 2, size[1] * 2), job)
    return _resized(image, size, None)


def _square(image: Image.Image, job: Job) -> tuple[Image.Image, bytes]:
    short = min(image.size)
    side = min(job["side"], short)
    _load(image, (image.width * side * 2 // short, image.height * side * 2 // short), job)
    width, height = image.size
    short = min(width, height)
    left, top = (width - short) // 2, (height - short) // 2
    return _resized(image, (side, side), (left, top, left + short, top + short))


def _load(image: Image.Image, enough: tuple[int, int], job: Job) -> None:
    """Decode it, a JPEG in a smaller size if that is `enough`."""
    from PIL import Image

    image.draft(None, enough)
    if image.width * image.height > job["max_pixels"]:
        raise Image.DecompressionBombError
    image.load()


def _resized(
    image: Image.Image, size: tuple[int, int], box: tuple[int, int, int, int] | None
) -> tuple[Image.Image, bytes]:
    """That part of the picture in that size, upright; and its colour profile, empty for sRGB."""
    from PIL import Image

    turns: dict[object, Image.Transpose] = {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_270,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_90,
    }
    turn = turns.get(_orientation(image))
    coloured, profile = _in_rgb(image)
    result = coloured.resize(size, Image.Resampling.LANCZOS, box=box, reducing_gap=2.0)
    return result if turn is None else result.transpose(turn), profile


def _orientation(image: Image.Image) -> object:
    try:
        return image.getexif().get(_ORIENTATION)
    except _WRONG_METADATA:
        return None


def _in_rgb(image: Image.Image) -> tuple[Image.Image, bytes]:
    """The picture in RGB or RGBA, eight bits a channel, and the profile that its colours are in."""
    given = image.info.get("icc_profile")
    profile = given if isinstance(given, bytes) else b""
    if image.mode.startswith("I;16"):  # a plain conversion would cut off all that is brighter than 1/256
        return image.convert("I").point(lambda value: value * (1 / 256)).convert("L").convert("RGB"), b""
    if image.mode in ("I", "F"):
        raise ValueError("measurements, not a picture: nothing says what is white")
    if image.mode == "CMYK" or (image.mode == "RGB" and len(profile) > _MAX_PROFILE_BYTES):
        return _in_srgb(image, profile), b""
    mode = "RGBA" if image.has_transparency_data else "RGB"
    coloured = image if image.mode == mode else image.convert(mode)  # a copy of a large picture is large
    fits = profile[16:20] == b"RGB " and image.mode not in ("L", "LA", "La", "1")
    return coloured, profile if fits and len(profile) <= _MAX_PROFILE_BYTES else b""


def _in_srgb(image: Image.Image, profile: bytes) -> Image.Image:
    from PIL import ImageCms

    if profile:
        try:
            source, srgb = ImageCms.ImageCmsProfile(io.BytesIO(profile)), ImageCms.createProfile("sRGB")
            if (converted := ImageCms.profileToProfile(image, source, srgb, outputMode="RGB")) is not None:
                return converted
        except (ImageCms.PyCMSError, *_WRONG_METADATA):
            pass  # a profile that cannot be used is none
    return image.convert("RGB")


def _encoded(image: Image.Image, profile: bytes, job: Job) -> bytes:
    from PIL import Image

    if job["format"] == "jpeg" and image.mode == "RGBA":
        ground = Image.new("RGBA", image.size, "white")
        image = Image.alpha_composite(ground, image).convert("RGB")
    image.info = {}  # comments, places, thumbnails: nothing of it is for others
    options: dict[str, Any] = {
        "webp": {"quality": job["quality"], "method": 4},
        "jpeg": {"quality": job["quality"], "optimize": True, "progressive": True},
        "png": {},
    }[job["format"]]
    out = io.BytesIO()
    image.save(out, job["format"], icc_profile=profile or None, **options)
    return out.getvalue()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
