"""From keypoints to predictions, stage by stage, on a small made-up sport."""

import json
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

from aqa_pipeline import stores
from aqa_pipeline.errors import InputError
from aqa_pipeline.stages.draw_pairs import draw_pairs
from aqa_pipeline.stages.extract_features import extract_features
from aqa_pipeline.stages.import_features import import_features
from aqa_pipeline.stages.predict import predict
from aqa_pipeline.stages.train import train

N, T, SHARDS = 36, 9, 2
TINY = dict(options=dict(dim=8, heads=2, layers=1, head=[8]), training=dict(steps=12, batch=4), clips=dict(n_frames=5))
COLUMNS = [
    *("video_id", "fold", "seed", "score", "predicted_score"),
    *("execution_score", "predicted_execution", "n_exemplars"),
]


@pytest.fixture(scope="module")
def sport(tmp_path_factory):
    """Samples, folds, and keypoints of videos whose mark is the height of the left wrist; one of them failed."""
    folder = tmp_path_factory.mktemp("sport")
    rng = np.random.default_rng(0)
    ids = [f"v{i:02d}" for i in range(N)]
    marks, difficulty = rng.uniform(10, 30, N), rng.choice([2.0, 3.0, 3.5], N)
    body = rng.uniform(20, 130, (17, 3))
    body[[5, 6], 1], body[[11, 12], 1], body[[13, 14], 0] = 50, 100, 180  # shoulders, hips, knees in front
    steps = [dict(sub_action="take_off", first_frame=0), dict(sub_action="entry", first_frame=5)]
    samples = pd.DataFrame(
        dict(
            video_id=ids, action_type=[f"{k}07b" for k in rng.integers(1, 4, N)], difficulty=difficulty,
            score=marks * difficulty, judge_scores=[[m / 3] * 3 for m in marks], steps=[steps] * N,
        )
    )  # fmt: skip
    samples.to_parquet(folder / "samples.parquet")
    parts = [
        dict(video_id=v, fold=f, part="test" if i % 3 == f else "train") for f in (0, 1) for i, v in enumerate(ids)
    ]
    pd.DataFrame(parts).to_parquet(folder / "folds.parquet")
    for shard in range(SHARDS):
        with stores.write(folder / f"keypoints{shard}.h5", kind="keypoints", version=1, made_by={}) as store:
            for i, v in list(enumerate(ids))[shard::SHARDS]:
                if v == "v35":
                    store.fail(v, "extract_frames", "empty file")
                    continue
                keypoints = np.repeat(body[None], T, axis=0) + rng.normal(0, 0.02, (T, 17, 3))
                keypoints[:, 9, 1] = 100 - 2 * marks[i]
                keypoints[..., 2] = 0.9
                facts = dict(keypoint_set="coco_17", fps=25.0, width=200, height=150)
                store.put(v, {"keypoints": keypoints.astype(np.float32)}, **facts)
        out = folder / "motion" / f"{shard:04d}.h5"
        extract_features(
            [folder / f"keypoints{shard}.h5"], out=out, extractor="body_motion", options=dict(smoothing=0.5)
        )
    return folder


def features(sport):
    return sorted((sport / "motion").glob("*.h5"))


def draws(sport, tmp_path, **options):
    path = tmp_path / "draws.parquet"
    chosen = {**dict(exemplars="same_type", n_exemplars=3, steps=12, batch=4), **options}
    draw_pairs(sport / "samples.parquet", sport / "folds.parquet", path, features(sport), **chosen)
    return path


def run(sport, folder, *, stores_of_features=None, fold=0, seed=0, drawn=None, **options):
    """Train and predict; the table of predictions."""
    tables = sport / "samples.parquet", sport / "folds.parquet"
    chosen = features(sport) if stores_of_features is None else stores_of_features
    train(*tables, folder, chosen, adapter="simdive", fold=[fold], seed=seed, draws=drawn, device="cpu", **options)
    predict(*tables, chosen, run=[of_run(folder, fold, seed)], draws=drawn, device="cpu")
    return pd.read_parquet(of_run(folder, fold, seed) / "predictions.parquet")


