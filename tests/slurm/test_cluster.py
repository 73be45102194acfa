"""The real DAG on a real SLURM: with the profile of the house, undisturbed and with all that goes wrong there."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

import pytest
import slurm_cluster
import yaml
from running import TABLES, clone, environment, good, snakemake
from slurm_cluster import Cluster, Process, eventually

pytestmark = [pytest.mark.slow, pytest.mark.slurm]

# Two networks in place of the rows of tiny.yaml; the second waits for no keypoints.
FEWER = """
systems: {pose_guided: {coco: {seeds: [0]}}}
tables: {tiny: {rows: [pose_guided.coco, pose_guided.image], floor: null, ceiling: null}}
"""
CONFIGFILE = "tiny.yaml fewer.yaml"
ON_GPU = {"detect_athlete", "estimate_keypoints", "extract_features", "train"}


def small(folder: Path) -> Path:
    (clone(folder) / "fewer.yaml").write_text(FEWER)
    return folder


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    if reason := slurm_cluster.why_not():
        pytest.skip(f"no SLURM can be started: {reason}")
    with slurm_cluster.running() as started:
        yield started


@pytest.fixture(scope="module")
def table(cluster, tmp_path_factory) -> bytes:
    """The table that a run without a cluster gives."""
    folder = small(tmp_path_factory.mktemp("local") / "clone")
    good(snakemake(folder, TABLES, configfile=CONFIGFILE))
    return (folder / TABLES).read_bytes()


def on_cluster(*options: str) -> list[str]:
    """As the README says, but the state of jobs is asked for soon: they are short."""
    return [
        *(sys.executable, "-m", "snakemake", "--profile", "profiles/slurm", TABLES),
        *("--slurm-init-seconds-before-status-checks", "1", "--latency-wait", "10", *options),
        *("--configfile", *CONFIGFILE.split()),
    ]


@contextlib.contextmanager
def submitted(cluster: Cluster, folder: Path, *options: str) -> Iterator[subprocess.Popen]:
    """The workflow on its way on the cluster; it and its jobs are killed, should they not have ended by themselves."""
    outside = {name: value for name, value in environment().items() if name != "CUDA_VISIBLE_DEVICES"}
    with open(folder / "snakemake.log", "w") as log:
        process = subprocess.Popen(
            on_cluster(*options), cwd=folder, env=outside, stdout=log, stderr=subprocess.STDOUT, start_new_session=True
        )
    try:
        yield process
    finally:
        kill(process)
        cluster.cancel_all()


def kill(process: subprocess.Popen) -> None:
    """SIGKILL to Snakemake and its children; what it submitted lives on."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait(timeout=20)


def ends_well(process: subprocess.Popen, folder: Path, limit: float) -> None:
    try:
        answer = process.wait(timeout=limit)
    except subprocess.TimeoutExpired:
        answer = f"nothing within {limit} s"
    assert answer == 0, f"{answer}: " + (folder / "snakemake.log").read_text()[-8000:]


@dataclass
class Run:
    folder: Path
    seen: list[list[Process]]  # stages that ran at one moment, moment by moment


@pytest.fixture(scope="module")
def calm(cluster, tmp_path_factory) -> Run:
    """An undisturbed run from nothing."""
    folder = small(tmp_path_factory.mktemp("slurm") / "clone")
    name_partitions(folder / "profiles/slurm/partitions.yaml")
    seen, end = [], time.monotonic() + 1200
    with submitted(cluster, folder) as process:
        while process.poll() is None and time.monotonic() < end:
            seen.append(cluster.stages())
            time.sleep(0.1)
        ends_well(process, folder, limit=1)
    return Run(folder, seen)


def name_partitions(path: Path) -> None:
    """As the README says; GPUs are added by hand, as a cluster without accounting does not name them."""
    ask = Path(sys.executable).with_name("generate-slurm-partition-config")
    found = yaml.safe_load(subprocess.run([ask], check=True, capture_output=True, timeout=120).stdout)
    found["partitions"]["gpu"]["max_gpu"] = 2
    path.write_text(yaml.safe_dump(found))


def again(calm: Run, folder: Path, *made: str) -> Path:
    """A copy of the undisturbed run without some of its results, and without what is made of them."""
    shutil.copytree(calm.folder, folder, symlinks=True)
    for name in (*made, "runs", "scores"):
        shutil.rmtree(folder / "results" / name)
    for name in ("failures.csv", "tables.csv"):
        (folder / "results" / name).unlink()
    return folder


def test_a_cluster_gives_the_table_of_a_single_machine(calm, table):
    assert (calm.folder / TABLES).read_bytes() == table


