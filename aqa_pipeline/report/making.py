"""How a run was made: time and memory of every stage, the settings of every row, versions and hashes."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aqa_pipeline import stores
from aqa_pipeline.report import words
from aqa_pipeline.report.reading import Results

if TYPE_CHECKING:
    import pandas as pd

KINDS = ("frames", "boxes", "keypoints", "features")
OF_A_RUN = ("draw_pairs", "train", "predict")  # stages whose files begin with a row's name
FILES = ("tables.csv", "comparisons.csv", "significance.csv", "detectable.csv", "failures.csv")


@dataclass(frozen=True)
class Cost:
    """What the jobs of a stage took, as Snakemake measured it."""

    stage: str
    jobs: int
    seconds: float  # of all jobs together
    longest: float  # seconds of one job
    memory_mb: float  # the most that one job held


@dataclass(frozen=True)
class Store:
    """What made the stores of a folder."""

    path: str
    stage: str
    version: int
    options: str
    weights: str  # SHA-256 of what the networks were loaded from


@dataclass(frozen=True)
class Making:
    """How a run was made, as far as its files say."""

    command: str
    costs: list[Cost]
    stores: list[Store]
    libraries: dict[str, str]
    rows: list[dict[str, str]]
    hashes: dict[str, str]
    configuration: str


def of_run(results: Results, configuration: dict[str, Any]) -> Making:
    """Everything that the files of a run say of how it was made; `configuration` is shown where it is given."""
    found, libraries = _stores(results)
    return Making(
        command=str(results.tables["command"].iloc[0]),
        costs=costs(results),
        stores=found,
        libraries=libraries,
        rows=_rows(results),
        hashes={name: _sha256(path) for name in FILES if (path := results.folder / name).is_file()},
        configuration=json.dumps(configuration, indent=1, sort_keys=True, default=str) if configuration else "",
    )


def costs(results: Results) -> list[Cost]:
    """By stage, in the order of their names; jobs of rows that are in no table are left out."""
    import pandas as pd

    folder = results.folder / "benchmarks"
    named = results.tables[["row", "dataset", "protocol"]].drop_duplicates().itertuples(index=False)
    of_tables = tuple(f"{row}.{dataset}.{protocol}." for row, dataset, protocol in named)
    jobs: dict[str, list[pd.Series]] = {}
    for path in sorted(folder.rglob("*.tsv")):
        stage = path.relative_to(folder).parts[0].removesuffix(".tsv")
        if stage not in OF_A_RUN or path.name.startswith(of_tables):
            jobs.setdefault(stage, []).append(pd.read_csv(path, sep="\t").iloc[-1])
    return [_cost(stage, pd.DataFrame(of_stage)) for stage, of_stage in jobs.items()]


def _cost(stage: str, jobs: pd.DataFrame) -> Cost:
    import pandas as pd

    seconds, memory = (pd.to_numeric(jobs[name], errors="coerce") for name in ("s", "max_rss"))
    return Cost(stage, len(jobs), float(seconds.sum()), float(seconds.max()), float(memory.max()))


def _stores(results: Results) -> tuple[list[Store], dict[str, str]]:
    """One of every folder of stores, and the libraries that all of them name."""
    found, libraries = [], {}
    for kind in KINDS:
        for dataset in results.datasets:
            folders = sorted({path.parent for path in results.folder.glob(f"{kind}/{dataset}/**/*.h5")})
            for folder in folders:
                with stores.read(min(folder.glob("*.h5")), kind=kind) as store:
                    made = store.made_by
                    for name, version in made.get("libraries", {}).items():
                        libraries.setdefault(name, set()).add(version)
                    shown = {k: v for k, v in made.items() if k not in ("stage", "libraries", "weights", "inputs")}
                    found.append(
                        Store(
                            path=folder.relative_to(results.folder).as_posix(),
                            stage=str(made.get("stage", "")),
                            version=store.version,
                            options=words.setting(shown),
                            weights=words.setting(made.get("weights") or ""),
                        )
                    )
    return found, {name: ", ".join(sorted(versions)) for name, versions in sorted(libraries.items())}


def _rows(results: Results) -> list[dict[str, str]]:
    """The settings of every row that was trained, by its first run."""
    found = []
    for (row, dataset, protocol), paths in results.predictions.items():
        config = Path(paths[0]).with_name("config.json")
        if config.is_file():
            settings = json.loads(config.read_text())["settings"]
            known = {"system", "fold", "seed", "adapter"}
            chosen = {k: v for k, v in settings.items() if k not in known and v not in ({}, "", None, "none")}
            found.append(
                dict(row=row, on=f"{dataset}.{protocol}", runs=str(len(paths)), settings=words.setting(chosen))
            )
    return found


def _sha256(path: Path) -> str:
    import hashlib

    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
