"""The embedded networks learn from a handful of pictures, and the same seed gives the same weights."""

import numpy as np
import pytest
import torch

from aqa_pipeline import frames, keypoint_sets, weights
from aqa_pipeline.backbones import centre_net, heatmap_net
from aqa_pipeline.errors import InputError
from aqa_pipeline.labelled import Labels, Person, Picture
from aqa_pipeline.training import embedded
from aqa_pipeline.training.athlete_samples import Samples, Variation

H, W, N = 48, 80, 12
COCO, WHOLE_BODY = keypoint_sets.get("coco_17"), keypoint_sets.get("coco_wholebody_133")
NONE = Variation(rotation=0.0, shift=0.0, smaller=1.0, larger=1.0)


@pytest.fixture(scope="module")
def samples():
    """A bright rectangle on noise is the athlete; every keypoint is its upper left corner."""
    rng = np.random.default_rng(0)
    jpegs, boxes, keypoints = [], [], np.zeros((N, 133, 3), np.float32)
    for i in range(N):
        frame = rng.integers(0, 90, (H, W, 3), np.uint8)
        x, y = rng.integers(4, W - 30), rng.integers(4, H - 26)
        frame[y : y + 20, x : x + 14] = 230
        jpegs.append(frames.encode_jpeg(frame))
        boxes.append([x, y, x + 14, y + 20] if i else [np.nan] * 4)
        keypoints[i] = [x, y, 2]
    return Samples(jpegs, np.array(boxes, np.float32), keypoints)


def schedule(steps):
    return embedded.Schedule(steps=steps, batch=6, lr=1e-2, bfloat16=False)


def detector(samples, steps, seed=0):
    network = dict(centre_net.tiny)
    return embedded.train_detector(
        samples, schedule=schedule(steps), seed=seed, height=H, width=W, variation=NONE, network=network
    )


def estimator(samples, steps, seed=0, keypoint_set="coco_17", start=None):
    network = {k: v for k, v in heatmap_net.tiny.items() if k != "n_keypoints"}
    return embedded.train_estimator(
        samples,
        start=start,
        keypoint_set=keypoint_set,
        schedule=schedule(steps),
        seed=seed,
        size=64,
        variation=NONE,
        network=network,
    )


@pytest.mark.parametrize(("train", "least"), [(detector, 0.0), (estimator, 2.84)])
def test_the_loss_falls(samples, train, least):
    """The cross-entropy to a Gaussian cannot fall below that one's own entropy, ln(2 pi e sigma^2) = 2.84."""
    history = train(samples, 60).history
    first, last = (sum(v for k, v in row.items() if k != "step") for row in (history[0], history[-1]))
    assert last - least < 0.6 * (first - least)
    assert [row["step"] for row in history] == list(range(3, 61, 3))


@pytest.mark.parametrize("train", [detector, estimator])
def test_the_same_seed_gives_the_same_weights(samples, train):
    one, two, other = train(samples, 4), train(samples, 4), train(samples, 4, seed=1)
    assert all(torch.equal(one.tensors[name], two.tensors[name]) for name in one.tensors)
    assert any(not torch.equal(one.tensors[name], other.tensors[name]) for name in one.tensors)


def test_the_whole_body_set_is_trained_with_weight_on_the_body(samples):
    trained = estimator(samples, 3, keypoint_set="coco_wholebody_133")
    assert trained.facts["options"]["n_keypoints"] == 133
    assert trained.facts["body_weight"] == 8


def test_what_is_saved_can_be_used(samples, tmp_path):
    trained = estimator(samples, 3)
    embedded.save(tmp_path / "some.safetensors", trained)
    assert weights.facts(tmp_path / "some.safetensors")["dark_kernel"] == 5
    cells, _ = weights.network(tmp_path / "some.safetensors")(torch.zeros(1, 3, 64, 64))
    assert cells.shape == (1, 17, 16, 16)
    lines = (tmp_path / "some.csv").read_text().splitlines()
    assert lines[0] == "step,entropy"
    assert len(lines) == 4


def test_blur_widths_of_dark():
    assert [embedded.dark_kernel(sigma) for sigma in (1.5, 2.0, 3.0)] == [7, 11, 17]


def test_misspelt_options_are_named():
    with pytest.raises(InputError, match="unknown 'sigmma', did you mean 'sigma'"):
        embedded.from_stores(
            embedded.train_estimator,
            [],
            [],
            frames_a_video=1,
            steps=1,
            seed=0,
            threads=1,
            options=dict(keypoint_set="coco_17", sigmma=2),
        )


