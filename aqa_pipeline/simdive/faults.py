"""What goes wrong in a dive: continuous latent faults, tied together by the diver's skill.

Most judging weight rests on faults of 10 degrees and more that last 0.3 s and more, since those survive a keypoint
estimator; see readability.py. Toes (no point for them among the 17) and splash are there to stay partly hidden.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields

import numpy as np

from aqa_pipeline.errors import expect_one_of
from aqa_pipeline.simdive.catalogue import DiveNumber


@dataclass(frozen=True)
class Faults:
    """Zero is perfect. Degrees unless stated; signed where direction has a meaning."""

    lean: float = 0.0  # body line at take-off, + falls away from the board, - towards it
    distance: float = 0.0  # metres along x by which the dive passes farther from (+) or nearer to (-) the board
    knees: float = 0.0  # knees bent in a pike or in a straight twist; not counted in a tuck
    legs_apart: float = 0.0  # angle between the legs in flight
    loose: float = 0.0  # the hips stay that much more open in the position
    opening: float = 0.0  # seconds by which the body opens late
    rotation: float = 0.0  # body line at entry, + over-rotated, - under-rotated
    arch: float = 0.0  # from opening to entry: + piked, - arched
    line_knees: float = 0.0  # knees bent from opening to entry
    arms: float = 0.0  # arms out of the body's line from opening to entry
    twist: float = 0.0  # twist left at entry, + too far
    toes: float = 0.0  # feet not pointed
    splash: float = 0.0  # 0 none .. 1 huge

    def as_dict(self) -> dict[str, float]:
        return asdict(self)


NAMES = tuple(field.name for field in fields(Faults))

# median size for an average diver, and the largest the body allows
_SIZE = {
    "lean": (5.5, 24.0), "distance": (0.2, 0.8), "knees": (12.0, 60.0), "legs_apart": (12.0, 60.0),
    "loose": (16.0, 60.0), "opening": (0.065, 0.28), "rotation": (10.0, 40.0), "arch": (12.0, 45.0),
    "line_knees": (11.5, 60.0), "arms": (14.5, 70.0), "twist": (7.0, 60.0), "toes": (16.0, 60.0),
}  # fmt: skip
_SIGNED = {"lean", "distance", "rotation", "arch", "twist"}
SKILL_EFFECT = 0.40  # log size of a fault per standard deviation of skill
OWN_SPREAD = 0.60  # log size of a fault beyond skill


def draw(rng: np.random.Generator, number: DiveNumber, skill: float) -> Faults:
    """Faults of one dive by a diver of this skill (standard normal, higher is better)."""
    values = {}
    for name, (size, largest) in _SIZE.items():
        if name == "twist" and number.half_twists:
            size *= 2.0
        value = size * np.exp(OWN_SPREAD * rng.normal() - SKILL_EFFECT * skill)
        sign = rng.choice((-1.0, 1.0)) if name in _SIGNED else 1.0
        values[name] = sign * min(value, largest)
    values["distance"] = 0.6 * values["distance"] + 0.02 * values["lean"]
    if number.position == "tuck":
        values["knees"] = 0.0
    values = {name: float(value) for name, value in values.items()}
    return Faults(**values, splash=_splash(rng, values))


def injected(latent: Faults, number: DiveNumber, sizes: Mapping[str, float], *, others: float = 1.0) -> Faults:
    """The faults of one dive with some set to `sizes`, to the side they had, and all others times `others`.

    Splash is a fault like the others here and does not follow from them. Knees stay as they are in a tuck, where they
    are no fault. InputError for a fault that is not known.
    """
    values = {name: others * value for name, value in latent.as_dict().items()}
    for name, size in sizes.items():
        expect_one_of("inject", name, NAMES)
        if name != "knees" or number.position != "tuck":
            values[name] = float(np.copysign(size, values[name]))
    return Faults(**values)


def _splash(rng: np.random.Generator, v: dict[str, float]) -> float:
    """Splash comes from the line at entry and, as much again, from the hands, which nobody sees."""
    line = abs(v["rotation"]) / 20 + abs(v["arch"]) / 35 + v["line_knees"] / 50 + v["arms"] / 60
    return float(1 - np.exp(-0.30 * line - 0.25 * rng.gamma(1.2)))