def test_a_gpu_rule_sees_its_own_device_alone_and_others_see_none(calm):
    processes = {process.pid: process for moment in calm.seen for process in moment}.values()
    on_gpu = [process for process in processes if process.devices is not None]
    assert {process.stage for process in on_gpu} <= ON_GPU
    assert {process.stage for process in on_gpu} >= {"detect_athlete", "estimate_keypoints", "train"}
    assert {process.node for process in on_gpu} <= {"n2", "n3"}
    assert {process.devices for process in on_gpu} <= {"0", "1"}
    assert {process.node for process in processes if process.devices is None} == {"n1"}
    pairs = [pair for moment in calm.seen for pair in combinations(moment, 2) if shares_a_node(*pair)]
    assert pairs, "no two jobs on one node at a time: nothing was seen"
    assert all(a.devices != b.devices for a, b in pairs)


def shares_a_node(a: Process, b: Process) -> bool:
    return a.node == b.node and a.job != b.job and None not in (a.devices, b.devices)


@dataclass
class Disturbed:
    """A run in which everything went wrong once, and the ids of the jobs that it befell."""

    folder: Path
    stalled: str
    lost: str
    cancelled: str


@pytest.fixture(scope="module")
def disturbed(cluster, calm, tmp_path_factory) -> Disturbed:
    """One job stalls until its time is over, the node of another dies, a third is cancelled, the controller restarts.

    The first two have a node each, by the memory they ask for, and take minutes: the others happen meanwhile. What is
    tried again may be sent to the dead node before it is missed, and is tried a third time then.
    """
    folder = again(calm, tmp_path_factory.mktemp("slurm") / "disturbed", "keypoints", "features", "pairs")
    apart = ("--set-resources", "estimate_keypoints:mem_mb=40000", "estimate_keypoints:runtime=attempt")
    with submitted(cluster, folder, *apart) as process:
        stalled, lost = eventually(lambda: both_held(cluster), "both shards' keypoints", limit=200, every=0.02)
        cluster.kill_node(lost.node)
        cancelled = eventually(lambda: cluster.stages("train"), "training", limit=300, every=0.02)[0]
        cluster.ask("scancel", cancelled.job)
        eventually(lambda: cluster.states()[lost.node].startswith("down"), "the dead node is missed", limit=200)
        cluster.start_node(lost.node)
        cluster.stop_controller()
        time.sleep(3)  # long enough for Snakemake to ask in vain
        cluster.start_controller()
        ends_well(process, folder, limit=1200)
    return Disturbed(folder, stalled=stalled.job, lost=lost.job, cancelled=cancelled.job)


def both_held(cluster: Cluster) -> list[Process] | None:
    """The stages that estimate the keypoints of two shards, once both are there; each is stopped as soon as seen."""
    found = cluster.stages("estimate_keypoints")
    for process in found:
        os.kill(process.pid, signal.SIGSTOP)
    return found if len(found) == 2 else None


def test_a_job_over_its_time_limit_is_run_again_with_a_longer_one(cluster, disturbed):
    assert cluster.ended()[disturbed.stalled] == "TIMEOUT"
    assert cluster.attempts(disturbed.stalled)[:2] == [("40000M", "1:00"), ("40000M", "2:00")]


def test_a_job_of_a_node_that_died_is_run_again(cluster, disturbed):
    assert cluster.ended()[disturbed.lost] == "NODE_FAIL"
    assert len(cluster.attempts(disturbed.lost)) > 1


def test_a_cancelled_job_is_run_again_with_more_of_everything(cluster, disturbed):
    assert cluster.ended()[disturbed.cancelled] == "CANCELLED"
    assert cluster.attempts(disturbed.cancelled)[:2] == [("7000M", "4:00:00"), ("14000M", "8:00:00")]


def test_whatever_went_wrong_the_table_is_the_same(disturbed, table):
    """The controller restarted besides."""
    assert (disturbed.folder / TABLES).read_bytes() == table
    assert not list((disturbed.folder / "results").rglob("*.part"))


def test_snakemake_killed_and_started_again_goes_on(cluster, calm, table, tmp_path):
    folder = again(calm, tmp_path / "killed")
    with submitted(cluster, folder) as process:
        eventually(lambda: cluster.stages("train"), "training", limit=300)
        kill(process)
        finished = eventually(lambda: not cluster.jobs() and trained(folder), "its jobs go on to their end", limit=300)
    with submitted(cluster, folder) as process:
        assert process.wait(timeout=60) != 0
    assert "--unlock" in (folder / "snakemake.log").read_text()
    good(snakemake(folder, "--unlock", configfile=CONFIGFILE))
    with submitted(cluster, folder) as process:
        ends_well(process, folder, limit=900)
    assert (folder / TABLES).read_bytes() == table
    assert trained(folder).items() >= finished.items(), "what its jobs had finished was made again"


def trained(folder: Path) -> dict[Path, int]:
    """When each of the weights was written."""
    return {path: path.stat().st_mtime_ns for path in (folder / "results/runs").rglob("weights.safetensors")}
