"""The encoder's view of the athlete, one vector a frame."""

import numpy as np
import pytest
import torch

from aqa_pipeline import weights
from aqa_pipeline.backbones import heatmap_net
from aqa_pipeline.errors import InputError
from aqa_pipeline.features import athlete_crop

T = 6


@pytest.fixture(scope="module")
def extractor(tmp_path_factory):
    torch.manual_seed(5)
    path = tmp_path_factory.mktemp("weights") / "small.safetensors"
    model = heatmap_net.build(**heatmap_net.tiny)
    weights.save(path, model.state_dict(), network="heatmap_net", options=heatmap_net.tiny, input_size=64)
    return athlete_crop.build(weights=str(path), batch=4)


@pytest.fixture
def clip():
    frames = np.random.default_rng(1).integers(0, 255, (T, 70, 110, 3), np.uint8)
    return frames, np.array([[20, 10, 60, 50, 0.9]] * T, np.float32)


def test_one_feature_a_frame(extractor, clip):
    frames, boxes = clip
    features = extractor(iter(frames), boxes)
    assert features.shape == (T, extractor.dim)
    assert features.dtype == np.float32
    assert np.ptp(features, axis=0).max() > 0


def test_frames_without_an_athlete_repeat_the_nearest(extractor, clip):
    frames, boxes = clip
    whole = extractor(frames, boxes)
    boxes[[0, 3, 4]] = np.nan
    features = extractor(frames, boxes)
    assert features == pytest.approx(whole[[1, 1, 2, 2, 5, 5]], abs=1e-4)


def test_only_the_crop_matters(extractor, clip):
    frames, boxes = clip
    other = frames.copy()
    other[:, :, 80:] = 0  # beyond the padded square, x < 65
    assert extractor(other, boxes) == pytest.approx(extractor(frames, boxes), abs=1e-5)
    other[:, 20:30, 30:40] = 0
    assert np.abs(extractor(other, boxes) - extractor(frames, boxes)).max() > 1e-4


def test_no_athlete_at_all(extractor, clip):
    with pytest.raises(InputError, match="no athlete"):
        extractor(clip[0], np.full((T, 5), np.nan))
