"""Detectors and estimators against labelled pictures with any number of people, with bootstrap intervals.

A detector gives candidates, every candidate gets a pose. For PCK and OKS a labelled person has the candidate whose box
meets the person's, chosen one to one for the largest sum of IoU; AP and AR are COCO's own, by pycocotools. A person
without a pose is wrong in every keypoint; measures that end in `_found` ask only those who have one. Only keypoints
that both sets name are asked for.

Where not everybody in a picture is labelled, a pose of somebody else counts against AP: that is COCO's rule.
Shapes: P people, N candidates of a picture, J keypoints shared, G pictures.
"""

from __future__ import annotations

import contextlib
import copy
import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from aqa_pipeline import keypoint_sets
from aqa_pipeline.evaluation import pose_quality
from aqa_pipeline.keypoint_sets import KeypointSet
from aqa_pipeline.labelled import Labels, Person, extent, shared

COLUMNS = ["stage", "name", "metric", "group", "value", "ci_low", "ci_high", "n", "resampled"]
LEAST_OVERLAP = 0.1  # a box that meets the person's less than that shows somebody else
FEW_GROUPS = 10  # fewer clips than that are too few to draw from: the interval is over pictures
NAMED_GROUPS = 10  # no more groups than that have rows of their own
BODY_OF_BOX = 0.53  # COCO's areas are those of the body's mask, about half its box
TRUNK = ("right_shoulder", "left_hip")
HEAD = ("upper_neck", "head_top")


class Frames(Sequence):
    """The picture of every candidate, for estimators that expect a frame a box; the last one read is kept."""

    def __init__(self, paths: Sequence[Any], counts: Sequence[int], read: Callable[[Any], np.ndarray]) -> None:
        self._owner = np.repeat(np.arange(len(paths)), counts)
        self._paths, self._read, self._last = paths, read, (-1, np.empty(0))

    def __len__(self) -> int:
        return len(self._owner)

    def __getitem__(self, index: int) -> np.ndarray:
        owner = int(self._owner[index])  # IndexError past the end
        if self._last[0] != owner:
            self._last = (owner, self._read(self._paths[owner]))
        return self._last[1]


def candidates(labels: Labels, detector: Callable, read: Callable[[Any], np.ndarray]) -> list[np.ndarray]:
    """Boxes `(N, 5)` that a detector finds in every picture."""
    return [np.asarray(boxes) for boxes in detector(read(picture.path) for picture in labels.pictures)]


def given(labels: Labels) -> list[np.ndarray]:
    """The labelled boxes of everybody who has labelled keypoints, as candidates `(N, 5)`."""
    boxes = [[_box(person) for person in picture.people if _asked(person)] for picture in labels.pictures]
    return [np.array([[*box, 1.0] for box in own if np.isfinite(box).all()]).reshape(-1, 5) for own in boxes]


def poses(
    labels: Labels, boxes: Sequence[np.ndarray], estimator: Callable, read: Callable[[Any], np.ndarray]
) -> list[np.ndarray]:
    """Keypoints `(N, K, 3)` of all candidates of every picture."""
    counts = [len(own) for own in boxes]
    frames = Frames([picture.path for picture in labels.pictures], counts, read)
    found = np.asarray(estimator(frames, np.concatenate(boxes))) if sum(counts) else np.empty((0, 1, 3))
    return np.split(found, np.cumsum(counts)[:-1])


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
    own_set, found_set = keypoint_sets.get(labels.keypoint_set), keypoint_sets.get(keypoint_set)
    of, to = shared(own_set, found_set)
    keypoints = [found[:, to] if len(found) else np.empty((0, len(to), 3)) for found in keypoints]
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
    asked = [_truth(person) for person in people if _asked(person)]
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
    asked = [person for person in people if _asked(person) and person.labelled[columns].any()]
    matched, _ = _matched(np.array([_box(person) for person in asked]).reshape(-1, 4), boxes)
    found = np.full((len(asked), len(columns), 3), np.nan)
    found[matched >= 0] = keypoints[matched[matched >= 0]]
    posed = np.isfinite(found[..., 0]).any(axis=1)
    truth = np.array([_truth(person) for person in asked]).reshape(-1, len(points), 2)
    gaps = pose_quality.errors(found, truth[:, columns])
    likeness = pose_quality.oks(gaps, np.array([_area(person) for person in asked]), sigmas_of(points)[columns])
    sums = {
        "people_with_pose": _ratio(posed),
        "pictures_with_pose": np.array([posed.any(), len(asked) > 0], float),
        **_keypoint_sums(gaps, likeness, asked, truth, points, ""),
        **_keypoint_sums(gaps[posed], likeness[posed], [p for p, ok in zip(asked, posed, strict=True) if ok],
                         truth[posed], points, "_found"),
    }  # fmt: skip
    return sums


