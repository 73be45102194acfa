"""The postures a diver passes through and when: key postures in degrees, joined smoothly.

A schedule is laid out in seconds from the clip's start. Faults enter here as joint angles and times.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from aqa_pipeline.simdive.body import CHANNELS
from aqa_pipeline.simdive.catalogue import DiveNumber
from aqa_pipeline.simdive.faults import Faults

COLUMNS = (*CHANNELS, "pitch")  # pitch: the pelvis leans to the diver's front while the feet still stand
_INDEX = {name: i for i, name in enumerate(COLUMNS)}
Key = tuple[float, np.ndarray, bool]  # time, posture, hasty
_SHARES = ("grip", "grip_at")
POINTED = 72.0  # ankle of a pointed foot


def posture(**degrees: float) -> np.ndarray:
    """A row of joint angles, given in degrees and kept in radians; `grip` and `grip_at` are shares and stay so.

    Unnamed ones are 0; `shoulder`, `lift`, `elbow` and `cross` set both arms.
    """
    row = np.zeros(len(COLUMNS))
    for name, value in degrees.items():
        for key in (name,) if name in _INDEX else (f"{name}_r", f"{name}_l"):
            row[_INDEX[key]] = value if key in _SHARES else np.radians(value)
    return row


def changed(row: np.ndarray, **degrees: float) -> np.ndarray:
    """The posture with some angles added to."""
    return row + posture(**degrees)


STAND = posture(shoulder=15, lift=8, hip=4, knee=3)
SINKING = posture(shoulder=-35, lift=12, elbow=8, hip=34, knee=38, ankle=-14, spine=8, neck=-8, pitch=15)
CROUCH = posture(shoulder=45, lift=10, elbow=12, hip=68, knee=72, ankle=-26, spine=14, neck=-14, pitch=30)
HANDSTAND = posture(shoulder=178, lift=-4, cross=-4, wrist=78, ankle=POINTED, neck=-22)
STRETCHED = posture(shoulder=170, lift=-13, cross=-13, ankle=POINTED, neck=4)
TUCK = posture(hip=124, knee=134, spine=38, neck=26, shoulder=52, elbow=40, grip=1, grip_at=0.52, ankle=58)
PIKE = posture(hip=120, spine=36, neck=22, shoulder=80, elbow=12, grip=1, grip_at=0.78, ankle=POINTED)
TWIST = posture(
    hip=6,
    shoulder_r=62,
    lift_r=10,
    elbow_r=82,
    cross_r=-52,
    shoulder_l=150,
    lift_l=18,
    elbow_l=95,
    cross_l=-35,
    neck=6,
    ankle=POINTED,
)
LEAVING = {  # by direction: the moment the feet leave
    1: posture(shoulder=158, lift=6, hip=26, knee=8, ankle=52, spine=10, neck=2, pitch=14),
    2: posture(shoulder=172, lift=6, hip=-4, knee=12, ankle=48, spine=-10, neck=-10, pitch=-4),
    3: posture(shoulder=172, lift=6, hip=-6, knee=14, ankle=48, spine=-10, neck=-8, pitch=-6),
    4: posture(shoulder=150, lift=6, hip=36, knee=8, ankle=50, spine=14, neck=6, pitch=20),
}  # fmt: skip
# share of the flight at which the body starts to open, by half somersaults; at which the twist ends, by half twists
_OPEN = {1: 0.52, 2: 0.54, 3: 0.57, 4: 0.63, 5: 0.67, 6: 0.69, 7: 0.735, 9: 0.775}
_TWISTED = {2: 0.30, 3: 0.33, 4: 0.37, 5: 0.41, 6: 0.45, 7: 0.55}


@dataclass(frozen=True)
class Schedule:
    """Key postures (K, len(COLUMNS)) in radians at times (K,), and the moments a judge would name."""

    times: np.ndarray
    rows: np.ndarray
    hasty: np.ndarray  # (K,) bool: the way to this key speeds up until its end, as a jump does
    opened: float  # the position is half open
    straight: float
    twist: tuple[float, float]  # when the body twists; all of the flight where no twist is asked for

    def at(self, times: np.ndarray) -> np.ndarray:
        """Angles (T, len(COLUMNS)) at times (T,)."""
        k = np.clip(np.searchsorted(self.times, times, side="right") - 1, 0, len(self.times) - 2)
        u = np.clip((times - self.times[k]) / (self.times[k + 1] - self.times[k]), 0, 1)
        u = np.where(self.hasty[k + 1], u * u, u * u * (3 - 2 * u))[:, None]
        return self.rows[k] + u * (self.rows[k + 1] - self.rows[k])


def leaving(number: DiveNumber, faults: Faults) -> np.ndarray:
    """The posture at take-off, radians."""
    return HANDSTAND if number.armstand else LEAVING[number.direction]


def line(number: DiveNumber, faults: Faults) -> np.ndarray:
    """The posture from opening to entry, radians; arch, knees, arms, toes and half of the legs' gap show in it."""
    return changed(
        STRETCHED, hip=0.6 * faults.arch + 0.3 * faults.line_knees, spine=0.4 * faults.arch, knee=faults.line_knees,
        shoulder=-faults.arms, elbow=0.3 * faults.arms, ankle=-faults.toes, **_apart(0.5 * faults.legs_apart),
    )  # fmt: skip


