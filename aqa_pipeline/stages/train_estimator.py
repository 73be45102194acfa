"""Train a keypoint estimator that ships with the package, on dives whose truth is known."""

from __future__ import annotations

from pathlib import Path

from aqa_pipeline import weights
from aqa_pipeline.stages import Options, command_line

VERSION = 1


def train_estimator(
    out: Path,
    frame_stores: list[Path],
    *,
    truth: Path,
    keypoint_set: str = "coco_17",
    frames_a_video: int = 60,
    steps: int = 7000,
    seed: int = 0,
    threads: int = 1,
    options: Options = {},
    register: bool = False,
) -> None:
    """Train on FRAME_STORES and the truth stores of the same names in the folder TRUTH; write safetensors to OUT.

    `options` are those of training.embedded.train_estimator and of its schedule. `register` puts the result into the
    package as `estimator_<keypoint_set>`. The losses on the way are written beside OUT as csv.
    """
    from aqa_pipeline.training import embedded

    trained = embedded.from_stores(
        embedded.train_estimator,
        frame_stores,
        [truth / store.name for store in frame_stores],
        frames_a_video=frames_a_video,
        steps=steps,
        seed=seed,
        threads=threads,
        options={"keypoint_set": keypoint_set, **options},
    )
    embedded.save(out, trained)
    if register:
        weights.register(f"estimator_{keypoint_set}", out)


if __name__ == "__main__":
    command_line(train_estimator)
