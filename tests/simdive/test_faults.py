import numpy as np
import pytest

from aqa_pipeline.errors import InputError
from aqa_pipeline.simdive import catalogue, faults


def sample(number, skills, seed=0):
    rng = np.random.default_rng(seed)
    drawn = [faults.draw(rng, catalogue.get(number), skill).as_dict() for skill in skills]
    return {name: np.array([d[name] for d in drawn]) for name in faults.NAMES}


def test_skill_makes_all_faults_smaller_and_ties_them_together():
    skills = np.random.default_rng(1).normal(size=1500)
    values = sample("5253b", skills)
    size = {name: np.log(np.abs(v) + 1e-9) for name, v in values.items()}
    for name in set(faults.NAMES) - {"distance"}:
        assert np.corrcoef(size[name], skills)[0, 1] < -0.2, name
    assert 0.15 < np.corrcoef(size["loose"], size["rotation"])[0, 1] < 0.6


def test_signs_and_bounds():
    values = sample("107b", np.full(1500, -1.0))
    for name in ("lean", "distance", "rotation", "arch", "twist"):
        assert 0.4 < (values[name] > 0).mean() < 0.6, name
    for name in ("knees", "legs_apart", "loose", "opening", "line_knees", "arms", "toes"):
        assert values[name].min() > 0, name
    assert np.abs(values["rotation"]).max() <= 40
    assert values["opening"].max() <= 0.28
    assert values["splash"].min() > 0
    assert values["splash"].max() < 1


def test_splash_comes_from_the_line_at_entry():
    values = sample("407c", np.zeros(1500))
    line = np.abs(values["rotation"]) / 20 + np.abs(values["arch"]) / 35
    assert 0.3 < np.corrcoef(line, values["splash"])[0, 1] < 0.9
    assert abs(np.corrcoef(values["loose"], values["splash"])[0, 1]) < 0.12


def test_bent_knees_are_no_fault_in_a_tuck():
    assert np.all(sample("407c", np.zeros(5))["knees"] == 0)


def test_faults_are_put_in_to_the_side_they_had():
    number = catalogue.get("107b")
    drawn = [faults.draw(np.random.default_rng(i), number, 0.0) for i in range(8)]
    for latent in drawn:
        found = faults.injected(latent, number, {"lean": 20.0}, others=0.25)
        assert found.lean == np.copysign(20.0, latent.lean)
        assert found.rotation == 0.25 * latent.rotation
    assert len({np.sign(latent.lean) for latent in drawn}) == 2


def test_knees_are_not_put_into_a_tuck():
    number = catalogue.get("407c")
    latent = faults.draw(np.random.default_rng(0), number, 0.0)
    assert faults.injected(latent, number, {"knees": 30.0}).knees == 0


def test_a_fault_that_is_none_is_named():
    number = catalogue.get("407c")
    with pytest.raises(InputError, match="inject: found 'knee', did you mean 'knees'"):
        faults.injected(faults.Faults(), number, {"knee": 30.0})
