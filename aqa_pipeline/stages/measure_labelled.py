"""Compare detectors and keypoint estimators with labelled pictures."""

from __future__ import annotations

import logging
from pathlib import Path

from aqa_pipeline import plugins
from aqa_pipeline.stages import Options, command_line, use_threads

VERSION = 1

log = logging.getLogger("aqa_pipeline")


def measure_labelled(
    out: Path,
    *,
    labelled: Options,
    detectors: Options = {},
    estimators: Options = {},
    detection: list[str] = [],
    pose: list[str] = [],
    bootstrap: int = 2000,
    seed: int = 0,
    device: str = "auto",
    threads: int = 1,
) -> None:
    """Write recall, PCK, OKS and COCO's AP on labelled pictures to OUT, a CSV.

    `labelled`: form, annotations, images, options of the reading, and groups (none: all). `detectors` and `estimators`
    are blocks by name, each with its plugin (`use`) and its `options`; `detection` names detectors, and `pose` pairs
    detector.estimator, where the detector `given` stands for the labelled boxes.
    """
    import pandas as pd

    from aqa_pipeline import frames, stores
    from aqa_pipeline import labelled as room
    from aqa_pipeline.evaluation import labelled_quality as quality

    use_threads(threads)
    labels = room.load(labelled)
    resampling = quality.Resampling.of(labels, n_draws=bootstrap, seed=seed)
    boxes, rows = {"given": quality.given(labels)}, []
    for name in dict.fromkeys([*detection, *(pair.partition(".")[0] for pair in pose)]):
        if name != "given":
            log.info("%s: looking at %d pictures", name, len(labels.pictures))
            boxes[name] = quality.candidates(labels, _built("detection", detectors[name], device), frames.read_picture)
    for name in detection:
        rows += quality.detection_rows(name, labels, boxes[name], resampling)
    for pair in pose:
        detector, _, estimator = pair.partition(".")
        log.info("%s: looking at %d people", pair, sum(map(len, boxes[detector])))
        built = _built("pose", estimators[estimator], device)
        keypoints = quality.poses(labels, boxes[detector], built, frames.read_picture)
        rows += quality.pose_rows(pair, labels, boxes[detector], keypoints, built.keypoint_set, resampling)
    with stores.replacing(out) as temporary:
        table = pd.DataFrame(rows, columns=quality.COLUMNS)
        table.to_csv(temporary, index=False, float_format="%.4f", lineterminator="\n")


def _built(room: str, block: dict, device: str):
    return plugins.load(room, block["use"]).build(device=device, **block["options"])


if __name__ == "__main__":
    command_line(measure_labelled)
