"""Pictures of a table: rows with intervals, predicted against true scores, average ranks, training curves.

Colours are those of Okabe and Ito, which colour-blind readers tell apart; what matters is also told by place and shape.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from aqa_pipeline import stores
from aqa_pipeline.evaluation.predictions import Predictions
from aqa_pipeline.evaluation.ranking import Ranking, ranking
from aqa_pipeline.evaluation.scoring import MEAN

if TYPE_CHECKING:
    import pandas as pd

BLUE, ORANGE, GREEN, INK, GREY, PALE = "#0072B2", "#D55E00", "#009E73", "#222222", "#8A8A8A", "#D9D9D9"

PANELS = 3  # side by side

TITLES = {
    "spearman_rho": "Spearman's rho",
    "spearman_rho_mark": "Spearman's rho of the execution mark",
    "relative_l2_x100": "R-l2 x 100",
    "med": "mean absolute error, points",
    "mse": "mean squared error",
    "aiou_50": "AIoU@0.5, percent",
    "aiou_75": "AIoU@0.75, percent",
    "step_boundary_error": "step boundary error, of 96 frames",
}


def overview(table: pd.DataFrame, path: Path, *, floor: str | None, ceiling: str | None, metric: str) -> None:
    """Every row of a table with its interval, beside floor and ceiling; a panel a data set.

    Parameters
    ----------
    table : rows of `results/tables.csv` of one table
    path : png file
    floor, ceiling : rows "system.variant" whose values run through as lines
    metric : which of the table's metrics
    """
    shown = table[table["metric"] == metric].assign(row=lambda t: t["system"] + "." + t["variant"])
    names, datasets = (list(dict.fromkeys(shown[column])) for column in ("row", "dataset"))
    rows = math.ceil(len(datasets) / PANELS)
    columns = math.ceil(len(datasets) / rows)
    size = (3.3 + 4.2 * columns, 0.5 + rows * (0.7 + 0.36 * len(names)))
    digits = 3 if shown["value"].abs().max() < 10 else 2
    with _figure(path, size, rows=rows, columns=columns, sharey=True) as (figure, axes):
        for axis, dataset in zip(axes.flat, datasets, strict=False):
            of_dataset = shown[shown["dataset"] == dataset]
            _overview_panel(axis, of_dataset, names, (floor, ceiling), digits)
            axis.set_title(_panel_title(of_dataset, dataset), loc="left", fontsize=10)
        for axis in axes.flat[len(datasets) :]:
            axis.set_visible(False)
        axes.flat[0].set_yticks(range(len(names)), [_label(name) for name in names])
        axes.flat[0].set_ylim(len(names) - 0.4, -0.6)
        figure.supxlabel(f"{TITLES.get(metric, metric)}, with 95 % intervals over test videos", fontsize=9.5)
        known = {label: h for axis in axes.flat for h, label in zip(*axis.get_legend_handles_labels(), strict=True)}
        figure.legend(known.values(), known.keys(), loc="outside upper right", ncols=max(1, len(known)), frameon=False)


def _overview_panel(
    axis: Any, rows: pd.DataFrame, names: list[str], ends: tuple[str | None, str | None], digits: int
) -> None:
    floor, ceiling = ends
    at = {row.row: row for row in rows[::-1].itertuples()}  # a figure published twice makes two lines of one row
    lines = ((floor, ORANGE, (0, (4, 2)), "floor"), (ceiling, GREEN, (0, (1, 1.2)), "ceiling"))
    for name, colour, style, word in lines:
        if name in at and np.isfinite(at[name].value):
            axis.axvline(at[name].value, color=colour, linestyle=style, linewidth=1.4, zorder=1, label=word)
    if floor in at and np.isfinite(at[floor].ci_low):
        axis.axvspan(at[floor].ci_low, at[floor].ci_high, color=ORANGE, alpha=0.09, linewidth=0, zorder=0)
    beside = dict(transform=axis.get_yaxis_transform(), va="center", clip_on=False)
    for place, name in enumerate(names):
        axis.axhline(place, color=PALE, linewidth=0.6, zorder=0)
        if name not in at:
            continue
        row, colour = at[name], {floor: ORANGE, ceiling: GREEN}.get(name, BLUE)
        if np.isfinite(row.value):
            axis.plot([row.ci_low, row.ci_high], [place, place], "|-", color=colour, lw=2, ms=8, mew=1.4)
            axis.plot(row.value, place, "o", ms=5, color=colour)
            axis.text(1.03, place, f"{row.value:.{digits}f}", fontsize=8.5, **beside)
        else:
            why = "no rank" if row.status == "ok" else row.status.replace("_", " ")
            text = f"{row.published:.3g}" if np.isfinite(row.published) else why
            axis.text(1.03, place, text, fontsize=8, color=GREY, **beside)
        published = rows.loc[rows["row"] == name, "published"].dropna()
        if len(published):
            axis.plot(published, [place] * len(published), "D", mfc="white", mec=INK, ms=6, zorder=4, label="published")
    axis.grid(axis="x", color=PALE, linewidth=0.6)
    axis.set_axisbelow(True)
    axis.tick_params(axis="y", length=0)
    axis.margins(x=0.05)


def _panel_title(rows: pd.DataFrame, dataset: str) -> str:
    if dataset == MEAN:
        return "mean of the data sets"
    tested = rows["n_test"].dropna()
    videos = f", {int(tested.max())} test videos" if len(tested) else ""
    return f"{dataset}.{rows['protocol'].iloc[0]}{videos}"


def scatter(
    found: Mapping[str, Predictions], path: Path, *, floor: str | None, ceiling: str | None, scored: pd.DataFrame
) -> None:
    """Predicted against true score, a panel a row; the floor's predictions lie in grey behind every other.

    Parameters
    ----------
    found : predictions on one data set by row "system.variant"; several seeds are averaged, rows without scores are
        left out
    path : png file
    floor, ceiling : rows drawn in colours of their own
    scored : scores of the table on this data set, with columns system, variant, metric, value, ci_low and ci_high
    """
    found = {name: one.where(one.usable("score")) for name, one in found.items() if one.usable("score").any()}
    if not found:
        return _say("no row of this table predicts scores", path)
    columns = min(4, len(found))
    rows = math.ceil(len(found) / columns)
    limits = _limits(found.values())
    with _figure(path, (2.75 * columns, 2.85 * rows + 0.3), rows=rows, columns=columns, sharex=True, sharey=True) as (
        figure,
        axes,
    ):
        for axis, (name, one) in zip(axes.flat, found.items(), strict=False):
            axis.plot(limits, limits, color=INK, linewidth=0.8, zorder=1)
            if floor in found and name != floor:
                behind = found[floor]
                axis.scatter(behind.score, behind.predicted_score.mean(axis=0), s=7, color=PALE, linewidth=0, zorder=0)
            colour = {floor: ORANGE, ceiling: GREEN}.get(name, BLUE)
            size = float(np.clip(4000 / max(len(one), 1), 5, 22))
            axis.scatter(one.score, one.predicted_score.mean(axis=0), s=size, color=colour, alpha=0.6, linewidth=0)
            axis.set_title(_label(name), fontsize=9, loc="left")
            axis.text(0.04, 0.96, _figures(scored, name), transform=axis.transAxes, va="top", fontsize=8)
            axis.set(xlim=limits, ylim=limits, aspect="equal")
        for axis in axes.flat[len(found) :]:
            axis.set_visible(False)
        behind = f" (grey: the floor, {_label(floor)})" if floor in found else ""
        figure.supxlabel(f"true score{behind}", fontsize=9)
        figure.supylabel("predicted score", fontsize=9)


def _figures(scored: pd.DataFrame, name: str) -> str:
    """The row's own figures, as text in its panel."""
    system, variant = name.split(".")
    rows = scored[(scored["system"] == system) & (scored["variant"] == variant)].set_index("metric")
    lines = []
    for metric, short in (("spearman_rho", "rho"), ("relative_l2_x100", "R-l2"), ("med", "MED")):
        if metric in rows.index and np.isfinite(rows.loc[metric, "value"]):
            value, low, high = rows.loc[metric, ["value", "ci_low", "ci_high"]]
            digits = 1 if metric == "med" else 2
            lines.append(f"{short} {value:.{digits}f} [{low:.{digits}f}, {high:.{digits}f}]")
    return "\n".join(lines)


