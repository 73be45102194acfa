"""What fine-tuning on the labelled frames of one dive brings on another dive.

    AQA_REALDATA=... OMP_NUM_THREADS=1 python benchmarks/fine_tuning.py       writes benchmarks/fine_tuning.md

Trained on clip A and tested on clip B of HP-MCoRe's example frames, and the other way round. The test clip takes no
part in training. Rate and variation were set before anything was measured; 200 steps were settled on after 100 had
been tried once and measured on clip B, so that direction is not quite untouched.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from aqa_pipeline import frames, plugins, weights
from aqa_pipeline.evaluation import labelled_quality as quality
from aqa_pipeline.labelled import Labels
from aqa_pipeline.training import embedded

START = "estimator_coco_17"
SHOWN = ("pck_20", "pck_10", "oks", "ap")
STEPS, DRAWS, SEED = 200, 2000, 0


def measured(labels: Labels, boxes: list[np.ndarray], path: str) -> dict[str, dict]:
    """Rows of the whole set by metric."""
    points = weights.facts(path)["keypoint_set"]
    estimator = plugins.load("pose", "embedded").build(weights=path, keypoint_set=points)
    resampling = quality.Resampling.of(labels, n_draws=DRAWS, seed=SEED)
    keypoints = quality.poses(labels, boxes, estimator, frames.read_picture)
    rows = quality.pose_rows("", labels, boxes, keypoints, points, resampling)
    return {row["metric"]: row for row in rows if row["group"] == "all"}


def lines_of(what: str, labels: Labels, path: str) -> list[str]:
    """One line of the table from the labelled boxes, one from the shipped detector's."""
    detector = plugins.load("detection", "embedded").build()
    found = quality.candidates(labels, detector, frames.read_picture)
    lines = []
    for name, boxes in (("labelled", quality.given(labels)), ("detected", found)):
        rows = measured(labels, boxes, path)
        cells = [f"{rows[m]['value']:.3f} ({rows[m]['ci_low']:.3f} to {rows[m]['ci_high']:.3f})" for m in SHOWN]
        lines.append(f"| {what} | {name} | {' | '.join(cells)} |")
    return lines


def main() -> None:
    """Both directions, for the 17 points of COCO and the 16 of MPII."""
    root = os.environ.get("AQA_REALDATA")
    if not root:
        sys.exit("AQA_REALDATA is not set: it names the folder with hpmcore_examples")
    folder = Path(root) / "hpmcore_examples"
    labels = plugins.load("labelled", "mpii").read(folder / "annotations.json", folder / "images")
    lines, seconds = [], []
    for train, test in (("A", "B"), ("B", "A")):
        lines += lines_of(f"tested on {test}, as shipped (12 joints)", labels.of_groups([test]), START)
        for points, asked in (("coco_17", "12 joints"), ("mpii_16", "16 joints")):
            begun = time.perf_counter()
            trained = embedded.from_labels(
                [labels.of_groups([train])],
                keypoint_set=points,
                start=START,
                steps=STEPS,
                seed=SEED,
                threads=1,
                options={},
            )
            seconds.append(time.perf_counter() - begun)
            with tempfile.TemporaryDirectory() as name:
                path = Path(name) / "tuned.safetensors"
                embedded.save(path, trained)
                what = f"tested on {test}, trained on {train}, {points} ({asked})"
                lines += lines_of(what, labels.of_groups([test]), str(path))
    text = [
        "# Fine-tuning on labelled frames",
        "",
        f"{STEPS} steps from `{START}`, {min(seconds):.0f} to {max(seconds):.0f} s a training on one thread of a busy",
        "machine. Clip A has 34 frames, clip B 35; the test clip takes no part in training. In brackets 95 % intervals",
        f"over pictures of the test clip, {DRAWS} draws: they speak of other frames of that dive, not of other dives.",
        "Asked for are the joints that estimator and labels both have. Made by `python benchmarks/fine_tuning.py`.",
        "",
        "| estimator | boxes | PCK@0.2 | PCK@0.1 | OKS | AP |",
        "| --- | --- | --- | --- | --- | --- |",
        *lines,
        "",
    ]
    Path(__file__).with_suffix(".md").write_text("\n".join(text))
    print("\n".join(text))


if __name__ == "__main__":
    main()