def of_run(folder, fold=0, seed=0):
    """The folder of one fold and seed."""
    return folder / f"fold{fold}.seed{seed}"


def test_failures_are_carried_and_frames_counted(sport):
    with stores.read(features(sport)[1], kind="features") as store:
        assert store.failures == {"v35": ("extract_frames", "empty file")}
        assert store.array("v01", "first_frame").tolist() == list(range(T))
        assert store.array("v01", "features").shape[0] == T
        assert store.facts("v01")["width"] == 200
        assert store.made_by["options"] == {"smoothing": 0.5}


def test_a_network_from_draws_to_predictions(sport, tmp_path):
    drawn = draws(sport, tmp_path)
    table = run(sport, tmp_path / "a", drawn=drawn, system="pose_guided", **TINY)
    assert list(table.columns) == [*COLUMNS, "exemplars", "votes"]
    samples = pd.read_parquet(sport / "samples.parquet").set_index("video_id").loc[table["video_id"]]
    assert table["video_id"].tolist() == [f"v{i:02d}" for i in range(0, N, 3)]
    assert table["score"].to_numpy() == pytest.approx(samples["score"].to_numpy())
    mark, difficulty = table["predicted_execution"].to_numpy(), samples["difficulty"].to_numpy()
    assert table["predicted_score"].to_numpy() == pytest.approx(mark * difficulty)
    assert table["execution_score"].to_numpy() == pytest.approx((samples["score"] / difficulty).to_numpy())
    assert table["n_exemplars"].tolist() == [3] * len(table)
    assert [np.mean(votes) for votes in table["votes"]] == pytest.approx(table["predicted_score"].tolist())
    known = pd.read_parquet(drawn).query("part == 'test' and fold == 0").groupby("query")["exemplar"].apply(list)
    assert [list(names) for names in table["exemplars"]] == known[table["video_id"]].tolist()
    assert 5 < mark.mean() < 35
    history = pd.read_csv(of_run(tmp_path / "a") / "history.csv")
    assert history["step"].tolist() == [10, 12]
    config = json.loads((of_run(tmp_path / "a") / "config.json").read_text())
    assert config["settings"]["options"] == TINY["options"]
    assert config["facts"]["sub_actions"] == ["entry", "take_off"]
    again = run(sport, tmp_path / "b", drawn=drawn, system="pose_guided", **TINY)
    pd.testing.assert_frame_equal(table, again)
    weights = [(of_run(tmp_path / name) / "weights.safetensors").read_bytes() for name in "ab"]
    assert weights[0] == weights[1]


@pytest.mark.parametrize("system", ["pose_guided", "feature_forest"])
def test_training_predicts_what_the_stage_predicts(sport, tmp_path, system):
    tables = sport / "samples.parquet", sport / "folds.parquet"
    is_network = system == "pose_guided"
    drawn, options = (draws(sport, tmp_path), TINY) if is_network else (None, dict(options=dict(trees=3)))
    own = dict(system=system, adapter="simdive", control="permute_inputs", draws=drawn, device="cpu", seed=3)
    train(*tables, tmp_path, features(sport), fold=[1, 0], predict=True, **own, **options)
    paths = [of_run(tmp_path, fold, 3) / "predictions.parquet" for fold in (0, 1)]
    by_training = [path.read_bytes() for path in paths]
    predict(*tables, features(sport), run=[path.parent for path in paths], draws=drawn, device="cpu")
    assert [path.read_bytes() for path in paths] == by_training
    assert by_training[0] != by_training[1]


def test_failed_videos_are_neither_drawn_nor_predicted(sport, tmp_path):
    drawn = pd.read_parquet(draws(sport, tmp_path))
    assert "v35" not in set(drawn["query"]) | set(drawn["exemplar"])
    assert "v34" in set(drawn["query"])


