"""Detectors and estimators against labelled pictures with any number of people, with bootstrap intervals.

A detector gives candidates, every candidate gets a pose. For PCK and OKS a labelled person has the candidate whose box
meets the person's, chosen one to one for the largest sum of IoU; AP and AR are COCO's own, by pycocotools. A person
without a pose is wrong in every keypoint; measures that end in `_found` ask only those who have one. Only keypoints
that both sets name are asked for.

Where not everybody in a picture is labelled, a pose of somebody else counts against AP: that is COCO's rule.
Shapes: P people, N candidates of a picture, J keypoints shared, G pictures.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from aqa_pipeline import keypoint_sets
from aqa_pipeline.errors import InputError
from aqa_pipeline.evaluation import pose_quality
from aqa_pipeline.evaluation.coco_reference import CocoReference
from aqa_pipeline.keypoint_sets import KeypointSet
from aqa_pipeline.labelled import Labels, Person, extent

COLUMNS = ["stage", "name", "metric", "group", "value", "ci_low", "ci_high", "n", "resampled"]
LEAST_OVERLAP = 0.1  # a box that meets the person's less than that shows somebody else
FEW_GROUPS = 10  # fewer clips than that are too few to draw from: the interval is over pictures
NAMED_GROUPS = 10  # no more groups than that have rows of their own
TRUNK = ("right_shoulder", "left_hip")
HEAD = ("upper_neck", "head_top")


def candidates(labels: Labels, detector: Callable, read: Callable[[Any], np.ndarray]) -> list[np.ndarray]:
    """Boxes `(N, 5)` that a detector finds in every picture."""
    return [np.asarray(boxes) for boxes in detector(read(picture.path) for picture in labels.pictures)]


def given(labels: Labels) -> list[np.ndarray]:
    """The labelled boxes of everybody who has labelled keypoints, as candidates `(N, 5)`."""
    boxes = [[person.place for person in picture.people if person.asked] for picture in labels.pictures]
    return [np.array([[*box, 1.0] for box in own if np.isfinite(box).all()]).reshape(-1, 5) for own in boxes]


def poses(
    labels: Labels, boxes: Sequence[np.ndarray], estimator: Any, read: Callable[[Any], np.ndarray]
) -> list[np.ndarray]:
    """Keypoints `(N, K, 3)` of all candidates of every picture; `estimator` as `pose.<name>.build` gives it.

    Every candidate is a clip of one frame: pictures do not follow each other, and what smooths over time must not.
    """
    found: list[list[np.ndarray]] = [[] for _ in boxes]
    for (picture, _), keypoints in estimator.many(_clips(labels, boxes, read)):
        if isinstance(keypoints, InputError):
            raise keypoints
        found[picture].append(keypoints[0])
    shape = (0, len(keypoint_sets.get(estimator.keypoint_set)), 3)
    return [np.array(own) if own else np.empty(shape) for own in found]


def _clips(
    labels: Labels, boxes: Sequence[np.ndarray], read: Callable[[Any], np.ndarray]
) -> Iterator[tuple[tuple[int, int], list[np.ndarray], np.ndarray]]:
    for i, (picture, own) in enumerate(zip(labels.pictures, boxes, strict=True)):
        frame = read(picture.path) if len(own) else None
        yield from (((i, n), [frame], box[None]) for n, box in enumerate(own))


@dataclass(frozen=True)
class Resampling:
    """Draws of pictures with replacement, whole clips at a time where there are enough of them."""

    units: np.ndarray  # (G,) number of the unit that each picture belongs to
    n_draws: int
    seed: int
    over: str  # pictures or groups

    @classmethod
    def of(cls, labels: Labels, *, n_draws: int, seed: int) -> Resampling:
        """Over groups where there are `FEW_GROUPS` or more, else over pictures."""
        groups = [picture.group for picture in labels.pictures]
        many = FEW_GROUPS <= len(set(groups)) < len(groups)
        units = np.unique(groups, return_inverse=True)[1] if many else np.arange(len(groups))
        return cls(units, n_draws, seed, "groups" if many else "pictures")

    def weights(self, chosen: np.ndarray) -> Iterator[np.ndarray]:
        """How often each of the `chosen` pictures `(G,)` is drawn, `(G,)` a draw."""
        present, own = np.unique(self.units[chosen], return_inverse=True)
        rng = np.random.default_rng(self.seed)
        for _ in range(self.n_draws):
            counts = np.zeros(len(self.units), int)
            counts[chosen] = rng.multinomial(len(present), np.full(len(present), 1 / len(present)))[own]
            yield counts


def detection_rows(
    name: str, labels: Labels, boxes: Sequence[np.ndarray], resampling: Resampling
) -> list[dict[str, Any]]:
    """`COLUMNS` for a detector: share of people met with IoU 0.5, mean IoU, share of pictures with a box."""
    people = [_boxed(picture.people) for picture in labels.pictures]
    overlaps = [np.zeros(len(own)) for own in people]
    for own, found, overlap in zip(people, boxes, overlaps, strict=True):
        matched, values = _matched(own, found)
        overlap[matched >= 0] = values[matched >= 0]
    with_people = np.array([len(own) > 0 for own in people], float)
    ratios = {
        "recall_iou_50": _sums(overlaps, lambda own: own >= 0.5),
        "mean_iou": _sums(overlaps, lambda own: own),
        "pictures_with_box": np.stack([with_people * [len(found) > 0 for found in boxes], with_people]),
    }
    return [
        dict(stage="detection", name=name, **row)
        for group, chosen in picture_groups(labels).items()
        for row in _ratio_rows(ratios, group, chosen, resampling)
    ]


def pose_rows(
    name: str,
    labels: Labels,
    boxes: Sequence[np.ndarray],
    keypoints: Sequence[np.ndarray],
    keypoint_set: str,
    resampling: Resampling,
) -> list[dict[str, Any]]:
    """`COLUMNS` for the poses `(N, K, 3)` of all candidates: PCK, PCKh, OKS, and COCO's AP and AR."""
    own_set = keypoint_sets.get(labels.keypoint_set)
    of, to = keypoint_sets.shared(labels.keypoint_set, keypoint_set)
    keypoints = [found[:, to] for found in keypoints]
    measured = [
        _measure(picture.people, own, found, of, own_set)
        for picture, own, found in zip(labels.pictures, boxes, keypoints, strict=True)
    ]
    ratios = {key: np.stack([picture[key] for picture in measured], axis=1) for key in measured[0]}
    reference = CocoReference(labels, boxes, keypoints, of, sigmas_of(own_set)[of])
    rows = []
    for group, chosen in picture_groups(labels).items():
        rows += _ratio_rows(ratios, group, chosen, resampling)
        rows += _reference_rows(reference, group, chosen, resampling)
    return [dict(stage="pose", name=name, **row) for row in rows]


