import numpy as np
import pytest
import torch
from sklearn.svm import NuSVR

from aqa_pipeline.batches import Clips, Facts
from aqa_pipeline.errors import InputError
from aqa_pipeline.systems import pose_dct

D = 6
FACTS = Facts(dims={"pose": D}, lengths={"pose": 0})


def clip(sequence: np.ndarray, target: float = 0.0) -> Clips:
    return Clips(
        inputs={"pose": torch.tensor(sequence, dtype=torch.float32)[None]},
        video_ids=("v",),
        target=torch.tensor([target]),
        difficulty=torch.ones(1),
        action_type=torch.zeros(1, dtype=torch.long),
    )


def swinging(count: int = 12, seed: int = 0) -> list[Clips]:
    """Clips of unequal lengths; the score is how far channel 1 swings, once up and down over the clip."""
    rng = np.random.default_rng(seed)
    clips = []
    for size in rng.uniform(1, 9, count):
        n = int(rng.integers(9, 15))
        sequence = 0.1 * rng.normal(size=(n, D))
        sequence[:, 1] += size * np.cos(2 * np.pi * (np.arange(n) + 0.5) / n)
        clips.append(clip(sequence, size))
    return clips


def test_a_cosine_is_one_coefficient():
    t = np.arange(8)
    sequence = np.stack([np.cos(np.pi / 8 * (t + 0.5) * 3), np.full(8, -2.0)], axis=1)
    found = pose_dct.spectra(sequence, "dct", 5, 1)
    assert found.shape == (1, 5, 2)
    assert found[0] == pytest.approx(np.array([[0, -2 * 8**0.5], [0, 0], [0, 0], [2, 0], [0, 0]]), abs=1e-12)


def test_a_turning_phase_does_not_matter_to_the_dft():
    t = np.arange(8)
    here, later = (np.cos(2 * np.pi * (t - shift) / 8)[:, None] for shift in (0, 1.3))
    strengths = np.abs(pose_dct.spectra(here, "dft", 3, 1))
    assert strengths[0, :, 0] == pytest.approx([0, 4, 0], abs=1e-12)
    assert np.abs(pose_dct.spectra(later, "dft", 3, 1)) == pytest.approx(strengths)


def test_stretches_end_as_in_the_released_code_and_short_ones_are_filled_up():
    sequence = np.arange(5.0)[:, None]  # ends at 0, 2.5 rounded up, 5
    found = pose_dct.spectra(sequence, "dct", 4, 2)
    assert found.shape == (2, 4, 1)
    assert found[0, 0, 0] == pytest.approx((0 + 1 + 2) / 3**0.5)
    assert found[1, 0, 0] == pytest.approx((3 + 4) / 2**0.5)
    assert found[0, 3, 0] == 0
    assert (found[1, 2:] == 0).all()


@pytest.mark.parametrize("transform", pose_dct.TRANSFORMS)
def test_it_predicts_as_scikit_learn_does(transform):
    train, test = swinging(), swinging(5, seed=1)
    weights = pose_dct.fit(train, FACTS, transform=transform, coefficients=4, segments=2, C=0.1)
    x, y = (
        np.stack([np.abs(pose_dct.spectra(pose_dct.sequence_of(c), transform, 4, 2)).ravel() for c in clips])
        for clips in (train, test)
    )
    theirs = NuSVR(kernel="linear", C=0.1, nu=0.5).fit(x, [float(c.target[0]) for c in train])
    assert pose_dct.predict(weights, test) == pytest.approx(theirs.predict(y))
    assert pose_dct.predict(weights, test) == pytest.approx([float(c.target[0]) for c in test], abs=1.5)


@pytest.mark.parametrize("transform", pose_dct.TRANSFORMS)
@pytest.mark.parametrize("segments", [1, 3])
def test_the_gradient_is_that_of_finite_differences(transform, segments):
    weights = pose_dct.fit(swinging(), FACTS, transform=transform, coefficients=4, segments=segments, C=0.1)
    sequence = np.random.default_rng(2).normal(size=(11, D))
    found = pose_dct.gradient(weights, sequence)
    assert found.shape == (11, D)
    for t, d in np.ndindex(11, D):
        step = np.zeros((11, D))
        step[t, d] = 1e-5
        change = pose_dct.score(weights, sequence + step) - pose_dct.score(weights, sequence - step)
        assert found[t, d] == pytest.approx(change / 2e-5, abs=1e-7)


def test_a_channel_that_never_moves_has_no_direction():
    weights = pose_dct.fit(swinging(), FACTS, coefficients=4)
    sequence = np.random.default_rng(2).normal(size=(11, D))
    sequence[:, :2] = 0
    assert (pose_dct.gradient(weights, sequence)[:, :2] == 0).all()


def test_mistakes_are_named():
    with pytest.raises(InputError, match=r"pose_dct.segments: found 20 for \d+ frames"):
        pose_dct.fit(swinging(3), FACTS, segments=20)
    with pytest.raises(InputError, match=r"pose_dct.transform: found 'dtc', did you mean 'dft'"):
        pose_dct.fit(swinging(3), FACTS, transform="dtc")
    with pytest.raises(InputError, match=r"pose_dct.coefficients: found 0, expected 1 or more"):
        pose_dct.fit(swinging(3), FACTS, coefficients=0)
