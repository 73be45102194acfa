"""Heatmaps: what goes in comes out, to a fraction of a cell."""

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from aqa_pipeline.layers import heatmaps

H, W = 18, 25


def test_encode_by_hand():
    maps = heatmaps.encode(torch.tensor([[3.0, 2.0], [0.5, 17.0]]), height=H, width=W, sigma=2.0)
    assert maps.shape == (2, H, W)
    assert maps[0, 2, 3] == 1.0
    assert maps[0, 2, 5] == pytest.approx(np.exp(-0.5))  # one sigma to the right
    assert maps[0, 4, 5] == pytest.approx(np.exp(-1.0))  # and one down
    assert maps[1, 17, 0] == maps[1, 17, 1] == pytest.approx(np.exp(-0.25 / 8))  # half a cell to either side


@settings(max_examples=60, deadline=None)
@given(x=st.floats(3, W - 4), y=st.floats(3, H - 4), height=st.floats(0.05, 3.0))
def test_dark_finds_the_top_of_a_gaussian(x, y, height):
    # Far from the border the blur keeps a Gaussian a Gaussian and one Newton step is exact.
    middle_x, middle_y = np.clip([x, y], 8, [W - 9, H - 9])
    maps = height * heatmaps.encode(torch.tensor([middle_x, middle_y]), height=H, width=W, sigma=2.0)
    found = heatmaps.decode(maps, kernel=3)
    assert found[:2].numpy() == pytest.approx([middle_x, middle_y], abs=0.02)
    # Anywhere inside, the truncated blur costs at most a quarter of a cell.
    maps = height * heatmaps.encode(torch.tensor([x, y]), height=H, width=W, sigma=1.5)
    assert heatmaps.decode(maps, kernel=7)[:2].numpy() == pytest.approx([x, y], abs=0.25)


def test_newton_step_by_hand():
    # log map = -(x - 0.25)^2 / 2 - (y + 0.5)^2 / 4 + 0.1 x y with x and y from -2 to 2: a parabola, so the
    # step is exact. Its top solves 0 = -(x - 0.25) + 0.1 y and 0 = -(y + 0.5) / 2 + 0.1 x.
    y, x = torch.meshgrid(torch.arange(-2.0, 3), torch.arange(-2.0, 3), indexing="ij")
    log_map = -((x - 0.25) ** 2) / 2 - (y + 0.5) ** 2 / 4 + 0.1 * x * y
    top = np.linalg.solve([[-1.0, 0.1], [0.1, -0.5]], [-0.25, 0.25])
    step = heatmaps._newton_step(log_map[None], torch.tensor([True]))
    assert step[0].numpy() == pytest.approx(top, abs=1e-5)
    assert (heatmaps._newton_step(log_map[None], torch.tensor([False])) == 0).all()


def test_argmax_and_dark_differ_only_below_a_cell():
    maps = heatmaps.encode(torch.tensor([[10.3, 9.4], [10.8, 9.4]]), height=H, width=W, sigma=2.0)
    plain, fine = heatmaps.decode(maps, dark=False), heatmaps.decode(maps)
    assert plain[:, :2].tolist() == [[10, 9], [11, 9]]
    assert fine[:, 0].numpy() == pytest.approx([10.3, 10.8], abs=0.05)
    assert (plain[:, 2] == fine[:, 2]).all()
    assert (plain[:, 2] < 1).all()


@pytest.mark.parametrize("corner", [(0, 0), (1, 9), (W - 1, H - 1), (W - 2, 9), (12, 1), (12, H - 2)])
def test_cells_at_the_border_are_not_refined(corner):
    maps = heatmaps.encode(torch.tensor(corner) + 0.2, height=H, width=W, sigma=2.0)
    assert tuple(heatmaps.decode(maps)[:2].tolist()) == corner


def test_empty_and_flat_maps_stay_finite():
    maps = torch.stack([torch.zeros(H, W), torch.full((H, W), -0.3), torch.full((H, W), 0.5)])
    found = heatmaps.decode(maps)
    assert found[0].tolist() == [0, 0, 0]
    assert found[1].tolist() == [0, 0, pytest.approx(-0.3)]
    assert torch.isfinite(found).all()
    assert found[2, 2] == 0.5


