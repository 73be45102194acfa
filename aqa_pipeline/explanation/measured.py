"""What can be measured on the athlete: bends of the joints by phase, rotation, tilt at entry, each with its error.

The standard error of a measure is the root mean square of what estimated keypoints missed the true ones by, on
simulated dives (`angles.csv`, made by `benchmarks/explanations.py`). It holds for the embedded estimator and for dives
seen from the side. A measure that misses by as much as dives differ says nothing, and is not given.

Angles are those of the picture: what turns out of its plane is foreshortened.
"""

from __future__ import annotations

import csv
import functools
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from aqa_pipeline import keypoint_sets
from aqa_pipeline.errors import InputError
from aqa_pipeline.simdive import readability

ERRORS = Path(__file__).with_name("angles.csv")
COLUMNS = ("measure", "steps", "unit", "n", "bias", "standard_error", "spread")


@dataclass(frozen=True)
class Measure:
    """What is measured."""

    title: str
    unit: str
    reads: str | None = None  # what of `readability.measures` it is; None for what is added here


MEASURES: Mapping[str, Measure] = {
    "knee_bend_take_off": Measure("deepest bend of the knees at take-off", "degrees"),
    "lean_take_off": Measure("lean at take-off, to the right of the picture", "degrees", "lean"),
    "knee_bend_flight": Measure("bend of the knees in flight", "degrees", "knees"),
    "hip_angle_flight": Measure("trunk to legs in flight, 180 when straight", "degrees", "loose"),
    "legs_apart_flight": Measure("legs apart in flight", "degrees", "legs_apart"),
    "hip_bend_entry": Measure("piked (+) or arched (-) at entry", "degrees", "arch"),
    "knee_bend_entry": Measure("bend of the knees at entry", "degrees", "line_knees"),
    "arms_from_line_entry": Measure("arms out of line at entry", "degrees", "arms"),
    "tilt_entry": Measure("tilt at entry, too far (+) or short (-)", "degrees", "rotation"),
    "open_before_entry": Measure("open before entry", "seconds", "opening"),
    "somersaults": Measure("somersaults", "turns"),
    "half_twists": Measure("half twists", "half turns"),
}
STEPS = {True: "known", False: "constant"}
CONFIDENT = 0.5  # of the elbows, relative to their median in flight: below it they are under water
SEEN = 0.1  # confidence below which a point counts as not found
BROAD = 0.3  # breadth of the shoulders over the length of the trunk above which the chest or the back is seen


@dataclass(frozen=True)
class Error:
    """How well a measure is known: over n simulated dives whose steps were known, or taken from others."""

    unit: str
    n: int
    bias: float  # estimated minus true, mean
    standard_error: float  # root mean square of the same
    spread: float  # standard deviation of the truth among the dives

    @property
    def says_something(self) -> bool:
        return self.standard_error < self.spread


def measured(
    keypoints: np.ndarray, *, keypoint_set: str, fps: float, bounds: Sequence[int], known_steps: bool
) -> dict[str, tuple[float, float]]:
    """Value and standard error by name of all that could be measured on a clip, in the units of `MEASURES`.

    Parameters
    ----------
    keypoints : (T, K, 3)
    keypoint_set : with the shoulders, elbows, wrists, hips, knees and ankles of COCO
    fps : frames a second
    bounds : (4,) first frame of take-off, flight and entry, and the number of frames, as of `steps.bounds`
    known_steps : whether the bounds are those of this dive, or the mean of those of others
    """
    found = values(keypoints, keypoint_set=keypoint_set, fps=fps, bounds=bounds)
    known = {measure: error for (measure, steps), error in errors().items() if steps == STEPS[known_steps]}
    return {
        name: (value, known[name].standard_error)
        for name, value in found.items()
        if np.isfinite(value) and name in known and known[name].says_something
    }