def _limits(found: Sequence[Predictions] | Any) -> tuple[float, float]:
    """Of both axes: all true scores and all but the wildest predictions."""
    true = np.concatenate([one.score for one in found])
    predicted = np.concatenate([one.predicted_score.mean(axis=0) for one in found])
    low = min(true.min(), np.percentile(predicted, 0.5))
    high = max(true.max(), np.percentile(predicted, 99.5))
    margin = 0.04 * max(high - low, 1e-9)
    return float(low - margin), float(high + margin)


def critical_difference(
    found: Mapping[str, Predictions], path: Path, *, floor: str | None, ceiling: str | None, title: str = ""
) -> None:
    """Average ranks of the systems' absolute errors over clips; those that Nemenyi's test does not part are joined.

    The clips stand for Demsar's data sets, see `ranking`: what is told apart here is told apart on clips of this kind.
    Nemenyi's test is meant to follow a small p of Friedman's, which stands in the title.

    Parameters
    ----------
    found : predictions on one data set by row "system.variant"
    path : png file
    floor, ceiling : rows drawn in colours of their own
    title : name of the data set
    """
    ranked = ranking(found)
    if ranked is None:
        return _say("fewer than three systems predict scores of the same clips: nothing to rank", path)
    half, low, high = math.ceil(len(ranked.names) / 2), *ranked.ends
    cliques, inch = ranked.cliques(), (high - low) / 4.8  # ranks an inch
    left, right = (
        0.5 + 0.075 * max(len(_label(n)) for n in part) for part in (ranked.names[:half], ranked.names[half:])
    )
    below = 0.45 + 0.11 * len(cliques)  # inches from the axis to the first label
    depth = below + 0.24 * half
    with _figure(path, (4.8 + left + right, depth + 1.35)) as (_, axes):
        axis = axes.flat[0]
        axis.set(xlim=(low - left * inch, high + right * inch), ylim=(-depth, 0.7))
        axis.set_axis_off()
        _rank_axis(axis, low, high, ranked.critical_difference)
        for number, (first, last) in enumerate(cliques):
            ends, height = (ranked.ranks[first] - 0.03 * inch, ranked.ranks[last] + 0.03 * inch), -0.16 - 0.11 * number
            axis.plot(ends, [height, height], color=INK, linewidth=3.2, solid_capstyle="butt", zorder=3)
        _rank_labels(axis, ranked, below, {floor: ORANGE, ceiling: GREEN})
        over, p = f"{title}: " if title else "", f"= {ranked.p:.2g}" if ranked.p >= 1e-4 else "< 0.0001"
        axis.set_title(
            f"{over}average rank of the absolute error on {ranked.n_clips} clips, 1 is nearest to the judges\n"
            f"Friedman p {p}, critical difference {ranked.critical_difference:.2f} (Nemenyi, 5 %)",
            fontsize=9.5,
        )


