"""A picture for an agent that has none: soft colours and a figure of light, both from its name.

The name only feeds a hash. Nothing of it stands in the picture, so no name can put anything there.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Sequence
from typing import Final, TypeVar

from sygen_bot.agents.colours import srgb_hex

_T = TypeVar("_T")

_SIZE: Final = 256
_MIDDLE: Final = _SIZE // 2
_Colour = tuple[float, float, float]
_PALETTES: Final[tuple[tuple[_Colour, _Colour, _Colour, _Colour], ...]] = (
    ((0.55, 0.21, 275), (0.42, 0.19, 285), (0.78, 0.13, 230), (0.58, 0.25, 310)),  # indigo
    ((0.66, 0.21, 25), (0.52, 0.21, 0), (0.80, 0.15, 65), (0.52, 0.24, 340)),  # sunset
    ((0.62, 0.16, 240), (0.45, 0.15, 255), (0.82, 0.13, 195), (0.55, 0.20, 275)),  # ocean
    ((0.62, 0.15, 163), (0.46, 0.11, 185), (0.82, 0.17, 145), (0.50, 0.12, 220)),  # emerald
    ((0.58, 0.24, 305), (0.44, 0.21, 290), (0.76, 0.16, 340), (0.50, 0.22, 270)),  # grape
    ((0.67, 0.20, 5), (0.54, 0.23, 345), (0.83, 0.11, 40), (0.56, 0.25, 325)),  # rose
    ((0.70, 0.18, 46), (0.60, 0.20, 28), (0.85, 0.15, 82), (0.58, 0.22, 14)),  # amber
    ((0.64, 0.12, 200), (0.47, 0.11, 220), (0.83, 0.14, 168), (0.52, 0.15, 250)),  # lagoon
    ((0.60, 0.25, 335), (0.47, 0.22, 310), (0.76, 0.17, 15), (0.50, 0.24, 295)),  # orchid
    ((0.66, 0.14, 260), (0.53, 0.18, 280), (0.83, 0.10, 215), (0.62, 0.20, 305)),  # lavender
    ((0.56, 0.22, 20), (0.40, 0.17, 350), (0.74, 0.18, 46), (0.45, 0.20, 310)),  # ember
    ((0.48, 0.15, 265), (0.37, 0.13, 278), (0.80, 0.16, 168), (0.56, 0.24, 308)),  # aurora
    ((0.67, 0.17, 12), (0.52, 0.20, 300), (0.84, 0.12, 58), (0.54, 0.22, 282)),  # dusk
    ((0.68, 0.17, 138), (0.54, 0.14, 158), (0.87, 0.16, 112), (0.58, 0.12, 188)),  # spring
)
"""Lightness, chroma and hue: where the slope begins, where it ends, a light cloud, a deep one. Chosen by eye, since hues drawn
at random meet in grey and brown."""


def portrait(name: str) -> str:
    """An SVG of 256 by 256, the same for the same name: a full square, whose middle circle may be cut out."""
    dice = _Dice(name)
    figure = dice.one_of(_FIGURES)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_SIZE} {_SIZE}" width="{_SIZE}" height="{_SIZE}">'
        f'{_ground(dice)}<g fill="#fff">{figure(dice)}</g></svg>'
    )


class _Dice:
    """Numbers that look random and depend on the name alone."""

    def __init__(self, name: str) -> None:
        self._bytes = iter(hashlib.shake_256(name.encode("utf-8", "surrogatepass")).digest(64))

    def between(self, low: float, high: float) -> float:
        return low + (high - low) * (next(self._bytes) * 256 + next(self._bytes)) / 65_535

    def one_of(self, things: Sequence[_T]) -> _T:
        return things[next(self._bytes) % len(things)]


def _ground(dice: _Dice) -> str:
    """A slope of two colours under two clouds."""
    palette, shift, turn = dice.one_of(_PALETTES), dice.between(-9, 9), dice.between(0, 360)
    begin, end, light, deep = (srgb_hex(lightness, chroma, hue + shift) for lightness, chroma, hue in palette)
    clouds = ((turn, 100, 168, light), (turn + dice.between(110, 250), 104, 160, deep))
    drawn, defined = [], []
    for number, (angle, away, radius, colour) in enumerate(clouds):
        x, y = _at(angle, away)
        defined.append(
            f'<radialGradient id="c{number}" gradientUnits="userSpaceOnUse" cx="{x}" cy="{y}" r="{radius}">'
            f'<stop stop-color="{colour}"/><stop offset=".5" stop-color="{colour}" stop-opacity=".55"/>'
            f'<stop offset="1" stop-color="{colour}" stop-opacity="0"/></radialGradient>'
        )
        drawn.append(f'<rect width="{_SIZE}" height="{_SIZE}" fill="url(#c{number})"/>')
    slope = (
        f'<linearGradient id="g" gradientTransform="rotate({turn + 40:.0f} .5 .5)">'
        f'<stop stop-color="{begin}"/><stop offset="1" stop-color="{end}"/></linearGradient>'
    )
    return (
        f'<defs>{slope}{"".join(defined)}</defs><rect width="{_SIZE}" height="{_SIZE}" fill="url(#g)"/>{"".join(drawn)}'
    )


# --- figures, white on the ground -------------------------------------------------------------------------------------


def _bloom(dice: _Dice) -> str:
    """Petals that lie over each other, and a heart."""
    petals, start = dice.one_of((5, 6, 7, 8)), dice.between(0, 360)
    width = 150 / petals + dice.between(4, 12)
    petal = (
        f"M128 128C{128 - width:.1f} 96 {128 - width:.1f} 52 128 42C{128 + width:.1f} 52 {128 + width:.1f} 96 128 128Z"
    )
    drawn = "".join(
        f'<path d="{petal}" transform="rotate({start + 360 * number / petals:.1f} 128 128)" fill-opacity=".4"/>'
        for number in range(petals)
    )
    return f'{drawn}<circle cx="128" cy="128" r="15" fill-opacity=".95"/>'


def _orbit(dice: _Dice) -> str:
    """A sun, two paths around it, and who travels on them."""
    inner, outer = dice.between(0, 360), dice.between(0, 360)
    (x, y), (u, v) = _at(inner, 56), _at(outer, 88)
    return (
        '<g fill="none" stroke="#fff" stroke-width="5"><circle cx="128" cy="128" r="56" stroke-opacity=".45"/>'
        '<circle cx="128" cy="128" r="88" stroke-opacity=".3"/></g><circle cx="128" cy="128" r="27" fill-opacity=".95"/>'
        f'<circle cx="{x}" cy="{y}" r="13"/><circle cx="{u}" cy="{v}" r="10" fill-opacity=".9"/>'
    )


def _union(dice: _Dice) -> str:
    """Rings of light that meet."""
    discs, start = dice.one_of((3, 4)), dice.between(0, 360)
    places = (_at(start + 360 * number / discs, 36) for number in range(discs))
    return "".join(f'<circle cx="{x}" cy="{y}" r="50" fill-opacity=".42"/>' for x, y in places)


def _twist(dice: _Dice) -> str:
    """Soft squares, each turned a little further."""
    start, step = dice.between(0, 90), dice.one_of((30.0, 45.0))
    sides = ((132, 34, 0.26), (106, 28, 0.34), (52, 14, 0.95))
    return "".join(
        f'<rect x="{128 - side / 2}" y="{128 - side / 2}" width="{side}" height="{side}" rx="{round_}" fill-opacity="{light}" '
        f'transform="rotate({start + step * number:.1f} 128 128)"/>'
        for number, (side, round_, light) in enumerate(sides)
    )


def _moon(dice: _Dice) -> str:
    """A crescent and its star."""
    turn = dice.between(-60, 60)
    return (
        f'<g transform="rotate({turn:.1f} 128 128)"><circle cx="128" cy="128" r="74" fill-opacity=".22"/>'
        '<path d="M164.500 184A66 66 0 1 1 150 65.700A52 52 0 1 0 164.500 184Z" fill-opacity=".95"/>'
        '<circle cx="160" cy="112" r="11" fill-opacity=".9"/></g>'
    )


def _hills(dice: _Dice) -> str:
    """Three hills, and a sun above them."""
    x = dice.between(84, 172)
    first, second, third = (dice.between(-16, 16) for _ in range(3))
    return (
        f'<circle cx="{x:.1f}" cy="88" r="30" fill-opacity=".95"/>'
        f'<path d="M0 {150 + first:.1f}C70 {100 + first:.1f} 120 {196 + first:.1f} 256 {134 - first:.1f}V256H0Z" fill-opacity=".2"/>'
        f'<path d="M0 {186 + second:.1f}C90 {140 - second:.1f} 150 {220 + second:.1f} 256 {166 + second:.1f}V256H0Z" fill-opacity=".26"/>'
        f'<path d="M0 {206 + third:.1f}C60 {230 + third:.1f} 170 {168 - third:.1f} 256 {212 - third:.1f}V256H0Z" fill-opacity=".36"/>'
    )


def _ripple(dice: _Dice) -> str:
    """Discs inside each other that touch in one point."""
    turn = dice.between(0, 360)
    discs = ((82, 0.24), (56, 0.4), (28, 0.95))
    places = ((_at(turn, 82 - radius), radius, light) for radius, light in discs)
    return "".join(
        f'<circle cx="{x}" cy="{y}" r="{radius}" fill-opacity="{light}"/>' for (x, y), radius, light in places
    )


_FIGURES: Final[tuple[Callable[[_Dice], str], ...]] = (_bloom, _orbit, _union, _twist, _moon, _hills, _ripple)


def _at(angle: float, away: float) -> tuple[float, float]:
    """A point that far from the middle."""
    turn = math.radians(angle)
    return round(_MIDDLE + away * math.cos(turn), 1), round(_MIDDLE + away * math.sin(turn), 1)
