"""What smoothing gains and what flags are worth, on simulated dives whose truth is known.

    OMP_NUM_THREADS=1 python benchmarks/smoothing.py            writes benchmarks/smoothing.md

The limits of the flags were chosen on dives of seed 51001; the figures are of another seed.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from aqa_pipeline import keypoint_sets, stores
from aqa_pipeline.evaluation import pose_flags, pose_quality
from aqa_pipeline.pose import smoothed
from aqa_pipeline.trajectories import swaps

SEED, DIVES = 51002, 24
POINTS = keypoint_sets.get("coco_17")
STEPS: dict[str, dict[str, Any]] = {
    "as estimated": {},
    "swaps: limbs": {"swaps": "limbs"},
    "reject 4, fill 5": {"reject": 4.0, "fill": 5},
    "reject 6, fill 5": {"reject": 6.0, "fill": 5},
    "speed 15, fill 5": {"speed": 15.0, "fill": 5},
    "least 0.3, fill 5 (linear)": {"least": 0.3, "fill": 5},
    "least 0.3, fill 5 (pchip)": {"least": 0.3, "fill": 5, "fill_with": "pchip"},
    "median of 3": {"filter": "median", "window": 3},
    "median of 5": {"filter": "median", "window": 5},
    "savgol of 5": {"filter": "savgol", "window": 5},
    "savgol of 7": {"filter": "savgol", "window": 7},
    "savgol of 7, order 3": {"filter": "savgol", "window": 7, "order": 3},
    "butterworth 6 Hz": {"filter": "butterworth", "cutoff": 6.0},
    "butterworth 9 Hz": {"filter": "butterworth", "cutoff": 9.0},
    "reject 6, fill 5, median of 3": {"reject": 6.0, "fill": 5, "filter": "median", "window": 3},
    "reject 6, fill 5, savgol of 7": {"reject": 6.0, "fill": 5, "filter": "savgol", "window": 7},
}


@dataclass(frozen=True)
class Dive:
    """One dive: what was estimated, and what is true where a visible athlete can be measured by."""

    keypoints: np.ndarray  # (T, 17, 3)
    truth: np.ndarray  # (T, 17, 2), NaN where it is not asked for
    sizes: np.ndarray  # (T,) longer side of the true box
    fps: float


def dives(folder: Path) -> Iterator[Dive]:
    """Simulated, rendered and estimated as the pipeline does it."""
    from aqa_pipeline.stages.detect_athlete import detect_athlete
    from aqa_pipeline.stages.estimate_keypoints import estimate_keypoints
    from aqa_pipeline.stages.extract_frames import extract_frames
    from aqa_pipeline.stages.list_samples import list_samples
    from aqa_pipeline.stages.simulate import simulate

    simulate(folder / "videos", folder / "truth.h5", options={"seed": SEED, "n_dives": DIVES})
    options = {"folders": [folder / "videos"]}
    list_samples(folder / "all.parquet", [folder / "0.parquet"], adapter="simdive", options=options)
    frames, boxes, keypoints = (folder / f"{name}.h5" for name in ("frames", "boxes", "keypoints"))
    extract_frames(folder / "0.parquet", frames)
    detect_athlete(frames, boxes, detector="embedded", device="cpu")
    estimate_keypoints(frames, boxes, keypoints, estimator="embedded", device="cpu")
    with stores.read(folder / "truth.h5", kind="truth") as truth, stores.read(keypoints, kind="keypoints") as found:
        for video_id in found:
            yield _dive(truth, found, video_id)


def _dive(truth: stores.Reader, found: stores.Reader, video_id: str) -> Dive:
    true, box = truth.array(video_id, "keypoints")[:, :17], truth.array(video_id, "box")
    asked = (true[..., 2] > 0) & np.isfinite(box).all(axis=1)[:, None]
    sizes = (box[:, 2:4] - box[:, :2]).max(axis=1)
    places = np.where(asked[..., None], true[..., :2], np.nan)
    return Dive(found.array(video_id, "keypoints"), places, sizes, float(found.facts(video_id)["fps"]))


def figures(clips: list[Dive], found: list[np.ndarray]) -> dict[str, float]:
    """PCK, median error and jitter of keypoints; errors and jitter in percent of the box's longer side.

    Jitter: median length of the second difference of the error, which even motion of the diver does not enter.
    """
    gaps = [pose_quality.errors(k, d.truth) for k, d in zip(found, clips, strict=True)]
    sizes = np.concatenate([d.sizes for d in clips])
    all_gaps = np.concatenate(gaps)
    relative = (all_gaps / sizes[:, None])[~np.isnan(all_gaps)]
    bends = []
    for keypoints, dive in zip(found, clips, strict=True):
        second = np.diff(keypoints[..., :2] - dive.truth, n=2, axis=0)
        bends.append(np.linalg.norm(second, axis=2) / dive.sizes[1:-1, None])
    bent = np.concatenate(bends)
    return {
        "pck_05": pose_quality.pck(all_gaps, sizes, threshold=0.05),
        "pck_10": pose_quality.pck(all_gaps, sizes, threshold=0.1),
        "median": 100 * float(np.median(relative)),
        "p95": 100 * float(np.quantile(relative, 0.95)),
        "jitter": 100 * float(np.nanmedian(bent)),
        "missing": float(np.isinf(relative).mean()),
    }


def smoothing_rows(clips: list[Dive]) -> Iterator[str]:
    yield "| what | PCK@0.05 | PCK@0.1 | median error | 95 % of errors below | jitter | missing |"
    yield "| --- | --- | --- | --- | --- | --- | --- |"
    for name, options in STEPS.items():
        smooth = smoothed.build(**options)
        f = figures(clips, [smooth(d.keypoints, keypoint_set="coco_17", fps=d.fps) for d in clips])
        yield (
            f"| {name} | {f['pck_05']:.3f} | {f['pck_10']:.3f} | {f['median']:.2f} | {f['p95']:.1f} |"
            f" {f['jitter']:.2f} | {100 * f['missing']:.1f} % |"
        )


def truth_rows(clips: list[Dive]) -> Iterator[str]:
    """The truth itself through each filter: what a filter takes from real motion."""
    yield "| what | PCK@0.05 | median error | 95 % of errors below |"
    yield "| --- | --- | --- | --- |"
    for name, options in STEPS.items():
        if "filter" not in options or "reject" in options:
            continue
        smooth = smoothed.build(**options)
        true = [np.concatenate([d.truth, np.ones((*d.truth.shape[:2], 1))], axis=2) for d in clips]
        f = figures(clips, [smooth(k, keypoint_set="coco_17", fps=d.fps) for k, d in zip(true, clips, strict=True)])
        yield f"| {name} | {f['pck_05']:.3f} | {f['median']:.2f} | {f['p95']:.1f} |"


def bad_frames(dive: Dive) -> tuple[np.ndarray, np.ndarray]:
    """Frames (T,) that can be judged, and those of them with a quarter of the points wrong by 0.1 of the box."""
    gaps = pose_quality.errors(dive.keypoints, dive.truth) / dive.sizes[:, None]
    asked = ~np.isnan(gaps)
    wrong = (np.nan_to_num(gaps, nan=0.0) > 0.1).sum(axis=1)
    return asked.any(axis=1), asked.any(axis=1) & (wrong >= 0.25 * asked.sum(axis=1))


def flag_rows(clips: list[Dive]) -> Iterator[str]:
    flags = [pose_flags.flags_of_clip(d.keypoints, POINTS, fps=d.fps) for d in clips]
    judged, bad = (np.concatenate(parts) for parts in zip(*map(bad_frames, clips), strict=True))
    severity = np.concatenate([pose_flags.severity(f) for f in flags])[judged]
    raised = {name: np.concatenate([f[name] for f in flags]) > 0 for name in pose_flags.FLAGS}
    yield f"{judged.sum()} frames can be judged, {bad.sum()} of them ({100 * bad.sum() / judged.sum():.0f} %) are bad."
    yield f"The severity ranks a bad frame above a good one with probability {_auc(severity, bad[judged]):.2f}."
    yield ""
    yield "| flag | frames | precision | recall |"
    yield "| --- | --- | --- | --- |"
    for name, value in {**raised, "any": np.any(list(raised.values()), axis=0)}.items():
        yield _flag_row(name, value & judged, bad)


def _flag_row(name: str, raised: np.ndarray, bad: np.ndarray) -> str:
    both, n = (raised & bad).sum(), raised.sum()
    precision = f"{both / n:.2f}" if n else "-"
    return f"| {name} | {n} | {precision} | {both / bad.sum():.2f} |"


def _auc(values: np.ndarray, positive: np.ndarray) -> float:
    from scipy.stats import mannwhitneyu

    yes, no = values[positive], values[~positive]
    return float(mannwhitneyu(yes, no).statistic / (len(yes) * len(no)))


def swap_rows(clips: list[Dive]) -> Iterator[str]:
    """Sides exchanged by hand in runs of 1 to 5 frames, whole body or legs alone, and asked for again."""
    counts: Mapping[str, list[int]] = {name: [0, 0, 0] for name in ("legs", "body")}
    rng = np.random.default_rng(0)
    legs = [k for k, name in enumerate(POINTS.names) if name.split("_")[-1] in ("hip", "knee", "ankle")]
    for what, count in counts.items():
        for dive in clips:
            which = np.zeros(dive.keypoints.shape[:2], bool)
            for start in range(8, len(which) - 20, 15):
                length = int(rng.integers(1, 6))
                which[start : start + length, legs if what == "legs" else slice(1, None)] = True
            spoilt = swaps.mended(dive.keypoints, which, POINTS)
            found = swaps.swapped(spoilt[..., :2].astype(np.float64), POINTS) & (np.arange(17) > 0)
            apart = _apart(dive)  # sides that lie on each other cannot be told, and do not matter
            count[0] += int((found & which & apart).sum())
            count[1] += int((found & apart).sum())
            count[2] += int((which & apart).sum())
    yield "| exchanged | points | found | of those found, right |"
    yield "| --- | --- | --- | --- |"
    for what, (both, found_, made) in counts.items():
        yield f"| {what} | {made} | {both / made:.2f} | {both / max(found_, 1):.2f} |"


def _apart(dive: Dive) -> np.ndarray:
    other = dive.truth[:, list(POINTS.flipped)]
    return np.linalg.norm(dive.truth - other, axis=2) > 0.05 * dive.sizes[:, None]


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        clips = list(dives(Path(folder)))
    parts = {
        "Filters": smoothing_rows(clips),
        "Filters on the truth": truth_rows(clips),
        "Swaps put in by hand": swap_rows(clips),
        "Flags": flag_rows(clips),
    }
    text = Path(__file__).with_suffix(".md")
    head, _, _ = text.read_text().partition("\n## ") if text.is_file() else ("# Smoothing and flags\n", "", "")
    body = "\n".join(f"\n## {name}\n\n" + "\n".join(rows) for name, rows in parts.items())
    text.write_text(head.rstrip("\n") + "\n" + body + "\n")


if __name__ == "__main__":
    main()
