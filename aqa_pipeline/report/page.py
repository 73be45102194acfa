"""The page: every part of a report laid out as text of one HTML file that needs nothing else."""

from __future__ import annotations

import ast
import datetime
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from aqa_pipeline import __version__, plugins
from aqa_pipeline.evaluation.scoring import MEAN
from aqa_pipeline.report import dives, making, parts, plots, stills, verdict, words
from aqa_pipeline.report.plots import Matrix, Plot
from aqa_pipeline.report.reading import Results
from aqa_pipeline.report.verdict import Verdict
from aqa_pipeline.report.words import title_of

if TYPE_CHECKING:
    import jinja2
    import pandas as pd

MOST_FAILURES = 200  # shown; the CSV has all


@dataclass(frozen=True)
class Table:
    """One table of the run."""

    name: str
    verdict: Verdict | None
    main: Plot  # what the verdict is about, or the first there is
    others: Sequence[Plot]
    matrices: Sequence[Matrix]
    published: Sequence[Mapping[str, Any]]
    missing: Sequence[Mapping[str, str]]
    scatter: str  # address of a picture, and of its data
    scatter_csv: str
    videos: Mapping[str, Sequence[dives.Section]]  # by data set


def render(
    results: Results,
    *,
    choice: dives.Choice | None = None,
    keypoints: str = "",
    configuration: Mapping[str, Any] | None = None,
) -> str:
    """The report of a run.

    Parameters
    ----------
    results : its files
    choice : which videos have a section of their own
    keypoints : "detector.estimator" whose skeletons are drawn on them
    configuration : shown as it is
    """
    choice = choice or dives.Choice()
    budget = stills.Budget(int(choice.megabytes * 2**20 * 3 / 4))  # base64 makes four bytes of three
    tables = [_table(results, name, choice, keypoints, budget) for name in dict.fromkeys(results.tables["table"])]
    return (
        environment()
        .get_template("page.html")
        .render(
            tables=tables,
            first=next((table for table in tables if table.verdict), None),
            meanings=words.MEANINGS,
            status=words.STATUS,
            quality=_quality(results),
            failures=_failures(results),
            making=making.of_run(results, configuration or {}),
            about=_about(results),
            version=__version__,
            made=_made_on(results),
        )
    )


def environment(*packages: str) -> jinja2.Environment:
    """What renders the templates of some packages, those of the report last, with its words as filters."""
    import jinja2

    loaders = [jinja2.PackageLoader(package, "templates") for package in (*packages, "aqa_pipeline.report")]
    found = jinja2.Environment(
        loader=jinja2.ChoiceLoader(loaders),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    found.filters.update(
        number=words.number, signed=words.signed, p=words.p_value, clock=words.clock, plural=words.plural,
        breakable=words.breakable, title_of=title_of, of_video=plots.of_video, of_votes=plots.of_votes, bars=parts.bars,
    )  # fmt: skip
    found.tests["known"] = lambda value: value is not None and bool(np.isfinite(value))
    return found


def _table(results: Results, name: str, choice: dives.Choice, keypoints: str, budget: stills.Budget) -> Table:
    rows = results.tables[results.tables["table"] == name]
    found = verdict.of_table(results, name)
    places = list(rows[["dataset", "metric"]].drop_duplicates().itertuples(index=False, name=None))
    several = rows["dataset"].nunique() > 1
    titles = {place: title_of(place[1]) + (f", {place[0]}" if several else "") for place in places}
    main = (found.dataset, found.metric) if found else places[0]
    matrices = [plots.matrix(results, name, *place, title) for place, title in titles.items()]
    scored = rows[rows["value"].notna() & (rows["dataset"] != MEAN)]["dataset"].unique()
    videos = {dataset: dives.Videos(results, found, dataset) for dataset in scored if found}
    sections = {d: dives.sections(of, choice, keypoints=keypoints, budget=budget) for d, of in videos.items()}
    picture, data = plots.scatter(videos[scored[0]]) if videos else ("", "")
    return Table(
        name=name,
        verdict=found,
        main=plots.of_metric(results, name, *main, titles[main]),
        others=[plots.of_metric(results, name, *p, title, how=False) for p, title in titles.items() if p != main],
        matrices=[matrix for matrix in matrices if matrix],
        published=_published(rows),
        missing=_missing(rows),
        scatter=picture,
        scatter_csv=data,
        videos={dataset: of for dataset, of in sections.items() if of},
    )


def _published(rows: pd.DataFrame) -> list[dict[str, Any]]:
    """Every published figure beside ours, in the order of the table."""
    columns = ["row", "dataset", "metric", "published", "published_source", "status", "value", "ci_low", "ci_high"]
    lines = rows.loc[rows["published"].notna(), columns].to_dict("records")
    return [{**line, "digits": words.digits_of([line["published"]])} for line in lines]


def _missing(rows: pd.DataFrame) -> list[dict[str, str]]:
    """Rows that have no figure, with the metrics they lack and why."""
    found = rows[rows["status"] != "ok"].groupby(["row", "dataset", "status"], sort=False)["metric"]
    return [
        dict(row=row, dataset=dataset, status=status, metrics=", ".join(map(title_of, dict.fromkeys(metrics))))
        for (row, dataset, status), metrics in found
    ]


def _quality(results: Results) -> list[dict[str, Any]]:
    """By data set, the accuracy of its stages, and what keypoints show of its faults."""
    found = []
    for name, table in results.quality():
        faults = results.faults(name)
        found.append(
            dict(
                name=name,
                plots=plots.of_quality(name, table),
                faults=None if faults is None else plots.of_faults(name, faults),
                csv=words.csv_address(table),
                file=f"quality.{name}.csv",
            )
        )
    return found


def _failures(results: Results) -> dict[str, Any]:
    table = results.failures
    by_stage = table.groupby(["dataset", "stage"], sort=False).size()
    return dict(
        n=len(table),
        by_stage=[(dataset, stage, n) for (dataset, stage), n in by_stage.items()],
        rows=table.head(MOST_FAILURES).to_dict("records"),
        csv=words.csv_address(table),
    )


def _about(results: Results) -> dict[str, str]:
    """The first line of every system's documentation, by name; the literature's own rows have none."""
    known = [name for name in results.tables["system"].unique() if name in plugins.available("systems")]
    texts = {name: ast.get_docstring(ast.parse(plugins.source("systems", name).read_text())) for name in known}
    return {name: (text or "").partition("\n")[0] for name, text in texts.items()}


def _made_on(results: Results) -> str:
    written = (results.folder / "tables.csv").stat().st_mtime
    return datetime.datetime.fromtimestamp(written, datetime.UTC).date().isoformat()
