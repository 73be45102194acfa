"""Words and numbers as the page prints them."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np

from aqa_pipeline.evaluation.plots import TITLES

if TYPE_CHECKING:
    import pandas as pd

DASH, MINUS = "\N{EN DASH}", "\N{MINUS SIGN}"
MEANINGS = {
    "spearman_rho": "how well predicted scores bring the videos into the judges' order: 1 is the same order, 0 chance",
    "spearman_rho_mark": "the same, of the execution mark alone: the difficulty, which anyone can look up, is out",
    "relative_l2_x100": "squared error as a share of the squared range of scores, in percent; 0 is perfect",
    "med": "how many points a prediction is off on average; 0 is perfect",
    "mse": "mean squared error in points; 0 is perfect",
    "aiou_50": "how often the steps of the action are found where they are, in percent",
    "aiou_75": "how often the steps of the action are found very exactly, in percent",
    "step_boundary_error": "how many of 96 frames the beginning of a step is off; 0 is perfect",
}
STATUS = {
    "data_absent": "the data is not here: a data set, or what this metric compares",
    "weights_absent": "weights that it begins with are not here",
    "not_run": "the literature has it, and this run has no row for it",
}


def number(value: float, digits: int = 3) -> str:
    """A figure, with a true minus; a dash where there is none."""
    if value is None or not np.isfinite(value):
        return DASH
    text = f"{value:.{digits}f}"
    return text.replace("-", MINUS) if float(text) else text.lstrip("-")


def signed(value: float, digits: int = 3) -> str:
    """A difference; one that rounds to nothing has no sign."""
    text = number(value, digits)
    return "+" + text if np.isfinite(value) and float(f"{value:.{digits}f}") > 0 else text


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

    return Markup(re.sub(r"([_.])(?=[a-z])", r"\1<wbr>", str(escape(name))))


def setting(value: Any) -> str:
    """An option as a person writes it: a: 1, b: [2, 3]."""
    if isinstance(value, dict):
        return ", ".join(f"{key}: {_inner(one)}" for key, one in value.items() if one not in (None, {}, ""))
    return _inner(value)


def _inner(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + setting(value) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_inner, value)) + "]"
    return f"{value}"


def title_of(metric: str) -> str:
    """A metric's name in a headline."""
    title = TITLES.get(metric, metric.replace("_", " "))
    return title[:1].upper() + title[1:]


def digits_of(values: Iterable[float | None]) -> int:
    """Digits after the point that suit all of some values."""
    largest = max((abs(value) for value in values if value is not None and np.isfinite(value)), default=0.0)
    return 3 if largest < 2 else 2 if largest < 10 else 1


def csv_address(table: pd.DataFrame, *, index: bool = False) -> str:
    """A table as the address of a file to download."""
    return address(table.to_csv(index=index, lineterminator="\n").encode(), "text/csv")


def address(data: bytes, kind: str) -> str:
    """Data as an address that needs no file."""
    return f"data:{kind};base64,{base64.b64encode(data).decode()}"