def _rank_axis(axis: Any, low: int, high: int, critical: float) -> None:
    """The line of ranks at height 0, and the critical difference as a ruler above it; heights are inches."""
    axis.plot([low, high], [0, 0], color=INK, linewidth=1)
    for tick in range(low, high + 1):
        axis.plot([tick, tick], [0, 0.07], color=INK, linewidth=1)
        axis.text(tick, 0.1, str(tick), ha="center", va="bottom", fontsize=8.5)
    axis.plot([low, low + critical], [0.45, 0.45], "|-", color=GREY, linewidth=1.6, markersize=7, markeredgewidth=1.4)
    axis.text(low + critical / 2, 0.52, "critical difference", ha="center", va="bottom", fontsize=8, color=GREY)


def _rank_labels(axis: Any, ranked: Ranking, below: float, colours: Mapping[str | None, str]) -> None:
    """From each rank a line down and out to its name: the better half to the left, the outermost on top."""
    n, (low, high) = len(ranked.names), ranked.ends
    gap = 0.08 * (high - low) / 4.8
    for place, (name, rank) in enumerate(zip(ranked.names, ranked.ranks, strict=True)):
        left = place < math.ceil(n / 2)
        height = -below - 0.24 * (place if left else n - 1 - place)
        edge, colour = low if left else high, colours.get(name, BLUE)
        axis.plot([rank, rank, edge], [0, height, height], color=colour, linewidth=1.1, zorder=2)
        axis.plot(rank, 0, "o", color=colour, markersize=4, zorder=4)
        text = f"{_label(name)}  {rank:.2f}" if left else f"{rank:.2f}  {_label(name)}"
        axis.text(
            edge - gap if left else edge + gap, height, text, ha="right" if left else "left", va="center", fontsize=8.5
        )


