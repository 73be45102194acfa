import numpy as np
import pytest
import torch

from aqa_pipeline.batches import Clips, Facts
from aqa_pipeline.errors import InputError
from aqa_pipeline.systems import _independent_subspaces as isa
from aqa_pipeline.systems import conv_isa

FACTS = Facts(dims={}, lengths={}, pictures=(6, 9, 8))
OPTIONS = conv_isa.tiny | dict(blocks=120, words=6)
LARGER = OPTIONS | dict(components=[12, 12], filters=[12, 12], blocks=600, words=20, steps=50)


def planted(count: int = 4000, subspaces: int = 3, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """White inputs (N, 2 subspaces) in which the two values of a subspace are large together, and their axes."""
    rng = np.random.default_rng(seed)
    lengths = rng.gamma(0.3, size=(count, subspaces, 1))
    angles = rng.uniform(0, 2 * np.pi, size=(count, subspaces))
    values = (lengths * np.stack([np.cos(angles), np.sin(angles)], axis=2)).reshape(count, -1)
    values /= values.std(axis=0)
    axes = np.linalg.qr(rng.normal(size=(2 * subspaces, 2 * subspaces)))[0]
    return values @ axes, axes


def test_responses_by_hand():
    inputs = np.array([[3.0, 4.0, -5.0, 12.0], [0, 0, 1, 0]])
    assert isa.responses(inputs, np.eye(4), group=2) == pytest.approx(np.array([[5, 13], [0, 1]]), abs=2e-4)
    assert isa.responses(inputs, np.eye(4)[:2], group=1) == pytest.approx(np.array([[3, 4], [0, 0]]), abs=2e-4)


def test_the_nearest_orthonormal_filters():
    found = isa.orthonormal(np.array([[2.0, 0, 0], [0, 3, 4]]))
    assert found == pytest.approx(np.array([[1, 0, 0], [0, 0.6, 0.8]]))


def test_the_slope_is_that_of_finite_differences():
    rng = np.random.default_rng(1)
    inputs, filters = rng.normal(size=(7, 5)), rng.normal(size=(4, 5))
    slope = isa._objective(inputs, filters, 2)[1]
    for place in np.ndindex(4, 5):
        step = np.zeros((4, 5))
        step[place] = 1e-5
        change = isa._objective(inputs, filters + step, 2)[0] - isa._objective(inputs, filters - step, 2)[0]
        assert slope[place] == pytest.approx(change / 2e-5, abs=1e-7)


def test_planted_subspaces_are_found():
    inputs, axes = planted()
    starts = [isa.learn(inputs, filters=6, group=2, steps=100, seed=seed) for seed in range(4)]
    for filters, values in starts:
        assert filters @ filters.T == pytest.approx(np.eye(6), abs=1e-9)
        assert np.diff(values).max() < 0
    filters, _ = min(starts, key=lambda start: start[1][-1])  # some end where two groups share two subspaces
    shares = ((filters @ axes.T) ** 2).reshape(3, 2, 3, 2).sum(axis=(1, 3)) / 2  # of a learnt in a planted subspace
    assert sorted(shares.argmax(axis=1)) == [0, 1, 2]
    assert shares.max(axis=1).min() > 0.95


def moving(count: int, seed: int = 0) -> list[Clips]:
    """Noise that drifts to the right, more slowly the higher the score; a score of 0 or 1."""
    rng = np.random.default_rng(seed)
    clips = []
    for number in range(count):
        still = number % 2
        strip = rng.integers(0, 256, size=(9, 40))
        pictures = np.stack([strip[:, 24 - (0 if still else 3 * t) :][:, :8] for t in range(6)])
        clips.append(
            Clips(
                inputs={"frames": torch.tensor(pictures, dtype=torch.uint8)[None, :, None].repeat(1, 1, 3, 1, 1)},
                video_ids=(f"v{number}",),
                target=torch.tensor([float(still)]),
                difficulty=torch.ones(1),
                action_type=torch.zeros(1, dtype=torch.long),
            )
        )
    return clips


@pytest.mark.parametrize("kernel", conv_isa.KERNELS)
def test_motion_is_told_from_rest(kernel):
    weights = conv_isa.fit(moving(24), FACTS, **LARGER, kernel=kernel, seed=0)
    predicted = conv_isa.predict(weights, moving(10, seed=1))
    assert predicted[1::2].min() > predicted[::2].max()


def test_a_clip_is_shares_of_words():
    weights = conv_isa.fit(moving(6), FACTS, **OPTIONS, seed=0)
    counts = conv_isa._counts(moving(1, seed=2)[0], weights)
    assert counts.shape == (6,)
    assert counts.sum() == pytest.approx(1)
    assert (counts * 4 * 2 * 1 == np.round(counts * 8)).all()  # starts at 0, 1, 2, 3; 0, 3; 0: eight blocks


def test_patches_are_the_corners_of_blocks_less_their_means():
    block = np.arange(12.0).reshape(1, 2, 2, 3)
    found = conv_isa._patches(block, [1, 1, 2])
    assert found.shape == (1, 8, 2)
    assert (found == [-0.5, 0.5]).all()
    deep = conv_isa._patches(block, [2, 1, 1])  # of 0 and 6, of 2 and 8, twice each
    assert (deep[0] == [-3, 3]).all()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (dict(block=[7, 6, 6]), r"conv_isa.block: found \[7, 6, 6\], expected \[6, 9, 8\] at most, as the pictures"),
        (dict(patch=[2, 7, 4]), r"conv_isa.patch: found \[2, 7, 4\], expected \[3, 6, 6\] at most"),
        (dict(words=900), "conv_isa.blocks: found 120, expected 900 or more"),
        (dict(filters=[3, 4]), "isa: found 3 filters in groups of 2 for 6 values"),
        (dict(components=[33, 4]), "conv_isa.components: found 33, expected 32 at most"),
        (dict(kernel="chi"), "conv_isa.kernel: found 'chi', did you mean 'chi_square'"),
    ],
)
def test_mistakes_are_named(options, message):
    with pytest.raises(InputError, match=message):
        conv_isa.fit(moving(4), FACTS, **(OPTIONS | options))
