"""Values and intervals on a scale, for pictures that fit any width: places are percent of it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np

MARGIN = 4.0  # percent on either side


@dataclass(frozen=True)
class Scale:
    """From `low` to `high`, with ticks at round numbers in between."""

    low: float
    high: float
    ticks: Sequence[float] = ()

    def at(self, value: float) -> str:
        """The place of a value: "12.34%"."""
        inside = (value - self.low) / (self.high - self.low)
        return f"{MARGIN + (100 - 2 * MARGIN) * min(max(inside, 0.0), 1.0):.2f}%"

    def width(self, low: float, high: float) -> str:
        """The distance of two values."""
        return f"{float(self.at(high)[:-1]) - float(self.at(low)[:-1]):.2f}%"

    def label(self, tick: float) -> str:
        step = self.ticks[1] - self.ticks[0] if len(self.ticks) > 1 else 1.0
        digits = max(0, -int(np.floor(np.log10(step) + 1e-9))) if step < 1 else 0
        return f"{tick:.{digits}f}" if digits < 3 else f"{tick:g}"


@dataclass(frozen=True)
class Line:
    """A line of a dot plot: a value with its interval, and others' figures of the same."""

    name: str
    value: float
    low: float = np.nan
    high: float = np.nan
    kind: str = ""  # floor, ceiling, best: how it is drawn
    beside: Sequence[float] = field(default_factory=tuple)  # published
    note: str = ""

    @property
    def drawn(self) -> bool:
        return bool(np.isfinite(self.value))


def scale(values: Iterable[float], *, ends: tuple[float, float] | None = None, ticks: int = 5) -> Scale:
    """A scale that holds all finite values, or has the given ends."""
    from matplotlib.ticker import MaxNLocator

    known = np.array([value for value in values if np.isfinite(value)])
    if ends is None:
        ends = (float(known.min()), float(known.max())) if len(known) else (0.0, 1.0)
    low, high = ends
    if high - low < 1e-9 * max(1.0, abs(high)):
        low, high = low - 0.5, high + 0.5
    places = MaxNLocator(ticks, steps=[1, 2, 5, 10]).tick_values(low, high)
    return Scale(low, high, [float(tick) for tick in places if low - 1e-9 <= tick <= high + 1e-9])


def of_lines(lines: Sequence[Line], *, ends: tuple[float, float] | None = None) -> Scale:
    """A scale for the lines of one plot."""
    return scale((v for line in lines for v in (line.value, line.low, line.high, *line.beside)), ends=ends)
