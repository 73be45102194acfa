"""Can a fault still be read from 2-D keypoints? One plain measure a fault, for true and for estimated points alike.

Keypoints are (T, K, 3) in picture coordinates (x right, y down) in COCO order, K = 17 or 133, NaN where not seen;
frame i is at i / fps seconds. Measures are medians or fitted values over frames, in degrees or seconds, NaN where
nothing can be said.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence

import numpy as np

SHOULDERS, ELBOWS, WRISTS, HIPS, KNEES, ANKLES = ((i, i + 1) for i in (5, 7, 9, 11, 13, 15))
BIG_TOES = (17, 20)
UNSIGNED = ("twist",)  # a side view cannot tell left from right
LINE_SECONDS = 0.30  # the body's line is judged over that much before the entry


def measures(
    keypoints: np.ndarray,
    steps: Sequence[tuple[str, float]],
    fps: float,
    *,
    entry_time: float,
    travel: int = 1,
) -> dict[str, float]:
    """A value for every fault that keypoints can show.

    Parameters
    ----------
    keypoints : (T, K, 3)
    steps : sub-actions in order with their start times in seconds; the last is the entry
    fps : frames per second
    entry_time : first contact with the water, seconds
    travel : +1 where the dive goes to the right of the picture, -1 where to the left
    """
    points = np.asarray(keypoints, float)[:, :, :2] * (1.0, -1.0)  # y up
    times = np.arange(len(points)) / fps
    spans = _spans(steps, entry_time)
    pick = {name: points[(times >= a) & (times <= b)] for name, (a, b) in spans.items()}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # a window without any seen point is a NaN, not a warning
        turning = _turning(points[(times >= spans["flight"][0]) & (times <= entry_time)])
        front = np.sign(np.nanmedian(_hip_bend(pick["position"])))
        tucked = any(name.endswith("_tuck") for name, _ in steps)
        found = {
            "lean": travel * _median(_lean(pick["take_off"])),
            "knees": np.nan if tucked else _median(bend(pick["position"], HIPS, KNEES, ANKLES)),
            "legs_apart": _median(_gap(pick["flight"])),
            "loose": 180 - _median(np.abs(_hip_bend(pick["position"]))),
            "opening": _opening(points, times, spans["position"][0], entry_time),
            "rotation": turning * _at_entry(points, times, spans["line"]),
            "arch": front * _median(_hip_bend(pick["line"], ANKLES)),
            "line_knees": _median(bend(pick["line"], HIPS, KNEES, ANKLES)),
            "arms": _median(bend(pick["line"], HIPS, SHOULDERS, ELBOWS)),
            "twist": _median(_breadth(pick["line"])),
        }
        if points.shape[1] > BIG_TOES[1]:
            found["toes"] = _median(bend(pick["line"], KNEES, ANKLES, BIG_TOES))
    return {name: float(value) for name, value in found.items()}


def readability(
    latent: Mapping[str, np.ndarray], measured: Mapping[str, np.ndarray], groups: Sequence[str] | None = None
) -> list[dict[str, float | str | int]]:
    """Rank correlation of every latent fault (N,) with its measure (N,): rows with fault, n and rho.

    With `groups` (the dive numbers) the medians of each group are taken off the measure first, since each number has
    its own ideal posture and time. A fault without a measure has rho NaN.
    """
    from scipy.stats import spearmanr

    rows: list[dict[str, float | str | int]] = []
    for name, values in latent.items():
        values = np.abs(values) if name in UNSIGNED else np.asarray(values, float)
        seen = np.asarray(measured.get(name, np.full(len(values), np.nan)), float)
        if groups is not None:
            seen = _without_group_medians(seen, np.asarray(groups))
        whole = np.isfinite(seen) & np.isfinite(values)
        enough = whole.sum() > 2 and np.ptp(values[whole]) > 0
        rho = float(spearmanr(values[whole], seen[whole])[0]) if enough else float("nan")
        rows.append({"fault": name, "n": int(whole.sum()), "rho": rho})
    return rows


def _without_group_medians(values: np.ndarray, groups: np.ndarray) -> np.ndarray:
    values = values.copy()
    for group in np.unique(groups):
        rows = np.flatnonzero((groups == group) & np.isfinite(values))
        if len(rows):
            values[rows] -= np.median(values[rows])
    return values


def _spans(steps: Sequence[tuple[str, float]], entry_time: float) -> dict[str, tuple[float, float]]:
    starts = [start for _, start in steps]
    leave, fold, opened = starts[1], starts[-2], starts[-1]
    return {
        "take_off": (leave - 0.10, leave + 0.01),
        "flight": (leave + 0.25, opened),
        "position": (fold + 0.40 * (opened - fold), fold + 0.85 * (opened - fold)),
        "line": (max(opened + 0.06, entry_time - LINE_SECONDS), max(entry_time, opened + 0.12)),
    }


def _median(values: np.ndarray) -> float:
    return float(np.nanmedian(values)) if np.isfinite(values).any() else float("nan")


def middle(points: np.ndarray, pair: tuple[int, int]) -> np.ndarray:
    """Middle (T, 2) of two points."""
    return np.nanmean(points[:, list(pair)], axis=1)  # (T, 2)


def _between(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Signed angle from vectors a to vectors b, degrees, counter-clockwise positive, in -180..180."""
    cross = a[..., 0] * b[..., 1] - a[..., 1] * b[..., 0]
    return np.degrees(np.arctan2(cross, (a * b).sum(-1)))


