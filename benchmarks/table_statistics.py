"""How fast a table becomes statistics: bootstrap, every pair of systems, permutations; and against the plain way.

    OMP_NUM_THREADS=2 python benchmarks/table_statistics.py            writes benchmarks/table_statistics.md

The test set has the size of FineDiving's, 749 clips, with 20 systems and 10,000 draws. The plain way ranks every
resample anew; it is timed on a part of the draws and multiplied, which the table says. Processor seconds are those of
all threads: on a machine with other work they tell more than the clock.
"""

from __future__ import annotations

import os
import platform
import resource
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from aqa_pipeline.evaluation import scores, significance
from aqa_pipeline.evaluation.draws import Draws
from aqa_pipeline.evaluation.predictions import Predictions

SYSTEMS, CLIPS, DRAWS = 20, 749, 10_000
METRICS = ["spearman_rho", "spearman_rho_mark", "relative_l2_x100", "med", "aiou_50", "aiou_75"]
PLAIN_DRAWS, PLAIN_PERMUTATIONS = 500, 100


def made_up() -> dict[tuple[str, str], Predictions]:
    """Systems of growing error on the same clips, of one seed and one fold."""
    rng = np.random.default_rng(0)
    ids = np.array([f"v{i:03d}" for i in range(CLIPS)])
    difficulty, mark = rng.choice(np.arange(1.5, 4.1, 0.1), CLIPS), rng.normal(22, 3, CLIPS).round(1)
    steps = np.stack([rng.integers(15, 40, CLIPS), rng.integers(50, 90, CLIPS)], axis=1).astype(float)
    found = {}
    for number in range(SYSTEMS):
        said = mark + (1 + 0.05 * number) * rng.normal(size=(1, CLIPS))
        found[f"system.v{number:02d}", "clips"] = Predictions(
            video_ids=ids,
            fold=np.zeros(CLIPS, int),
            seeds=(0,),
            score=mark * difficulty,
            predicted_score=said * difficulty,
            mark=mark,
            predicted_mark=said,
            transitions=steps,
            predicted_transitions=steps + rng.normal(0, 6, (1, CLIPS, 2)),
        )
    return found


def seconds(run: Callable[[], object]) -> np.ndarray:
    """(2,) of the clock and of the processors."""
    start = np.array([time.perf_counter(), time.process_time()])
    run()
    return np.array([time.perf_counter(), time.process_time()]) - start


def plain_bootstrap(found: Predictions, draws: int) -> np.ndarray:
    """What anyone writes first: draw rows, rank them again, correlate."""
    from scipy.stats import rankdata

    rng, values = np.random.default_rng(0), []
    for _ in range(draws):
        rows = rng.integers(0, CLIPS, CLIPS)
        values.append(np.corrcoef(rankdata(found.predicted_score[0, rows]), rankdata(found.score[rows]))[0, 1])
    return np.array(values)


def plain_permutations(a: Predictions, b: Predictions, permutations: int) -> np.ndarray:
    """One pair: exchange the rank scores clip by clip, correlate, again and again."""
    from scipy.stats import rankdata

    rng, values = np.random.default_rng(0), []
    x, y, true = (rankdata(side) for side in (a.predicted_score[0], b.predicted_score[0], a.score))
    for _ in range(permutations):
        stays = rng.random(CLIPS) < 0.5
        first, second = np.where(stays, x, y), np.where(stays, y, x)
        values.append(np.corrcoef(first, true)[0, 1] - np.corrcoef(second, true)[0, 1])
    return np.array(values)


def main() -> None:
    """Run everything and write the results file beside this script."""
    found = made_up()
    names = [row for row, _ in found]
    one, other = (found[row, "clips"] for row in names[:2])
    n_pairs = len(names) * (len(names) - 1) // 2
    table = dict(protocol="official", metrics=METRICS)
    draw = Draws(found, DRAWS, 0)

    def intervals(metrics: list[str]) -> None:
        for metric in metrics:
            for row in names:
                draw.of(row, "clips", metric)

    def pairs(metrics: list[str]) -> None:
        significance.compare_all(draw, names, {"clips": ["clips"]}, {**table, "metrics": metrics})

    significance.holm([0.5])  # the library is loaded before the clock starts
    scores.sampled(one, "med", n_draws=10)
    rho, rho_pairs = seconds(lambda: intervals(METRICS[:1])), seconds(lambda: pairs(METRICS[:1]))
    rest, rest_pairs = seconds(lambda: intervals(METRICS[1:])), seconds(lambda: pairs(METRICS[1:]))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    plain = seconds(lambda: plain_bootstrap(one, PLAIN_DRAWS)) * SYSTEMS * DRAWS / PLAIN_DRAWS
    exchanges = seconds(lambda: plain_permutations(one, other, PLAIN_PERMUTATIONS)) * n_pairs
    plain_pairs = exchanges * significance.PERMUTATIONS / PLAIN_PERMUTATIONS
    others = f"the other {len(METRICS) - 1} metrics"
    rows = [
        ("rho: values and intervals", rho, plain),
        ("rho: all pairs, bootstrap and permutations", rho_pairs, plain_pairs),
        (f"plain rho, ranked again in every resample; from {PLAIN_DRAWS} draws of one system", plain, plain),
        (f"plain rho, exchanged again for every pair; from {PLAIN_PERMUTATIONS} of one pair", plain_pairs, plain_pairs),
        (f"{others}: values and intervals", rest, None),
        (f"{others}: all pairs", rest_pairs, None),
        (f"everything, {len(METRICS)} metrics", rho + rho_pairs + rest + rest_pairs, None),
    ]
    threads = os.environ.get("OMP_NUM_THREADS", "all")
    lines = [
        "# Statistics",
        "",
        f"{SYSTEMS} systems, {n_pairs} pairs, {CLIPS} clips, {DRAWS} bootstrap draws, {significance.PERMUTATIONS} "
        "permutations a pair;",
        f"{os.cpu_count()} cores of {platform.machine()}, OMP_NUM_THREADS={threads}. Peak memory {peak:.0f} MB.",
        "The plain ways were timed on a part of the draws and multiplied.",
        "Made by `python benchmarks/table_statistics.py`.",
        "",
        "| what | clock, s | processors, s | how much faster than the plain way (processors) |",
        "| --- | --- | --- | --- |",
        *(
            f"| {what} | {took[0]:.1f} | {took[1]:.1f} | {'-' if other is None else f'{other[1] / took[1]:.0f}'} |"
            for what, took, other in rows
        ),
        "",
    ]
    Path(__file__).with_suffix(".md").write_text("\n".join(lines))
    print("\n".join(lines))


if __name__ == "__main__":
    main()
