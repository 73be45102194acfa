"""Train the athlete detector that ships with the package, on dives whose truth is known."""

from __future__ import annotations

from pathlib import Path

from aqa_pipeline import weights
from aqa_pipeline.stages import Options, command_line

VERSION = 1


def train_detector(
    out: Path,
    frame_stores: list[Path],
    *,
    truth: Path,
    frames_a_video: int = 60,
    steps: int = 8000,
    seed: int = 0,
    threads: int = 1,
    options: Options = {},
    register: bool = False,
) -> None:
    """Train on FRAME_STORES and the truth stores of the same names in the folder TRUTH; write safetensors to OUT.

    `options` are those of training.embedded.train_detector and of its schedule. `register` puts the result into the
    package as `athlete_detector`. The losses on the way are written beside OUT as csv.
    """
    from aqa_pipeline.training import embedded

    trained = embedded.from_stores(
        embedded.train_detector,
        frame_stores,
        [truth / store.name for store in frame_stores],
        frames_a_video=frames_a_video,
        steps=steps,
        seed=seed,
        threads=threads,
        options=options,
    )
    embedded.save(out, trained)
    if register:
        weights.register("athlete_detector", out)


if __name__ == "__main__":
    command_line(train_detector)
