"""A released checkpoint, in the layout that its code saves, begins a run."""

import hashlib
import logging
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from aqa_pipeline import frames, stores, weights
from aqa_pipeline.batches import Facts
from aqa_pipeline.errors import InputError
from aqa_pipeline.stages.draw_pairs import draw_pairs
from aqa_pipeline.stages.predict import predict
from aqa_pipeline.stages.train import train
from aqa_pipeline.systems import core, pose_guided
from aqa_pipeline.training import official, runs

SIDE, T, HIDDEN, DEPTH = 32, 17, 6, 3
NARROW = dict(width=0.05, starts=[0, 1], hidden=HIDDEN, depth=DEPTH, theta=30.0)
FACTS = Facts(dims={}, lengths={}, pictures=(T, SIDE, SIDE), target_range=(0.0, 30.0))
VIEW = dict(n_frames=T, resize=None, crop=SIDE, swap_resize=False, flip=0.0)


def released_core() -> dict:
    """What CoRe's code saves, of narrower networks: I3D behind several GPUs, groups of convolutions, Adam's state."""
    torch.manual_seed(5)
    backbone = core.build(FACTS, **NARROW).encoder.backbone.state_dict()
    channels = len(backbone["mixed_5c.branch_0.batch3d.bias"]) + sum(
        len(backbone[f"mixed_5c.branch_{branch}.batch3d.bias"]) for branch in ("1.1", "2.1", "3.1")
    )
    tree = {"first_layer.0": (HIDDEN, 2 * channels + 1), "reg_layer": (2 ** (DEPTH - 1), HIDDEN, 1)}
    for level in range(DEPTH - 1):
        tree[f"clf_layers.{level}"] = (2 ** (level + 1), HIDDEN, 1)
        tree[f"feature_layers.{level}.0"] = (2 ** (level + 1) * HIDDEN, HIDDEN, 1)
    regressor = {f"{name}.weight": torch.randn(shape) for name, shape in tree.items()}
    regressor |= {f"{name}.bias": torch.randn(shape[0]) for name, shape in tree.items()}
    classes = {"conv3d_0c_1x1.conv3d.weight": torch.zeros(4, channels, 1, 1, 1)}
    base_model = {f"module.backbone.{name}": tensor for name, tensor in (backbone | classes).items()}
    adam = torch.optim.Adam([torch.ones(2, requires_grad=True)]).state_dict()
    return dict(base_model=base_model, regressor=regressor, optimizer=adam, epoch=3, rho_best=np.float64(0.9))


@pytest.fixture
def checkpoint(tmp_path):
    torch.save(released_core(), tmp_path / "CoRe.pth")
    return tmp_path / "CoRe.pth"


@pytest.fixture
def sport(tmp_path) -> Path:
    """Seven dives of other colours, two of them in the test part."""
    ids, marks = [f"v{i}" for i in range(7)], np.linspace(8, 28, 7)
    table = dict(video_id=ids, action_type="107b", difficulty=2.0, score=2 * marks, judge_scores=None, steps=None)
    pd.DataFrame(table).assign(first_frame=0, last_frame=T - 1).to_parquet(tmp_path / "samples.parquet")
    parts = pd.DataFrame(dict(video_id=ids, fold=0, part=["test"] * 2 + ["train"] * 5))
    parts.to_parquet(tmp_path / "folds.parquet")
    rng = np.random.default_rng(0)
    with stores.write(tmp_path / "frames.h5", kind="frames", version=1, made_by={}) as store:
        for v in ids:
            shown = rng.integers(0, 256, (T, SIDE, SIDE, 3), dtype=np.uint8)
            jpegs = [frames.encode_jpeg(picture) for picture in shown]
            offset = np.cumsum([0, *map(len, jpegs)])
            arrays = dict(jpeg=np.concatenate(jpegs), offset=offset, frame_number=np.arange(T), time=np.arange(T) / 25)
            store.put(v, arrays, width=SIDE, height=SIDE, fps=25.0)
    return tmp_path