def _keypoint_sums(
    gaps: np.ndarray, likeness: np.ndarray, people: Sequence[Person], truth: np.ndarray, points: KeypointSet, end: str
) -> dict[str, np.ndarray]:
    sizes = np.array([_longer_side(person) for person in people])
    sums = {f"pck_{round(100 * t):02d}{end}": _right(gaps, t * sizes) for t in sorted(pose_quality.PCK_THRESHOLDS)}
    sums[f"pck_torso_50{end}"] = _right(gaps, 0.5 * _distance(truth, points, TRUNK))
    if set(HEAD) <= set(points.names):  # Andriluka et al.: half the length of the head's segment
        sums[f"pckh_50{end}"] = _right(gaps, 0.5 * _distance(truth, points, HEAD))
    return {**sums, f"oks{end}": _ratio(likeness[np.isfinite(likeness)])}


def _right(gaps: np.ndarray, limits: np.ndarray) -> np.ndarray:
    """How many keypoints `(P, J)` lie within the person's limit `(P,)`, and how many were asked for."""
    asked = np.isfinite(limits)[:, None] & ~np.isnan(gaps) if len(gaps) else np.zeros(gaps.shape, bool)
    return np.array([((gaps < limits[:, None]) & asked).sum() if len(gaps) else 0, asked.sum()], float)


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


def _asked(person: Person) -> bool:
    return not person.crowd and bool(person.labelled.any())


def _boxed(people: Sequence[Person]) -> np.ndarray:
    """Boxes (P, 4) of everybody who is no crowd and has one."""
    boxes = np.array([_box(person) for person in people if not person.crowd]).reshape(-1, 4)
    return boxes[np.isfinite(boxes).all(axis=1)]


def _box(person: Person) -> np.ndarray:
    """The labelled box (4,), else the extent of the keypoints, else NaN."""
    if person.box is not None:
        return person.box[:4]
    around = extent(person.keypoints)
    return np.full(4, np.nan) if around is None else around


def _truth(person: Person) -> np.ndarray:
    """Labelled keypoints (K, 2), NaN for the others."""
    return np.where(person.labelled[:, None], person.keypoints[:, :2], np.nan)


def _longer_side(person: Person) -> float:
    """Of the box around the labelled keypoints; NaN where they span none."""
    around = extent(person.keypoints)
    return float("nan") if around is None else float((around[2:] - around[:2]).max())


def _area(person: Person) -> float:
    """The labelled area, else a body's share of the box around the keypoints."""
    if person.area is not None:
        return person.area
    around = extent(person.keypoints)
    return 0.0 if around is None else BODY_OF_BOX * float(np.prod(around[2:] - around[:2]))


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


