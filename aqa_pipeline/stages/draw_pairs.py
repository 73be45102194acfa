"""Draw the pairs of query and exemplar that training and prediction will use, and store them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from aqa_pipeline import stores
from aqa_pipeline.stages import command_line

VERSION = 3


def draw_pairs(
    samples: Path,
    folds: Path,
    out: Path,
    features: Annotated[list[Path] | None, typer.Argument()] = None,
    *,
    exemplars: str = "same_type",
    n_exemplars: int = 10,
    steps: int = 400,
    epochs: int = 0,
    batch: int = 32,
    seed: int = 0,
    frames: list[Path] = [],
    boxes: list[Path] = [],
) -> None:
    """Draw for all folds of FOLDS and write the table to OUT.

    Only videos in all feature sets of FEATURES are drawn, and where there are FRAMES or BOXES, in these too.
    """
    from aqa_pipeline.training import pairs
    from aqa_pipeline.training.data import open_features
    from aqa_pipeline.training.pictures import open_pictures

    table = stores.read_table(samples)
    view = "athlete" if boxes else "frame"
    with open_features(features or []) as inputs, open_pictures(frames, options={"view": view}, boxes=boxes) as shown:
        read = [*inputs.values(), *shown.values()]
        usable = [all(video_id in one for one in read) for video_id in table["video_id"]]
    options = dict(exemplars=exemplars, n_exemplars=n_exemplars, steps=steps, epochs=epochs, batch=batch, seed=seed)
    draws = pairs.draw_pairs(table[usable], stores.read_table(folds), **options)
    draws.attrs = dict(options)  # kept in the file: whoever draws for other videos does it by the same rule
    with stores.replacing(out) as path:
        draws.to_parquet(path, index=False)


if __name__ == "__main__":
    command_line(draw_pairs)
