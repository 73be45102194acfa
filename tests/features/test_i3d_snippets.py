"""Snippets as I3D sees them, from a sequence of frames, and through the stage from a frame store alone."""

import numpy as np
import pytest
import torch

from aqa_pipeline import frames, stores
from aqa_pipeline.backbones import i3d
from aqa_pipeline.errors import InputError
from aqa_pipeline.features import i3d_snippets
from aqa_pipeline.layers import pictures
from aqa_pipeline.stages.extract_features import extract_features

N, H, W = 30, 40, 52
SMALL = dict(n_frames=24, starts=[0, 3, 8], resize=[36, 32], crop=32, width=0.05)


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """A narrow I3D that somebody trained on ten classes, so far that its normalisations know such pictures."""
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("weights") / "model_rgb.pth"
    model = i3d.build(width=0.05, classes=10, momentum=1.0)
    with torch.no_grad():
        model.train()(torch.randn(2, 3, 16, 32, 32))
    torch.save(model.state_dict(), path)
    return str(path)


@pytest.fixture(scope="module")
def clip():
    return np.random.default_rng(0).integers(0, 256, (N, H, W, 3), np.uint8)


@pytest.fixture(scope="module")
def extractor(weights):
    return i3d_snippets.build(weights=weights, batch=2, **SMALL)


def test_one_vector_a_snippet_of_the_frames_a_test_shows(extractor, weights, clip):
    features = extractor(clip)
    assert features.dtype == np.float32
    positions = np.linspace(0, N - 1, 24).astype(int)
    shown = torch.from_numpy(extractor.view.resized(clip[positions])[:, 2:34].copy())  # 32 wide, 36 high: rows 2 to 33
    pixels = pictures.normalised(shown.permute(0, 3, 1, 2)[None], pixels="imagenet")[0]
    model = i3d.build(width=0.05, weights=weights).eval()
    with torch.no_grad():
        expected = [model(pixels[s : s + 16].transpose(0, 1)[None])[0][0] for s in (0, 3, 8)]
    assert features == pytest.approx(torch.stack(expected).numpy(), rel=1e-3, abs=5e-3)
    assert np.ptp(features, axis=0).max() > 0.5
    assert extractor.first_frames(N).tolist() == [positions[0], positions[3], positions[8]]


def test_the_athlete_may_be_followed(extractor, clip):
    boxes = np.array([[10, 10, 26, 30, 0.9]] * N, np.float32)  # a square of 25 around (18, 20)
    other = clip.copy()
    other[:, :, 34:] = 0
    assert extractor(other, boxes) == pytest.approx(extractor(clip, boxes), abs=1e-4)
    assert extractor(other) != pytest.approx(extractor(clip), abs=1e-2)


def test_the_stage_needs_no_boxes(weights, clip, tmp_path):
    jpegs = [frames.encode_jpeg(frame) for frame in clip]
    arrays = dict(jpeg=np.concatenate(jpegs), offset=np.cumsum([0, *map(len, jpegs)]))
    with stores.write(tmp_path / "frames.h5", kind="frames", version=1, made_by={}) as store:
        store.put("a", arrays, width=W, height=H, fps=25.0)
    options = dict(weights=weights, **SMALL)
    extract_features([tmp_path / "frames.h5"], out=tmp_path / "out.h5", extractor="i3d_snippets", options=options)
    with stores.read(tmp_path / "out.h5", kind="features") as store:
        assert store.array("a", "features").shape[0] == 3
        assert store.array("a", "first_frame").tolist() == [0, 3, 10]
        assert len(store.made_by["weights"]) == 64
    with pytest.raises(InputError, match="athlete_crop: found 1 stores"):
        extract_features([tmp_path / "frames.h5"], out=tmp_path / "x.h5", extractor="athlete_crop")


def test_mistakes_are_named(weights):
    with pytest.raises(InputError, match=r"starts: found \[9\], expected 0 to 8"):
        i3d_snippets.build(weights=weights, **{**SMALL, "starts": [9]})
    with pytest.raises(InputError, match="i3d_kinetics"):
        i3d_snippets.build(weights="i3d_kinetic")