def picture_groups(labels: Labels) -> dict[str, np.ndarray]:
    """Pictures `(G,)` of each group that has rows of its own: all, upright, upside down, and the clips if few."""
    inverted = np.array([_shows_inverted(picture.people, labels.keypoint_set) for picture in labels.pictures])
    found = {"all": np.ones(len(inverted), bool), "upright": ~inverted, "upside_down": inverted}
    if 1 < len(labels.groups) <= NAMED_GROUPS and len(labels.groups) < len(labels.pictures):
        own = np.array([picture.group for picture in labels.pictures])
        found |= {f"group {name}": own == name for name in labels.groups}
    return {name: chosen for name, chosen in found.items() if chosen.any()}


def _shows_inverted(people: Sequence[Person], keypoint_set: str) -> bool:
    asked = [_truth(person) for person in people if person.asked]
    names = keypoint_sets.get(keypoint_set).names
    return bool(asked) and bool(pose_quality.upside_down(np.array(asked), names).any())


def sigmas_of(points: KeypointSet) -> np.ndarray:
    """OKS sigmas `(K,)`: COCO's for the keypoints that COCO names, so that sets compare; the set's own for the rest."""
    coco = keypoint_sets.get("coco_wholebody_133")
    own = points.sigmas or [np.nan] * len(points)
    return np.array([coco.sigmas[coco.index(n)] if n in coco.names else own[i] for i, n in enumerate(points.names)])


def _measure(
    people: Sequence[Person], boxes: np.ndarray, keypoints: np.ndarray, columns: list[int], points: KeypointSet
) -> dict[str, np.ndarray]:
    """Numerator and denominator `(2,)` of every measure in one picture."""
    asked = [person for person in people if person.asked and person.labelled[columns].any()]
    matched, _ = _matched(np.array([person.place for person in asked]).reshape(-1, 4), boxes)
    found = np.full((len(asked), len(columns), 3), np.nan)
    found[matched >= 0] = keypoints[matched[matched >= 0]]
    posed = np.isfinite(found[..., 0]).any(axis=1)
    truth = np.array([_truth(person) for person in asked]).reshape(-1, len(points), 2)
    gaps = pose_quality.errors(found, truth[:, columns])
    likeness = pose_quality.oks(gaps, np.array([person.body_area for person in asked]), sigmas_of(points)[columns])
    limits = _limits(asked, truth, points)
    sums = {"people_with_pose": _ratio(posed), "pictures_with_pose": np.array([posed.any(), len(asked) > 0], float)}
    for end, rows in (("", np.ones(len(asked), bool)), ("_found", posed)):
        sums |= {f"{name}{end}": _right(gaps[rows], limit[rows]) for name, limit in limits.items()}
        sums[f"oks{end}"] = _ratio(likeness[rows & np.isfinite(likeness)])
    return sums


