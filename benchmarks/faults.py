"""Kill a run of the whole DAG at random moments, again and again: the results stay the same, bit by bit.

    python benchmarks/faults.py --kills 200 --seed 0            writes benchmarks/faults.md

`tests/killing.py` says what is killed and when, and what is looked at after each kill and at the end of each run.
"""

from __future__ import annotations

import argparse
import os
import platform
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests"))  # the kills of the tests

import killing  # noqa: E402
from killing import Kill  # noqa: E402

WHO = {"stage": "the stage alone", "snakemake": "Snakemake alone", "all": "Snakemake and its jobs"}


def main() -> None:
    """Kill so often, say each kill, and write the results file beside this script."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ.setdefault(name, "1")
    with tempfile.TemporaryDirectory() as name:
        calm = killing.kills_clone(Path(name) / "calm")
        usual = killing.finish(calm)
        expected = killing.results(calm)
        print(f"undisturbed: {len(expected)} files; seconds of the stages: {rounded(usual)}", flush=True)
        began, done = time.monotonic(), []

        def say(kill: Kill) -> None:
            done.append(kill)
            print(f"{len(done)} {time.monotonic() - began:.0f} s: {WHO[kill.victim]}, {kill.stage} "
                  f"after {kill.after:.2f} of {kill.usual:.2f} s", flush=True)  # fmt: skip

        folder = killing.kills_clone(Path(name) / "killed")
        runs = killing.kill_and_go_on(
            folder, expected=expected, usual=usual, kills=options.kills, seed=options.seed, say=say
        )
    text = report(done, runs, usual, len(expected), seed=options.seed, seconds=time.monotonic() - began)
    Path(__file__).with_suffix(".md").write_text(text)
    print(text)


def rounded(seconds: dict[str, float]) -> dict[str, float]:
    return {stage: round(value, 1) for stage, value in seconds.items()}


def report(kills: list[Kill], runs: int, usual: dict[str, float], files: int, *, seed: int, seconds: float) -> str:
    """The kills by stage and victim, as Markdown."""
    counts = Counter((kill.stage, kill.victim) for kill in kills)
    rows = [(stage, f"{usual[stage]:.1f}", *(counts[stage, victim] for victim in WHO)) for stage in usual]
    rows.append(("all", "", *(sum(kill.victim == victim for kill in kills) for victim in WHO)))
    lines = [
        "# Kills at random moments",
        "",
        f"{len(kills)} times SIGKILL over {runs} runs of the DAG of `tests/faults/kills.yaml`, each from nothing: each",
        "job that starts with even odds, at a moment drawn from the time that its stage usually takes. After each kill",
        "every file under its final name was whole, and the same command followed, after `--unlock` where Snakemake",
        f"itself had died. At the end of each run all {files} files of results/ (tables, stores, weights, films)",
        "were the bytes of an undisturbed run, no temporary file was left, and there was nothing left to do.",
        "",
        f"{seconds / 60:.0f} minutes on {os.cpu_count()} cores of {platform.machine()}, shared with others. Made by",
        f"`python benchmarks/faults.py --kills {len(kills)} --seed {seed}`.",
        "",
        "| stage | takes, s | " + " | ".join(WHO.values()) + " | kills |",
        "| --- | --- | " + "--- | " * len(WHO) + "--- |",
        *("| " + " | ".join(map(str, [*row, sum(row[2:])])) + " |" for row in rows),
        "",
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
