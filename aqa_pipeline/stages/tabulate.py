"""Join scores and published figures into the tables of a run."""

from __future__ import annotations

from pathlib import Path

from aqa_pipeline.errors import InputError
from aqa_pipeline.stages import Options, command_line

VERSION = 2


def tabulate(
    scores: list[Path],
    out: Path,
    comparisons: Path,
    significance: Path,
    detectable: Path,
    *,
    tables: Options,
    variants: Options = {},
    absent: Options = {},
    published_as: Options = {},
    command: str = "snakemake results/tables.csv",
) -> None:
    """Write OUT (tables.csv) from SCORES, one CSV a table, beside which lie its pairs and detectable differences.

    COMPARISONS holds each row against floor and ceiling, SIGNIFICANCE every pair of rows, DETECTABLE what differences
    the test sets can show. Tables maps each name to its block of the configuration, in the order of SCORES; variants a
    row to its training and selection; absent a table to its data sets, or row@dataset, and why they have no run;
    published_as a data set to its name in the ledger of published figures.
    """
    from aqa_pipeline.evaluation import scoring
    from aqa_pipeline.evaluation import significance as pairwise
    from aqa_pipeline.evaluation import tables as rows

    if len(scores) != len(tables):
        raise InputError(f"tabulate: found {len(scores)} score files, expected one for each of {', '.join(tables)}")
    lines, compared, pairs, smallest = [], [], [], []
    for path, (name, table) in zip(scores, tables.items(), strict=True):
        scored = scoring.read_scores(path)
        facts = dict(command=command, variants=variants, absent=absent.get(name, {}), published_as=published_as)
        lines += rows.table_rows(name, table, scored, **facts)
        compared += rows.compared_rows(name, table, scored)
        pairs += rows.listed_rows(name, pairwise.read(path.with_suffix(".pairs.csv"), pairwise.COLUMNS))
        smallest += rows.listed_rows(name, pairwise.read(path.with_suffix(".detectable.csv"), pairwise.DETECTABLE))
    rows.write_csv(lines, rows.COLUMNS, out)
    rows.write_csv(compared, rows.COMPARED, comparisons)
    rows.write_csv(pairs, ["table", *pairwise.COLUMNS], significance)
    rows.write_csv(smallest, ["table", *pairwise.DETECTABLE], detectable)


if __name__ == "__main__":
    command_line(tabulate)