class CocoReference:
    """COCO's evaluation of poses by pycocotools, for any choice of pictures.

    A pose's score is its box's confidence times its mean keypoint confidence, as top-down systems are scored
    (Xiao, Wu, Wei, ECCV 2018).
    """

    def __init__(
        self,
        labels: Labels,
        boxes: Sequence[np.ndarray],
        keypoints: Sequence[np.ndarray],
        columns: list[int],
        sigmas: np.ndarray,
    ) -> None:
        from pycocotools.cocoeval import COCOeval

        people = [[_as_truth(person, columns) for person in picture.people] for picture in labels.pictures]
        found = [
            [_as_found(box, pose) for box, pose in zip(own, posed, strict=True) if np.isfinite(pose).all()]
            for own, posed in zip(boxes, keypoints, strict=True)
        ]
        self.asked = np.array(
            [sum(not person["iscrowd"] and person["num_keypoints"] > 0 for person in own) for own in people]
        )
        with contextlib.redirect_stdout(io.StringIO()):  # pycocotools prints as it goes
            self._coco = COCOeval(_coco(people), _coco(found), "keypoints")
            self._coco.params.kpt_oks_sigmas = np.asarray(sigmas)
            self._coco.evaluate()

    def likenesses(self, picture: int) -> np.ndarray:
        """OKS of the poses of a picture, best first, with its people, `(N, P)`."""
        return np.asarray(self._coco.ious[picture, 1])

    def measures(self, pictures: np.ndarray) -> dict[str, float]:
        """AP and AR of the pictures with these numbers, which may come several times; none where nobody is asked for."""
        some = copy.copy(self._coco)
        some.params = copy.copy(self._coco.params)
        per_area = len(self._coco.params.imgIds)
        some.params.imgIds = list(range(len(pictures)))
        some._paramsEval = some.params
        some.evalImgs = [self._coco.evalImgs[area * per_area + i] for area in range(3) for i in pictures]
        with contextlib.redirect_stdout(io.StringIO()):
            some.accumulate()
        precision, recall = some.eval["precision"], some.eval["recall"]  # (T, R, 1, areas, 1), (T, 1, areas, 1)
        at = {0.5: "ap_50", 0.75: "ap_75"}
        named = {"ap": precision[..., 0, 0], "ar": recall[..., 0, 0]}
        named |= {at[t]: precision[i, ..., 0, 0] for i, t in enumerate(some.params.iouThrs.round(2)) if t in at}
        named |= {"ap_medium": precision[..., 1, 0], "ap_large": precision[..., 2, 0]}
        return {name: float(values.mean()) for name, values in named.items() if values.min() >= 0}


def _as_truth(person: Person, columns: list[int]) -> dict[str, Any]:
    asked = person.keypoints[columns]
    x1, y1, x2, y2 = np.nan_to_num(_box(person))
    return dict(
        keypoints=asked.ravel().tolist(),
        num_keypoints=int((asked[:, 2] > 0).sum()),
        area=_area(person),
        iscrowd=int(person.crowd),
        bbox=[x1, y1, x2 - x1, y2 - y1],
    )


def _as_found(box: np.ndarray, pose: np.ndarray) -> dict[str, Any]:
    width, height = np.ptp(pose[:, 0]), np.ptp(pose[:, 1])
    x, y = pose[:, :2].min(axis=0)
    score = float(box[4] * pose[:, 2].mean())
    return dict(
        keypoints=pose.ravel().tolist(), score=score, area=float(width * height), bbox=[x, y, width, height], iscrowd=0
    )


def _coco(entries: Sequence[Sequence[dict[str, Any]]]) -> Any:
    """A COCO index over the entries of every picture; people and poses count from 1."""
    from pycocotools.coco import COCO

    numbered = [dict(entry, image_id=i) for i, own in enumerate(entries) for entry in own]
    index = COCO()
    index.dataset = dict(
        images=[dict(id=i) for i in range(len(entries))],
        categories=[dict(id=1)],
        annotations=[dict(entry, id=i, category_id=1) for i, entry in enumerate(numbered, start=1)],
    )
    index.createIndex()
    return index
