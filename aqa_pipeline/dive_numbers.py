"""Dive numbers as World Aquatics writes them: 107b is a forward three and a half somersault in pike position.

Groups 1 to 4 (forward, back, reverse, inward): group, flying (0 or 1), half somersaults. Group 5 (twisting): 5,
direction, half somersaults, half twists. Group 6 (armstand): 6, direction, half somersaults, and half twists if any.
The letter is the position: a straight, b pike, c tuck, d free.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from aqa_pipeline.errors import InputError

_STRAIGHT = re.compile(r"([1-4])([01])(\d)([abcd])")
_TWISTING = re.compile(r"([56])([1-4])(\d)(\d)([abcd])")
_ARMSTAND = re.compile(r"(6)([1-4])(\d)([abcd])")


@dataclass(frozen=True)
class DiveNumber:
    """The parts of a dive number; somersaults and twists in halves."""

    group: int
    direction: int  # of the take-off, 1 forward, 2 back, 3 reverse, 4 inward
    half_somersaults: int
    half_twists: int
    position: str


def parse(action_type: object) -> DiveNumber | None:
    """The parts of a dive number, or None where the action type is none."""
    text = str(action_type).strip().lower()
    if match := _STRAIGHT.fullmatch(text):
        group, _, somersaults, position = match.groups()
        return DiveNumber(int(group), int(group), int(somersaults), 0, position)
    if match := _TWISTING.fullmatch(text):
        group, direction, somersaults, twists, position = match.groups()
        return DiveNumber(int(group), int(direction), int(somersaults), int(twists), position)
    if match := _ARMSTAND.fullmatch(text):
        group, direction, somersaults, position = match.groups()
        return DiveNumber(int(group), int(direction), int(somersaults), 0, position)
    return None


def write(*, direction: int, half_somersaults: int, half_twists: int, position: str, armstand: bool = False) -> str:
    """The dive number of these parts in lower case, never flying: the way back from `parse`.

    Raises
    ------
    InputError
        A part that no dive number can hold.
    """
    for name, value, least, most in (
        ("direction", direction, 1, 4),
        ("half_somersaults", half_somersaults, 0, 9),
        ("half_twists", half_twists, 0, 9),
    ):
        if value not in range(least, most + 1):
            raise InputError(f"dive number: {name} is {value}, expected {least} to {most}")
    if position not in ("a", "b", "c", "d"):
        raise InputError(f"dive number: position is {position!r}, expected a, b, c or d")
    if armstand:
        return f"6{direction}{half_somersaults}{half_twists or ''}{position}"
    if half_twists:
        return f"5{direction}{half_somersaults}{half_twists}{position}"
    return f"{direction}0{half_somersaults}{position}"
