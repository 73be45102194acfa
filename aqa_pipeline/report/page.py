"""The page: every part of a report laid out as text of one HTML file that needs nothing else."""

from __future__ import annotations

import ast
import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from aqa_pipeline import __version__, plugins
from aqa_pipeline.evaluation.plots import TITLES
from aqa_pipeline.evaluation.scoring import MEAN
from aqa_pipeline.report import dives, dots, making, stills, verdict
from aqa_pipeline.report.dots import Line, Scale
from aqa_pipeline.report.reading import Results, higher_is_better
from aqa_pipeline.report.verdict import Pairs, Verdict

if TYPE_CHECKING:
    import pandas as pd

MEANINGS = {
    "spearman_rho": "how well predicted scores bring the videos into the judges' order: 1 is the same order, 0 chance",
    "spearman_rho_mark": "the same, of the execution mark alone: the difficulty, which anyone can look up, is out",
    "relative_l2_x100": "squared error as a share of the squared range of scores, in percent; 0 is perfect",
    "med": "how many points the prediction is off on average; 0 is perfect",
    "mse": "mean squared error in points; 0 is perfect",
    "aiou_50": "how often the steps of the action are found where they are, in percent",
    "aiou_75": "how often the steps of the action are found very exactly, in percent",
    "step_boundary_error": "how many of 96 frames a step's beginning is off; 0 is perfect",
}
STATUS = {
    "data_absent": "the data is not here: a data set, or what this metric compares",
    "weights_absent": "weights that it begins with are not here",
    "not_run": "the literature has it, and this run has no row for it",
}
QUALITY = {
    "recall_iou_50": ("Athlete's box found", "share of frames in which the box meets the true one with an IoU of 0.5"),
    "pck_20": ("Keypoints found", "PCK@0.2: share of keypoints within a fifth of the box's longer side"),
    "oks": ("Object keypoint similarity", "OKS: 1 where every keypoint is where it should be"),
}
DASH, MINUS = "\N{EN DASH}", "\N{MINUS SIGN}"
MOST_FAILURES = 200  # shown; the CSV has all


@dataclass(frozen=True)
class Plot:
    """A dot plot that is a table too: a line a row, with floor and ceiling through all of them."""

    anchor: str
    title: str
    lead: str
    lines: Sequence[Line]
    scale: Scale
    digits: int
    csv: str = ""
    file: str = ""
    floor: Line | None = None
    ceiling: Line | None = None
    columns: Sequence[str] = ()
    cells: Sequence[Sequence[tuple[float | str, str]]] = field(default_factory=tuple)  # sorted by, shown; a line each
    name: str = "row"
    truth: float = np.nan  # a true value, drawn through all lines

    @property
    def has_published(self) -> bool:
        return any(line.beside for line in self.lines)


@dataclass(frozen=True)
class Matrix:
    """Every two rows of a table: is the one on the left better than the one on top?"""

    title: str
    metric: str
    names: Sequence[str]
    pairs: Sequence[Sequence[verdict.Pair | None]]
    digits: int
    detectable: float
    n_pairs: int
    n_sure: int
    csv: str
    file: str
    anchor: str


@dataclass(frozen=True)
class Table:
    """One table of the run."""

    name: str
    verdict: Verdict | None
    plots: Sequence[Plot]
    matrices: Sequence[Matrix]
    published: Sequence[dict[str, Any]]
    missing: Sequence[dict[str, str]]
    scatter: str  # address of a picture
    scatter_csv: str
    sections: Sequence[tuple[str, Sequence[dives.Section]]]  # by data set


