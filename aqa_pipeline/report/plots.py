"""Dot plots and the matrix of pairs: what stands where, and the data behind each picture."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from aqa_pipeline.evaluation.plots import BLUE, GREY, INK, ORANGE
from aqa_pipeline.report import dives, dots, verdict, words
from aqa_pipeline.report.dots import Line, Scale
from aqa_pipeline.report.reading import Results, at, higher_is_better
from aqa_pipeline.report.verdict import Pair, Pairs
from aqa_pipeline.report.words import number, signed

if TYPE_CHECKING:
    import pandas as pd

COMPARED = ["row", "floor", "difference", "difference_low", "difference_high", "p"]
COMPARED += ["ceiling", "gap_closed", "gap_low", "gap_high"]
QUALITY = {
    "recall_iou_50": ("Athlete's box found", "share of frames in which the box meets the true one with an IoU of 0.5"),
    "pck_20": ("Keypoints found", "PCK@0.2: share of keypoints within a fifth of the box's longer side"),
    "oks": ("Object keypoint similarity", "OKS: 1 where every keypoint is where it should be"),
}
MOST_POINTS = 1000  # of a scatter, that are drawn one by one


class Cell(NamedTuple):
    """What a column beside the dots says of a line."""

    sort: float | str
    shown: str
    small: str = ""


@dataclass(frozen=True)
class Plot:
    """A dot plot that is a table too: a line a row, with floor and ceiling through all of them."""

    anchor: str
    title: str
    lines: Sequence[Line]
    scale: Scale
    digits: int
    csv: str  # address of the data behind it
    file: str  # name under which that is kept
    lead: str = ""
    floor: Line | None = None
    ceiling: Line | None = None
    columns: Sequence[str] = ()
    cells: Sequence[Sequence[Cell]] = ()  # of each line, those of the columns
    name: str = "row"
    truth: float = np.nan  # a true value, drawn through all lines

    @property
    def has_published(self) -> bool:
        return any(line.beside for line in self.lines)


@dataclass(frozen=True)
class Matrix:
    """Every two rows of a table: is the one on the left better than the one on top?"""

    anchor: str
    title: str
    names: Sequence[str]  # the best first
    pairs: Sequence[Sequence[Pair | None]]
    digits: int
    detectable: float  # difference that half of the pairs would show; NaN where it is not known
    csv: str
    file: str

    @property
    def different(self) -> list[Pair]:
        """Each pair once."""
        return [pair for place, row in enumerate(self.pairs) for pair in row[:place] if pair is not None]

    @property
    def n_sure(self) -> int:
        return sum(pair.is_sure for pair in self.different)


def of_metric(results: Results, table: str, dataset: str, metric: str, title: str, *, how: bool = True) -> Plot:
    """One metric of a table on one data set, with what there is beside the value, and `how` its rows were made."""
    here, compared = (at(lines, table, dataset, metric) for lines in (results.tables, results.comparisons))
    floor, ceiling = results.ends(table)
    best = verdict.of_metric(results, table, dataset, metric)
    kinds = {floor: "floor", ceiling: "ceiling", best.best if best else None: "best"}
    together = here.merge(compared[COMPARED], on="row", how="left")
    lines, cells = [], []
    for row, of_row in together.groupby("row", sort=False):
        first, published = of_row.iloc[0], tuple(of_row["published"].dropna())
        note = "" if first["status"] == "ok" else _plain(first["status"])
        figures = first["value"], first["ci_low"], first["ci_high"]
        lines.append(Line(str(row), *map(float, figures), kinds.get(row, ""), published, note))
        cells.append([_gap(first), Cell(max(published, default=np.nan), " / ".join(f"{v:g}" for v in published))])
        cells[-1].append(_made_how(first))
    columns = ["gap closed", "published", "made how"]
    wanted = [bool(together["gap_closed"].notna().any()), any(line.beside for line in lines), how]
    shown = [place for place, is_wanted in enumerate(wanted) if is_wanted]
    ends = {line.kind: line for line in lines if line.drawn}
    return Plot(
        anchor=f"{table}-{dataset}-{metric}",
        title=title,
        lead=words.MEANINGS.get(metric, ""),
        lines=lines,
        scale=dots.of_lines(lines),
        digits=words.digits_of(line.value for line in lines),
        csv=words.csv_address(together.drop(columns="row")),
        file=f"{table}.{dataset}.{metric}.csv",
        floor=ends.get("floor"),
        ceiling=ends.get("ceiling"),
        columns=[columns[place] for place in shown],
        cells=[[of_row[place] for place in shown] for of_row in cells],
    )


def _gap(row: pd.Series) -> Cell:
    """The share of the way from floor to ceiling."""
    closed, low, high = row[["gap_closed", "gap_low", "gap_high"]]
    if not np.isfinite(closed):
        return Cell(np.nan, "")
    return Cell(closed, number(closed, 2), f"{number(low, 2)} to {number(high, 2)}")


def _made_how(row: pd.Series) -> Cell:
    facts = [
        _plain(row["training"]),
        "" if row["selection"] in ("last", "") else f"epoch chosen on {row['selection']}",
        f"mean of {row['n_seeds']:.0f} seeds" if row["n_seeds"] > 1 else "",
        "" if row["status"] == "ok" else _plain(row["status"]),
    ]
    text = ", ".join(filter(None, facts))
    return Cell(text, text)


def matrix(results: Results, table: str, dataset: str, metric: str, title: str) -> Matrix | None:
    """Every pair of rows that was compared; None where there is none."""
    known, values, smallest = (
        at(lines, table, dataset, metric) for lines in (results.significance, results.tables, results.detectable)
    )
    compared = {*known["row"], *known["other"]}
    values = values[values["value"].notna() & values["row"].isin(compared)].drop_duplicates("row")
    if len(values) < 2:
        return None
    values = values.sort_values("value", ascending=not higher_is_better(metric), kind="stable")
    names = list(values["row"])
    look = Pairs(results, table, dataset, metric)
    return Matrix(
        anchor=f"pairs-{table}-{dataset}-{metric}",
        title=title,
        names=names,
        pairs=[[None if row == other else look.of(row, other) for other in names] for row in names],
        digits=words.digits_of(values["value"]),
        detectable=float(smallest["median_detectable"].iloc[0]) if len(smallest) else np.nan,
        csv=words.csv_address(known.drop(columns="row")),
        file=f"{table}.{dataset}.{metric}.pairs.csv",
    )


def of_quality(dataset: str, table: pd.DataFrame) -> list[Plot]:
    """Shares of what a stage found, a plot a stage and measure; the axis goes from nothing to everything."""
    found = table.rename(columns={"metric": "measure"}).groupby(["name", "measure"], sort=False)
    return [_of_stage(dataset, name, measure, of) for (name, measure), of in found if measure in QUALITY]


def _of_stage(dataset: str, name: str, measure: str, table: pd.DataFrame) -> Plot:
    title, lead = QUALITY[measure]
    ends = table.reindex(columns=["value", "ci_low", "ci_high"]).itertuples(index=False)
    lines = [Line(_plain(group), *figures) for group, figures in zip(table["group"], ends, strict=True)]
    return Plot(
        anchor=f"quality-{dataset}-{name}-{measure}",
        title=f"{title}: {name}",
        lead=lead,
        lines=lines,
        scale=dots.of_lines(lines, ends=(0.0, 1.0)),
        digits=3,
        csv=words.csv_address(table),
        file=f"quality.{dataset}.{name}.{measure}.csv",
        columns=["of"],
        cells=[[Cell(float(n), f"{n:,.0f}")] for n in table["n"]],
        name="frames",
    )


def of_faults(dataset: str, table: pd.DataFrame) -> Plot:
    """What of each latent fault the estimated keypoints show; what the true ones show is its ceiling."""
    known = table[table["rho_estimated"].notna()]
    lines = [Line(_plain(row.fault), row.rho_estimated, beside=(row.rho_true,)) for row in known.itertuples()]
    return Plot(
        anchor=f"faults-{dataset}",
        title="Which faults survive the pixels",
        lead="rank correlation of each latent fault with a plain measure of it, from estimated keypoints (dot) and "
        "from the true ones (diamond), which no estimator beats",
        lines=lines,
        scale=dots.of_lines(lines, ends=(0.0, 1.0)),
        digits=2,
        csv=words.csv_address(table),
        file=f"faults.{dataset}.csv",
        columns=["true", "videos"],
        cells=[[Cell(row.rho_true, number(row.rho_true, 2)), Cell(row.n, f"{row.n}")] for row in known.itertuples()],
        name="fault",
    )


def of_video(section: dives.Section) -> Plot:
    """What every row said of a video."""
    import pandas as pd

    known = [(line.name, line.value, line.low, line.high, section.score) for line in section.lines]
    table = pd.DataFrame(known, columns=["row", "predicted", "band_low", "band_high", "score"])
    off = [line.value - section.score for line in section.lines]
    return Plot(
        anchor=f"{section.anchor}-rows",
        title="What every row predicted",
        lines=section.lines,
        scale=dots.scale([section.score, *(v for line in section.lines for v in (line.value, line.low, line.high))]),
        digits=1,
        csv=words.csv_address(table),
        file=f"{section.video_id}.predictions.csv",
        columns=["off by"],
        cells=[[Cell(abs(value), signed(value, 1))] for value in off],
        truth=section.score,
    )


def of_votes(section: dives.Section) -> Plot:
    """The score that each exemplar of a video voted for."""
    import pandas as pd

    lines = [Line(vote.video_id, vote.vote) for vote in section.votes]
    return Plot(
        anchor=f"{section.anchor}-votes",
        title="Votes of exemplars",
        lead=f"the score that {section.voter}, by its first seed, gives the video beside each exemplar, and how far "
        "that moves the mean of all, its prediction",
        lines=lines,
        scale=dots.scale([section.score, *(line.value for line in lines)]),
        digits=1,
        csv=words.csv_address(pd.DataFrame(section.votes)),
        file=f"{section.video_id}.votes.csv",
        columns=["its own", "moves by"],
        cells=[[Cell(v.own_score, number(v.own_score, 1)), Cell(v.moved, signed(v.moved, 2))] for v in section.votes],
        name="exemplar",
        truth=section.score,
    )


def scatter(videos: dives.Videos) -> tuple[str, str]:
    """Predicted against true scores of the best row and the floor: addresses of a picture and of its data."""
    import pandas as pd

    found = videos.verdict
    if found.best not in videos.predicted:
        return "", ""
    rows = [found.best]
    if found.floor and found.floor.other in videos.predicted:
        rows.append(found.floor.other)
    table = pd.DataFrame({"score": videos.score, **{row: videos.predicted[row] for row in rows}})
    table = table.rename_axis("video_id")
    return words.address(_scatter_svg(table), "image/svg+xml"), words.csv_address(table, index=True)


def _scatter_svg(table: pd.DataFrame) -> bytes:
    """The judges' score across, predictions up: dots of the best row, crosses of the floor."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    true, best, *floor = table
    style = {"svg.fonttype": "none", "svg.hashsalt": "report", "font.size": 10, "font.family": "sans-serif"}
    style |= {"axes.spines.top": False, "axes.spines.right": False, "axes.edgecolor": GREY}
    with pyplot.rc_context(style):
        figure, axis = pyplot.subplots(figsize=(4.6, 4.6), layout="constrained")
        try:
            ends = np.nanmin(table[[true, best]]), np.nanmax(table[[true, best]])
            axis.plot(ends, ends, color=INK, linewidth=0.9, zorder=1)
            kind = dict(rasterized=len(table) > MOST_POINTS, linestyle="none")
            crosses = dict(marker="x", ms=4, color=ORANGE, alpha=0.4)
            for row in floor:
                axis.plot(table[true], table[row], **crosses, **kind, label=f"floor: {row}")
            circles = dict(marker="o", ms=4.5, mec="none", color=BLUE, alpha=0.65)
            axis.plot(table[true], table[best], **circles, **kind, label=f"best: {best}")
            axis.set(xlabel="judges' score", ylabel="predicted score")
            figure.legend(loc="outside upper left", frameon=False, fontsize=9)
            drawn = io.BytesIO()
            figure.savefig(drawn, format="svg", metadata={"Date": None, "Creator": None})
        finally:
            pyplot.close(figure)
    return drawn.getvalue()


def _plain(name: str) -> str:
    return str(name).replace("_", " ")