def test_a_larger_set_can_begin_with_the_weights_of_a_smaller(samples, tmp_path):
    small = estimator(samples, 3)
    embedded.save(tmp_path / "small.safetensors", small)
    model = heatmap_net.build(**{**heatmap_net.tiny, "n_keypoints": 133})
    fresh = model.out.weight.detach().clone()
    embedded._begin_with(
        model, weights.load(tmp_path / "small.safetensors"), rows=keypoint_sets.shared(WHOLE_BODY.name, COCO.name)
    )
    assert model.out.weight[:17].detach() == pytest.approx(small.tensors["out.weight"], abs=1e-3)
    assert torch.equal(model.out.weight[17:], fresh[17:])
    assert model.stem.conv.weight.detach() == pytest.approx(small.tensors["stem.conv.weight"], abs=1e-3)
    trained = estimator(samples, 1, keypoint_set="coco_wholebody_133", start=str(tmp_path / "small.safetensors"))
    gap = trained.tensors["stem.conv.weight"] - small.tensors["stem.conv.weight"]
    assert gap.abs().max() < 0.05


def test_other_sets_begin_with_the_rows_of_the_same_name(samples, tmp_path):
    small = estimator(samples, 3)
    embedded.save(tmp_path / "small.safetensors", small)
    mpii = keypoint_sets.get("mpii_16")
    model = heatmap_net.build(**{**heatmap_net.tiny, "n_keypoints": 16})
    fresh = model.out.weight.detach().clone()
    embedded._begin_with(
        model, weights.load(tmp_path / "small.safetensors"), rows=keypoint_sets.shared(mpii.name, COCO.name)
    )
    own, theirs = mpii.index("left_wrist"), COCO.index("left_wrist")
    for layer in ("out", "nowhere"):
        begun = getattr(model, layer).weight.detach()
        assert begun[own] == pytest.approx(small.tensors[f"{layer}.weight"][theirs], abs=1e-3)
    assert torch.equal(model.out.weight[mpii.index("head_top")], fresh[mpii.index("head_top")])


@pytest.fixture
def labels(tmp_path):
    """Dark pictures with a bright square each; MPII's joints all in its corner, only the legs with a label."""
    pictures = []
    for i in range(3):
        frame = np.full((H, W, 3), 20, np.uint8)
        frame[10:30, 10 + i : 30 + i] = 230
        (tmp_path / f"{i}.jpg").write_bytes(frames.encode_jpeg(frame).tobytes())
        joints = np.array([[10.0 + i, 10.0, 2.0 * (k < 6)] for k in range(16)])
        person = Person(np.array([8.0 + i, 8, 32 + i, 32, 1]), joints, area=None)
        nobody = Person(None, np.zeros((16, 3)), area=None)
        pictures.append(Picture(tmp_path / f"{i}.jpg", str(i), "clip", (person, nobody)))
    return Labels("mpii_16", tuple(pictures))


def test_keypoints_without_a_label_are_left_alone(samples, labels, tmp_path):
    start = tmp_path / "start.safetensors"
    embedded.save(start, estimator(samples, 3))
    options = dict(batch=4, weight_decay=0.0)
    common = dict(start=str(start), steps=4, seed=1, threads=1, options=options)
    trained = embedded.from_labels([labels], keypoint_set="coco_17", **common)
    before = weights.load(start)
    moved = (trained.tensors["out.weight"] - before["out.weight"]).abs().amax(dim=(1, 2, 3))
    legs = [name.endswith(("_hip", "_knee", "_ankle")) for name in COCO.names]
    assert (moved > 0).tolist() == legs  # the nose has no place among MPII's joints, and the arms have no label
    assert trained.facts["input_size"] == 64
    assert trained.facts["training"]["frames"] == 3
    other = embedded.from_labels([labels], keypoint_set="mpii_16", **common)
    assert other.tensors["out.weight"].shape[0] == 16


def test_an_estimator_does_not_go_on_from_a_detector(labels):
    with pytest.raises(InputError, match="are of centre_net, expected of a keypoint estimator"):
        embedded.from_labels(
            [labels], keypoint_set="coco_17", start="athlete_detector", steps=1, seed=0, threads=1, options={}
        )
