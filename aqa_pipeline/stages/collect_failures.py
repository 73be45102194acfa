"""List every video that was left out, at which stage and why; too many of them stop the run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from aqa_pipeline.stages import Options, command_line

VERSION = 1


def collect_failures(
    store_files: Annotated[list[Path], typer.Argument()] = [], *, out: Path, limits: Options = {}
) -> None:
    """Gather the failures of all STORE_FILES (results/kind/dataset/...h5) into a CSV.

    The limits say for each data set which share of its videos may be left out: '{"simdive": 0.05}'.
    """
    import pandas as pd

    from aqa_pipeline import stores
    from aqa_pipeline.evaluation import failures

    found = failures.collect(store_files)
    failures.check(found, limits)
    with stores.replacing(out) as temporary:
        pd.DataFrame(failures.rows(found), columns=failures.COLUMNS).to_csv(temporary, index=False, lineterminator="\n")


if __name__ == "__main__":
    command_line(collect_failures)
