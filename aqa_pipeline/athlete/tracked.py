"""The athlete as the one person whose boxes make the best track through a shot, and who moves as an athlete does.

In every shot (a camera cut ends one and begins the next) tracks are taken out one by one, best first, as `_paths`
weighs them. The athlete's is the one whose confident boxes change their shape most: one who folds, turns and stretches.
A track whose shape stays as it is belongs to a spectator, a judge, a portrait or a still picture, and is never given,
however sure and steady it is. A shot without an athlete has no boxes.

Of two athletes side by side (synchronised diving) the second is found beside the first; see `_pairs`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from aqa_pipeline import trajectories
from aqa_pipeline.athlete import _pairs, _paths
from aqa_pipeline.errors import InputError

LIVELY = 0.25  # standard deviation of log(height / width) above which livelier boxes are no more an athlete's
WINDOW = 11  # boxes over which it is taken
STANDS = 12  # boxes in which a shape stays as it is, for one who only stands
MEANWHILE = 0.3  # share of the mover's frames in which one who stands is there too, and so is somebody else


def select(
    candidates: Sequence[np.ndarray],
    cuts: Sequence[int] = (),
    *,
    athletes: int = 1,
    max_gap: int = 8,
    even: float = 0.3,
    motion: float = 4.0,
    activity: float = 2.0,
    skipped: float = 0.1,
    least_activity: float = 0.12,
) -> np.ndarray:
    """The athlete's boxes `(T, 5)` float32 among candidates `T x (N, 5)`; NaN before, after, and where there is none.

    Parameters
    ----------
    cuts : frames that begin a new shot; no track crosses one, and each shot may have the athlete or not
    athletes : 2 gives `(2, T, 5)`: first the one who is further left where a shot first has both, all NaN for a second
        where there is one only
    max_gap : most frames in a row without a box inside the track; they are interpolated and get confidence 0
    even : confidence at which a box counts neither for nor against its track
    motion, activity, skipped : weights of the terms of `_paths`; distances are taken in box sizes
    least_activity : standard deviation of log(height / width) along the track, below which it is no athlete's; 0 for
        athletes who hold still

    Raises
    ------
    InputError
        `athletes` is neither 1 nor 2.
    """
    if athletes not in (1, 2):
        raise InputError(f"athletes: {athletes}, expected 1 or 2")
    terms = _paths.Terms(max_gap=max_gap, even=even, motion=motion, activity=activity, skipped=skipped)
    people = [np.asarray(boxes, np.float64).reshape(-1, 5) for boxes in candidates]
    found = np.full((2, len(people), 5), np.nan, np.float32)
    for shot in trajectories.shots(len(people), cuts):
        track = _athlete(people[shot], terms, least_activity)
        if track is not None and athletes == 2:
            found[:, shot] = _pairs.pair(people[shot], track, terms, least_activity)
        elif track is not None:
            found[0, shot] = _paths.filled(track, len(people[shot]))
    return found if athletes == 2 else found[0]


def _athlete(people: Sequence[np.ndarray], terms: _paths.Terms, least: float) -> _paths.Track | None:
    """The athlete's track of a shot, among the boxes that are no bystander's.

    One who stands while somebody moves is a bystander. One who stands before or after that may be the athlete, who
    waits on the board.
    """
    standing, moving = _standing(people, terms, least)
    mover = _best(moving, terms, least)
    if standing and mover is not None:
        for track in standing:
            if len(np.intersect1d(track.frames, mover.frames)) < MEANWHILE * len(mover.frames):
                moving = _paths.put_back(moving, track)
        mover = _best(moving, terms, least)
    return mover


def _best(people: Sequence[np.ndarray], terms: _paths.Terms, least: float) -> _paths.Track | None:
    """The track of the most value; tracks are taken out until those left are not worth as much."""
    chosen, most = None, 0.0
    while (track := _paths.best(people, terms)) is not None and track.worth > most:
        value = _value(track, terms, least)
        if value > most:
            chosen, most = track, value
        people = _paths.without(people, track)
    return chosen


def _value(track: _paths.Track, terms: _paths.Terms, least: float) -> float:
    """How much an athlete's a track is: the confidence of its boxes, by how lively the shape is around each."""
    confidence = track.boxes[:, 4]
    if (confidence == 1).all():  # given and not detected: the whole picture, for a clip cut around one athlete
        return float(confidence.sum())
    if _paths.shape(track.boxes).std() < least:
        return 0.0
    return float(((confidence - terms.even) * np.minimum(_liveliness(track) / LIVELY, 1.0)).sum())


def _liveliness(track: _paths.Track) -> np.ndarray:
    """Standard deviation of the shape in the `WINDOW` boxes around each, (L,)."""
    from scipy.ndimage import uniform_filter1d

    shape = _paths.shape(track.boxes)
    mean, square = (uniform_filter1d(values, WINDOW, mode="nearest") for values in (shape, shape**2))
    return np.sqrt(np.maximum(square - mean**2, 0.0))


def _standing(
    people: Sequence[np.ndarray], terms: _paths.Terms, least: float
) -> tuple[list[_paths.Track], Sequence[np.ndarray]]:
    """Long tracks whose shape stays as it is, and the boxes without them."""
    steady = dataclasses.replace(terms, activity=-2 * terms.activity)
    found: list[_paths.Track] = []
    while (track := _paths.best(people, steady)) is not None and len(track.frames) >= STANDS:
        if _paths.shape(track.boxes).std() >= least:
            break
        found.append(track)
        people = _paths.without(people, track)
    return found, people
