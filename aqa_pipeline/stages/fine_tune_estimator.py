"""Train the keypoint estimator that ships with the package further, on labelled pictures."""

from __future__ import annotations

import logging
from pathlib import Path

from aqa_pipeline import plugins
from aqa_pipeline.stages import Options, command_line

VERSION = 1

log = logging.getLogger("aqa_pipeline")


def fine_tune_estimator(
    out: Path,
    *,
    labelled: Options,
    start: str = "estimator_coco_17",
    keypoint_set: str = "coco_17",
    validation: list[str] = [],
    validation_share: float = 0.2,
    steps: int = 200,
    seed: int = 0,
    threads: int = 1,
    options: Options = {},
    bootstrap: int = 2000,
) -> None:
    """Write safetensors to OUT, and beside it the losses and what START and OUT are worth on what was kept out.

    `labelled`: blocks by name, each as `measure_labelled` reads one. Groups (clips) named in `validation` are kept out,
    or else a share of the groups of every set, drawn by `seed`; nothing is chosen by them. `options` are those of
    training.embedded.train_estimator and of its schedule.
    """
    from aqa_pipeline import labelled as room
    from aqa_pipeline.training import embedded

    training, kept_out = room.parted(
        [*map(room.load, labelled.values())], groups=validation, share=validation_share, seed=seed
    )
    log.info("kept out: %s", ", ".join(group for labels in kept_out for group in labels.groups) or "nothing")
    trained = embedded.from_labels(
        training,
        keypoint_set=keypoint_set,
        start=start,
        steps=steps,
        seed=seed,
        threads=threads,
        options=options,
    )
    embedded.save(out, trained)
    _compare(out, start, dict(zip(labelled, kept_out, strict=True)), bootstrap, seed)


def _compare(out: Path, start: str, kept_out: dict, bootstrap: int, seed: int) -> None:
    """Both weights on the pictures that were kept out, from the labelled boxes, as <out>.validation.csv."""
    import pandas as pd

    from aqa_pipeline import frames, stores, weights
    from aqa_pipeline.evaluation import labelled_quality as quality

    rows = []
    for name, labels in ((n, own) for n, own in kept_out.items() if own.pictures):
        boxes, resampling = quality.given(labels), quality.Resampling.of(labels, n_draws=bootstrap, seed=seed)
        for which, path in (("start", start), ("fine_tuned", str(out))):
            points = weights.facts(path)["keypoint_set"]
            estimator = plugins.load("pose", "embedded").build(weights=path, keypoint_set=points)
            keypoints = quality.poses(labels, boxes, estimator, frames.read_picture)
            rows += quality.pose_rows(f"{name}.{which}", labels, boxes, keypoints, points, resampling)
    with stores.replacing(out.with_suffix(".validation.csv")) as temporary:
        table = pd.DataFrame(rows, columns=quality.COLUMNS)
        table.to_csv(temporary, index=False, float_format="%.4f", lineterminator="\n")


if __name__ == "__main__":
    command_line(fine_tune_estimator)
