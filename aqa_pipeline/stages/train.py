"""Train one system on folds of a data set with one seed."""

from __future__ import annotations

import logging
import time
from pathlib import Path
from typing import Annotated

import typer

from aqa_pipeline.stages import Options, command_line

VERSION = 6

log = logging.getLogger("aqa_pipeline")


def train(
    samples: Path,
    folds: Path,
    out: Path,
    features: Annotated[list[Path] | None, typer.Argument()] = None,
    *,
    system: str,
    adapter: str,
    fold: list[int],
    seed: int = 0,
    draws: Path | None = None,
    truth: list[Path] = [],
    frames: list[Path] = [],
    boxes: list[Path] = [],
    masks: list[Path] = [],
    options: Options = {},
    training: Options = {},
    clips: Options = {},
    roles: Options = {},
    frames_options: Options = {},
    target: str = "execution",
    selection: str = "last",
    control: str = "none",
    official: str = "",
    predict: bool = False,
    memory_mb: int = 2000,
    device: str = "auto",
    threads: int = 1,
    workers: int = 0,
) -> None:
    """Train on the training part of each FOLD; weights, configuration and history go to OUT/fold{fold}.seed{seed}.

    A system that is trained in steps reads its DRAWS; TRUTH stores are for the ceiling alone. ROLES says which feature
    set fills which role. FRAMES are for systems trained end to end, with the BOXES of the athlete where FRAMES_OPTIONS
    say that the view follows him or the system needs tubes; MASKS, truth stores, or the masks that the samples name,
    are labels of the training part. Resized frames stay in memory up to MEMORY_MB. OFFICIAL is a checkpoint of the
    system's released code that training begins with. PREDICT writes the predictions of the test parts as well, as the
    stage `predict` does.

    One thread makes a run the same bit by bit. WORKERS are processes that read batches ahead. A run that was killed
    goes on from the state that it left in its folder.
    """
    from aqa_pipeline import plugins, stores, weights
    from aqa_pipeline.training import ranks, runs

    table, parts = stores.read_table(samples), stores.read_table(folds)
    files = runs.Files(features=features or [], truth=truth, frames=frames, boxes=boxes, masks=masks)
    begins = dict(file=official, sha256=weights.sha256(official)) if official else {}
    labels = dict(mask_folders=_paths(table, "masks"), splashes=_paths(table, "splash"))
    labels = labels if frames_options.get("masks") else {}
    needs = plugins.constant("systems", system, "needs") or ()
    read = dict(roles=roles, frames=frames_options, **labels, needs=needs, memory_mb=memory_mb)
    with (
        runs.open_inputs(files, threads=threads, **read) as inputs,
        ranks.joined(training.get("devices", 1), device=device) as together,
    ):
        for number in fold:
            started = time.monotonic()
            settings = runs.Settings(
                system=system, adapter=adapter, fold=number, seed=seed, options=options, training=training,
                clips=clips, roles=roles, frames=frames_options, target=target, selection=selection, control=control,
                official=begins,
            )  # fmt: skip
            drawn = runs.read_table(draws, number) if draws else None
            folder = out / f"fold{number}.seed{seed}"
            run = runs.train(
                settings, table, parts, inputs,
                draws=drawn, device=device, workers=workers, folder=folder, together=together,
            )  # fmt: skip
            if together.is_first:
                run.recipe = runs.recipe_of(files, drawn)
                runs.save(run, folder)
                log.info("%s, fold %d, seed %d: trained in %.1f s", system, number, seed, time.monotonic() - started)
                if predict:
                    runs.predict(run, parts, inputs, folder, draws=drawn, device=device)


def _paths(samples, column: str) -> dict[str, Path]:
    """Where the masks of a column of the samples lie, by video."""
    named = samples.dropna(subset=column) if column in samples else samples[:0].assign(**{column: ""})
    return {video_id: Path(path) for video_id, path in zip(named["video_id"], named[column], strict=True)}


if __name__ == "__main__":
    command_line(train)
