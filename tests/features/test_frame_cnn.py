"""What a picture network sees in single frames."""

import importlib.util

import numpy as np
import pytest
import torch

from aqa_pipeline.errors import InputError
from aqa_pipeline.features import frame_cnn
from aqa_pipeline.layers import frame_networks, pictures

pytestmark = pytest.mark.skipif(
    None in (importlib.util.find_spec("timm"), importlib.util.find_spec("torchvision")), reason="timm is not installed"
)

N, H, W = 9, 36, 44
SMALL = dict(n_frames=5, resize=[36, 32], crop=32)


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    return frame_networks.create("regnety_002").eval()


@pytest.fixture(scope="module")
def extractor(network, tmp_path_factory):
    path = tmp_path_factory.mktemp("weights") / "regnet.pth"
    torch.save({**network.state_dict(), "head.fc.weight": torch.zeros(7, 368), "head.fc.bias": torch.zeros(7)}, path)
    return frame_cnn.build(network="regnety_002", weights=str(path), batch=2, **SMALL)


def test_one_vector_a_frame_that_a_test_shows(extractor, network):
    clip = np.random.default_rng(0).integers(0, 256, (N, H, W, 3), np.uint8)
    features = extractor(clip)
    shown = torch.from_numpy(extractor.view.resized(clip[[0, 2, 4, 6, 8]])[:, 2:34].copy()).permute(0, 3, 1, 2)
    with torch.no_grad():
        expected = network(pictures.normalised(shown, pixels="imagenet"))
    assert features.shape == (5, 368)
    assert features == pytest.approx(expected.numpy(), abs=1e-4)
    assert np.ptp(features, axis=0).max() > 0.01
    assert extractor.first_frames(N).tolist() == [0, 2, 4, 6, 8]


@pytest.mark.parametrize("network", frame_cnn.NETWORKS)
def test_the_head_that_is_left_out_is_the_one_that_classifies(network):
    import timm

    assert frame_cnn.NETWORKS[network] == f"{timm.get_pretrained_cfg(network).classifier}."


@pytest.mark.parametrize(("network", "features"), [("resnet34", 512), ("tf_efficientnet_b5", 2048)])
def test_features_are_as_many_as_the_literature_says(network, features):
    with torch.device("meta"):
        assert frame_networks.create(network).num_features == features


def test_mistakes_are_named():
    with pytest.raises(InputError, match=r"frame_cnn\.network: found 'resnet43', did you mean 'resnet34'"):
        frame_cnn.build(network="resnet43")
