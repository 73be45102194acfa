"""COCO's evaluation of poses, by pycocotools: the reference, on any choice of pictures."""

from __future__ import annotations

import contextlib
import copy
import io
from collections.abc import Sequence
from typing import Any

import numpy as np

from aqa_pipeline.labelled import Labels, Person

_NOWHERE = (-1e6, -1e6, 0.0)  # a keypoint that was not given: near nothing, and sure of nothing


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
            [_as_found(box, pose) for box, pose in zip(own, posed, strict=True) if np.isfinite(pose).any()]
            for own, posed in zip(boxes, keypoints, strict=True)
        ]
        self.asked = np.array([sum(map(_is_asked, own)) for own in people])
        with contextlib.redirect_stdout(io.StringIO()):  # pycocotools prints as it goes
            self._coco = COCOeval(_coco(people), _coco(found), "keypoints")
            self._coco.params.kpt_oks_sigmas = np.asarray(sigmas)
            self._coco.evaluate()

    def likenesses(self, picture: int) -> np.ndarray:
        """OKS of the poses of a picture, best first, with its people, `(N, P)`."""
        return np.asarray(self._coco.ious[picture, 1])

    def measures(self, pictures: np.ndarray) -> dict[str, float]:
        """AP and AR of the pictures with these numbers, also repeated; none where nobody is asked for."""
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


def _is_asked(person: dict[str, Any]) -> bool:
    return not person["iscrowd"] and person["num_keypoints"] > 0


def _as_truth(person: Person, columns: list[int]) -> dict[str, Any]:
    asked = person.keypoints[columns]
    x1, y1, x2, y2 = np.nan_to_num(person.place)
    return dict(
        keypoints=asked.ravel().tolist(),
        num_keypoints=int((asked[:, 2] > 0).sum()),
        area=person.body_area,
        iscrowd=int(person.crowd),
        bbox=[x1, y1, x2 - x1, y2 - y1],
    )


def _as_found(box: np.ndarray, pose: np.ndarray) -> dict[str, Any]:
    pose = np.where(np.isfinite(pose), pose, _NOWHERE)
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