def trained(sport: Path, *, steps: int, system="core", options=NARROW, **begins) -> Path:
    tables, read = (sport / "samples.parquet", sport / "folds.parquet"), dict(frames=[sport / "frames.h5"])
    draw_pairs(*tables, sport / "draws.parquet", n_exemplars=2, steps=steps, batch=2, **read)
    train(
        *tables, sport / f"steps{steps}", system=system, adapter="simdive", fold=[0], draws=sport / "draws.parquet",
        options=options, training=dict(steps=steps, batch=2), frames_options=VIEW, device="cpu", **read, **begins,
    )  # fmt: skip
    return sport / f"steps{steps}" / "fold0.seed0"


def test_a_released_checkpoint_is_evaluated_and_trained_further(sport, checkpoint, caplog):
    with caplog.at_level(logging.INFO, "aqa_pipeline"):
        run = trained(sport, steps=0, official=str(checkpoint))
    assert "of base_model, regressor" in caplog.text
    assert "and epoch, optimizer, rho_best" in caplog.text
    settings, _ = runs.load_settings(run)
    assert settings.official == dict(file=str(checkpoint), sha256=hashlib.sha256(checkpoint.read_bytes()).hexdigest())
    stored = weights.load(run / "weights.safetensors")
    theirs = released_core()
    assert torch.equal(stored["model.tree.root.weight"], theirs["regressor"]["first_layer.0.weight"])
    name = "conv3d_1a_7x7.batch3d.running_var"
    assert torch.equal(stored[f"model.encoder.backbone.{name}"], theirs["base_model"][f"module.backbone.{name}"])
    assert stored["model.edges"].isfinite().all()  # of the training part
    checkpoint.rename(checkpoint.with_suffix(".away"))  # a stored run needs it no more
    tables = sport / "samples.parquet", sport / "folds.parquet"
    predict(*tables, run=[run], draws=sport / "draws.parquet", frames=[sport / "frames.h5"], device="cpu")
    assert pd.read_parquet(run / "predictions.parquet")["predicted_score"].notna().all()
    checkpoint.with_suffix(".away").rename(checkpoint)
    further = weights.load(trained(sport, steps=1, official=str(checkpoint)) / "weights.safetensors")
    moved = (further["model.tree.root.weight"] - stored["model.tree.root.weight"]).abs().max()
    assert 0 < moved < 0.01


@pytest.mark.parametrize(
    ("system", "change", "message"),
    [
        (pose_guided, {}, r"official: pose_guided has no released parameters, expected one of .*core, .*usdl"),
        (core, {"regressor": None}, r"CoRe\.pth: no state dict 'regressor', did you mean 'regresor'"),
        (core, {"base_model": {}}, r"CoRe\.pth: weights of another model: \d+ missing \(encoder\.backbone\."),
        (core, {"regressor": {"reg_layer.bias": torch.ones(4)}}, "weights of another model: .* missing"),
        (core, {"regressor": {"bias": torch.ones(4)}}, "found other parameters than the released code saves"),
        (core, {"hidden": 5}, r"of another shape \(tree\."),
        (core, {"sha256": "0" * 64}, r"has SHA-256 [0-9a-f]{64}, expected 0{64}"),
    ],
)
def test_what_does_not_fit_is_named(checkpoint, system, change, message):
    saved = released_core()
    if "regressor" in change and change["regressor"] is None:
        saved["regresor"] = saved.pop("regressor")
    saved |= {part: tensors for part, tensors in change.items() if isinstance(tensors, dict)}
    torch.save(saved, checkpoint)
    model = core.build(FACTS, **{**NARROW, "hidden": change.get("hidden", HIDDEN)})
    with pytest.raises(InputError, match=message):
        official.fill(model, system.__name__.rpartition(".")[2], checkpoint, sha256=change.get("sha256"))


def test_what_is_no_checkpoint_of_several_parts_is_named(checkpoint):
    torch.save(released_core()["regressor"], checkpoint)
    with pytest.raises(InputError, match=r"CoRe\.pth: holds no state dicts by name"):
        official.fill(core.build(FACTS, **NARROW), "core", checkpoint)
