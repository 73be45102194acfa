import numpy as np
import pytest
from scipy.stats import spearmanr

from aqa_pipeline.simdive import catalogue, faults, judging
from aqa_pipeline.simdive.faults import Faults


def population(seed, count=400):
    """Verdicts of `count` dives without their motion."""
    rng = np.random.default_rng(seed)
    numbers = [catalogue.draw(rng) for _ in range(count)]
    latents = [faults.draw(rng, number, rng.normal()) for number in numbers]
    verdicts = [judging.judge(latent, number, rng) for latent, number in zip(latents, numbers, strict=True)]
    return numbers, latents, verdicts


def test_a_perfect_dive_gets_ten_and_a_fault_its_deduction():
    assert judging.true_mark(Faults()) == 10
    weight, scale = judging.DEDUCTIONS["rotation"]
    assert judging.true_mark(Faults(rotation=-scale)) == pytest.approx(10 - weight * (1 - np.exp(-1)))
    assert judging.true_mark(Faults(rotation=-400.0, loose=1e4)) == pytest.approx(
        10 - weight - judging.DEDUCTIONS["loose"][0]
    )
    assert set(judging.DEDUCTIONS) == set(faults.NAMES)


@pytest.mark.parametrize("name", faults.NAMES)
def test_more_of_a_fault_never_helps(name):
    scale = judging.DEDUCTIONS[name][1]
    marks = [judging.true_mark(Faults(**{name: x * scale})) for x in (0, 0.1, 0.5, 1, 2)]
    assert np.all(np.diff(marks) < 0)


def test_middle_three():
    assert judging.middle_three([9.5, 5, 6, 9, 7, 8, 10]) == 7 + 8 + 9 + 0.0
    assert judging.middle_three([6.5] * 7) == 19.5


def test_marks_are_halves_and_the_score_is_composed_of_them():
    number = catalogue.get("5253b")
    for seed, latent in enumerate((Faults(), Faults(loose=40.0, rotation=30.0, arms=60.0, arch=-40.0))):
        verdict = judging.judge(latent, number, np.random.default_rng(seed))
        marks = np.array(verdict.judge_scores)
        assert marks.shape == (7,)
        assert np.all(marks * 2 == np.round(marks * 2))
        assert 0 <= marks.min() <= marks.max() <= 10
        assert verdict.execution_score == judging.middle_three(marks)
        assert verdict.score == pytest.approx(3.2 * verdict.execution_score, abs=0.01)
        assert verdict.true_execution == pytest.approx(3 * judging.true_mark(latent))


def test_scores_are_spread_like_those_of_real_divers():
    for seed in (0, 1):
        numbers, _, verdicts = population(seed, 800)
        execution = np.array([v.execution_score for v in verdicts])
        difficulty = np.array([n.difficulty for n in numbers])
        score = np.array([v.score for v in verdicts])
        true = np.array([v.true_execution for v in verdicts])
        assert 20 < execution.mean() < 22
        assert 4 < execution.std() < 5.2
        assert 0.48 < spearmanr(difficulty, score)[0] < 0.68
        assert spearmanr(true * difficulty, score)[0] > 0.985


def test_the_weight_rests_on_faults_that_can_be_seen():
    latents = population(3)[1]
    taken = np.array([list(judging.deductions(latent).values()) for latent in latents])  # (400, faults)
    share = {name: np.cov(taken[:, i], taken.sum(1))[0, 1] / taken.sum(1).var() for i, name in enumerate(faults.NAMES)}
    assert sum(share.values()) == pytest.approx(1, abs=0.01)
    assert share["splash"] + share["toes"] + share["distance"] + share["twist"] < 0.2
    assert min(share[name] for name in ("loose", "opening", "rotation", "arch", "line_knees")) > 0.06