def values(
    keypoints: np.ndarray,
    *,
    keypoint_set: str,
    fps: float,
    bounds: Sequence[int],
    entry_frame: float | None = None,
) -> dict[str, float]:
    """Values by name, NaN where nothing can be said; `entry_frame` is the first contact, where it is known."""
    points = _as_coco(keypoints, keypoint_set)
    entry = entry_of(points, bounds) if entry_frame is None else entry_frame
    points = np.where(points[..., 2:] >= SEEN, points, np.nan)
    steps = [(name, bounds[i] / fps) for i, name in enumerate(("take_off", "flight", "entry"))]
    read = readability.measures(points, steps, fps, entry_time=entry / fps)
    found = {name: read[of.reads] for name, of in MEASURES.items() if of.reads}
    upward = points[..., :2] * (1.0, -1.0)
    until = upward[: max(int(entry) + 1, 2)]
    found["open_before_entry"] = -found["open_before_entry"]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # a frame without any seen point is a NaN, not a warning
        found["knee_bend_take_off"] = _deepest(upward[: max(bounds[1], 1)])
        found["somersaults"] = _turns(readability.trunk_angle(until))
        found["half_twists"] = _half_twists(until[bounds[1] :])
    return {name: found[name] for name in MEASURES}


def entry_of(points: np.ndarray, bounds: Sequence[int]) -> float:
    """The frame of the first contact, from keypoints (T, 17, 3): the last in which the elbows are still seen well.

    On the dives of the default run that is 0.3 frames late, with a standard deviation of half a frame.
    """
    elbows = np.nan_to_num(points[:, list(readability.ELBOWS), 2]).mean(axis=1)
    flight = elbows[bounds[1] : bounds[2]]
    usual = np.median(flight if len(flight) else elbows)
    return float(max(np.flatnonzero(elbows >= CONFIDENT * usual)[-1], bounds[2]))


@functools.cache
def errors() -> dict[tuple[str, str], Error]:
    """The table of errors by measure and kind of steps."""
    with ERRORS.open(newline="") as file:
        rows = list(csv.DictReader(file))
    numbers = ("bias", "standard_error", "spread")
    return {
        (r["measure"], r["steps"]): Error(r["unit"], int(r["n"]), **{k: float(r[k]) for k in numbers}) for r in rows
    }


def _as_coco(keypoints: np.ndarray, keypoint_set: str) -> np.ndarray:
    """Points (T, 17, 3) in the order of COCO, NaN where the set has none."""
    of, to = keypoint_sets.shared(keypoint_set, "coco_17")
    if not set(range(5, 17)) <= set(to):
        raise InputError(
            f"keypoints of {keypoint_set}: expected both shoulders, elbows, wrists, hips, knees and ankles"
        )
    points = np.full((len(keypoints), 17, 3), np.nan)
    points[:, to] = keypoints[:, of, :3]
    return points


def _deepest(points: np.ndarray) -> float:
    """The largest bend of the knees, degrees, of medians over five frames, for single ones are wrong."""
    bends = readability.bend(points, readability.HIPS, readability.KNEES, readability.ANKLES)
    if len(bends) < 5:
        return float("nan")
    medians = np.nanmedian(np.lib.stride_tricks.sliding_window_view(bends, 5), axis=1)
    return float(np.nanmax(medians)) if np.isfinite(medians).any() else float("nan")


def _turns(angle: np.ndarray) -> float:
    """Turns of a direction (T,) from its first to its last frame, whichever way round."""
    known = np.unwrap(angle[np.isfinite(angle)])
    return float(abs(known[-1] - known[0]) / (2 * np.pi)) if len(known) > 1 else float("nan")


def _half_twists(points: np.ndarray) -> float:
    """How often the chest or the back is turned to the camera: once every half twist of a body seen from the side."""
    shoulders, hips = (readability.middle(points, pair) for pair in (readability.SHOULDERS, readability.HIPS))
    trunk = shoulders - hips
    length = np.linalg.norm(trunk, axis=1)
    left, right = readability.SHOULDERS
    over = points[:, right] - points[:, left]
    broad = (over[:, 0] * -trunk[:, 1] + over[:, 1] * trunk[:, 0]) / np.maximum(length, 1e-9) ** 2
    sides = np.sign(broad[np.abs(broad) > BROAD])  # NaN compares as false
    return float(len(sides) > 0) + float((np.diff(sides) != 0).sum())
