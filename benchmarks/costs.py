"""What every stage takes for one video, query or run, from finished runs: `aqa_pipeline/costs.csv`, for `aqa plan`.

    python benchmarks/costs.py --machine "2 cores of an AMD EPYC, no GPU" [--configfile experiments/simdive_all.yaml]

In the folder of the finished run. Times are those of Snakemake's `results/benchmarks`, sizes those of the outputs.
What already stands in the file and was not measured again stays.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from aqa_pipeline import config, planning


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--machine", required=True, help="in plain words")
    arguments.add_argument("--configfile", nargs="*", type=Path, default=[], help="laid over config.yaml")
    given = arguments.parse_args()
    work = planning.Work(config.check(config.merged([Path("config.yaml"), *given.configfile])))
    finished = planning.jobs(given.configfile, everything=True)
    costs = planning.measured(finished, work, machine=given.machine, plugins_alone=True)
    kept = planning.read() if planning.SHIPPED.is_file() else []
    known = {(cost.stage, cost.of, cost.device): cost for cost in [*kept, *costs]}
    planning.write([known[key] for key in sorted(known)], planning.SHIPPED)
    print(f"{len(costs)} costs from {len(finished)} jobs: {planning.SHIPPED}")


if __name__ == "__main__":
    main()
