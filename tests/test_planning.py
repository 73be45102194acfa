"""What a run will cost: units of work, figures measured, and which of them a job is timed by."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
from pathlib import Path

import pytest
from running import clone, environment, good

from aqa_pipeline import config, planning
from aqa_pipeline.planning import Cost, Job, Work

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def work() -> Work:
    return Work(config.check(config.merged([ROOT / "config.yaml"])))


def job(stage: str, folder: Path = Path("nowhere"), *, gpu: bool = False, **names: str) -> Job:
    """A job with one output, of the names in the order of its benchmark."""
    stem = ".".join(names.values()) or stage
    out = folder / "out" / stage / stem
    return Job(stage, names, folder / "benchmarks" / stage / f"{stem}.tsv", (out,), 3, gpu)


def finished(job: Job, *, seconds: float, cpu_seconds: str, mb: float, size: int) -> Job:
    """The files that a job leaves behind, outputs of one size."""
    for path in (job.benchmark, *job.outputs):
        path.parent.mkdir(parents=True, exist_ok=True)
    job.benchmark.write_text(f"s\tmax_rss\tcpu_time\n{seconds}\t{mb}\t{cpu_seconds}\n")
    for path in job.outputs:
        path.write_bytes(b"x" * size)
    return job


def row(stage: str, row: str, **more: str) -> Job:
    system, variant = row.split(".")
    names = dict(system=system, variant=variant, dataset="simdive", protocol="out_of_fold")
    return job(stage, **names, **more, seed="seed0")


@pytest.mark.parametrize(
    ("planned", "units"),
    [
        (job("detect_athlete", dataset="simdive", detection="embedded", shard="0002"), (100, "video")),  # 400 in 4
        (job("list_samples", dataset="simdive"), (400, "video")),
        (row("train", "feature_forest.motion_17"), (400, "video")),
        (row("train", "pose_guided.coco"), (400 * 16, "query")),  # steps and batch by default
        (row("train", "tsa.with_dive_number"), (200 * 320, "query")),  # epochs of four of five folds
        (job("tabulate"), (1, "run")),
    ],
)
def test_units_of_work(work, planned, units):
    assert work.units(planned) == units


@pytest.mark.parametrize(
    ("planned", "exactly", "plugin"),
    [
        (
            job("estimate_keypoints", dataset="simdive", detection="embedded", pose="embedded_17", shard="0001"),
            "simdive.embedded.embedded_17",
            "embedded",
        ),
        (
            job("extract_features", dataset="simdive", features="motion_17", shard="0001"),
            "simdive.motion_17",
            "body_motion",
        ),
        (row("train", "usdl.frozen"), "usdl.frozen.simdive.out_of_fold", "usdl"),
        (row("train", "usdl.default"), "usdl.default.simdive.out_of_fold", None),  # on pictures
        (job("tabulate"), "tabulate", "-"),
    ],
)
def test_what_a_job_is_timed_by(work, planned, exactly, plugin):
    assert (work.exactly(planned), work.plugin(planned)) == (exactly, plugin)


def test_what_was_measured_is_for_one_unit(work, tmp_path):
    names = dict(dataset="simdive", detection="embedded")
    done = [
        finished(job("detect_athlete", tmp_path, **names, shard="0000"), seconds=30, cpu_seconds="20", mb=90, size=300),
        finished(job("detect_athlete", tmp_path, **names, shard="0001"), seconds=50, cpu_seconds="-", mb=70, size=500),
        job("detect_athlete", tmp_path, **names, shard="0002"),  # not done yet
    ]
    cost = Cost("detect_athlete", "", "cpu", "video", 2, 0.4, 0.1, 90, 4e-6, 0, "here")
    assert planning.measured(done, work, machine="here") == [
        dataclasses.replace(cost, of="embedded"),
        dataclasses.replace(cost, of="simdive.embedded"),
    ]
    alone = planning.measured(done, work, machine="here", plugins_alone=True)
    assert [found.of for found in alone] == ["embedded"]


def test_files_within_a_folder_count(work, tmp_path):
    planned = job("simulate", tmp_path, dataset="simdive", shard="0000")
    done = finished(planned, seconds=1, cpu_seconds="1", mb=1, size=0)
    done.outputs[0].unlink()
    done.outputs[0].mkdir()
    for name in "abcde":
        (done.outputs[0] / name).write_bytes(b"x" * 100)
    [cost] = planning.measured([done], work)  # the data set is called like its adapter
    assert (cost.files, cost.disk_mb) == (0.04, 5e-6)  # the folder itself is one of the five
    [stage] = planning.plan([planned], work, own=[cost])
    assert stage.files == 3 + 4


def test_ones_own_figures_come_first_and_the_nearest_of_them(work):
    planned = [job("detect_athlete", dataset="simdive", detection="embedded", shard="0000")]
    shipped = Cost("detect_athlete", "embedded", "cpu", "video", 4, 36.0, 18.0, 100, 2, 0, "elsewhere")
    own = dataclasses.replace(shipped, seconds=72.0, machine="own")
    exact = dataclasses.replace(own, of="simdive.embedded", seconds=108.0)
    [by_shipped] = planning.plan(planned, work, shipped=[shipped])
    [by_own] = planning.plan(planned, work, own=[own], shipped=[shipped])
    [by_exact] = planning.plan(planned, work, own=[exact, own], shipped=[shipped])
    assert [plan.longest_hours for plan in (by_shipped, by_own, by_exact)] == [1, 2, 3]  # 100 videos
    assert (by_shipped.cpu_hours, by_shipped.gpu_hours, by_shipped.disk_mb, by_shipped.files) == (0.5, 0, 200, 3)
    assert (by_shipped.sources, by_own.sources) == (("elsewhere",), ("own",))


def test_what_was_never_measured_is_unknown(work):
    names = dict(dataset="simdive", shard="0000")
    cpu = Cost("detect_athlete", "embedded", "cpu", "video", 4, 36.0, 18.0, 100, 2, 0, "elsewhere")
    planned = [
        job("detect_athlete", dataset="simdive", detection="embedded", shard="0000"),
        job("detect_athlete", gpu=True, dataset="simdive", detection="embedded", shard="0001"),
        job("detect_athlete", dataset="simdive", detection="blazepose", shard="0000"),
        job("extract_frames", **names),
        row("train", "usdl.default"),
    ]
    detection, frames, training = planning.plan(planned, work, shipped=[cpu])
    assert (detection.jobs, detection.cpu_hours) == (3, 0.5)
    assert detection.unknown == {"embedded on a GPU": 1, "blazepose": 1}
    assert (frames.unknown, training.unknown) == ({"-": 1}, {"usdl.default": 1})


def test_a_network_is_no_larger_for_being_trained_longer(work, tmp_path):
    planned = row("train", "core.frozen")
    both = (tmp_path / "fold0" / "weights", tmp_path / "fold1" / "weights")
    planned = dataclasses.replace(planned, benchmark=tmp_path / "both.tsv", outputs=both)
    done = [finished(planned, seconds=1, cpu_seconds="1", mb=1, size=3_000_000)]
    [cost, _] = planning.measured(done, work)
    assert (cost.of, cost.disk_mb) == ("core", 3.0)
    [longer] = planning.plan([row("train", "core.frozen")], work, own=[cost])
    assert longer.disk_mb == 3.0


def test_hours_of_a_gpu_are_those_of_the_clock(work):
    planned = [job("detect_athlete", gpu=True, dataset="simdive", detection="embedded", shard="0001")]
    gpu = Cost("detect_athlete", "embedded", "gpu", "video", 4, 36.0, 18.0, 100, 2, 0, "a card")
    [stage] = planning.plan(planned, work, shipped=[gpu])
    assert (stage.gpu_hours, stage.cpu_hours) == (1, 0.5)


def test_costs_come_back_from_their_file(tmp_path):
    costs = [Cost("train", "usdl", "cpu", "query", 5, 0.125, 0.25, 300.5, 0.001, 0.0, "2 cores, no GPU")]
    planning.write(costs, tmp_path / "costs.csv")
    assert planning.read(tmp_path / "costs.csv") == costs


def test_the_package_knows_every_stage_of_the_default_run(work):
    """Also that its figures are of plugins and systems alone, on the machine that they name."""
    shipped = planning.read()
    assert {cost.stage for cost in shipped} >= {*planning.OF_ROWS, "simulate", "extract_frames", "detect_athlete"}
    assert not [cost for cost in shipped if "simdive." in cost.of or not cost.machine]


@pytest.mark.slow
def test_the_command_counts_as_snakemake_does(tmp_path):
    """In a folder where nothing has run: every figure is the package's own, none is missing."""
    folder = clone(tmp_path / "clone")
    words = [sys.executable, "-m", "aqa_pipeline.cli", "plan", "tiny.yaml"]
    run = dict(cwd=folder, env=environment(), capture_output=True, text=True)
    found = json.loads(good(subprocess.run([*words, "--json"], **run)).stdout)
    jobs = {stage["stage"]: stage["jobs"] for stage in found["stages"]}
    assert found["videos"] == {"simdive": 16}
    assert jobs["train"] == 9  # one of each row and seed, but two, of a fold each, of fineparser.small
    assert jobs["estimate_keypoints"] == 2 * 1
    unknown = {what for stage in found["stages"] for what in stage["unknown"]}
    assert "fineparser.small" in unknown  # a network on pictures: never measured
    assert "embedded" not in unknown
    asked = json.loads(good(subprocess.run([*words, "--json", "--cluster"], **run)).stdout)
    assert {stage["stage"]: stage["gpu_jobs"] for stage in asked["stages"] if stage["gpu_jobs"]} == {
        **{"detect_athlete": 2, "estimate_keypoints": 2, "extract_features": 2},  # two shards; pictures of the athlete
        **{"train": 5, "predict": 1},  # of networks: three rows, one of them in two seeds, one fold by fold
    }
    assert {what for stage in asked["stages"] for what in stage["unknown"]} >= {
        "embedded on a GPU",
        "pose_guided on a GPU",
    }
    told = good(subprocess.run(words, **run)).stdout
    assert "16 of simdive" in told
    assert "train of fineparser.small" in told.replace("\n", " ")


@pytest.mark.slow
def test_a_mistake_is_one_line(tmp_path):
    folder = clone(tmp_path / "clone")
    (folder / "wrong.yaml").write_text("tabels: {}\n")
    words = [sys.executable, "-m", "aqa_pipeline.cli", "plan", "wrong.yaml"]
    answer = subprocess.run(words, cwd=folder, env=environment(), capture_output=True, text=True)
    assert answer.returncode == 2
    assert answer.stderr.startswith("error: tabels: unknown key, did you mean 'tables'")
    (folder / "Snakefile").unlink()
    answer = subprocess.run([*words[:-1], "tiny.yaml"], cwd=folder, env=environment(), capture_output=True, text=True)
    assert answer.stderr.startswith("error: no Snakefile in")