def _limits(people: Sequence[Person], truth: np.ndarray, points: KeypointSet) -> dict[str, np.ndarray]:
    """How far off a keypoint of each person `(P,)` may lie, by the name of the measure; NaN: it is not asked for."""
    sizes = np.array([_longer_side(person) for person in people])
    limits = {f"pck_{round(100 * t):02d}": t * sizes for t in sorted(pose_quality.PCK_THRESHOLDS)}
    limits["pck_torso_50"] = 0.5 * _distance(truth, points, TRUNK)
    if set(HEAD) <= set(points.names):  # Andriluka et al.: half the length of the head's segment
        limits["pckh_50"] = 0.5 * _distance(truth, points, HEAD)
    return limits


def _right(gaps: np.ndarray, limits: np.ndarray) -> np.ndarray:
    """How many keypoints `(P, J)` lie within the person's limit `(P,)`, and how many were asked for."""
    asked = np.isfinite(limits)[:, None] & ~np.isnan(gaps)
    return np.array([((gaps < limits[:, None]) & asked).sum(), asked.sum()], float)


def _distance(truth: np.ndarray, points: KeypointSet, ends: tuple[str, str]) -> np.ndarray:
    """Distance `(P,)` between two labelled keypoints; NaN where one is not labelled, or they coincide."""
    one, other = (truth[:, points.index(end)] for end in ends)
    length = np.linalg.norm(one - other, axis=1)
    return np.where(length > 0, length, np.nan)


def _ratio(values: np.ndarray) -> np.ndarray:
    return np.array([values.sum(), len(values)], float)


def _sums(values: Sequence[np.ndarray], of: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    """Sums and counts over the people of every picture, (2, G)."""
    return np.stack([_ratio(of(own)) for own in values], axis=1)


def _matched(truth: np.ndarray, boxes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Candidate of each person `(P,)`, -1 for none, and their IoU: the assignment with the largest sum of IoU."""
    from scipy.optimize import linear_sum_assignment

    matched, overlap = np.full(len(truth), -1), np.zeros(len(truth))
    if not len(truth) or not len(boxes):
        return matched, overlap
    pairs = np.stack([pose_quality.iou(np.broadcast_to(box, (len(boxes), 4)), boxes) for box in truth])  # (P, N)
    rows, columns = linear_sum_assignment(pairs, maximize=True)
    met = pairs[rows, columns] >= LEAST_OVERLAP
    matched[rows[met]], overlap[rows[met]] = columns[met], pairs[rows, columns][met]
    return matched, overlap


def _boxed(people: Sequence[Person]) -> np.ndarray:
    """Boxes (P, 4) of everybody who is no crowd and has one."""
    boxes = np.array([person.place for person in people if not person.crowd]).reshape(-1, 4)
    return boxes[np.isfinite(boxes).all(axis=1)]


def _truth(person: Person) -> np.ndarray:
    """Labelled keypoints (K, 2), NaN for the others."""
    return np.where(person.labelled[:, None], person.keypoints[:, :2], np.nan)


def _longer_side(person: Person) -> float:
    """Of the box around the labelled keypoints; NaN where they span none."""
    around = extent(person.keypoints)
    return float("nan") if around is None else float((around[2:] - around[:2]).max())


def _ratio_rows(
    ratios: Mapping[str, np.ndarray], group: str, chosen: np.ndarray, resampling: Resampling
) -> list[dict[str, Any]]:
    """Rows for measures that are a sum over a sum; `ratios` hold both by picture, (2, G)."""
    stacked = np.stack(list(ratios.values()))  # (M, 2, G)
    draws = np.stack([stacked @ counts for counts in resampling.weights(chosen)])  # (draws, M, 2)
    totals = stacked[:, :, chosen].sum(axis=2)
    with np.errstate(invalid="ignore", divide="ignore"):
        values, drawn = totals[:, 0] / totals[:, 1], draws[..., 0] / draws[..., 1]
    return [
        _row(metric, group, values[i], drawn[:, i], int(totals[i, 1]), resampling)
        for i, metric in enumerate(ratios)
        if totals[i, 1] > 0
    ]


def _reference_rows(
    reference: CocoReference, group: str, chosen: np.ndarray, resampling: Resampling
) -> list[dict[str, Any]]:
    values = reference.measures(np.flatnonzero(chosen))
    if not values:
        return []
    everywhere = np.arange(len(chosen))
    draws = [reference.measures(np.repeat(everywhere, counts)) for counts in resampling.weights(chosen)]
    people = int(reference.asked[chosen].sum())
    return [
        _row(metric, group, value, np.array([draw.get(metric, np.nan) for draw in draws]), people, resampling)
        for metric, value in values.items()
    ]


def _row(metric: str, group: str, value: float, draws: np.ndarray, n: int, resampling: Resampling) -> dict[str, Any]:
    draws = draws[np.isfinite(draws)]
    low, high = np.percentile(draws, [2.5, 97.5]) if len(draws) else (np.nan, np.nan)
    interval = dict(ci_low=float(low), ci_high=float(high), resampled=resampling.over)
    return dict(metric=metric, group=group, value=float(value), n=n, **interval)
