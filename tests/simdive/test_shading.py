import numpy as np
import pytest

from aqa_pipeline.simdive.shading import Light, rasterise, shade

SIZE = dict(width=90, height=60)


def ball(x, y, z, radius):
    """A capsule without length: ends (1, 2, 3) and radii (1, 2)."""
    return np.full((1, 2, 3), [x, y, z], float), np.full((1, 2), float(radius))


def stack(*bodies):
    ends, radii = zip(*bodies, strict=True)
    return np.concatenate(ends)[None], np.concatenate(radii)


def test_a_ball_by_hand():
    buffer = rasterise(*stack(ball(40, 30, 5, 8)), **SIZE)
    assert buffer.coverage.sum() == pytest.approx(
        np.pi * 64, rel=0.01
    )  # edges are anti-aliased, so areas are right
    assert buffer.depth[0, 30 - buffer.top, 40 - buffer.left] == pytest.approx(5 + 8, abs=1 / 32)
    assert buffer.depth[0, 30 - buffer.top, 44 - buffer.left] == pytest.approx(5 + np.sqrt(48), abs=1 / 32)


def test_a_tapered_capsule_by_hand():
    ends = np.array([[[[20.0, 30, 0], [60, 30, 0]]]])
    buffer = rasterise(ends, np.array([[10.0, 4.0]]), **SIZE)
    across = buffer.coverage[0].sum(axis=0)
    for x, width in ((20, 20), (40, 14), (60, 8)):
        assert across[x - buffer.left] == pytest.approx(width, abs=0.3)
    assert (buffer.left, buffer.top) == (20 - 10 - 4, 30 - 10 - 4)


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_the_nearer_body_is_in_front(order):
    balls = [ball(40, 30, 0, 9), ball(46, 30, 20, 5)]
    buffer = rasterise(*stack(*(balls[i] for i in order)), **SIZE)
    row, left = buffer.nearest[0, 30 - buffer.top], buffer.left
    assert row[46 - left] == order.index(1)
    assert row[34 - left] == order.index(0)


def test_instants_are_drawn_independently():
    one, other = stack(ball(30, 20, 3, 6), ball(33, 24, 9, 4)), stack(ball(34, 22, 3, 6), ball(37, 26, 9, 4))
    both = rasterise(np.concatenate([one[0], other[0]]), one[1], **SIZE)
    for instant, (ends, radii) in enumerate((one, other)):
        alone = rasterise(ends, radii, **SIZE)
        h, w = alone.coverage.shape[1:]
        y, x = alone.top - both.top, alone.left - both.left
        np.testing.assert_array_equal(both.coverage[instant, y : y + h, x : x + w], alone.coverage[0])
        assert both.coverage[instant].sum() == pytest.approx(alone.coverage.sum())


def test_bodies_beyond_the_picture():
    assert rasterise(*stack(ball(-40, 30, 0, 8)), **SIZE) is None
    buffer = rasterise(*stack(ball(0, 30, 0, 8)), **SIZE)  # half of it inside
    assert buffer.left == 0
    assert buffer.coverage.sum() == pytest.approx(
        np.pi * 32 + 8, rel=0.03
    )  # the middle column is inside whole


@pytest.mark.parametrize(("direction", "brighter"), [((0, -1, 0.3), "top"), ((1, 0, 0.3), "right")])
def test_light_comes_from_where_it_is(direction, brighter):
    buffer = rasterise(*stack(ball(40, 30, 0, 12)), **SIZE)
    light = Light(direction=direction, gloss=0.0)
    colour = shade(buffer, np.array([[200.0, 150.0, 100.0]]), light, softness=1.0)[0]
    y, x = 30 - buffer.top, 40 - buffer.left
    lit = {"top": colour[y - 9, x], "right": colour[y, x + 9]}[brighter]
    dark = {"top": colour[y + 9, x], "right": colour[y, x - 9]}[brighter]
    assert (lit > 1.4 * dark).all()
    np.testing.assert_allclose(lit / lit[0], [1, 0.75, 0.5], rtol=1e-5)  # its own colour, only brighter


def test_wet_skin_shines():
    buffer = rasterise(*stack(ball(40, 30, 0, 12)), **SIZE)
    dull, wet = (
        shade(buffer, np.array([[90.0] * 3]), Light(gloss=gloss), softness=1.0) for gloss in (0.0, 0.3)
    )
    solid = buffer.coverage[0] > 0.9
    assert (wet - dull)[0][solid].max() == pytest.approx(255 * 0.3, rel=0.05)
    assert np.median((wet - dull)[0][solid]) < 255 * 0.1
