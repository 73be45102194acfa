"""Boxes and keypoints against known truth: recall at IoU, PCK, OKS, error in pixels.

What the stage did not find counts as wrong, never as absent: NaN in a prediction is a miss.
Shapes: N frames, K keypoints. A truth of NaN, or one outside `chosen`, is not asked for.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

PCK_THRESHOLDS = (0.2, 0.1, 0.05)


def iou(boxes: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Intersection over union of boxes `(N, 4+)` with `others (N, 4+)`, row by row; 0 where either is NaN."""
    boxes, others = np.asarray(boxes, np.float64)[:, :4], np.asarray(others, np.float64)[:, :4]
    assert boxes.shape == others.shape, (boxes.shape, others.shape)
    inner = np.minimum(boxes[:, 2:], others[:, 2:]) - np.maximum(boxes[:, :2], others[:, :2])
    inner = np.prod(np.clip(inner, 0, None), axis=1)
    union = _area(boxes) + _area(others) - inner
    return np.nan_to_num(np.divide(inner, union, out=np.zeros_like(inner), where=union > 0), nan=0.0)


def recall(boxes: np.ndarray, true_boxes: np.ndarray, *, chosen: np.ndarray | None = None, at: float = 0.5) -> float:
    """Share of true boxes `(N, 4+)` that `boxes (N, 4+)` meets with an IoU of at least `at`; NaN if there is none."""
    asked = np.isfinite(np.asarray(true_boxes)[:, :4]).all(axis=1)
    asked &= True if chosen is None else np.asarray(chosen, bool)
    return _mean(iou(boxes, true_boxes)[asked] >= at)


