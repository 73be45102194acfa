"""Scores and published figures in, rows of `results/tables.csv` out.

Every figure is text of a fixed format, and rows stand in the order of the configuration, so that the same input gives
the same bytes. A published figure without a run of ours stands in the table all the same and says why.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from aqa_pipeline.errors import InputError, nearest
from aqa_pipeline.evaluation.scoring import MEAN, rows

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = [
    *("table", "dataset", "protocol", "system", "variant", "training", "selection", "metric"),
    *("value", "ci_low", "ci_high", "n_test", "n_folds", "n_seeds"),
    *("published", "published_source", "status", "command"),
]
COMPARED = [
    *("table", "dataset", "protocol", "system", "variant", "metric"),
    *("floor", "difference", "difference_low", "difference_high", "p"),
    *("ceiling", "gap_closed", "gap_low", "gap_high", "n_common"),
]
STATUS = ("ok", "data_absent", "weights_absent", "not_run")


def table_rows(
    name: str,
    table: Mapping[str, Any],
    scored: pd.DataFrame,
    *,
    command: str,
    variants: Mapping[str, Mapping[str, str]] = {},
    absent: Mapping[str, str] = {},
) -> list[dict[str, str]]:
    """Rows of one table with `COLUMNS`, all text.

    Parameters
    ----------
    name, table : a block of `tables` in the configuration
    scored : what `scoring.score_table` made of it
    command : the command that makes these rows again
    variants : `training` and `selection` of each row "system.variant"; frozen and last by default
    absent : why a row or a data set has no run: data_absent or weights_absent; not_run by default
    """
    published = _published(name, table)
    known = {(r.system, r.variant, r.dataset, r.metric): r for r in scored.itertuples()}
    lines = []
    for system, variant, dataset, metric in _places(table, published):
        row = f"{system}.{variant}"
        figure = known.get((system, variant, dataset, metric))
        source = published.get((system, variant, dataset, metric))
        of = {"training": "frozen", "selection": "last", **variants.get(row, {})}
        if figure is None and row not in rows(table):
            of = {"training": "", "selection": ""}  # a row of the literature alone: we do not say how it was made
        status = "ok" if figure is not None else absent.get(row, absent.get(dataset, "not_run"))
        assert status in STATUS, status
        lines.append(
            {
                **dict(table=name, dataset=dataset, protocol=table["protocol"], system=system, variant=variant),
                **dict(training=of["training"], selection=of["selection"], metric=metric),
                **{column: _decimal(getattr(figure, column, None)) for column in ("value", "ci_low", "ci_high")},
                **{column: _whole(getattr(figure, column, None)) for column in ("n_test", "n_folds", "n_seeds")},
                "published": f"{source['value']:.10g}" if source else "",
                "published_source": source["source"] if source else "",
                **dict(status=status, command=command),
            }
        )
    return lines


def compared_rows(name: str, table: Mapping[str, Any], scored: pd.DataFrame) -> list[dict[str, str]]:
    """Each row against floor and ceiling, with `COMPARED`, all text."""
    lines = []
    for row in scored.itertuples():
        if row.n_common == 0:
            continue
        line = dict(table=name, floor=table["floor"], ceiling=table.get("ceiling") or "")
        for column in COMPARED:
            if column not in line:
                value = getattr(row, column)
                line[column] = value if isinstance(value, str) else _decimal(value)
        lines.append({**line, "n_common": _whole(row.n_common)})
    return lines


def listed_rows(name: str, found: pd.DataFrame) -> list[dict[str, str]]:
    """Rows of a table's pairs or detectable differences as text, the table's name before them."""
    return [
        {"table": name, **{column: _text(column, value) for column, value in line.items()}}
        for line in found.to_dict("records")
    ]


def write_csv(lines: Sequence[Mapping[str, str]], columns: Sequence[str], path: Any) -> None:
    """Text to a file, whole or not at all."""
    import csv

    from aqa_pipeline import stores

    with stores.replacing(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows(lines)


def _places(table: Mapping[str, Any], published: Mapping[tuple, Any]) -> list[tuple[str, str, str, str]]:
    """Where a figure stands: the table's own rows in their order, then rows that only the literature has."""
    datasets = [*table["datasets"], *([MEAN] if table.get("mean_over_datasets") else [])]
    own = [(*row.split("."), d, m) for row in rows(table) for d in datasets for m in table["metrics"]]
    return list(dict.fromkeys([*own, *published]))


def _published(name: str, table: Mapping[str, Any]) -> dict[tuple[str, str, str, str], Mapping[str, Any]]:
    """Published figures by system, variant, data set and metric."""
    found: dict[tuple[str, str, str, str], Mapping[str, Any]] = {}
    datasets = [*table["datasets"], *([MEAN] if table.get("mean_over_datasets") else [])]
    for number, figure in enumerate(table.get("published", [])):
        where = f"tables.{name}.published.{number}"
        dataset = figure.get("dataset") or (datasets[0] if len(datasets) == 1 else None)
        if dataset is None:
            raise InputError(f"{where}: no dataset, expected one of {', '.join(datasets)}")
        if dataset not in datasets:
            raise InputError(f"{where}.dataset: unknown '{dataset}', {nearest(dataset, datasets)}")
        key = (figure["system"], figure["variant"], dataset, figure["metric"])
        if key in found:
            raise InputError(f"{where}: a second figure for {'.'.join(key[:2])} on {dataset}, {figure['metric']}")
        found[key] = figure
    return found


def _decimal(value: float | None) -> str:
    """Four decimals, empty for what has no value; a zero has no sign."""
    if value is None or value != value:
        return ""
    text = f"{value:.4f}"
    return text.lstrip("-") if float(text) == 0 else text


def _text(column: str, value: str | float) -> str:
    if isinstance(value, str):
        return value
    if column.startswith("p_"):
        return "" if value != value else f"{value:.4g}"  # small ones keep their digits
    return _whole(value) if column in ("n", "n_common", "systems") else _decimal(value)


def _whole(value: float | None) -> str:
    return "" if value is None or value != value else str(int(value))
