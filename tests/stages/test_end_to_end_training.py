"""From a frame store to predictions, stage by stage: pictures beside features by role, masks for training alone."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from aqa_pipeline import frames, stores
from aqa_pipeline.errors import InputError
from aqa_pipeline.stages.draw_pairs import draw_pairs
from aqa_pipeline.stages.predict import predict
from aqa_pipeline.stages.train import train

N, T, H, W = 8, 9, 24, 40
VIEW = dict(n_frames=24, resize=[36, 32], crop=32, swap_resize=False, shift=[-2, 0])
TINY = dict(dim=64, width=0.05, starts=[0, 4, 8], positions=2, heads=1, layers=1, hidden=[6])
WITH_MASKS = dict(width=0.05, starts=[0, 8], static="resnet18", channels=4, reducer=[8], heads=1, layers=1, hidden=[6])
IDS = [f"v{i}" for i in range(N)]


@pytest.fixture(scope="module")
def sport(tmp_path_factory):
    """Dives as bright as their marks. v6 has no pictures, v7 no box; folders of masks hold what is no picture."""
    folder = tmp_path_factory.mktemp("sport")
    rng = np.random.default_rng(0)
    steps = [dict(sub_action=s, first_frame=f) for s, f in (("up", 0), ("air", 3), ("in", 6))]
    for v in IDS:
        (folder / "masks" / v).mkdir(parents=True)
        for number in range(T):
            (folder / "masks" / v / f"{number:05d}.jpg").write_text("no picture")
    marks = np.linspace(10, 30, N)
    samples = pd.DataFrame(
        dict(
            video_id=IDS, action_type="107b", difficulty=2.0, score=2 * marks, judge_scores=None, steps=[steps] * N,
            masks=[str(folder / "masks" / v) for v in IDS],
        )
    )  # fmt: skip
    samples.assign(first_frame=0, last_frame=T - 1).to_parquet(folder / "samples.parquet")
    parts = pd.DataFrame(dict(video_id=IDS, fold=0, part=["test" if i % 4 == 0 else "train" for i in range(N)]))
    parts.to_parquet(folder / "folds.parquet")
    with (
        stores.write(folder / "frames" / "0000.h5", kind="frames", version=1, made_by={}) as clips,
        stores.write(folder / "boxes" / "0000.h5", kind="boxes", version=1, made_by={}) as boxes,
        stores.write(folder / "pose" / "0000.h5", kind="features", version=1, made_by={}) as features,
    ):
        for v, mark in zip(IDS, marks, strict=True):
            features.put(v, {"features": rng.normal(size=(T, 3)).astype(np.float32), "first_frame": np.arange(T)})
            pictures = np.clip(rng.normal(5 * mark, 9, (T, H, W, 3)), 0, 255).astype(np.uint8)
            jpegs = [frames.encode_jpeg(picture) for picture in pictures]
            offset = np.cumsum([0, *map(len, jpegs)])
            arrays = dict(jpeg=np.concatenate(jpegs), offset=offset, frame_number=np.arange(T), time=np.arange(T) / 25)
            if v != "v6":
                clips.put(v, arrays, width=W, height=H, fps=25.0)
            if v != "v7":
                boxes.put(v, {"boxes": np.array([[10, 4, 26, 20, 1.0]] * T, np.float32)})
    return folder


def files(sport: Path, *kinds: str) -> dict:
    return {kind: [sport / kind / "0000.h5"] for kind in kinds}


def drawn(sport: Path, out: Path, **read) -> Path:
    tables = sport / "samples.parquet", sport / "folds.parquet"
    draw_pairs(*tables, out / "draws.parquet", n_exemplars=2, steps=2, batch=2, **read)
    return out / "draws.parquet"


def trained(sport: Path, out: Path, draws: Path, read: dict, **options) -> Path:
    train(
        sport / "samples.parquet", sport / "folds.parquet", out, read.get("features"), adapter="simdive",
        fold=[0], draws=draws, frames=read["frames"], boxes=read.get("boxes", []), device="cpu",
        training=dict(steps=2, batch=2), **{**dict(system="tsa", options=TINY, frames_options=VIEW), **options},
    )  # fmt: skip
    return out / "fold0.seed0"


def predicted(sport: Path, run: Path, draws: Path, read: dict) -> pd.DataFrame:
    predict(sport / "samples.parquet", sport / "folds.parquet", run=[run], draws=draws, device="cpu", **read)
    return pd.read_parquet(run / "predictions.parquet")


def test_a_network_is_trained_on_pictures_and_predicts_from_them(sport, tmp_path):
    read = files(sport, "frames")
    draws = drawn(sport, tmp_path, **read)
    assert "v6" not in set(pd.read_parquet(draws)[["query", "exemplar"]].stack())
    runs = [trained(sport, tmp_path / name, draws, read) for name in "ab"]
    config = json.loads((runs[0] / "config.json").read_text())
    assert config["facts"]["pictures"] == [24, 32, 32]
    assert config["settings"]["frames"] == VIEW
    table = predicted(sport, runs[0], draws, read)
    assert table["video_id"].tolist() == ["v0", "v4"]
    assert table["predicted_score"].notna().all()
    assert table["predicted_transition_1"].between(0, 47).all()
    pd.testing.assert_frame_equal(table, predicted(sport, runs[1], draws, read))
    other = trained(sport, tmp_path / "c", draws, read, frames_options={**VIEW, "flip": 0.0, "shift": [0, 0]})
    assert (runs[0] / "weights.safetensors").read_bytes() == (runs[1] / "weights.safetensors").read_bytes()
    assert (runs[0] / "weights.safetensors").read_bytes() != (other / "weights.safetensors").read_bytes()


def test_features_have_roles_and_the_athlete_is_followed(sport, tmp_path):
    shown = files(sport, "frames", "boxes")
    read = {**shown, "features": [sport / "pose" / "0000.h5"]}
    draws = drawn(sport, tmp_path, **read)
    assert {"v6", "v7"}.isdisjoint(pd.read_parquet(draws)[["query", "exemplar"]].stack())
    follows = {**VIEW, "view": "athlete", "detector": "any", "resize": [32, 32]}
    run = trained(sport, tmp_path, draws, read, roles={"skeleton": "pose"}, frames_options=follows)
    facts = json.loads((run / "config.json").read_text())["facts"]
    assert facts["dims"] == {"skeleton": 3}
    assert len(predicted(sport, run, draws, read)) == 2


def test_the_boxes_of_the_athlete_are_a_tube_through_the_pictures(sport, tmp_path):
    read = files(sport, "frames", "boxes")
    draws = drawn(sport, tmp_path, exemplars="none", **read)
    tiny = dict(starts=[0, 8], width=0.05, bins=7, hidden=[6])
    shown = {**VIEW, "detector": "any"}
    run = trained(sport, tmp_path, draws, read, system="tsa_net", options=tiny, frames_options=shown)
    table = predicted(sport, run, draws, read)
    assert table["video_id"].tolist() == ["v0", "v4"]
    assert table["predicted_score"].notna().all()
    with pytest.raises(InputError, match="no usable train video"):
        trained(sport, tmp_path, draws, files(sport, "frames"), system="tsa_net", options=tiny, frames_options=shown)


def test_no_prediction_reads_a_mask_nor_does_a_system_that_learns_from_none(sport, tmp_path):
    read = files(sport, "frames")
    draws = drawn(sport, tmp_path, **read)
    train_with_masks(sport, tmp_path / "tsa", draws, read, system="tsa", options=TINY)
    with pytest.raises(InputError, match="cannot be read as a picture"):
        train_with_masks(sport, tmp_path, draws, read)
    pd.read_parquet(sport / "samples.parquet").assign(masks=None).to_parquet(tmp_path / "samples.parquet")
    run = train_with_masks(sport, tmp_path, draws, read, samples=tmp_path / "samples.parquet")
    assert len(predicted(sport, run, draws, read)) == 2  # from the samples whose masks are no pictures


def train_with_masks(sport, out, draws, read, *, samples=None, system="fineparser", options=WITH_MASKS):
    train(
        samples or sport / "samples.parquet", sport / "folds.parquet", out, system=system, adapter="simdive", fold=[0],
        draws=draws, options=options, training=dict(steps=2, batch=2), device="cpu", **read,
        frames_options={**VIEW, "sampling": "first", "masks": True, "resize": None, "crop": 16},
    )  # fmt: skip
    return out / "fold0.seed0"


def test_mistakes_are_named(sport, tmp_path):
    read = files(sport, "frames")
    with pytest.raises(InputError, match="frames: unknown 'croop', did you mean 'crop'"):
        trained(sport, tmp_path, tmp_path / "none", read, frames_options={"croop": 3})


def test_a_classic_is_fitted_on_pictures(sport, tmp_path):
    tables, read = (sport / "samples.parquet", sport / "folds.parquet"), files(sport, "frames")
    options = dict(patch=[2, 4, 4], block=[3, 8, 8], components=[8, 8], filters=[8, 8], blocks=60, words=10, steps=5)
    shown = dict(frames_options=VIEW | {"n_frames": 6}, options=options)
    train(*tables, tmp_path, system="conv_isa", adapter="simdive", fold=[0], **read, **shown)
    predict(*tables, run=[tmp_path / "fold0.seed0"], **read)
    found = pd.read_parquet(tmp_path / "fold0.seed0" / "predictions.parquet")
    assert list(found["video_id"]) == ["v0", "v4"]
    assert np.isfinite(found["predicted_score"]).all()
