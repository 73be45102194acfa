"""The audit in one picture: scores, what needs no video, action types, broadcasts, the judges' rule, transitions.

Colours are those of the score tables' pictures; training is blue, test is orange, throughout.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from aqa_pipeline import stores, transitions
from aqa_pipeline.audit import Subject, judges
from aqa_pipeline.evaluation.plots import BLUE, GREEN, GREY, INK, ORANGE, PALE

if TYPE_CHECKING:
    import pandas as pd

STYLE = {
    **{"font.size": 9, "font.family": "DejaVu Sans", "axes.spines.top": False, "axes.spines.right": False},
    **{"axes.edgecolor": GREY, "axes.titlesize": 10, "axes.titlelocation": "left"},
}
FLOORS = {
    "global_mean": "mean of all",
    "difficulty": "difficulty x mean execution",
    "same_difficulty": "mean of the difficulty",
    "ten_exemplars": "ten exemplars of the type",
    "same_type": "mean of the action type",
    "no_video": "no_video (shrunk mean)",
    "one_judge": "one judge of the panel",
    "rule": "all judges, by the rule",
}
CEILINGS = ("one_judge", "rule")
OFF = 0.06  # points, from where the rule is said to miss the score


def draw(subject: Subject, findings: pd.DataFrame, path: Path) -> None:
    """Draw the audit of a data set into a png file; a panel without data says so."""
    import matplotlib
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(15, 9.5), layout="constrained")
        FigureCanvasAgg(figure)
        axes = figure.subplots(2, 3, width_ratios=(1.35, 1, 1))
        for axis, panel in zip(axes.flat, (_scores, _floors, _judges, _types, _broadcasts, _transitions), strict=True):
            panel(axis, subject, findings)
        parts = ", ".join(f"{rows.sum()} {suffix[1:] or 'clips'}" for suffix, rows in subject.of_parts())
        figure.suptitle(f"{subject.name}: {parts}", fontsize=12, fontweight="bold", x=0.01, ha="left")
        with stores.replacing(path) as temporary:
            figure.savefig(temporary, format="png", dpi=130, metadata={"Software": None})


def _parts(subject: Subject) -> Iterator[tuple[str, np.ndarray, str]]:
    """Name, mask and colour of the training and test part; of all clips where no single fold says which they are."""
    parts = [(name, subject.part == name, colour) for name, colour in (("train", BLUE), ("test", ORANGE))]
    found = [part for part in parts if part[1].any()]
    yield from found or [("all", np.ones(len(subject.samples), bool), BLUE)]


def _scores(axis: Any, subject: Subject, findings: pd.DataFrame) -> None:
    bins = np.linspace(subject.score.min(), subject.score.max() + 1e-9, 41)
    for name, rows, colour in _parts(subject):
        values = subject.score[rows]
        axis.hist(values, bins, weights=np.full(len(values), 100 / len(values)), color=colour, alpha=0.25)
        axis.hist(values, bins, weights=np.full(len(values), 100 / len(values)), histtype="step", color=colour, lw=1.4)
        axis.axvline(values.mean(), color=colour, linestyle=(0, (4, 2)), label=f"{name}: mean {values.mean():.1f}")
    axis.set(title="Scores", xlabel="score", ylabel="% of the part")
    axis.legend(frameon=False)


def _floors(axis: Any, subject: Subject, findings: pd.DataFrame) -> None:
    rows = findings[findings["check"].isin(["floors", "judges"])].set_index("measure")
    at = {name: f"{name}.spearman_rho" for name in FLOORS}
    known = [name for name, measure in at.items() if measure in rows.index]
    if not known:
        return _empty(axis, "Without a video: floors and ceilings", "no test part is known")
    for place, name in enumerate(known):
        row = rows.loc[at[name]]
        colour = GREEN if name in CEILINGS else ORANGE
        axis.plot([row["low"], row["high"]], [place, place], color=colour, lw=2.2)
        axis.plot(row["value"], place, "o", color=colour)
        error = rows.at[f"{name}.relative_l2_x100", "value"]
        rho = f"{row['value']:.4f}" if np.isfinite(row["value"]) else "no rank"
        axis.text(1.03, place, f"{rho}\n{error:.3g}", transform=axis.get_yaxis_transform(), va="center", fontsize=8)
    axis.text(1.03, 1.01, "rho\nR-l2 x 100", transform=axis.transAxes, va="bottom", fontsize=8, color=GREY)
    axis.set_yticks(range(len(known)), [FLOORS[name] for name in known])
    axis.set_ylim(len(known) - 0.5, -0.5)
    axis.grid(axis="x", color=PALE, linewidth=0.6)
    axis.set(title="Without a video: floors (orange), ceilings (green)", xlabel="Spearman's rho on the test part")


def _judges(axis: Any, subject: Subject, findings: pd.DataFrame) -> None:
    if not (subject.has("judge_scores") and subject.has("judged")):
        return _empty(axis, "The judges' rule against the score", "no marks, or no rule\nthat makes the score of them")
    away = judges.by_rule(subject) - subject.score
    off = np.abs(away) > OFF
    axis.axhline(0, color=INK, lw=0.8)
    axis.scatter(subject.score[~off], away[~off], s=6, color=GREY, alpha=0.4, linewidth=0)
    axis.scatter(subject.score[off], away[off], s=14, color=ORANGE)
    axis.set_yscale("symlog", linthresh=1)
    axis.yaxis.set_major_formatter("{x:g}")
    text = f"{off.sum()} of {np.isfinite(away).sum()} clips differ by more than {OFF:g} points"
    axis.set(title=f"The judges' rule against the score\n{text}", xlabel="score", ylabel="rule minus score, points")
    axis.grid(axis="y", color=PALE, linewidth=0.6)


def _types(axis: Any, subject: Subject, findings: pd.DataFrame) -> None:
    kinds = subject.samples["action_type"]
    if not subject.knows("action_type"):
        return _empty(axis, "Clips an action type", "no action type is known")
    order = kinds.value_counts().index
    for name, rows, colour in _parts(subject):
        counts = kinds[rows].value_counts().reindex(order).fillna(0).to_numpy()
        axis.plot(np.arange(len(order)), np.where(counts > 0, counts, np.nan), "o", ms=3.5, color=colour, label=name)
    axis.axhline(10, color=GREY, lw=0.8, linestyle=(0, (4, 2)))
    axis.text(len(order) - 0.5, 10.5, "ten exemplars", ha="right", va="bottom", fontsize=8, color=GREY)
    axis.set_xlim(-1, len(order))
    axis.set_yscale("log")
    axis.set_ylim(0.8, max(20.0, 1.4 * kinds.value_counts().max()))
    axis.yaxis.set_major_formatter("{x:g}")
    axis.yaxis.set_minor_formatter("")
    axis.set_xticks(range(len(order)), order, rotation=90, fontsize=6.5 if len(order) < 80 else 4)
    axis.set(title=f"Clips an action type ({len(order)} types)", ylabel="clips, log scale")
    axis.legend(frameon=False)


def _broadcasts(axis: Any, subject: Subject, findings: pd.DataFrame) -> None:
    column = next((c for c in ("broadcast", "event", "subject", "group") if subject.knows(c)), None)
    if column is None:
        return _empty(axis, "Clips a broadcast", "no broadcast, event or person is known")
    values = subject.samples[column]
    order = values.value_counts().index
    bottom = np.zeros(len(order))
    for name, rows, colour in _parts(subject):
        counts = values[rows].value_counts().reindex(order).fillna(0).to_numpy()
        axis.bar(np.arange(len(order)), counts, 1.0, bottom, color=colour, alpha=0.75, linewidth=0, label=name)
        bottom += counts
    shared = findings[findings["measure"] == f"test_clips_of_a_shared_{column}"]
    text = (
        f"{shared['value'].iloc[0]:.0f} of {shared['n'].iloc[0]} test clips from one that also trains"
        if len(shared)
        else ""
    )
    axis.set(title=f"Clips a {column}\n{text}", xlabel=f"{len(order)} {column}s, largest first", ylabel="clips")
    axis.legend(frameon=False)


def _transitions(axis: Any, subject: Subject, findings: pd.DataFrame) -> None:
    title = "Transitions on the 96 frames"
    known = np.isfinite(subject.transitions).all(axis=1)
    if not known.any():
        return _empty(axis, title, "no steps are known")
    bins = np.arange(transitions.GRID + 1)
    for number, colour in ((0, BLUE), (1, GREEN)):
        values = subject.transitions[known, number]
        axis.hist(
            values, bins, color=colour, alpha=0.7, label=f"{('first', 'second')[number]}: mean {values.mean():.1f}"
        )
    axis.axvline(transitions.GRID / 2, color=INK, lw=0.8, linestyle=(0, (4, 2)))
    outside = findings.loc[findings["measure"] == "clips_outside_halves", "value"]
    text = f"\n{outside.iloc[0]:.0f} of {known.sum()} clips are not one in each half" if len(outside) else ""
    axis.set(title=title + text, xlabel="sampled frame", ylabel="clips")
    axis.legend(frameon=False)


def _empty(axis: Any, title: str, why: str) -> None:
    axis.set_title(title)
    axis.text(0.5, 0.5, why, ha="center", va="center", color=GREY, transform=axis.transAxes)
    axis.set_xticks([])
    axis.set_yticks([])