def errors(keypoints: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Distance in pixels of `keypoints (N, K, 2+)` from `truth (N, K, 2+)`, `(N, K)`; infinite where not found.

    NaN where the truth is NaN.
    """
    keypoints, truth = np.asarray(keypoints, np.float64)[..., :2], np.asarray(truth, np.float64)[..., :2]
    assert keypoints.shape == truth.shape, (keypoints.shape, truth.shape)
    gap = np.linalg.norm(keypoints - truth, axis=-1)
    return np.where(np.isfinite(truth).all(axis=-1), np.where(np.isfinite(gap), gap, np.inf), np.nan)


def pck(gaps: np.ndarray, sizes: np.ndarray, *, threshold: float) -> float:
    """Share of keypoints whose error `gaps (N, K)` lies below `threshold` x `sizes (N,)`; NaN gaps are not asked."""
    right = gaps < threshold * np.asarray(sizes)[:, None]
    return _mean(right[~np.isnan(gaps)])


def oks(gaps: np.ndarray, areas: np.ndarray, sigmas: Sequence[float]) -> np.ndarray:
    """Object keypoint similarity `(N,)` as COCO defines it: mean over keypoints of exp(-d^2 / (2 area (2 sigma)^2)).

    `gaps (N, K)` pixels, `areas (N,)` square pixels, `sigmas (K,)`. NaN where no keypoint is asked for.
    """
    assert gaps.shape[1] == len(sigmas), (gaps.shape, len(sigmas))
    scale = 2 * np.asarray(areas, np.float64)[:, None] * (2 * np.asarray(sigmas)) ** 2
    likeness = np.exp(-(gaps**2) / np.maximum(scale, 1e-9))  # (N, K)
    asked = ~np.isnan(gaps)
    total = np.where(asked, likeness, 0.0).sum(axis=1)
    return np.where(asked.any(axis=1), total / np.maximum(asked.sum(axis=1), 1), np.nan)


def upside_down(truth: np.ndarray, names: Sequence[str]) -> np.ndarray:
    """Frames `(N,)` whose shoulders lie below the hips; `truth (N, K, 2+)` with the keypoints' `names`."""
    height = {name: np.asarray(truth)[:, names.index(name), 1] for name in _TRUNK}
    return height["left_shoulder"] + height["right_shoulder"] > height["left_hip"] + height["right_hip"]


def detection_report(
    boxes: np.ndarray, true_boxes: np.ndarray, groups: Mapping[str, np.ndarray]
) -> list[dict[str, object]]:
    """Rows `metric, group, value, n`: recall at IoU 0.5 and mean IoU, in all frames and in each group `(N,)` of frames.

    Where frames without an athlete are known (a true box of NaN), the share of them in which a box was given anyway
    is `false_box_rate`.
    """
    known = np.isfinite(np.asarray(true_boxes)[:, :4]).all(axis=1)
    given = np.isfinite(np.asarray(boxes)[:, :4]).all(axis=1)
    overlap = iou(boxes, true_boxes)
    rows = []
    for group, chosen in _with_all(groups, len(known)):
        asked = known & chosen
        rows.append(_row("recall_iou_50", group, _mean(overlap[asked] >= 0.5), asked.sum()))
        rows.append(_row("mean_iou", group, _mean(overlap[asked]), asked.sum()))
        if (empty := chosen & ~known).any():
            rows.append(_row("false_box_rate", group, _mean(given[empty]), empty.sum()))
    return rows


def keypoint_report(
    keypoints: np.ndarray,
    truth: np.ndarray,
    true_boxes: np.ndarray,
    *,
    names: Sequence[str],
    sigmas: Sequence[float],
    groups: Mapping[str, np.ndarray],
    parts: Mapping[str, Sequence[int]] | None = None,
) -> list[dict[str, object]]:
    """Rows `metric, group, value, n`: PCK of the box's longer side, OKS, median error in pixels and in box sizes.

    In all frames, in each group of frames, and of each of these only the upside-down ones (`<group>_upside_down`).
    `parts` name columns to report on their own, as `<metric>_<part>`.
    """
    gaps = errors(keypoints, truth)
    sides = np.asarray(true_boxes, np.float64)[:, 2:4] - np.asarray(true_boxes, np.float64)[:, :2]
    sizes, areas = sides.max(axis=1), 0.53 * sides.prod(axis=1)  # COCO's area is the body's mask, about half its box
    inverted = upside_down(truth, names)
    columns = {"": range(len(names)), **{f"_{part}": chosen for part, chosen in (parts or {}).items()}}
    rows = []
    for group, chosen in _with_all(groups, len(sizes)):
        for label, frames in ((group, chosen), (f"{group}_upside_down", chosen & inverted)):
            for part, taken in columns.items():
                own = gaps[frames][:, list(taken)]
                rows += _keypoint_rows(own, sizes[frames], areas[frames], [sigmas[k] for k in taken], part, label)
    return rows


def _keypoint_rows(
    gaps: np.ndarray, sizes: np.ndarray, areas: np.ndarray, sigmas: Sequence[float], part: str, group: str
) -> list[dict[str, object]]:
    asked = ~np.isnan(gaps)
    count = int(asked.sum())
    relative = (gaps / sizes[:, None])[asked]
    rows = [
        _row(f"pck_{round(100 * t):02d}{part}", group, pck(gaps, sizes, threshold=t), count) for t in PCK_THRESHOLDS
    ]
    likeness = oks(gaps, areas, sigmas)
    rows.append(_row(f"oks{part}", group, _mean(likeness[~np.isnan(likeness)]), count))
    rows.append(_row(f"median_error_px{part}", group, _median(gaps[asked]), count))
    rows.append(_row(f"median_error_of_box{part}", group, _median(relative), count))
    return rows


_TRUNK = ("left_shoulder", "right_shoulder", "left_hip", "right_hip")


def _with_all(groups: Mapping[str, np.ndarray], count: int) -> list[tuple[str, np.ndarray]]:
    everything = np.ones(count, bool)
    return [("all", everything), *((name, np.asarray(chosen, bool)) for name, chosen in groups.items())]


def _row(metric: str, group: str, value: float, n: int) -> dict[str, object]:
    return dict(metric=metric, group=group, value=float(value), n=int(n))


def _area(boxes: np.ndarray) -> np.ndarray:
    return np.prod(boxes[:, 2:] - boxes[:, :2], axis=1)


def _mean(values: np.ndarray) -> float:
    return float(np.mean(values)) if len(values) else float("nan")


def _median(values: np.ndarray) -> float:
    return float(np.median(values)) if len(values) else float("nan")
