"""How well BlazePose finds real divers, with and without turning them upright.

    AQA_REALDATA=... OMP_NUM_THREADS=1 python benchmarks/blazepose.py     writes benchmarks/blazepose.md

Needs `hpmcore_examples`: consecutive frames of 10 m dives, 455 x 256 pixels, 16 MPII joints a frame. Whole chain: the
best box of each frame goes into the estimator, no truth is used. PCK and OKS are those of `evaluation/pose_quality`:
of the longer side of the joints' box, on the 12 joints that MPII and COCO share, left and right as named.
"""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import cv2
import numpy as np

from aqa_pipeline import keypoint_sets
from aqa_pipeline.detection import blazepose as detection
from aqa_pipeline.evaluation import pose_quality
from aqa_pipeline.pose import blazepose as pose

UPRIGHT_ONLY = dict(rotations=1, turned=False)
ONE_LOOK = dict(rotations=1, refine=0, tilts=(0.0,), mirrored=False, padding=1.25)  # as mediapipe does it
ROWS = {
    "default": (dict(), dict()),
    "default, median of 5 frames": (dict(), dict(smooth=5)),
    "one upright search, one look at the turned body": (dict(rotations=1), ONE_LOOK),
    "no turning: search and look upright": (dict(rotations=1), UPRIGHT_ONLY),
    "turned search, upright look": (dict(), dict(turned=False)),
    "default, true boxes": (None, dict()),
    "no turning, true boxes": (None, UPRIGHT_ONLY),
}


def read(folder: Path) -> tuple[list[np.ndarray], np.ndarray, np.ndarray]:
    """Frames, joints `(T, 16, 2)` and the clip of each frame `(T,)`."""
    records = json.loads((folder / "annotations.json").read_text())
    frames = [cv2.imread(str(folder / "images" / record["image"]), cv2.IMREAD_COLOR_RGB) for record in records]
    return frames, np.array([r["joints"] for r in records]), np.array([r["clip"] for r in records])


def best_boxes(frames: list[np.ndarray], options: dict) -> np.ndarray:
    """The most confident box of each frame, (T, 5)."""
    nothing = np.full((1, 5), np.nan, np.float32)
    return np.concatenate([(found if len(found) else nothing)[:1] for found in detection.build(**options)(frames)])


def measure(keypoints: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """PCK@0.2, PCK@0.1 and OKS of `keypoints (N, 17, 3)` against `truth (N, 16, 2)`."""
    to, of = keypoint_sets.shared("coco_17", "mpii_16")
    sides = truth.max(axis=1) - truth.min(axis=1)
    gaps = pose_quality.errors(keypoints[:, to], truth[:, of])
    sigmas = [keypoint_sets.get("coco_17").sigmas[k] for k in to]
    likeness = pose_quality.oks(gaps, 0.53 * sides.prod(axis=1), sigmas)
    return np.array([*(pose_quality.pck(gaps, sides.max(axis=1), threshold=t) for t in (0.2, 0.1)), likeness.mean()])


def row(frames: list[np.ndarray], joints: np.ndarray, clips: np.ndarray, finding: dict | None, looking: dict) -> str:
    """Figures of one choice of options, as a row of the table."""
    true_boxes = np.column_stack([joints.min(axis=1), joints.max(axis=1), np.ones(len(joints))])
    start = time.perf_counter()
    boxes = true_boxes if finding is None else best_boxes(frames, finding)
    estimate = pose.build(**looking)
    keypoints = np.full((len(frames), 17, 3), np.nan)
    for clip in np.unique(clips):
        own = np.flatnonzero(clips == clip)
        keypoints[own] = estimate([frames[i] for i in own], boxes[own])
    seconds = (time.perf_counter() - start) / len(frames)
    given = np.isfinite(keypoints).all(axis=(1, 2))
    chosen = [np.ones(len(frames), bool), given, *(clips == clip for clip in np.unique(clips))]
    figures = [" ".join(f"{value:.3f}" for value in measure(keypoints[c], joints[c])) for c in chosen]
    recall = pose_quality.recall(boxes, true_boxes)
    return f"{given.sum()}/{len(frames)} | {recall:.3f} | " + " | ".join(figures) + f" | {seconds:.2f}"


def main() -> None:
    frames, joints, clips = read(Path(os.environ["AQA_REALDATA"]) / "hpmcore_examples")
    names = [
        "options",
        "found",
        "box IoU >= 0.5",
        "all frames",
        "found frames",
        *(f"clip {c}" for c in np.unique(clips)),
    ]
    lines = [" | ".join([*names, "s a frame"]), " | ".join(["---"] * (len(names) + 1))]
    for name, (finding, looking) in ROWS.items():
        lines.append(f"{name} | {row(frames, joints, clips, finding, looking)}")
        print(lines[-1], flush=True)
    table = "\n".join(f"| {line} |" for line in lines)
    Path(__file__).with_suffix(".md").write_text(
        f"# BlazePose on {len(frames)} frames of real dives\n\n"
        "Made by `benchmarks/blazepose.py`. Each cell of four columns holds PCK@0.2, PCK@0.1 and OKS; in `all frames` "
        "and in the clips a frame\nwithout a pose counts as wrong. Seconds are of one thread on a shared machine.\n\n"
        f"{table}\n"
    )


if __name__ == "__main__":
    main()
