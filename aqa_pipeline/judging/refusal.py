"""When not to answer: a video that is not like those that a run was trained on.

Every check compares one number of the video with the same number of each training video, computed in the same way, and
declines where hardly any of them lies as far out: no threshold is chosen by hand. Of videos like the training videos a
check so declines about one in a hundred, or one in n + 1 where there are fewer than a hundred.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from aqa_pipeline import keypoint_sets, stores
from aqa_pipeline.evaluation import pose_flags
from aqa_pipeline.training.data import Features

if TYPE_CHECKING:
    import pandas as pd

ERROR_RATE = 0.01  # of each check, on videos like the training videos
NEIGHBOURS = 5
POSES = {  # what is asked of an athlete's poses, and why a video is declined by it; flags: `evaluation.pose_flags`
    "found": ("share of the frames with the athlete", "the athlete was found in too few frames"),
    "confidence": ("mean confidence of the keypoints", "the keypoints are too unsure"),
    "plausible": ("share of the skeletons without a flag", "too many skeletons cannot be right"),
}
FEATURES = ("distance to the nearest training videos", "it moves like nothing in the training videos")


@dataclass(frozen=True)
class Check:
    """One number of a video beside those of the training videos."""

    name: str
    value: float
    limit: float  # what lies beyond is declined
    passed: bool
    beyond: int  # training videos that lie at least as far out
    n: int  # training videos
    error_rate: float  # share of videos like these that the check declines

    @property
    def what(self) -> str:
        """What the number is."""
        return POSES.get(self.name, FEATURES)[0]

    @property
    def why(self) -> str:
        """What it means that a video has not passed."""
        return POSES.get(self.name, FEATURES)[1]

    @property
    def reason(self) -> str:
        """The same with its numbers."""
        numbers = f"{self.name} {self.value:.3g}, limit {self.limit:.3g}"
        return f"{self.why}: {numbers}; as far out: {self.beyond} of {self.n} training videos"


class Space:
    """Where training videos lie by their features: mean and spread over time, in units of the deviation among them.

    Parameters
    ----------
    sequences : (T', D) of each training video, at least two
    """

    def __init__(self, sequences: Sequence[np.ndarray]) -> None:
        from scipy.spatial import KDTree

        points = np.stack([_pooled(sequence) for sequence in sequences])
        self._mean, sd = points.mean(axis=0), points.std(axis=0)
        self._sd = np.where(sd > 1e-6, sd, 1.0)
        self._n_neighbours = min(NEIGHBOURS, len(points) - 1)
        self._tree = KDTree(self._scaled(points))
        distances, numbers = self._tree.query(self._tree.data, k=self._n_neighbours + 1)
        others = numbers != np.arange(len(points))[:, None]
        others[others.all(axis=1), -1] = False  # as many lie in the same place, itself is not among its nearest
        self.neighbours = numbers[others].reshape(len(points), -1)  # of each training video among the others
        self.distances = distances[others].reshape(len(points), -1).mean(axis=1)  # (N,)

    def place(self, sequence: np.ndarray) -> tuple[float, np.ndarray]:
        """Mean distance of a video (T', D) to its nearest training videos, and their numbers, the nearest first."""
        point = self._scaled(_pooled(sequence))
        if not np.isfinite(point).all():
            return np.inf, np.zeros(0, int)
        distances, numbers = self._tree.query(point, k=range(1, self._n_neighbours + 1))
        return float(distances.mean()), numbers

    def _scaled(self, points: np.ndarray) -> np.ndarray:
        return (points - self._mean) / self._sd


class Familiar:
    """What is usual among training videos.

    Parameters
    ----------
    poses : `usual_poses` of training videos, a row each, indexed by video; empty where their keypoints are not known
    features : by feature set, training videos and where they lie
    """

    def __init__(self, poses: pd.DataFrame, features: Mapping[str, tuple[Sequence[str], Space]]) -> None:
        import pandas as pd

        self.spaces = {name: space for name, (_, space) in features.items()}
        self.videos = {name: list(ids) for name, (ids, _) in features.items()}  # in the order of the space
        far = {_of_set(name): pd.Series(space.distances, list(ids)) for name, (ids, space) in features.items()}
        strange = pd.DataFrame({**{name: -poses[name] for name in poses}, **far})  # the larger the stranger
        self._strange = strange.dropna(axis=1, how="all")

    def checks(self, poses: Mapping[str, float], distances: Mapping[str, float]) -> list[Check]:
        """Every check of a video from its `statistics` and its distances by feature set."""
        values = {name: -value for name, value in poses.items()}
        values |= {_of_set(name): distance for name, distance in distances.items()}
        return [self._check(name, value) for name, value in values.items() if name in self._strange]

    @property
    def error_rate(self) -> float:
        """Share of the training videos that any of the checks would decline."""
        import pandas as pd

        limits = pd.Series({name: _limit(self._strange[name].dropna()) for name in self._strange}, dtype=float)
        return float((self._strange > limits).any(axis=1).mean())

    def _check(self, name: str, strange: float) -> Check:
        usual = self._strange[name].dropna()
        limit, sign = _limit(usual), -1 if name in POSES else 1
        return Check(
            name=name,
            value=sign * strange,
            limit=sign * limit,
            passed=bool(strange <= limit),
            beyond=int((usual >= strange).sum()),
            n=len(usual),
            error_rate=(_allowed(len(usual)) + 1) / (len(usual) + 1),
        )


def statistics(keypoints: np.ndarray, *, keypoint_set: str, fps: float, cuts: Sequence[int] = ()) -> dict[str, float]:
    """`POSES` of one video from its keypoints (T, K, 3)."""
    found = np.isfinite(keypoints).all(axis=2)
    present = found.any(axis=1)
    if not present.any():
        return dict.fromkeys(POSES, 0.0)
    flags = pose_flags.flags_of_clip(keypoints, keypoint_sets.get(keypoint_set), fps=fps, cuts=cuts)
    flagged = pose_flags.severity(flags) > 0
    return dict(
        found=float(present.mean()),
        confidence=float(keypoints[..., -1][found].mean()),
        plausible=float(1 - flagged[present].mean()),
    )


def of_store(store: stores.Reader, video_id: str) -> dict[str, float]:
    """`statistics` of a video in a keypoint store; `found` alone from a store of boxes."""
    if store.kind == "boxes":
        return {"found": float(np.isfinite(store.array(video_id, "boxes")).all(axis=1).mean())}
    facts = store.facts(video_id)
    about = dict(keypoint_set=facts["keypoint_set"], fps=float(facts["fps"]))
    return statistics(store.array(video_id, "keypoints"), **about)


def usual_poses(paths: Sequence[Path], video_ids: Sequence[str]) -> pd.DataFrame:
    """`of_store` of training videos from stores of keypoints or boxes, indexed by video; empty without stores."""
    import pandas as pd

    wanted = set(video_ids)
    rows = {video_id: found for path in paths for video_id, found in _of_path(path, wanted)}
    return pd.DataFrame.from_dict(rows, orient="index", columns=list(POSES))


def usual_features(features: Features, video_ids: Sequence[str]) -> tuple[list[str], Space] | None:
    """Training videos whose features are known, and where they lie; None where these are fewer than two."""
    known = [video_id for video_id in video_ids if video_id in features]
    return (known, Space([features.read(video_id) for video_id in known])) if len(known) > 1 else None


def _of_path(path: Path, wanted: set[str]) -> Iterator[tuple[str, dict[str, float]]]:
    with stores.read(path, kind=stores.kind(path)) as store:
        for video_id in store:
            if video_id in wanted:
                yield video_id, of_store(store, video_id)


def _pooled(sequence: np.ndarray) -> np.ndarray:
    return np.concatenate([sequence.mean(axis=0), sequence.std(axis=0)]).astype(np.float64)


def _of_set(name: str) -> str:
    return f"features {name}"


def _allowed(n: int) -> int:
    """How many of n training videos may lie as far out as a video that is declined."""
    return max(int(ERROR_RATE * (n + 1)) - 1, 0)


def _limit(usual: pd.Series) -> float:
    """The strangeness beyond which no more than the allowed number of training videos lie."""
    return float(np.sort(usual.to_numpy())[-1 - _allowed(len(usual))])
