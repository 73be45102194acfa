"""Compare boxes and keypoints with the truth of a simulated data set."""

from __future__ import annotations

from pathlib import Path

from aqa_pipeline.stages import command_line

VERSION = 1


def measure_quality(truth: list[Path], out: Path, *, boxes: list[Path] = [], keypoints: list[Path] = []) -> None:
    """Write recall, PCK and OKS of the given stores against TRUTH (all shards) to OUT, a CSV.

    Boxes and keypoints lie in folders named after the detector, or detector.estimator, that made them.
    """
    import pandas as pd

    from aqa_pipeline import stores
    from aqa_pipeline.evaluation import quality

    rows = []
    for name, paths in quality.by_folder(boxes).items():
        rows += quality.detection_rows(name, truth, paths)
    for name, paths in quality.by_folder(keypoints).items():
        rows += quality.pose_rows(name, truth, paths)
    with stores.replacing(out) as temporary:
        table = pd.DataFrame(rows, columns=quality.COLUMNS)
        table.to_csv(temporary, index=False, float_format="%.4f", lineterminator="\n")


if __name__ == "__main__":
    command_line(measure_quality)
