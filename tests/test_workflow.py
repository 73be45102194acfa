"""The real DAG, run by the real Snakemake, on a handful of simulated dives."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from browser import browser, program
from running import TABLES, clone, command, environment, good, snakemake

import aqa_pipeline
from aqa_pipeline.explanation.of_tests import of_tests
from aqa_pipeline.frames import write_video
from aqa_pipeline.training import trained

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def finished(tmp_path_factory) -> Path:
    """A finished run of everything; tests that change it work on a copy."""
    folder = clone(tmp_path_factory.mktemp("run") / "clone")
    good(snakemake(folder))
    return folder


@pytest.fixture
def again(finished, tmp_path) -> Path:
    """A copy of the finished run, with its times, that a test may spoil."""
    shutil.copytree(finished, tmp_path / "again", symlinks=True)
    return tmp_path / "again"


def test_the_table_has_every_row_with_interval_floor_and_ceiling(finished):
    table = pd.read_csv(finished / TABLES)
    rho = table[table.metric == "spearman_rho"].set_index(["system", "variant"])
    assert set(rho.index.get_level_values("system")) == {
        "no_video",
        "train_mean",
        "feature_forest",
        "pose_guided",
        "fineparser",
        "judge_ceiling",
    }
    assert rho.loc[("judge_ceiling", "default"), "value"] > 0.9
    assert rho.loc[("pose_guided", "coco"), "n_seeds"] == 2
    assert set(rho.n_folds) == {2}
    shown = rho.drop(index=("train_mean", "default"))
    assert (shown.ci_low <= shown.value).all()
    assert (shown.value <= shown.ci_high).all()
    assert set(table.status) == {"ok"}
    assert set(table.training[table.system != "fineparser"]) == {"frozen"}
    assert set(table.training[table.system == "fineparser"]) == {"end_to_end"}


def test_nothing_is_left_to_do_after_a_run(finished):
    answer = good(snakemake(finished, "--dry-run"))
    assert "Nothing to be done" in answer.stdout + answer.stderr


def test_everything_asked_for_is_there(finished):
    results = finished / "results"
    assert pd.read_csv(results / "failures.csv").empty
    quality = pd.read_csv(results / "quality" / "simdive.csv")
    assert {"recall_iou_50", "pck_20"} <= set(quality.measure)
    assert set(quality[quality.stage == "pose"].name) == {"embedded.embedded_17", "embedded.smooth_17"}
    flagged = pd.read_csv(results / "quality" / "simdive.embedded.smooth_17.flags.csv")
    assert (flagged.severity > 0).all()
    assert (results / "quality" / "simdive.embedded.smooth_17.worst.png").stat().st_size > 10_000
    assert list((results / "plots" / "tiny").glob("*.png"))
    assert list((results / "plots" / "films" / "simdive").glob("*.mp4"))
    assert (results / "plots" / "sheets" / "simdive.png").stat().st_size > 10_000
    page = (results / "report.html").read_text()
    assert 500_000 < len(page) < 5_000_000
    assert page.count('<article class="video"') == 11  # of 16 dives the median one is among the ten worst
    assert page.count('class="film"') == 11
    assert "Votes of exemplars" in page
    for kind in ("steps", "joints"):
        assert page.count(f"What the {kind} contribute") == 11
    faults = pd.read_csv(results / "quality" / "simdive.faults.csv").set_index("fault")
    assert faults.loc["loose", "n"] == 16
    run = results / "runs" / "pose_guided.coco" / "simdive.out_of_fold" / "fold1.seed0"
    assert {p.name for p in run.iterdir()} >= {
        "weights.safetensors",
        "config.json",
        "history.csv",
        "predictions.parquet",
    }
    assert not list(results.rglob("*.part"))


EXPLAINED = ["pose_guided.coco", "feature_forest.motion_17"]  # whose contributions found faults


@pytest.mark.parametrize(
    "row", ["pose_guided.coco", "pose_guided.image", "feature_forest.motion_17", "fineparser.small"]
)
def test_a_video_before_a_run_gets_what_the_run_predicted_of_it(finished, tmp_path, row):
    """A test video under another name: the same stages, exemplars and model must say the same of it."""
    results = finished / "results"
    samples = pd.read_parquet(results / "samples/simdive.parquet").set_index("video_id")
    training = pd.read_parquet(results / "folds/simdive.out_of_fold.parquet").query("fold == 1 and part == 'train'")
    stored = pd.read_parquet(results / f"runs/{row}/simdive.out_of_fold/fold1.seed0/predictions.parquet")
    stored = stored.set_index("video_id").join(samples[["path", "action_type", "difficulty"]])
    test = stored[stored["action_type"].isin(samples.loc[training["video_id"], "action_type"])].iloc[0]
    shutil.copy(finished / test["path"], tmp_path / "mine.mp4")
    known = dict(action_type=test["action_type"].upper(), difficulty=test["difficulty"], device="cpu")
    known["out"] = tmp_path / "out" if row == "pose_guided.coco" else None
    (verdict,) = aqa_pipeline.score([tmp_path / "mine.mp4"], run=results / f"runs/{row}/simdive.out_of_fold", **known)
    assert (verdict.status, verdict.reasons) == ("scored", [])  # the other fold has trained on it
    said = pd.Series(verdict.models)
    assert said["fold1.seed0"] * test["difficulty"] == pytest.approx(test["predicted_score"], rel=1e-4)
    assert len(said) == (4 if row == "pose_guided.coco" else 2)
    assert verdict.mark.value == pytest.approx(said.mean())
    assert verdict.total.low < verdict.total.value < verdict.total.high
    if "exemplars" in test.index:
        assert set(test["exemplars"]) <= {vote.video_id for vote in verdict.votes}
    if known["out"]:
        page = (tmp_path / "out/index.html").read_text()
        assert page.count('class="film"') == 3  # its own, and of the two exemplars that moved it most
        assert all(f"Film of {vote.video_id} with box" in page for vote in verdict.votes[:2])
    if row in EXPLAINED:
        assert [one.kind for one in verdict.why.contributions] == ["steps", "joints"]
        for one in verdict.why.contributions:
            assert one.target == "score"
            assert one.baseline + sum(one.parts.values()) == pytest.approx(one.prediction)
            assert one.prediction == pytest.approx(verdict.total.value, rel=1e-4)
        assert verdict.why.angles["knee_bend_flight"].unit == "degrees"
        assert "half_twists" not in verdict.why.angles  # missed by as much as dives differ
    else:
        assert not verdict.why.contributions
        assert verdict.why.withheld


@pytest.mark.parametrize("row", EXPLAINED)
def test_what_a_run_predicted_is_explained(finished, row):
    """The parts sum to the mean of the stored predictions of all seeds; a video without a row has no parts."""
    folder = finished / "results" / f"runs/{row}/simdive.out_of_fold"
    stored = pd.concat(pd.read_parquet(path) for path in folder.glob("fold*/predictions.parquet"))
    expected = stored.groupby("video_id")["predicted_execution"].mean().iloc[[0, 5, 9]]
    found = of_tests(trained.of(folder), [*expected.index, "nobody"])
    assert set(found) == set(expected.index)
    for video_id, value in expected.items():
        assert [one.kind for one in found[video_id]] == ["steps", "joints"]
        for one in found[video_id]:
            assert one.target == "execution"
            assert one.prediction == pytest.approx(value, rel=1e-4)
            assert one.baseline + sum(one.parts.values()) == pytest.approx(one.prediction)
            assert video_id not in one.background


def test_videos_are_scored_or_declined_by_one_command(finished, tmp_path):
    results = finished / "results"
    shutil.copy(next(results.glob("videos/simdive/*/*.mp4")), tmp_path / "mine.mp4")
    noise = np.random.default_rng(0).integers(0, 255, (20, 96, 128, 3), np.uint8)
    write_video(tmp_path / "noise.mp4", noise, fps=25.0)
    (tmp_path / "broken.mp4").write_bytes(b"no video")
    run = results / "runs/feature_forest.motion_17/simdive.out_of_fold"
    videos = [str(tmp_path / f"{name}.mp4") for name in ("mine", "noise", "broken")]
    arguments = ["--run", str(run), "--out", str(tmp_path / "out"), "--device", "cpu"]
    answer = subprocess.run(
        [sys.executable, "-m", "aqa_pipeline.cli", "score", *videos, *arguments], capture_output=True, text=True
    )
    assert answer.returncode == 3, answer.stderr
    assert "trained on simulated dives" in answer.stdout
    table = pd.read_csv(tmp_path / "out/summary.csv").set_index("name")
    assert table["status"].to_dict() == {"mine": "scored", "noise": "declined", "broken": "declined"}
    assert "broken.mp4: cannot be opened as a video" in table.loc["broken", "reasons"]
    assert table["total"].isna().all()  # no difficulty was given
    assert table["mark"].notna().to_dict() == {"mine": True, "noise": False, "broken": False}
    facts = json.loads((tmp_path / "out/mine.json").read_text())
    assert facts["run"]["interval"]["from"] == 16
    assert facts["run"]["recipe"]["features"]["motion_17"]["stage"] == "extract_features"
    assert json.loads((tmp_path / "out/noise.json").read_text())["mark"] is None
    page = (tmp_path / "out/index.html").read_text()
    assert page.count('<article class="video"') == 3
    assert "<b>No score.</b>" in page
    assert {path.name for path in (tmp_path / "out").glob("*.mp4")} == {"mine.mp4", "noise.mp4"}
    assert not list((tmp_path / "out").glob(".*"))
    if program() is not None:
        expect_readable(tmp_path / "out/index.html")


def expect_readable(page: Path) -> None:
    """In a real browser, at the width of a phone and of a desk."""
    with browser() as chromium:
        for width in (390, 1280):
            chromium.open(page, width=width)
            chromium.evaluate("document.querySelectorAll('details').forEach((one) => (one.open = true))")
            chromium.wait("[...document.images].every((one) => one.complete)")
            assert chromium.of("Runtime.exceptionThrown", "Runtime.consoleAPICalled", "Log.entryAdded") == []
            sizes = chromium.evaluate("[...document.images].map((one) => [one.naturalWidth, one.alt.length])")
            assert len(sizes) >= 6
            assert all(min(size) > 0 for size in sizes)
            assert chromium.evaluate("document.documentElement.scrollWidth") <= width


def test_a_changed_option_reruns_what_depends_on_it_and_no_more(again):
    (again / "tiny.yaml").write_text((again / "tiny.yaml").read_text().replace("steps: 6", "steps: 7", 1))
    answer = good(snakemake(again, "--dry-run", TABLES))
    planned = answer.stdout + answer.stderr
    assert "rule train_simdive_out_of_fold:" in planned
    assert "rule score:" in planned
    for untouched in ("rule simulate:", "rule estimate_keypoints:", "rule extract_features:", "rule make_folds:"):
        assert untouched not in planned


def test_rows_on_features_train_in_one_job_and_rows_on_pictures_in_one_a_fold(finished):
    answer = good(snakemake(finished, "--dry-run", "--forceall", TABLES))
    jobs = dict(re.findall(r"^(train_\S+) +(\d+)$", answer.stdout + answer.stderr, flags=re.MULTILINE))
    assert jobs == {
        "train_simdive_out_of_fold": "7",  # pose_guided.coco has two seeds
        "train_simdive_out_of_fold_fold0": "1",
        "train_simdive_out_of_fold_fold1": "1",
    }


def test_a_changed_filter_estimates_no_pose_again(again):
    (again / "tiny.yaml").write_text((again / "tiny.yaml").read_text().replace("filter: savgol", "filter: median"))
    answer = good(snakemake(again, "--dry-run"))
    planned = answer.stdout + answer.stderr
    assert "rule smooth_keypoints:" in planned
    assert "rule flag_keypoints:" in planned
    assert "rule estimate_keypoints:" not in planned


def test_single_keys_on_the_command_line_are_part_of_the_command_that_the_table_names(finished):
    answer = good(snakemake(finished, "--dry-run", "--printshellcmds", TABLES, "--config", "bootstrap=300"))
    assert "results/tables.csv --config bootstrap=300 --configfile tiny.yaml" in answer.stdout + answer.stderr


def forget_all_after_the_videos(folder: Path) -> None:
    """As when the videos had been spoilt before the first run: Snakemake does not look behind a finished table.

    Two rows less are enough to see it.
    """
    tiny = folder / "tiny.yaml"
    tiny.write_text(tiny.read_text().replace(", pose_guided.image, fineparser.small]", "]"))
    for made in ("frames", "boxes", "keypoints", "features", "pairs", "runs", "scores"):
        shutil.rmtree(folder / "results" / made)
    for made in ("failures.csv", "tables.csv"):
        (folder / "results" / made).unlink()


def test_spoilt_videos_are_listed_and_the_run_goes_on(again):
    videos = sorted((again / "results/videos/simdive").glob("*/*.mp4"))
    videos[0].write_bytes(b"")
    videos[1].write_bytes(videos[1].read_bytes()[: videos[1].stat().st_size // 2])
    forget_all_after_the_videos(again)
    good(snakemake(again, TABLES, "results/failures.csv"))
    failures = pd.read_csv(again / "results/failures.csv").set_index("video_id")
    assert set(failures.index) == {videos[0].stem, videos[1].stem}
    assert failures.loc[videos[0].stem, "stage"] == "extract_frames"
    assert "empty" in failures.loc[videos[0].stem, "reason"]
    tested = pd.read_csv(again / TABLES).groupby("system").n_test.first()
    assert (tested["pose_guided"], tested["feature_forest"]) == (14, 14)
    assert tested["no_video"] == 16  # it never looks at a video; comparisons are on the videos that both predicted


def test_too_many_spoilt_videos_stop_the_run(again):
    for video in sorted((again / "results/videos/simdive").glob("*/*.mp4"))[:5]:
        video.write_bytes(b"")
    forget_all_after_the_videos(again)
    answer = snakemake(again, "results/failures.csv")  # which the scores wait for
    assert answer.returncode != 0
    assert "max_failed_fraction" in answer.stdout + answer.stderr


def test_a_misspelt_key_stops_before_any_job(finished):
    (finished / "wrong.yaml").write_text("tabels: {}\n")
    answer = snakemake(finished, "--dry-run", configfile="wrong.yaml")
    assert answer.returncode != 0
    assert "tabels: unknown key, did you mean 'tables'" in answer.stdout + answer.stderr


KILLED = [
    *("simulate", "extract_frames", "detect_athlete", "estimate_keypoints", "extract_features"),
    *("draw_pairs", "train", "predict", "score", "tabulate"),
]


def test_killed_in_every_stage_it_goes_on_and_gives_the_same_bytes(finished, tmp_path):
    """From nothing, in another folder: each stage is killed once, the same command follows, the table is the same."""
    folder = clone(tmp_path / "killed")
    for stage in KILLED:
        if stage == "predict":  # of the one row with such a job, which waits for no keypoints: it may be done already
            for path in folder.glob("results/runs/fineparser.small/*/*/predictions.parquet"):
                path.unlink()
        running = subprocess.Popen(
            command(TABLES), cwd=folder, env=environment(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        assert kill_stage(stage, folder), f"{stage} never ran"
        assert running.wait(timeout=200) != 0, stage
    good(snakemake(folder, TABLES))
    assert (folder / TABLES).read_bytes() == (finished / TABLES).read_bytes()
    assert not list((folder / "results").rglob("*.part"))


def kill_stage(stage: str, folder: Path, patience: float = 200) -> bool:
    """SIGKILL the first process of a stage that works in `folder`."""
    for _ in range(int(patience / 0.01)):
        for process in Path("/proc").glob("[0-9]*"):
            try:
                words = (process / "cmdline").read_bytes().split(b"\0")
                here = os.readlink(process / "cwd") == str(folder)
            except OSError:
                continue
            if here and f"aqa_pipeline.stages.{stage}".encode() in words:
                os.kill(int(process.name), signal.SIGKILL)
                return True
        time.sleep(0.01)
    return False


def test_a_store_of_another_version_is_named(again):
    import h5py

    path = again / "results/boxes/simdive/embedded/0000.h5"
    with h5py.File(path, "r+") as file:
        file.attrs["format"] = 0
    answer = subprocess.run(
        [
            *(sys.executable, "-m", "aqa_pipeline.stages.estimate_keypoints", "results/frames/simdive/0000.h5"),
            *(str(path), "x.h5", "--estimator", "embedded"),
        ],
        cwd=again,
        capture_output=True,
        text=True,
    )
    assert answer.returncode != 0
    assert answer.stderr == f"error: {path}: a store of format 0, expected 1; delete it to make it again\n"


OWN = """
make_tables: [own]
bootstrap: 100
datasets:
  own:
    use: custom
    csv: own.csv
    starts_at: {starts_at}
    shards: 2
    protocols: {{k_fold: {{folds: 2}}}}
