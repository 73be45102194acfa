"""Clips as C3D describes them, from a sequence of frames, and through the stage from a frame store alone."""

import numpy as np
import pytest
import torch

from aqa_pipeline import frames, stores
from aqa_pipeline.backbones import c3d
from aqa_pipeline.errors import InputError
from aqa_pipeline.features import c3d_clips
from aqa_pipeline.layers import pictures
from aqa_pipeline.stages.extract_features import extract_features

N, H, W, SIDE = 41, 40, 52, 32
SMALL = dict(resize=[40, 36], crop=SIDE, width=0.02)


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("weights") / "c3d.pth"
    model = c3d.build(width=0.02, fc6=True, side=SIDE)
    torch.save({**model.state_dict(), "fc7.bias": torch.zeros(3)}, path)
    return str(path)


@pytest.fixture(scope="module")
def video():
    return np.random.default_rng(0).integers(0, 256, (N, H, W, 3), np.uint8)


def test_one_vector_a_clip_of_all_frames(weights, video):
    extractor = c3d_clips.build(weights=weights, batch=2, **SMALL)
    features = extractor(video)
    cut = torch.from_numpy(extractor.view.resized(video)[:, 2:34, 4:36].copy()).permute(0, 3, 1, 2)
    pixels = pictures.normalised(cut, pixels="c3d_ucf101").transpose(0, 1)  # (3, T, 32, 32)
    model = c3d.build(width=0.02, fc6=True, side=SIDE, weights=weights)
    with torch.no_grad():
        expected = model.describe(torch.stack([pixels[:, :16], pixels[:, 16:32]]))
    assert features.dtype == np.float32
    assert features == pytest.approx(expected.numpy(), rel=1e-3, abs=1e-3 * expected.abs().max().item())
    assert np.ptp(features, axis=0).max() > 0.01
    assert extractor.first_frames(N).tolist() == [0, 16]


def test_the_frames_may_be_those_of_a_window(weights, video):
    extractor = c3d_clips.build(weights=weights, n_frames=35, sampling="last", **SMALL)
    whole = c3d_clips.build(weights=weights, **SMALL)
    assert extractor(video) == pytest.approx(whole(video[6:]), rel=1e-3, abs=1e-3)
    assert extractor.first_frames(N).tolist() == [6, 22]


def test_of_all_clips_there_may_be_one_mean(weights, video):
    one, all_of_them = (c3d_clips.build(weights=weights, average=average, **SMALL) for average in (True, False))
    assert one(video) == pytest.approx(all_of_them(video).mean(axis=0)[None], abs=1e-4)
    assert one.first_frames(N).tolist() == [0]


def test_a_short_video_is_one_clip(weights, video):
    extractor = c3d_clips.build(weights=weights, **SMALL)
    longer = np.concatenate([video[:9], np.repeat(video[8:9], 7, axis=0)])
    assert extractor(video[:9]) == pytest.approx(extractor(longer), abs=1e-4)
    assert extractor.first_frames(9).tolist() == [0]


def test_the_stage_needs_no_boxes(weights, video, tmp_path):
    jpegs = [frames.encode_jpeg(frame) for frame in video]
    arrays = dict(jpeg=np.concatenate(jpegs), offset=np.cumsum([0, *map(len, jpegs)]))
    with stores.write(tmp_path / "frames.h5", kind="frames", version=1, made_by={}) as store:
        store.put("a", arrays, width=W, height=H, fps=25.0)
    options = dict(weights=weights, **SMALL)
    extract_features([tmp_path / "frames.h5"], out=tmp_path / "out.h5", extractor="c3d_clips", options=options)
    with stores.read(tmp_path / "out.h5", kind="features") as store:
        assert store.array("a", "features").shape[0] == 2
        assert store.array("a", "first_frame").tolist() == [0, 16]
        assert len(store.made_by["weights"]) == 64


def test_mistakes_are_named(weights):
    with pytest.raises(InputError, match=r"c3d_clips.n_frames: found 15, expected 16 or more, or null for all"):
        c3d_clips.build(weights=weights, n_frames=15)
    with pytest.raises(InputError, match=r"c3d.layout: found 's1n', did you mean 's1m'"):
        c3d_clips.build(weights=weights, layout="s1n")