def test_a_ridge_reads_the_mark_off_the_wrist(sport, tmp_path):
    table = run(
        sport, tmp_path, system="feature_ridge", options=dict(segments=1, statistics=["mean"], scale=False, alpha=0.01)
    )
    errors = (table["predicted_execution"] - table["execution_score"]).abs()
    assert errors.max() < 1.0
    score = run(sport, tmp_path / "score", system="feature_ridge", target="score", options=dict(segments=1, alpha=1.0))
    assert score["predicted_execution"].to_numpy() == pytest.approx(
        (score["predicted_score"] * score["execution_score"] / score["score"]).to_numpy()
    )


CLASSICS = """
import sys
from pathlib import Path
from aqa_pipeline.stages.train import train
train(*map(Path, sys.argv[2:5]), [Path(p) for p in sys.argv[5:]], system=sys.argv[1], adapter="simdive", fold=[0],
      predict=True)
assert "torch" not in sys.modules
"""


@pytest.mark.parametrize("system", ["train_mean", "no_video", "feature_svr", "feature_forest", "c3d_svr"])
def test_a_classic_does_not_wait_for_torch(sport, tmp_path, system):
    words = [system, sport / "samples.parquet", sport / "folds.parquet", tmp_path]
    read = [] if system in ("train_mean", "no_video") else features(sport)
    subprocess.run([sys.executable, "-c", CLASSICS, *map(str, [*words, *read])], check=True)
    assert (of_run(tmp_path) / "predictions.parquet").is_file()


@pytest.mark.parametrize("control", ["permute_inputs", "permute_labels"])
def test_controls_destroy_what_was_learnt_and_are_recorded(sport, tmp_path, control):
    options = dict(segments=1, statistics=["mean"], scale=False, alpha=0.01)
    table = run(sport, tmp_path, system="feature_ridge", options=options, control=control)
    errors = (table["predicted_execution"] - table["execution_score"]).abs()
    assert errors.mean() > 3.0
    swapped = json.loads((of_run(tmp_path) / "config.json").read_text())["swapped"]
    assert len(swapped) == {"permute_inputs": N - 1, "permute_labels": 23}[control]


def test_reference_rows_need_no_features(sport, tmp_path):
    floor = run(sport, tmp_path / "floor", stores_of_features=[], system="no_video")
    assert len(floor) == 12
    assert floor["predicted_execution"].nunique() <= 3
    mean = run(sport, tmp_path / "mean", stores_of_features=[], system="train_mean")
    assert mean["predicted_score"].nunique() == 1  # of the score, whatever target was asked for
    judge = run(sport, tmp_path / "judge", stores_of_features=[], system="judge_ceiling")
    assert judge["predicted_score"].to_numpy() == pytest.approx(judge["score"].to_numpy())


def test_the_truth_is_the_ceiling_where_it_is_known(sport, tmp_path):
    path = tmp_path / "truth" / "0000.h5"
    with stores.write(path, kind="truth", version=1, made_by={}) as store:
        for i in range(N):
            store.put(f"v{i:02d}", {}, true_execution=float(i))
    tables = sport / "samples.parquet", sport / "folds.parquet"
    train(*tables, tmp_path, [], system="judge_ceiling", adapter="simdive", fold=[1, 0], truth=[path])
    predict(*tables, [], run=[of_run(tmp_path, 0), of_run(tmp_path, 1)], truth=[path])
    table = pd.read_parquet(of_run(tmp_path, 1) / "predictions.parquet")
    assert set(table["fold"]) == {1}
    assert table["predicted_execution"].tolist() == [float(v[1:]) for v in table["video_id"]]


