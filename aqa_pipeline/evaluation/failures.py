"""Videos that a run left out: gathered from the stores, where every stage records its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from aqa_pipeline import stores
from aqa_pipeline.errors import ABSENT, InputError

COLUMNS = ["dataset", "video_id", "stage", "reason"]
KINDS = ("frames", "boxes", "keypoints", "features")


@dataclass
class OfDataset:
    """All videos that the stores of a data set name, and those that one of them left out."""

    videos: set[str] = field(default_factory=set)
    failed: dict[str, list[tuple[str, str]]] = field(default_factory=dict)  # id -> (stage, reason), each once

    @property
    def absent(self) -> set[str]:
        """Videos whose files are not there."""
        return {video_id for video_id, reasons in self.failed.items() if any(stage == ABSENT for stage, _ in reasons)}


def collect(paths: Sequence[Path]) -> dict[str, OfDataset]:
    """Failures by data set; kind and data set are read off the path, `.../{kind}/{dataset}/.../{shard}.h5`."""
    found: dict[str, OfDataset] = {}
    for path in map(Path, paths):
        kind, dataset = _place(path)
        of = found.setdefault(dataset, OfDataset())
        with stores.read(path, kind=kind) as store:
            of.videos.update(store, store.failures)
            for video_id, reason in store.failures.items():
                known = of.failed.setdefault(video_id, [])
                if reason not in known:  # later stores carry the failures of earlier ones along
                    known.append(reason)
    return found


def check(found: Mapping[str, OfDataset], limits: Mapping[str, float]) -> None:
    """InputError for the first data set that lost a larger share of its videos than it may, absent ones aside."""
    for dataset, of in found.items():
        limit = limits.get(dataset, 1.0)
        absent = of.absent
        failed = {video_id: reasons for video_id, reasons in of.failed.items() if video_id not in absent}
        n_videos = len(of.videos - absent)
        if len(failed) > limit * n_videos:
            video_id, [(stage, reason), *_] = min(failed.items())
            raise InputError(
                f"datasets.{dataset}.max_failed_fraction: {len(failed)} of {n_videos} videos were left out, "
                f"expected at most {limit:g} of them; the first is '{video_id}', {stage}: {reason}"
            )


def rows(found: Mapping[str, OfDataset]) -> list[tuple[str, str, str, str]]:
    """`COLUMNS` in the order of data set, video and stage; a feature set that fails alone has a row of its own."""
    return sorted(
        (dataset, video_id, stage, reason)
        for dataset, of in found.items()
        for video_id, reasons in of.failed.items()
        for stage, reason in reasons
    )


def _place(path: Path) -> tuple[str, str]:
    for number in range(len(path.parts) - 2, -1, -1):
        if path.parts[number] in KINDS and number + 1 < len(path.parts) - 1:
            return path.parts[number], path.parts[number + 1]
    raise InputError(f"{path}: expected .../kind/dataset/.../shard.h5 with kind one of {', '.join(KINDS)}")
