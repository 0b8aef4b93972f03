"""OKLCH, in which equal steps look equal, as the sRGB that everybody can show."""

from __future__ import annotations

import math

_HALVINGS = 12


def srgb_hex(lightness: float, chroma: float, hue: float) -> str:
    """`#rrggbb` for lightness 0 to 1, chroma from 0 and hue in degrees; a colour that sRGB lacks loses chroma, nothing else.

    The matrices are those of Björn Ottosson's "A perceptual color space for image processing".
    """
    low, high = 0.0, chroma
    linear = _linear_srgb(lightness, chroma, hue)
    if not _is_possible(linear):
        for _ in range(_HALVINGS):
            middle = (low + high) / 2
            low, high = (middle, high) if _is_possible(_linear_srgb(lightness, middle, hue)) else (low, middle)
        linear = _linear_srgb(lightness, low, hue)
    return "#" + "".join(f"{round(_encoded(min(max(value, 0.0), 1.0)) * 255):02x}" for value in linear)


def _linear_srgb(lightness: float, chroma: float, hue: float) -> tuple[float, float, float]:
    angle = math.radians(hue)
    a, b = chroma * math.cos(angle), chroma * math.sin(angle)
    long = (lightness + 0.3963377774 * a + 0.2158037573 * b) ** 3
    medium = (lightness - 0.1055613458 * a - 0.0638541728 * b) ** 3
    short = (lightness - 0.0894841775 * a - 1.2914855480 * b) ** 3
    return (
        4.0767416621 * long - 3.3077115913 * medium + 0.2309699292 * short,
        -1.2684380046 * long + 2.6097574011 * medium - 0.3413193965 * short,
        -0.0041960863 * long - 0.7034186147 * medium + 1.7076147010 * short,
    )


def _is_possible(linear: tuple[float, float, float]) -> bool:
    return all(-0.0005 <= value <= 1.0005 for value in linear)


def _encoded(linear: float) -> float:
    return 12.92 * linear if linear <= 0.0031308 else 1.055 * linear ** (1 / 2.4) - 0.055
