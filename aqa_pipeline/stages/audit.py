"""Audit a data set: what it holds, and where it can mislead."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from aqa_pipeline import plugins, stores
from aqa_pipeline.stages import Options, command_line

if TYPE_CHECKING:
    import pandas as pd

    from aqa_pipeline.audit import Subject

VERSION = 2


def audit(
    samples: Path,
    out: Path,
    *,
    name: str,
    adapter: str,
    options: Options = {},
    folds: Annotated[Path | None, typer.Option(help="without it, the official part of the samples")] = None,
    against: Annotated[list[Path], typer.Option(help="samples of another data set; the file bears its name")] = [],
    frames: Annotated[list[Path], typer.Option(help="frame stores to hash")] = [],
    hashing: Annotated[bool, typer.Option(help="look for clips that look the same")] = False,
    mirrored: Annotated[bool, typer.Option(help="and for those that are mirrored")] = False,
    bootstrap: int = 2000,
    seed: int = 0,
) -> None:
    """Audit SAMPLES into the findings OUT, a CSV, and beside it OUT's .details.csv and .png."""
    from aqa_pipeline.audit import Subject

    subject = Subject(
        name,
        stores.read_table(samples),
        plugins.load("datasets", adapter),
        options=options,
        folds=stores.read_table(folds) if folds else None,
        others={path.stem: stores.read_table(path) for path in against},
        stores=frames,
        hashing=hashing,
        mirrored=mirrored,
        bootstrap=bootstrap,
        seed=seed,
    )
    write(subject, out)


def write(subject: Subject, out: Path) -> pd.DataFrame:
    """Run all checks, write findings, details and picture; the findings."""
    from aqa_pipeline import audit as room
    from aqa_pipeline.audit import _picture

    findings, details = room.run(subject)
    for table, path in ((findings, out), (details, out.with_suffix(".details.csv"))):
        with stores.replacing(path) as temporary:
            table.to_csv(temporary, index=False, float_format="%.10g", lineterminator="\n")
    _picture.draw(subject, findings, out.with_suffix(".png"))
    return findings


if __name__ == "__main__":
    command_line(audit)
