"""The dive numbers of the simulated data set: what is dived, from where, how hard it is and how often it is seen.

Difficulty degrees and counts are those of FineDiving's annotation (a number seen with two degrees keeps the one of
its board here). A number is drawn with probability proportional to count ** 0.75, so rare ones are less rare, and
with no less than LEAST_WEIGHT, so that of 400 dives nearly every number is dived five times.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from aqa_pipeline.errors import InputError, nearest

BOARD_HEIGHT = {"platform": 10.0, "springboard": 3.0}  # metres over the water
LEAST_WEIGHT = 11.0
POSITIONS = {"a": "straight", "b": "pike", "c": "tuck", "d": "free"}

# number: (board, difficulty degree, clips in FineDiving)
_SEEN = {
    "101b": ("springboard", 1.5, 22),
    "103b": ("springboard", 1.6, 36),
    "107b": ("platform", 3.0, 324),
    "109c": ("platform", 3.7, 158),
    "201b": ("springboard", 1.8, 68),
    "205b": ("springboard", 3.0, 204),
    "205c": ("springboard", 2.8, 16),
    "207b": ("platform", 3.6, 72),
    "207c": ("platform", 3.3, 159),
    "301b": ("springboard", 1.9, 87),
    "305b": ("springboard", 3.0, 84),
    "305c": ("springboard", 2.8, 56),
    "307c": ("platform", 3.4, 233),
    "401b": ("springboard", 2.0, 36),
    "403b": ("platform", 2.0, 24),
    "405b": ("springboard", 3.0, 133),
    "407c": ("platform", 3.2, 347),
    "5152b": ("springboard", 3.0, 94),
    "5154b": ("springboard", 3.4, 114),
    "5156b": ("platform", 3.8, 38),
    "5253b": ("platform", 3.2, 209),
    "5255b": ("platform", 3.6, 79),
    "5337d": ("springboard", 3.5, 23),
    "5353b": ("springboard", 3.3, 31),
    "6243d": ("platform", 3.2, 107),
    "6245d": ("platform", 3.6, 32),
    "626b": ("platform", 3.5, 25),
    "626c": ("platform", 3.3, 53),
}


@dataclass(frozen=True)
class DiveNumber:
    """One dive number, read from its digits.

    `direction` is 1 forward, 2 back, 3 reverse, 4 inward; it differs from `group` for twisters (5) and armstands (6).
    """

    number: str
    board: str
    height_m: float
    group: int
    direction: int
    half_somersaults: int
    half_twists: int
    position: str
    difficulty: float
    weight: float

    @property
    def armstand(self) -> bool:
        return self.group == 6


def parse(number: str, *, board: str, difficulty: float, count: int) -> DiveNumber:
    """Read 107b (group, flying, half somersaults) or 5253b and 6243d (group, direction, halves, half twists)."""
    digits, letter = [int(c) for c in number[:-1]], number[-1]
    group = digits[0]
    return DiveNumber(
        number=number,
        board=board,
        height_m=BOARD_HEIGHT[board],
        group=group,
        direction=digits[1] if group >= 5 else group,
        half_somersaults=digits[2],
        half_twists=digits[3] if len(digits) > 3 else 0,
        position=POSITIONS[letter],
        difficulty=difficulty,
        weight=max(LEAST_WEIGHT, count**0.75),
    )


DIVES: dict[str, DiveNumber] = {
    number: parse(number, board=board, difficulty=difficulty, count=count)
    for number, (board, difficulty, count) in _SEEN.items()
}


def get(number: str) -> DiveNumber:
    """One entry of the catalogue; InputError with the nearest number where there is none."""
    if number not in DIVES:
        raise InputError(f"no dive number '{number}' in the catalogue: {nearest(number, DIVES)}")
    return DIVES[number]


def draw(rng: np.random.Generator) -> DiveNumber:
    """One dive number, with probability proportional to its weight."""
    dives = list(DIVES.values())
    weights = np.array([dive.weight for dive in dives])
    return dives[rng.choice(len(dives), p=weights / weights.sum())]
