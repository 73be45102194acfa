"""Scores and published figures in, rows of `results/tables.csv` out.

Every figure is text of a fixed format, and rows stand in the order of the configuration, so that the same input gives
the same bytes. A published figure without a run of ours stands in the table all the same and says why.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from aqa_pipeline import ledger
from aqa_pipeline.errors import InputError
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

Place = tuple[str, str, str, str]  # system, variant, data set, metric


def table_rows(
    name: str,
    table: Mapping[str, Any],
    scored: pd.DataFrame,
    *,
    command: str,
    variants: Mapping[str, Mapping[str, str]] = {},
    absent: Mapping[str, str] = {},
    published_as: Mapping[str, str] = {},
) -> list[dict[str, str]]:
    """Rows of one table with `COLUMNS`, all text.

    Parameters
    ----------
    name, table : a block of `tables` in the configuration
    scored : what `scoring.score_table` made of it
    command : the command that makes these rows again
    variants : `training` and `selection` of each row "system.variant"; frozen and last by default
    absent : why there is no run, of a data set or of "row@dataset": data_absent or weights_absent; not_run by default
    published_as : name of a data set in the ledger, where it is not its own

    Notes
    -----
    A figure that stands in two sources with two values makes two rows, each of which names the other; sources that
    agree share a row. Of a metric that a row's system does not predict (transitions, or a score) there is no row.
    """
    published = _published(name, table, published_as)
    against = ledger.conflicts({*ledger.read(), *(figure for figures in published.values() for figure in figures)})
    known = {(r.system, r.variant, r.dataset, r.metric): r for r in scored.itertuples()}
    scored_rows = {place[:3] for place in known}
    lines = []
    for place in _places(table, published):
        system, variant, dataset, metric = place
        row, figure = f"{system}.{variant}", known.get(place)
        if figure is None and place[:3] in scored_rows and place not in published:
            continue
        of = {"training": "frozen", "selection": "last", **variants.get(row, {})}
        if figure is None and row not in rows(table):
            of = {"training": "", "selection": ""}  # a row of the literature alone: we do not say how it was made
        for sources in _agreeing(published[place]) if place in published else [[]]:
            lines.append(
                {
                    **dict(table=name, dataset=dataset, protocol=table["protocol"], system=system, variant=variant),
                    **dict(training=of["training"], selection=of["selection"], metric=metric),
                    **{column: _decimal(getattr(figure, column, None)) for column in ("value", "ci_low", "ci_high")},
                    **{column: _whole(getattr(figure, column, None)) for column in ("n_test", "n_folds", "n_seeds")},
                    "published": f"{sources[0].value:.10g}" if sources else "",
                    "published_source": "; also ".join(_cited(one, published[place], against) for one in sources),
                    **dict(status=_status(place, table, absent, scored_rows, figure is not None), command=command),
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


def _datasets(table: Mapping[str, Any]) -> list[str]:
    return [*table["datasets"], *([MEAN] if table.get("mean_over_datasets") else [])]


def _places(table: Mapping[str, Any], published: Mapping[Place, Any]) -> list[Place]:
    """Where a figure stands: the table's own rows in their order, then rows that only the literature has."""
    own = [(*row.split("."), d, m) for row in rows(table) for d in _datasets(table) for m in table["metrics"]]
    return list(dict.fromkeys([*own, *published]))


def _published(
    name: str, table: Mapping[str, Any], published_as: Mapping[str, str]
) -> dict[Place, list[ledger.Figure]]:
    """Figures of the ledger by system, variant, data set and metric; those of other data sets belong elsewhere."""
    here = {published_as.get(dataset, dataset): dataset for dataset in _datasets(table)}
    found: dict[Place, list[ledger.Figure]] = {}
    for published in table.get("published", []):
        figures = ledger.of_tables([published])
        if not any(figure.dataset in here for figure in figures):
            known = sorted({figure.dataset for figure in figures})
            raise InputError(
                f"tables.{name}.published: '{published}' has figures of {', '.join(known)}, expected one of "
                f"the table's data sets: {', '.join(here)} (datasets.NAME.published_as says which it is)"
            )
        for figure in figures:
            if figure.dataset in here:
                place = (figure.system, figure.variant, here[figure.dataset], figure.metric)
                found.setdefault(place, []).append(figure)
    return found


def _agreeing(figures: Sequence[ledger.Figure]) -> list[list[ledger.Figure]]:
    """The figures of one place, those that say the same together."""
    groups: list[list[ledger.Figure]] = []
    for figure in figures:
        same = (group for group in groups if group[0].subject == figure.subject and group[0].agrees_with(figure))
        group = next(same, None)
        if group is None:
            groups.append([figure])
        else:
            group.append(figure)
    return groups


def _cited(
    figure: ledger.Figure,
    beside: Sequence[ledger.Figure],
    against: Mapping[ledger.Figure, Sequence[ledger.Figure]],
) -> str:
    """The source, with what a reader must know to trust the figure."""
    of_setting = "" if len({other.setting for other in beside}) == 1 else figure.setting
    others = sorted({f"{other.printed} in {other.source}" for other in against.get(figure, [])})
    conflict = f"conflicts with {', '.join(others)}" if others else ""
    evidence = {"read": "", "secondary": "secondary source", "log": "training log", "recalled": "not read again"}
    facts = [evidence[figure.evidence], of_setting, figure.note, conflict]
    return "; ".join([figure.source, *filter(None, facts)])


def _status(
    place: Place, table: Mapping[str, Any], absent: Mapping[str, str], scored_rows: set[tuple], is_scored: bool
) -> str:
    """Why a figure is there or not; of a mean, the reason of the first data set that lacks it."""
    system, variant, dataset, _ = place
    row = f"{system}.{variant}"
    if is_scored or place[:3] in scored_rows:
        return "ok" if is_scored else "not_run"
    of = [dataset] if dataset != MEAN else table["datasets"]
    status = min((absent.get(one, absent.get(f"{row}@{one}", "not_run")) for one in of), key=STATUS.index)
    assert status in STATUS, status
    ran = row in rows(table) and any(scored[2] == dataset for scored in scored_rows)
    return "data_absent" if ran and status == "not_run" else status  # no judges' marks, or no steps, in the data


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
