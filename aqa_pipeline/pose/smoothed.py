"""The keypoints of another block, cleaned and smoothed over the whole clip; nothing is estimated, all of it is off.

    pose:
      blaze: {use: blazepose}
      blaze_smooth: {use: smoothed, of: blaze, reject: 6.0, fill: 5, filter: savgol, window: 7}

In this order: points of low confidence are dropped, swapped sides are exchanged, outliers are dropped, gaps are closed,
paths are filtered. Published systems read raw keypoints, so a reproduction does not smooth. `benchmarks/smoothing.md`
has what each step gains on dives whose truth is known.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from aqa_pipeline import keypoint_sets
from aqa_pipeline.errors import InputError, nearest
from aqa_pipeline.trajectories import filters, outliers, swaps

source = "keypoints"

SWAPS, FILLS, FILTERS = ("none", "limbs", "body"), ("linear", "pchip"), ("none", "savgol", "butterworth", "median")


@dataclass(frozen=True)
class Smoother:
    """Callable from the keypoints of one clip to cleaned ones; see `build`."""

    least: float
    swaps: str
    reject: float
    reject_window: int
    speed: float
    fill: int
    fill_with: str
    filter: str
    window: int
    order: int
    cutoff: float

    def __call__(self, keypoints: np.ndarray, *, keypoint_set: str, fps: float, cuts: Sequence[int] = ()) -> np.ndarray:
        """Keypoints `(T, K, C + 1)` float32 from those of a clip of `fps` frames a second; the input stays as it is.

        Points that were made up have confidence 0, those dropped are NaN. `cuts`: frames that begin a new shot.
        """
        points = keypoint_sets.get(keypoint_set)
        kept = np.where(self._is_sure(keypoints)[..., None], keypoints, np.nan)
        if self.swaps != "none":
            kept = swaps.mended(kept, swaps.swapped(_places(kept), points, of=self.swaps, cuts=cuts), points)
        kept = np.where(self._is_outlier(_places(kept), fps, cuts)[..., None], np.nan, kept)
        places = _places(kept)
        if self.fill:
            places = filters.fill(places, longest=self.fill, how=self.fill_with, cuts=cuts)
        invented = np.isfinite(places).all(axis=2) & ~np.isfinite(kept).all(axis=2)
        confidence = np.where(invented, 0.0, kept[..., -1])
        places = self._filtered(places, fps, cuts)
        return np.concatenate([places, confidence[..., None]], axis=2).astype(np.float32)

    def _is_sure(self, keypoints: np.ndarray) -> np.ndarray:
        return np.isfinite(keypoints).all(axis=2) & (np.nan_to_num(keypoints[..., -1]) >= self.least)

    def _is_outlier(self, places: np.ndarray, fps: float, cuts: Sequence[int]) -> np.ndarray:
        rejected = np.zeros(places.shape[:2], bool)
        if self.reject:
            rejected |= outliers.hampel(places, limit=self.reject, window=self.reject_window, cuts=cuts)
        if self.speed:
            rejected |= outliers.spikes(places, speed=self.speed, fps=fps, cuts=cuts)
        return rejected

    def _filtered(self, places: np.ndarray, fps: float, cuts: Sequence[int]) -> np.ndarray:
        if self.filter == "savgol":
            return filters.savgol(places, window=self.window, order=self.order, cuts=cuts)
        if self.filter == "median":
            return filters.median(places, window=self.window, cuts=cuts)
        if self.filter == "butterworth":
            return filters.butterworth(places, cutoff=self.cutoff, fps=fps, order=self.order, cuts=cuts)
        return places


def build(
    *,
    least: float = 0.0,
    swaps: str = "none",
    reject: float = 0.0,
    reject_window: int = 7,
    speed: float = 0.0,
    fill: int = 0,
    fill_with: str = "linear",
    filter: str = "none",
    window: int = 7,
    order: int = 2,
    cutoff: float = 6.0,
) -> Smoother:
    """What to do to the keypoints of a clip; 0 and none leave a step out.

    Parameters
    ----------
    least : points of a lower confidence are dropped
    swaps : whether left and right are exchanged back, none, limbs (head, arms and legs each alone) or body
    reject : outliers are dropped that lie further than this many robust standard deviations from the running median of
        `reject_window` frames (Hampel)
    speed : points that come and go faster than this many body sizes a second are dropped
    fill : gaps of at most this many frames are closed, `fill_with` linear or pchip (monotone cubic)
    filter : none, savgol or median of `window` frames, or butterworth of `cutoff` Hz
    order : of Savitzky-Golay's polynomial, or of the Butterworth filter

    Raises
    ------
    InputError
        A name is unknown, a number too small, or a window even.
    """
    for option, value, known in (("swaps", swaps, SWAPS), ("fill_with", fill_with, FILLS), ("filter", filter, FILTERS)):
        if value not in known:
            raise InputError(f"smoothed: unknown {option} '{value}', {nearest(str(value), known)}")
    for option, value in (("window", window), ("reject_window", reject_window)):
        if value < 3 or value % 2 == 0:
            raise InputError(f"smoothed: {option} found {value}, expected an odd number of frames from 3 on")
    for option, value in (("least", least), ("reject", reject), ("speed", speed), ("fill", fill)):
        if value < 0:
            raise InputError(f"smoothed: {option} found {value:g}, expected 0 or more")
    if not 1 <= order < window:
        raise InputError(f"smoothed: order found {order}, expected 1 to {window - 1}, less than the window")
    return Smoother(
        least=least,
        swaps=swaps,
        reject=reject,
        reject_window=reject_window,
        speed=speed,
        fill=fill,
        fill_with=fill_with,
        filter=filter,
        window=window,
        order=order,
        cutoff=cutoff,
    )


def _places(keypoints: np.ndarray) -> np.ndarray:
    return np.asarray(keypoints[..., :-1], np.float64)