def test_leading_axes_are_kept_and_maps_do_not_mix():
    points = torch.tensor(
        [[[9.0, 8.0], [15.5, 9.5], [12.25, 10.0]], [[11.0, 7.0], [16.0, 8.5], [8.5, 9.0]]]
    )  # (2, 3, 2)
    found = heatmaps.decode(heatmaps.encode(points, height=H, width=W, sigma=1.5), kernel=5)
    assert found.shape == (2, 3, 3)
    assert found[..., :2].numpy() == pytest.approx(points.numpy(), abs=0.05)


@pytest.mark.parametrize("peak", [(12, 8), (0, 0), (W - 1, H - 1), (1, H - 2)])
def test_neighbourhood_is_the_zero_padded_gaussian_of_opencv(peak):
    image = np.random.default_rng(0).random((H, W)).astype(np.float32)
    image[peak[1], peak[0]] = 3.0
    blurred = cv2.GaussianBlur(image, (11, 11), 0, borderType=cv2.BORDER_CONSTANT)
    padded = np.pad(blurred, 2)[peak[1] : peak[1] + 5, peak[0] : peak[0] + 5]
    x, y = torch.tensor([peak[0]]), torch.tensor([peak[1]])
    ours = heatmaps._log_neighbourhood(torch.from_numpy(image)[None], torch.tensor([3.0]), x, y, 11)[0].exp().numpy()
    inside = padded > 0  # beyond the border OpenCV gives nothing, and no step is taken from there
    assert ours[inside] / ours[2, 2] == pytest.approx(padded[inside] / padded[2, 2], rel=1e-3)
    assert ours.max() == pytest.approx(3.0, rel=1e-5)


def test_a_second_peak_below_the_first_does_not_move_it():
    maps = heatmaps.encode(torch.tensor([[6.0, 9.0], [19.0, 9.0]]), height=H, width=W, sigma=1.0)
    found = heatmaps.decode(maps[0] + 0.6 * maps[1], kernel=3)
    assert found.numpy() == pytest.approx([6.0, 9.0, 1.0], abs=0.02)


def test_a_distribution_becomes_a_heatmap_and_nowhere_takes_from_it():
    sigma = 1.5
    truth = heatmaps.encode(torch.tensor([[[9.3, 8.6], [12.0, 9.5]]]), height=H, width=W, sigma=sigma)  # (1, 2, h, w)
    cells = truth.clamp(min=1e-20).log()
    mass = 2 * np.pi * sigma**2  # so much a Gaussian of peak 1 adds up to
    sure = heatmaps.from_logits(cells, torch.full((1, 2), -40.0), sigma=sigma)
    assert heatmaps.decode(sure, kernel=7)[0].numpy() == pytest.approx(
        np.array([[9.3, 8.6, 0.91], [12, 9.5, 0.95]]), abs=0.06
    )
    torch.testing.assert_close(sure, truth, atol=2e-3, rtol=0)
    half = heatmaps.from_logits(cells, torch.full((1, 2), np.log(mass)), sigma=sigma)  # as likely nowhere as anywhere
    torch.testing.assert_close(half, truth / 2, atol=2e-3, rtol=0)


def test_cross_entropy_by_hand():
    # Three cells with chances 1/2, 1/4, 1/8 and nowhere 1/8.
    cells, nowhere = torch.tensor([[[[0.5, 0.25, 0.125]]]]).log(), torch.tensor([[0.125]]).log()
    everything = 2 * np.pi * 0.5**2
    target = everything * torch.tensor([[[[0.5, 0.5, 0.0]]]])
    assert heatmaps.cross_entropy(cells, nowhere, target, sigma=0.5) == pytest.approx(1.5 * np.log(2))
    assert heatmaps.cross_entropy(cells, nowhere, 0 * target, sigma=0.5) == pytest.approx(3 * np.log(2))
    assert heatmaps.cross_entropy(cells, nowhere, target / 2, sigma=0.5) == pytest.approx(2.25 * np.log(2))


def test_cross_entropy_is_least_at_the_truth():
    target = heatmaps.encode(torch.tensor([[[9.0, 8.0]]]), height=H, width=W, sigma=1.5)
    logits = [
        target.clamp(min=1e-9).log(),
        torch.roll(target, 1, dims=3).clamp(min=1e-9).log(),
        torch.zeros_like(target),
    ]
    values = [float(heatmaps.cross_entropy(x, torch.full((1, 1), -20.0), target, sigma=1.5)) for x in logits]
    assert values[0] < values[1] < values[2]