def test_the_test_part_selects_only_where_it_is_asked_to(sport, tmp_path):
    drawn = draws(sport, tmp_path)
    run(sport, tmp_path / "last", drawn=drawn, system="pose_guided", **TINY)
    run(sport, tmp_path / "test", drawn=drawn, system="pose_guided", selection="test", **TINY)
    histories = {name: pd.read_csv(of_run(tmp_path / name) / "history.csv") for name in ("last", "test")}
    assert histories["last"]["selection"].isna().all()
    assert histories["test"]["selection"].notna().any()
    with pytest.raises(InputError, match="fold 0 has no validation part"):
        run(sport, tmp_path / "none", drawn=drawn, system="pose_guided", selection="validation", **TINY)


def test_features_of_own_files_are_taken_over(tmp_path):
    values = np.arange(6, dtype=np.float32).reshape(3, 2)
    np.savez(tmp_path / "own.npz", features=values, video_id=np.array(["a", "b", "c"]))
    rows = dict(video_id=["a", "c", "d"], path=[str(tmp_path / "own.npz")] * 3, score=[1.0, 2.0, 3.0])
    pd.DataFrame(rows).to_parquet(tmp_path / "shard.parquet")
    import_features(tmp_path / "shard.parquet", tmp_path / "f.h5", adapter="custom")
    with stores.read(tmp_path / "f.h5", kind="features") as store:
        assert store.array("c", "features").tolist() == [[4.0, 5.0]]
        assert list(store.failures) == ["d"]


def test_mistakes_are_named_before_anything_is_trained(sport, tmp_path):
    with pytest.raises(InputError, match="options: unknown 'layer', did you mean 'layers'"):
        run(sport, tmp_path, system="pose_guided", options=dict(layer=3))
    with pytest.raises(InputError, match="no 'pose_guide' in systems: did you mean 'pose_guided'"):
        run(sport, tmp_path, system="pose_guide")
    with pytest.raises(InputError, match="training: unknown 'learning_rate'"):
        run(sport, tmp_path, system="pose_guided", training=dict(learning_rate=1))
    with pytest.raises(InputError, match="found no table of draws"):
        run(sport, tmp_path, system="pose_guided", **TINY)
    with pytest.raises(InputError, match="fold 7: no usable train video"):
        run(sport, tmp_path, system="no_video", fold=7)
    with pytest.raises(InputError, match="body_motion: found 2 stores"):
        extract_features([sport / "a", sport / "b"], out=tmp_path / "x.h5", extractor="body_motion")
    assert not list(tmp_path.iterdir())
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(InputError, match="not the configuration of a run"):
        predict(sport / "samples.parquet", sport / "folds.parquet", [], run=[tmp_path])


def test_transitions_are_predicted_and_stored_beside_the_true_ones(sport, tmp_path):
    """Steps of 9 frames that begin at 0, 3 and 6 or 7: on the 96 sampled frames, positions 36 and 72 or 84."""
    samples = pd.read_parquet(sport / "samples.parquet")
    names = ("take_off", "flight", "entry")
    starts = [(0, 3, 6 + i % 2) for i in range(N)]
    steps = [[dict(sub_action=s, first_frame=f) for s, f in zip(names, at, strict=True)] for at in starts]
    first, last = pd.array([5] * N, dtype="Int64"), pd.array([5 + T - 1] * (N - 1) + [None], dtype="Int64")
    samples.assign(steps=steps, first_frame=first, last_frame=last).to_parquet(tmp_path / "samples.parquet")
    files = (tmp_path / "samples.parquet", sport / "folds.parquet")
    train(*files, tmp_path / "run", system="constant_transitions", adapter="custom", fold=[0])
    predict(*files, run=[tmp_path / "run" / "fold0.seed0"])
    table = pd.read_parquet(tmp_path / "run" / "fold0.seed0" / "predictions.parquet").set_index("video_id")
    assert table["predicted_score"].isna().all()
    assert set(table["true_transition_1"]) == {36.0}
    assert list(table["true_transition_2"].iloc[:2]) == [72.0, 84.0]  # of v00 and v03
    assert set(table["predicted_transition_1"]) == {36.0}
    assert table["predicted_transition_2"].nunique() == 1
    assert 76 <= table["predicted_transition_2"].iloc[0] <= 80  # the mean of those of the training part
