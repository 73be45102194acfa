"""The detector: candidates in picture pixels for pictures of any size, a batch at a time."""

import numpy as np
import pytest
import torch

from aqa_pipeline import weights
from aqa_pipeline.backbones import centre_net
from aqa_pipeline.detection import embedded


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    torch.manual_seed(4)
    path = tmp_path_factory.mktemp("weights") / "small.safetensors"
    facts = dict(network="centre_net", options=centre_net.tiny, input_height=48, input_width=80)
    weights.save(path, centre_net.build(**centre_net.tiny).state_dict(), **facts)
    return str(path)


class OneBox:
    """Stands for the network: an athlete of 16 x 24 input pixels centred on (42, 26), and a weaker one."""

    stride = 4

    def __call__(self, pictures):
        count = len(pictures)
        centre = torch.full((count, 12, 20), -9.0)
        centre[:, 6, 10], centre[:, 2, 3] = 3.0, -1.0
        size = torch.tensor([16 / 4, 24 / 4]).log()[None, :, None, None].expand(count, -1, 12, 20)
        return dict(centre=centre, offset=torch.zeros(count, 2, 12, 20), size=size)


def test_boxes_are_in_picture_pixels(path, monkeypatch):
    detector = embedded.build(weights=path)
    monkeypatch.setattr(detector, "_network", OneBox())
    frames = [np.zeros((96, 160, 3), np.uint8), np.zeros((96, 100, 3), np.uint8), np.zeros((24, 40, 3), np.uint8)]
    first, second, third = detector(frames)
    assert first[0, :4].tolist() == [68, 28, 100, 76]  # twice the input's size
    assert second[0, :4].tolist() == [68, 28, 100, 76]  # also twice, filled up on the right, cut at the edge
    assert third[0, :4].tolist() == [17, 7, 25, 19]
    assert first[:, 4].tolist() == pytest.approx([0.9526, 0.2689], abs=1e-3)
    assert first.dtype == np.float32


def test_streams_one_batch_at_a_time(path):
    read = []

    def frames():
        for i in range(7):
            read.append(i)
            yield np.full((48, 80, 3), 30 * i, np.uint8)

    found = embedded.build(weights=path, batch=3)(frames())
    next(found)
    assert read == [0, 1, 2]
    rest = list(found)
    assert len(rest) == 6
    assert all(boxes.shape[1] == 5 for boxes in rest)


def test_limit_and_least(path):
    frame = np.random.default_rng(0).integers(0, 255, (48, 80, 3), np.uint8)
    few = next(embedded.build(weights=path, limit=2, least=0.0)([frame]))
    assert len(few) == 2
    assert few[0, 4] >= few[1, 4]
    assert next(embedded.build(weights=path, least=0.999)([frame])).shape == (0, 5)
