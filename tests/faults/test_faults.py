"""Faults on the real stages and the real DAG: a clear message, nothing half-written, no wrong table, and the way back.

docs/faults.md is the table of them. The DAG is the one of kills.yaml.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from killing import CONFIG, finish, kill_and_go_on, kills_clone, results, stages_under
from running import ROOT, TABLES, command, environment, good, snakemake

from aqa_pipeline import stores

pytestmark = pytest.mark.slow

SAMPLES, FOLDS = "results/samples/simdive.parquet", "results/folds/simdive.out_of_fold.parquet"
FRAMES = "results/frames/simdive/0000.h5"
DRAWS = "results/pairs/pose_guided.coco/simdive.out_of_fold/seed0.parquet"
RUN = "results/runs/pose_guided.coco/simdive.out_of_fold/fold0.seed0"
MOTION = ["results/features/simdive/motion_17/0000.h5", "results/features/simdive/motion_17/0001.h5"]
TRAIN = [SAMPLES, FOLDS, "{out}", *MOTION, *("--system", "pose_guided", "--fold", "0", "--adapter", "simdive")]
TRAIN += ["--draws", DRAWS, "--training", '{"steps": 6, "batch": 4}']


@pytest.fixture(scope="module")
def calm(tmp_path_factory):
    """An undisturbed run for the tables, and the seconds of its stages; tests that spoil something work on a copy."""
    folder = kills_clone(tmp_path_factory.mktemp("calm") / "clone")
    return folder, finish(folder, TABLES)


@pytest.fixture
def again(calm, tmp_path) -> Path:
    """A copy of the undisturbed run, with its times, without its scores and tables."""
    shutil.copytree(calm[0], tmp_path / "again", symlinks=True)
    shutil.rmtree(tmp_path / "again" / "results" / "scores")
    for name in ("tables", "comparisons", "significance", "detectable"):
        (tmp_path / "again" / "results" / f"{name}.csv").unlink()
    return tmp_path / "again"


def the_same_tables(folder: Path, calm: tuple[Path, dict]) -> bool:
    return (folder / TABLES).read_bytes() == (calm[0] / TABLES).read_bytes()


def pieces(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if ".part" in path.name]


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess:
    return good(snakemake(folder, *arguments, configfile=CONFIG))


def refused(folder: Path, *arguments: str) -> str:
    """What Snakemake says when it does not come through."""
    answer = snakemake(folder, *arguments, configfile=CONFIG)
    assert answer.returncode != 0
    return answer.stdout + answer.stderr


def stage_words(name: str, arguments: list[str], out: str) -> list[str]:
    return [sys.executable, "-m", f"aqa_pipeline.stages.{name}", *(word.replace("{out}", out) for word in arguments)]


def stage(folder: Path, name: str, arguments: list[str], out: str, *before: str) -> subprocess.CompletedProcess:
    """One stage, behind a command that changes what it may do."""
    words = [*before, *stage_words(name, arguments, out)]
    return subprocess.run(words, cwd=folder, env=environment(), capture_output=True, text=True, timeout=300)


@pytest.fixture(scope="session")
def mounts() -> list[str]:
    """The command before another that lets it mount folders of its own, which are gone when it ends."""
    words = ["unshare", "--mount"] if os.geteuid() == 0 else ["unshare", "--map-root-user", "--mount"]
    try:
        answer = subprocess.run([*words, "mount", "-t", "tmpfs", "none", "/mnt"], capture_output=True, text=True)
    except FileNotFoundError as error:
        pytest.skip(f"no disk can be filled or made read-only here: {error}")
    if answer.returncode:
        pytest.skip(f"no disk can be filled or made read-only here: {answer.stderr.strip()}")
    return words


def shell(mounts: list[str], folder: Path, script: str, *words: str) -> subprocess.CompletedProcess:
    """A script with mounts of its own; `words` are its arguments."""
    return subprocess.run(
        [*mounts, "sh", "-c", script, "sh", *words],
        cwd=folder, env=environment(), capture_output=True, text=True, timeout=300,
    )  # fmt: skip


def test_killed_at_random_moments_it_goes_on_and_gives_the_same_bytes(calm, tmp_path):
    killed = []
    folder = kills_clone(tmp_path / "killed")
    expected = dict(expected=results(calm[0]), usual=calm[1])
    kill_and_go_on(folder, TABLES, **expected, kills=6, seed=3, say=killed.append)
    assert len(killed) == 6
    assert pieces(folder) == []


CUT_OFF = {
    "frames": (FRAMES, "detect_athlete", ["{spoilt}", "{out}", "--detector", "embedded"]),
    "boxes": (
        "results/boxes/simdive/embedded/0000.h5",
        "estimate_keypoints",
        [FRAMES, "{spoilt}", "{out}", "--estimator", "embedded"],
    ),
    "keypoints": (
        "results/keypoints/simdive/embedded.embedded_17/0000.h5",
        "extract_features",
        ["{spoilt}", "--out", "{out}", "--extractor", "body_motion"],
    ),
    "features": (MOTION[0], "draw_pairs", [SAMPLES, FOLDS, "{out}", "{spoilt}", "--steps", "6"]),
    "samples": (
        SAMPLES,
        "make_folds",
        ["{spoilt}", "{out}", "--protocol", "k_fold", "--n-folds", "2"],
    ),
    "weights": (
        f"{RUN}/weights.safetensors",
        "predict",
        [SAMPLES, FOLDS, *MOTION, "--run", RUN, "--draws", DRAWS],
    ),
}


@pytest.mark.parametrize("kind", CUT_OFF)
def test_a_file_that_was_cut_off_is_named_by_who_reads_it(calm, tmp_path, kind):
    where, name, arguments = CUT_OFF[kind]
    whole = (calm[0] / where).read_bytes()
    spoilt, out = tmp_path / Path(where).name, tmp_path / "new" / "out"
    if kind == "weights":  # named by the folder of its run
        shutil.copytree((calm[0] / where).parent, tmp_path / "run")
        spoilt = tmp_path / "run" / spoilt.name
        arguments = [word.replace(RUN, str(tmp_path / "run")) for word in arguments]
        (tmp_path / "run" / "predictions.parquet").unlink()
        out = tmp_path / "run" / "predictions.parquet"
    spoilt.write_bytes(whole[: len(whole) * 2 // 3])
    answer = stage(calm[0], name, [word.replace("{spoilt}", str(spoilt)) for word in arguments], str(out))
    assert answer.returncode != 0
    last = answer.stderr.splitlines()[-1]
    assert "Traceback" not in answer.stderr
    assert last.startswith(f"error: {spoilt}: ")
    assert "make it again" in last or "train it again" in last
    assert not out.exists()
    assert pieces(tmp_path) == []


def test_a_store_that_was_cut_off_stops_the_run_and_is_made_again_when_it_is_deleted(again, calm):
    store = again / MOTION[0]
    whole = store.read_bytes()
    store.write_bytes(whole[: len(whole) // 2])
    said = refused(again, TABLES)
    assert f"error: {MOTION[0]}: damaged or not a store of ours" in said
    assert not (again / TABLES).exists()
    store.unlink()
    run(again, TABLES)
    assert store.read_bytes() == whole
    assert the_same_tables(again, calm)


FULL = {
    "HDF5": (64, "extract_frames", ["results/samples/simdive/0000.parquet", "{out}.h5"]),
    "MPEG-4": (16, "simulate", ["{out}", "{out}.h5", "--options", '{"n_dives": 1, "width": 160, "height": 90}']),
    "parquet": (4, "draw_pairs", [SAMPLES, FOLDS, "{out}.parquet", *MOTION, "--steps", "2000"]),
    "safetensors": (16, "train", TRAIN),
    "PNG": (16, "contact_sheet", [SAMPLES, FRAMES, FRAMES.replace("0000", "0001"), "{out}.png"]),
}


@pytest.mark.parametrize("kind", FULL)
def test_a_full_disk_is_one_line_and_leaves_nothing_half_written(calm, tmp_path, mounts, kind):
    size, name, arguments = FULL[kind]
    (tmp_path / "disk").mkdir()
    script = 'mount -t tmpfs -o size=$1k none "$2"; folder=$2; shift 2; "$@"; echo $?; find "$folder" -type f'
    words = stage_words(name, arguments, str(tmp_path / "disk" / "out"))
    answer = shell(mounts, calm[0], script, str(size), str(tmp_path / "disk"), *words)
    assert "Traceback" not in answer.stderr
    last = answer.stderr.splitlines()[-1]
    assert last.startswith(f"error: {tmp_path}/disk/out")
    assert "No space left on device; nothing was left half-written" in last or "is the disk full?" in last
    assert answer.stdout.split() == ["1"]  # the exit status, and no file on that disk


def test_a_disk_that_fills_up_stops_the_run_which_goes_on_when_there_is_room(again, calm, mounts):
    """results/ lies on a disk with room for all that is there and no page more, until it is made larger."""
    script = (
        "mv results before; mkdir results; mount -t tmpfs -o size=$(($(du -sk before | cut -f1) + 600))k none results;"
        "cp -a before/. results; dd if=/dev/zero of=results/filler bs=4k 2> /dev/null;"
        '"$@" > first.txt 2>&1; echo $?; rm results/filler; "$@" > second.txt 2>&1; echo $?; cp -a results after'
    )
    answer = shell(mounts, again, script, *command(TABLES, configfile=CONFIG))
    first, second = map(int, answer.stdout.split())
    said = (again / "first.txt").read_text()
    assert first != 0
    assert "results: no space left on device; make room, then the same command goes on" in said
    assert second == 0, (again / "second.txt").read_text()
    assert (again / "after" / "tables.csv").read_bytes() == (calm[0] / TABLES).read_bytes()


def test_a_read_only_folder_is_one_line(calm, tmp_path, mounts):
    (tmp_path / "disk").mkdir()
    script = 'mount --bind "$1" "$1"; mount -o remount,bind,ro "$1"; shift; "$@"'
    words = stage_words(*FULL["HDF5"][1:], str(tmp_path / "disk" / "new" / "out"))
    answer = shell(mounts, calm[0], script, str(tmp_path / "disk"), *words)
    assert answer.returncode != 0
    assert answer.stderr.startswith(f"error: {tmp_path}/disk/new")
    assert answer.stderr.endswith("Read-only file system; nothing was left half-written\n")


def test_a_read_only_folder_of_results_stops_the_run_which_goes_on_when_it_can_be_written(again, calm, mounts):
    script = 'mount --bind results results; mount -o remount,bind,ro results; "$@"'
    answer = shell(mounts, again, script, *command(TABLES, configfile=CONFIG))
    assert answer.returncode != 0
    assert "Read-only file system" in answer.stdout + answer.stderr
    run(again, TABLES)
    assert the_same_tables(again, calm)


def test_two_runs_at_once_in_one_folder(again, calm):
    """The second is refused while a stage of the first is held, which then comes to its end."""
    quiet = dict(stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    first = subprocess.Popen(command(TABLES, configfile=CONFIG), cwd=again, env=environment(), **quiet)
    held: dict[int, str] = {}
    while not held:
        assert first.poll() is None
        held = stages_under(first.pid)
        time.sleep(0.01)
    for pid in held:
        os.kill(pid, signal.SIGSTOP)
    try:
        said = refused(again, TABLES)
    finally:
        for pid in held:
            os.kill(pid, signal.SIGCONT)
        ended = first.wait(timeout=300)
    assert "Directory cannot be locked" in said
    assert "--unlock" in said
    assert ended == 0
    assert the_same_tables(again, calm)


def test_a_clock_set_back(again, calm):
    """All files are from the hour to come, as after the clock was set back by an hour in the middle of a run."""
    ahead = time.time() + 3600
    for path in (again / "results").rglob("*"):
        os.utime(path, (ahead, ahead), follow_symlinks=False)
    said = refused(again, TABLES)
    assert "has older modification time" in said
    assert "clock" in said
    assert not (again / TABLES).exists()
    healing = 'find results -newermt now -exec touch -d "$(date)" {} +'
    assert f"`{healing}`" in (ROOT / "docs" / "faults.md").read_text()
    subprocess.run(["sh", "-c", healing], cwd=again, check=True)
    run(again, TABLES)
    assert the_same_tables(again, calm)


def test_a_corrupt_video_among_good_ones(again, calm):
    """One in eight is more than may be left out; when it is whole again its shard is asked for by name."""
    video = sorted((again / "results/videos/simdive/0000").glob("*.mp4"))[1]
    whole = video.read_bytes()
    video.write_bytes(whole[: len(whole) // 2])
    said = refused(again, "results/failures.csv", "--forcerun", FRAMES)
    assert "max_failed_fraction" in said
    assert video.stem in said
    with stores.read(again / MOTION[0], kind="features") as features:
        assert list(features.failures) == [video.stem]
    video.write_bytes(whole)
    run(again, MOTION[0], "--forcerun", FRAMES)
    assert (again / MOTION[0]).read_bytes() == (calm[0] / MOTION[0]).read_bytes()


def test_too_little_memory_is_one_line(tmp_path):
    huge = '{"n_dives": 1, "width": 30000, "height": 30000}'
    arguments = ["{out}", "{out}.h5", "--options", huge]
    answer = stage(tmp_path, "simulate", arguments, str(tmp_path / "out"), "prlimit", f"--as={3 * 2**30}")
    assert answer.returncode != 0
    assert "Traceback" not in answer.stderr
    assert answer.stderr.splitlines()[-1].startswith("error: not enough memory (")
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