features:
  own: {features}
systems:
  feature_forest:
    own: {{features: own, trees: 20}}
tables:
  own: {{datasets: [own], protocol: k_fold, rows: [feature_forest.own], floor: train_mean.default, ceiling: null}}
"""


@pytest.mark.parametrize(
    ("starts_at", "features", "array", "shape"),
    [
        ("features", "{use: precomputed}", "features", (9, 5)),
        ("keypoints", "{use: body_motion}", "keypoints", (33, 17, 3)),
    ],
)
def test_own_files_enter_where_they_fit(tmp_path, starts_at, features, array, shape):
    folder = clone(tmp_path / "own")
    rng = np.random.default_rng(0)
    rows = []
    for i in range(12):
        values = rng.uniform(0.5, 1.0, shape) + (i if starts_at == "features" else 0)
        facts = {"keypoint_set": np.array("coco_17"), "fps": np.array(25.0)} if starts_at == "keypoints" else {}
        np.savez(folder / f"v{i}.npz", **{array: values.astype(np.float32)}, **facts)
        rows.append({"video_id": f"v{i}", "path": f"v{i}.npz", "score": 40 + 3.5 * i, "difficulty": 3.0})
    pd.DataFrame(rows).to_csv(folder / "own.csv", index=False)
    (folder / "own.yaml").write_text(OWN.format(starts_at=starts_at, features=features))
    good(snakemake(folder, TABLES, configfile="own.yaml"))
    table = pd.read_csv(folder / TABLES).set_index(["system", "metric"])
    assert table.loc[("feature_forest", "med"), "n_test"] == 12
    if starts_at == "features":  # the features are the score, and noise
        assert table.loc[("feature_forest", "spearman_rho"), "value"] > 0.8
