"""Kills at random moments: the real DAG is killed again and again while it runs, and each time goes on.

Of the jobs that start some are chosen by a seed, and a chosen one is killed at a moment drawn from its usual duration.
What dies is the stage alone, Snakemake alone (its jobs live on), or Snakemake with all its processes.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from running import ROOT, clone, command, environment, good, snakemake

VICTIMS = ("stage", "snakemake", "all")
CHOSEN = 0.5  # of the jobs that start
LOOK = 0.02  # seconds between two looks at what runs
NO_RESULT = {"logs", "benchmarks"}  # folders of results/ that hold times
CONFIG = "kills.yaml"


@dataclass(frozen=True)
class Kill:
    """Who was killed, and when: `after` seconds of a stage that usually takes `usual`."""

    stage: str
    victim: str
    after: float
    usual: float


def kills_clone(folder: Path) -> Path:
    """A copy of the house with the configuration of the smallest DAG."""
    clone(folder)
    shutil.copy(ROOT / "tests" / "faults" / CONFIG, folder / CONFIG)
    return folder


def finish(folder: Path, *targets: str) -> dict[str, float]:
    """An undisturbed run of targets or of everything; the seconds that each stage took, the longest of its jobs."""
    taken: dict[str, float] = {}
    with _started(folder, targets) as process:
        for _, stage, seconds in _watch(process):
            taken[stage] = max(seconds, taken.get(stage, 0.0))
        assert process.wait() == 0, _said(folder)
    return taken


def kill_and_go_on(
    folder: Path,
    *targets: str,
    expected: Mapping[str, str],
    usual: Mapping[str, float],
    kills: int,
    seed: int,
    say: Callable[[Kill], None],
) -> int:
    """Run for targets, or for everything, until so many kills are done and the last run has ended well.

    Each run begins from nothing. After each kill, which `say` is told, every file under its final name must be whole;
    at the end of each run the results must be the `expected` ones, of `results`, and nothing be left to do. Gives the
    number of runs.
    """
    rng = np.random.default_rng(seed)
    done = runs = 0
    while True:
        kill = _until_killed(folder, targets, usual, rng, may_kill=done < kills)
        if kill:
            done += 1
            say(kill)
            _expect_whole(folder / "results")
            continue
        runs += 1
        _wait_for_orphans(folder)
        found = results(folder)
        assert found == expected, {k for k in found.keys() | expected.keys() if found.get(k) != expected.get(k)}
        answer = good(snakemake(folder, "--dry-run", *targets, configfile=CONFIG))
        assert "Nothing to be done" in answer.stdout + answer.stderr
        if done >= kills:
            return runs
        shutil.rmtree(folder / "results")
        shutil.rmtree(folder / ".snakemake")


def results(folder: Path) -> dict[str, str]:
    """SHA-256 of every file of the results by its path; left-over pieces are files too."""
    files = (path for path in (folder / "results").rglob("*") if path.is_file() and path.name != ".snakemake_timestamp")
    named = {str(path.relative_to(folder / "results")): path for path in files}
    return {
        name: hashlib.sha256(path.read_bytes()).hexdigest()
        for name, path in named.items()
        if name.partition("/")[0] not in NO_RESULT
    }


def _until_killed(
    folder: Path, targets: Sequence[str], usual: Mapping[str, float], rng: np.random.Generator, *, may_kill: bool
) -> Kill | None:
    """Run Snakemake until it is killed, or to its good end, which is None."""
    if any((folder / ".snakemake" / "locks").glob("*")):
        good(snakemake(folder, "--unlock", configfile=CONFIG))
    due: dict[int, float] = {}
    with _started(folder, targets) as process:
        for pid, stage, seconds in _watch(process):
            if pid not in due:
                chosen = may_kill and rng.random() < CHOSEN
                due[pid] = rng.uniform(0, usual[stage]) if chosen else np.inf
            if seconds >= due[pid]:
                kill = Kill(stage, str(rng.choice(VICTIMS)), seconds, usual[stage])
                _strike(process, pid, kill.victim)
                return kill if process.wait(timeout=600) else None  # 0: the stage ended before the blow fell
        assert process.wait() == 0, _said(folder)
    return None


@contextlib.contextmanager
def _started(folder: Path, targets: Sequence[str]) -> Iterator[subprocess.Popen]:
    """Snakemake in a session of its own; where a test gives up on it, it does not live on."""
    with (folder / "snakemake.txt").open("w") as said:
        streams = dict(stdout=said, stderr=subprocess.STDOUT)
        words = command(*targets, configfile=CONFIG)
        process = subprocess.Popen(words, cwd=folder, env=environment(), start_new_session=True, **streams)
    try:
        yield process
    finally:
        if process.poll() is None:
            _strike(process, process.pid, "all")
            process.wait()


def _said(folder: Path) -> str:
    return (folder / "snakemake.txt").read_text()[-8000:]


def _watch(process: subprocess.Popen) -> Iterator[tuple[int, str, float]]:
    """Process, name and seconds so far of each stage that runs, over and over until Snakemake ends."""
    began: dict[int, float] = {}
    while process.poll() is None:
        now = time.monotonic()
        for pid, stage in stages_under(process.pid).items():
            yield pid, stage, now - began.setdefault(pid, now)
        time.sleep(LOOK)


def _strike(process: subprocess.Popen, pid: int, victim: str) -> None:
    with contextlib.suppress(ProcessLookupError):
        if victim == "all":
            os.killpg(process.pid, signal.SIGKILL)
        else:
            os.kill(pid if victim == "stage" else process.pid, signal.SIGKILL)


def stages_under(pid: int) -> dict[int, str]:
    """Processes that run a stage among the descendants of a process, and its name."""
    found = {}
    for child in _children(pid):
        stage = _stage(child)
        found |= {child: stage} if stage else stages_under(child)
    return found


def _children(pid: int) -> list[int]:
    found: list[int] = []
    with contextlib.suppress(OSError):  # it ended while we looked
        for thread in list(Path(f"/proc/{pid}/task").iterdir()):
            found += map(int, (thread / "children").read_text().split())
    return found


def _stage(pid: int) -> str | None:
    """The stage of `python -m aqa_pipeline.stages.<stage>`."""
    with contextlib.suppress(OSError):
        words = Path(f"/proc/{pid}/cmdline").read_text().split("\0")
        named = [word for word in words if re.fullmatch(r"aqa_pipeline\.stages\.\w+", word)]
        return named[0].rpartition(".")[2] if named else None
    return None


def _expect_whole(results: Path) -> None:
    """Every file under its final name can be read to its end."""
    import h5py
    import pandas as pd
    from safetensors import safe_open

    for path in results.rglob("*"):
        if ".part" in path.name or path.relative_to(results).parts[0] in NO_RESULT:
            continue
        with contextlib.suppress(FileNotFoundError):  # an orphan of Snakemake, or Snakemake itself, replaced it
            if path.suffix == ".h5":
                with h5py.File(path) as file:
                    assert {"videos", "failures"} <= set(file)
            elif path.suffix == ".parquet":
                pd.read_parquet(path)
            elif path.suffix == ".safetensors":
                with safe_open(path, "np") as file:
                    assert file.keys()
            elif path.suffix == ".csv":
                assert path.read_text().endswith("\n"), path
            elif path.suffix in (".png", ".mp4"):
                _expect_pictures(path)


def _expect_pictures(path: Path) -> None:
    import cv2

    if path.suffix == ".png":
        assert path.read_bytes()[-8:-4] == b"IEND", path
    else:
        capture = cv2.VideoCapture(str(path))
        frames = 0
        while capture.grab():
            frames += 1
        assert frames == capture.get(cv2.CAP_PROP_FRAME_COUNT) > 0, path


def _wait_for_orphans(folder: Path, patience: float = 60) -> None:
    """Until the jobs of a killed Snakemake have ended, which lived on in the folder."""
    for _ in range(int(patience / LOOK)):
        if not any(_works_in(folder, process) for process in Path("/proc").glob("[0-9]*")):
            return
        time.sleep(LOOK)
    raise AssertionError(f"jobs still run in {folder}")


def _works_in(folder: Path, process: Path) -> bool:
    with contextlib.suppress(OSError):
        return os.readlink(process / "cwd") == str(folder) and _stage(int(process.name)) is not None
    return False
