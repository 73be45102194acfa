"""Verdicts as a table for the terminal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from aqa_pipeline.judging.verdict import SCORED, Figure, Verdict

if TYPE_CHECKING:
    from rich.console import Console


def show(verdicts: Sequence[Verdict], console: Console) -> None:
    """A line a video, and below it what is to be known of several."""
    from rich.table import Table

    lines = Table("video", "verdict", "mark", "difficulty", "total", "why")
    for one in verdicts:
        colour = "green" if one.status == SCORED else "yellow"
        difficulty = "" if one.difficulty is None else f"{one.difficulty:g}"
        verdict = f"[{colour}]{one.status}[/]"
        short = {check.reason: check.why for check in one.checks}  # the numbers stand on the page
        why = "\n".join(short.get(reason, reason) for reason in one.reasons)
        lines.add_row(one.name, verdict, _text(one.mark), difficulty, _text(one.total), why)
    console.print(lines)
    for warning in dict.fromkeys(warning for one in verdicts for warning in one.warnings):
        n = sum(warning in one.warnings for one in verdicts)
        console.print(f"warning: {warning}" + (f" ({n} of {len(verdicts)} videos)" if len(verdicts) > 1 else ""))


def _text(figure: Figure | None) -> str:
    if figure is None:
        return ""
    known = np.isfinite(figure.low)
    return f"{figure.value:.1f}" + (f" ({figure.low:.1f} to {figure.high:.1f})" if known else "")