def bend(points: np.ndarray, first: tuple, joint: tuple, last: tuple) -> np.ndarray:
    """Bend at a joint (T,), 0 when straight: the mean of both sides, without the sign."""
    a, b, c = (points[:, list(pair)] for pair in (first, joint, last))
    return np.nanmean(np.abs(_between(b - a, c - b)), axis=1)


def _hip_bend(points: np.ndarray, end: tuple[int, int] = KNEES) -> np.ndarray:
    """Signed bend at the hips (T,) from trunk to legs, in the middle of both sides."""
    shoulders, hips, legs = middle(points, SHOULDERS), middle(points, HIPS), middle(points, end)
    return _between(hips - shoulders, legs - hips)


def _gap(points: np.ndarray) -> np.ndarray:
    """Angle between the legs (T,), hip middle to each ankle."""
    hips = middle(points, HIPS)
    return np.abs(_between(points[:, ANKLES[0]] - hips, points[:, ANKLES[1]] - hips))


def _breadth(points: np.ndarray) -> np.ndarray:
    """Breadth of shoulders and hips across the trunk over the trunk's length (T,)."""
    trunk = middle(points, SHOULDERS) - middle(points, HIPS)
    length = np.linalg.norm(trunk, axis=1)
    across = np.stack([-trunk[:, 1], trunk[:, 0]], axis=1) / length[:, None]
    widths = [np.abs(((points[:, right] - points[:, left]) * across).sum(1)) for left, right in (SHOULDERS, HIPS)]
    return (widths[0] + widths[1]) / length


def _lean(points: np.ndarray) -> np.ndarray:
    """Tilt from upright to the right of the picture (T,): feet to hips, or in an armstand wrists to hips."""
    feet, hips, wrists = middle(points, ANKLES), middle(points, HIPS), middle(points, WRISTS)
    inverted = np.nanmedian(feet[:, 1] - hips[:, 1]) > 0
    return -_between(np.array([0.0, 1.0]), hips - (wrists if inverted else feet))


def trunk_angle(points: np.ndarray) -> np.ndarray:
    """Direction of the trunk (T,) from hips to shoulders, radians in -pi..pi, counter-clockwise from the right."""
    trunk = middle(points, SHOULDERS) - middle(points, HIPS)
    return np.arctan2(trunk[:, 1], trunk[:, 0])


def _turning(points: np.ndarray) -> float:
    """+1 where the dive somersaults counter-clockwise in the picture, -1 where clockwise."""
    angle = trunk_angle(points)
    steps = np.diff(angle[np.isfinite(angle)])
    return float(np.sign(((steps + np.pi) % (2 * np.pi) - np.pi).sum()))


def _at_entry(points: np.ndarray, times: np.ndarray, span: tuple[float, float]) -> float:
    """Angle of the body from feet up and head down at the end of the span, by a straight fit over its frames."""
    inside = (times >= span[0] - 1e-9) & (times <= span[1] + 1e-9)
    line = middle(points[inside], SHOULDERS) - middle(points[inside], ANKLES)
    tilt, t = _between(np.array([0.0, -1.0]), line), times[inside]
    good = np.isfinite(tilt)
    if good.sum() < 2:
        return _median(tilt)
    return float(np.polyval(np.polyfit(t[good], tilt[good], 1), span[1]))


def _opening(points: np.ndarray, times: np.ndarray, begin: float, entry_time: float) -> float:
    """Minus the seconds from the last frame with hips bent by more than 60 degrees to the entry: more is later."""
    inside = (times >= begin) & (times <= entry_time)
    folded = np.flatnonzero(np.abs(_hip_bend(points[inside])) > 60)
    return float(times[inside][folded[-1]] - entry_time) if len(folded) else float("nan")
