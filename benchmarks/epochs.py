"""Seconds an epoch of every row of a finished run, on simdive.

    python benchmarks/epochs.py RESULTS            reads RESULTS/logs and RESULTS/runs, writes benchmarks/epochs.md

An epoch of a network is as many queries as the training part has clips; of a classic, one fit. Seconds are those that
the stage logged for a fold, reading and scaling included, without the start of Python. Two jobs ran side by side.
"""

from __future__ import annotations

import argparse
import json
import re
from pathlib import Path

import pandas as pd

LINE = re.compile(r"(?P<system>\w+), fold (?P<fold>\d+), seed (?P<seed>\d+): trained in (?P<seconds>[\d.]+) s")


def folds_of(results: Path, folder: Path) -> pd.DataFrame:
    """One row a trained fold: row, steps, batch, training clips, seconds."""
    row, place = folder.parent.name, folder.name
    folds = pd.read_parquet(results / "folds" / f"{place}.parquet")
    clips = folds[folds["part"] == "train"].groupby("fold").size()
    logs = [path for stage in ("train", "fit") for path in (results / "logs" / stage).glob(f"{row}.{place}.*log")]
    found = []
    for match in (m for log in sorted(logs) for m in LINE.finditer(log.read_text())):
        fold, seed = int(match["fold"]), int(match["seed"])
        training = json.loads((folder / f"fold{fold}.seed{seed}" / "config.json").read_text())["settings"]["training"]
        found.append(dict(row=row, clips=clips[fold], seconds=float(match["seconds"]), training=training))
    return pd.DataFrame(found)


def line(of_row: pd.DataFrame) -> str:
    """A row of the table: the median over folds and seeds."""
    clips, training, seconds = of_row["clips"].median(), of_row["training"].iloc[0], of_row["seconds"].median()
    epochs = training["steps"] * training["batch"] / clips if training else 1.0
    steps = f"{training['steps']} of {training['batch']}" if training else "one fit"
    name, n = of_row["row"].iloc[0], len(of_row)
    return f"| `{name}` | {n} | {steps} | {epochs:.1f} | {seconds:.1f} | **{seconds / epochs:.2f}** |"


def main() -> None:
    """The table, slowest epoch first."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("results", type=Path)
    results = parser.parse_args().results
    tables = [folds_of(results, folder) for folder in sorted((results / "runs").glob("*/*")) if folder.is_dir()]
    lines = [line(table) for table in tables if len(table)]
    lines.sort(key=lambda text: -float(text.split("**")[1]))
    Path(__file__).with_suffix(".md").write_text(REPORT.format(lines="\n".join(lines)))


REPORT = """# Seconds an epoch on simdive

400 dives of which a fold trains on 320; one CPU thread a job, two jobs side by side. `small` rows read pictures
(32 frames of 48 x 48), the others stored features. An epoch is as many queries as there are training clips (each with
its exemplar where clips are compared); of a classic it is the fit. Medians over folds and seeds.

| row | folds | steps of queries | epochs | seconds a fold | seconds an epoch |
|---|---|---|---|---|---|
{lines}
"""

if __name__ == "__main__":
    main()