def render(
    results: Results, *, choice: dives.Choice | None = None, keypoints: str = "", configuration: dict | None = None
) -> str:
    """The report of a run.

    Parameters
    ----------
    results : its files
    choice : which videos have a section of their own
    keypoints : "detector.estimator" whose skeletons are drawn on them
    configuration : shown as it is
    """
    import jinja2

    choice = choice or dives.Choice()
    budget = stills.Budget(int(choice.megabytes * 2**20 * 3 / 4))  # base64 makes four bytes of three
    tables = [_table(results, name, choice, keypoints, budget) for name in dict.fromkeys(results.tables["table"])]
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("aqa_pipeline.report", "templates"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.filters.update(
        number=number,
        p=p_value,
        signed=signed,
        breakable=breakable,
        time=clock,
        plural=plural,
        title_of=title_of,
        of_video=video_lines,
        of_votes=vote_lines,
    )
    environment.tests["known"] = lambda value: value is not None and bool(np.isfinite(value))
    return environment.get_template("page.html").render(
        tables=tables,
        first=next((table for table in tables if table.verdict), None),
        meanings=MEANINGS,
        status=STATUS,
        quality=_quality(results),
        failures=_failures(results),
        making=making.of_run(results, configuration or {}),
        about=_about(results),
        version=__version__,
        made=_made_on(results),
    )


# The tables.


def _table(results: Results, name: str, choice: dives.Choice, keypoints: str, budget: stills.Budget) -> Table:
    rows = results.tables[results.tables["table"] == name]
    found = verdict.of_table(results, name)
    shown = rows.drop_duplicates(["dataset", "metric"])[["dataset", "metric"]].itertuples(index=False)
    places = [(dataset, metric) for dataset, metric in shown]
    several = len({dataset for dataset, _ in places}) > 1
    plots = [_plot(results, name, dataset, metric, found, several) for dataset, metric in places]
    matrices = [m for dataset, metric in places if (m := _matrix(results, name, dataset, metric, several))]
    datasets = [d for d in dict.fromkeys(rows["dataset"]) if d != MEAN and rows.query("dataset == @d")["value"].any()]
    sections = [
        (dataset, dives.sections(results, found, dataset, choice, keypoints=keypoints, budget=budget))
        for dataset in datasets
        if found
    ]
    scatter, scatter_csv = _scatter(results, found, datasets) if found and datasets else ("", "")
    return Table(
        name=name,
        verdict=found,
        plots=plots,
        matrices=matrices,
        published=_published(rows),
        missing=_missing(rows),
        scatter=scatter,
        scatter_csv=scatter_csv,
        sections=[(dataset, of) for dataset, of in sections if of],
    )


def _plot(results: Results, table: str, dataset: str, metric: str, found: Verdict | None, several: bool) -> Plot:
    """One metric of a table on one data set, with what there is beside the value."""
    here = results.tables.query("table == @table and dataset == @dataset and metric == @metric")
    compared = results.comparisons.query("table == @table and dataset == @dataset and metric == @metric")
    compared = compared.set_index("row")
    floor, ceiling = results.ends(table)
    best = verdict.of_metric(results, table, dataset, metric)
    lines, cells = [], []
    for row, of in here.groupby("row", sort=False):
        first = of.iloc[0]
        kind = {floor: "floor", ceiling: "ceiling", best.best if best else None: "best"}.get(row, "")
        note = "" if first["status"] == "ok" else first["status"].replace("_", " ")
        beside = tuple(of["published"].dropna())
        lines.append(Line(row, first["value"], first["ci_low"], first["ci_high"], kind, beside, note))
        cells.append(_beside(first, compared.loc[row] if row in compared.index else None, beside))
    ends = {line.kind: line for line in lines if line.drawn}
    digits = _digits(line.value for line in lines)
    merged = here.merge(compared.reset_index()[["row", *COMPARED]], on="row", how="left") if len(compared) else here
    title = title_of(metric) + (f", {dataset}" if several else "")
    file = f"{table}.{dataset}.{metric}.csv"
    columns = (
        ["gap closed", "published", "made how"] if any(line.beside for line in lines) else ["gap closed", "made how"]
    )
    if "published" not in columns:
        cells = [[cell for place, cell in enumerate(of) if place != 1] for of in cells]
    return Plot(
        anchor=f"{table}-{dataset}-{metric}",
        title=title,
        lead=MEANINGS.get(metric, ""),
        lines=lines,
        scale=dots.of_lines(lines),
        digits=digits,
        csv=csv_address(merged.drop(columns="row")),
        file=file,
        floor=ends.get("floor"),
        ceiling=ends.get("ceiling"),
        columns=columns,
        cells=cells,
    )


COMPARED = [
    "floor",
    "difference",
    "difference_low",
    "difference_high",
    "p",
    "ceiling",
    "gap_closed",
    "gap_low",
    "gap_high",
]


def _beside(row: pd.Series, compared: pd.Series | None, published: Sequence[float]) -> list[tuple[float | str, str]]:
    """Cells beside the value: the share of the gap that is closed, published figures, how the row was made."""
    gap = (np.nan, "")
    if compared is not None and np.isfinite(compared["gap_closed"]):
        low, high = compared["gap_low"], compared["gap_high"]
        gap = (compared["gap_closed"], f"{compared['gap_closed']:.2f} ({low:.2f} to {high:.2f})")
    printed = (published[0] if published else np.nan, " / ".join(f"{value:g}" for value in published))
    words = [row["training"], "" if row["selection"] == "last" else f"epoch chosen on {row['selection']}"]
    if np.isfinite(row["n_seeds"]) and row["n_seeds"] > 1:
        words.append(f"mean of {row['n_seeds']:.0f} seeds")
    words.append("" if row["status"] == "ok" else row["status"].replace("_", " "))
    how = ", ".join(str(word).replace("_", " ") for word in words if word)
    return [gap, printed, (how, how)]


def _matrix(results: Results, table: str, dataset: str, metric: str, several: bool) -> Matrix | None:
    known = results.significance.query("table == @table and dataset == @dataset and metric == @metric")
    values = results.tables.query("table == @table and dataset == @dataset and metric == @metric and value == value")
    values = values.drop_duplicates("row").sort_values("value", ascending=not higher_is_better(metric), kind="stable")
    names = [row for row in values["row"] if row in {*known["row"], *known["other"]}]
    if len(names) < 2:
        return None
    look = Pairs(results, table, dataset, metric)
    pairs = [[None if row == other else look.of(row, other) for other in names] for row in names]
    upper = [pairs[i][j] for i in range(len(names)) for j in range(i)]
    smallest = results.detectable.query("table == @table and dataset == @dataset and metric == @metric")
    return Matrix(
        title=title_of(metric) + (f", {dataset}" if several else ""),
        metric=metric,
        names=names,
        pairs=pairs,
        digits=_digits(values["value"]),
        detectable=float(smallest["median_detectable"].iloc[0]) if len(smallest) else np.nan,
        n_pairs=len(upper),
        n_sure=sum(pair.is_sure for pair in upper),
        csv=csv_address(known.drop(columns="row")),
        file=f"{table}.{dataset}.{metric}.pairs.csv",
        anchor=f"pairs-{table}-{dataset}-{metric}",
    )


def _published(rows: pd.DataFrame) -> list[dict[str, Any]]:
    """Every published figure beside ours, in the order of the table."""
    return [
        {
            **{k: row[k] for k in ("row", "dataset", "metric", "published", "published_source", "status")},
            **{k: row[k] for k in ("value", "ci_low", "ci_high")},
            "digits": _digits([row["published"]]),
        }
        for _, row in rows[rows["published"].notna()].iterrows()
    ]


def _missing(rows: pd.DataFrame) -> list[dict[str, str]]:
    """Rows that have no figure, with the metrics they lack and why."""
    found = rows[rows["status"] != "ok"].groupby(["row", "dataset", "status"], sort=False)["metric"]
    return [
        dict(row=row, dataset=dataset, status=status, metrics=", ".join(map(title_of, dict.fromkeys(metrics))))
        for (row, dataset, status), metrics in found
    ]


def _scatter(results: Results, found: Verdict, datasets: Sequence[str]) -> tuple[str, str]:
    """Predicted against true scores of the best row and the floor, on the first data set: picture and data."""
    import pandas as pd

    videos = dives.Videos(results, found, datasets[0])
    if found.best not in videos.predicted:
        return "", ""
    columns = dict(score=videos.score, best=videos.predicted[found.best])
    if found.floor and found.floor.other in videos.predicted:
        columns["floor"] = videos.predicted[found.floor.other]
    table = pd.DataFrame(columns).rename_axis("video_id")
    names = {"best": found.best, "floor": found.floor.other if found.floor else "floor"}
    return _scatter_picture(table, names), csv_address(table.rename(columns=names), index=True)


def _scatter_picture(table: pd.DataFrame, names: dict[str, str]) -> str:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    style = {"svg.fonttype": "none", "svg.hashsalt": "report", "font.size": 10, "font.family": "sans-serif"}
    style |= {"axes.spines.top": False, "axes.spines.right": False, "axes.edgecolor": "#8A8A8A"}
    with pyplot.rc_context(style):
        figure, axis = pyplot.subplots(figsize=(4.6, 4.6), layout="constrained")
        try:
            both = table[["score", "best"]].to_numpy()
            ends = (np.nanmin(both), np.nanmax(both))
            axis.plot(ends, ends, color="#222222", linewidth=0.9, zorder=1)
            many = len(table) > 1000
            if "floor" in table:
                label = f"floor: {names['floor']}"
                axis.plot(
                    table["score"], table["floor"], "x", ms=4, color="#D55E00", alpha=0.45, label=label, rasterized=many
                )
            axis.plot(table["score"], table["best"], "o", ms=4.5, mec="none", color="#0072B2", alpha=0.65,
                      label=f"best: {names['best']}", rasterized=many)  # fmt: skip
            axis.set(xlabel="judges' score", ylabel="predicted score")
            figure.legend(loc="outside upper left", frameon=False, fontsize=9)
            drawn = io.BytesIO()
            figure.savefig(drawn, format="svg", metadata={"Date": None, "Creator": None})
        finally:
            pyplot.close(figure)
    return f"data:image/svg+xml;base64,{base64.b64encode(drawn.getvalue()).decode()}"


# What else a run left.


def _quality(results: Results) -> list[dict[str, Any]]:
    """By data set, the accuracy of its stages as dot plots; shares, so that the axis goes from 0 to 1."""
    found = []
    for name, table in results.quality():
        table = table.rename(columns={"metric": "measure"})
        plots = [
            _quality_plot(name, stage_name, measure, of)
            for (stage_name, measure), of in table.groupby(["name", "measure"], sort=False)
            if measure in QUALITY
        ]
        found.append(
            dict(
                name=name,
                plots=plots,
                csv=csv_address(table),
                file=f"quality.{name}.csv",
                faults=_faults(results, name),
            )
        )
    return found


def _quality_plot(dataset: str, name: str, measure: str, table: pd.DataFrame) -> Plot:
    title, lead = QUALITY[measure]
    lines = [
        Line(
            str(row.group).replace("_", " "), row.value, getattr(row, "ci_low", np.nan), getattr(row, "ci_high", np.nan)
        )
        for row in table.itertuples()
    ]
    return Plot(
        anchor=f"quality-{dataset}-{name}-{measure}",
        title=f"{title}: {name}",
        lead=lead,
        lines=lines,
        scale=dots.of_lines(lines, ends=(0.0, 1.0)),
        digits=3,
        csv=csv_address(table),
        file=f"quality.{dataset}.{name}.{measure}.csv",
        columns=["of"],
        cells=[[(float(n), f"{n:,.0f}")] for n in table["n"]],
        name="frames",
    )


def _faults(results: Results, dataset: str) -> Plot | None:
    """What of each latent fault the estimated keypoints show; what the true ones show is its ceiling."""
    table = results.faults(dataset)
    if table is None:
        return None
    table = table[table["rho_estimated"].notna()]
    lines = [Line(row.fault.replace("_", " "), row.rho_estimated, beside=(row.rho_true,)) for row in table.itertuples()]
    return Plot(
        anchor=f"faults-{dataset}",
        title="Which faults survive the pixels",
        lead="rank correlation of each latent fault with a plain measure of it, from estimated keypoints (dot) and from "
        "the true ones (diamond), which no estimator beats",
        lines=lines,
        scale=dots.of_lines(lines, ends=(0.0, 1.0)),
        digits=2,
        csv=csv_address(table),
        file=f"faults.{dataset}.csv",
        columns=["from true keypoints", "videos"],
        cells=[[(row.rho_true, f"{row.rho_true:.2f}"), (row.n, f"{row.n}")] for row in table.itertuples()],
        name="fault",
    )


def _failures(results: Results) -> dict[str, Any]:
    table = results.failures
    by_stage = table.groupby(["dataset", "stage"], sort=False).size()
    return dict(
        n=len(table),
        by_stage=[(dataset, stage, n) for (dataset, stage), n in by_stage.items()],
        rows=table.head(MOST_FAILURES).to_dict("records"),
        csv=csv_address(table),
    )


def _about(results: Results) -> dict[str, str]:
    """The first line of every system's documentation, by name; the literature's own rows have none."""
    known = [name for name in results.tables["system"].unique() if name in plugins.available("systems")]
    texts = {name: ast.get_docstring(ast.parse(plugins.source("systems", name).read_text())) for name in known}
    return {name: (text or "").partition("\n")[0] for name, text in texts.items()}


def _made_on(results: Results) -> str:
    import datetime

    written = (results.folder / "tables.csv").stat().st_mtime
    return datetime.datetime.fromtimestamp(written, datetime.UTC).date().isoformat()


# Words and numbers.


def video_lines(section: dives.Section) -> Plot:
    """What every row said of a video, as a dot plot."""
    import pandas as pd

    known = [(line.name, line.value, line.low, line.high, section.score) for line in section.lines]
    table = pd.DataFrame(known, columns=["row", "predicted", "band_low", "band_high", "score"])
    return Plot(
        anchor=f"{section.anchor}-rows",
        title="What every row predicted",
        lead="",
        lines=section.lines,
        scale=dots.scale([section.score, *(v for line in section.lines for v in (line.value, line.low, line.high))]),
        digits=1,
        columns=["off by"],
        cells=[[(abs(line.value - section.score), f"{line.value - section.score:+.1f}")] for line in section.lines],
        csv=csv_address(table),
        file=f"{section.video_id}.predictions.csv",
        truth=section.score,
    )


def vote_lines(section: dives.Section) -> Plot:
    """The score that each exemplar of a video voted for, as a dot plot."""
    import pandas as pd

    lines = [Line(vote.video_id, vote.vote) for vote in section.votes]
    return Plot(
        anchor=f"{section.anchor}-votes",
        title="Votes",
        lead="",
        lines=lines,
        scale=dots.scale([section.score, *(line.value for line in lines)]),
        digits=1,
        columns=["own score", "moves the mean by"],
        cells=[[(v.own_score, number(v.own_score, 1)), (v.moved, signed(v.moved, 2))] for v in section.votes],
        csv=csv_address(pd.DataFrame(section.votes)),
        file=f"{section.video_id}.votes.csv",
        name="exemplar",
        truth=section.score,
    )


def csv_address(table: pd.DataFrame, *, index: bool = False) -> str:
    """A table as the address of a file to download."""
    text = table.to_csv(index=index, lineterminator="\n")
    return f"data:text/csv;base64,{base64.b64encode(text.encode()).decode()}"


def title_of(metric: str) -> str:
    return TITLES.get(metric, metric)


def number(value: float, digits: int = 3) -> str:
    """A figure, with a true minus; a dash where there is none."""
    if value is None or not np.isfinite(value):
        return DASH
    text = f"{value:.{digits}f}"
    return text.replace("-", MINUS) if float(text) else text.lstrip("-")


def signed(value: float, digits: int = 3) -> str:
    return DASH if not np.isfinite(value) else ("+" if value >= 0 else "") + number(value, digits)


def p_value(value: float) -> str:
    if not np.isfinite(value):
        return "not tested"
    return "p < 0.001" if value < 0.001 else f"p = {value:.3f}" if value < 0.1 else f"p = {value:.2f}"


def clock(seconds: float) -> str:
    """Seconds as a person says them."""
    if not np.isfinite(seconds):
        return DASH
    if seconds < 90:
        return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"
    return f"{seconds / 60:.1f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def plural(n: int, word: str) -> str:
    return f"{n:,} {word}" + ("" if n == 1 else "s")


def breakable(name: str) -> Any:
    """A row's name that may break where its words end."""
    from markupsafe import Markup, escape

    return Markup(str(escape(name)).replace("_", "_<wbr>").replace(".", ".<wbr>"))


def _digits(values: Any) -> int:
    known = [abs(value) for value in values if value is not None and np.isfinite(value)]
    largest = max(known, default=0.0)
    return 3 if largest < 2 else 2 if largest < 10 else 1
