"""The report that a person reads: warnings first, then every check with what it is for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from aqa_pipeline.audit import NOT_CHECKED, about

if TYPE_CHECKING:
    import pandas as pd
    from rich.console import Console


def show(name: str, findings: pd.DataFrame, console: Console) -> None:
    """Print the findings of a data set."""
    from rich.markup import escape
    from rich.rule import Rule
    from rich.table import Table

    warnings = findings[findings["warning"]]
    console.print(Rule(f"{escape(name)}: {len(warnings)} warnings"))
    table = Table(box=None, pad_edge=False)
    for column, justify in (("check", "left"), ("measure", "left"), ("value", "right"), ("", "left")):
        table.add_column(column, justify=justify, style="yellow" if column == "value" else None)
    for row in warnings.itertuples():
        table.add_row(row.check, escape(row.measure), _figure(row), escape(_beside(row)))
    if len(warnings):
        console.print(table)
    for check, of_check in findings.groupby("check", sort=False):
        console.print()
        console.print(f"[bold]{check}[/bold]  [dim]{escape(about(str(check)))}[/dim]")
        if (of_check["measure"] == NOT_CHECKED).all():
            console.print(f"  not checked: {escape(of_check['note'].iloc[0])}")
            continue
        lines = Table(box=None, pad_edge=False, show_header=False, padding=(0, 2))
        for subject, rows in of_check.assign(of=of_check["measure"].str.partition(".")[0]).groupby("of", sort=False):
            notes = "; ".join(dict.fromkeys(filter(None, rows["note"])))
            lines.add_row(f"  {escape(str(subject))}", escape(_line(rows)), f"[dim]{escape(notes)}[/dim]")
        console.print(lines)


def _line(rows: pd.DataFrame) -> str:
    """All figures of one subject, each with the rest of its name."""
    import pandas as pd

    if len(rows) == 1 and "." not in rows["measure"].iloc[0]:
        [row] = rows.itertuples()
        share = not pd.isna(row.n) and row.value % 1 == 0 and row.value < row.n
        return _figure(row) + (f" of {row.n}" if share else "")
    return " · ".join(f"{row.measure.partition('.')[2]} {_figure(row)}".strip() for row in rows.itertuples())


def _figure(row: Any) -> str:
    interval = f" [{row.low:.4g}, {row.high:.4g}]" if np.isfinite(row.low) else ""
    return ("-" if np.isnan(row.value) else f"{row.value:.0f}" if row.value % 1 == 0 else f"{row.value:.5g}") + interval


def _beside(row: Any) -> str:
    import pandas as pd

    texts = [
        f"of {row.n}" if not pd.isna(row.n) else "",
        f"expected {row.expected:g}" if np.isfinite(row.expected) else "",
        row.note,
    ]
    return "; ".join(filter(None, texts))
