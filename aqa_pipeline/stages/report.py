"""Make the report of a run: one HTML file that opens without a network."""

from __future__ import annotations

from pathlib import Path

from aqa_pipeline.stages import Options, command_line

VERSION = 1


def report(
    results: Path,
    out: Path,
    *,
    predictions: list[Path] = [],
    keypoints: str = "",
    configuration: Options = {},
    worst: int = 10,
    median: int = 1,
    best: int = 1,
    films: bool = True,
    megabytes: float = 3.0,
) -> None:
    """Write OUT, the report of the folder RESULTS, which holds tables.csv and what the run left beside it.

    Predictions are those of the tables, by default all that lie in RESULTS. So many videos with the WORST errors, the
    MEDIAN and the BEST one have a section, with the skeleton of KEYPOINTS (detector.estimator), and short films, as
    long as all pictures together stay below so many MEGABYTES. The configuration is shown as it is.
    """
    from aqa_pipeline import stores
    from aqa_pipeline.report import page
    from aqa_pipeline.report.dives import Choice
    from aqa_pipeline.report.reading import Results

    choice = Choice(worst=worst, median=median, best=best, films=films, megabytes=megabytes)
    text = page.render(Results(results, predictions), choice=choice, keypoints=keypoints, configuration=configuration)
    with stores.replacing(out) as temporary:
        temporary.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    command_line(report)
