"""Whether the intervals of `aqa score` hold what they say, and how often it declines videos that belong.

    OMP_NUM_THREADS=1 python benchmarks/conformal.py RESULTS [NEW]        writes benchmarks/conformal.md

RESULTS is the folder of a finished default run; NEW that of a run on dives of another seed with the same features:
the models of RESULTS are asked about them as `aqa score` asks.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from aqa_pipeline import stores
from aqa_pipeline.judging import intervals, refusal
from aqa_pipeline.training import runs
from aqa_pipeline.training.data import open_features

PLACE, DATASET = "simdive.out_of_fold", "simdive"
LEVELS = (0.8, 0.9, 0.95)
ASKED = "feature_forest.motion_17"  # about the new dives
FEATURES, KEYPOINTS = "motion_17", "embedded.embedded_17"
NEW_TEXT = "## New dives of another seed"


def target_of(run: Path) -> str:
    return runs.load_settings(run)[0].target


def coverage_rows(results: Path) -> Iterator[str]:
    """Every row of the run, the widest intervals first; widths in points of the total."""
    samples = stores.read_table(results / f"samples/{DATASET}.parquet")
    difficulty = float(samples["difficulty"].mean())
    lines = []
    for folder in sorted(results.glob(f"runs/*/{PLACE}")):
        target = target_of(sorted(folder.glob("fold*"))[0])
        predictions = [stores.read_table(path) for path in sorted(folder.glob("fold*/predictions.parquet"))]
        errors = intervals.errors_of(predictions, samples, target=target)
        points = difficulty if target == "execution" else 1.0
        found = {level: intervals.coverage(errors, level) for level in LEVELS}
        lines.append((points * found[0.9].width, folder.parent.name, target, found))
    yield "| row | learns | dives | 90 % interval holds | its mean width | 80 % holds | 95 % holds |"
    yield "| --- | --- | --- | --- | --- | --- | --- |"
    for width, row, target, found in sorted(lines, key=lambda line: -line[0]):
        at = found[0.9]
        held = f"{100 * at.share:.1f} % ({100 * at.low:.1f} to {100 * at.high:.1f})"
        others = " | ".join(f"{100 * found[level].share:.1f} %" for level in (0.8, 0.95))
        yield f"| `{row}` | {target} | {at.n} | {held} | {width:.1f} | {others} |"


def new_rows(results: Path, new: Path) -> Iterator[str]:
    """The mean of all models on dives that none of them knows, in the interval from the out-of-fold errors."""
    folders = sorted((results / "runs" / ASKED / PLACE).glob("fold*"))
    samples = stores.read_table(results / f"samples/{DATASET}.parquet")
    others = stores.read_table(new / f"samples/{DATASET}.parquet")
    predictions = [stores.read_table(folder / "predictions.parquet") for folder in folders]
    errors = intervals.errors_of(predictions, samples)
    half = intervals.half_width(errors["error"].to_numpy(), errors["group"].to_numpy())
    files = runs.Files(features=sorted((new / f"features/{DATASET}/{FEATURES}").glob("*.h5")))
    with runs.open_inputs(files, threads=1) as inputs:
        ids = [video_id for video_id in others["video_id"] if all(video_id in one for one in inputs.values())]
        asked = [runs.load(folder, others, inputs) for folder in folders]
        tables = [runs.compose(run, run.predict(ids, device="cpu")) for run in asked]
    predicted = np.mean([table["predicted_execution"] for table in tables], axis=0)
    inside = np.abs(predicted - tables[0]["execution_score"].to_numpy()) <= half
    low, high = intervals.wilson(float(inside.mean()), len(inside))
    yield f"`{ASKED}`, the mean of its {len(folders)} models, on {len(inside)} dives of another seed: the 90 % interval"
    yield f"holds {100 * inside.mean():.1f} % ({100 * low:.1f} to {100 * high:.1f})."


def declined_rows(results: Path, new: Path) -> Iterator[str]:
    """How many of the new dives each check declines, beside what it says of itself."""
    known, others = (_paths(folder, "features", FEATURES) for folder in (results, new))
    ids = stores.read_table(results / f"samples/{DATASET}.parquet")["video_id"].tolist()
    poses = refusal.usual_poses(_paths(results, "keypoints", KEYPOINTS), ids)
    with open_features(known) as features:
        space = refusal.usual_features(features[FEATURES], ids)
    usual = refusal.Familiar(poses, {FEATURES: space})
    asked = refusal.usual_poses(_paths(new, "keypoints", KEYPOINTS), ids)
    with open_features(others) as features:
        checks = [
            usual.checks(dict(asked.loc[video_id]), {FEATURES: space[1].place(features[FEATURES].read(video_id))[0]})
            for video_id in asked.index
            if video_id in features[FEATURES]
        ]
    yield "| check | limit | says it declines | declines of the new dives |"
    yield "| --- | --- | --- | --- |"
    for own in zip(*checks, strict=True):
        share = np.mean([not check.passed for check in own])
        yield f"| {own[0].name} | {own[0].limit:.3g} | {100 * own[0].error_rate:.2f} % | {100 * share:.2f} % |"
    any_of = np.mean([not all(check.passed for check in own) for own in checks])
    yield f"| any of them | | {100 * usual.error_rate:.2f} % of the training dives | {100 * any_of:.2f} % |"


def _paths(results: Path, kind: str, name: str) -> Sequence[Path]:
    return sorted((results / kind / DATASET / name).glob("*.h5"))


def main(results: Path, new: Path | None = None) -> None:
    out = Path(__file__).with_suffix(".md")
    head = out.read_text().partition("\n## ")[0].rstrip() if out.is_file() else "# Intervals and refusals"
    parts = [head, "## Out of fold\n\n" + "\n".join(coverage_rows(results))]
    if new is not None:
        parts += [f"{NEW_TEXT}\n\n" + "\n".join(new_rows(results, new)), "\n".join(declined_rows(results, new))]
    out.write_text("\n\n".join(parts) + "\n")
    print(out.read_text())


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
