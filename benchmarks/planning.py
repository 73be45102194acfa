"""How long Snakemake plans many videos, and how many jobs and files they are.

    python benchmarks/planning.py            writes benchmarks/planning.md

In a folder of its own beside a copy of the house: a list of one's own with as many empty video files, and simulated
dives, which need no files; planned by `snakemake --dry-run` and never run. The rows are a classic and two networks, in
five folds. Peak memory is the planner's. Processor seconds are those of all its threads: on a machine with other work
they tell more than the clock.
"""

from __future__ import annotations

import os
import platform
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[1]
HOUSE = ["Snakefile", "config.yaml", "workflow", "profiles", "envs", "aqa_pipeline"]
ROWS = ["feature_forest.motion_17", "pose_guided.coco", "usdl.frozen"]
CASES = [("custom", 3_000, 25), ("custom", 30_000, 250), ("simdive", 3_000, 25), ("simdive", 30_000, 250)]
LIMITS = "Meant for 30,000 videos: at most 20 s, 1 GB, 2,000 jobs, 5,000 files."


def configuration(kind: str, n_videos: int, shards: int) -> dict:
    """What is laid over config.yaml: one data set, one table."""
    own = {"use": "custom", "csv": "videos.csv"} if kind == "custom" else {"use": "simdive", "n_dives": n_videos}
    many = {**own, "shards": shards, "protocols": {"k_fold": {"folds": 5}}}
    table = {"datasets": ["many"], "protocol": "k_fold", "rows": ROWS, "ceiling": None}
    return {"make_tables": ["many"], "datasets": {"many": many}, "tables": {"many": table}}


def prepare(folder: Path, kind: str, n_videos: int, shards: int) -> None:
    for name in HOUSE:
        source = ROOT / name
        (shutil.copytree if source.is_dir() else shutil.copy)(source, folder / name)
    (folder / "many.yaml").write_text(yaml.safe_dump(configuration(kind, n_videos, shards)))
    if kind == "custom":
        (folder / "videos").mkdir()
        lines = ["video_id,path,score,difficulty"]
        for i in range(n_videos):
            (folder / "videos" / f"{i}.mp4").touch()
            lines.append(f"v{i},videos/{i}.mp4,{40 + i % 60},3.0")
        (folder / "videos.csv").write_text("\n".join(lines))


def measure(folder: Path) -> tuple[float, float, float]:
    """Seconds of the clock, of the processors, and MB of `snakemake --dry-run`."""
    command = [sys.executable, "-m", "snakemake", "--dry-run", "--quiet", "--configfile", "many.yaml"]
    start = time.perf_counter()
    subprocess.run(command, cwd=folder, check=True, capture_output=True)
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.perf_counter() - start, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024


def counted(folder: Path) -> tuple[int, int]:
    """Jobs, and files that results/ would hold of them: outputs, logs and benchmarks."""
    from aqa_pipeline import planning

    os.chdir(folder)
    jobs = planning.jobs([Path("many.yaml")])
    return len(jobs), sum(job.n_files for job in jobs)


def case(kind: str, n_videos: int, shards: int) -> str:
    with tempfile.TemporaryDirectory() as folder:
        prepare(Path(folder), kind, n_videos, shards)
        clock, processors, mb = measure(Path(folder))
        jobs, files = counted(Path(folder))
        os.chdir(ROOT)
    return f"| {kind} | {n_videos:,} | {shards} | {clock:.1f} | {processors:.1f} | {mb:.0f} | {jobs:,} | {files:,} |"


def main() -> None:
    if sys.argv[1:]:  # one case, in a process of its own: the peak of a process's children is that of its largest
        kind, n_videos, shards = sys.argv[1:]
        print(case(kind, int(n_videos), int(shards)))
        return
    lines = [
        "# Planning",
        "",
        f"`snakemake --dry-run` of one data set and the rows {', '.join(f'`{row}`' for row in ROWS)}",
        f"with their floor, in five folds; {os.cpu_count()} cores of {platform.machine()}. {LIMITS}",
        "Files are outputs, logs and benchmarks; a folder of simulated videos counts as one and holds a file a video.",
        "Made by `python benchmarks/planning.py`.",
        "",
        "| data set | videos | shards | clock, s | processors, s | peak, MB | jobs | files in results |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for arguments in CASES:
        own = [sys.executable, __file__, *map(str, arguments)]
        found = subprocess.run(own, capture_output=True, text=True, check=True, cwd=ROOT)
        lines.append(found.stdout.strip().splitlines()[-1])
        print(lines[-1])
    Path(__file__).with_suffix(".md").write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