def position(number: DiveNumber, faults: Faults) -> np.ndarray:
    """The tuck or pike, radians; a free dive closes with a pike."""
    ideal = TUCK if number.position == "tuck" else PIKE
    return changed(
        ideal, hip=-faults.loose, spine=-0.3 * faults.loose, knee=faults.knees, ankle=-faults.toes,
        **_apart(faults.legs_apart),
    )  # fmt: skip


def schedule(number: DiveNumber, faults: Faults, takeoff: float, flight: float, end: float) -> Schedule:
    """Lay out one dive: take-off at `takeoff`, first contact `flight` seconds later, clip's end at `end`."""
    entry = takeoff + flight
    rising, twist, folded = _rise(number, faults, takeoff, flight)
    opens = max(takeoff + _OPEN[number.half_somersaults] * flight, folded + 0.04) + faults.opening
    straight = min(opens + 0.17 + 0.5 * max(faults.opening, 0.0), entry - 0.02)
    opens = min(opens, straight - 0.14)
    half = 0.5 * (opens + straight)
    fold, line_row = position(number, faults), line(number, faults)
    keys = _take_off(number, faults, takeoff) + rising
    keys += [(folded, fold, False), (opens, fold, False), (half, _between(fold, line_row), False)]
    keys += [(straight, line_row, False), (max(end, entry) + 1.0, line_row, False)]
    times, rows, hasty = zip(*keys, strict=True)
    return Schedule(np.array(times), np.array(rows), np.array(hasty), float(half), float(straight), twist)


def _rise(
    number: DiveNumber, faults: Faults, takeoff: float, flight: float
) -> tuple[list[Key], tuple[float, float], float]:
    """Keys between take-off and the position, when the body twists, and when the position is reached."""
    if number.half_twists:
        end = float(takeoff + _TWISTED[number.half_twists] * flight)
        wrapped = changed(TWIST, knee=faults.knees, ankle=-faults.toes, **_apart(faults.legs_apart))
        return (
            [(takeoff + 0.24, wrapped, False), (end, wrapped, False)],
            (takeoff + 0.08, end + 0.10),
            end + 0.22,
        )
    start, reached = {1: (0.20, 0.62), 3: (0.08, 0.40)}.get(number.half_somersaults, (0.02, 0.30))
    stretched = changed(STRETCHED, lift=14, cross=14, ankle=-faults.toes)
    keys = [(takeoff + start, stretched, False)] if start > 0.05 else []
    return keys, (takeoff, takeoff + flight), takeoff + reached


def _between(fold: np.ndarray, line_row: np.ndarray) -> np.ndarray:
    """Half way from the position to the line: the hands are letting go and the elbows are bent."""
    row = 0.45 * fold + 0.55 * line_row
    row[_INDEX["grip"]] = 0.35
    row[[_INDEX["elbow_r"], _INDEX["elbow_l"]]] = np.radians(35)
    return row


def _apart(angle: float) -> dict[str, float]:
    """Legs apart by an angle that shows from the side and from the front."""
    return {"split": 0.75 * angle, "spread": 0.33 * angle}


def _take_off(number: DiveNumber, faults: Faults, takeoff: float) -> list[Key]:
    leave = leaving(number, faults)
    if number.armstand:
        return [(0.0, HANDSTAND, False), (takeoff, leave, False)]
    keys = [(0.0, STAND, False), (0.32 * takeoff, SINKING, False), (0.60 * takeoff, CROUCH, False)]
    return [*keys, (takeoff, leave, True)]
