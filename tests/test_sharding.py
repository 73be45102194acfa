"""What is made again when one thing changed: the real DAG on twelve keypoint files of one's own, in three shards."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from running import TABLES, clone, good, planned, snakemake

from aqa_pipeline.shards import shard_of

pytestmark = pytest.mark.slow

SHARDS = 3
STORES = [f"results/features/own/own/{shard:04d}.h5" for shard in range(SHARDS)]
OWN = f"""
make_tables: [own]
bootstrap: 100
datasets:
  own:
    use: custom
    csv: own.csv
    starts_at: keypoints
    shards: {SHARDS}
    protocols: {{k_fold: {{folds: 2}}}}
features:
  own: {{use: body_motion}}
systems:
  feature_forest:
    own: {{features: own, trees: 20}}
tables:
  own: {{datasets: [own], protocol: k_fold, rows: [feature_forest.own], floor: train_mean.default, ceiling: null}}
"""

# Rules whose work is one for the whole data set, with their number of jobs here: two rows are fitted, and predicted by
# the same jobs.
GATHER = {"make_folds": 1, "collect_failures": 1, "train_own_k_fold": 2, "score": 1, "tabulate": 1}

# The same without the floor, which reads no features and no more than its own part.
AFTER_FEATURES = {"collect_failures": 1, "train_own_k_fold": 1, "score": 1, "tabulate": 1}


def keypoints(folder: Path, video_id: str) -> dict:
    """A keypoint file of a video, and its row of the list."""
    number = int(video_id[1:])
    values = np.random.default_rng(number).uniform(0.5, 1.0, (33, 17, 3)).astype(np.float32)
    np.savez(folder / f"{video_id}.npz", keypoints=values, keypoint_set=np.array("coco_17"), fps=np.array(25.0))
    return {"video_id": video_id, "path": f"{video_id}.npz", "score": 40 + 3.5 * number, "difficulty": 3.0}


@pytest.fixture(scope="module")
def finished(tmp_path_factory) -> Path:
    folder = clone(tmp_path_factory.mktemp("sharding") / "clone")
    pd.DataFrame([keypoints(folder, f"v{i}") for i in range(12)]).to_csv(folder / "own.csv", index=False)
    (folder / "own.yaml").write_text(OWN)
    good(snakemake(folder, TABLES, configfile="own.yaml"))
    return folder


@pytest.fixture
def again(finished, tmp_path) -> Path:
    shutil.copytree(finished, tmp_path / "again", symlinks=True)
    return tmp_path / "again"


def to_do(folder: Path) -> dict[str, int]:
    """Jobs by rule that Snakemake plans for the tables."""
    return planned(good(snakemake(folder, "--dry-run", TABLES, configfile="own.yaml")))


def written(folder: Path) -> list[int]:
    return [(folder / store).stat().st_mtime_ns for store in STORES]


@pytest.mark.parametrize("change", ["one more", "one less"])
def test_one_video_more_or_less_makes_its_shard_again_and_what_gathers(again, change):
    table = pd.read_csv(again / "own.csv")
    if change == "one more":
        video_id = "v12"
        table.loc[len(table)] = keypoints(again, video_id)
    else:
        video_id = "v7"
        table = table[table.video_id != video_id]
    table.to_csv(again / "own.csv", index=False)
    before = written(again)
    answer = good(snakemake(again, *STORES, configfile="own.yaml"))
    changed = [shard for shard, (old, new) in enumerate(zip(before, written(again), strict=True)) if new != old]
    assert changed == [shard_of(video_id, SHARDS)]
    assert re.findall(r"^(?:local)?(?:rule|checkpoint) (\w+):", answer.stdout + answer.stderr, re.M) == [
        *("list_samples_own", "import_keypoints", "extract_features")
    ]
    assert to_do(again) == GATHER


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("use: body_motion", "use: body_motion, smoothing: 0.5", {"extract_features": SHARDS, **AFTER_FEATURES}),
        ("trees: 20", "trees: 21", {"train_own_k_fold": 1, "score": 1, "tabulate": 1}),
        ("bootstrap: 100", "bootstrap: 101", {"score": 1, "tabulate": 1}),
        ("own.csv\n", "own.csv\n    quality: 80\n", {}),  # of a frame store, which nothing here reads
    ],
)
def test_a_changed_option_makes_again_what_depends_on_it(again, old, new, expected):
    assert OWN.count(old) == 1
    (again / "own.yaml").write_text(OWN.replace(old, new))
    assert to_do(again) == expected


@pytest.mark.parametrize(
    ("stage", "expected"),
    [
        ("import_keypoints", {"import_keypoints": SHARDS, "extract_features": SHARDS, **AFTER_FEATURES}),
        ("extract_features", {"extract_features": SHARDS, **AFTER_FEATURES}),
        ("make_folds", {rule: n for rule, n in GATHER.items() if rule != "collect_failures"}),
        ("train", {"train_own_k_fold": 2, "score": 1, "tabulate": 1}),
        ("predict", {"train_own_k_fold": 2, "score": 1, "tabulate": 1}),  # whose jobs predict as well
        ("tabulate", {"tabulate": 1}),
    ],
)
def test_a_stage_of_another_version_is_made_again_and_what_comes_after(again, stage, expected):
    file = again / "aqa_pipeline" / "stages" / f"{stage}.py"
    text = file.read_text()
    [version] = re.findall(r"^VERSION = (\d+)$", text, re.M)
    file.write_text(text.replace(f"\nVERSION = {version}\n", f"\nVERSION = {int(version) + 1}\n"))
    assert to_do(again) == expected


def test_the_same_list_made_again_makes_nothing_of_its_shards_again(again):
    """As after an edit of the CSV that changes no row: by its date everything is old, by its rows nothing is."""
    table = pd.read_csv(again / "own.csv")
    table.assign(path="./" + table.path).to_csv(again / "own.csv", index=False)
    before = written(again)
    good(snakemake(again, *STORES, configfile="own.yaml"))
    assert written(again) == before