def training_curves(histories: Mapping[str, Sequence[pd.DataFrame]], path: Path) -> None:
    """Loss over training steps, a panel a row: each run as a thin line, their mean as a thick one.

    `histories` holds by row the `history.csv` of its runs, with columns step, loss and, where an epoch was selected,
    selection; rows without any (fitted in one go) have no panel.
    """
    learnt = {row: [h for h in runs if len(h)] for row, runs in histories.items() if any(len(h) for h in runs)}
    columns = min(3, max(1, len(learnt)))
    rows = max(1, math.ceil(len(learnt) / columns))
    with _figure(path, (3.5 * columns, 2.5 * rows + 0.2), rows=rows, columns=columns) as (figure, axes):
        for axis, (name, runs) in zip(axes.flat, learnt.items(), strict=False):
            for history in runs:
                axis.plot(history["step"], history["loss"], color=BLUE, linewidth=0.7, alpha=0.35)
            steps = np.unique(np.concatenate([history["step"] for history in runs]))
            mean = np.mean([np.interp(steps, history["step"], history["loss"]) for history in runs], axis=0)
            axis.plot(steps, mean, color=BLUE, linewidth=2)
            axis.set_title(f"{_label(name)}, {len(runs)} runs", fontsize=9, loc="left")
            axis.set(ylim=(0, None), xlim=(0, None))
            axis.grid(color=PALE, linewidth=0.7)
        if not learnt:
            axes.flat[0].text(0.5, 0.5, "no row of this table is trained in steps", ha="center", color=GREY)
            axes.flat[0].set_axis_off()
        for axis in axes.flat[max(1, len(learnt)) :]:
            axis.set_visible(False)
        figure.supxlabel("training step", fontsize=9)
        figure.supylabel("training loss", fontsize=9)


def _say(words: str, path: Path) -> None:
    """A picture of nothing but words, where there is nothing to draw."""
    with _figure(path, (5.5, 1.2)) as (_, axes):
        axes.flat[0].text(0.5, 0.5, words, ha="center", va="center", color=GREY)
        axes.flat[0].set_axis_off()


def _label(row: str) -> str:
    system, variant = row.split(".")
    return system if variant == "default" else f"{system}  {variant}"


@contextlib.contextmanager
def _figure(
    path: Path,
    size: tuple[float, float],
    *,
    rows: int = 1,
    columns: int = 1,
    sharex: bool = False,
    sharey: bool = False,
) -> Iterator[tuple[Any, np.ndarray]]:
    """A figure and its axes (rows, columns); it is saved when the block ends well."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    style = {"font.size": 9, "axes.spines.top": False, "axes.spines.right": False, "axes.edgecolor": GREY}
    with pyplot.rc_context({**style, "font.family": "DejaVu Sans"}):
        figure, axes = pyplot.subplots(
            rows, columns, figsize=size, squeeze=False, layout="constrained", sharex=sharex, sharey=sharey
        )
        try:
            yield figure, axes
            with stores.replacing(Path(path)) as temporary:
                figure.savefig(temporary, format="png", dpi=160, metadata={"Software": None})
        finally:
            pyplot.close(figure)
