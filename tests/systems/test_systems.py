"""What every system promises."""

import numpy as np
import pytest
import torch

from aqa_pipeline import plugins

NETWORKS = [
    name for name in plugins.available("systems") if "draws" in (plugins.constant("systems", name, "needs") or ())
]
CLASSICS = [name for name in plugins.available("systems") if name not in NETWORKS]
KNOWN_NEEDS = {"features", "draws", "exemplars", "sub_actions", "transitions", "truth"}


@pytest.mark.parametrize("name", plugins.available("systems"))
def test_needs_are_literal_and_known(name):
    needs = plugins.constant("systems", name, "needs")
    assert isinstance(needs, set)
    assert needs <= KNOWN_NEEDS


@pytest.mark.parametrize("name", NETWORKS)
def test_every_weight_learns(name, facts, pairs):
    module = plugins.load("systems", name)
    torch.manual_seed(0)
    model = module.build(facts, **module.tiny)
    terms = model.loss(pairs)
    sum(terms.values()).backward()
    learnt = {n: p for n, p in model.named_parameters() if p.requires_grad}
    assert [n for n, p in learnt.items() if p.grad is None or not (p.grad != 0).any()] == []
    assert all(term.ndim == 0 and torch.isfinite(term) for term in terms.values())


@pytest.mark.parametrize("name", NETWORKS)
def test_a_prediction_a_query_that_does_not_depend_on_the_company(name, facts, pairs):
    module = plugins.load("systems", name)
    torch.manual_seed(0)
    model = module.build(facts, **module.tiny).eval()
    together = model.predict(pairs)
    assert together.shape == (len(pairs.query),)
    alone = type(pairs)(
        pairs.query.rows(torch.tensor([1])), pairs.exemplar.rows(torch.tensor([1, 2])), torch.tensor([0, 0])
    )
    assert torch.allclose(model.predict(alone), together[1:2], atol=1e-5)


@pytest.mark.parametrize("name", CLASSICS)
def test_weights_are_finite_arrays_and_predictions_numbers(name, facts, clips):
    module = plugins.load("systems", name)
    options = getattr(module, "tiny", {})
    weights = module.fit(clips, facts, **options)
    assert all(isinstance(value, np.ndarray) and value.dtype != object for value in weights.values())
    predicted = module.predict(weights, clips)
    assert predicted.shape == (len(clips),)
    if hasattr(module, "segment"):
        assert module.segment(weights, clips).shape == (len(clips), 2)
        predicted = module.segment(weights, clips)
    assert np.isfinite(predicted).all()


@pytest.mark.parametrize("name", CLASSICS)
def test_fitting_twice_gives_the_same_bits(name, facts, clips):
    module = plugins.load("systems", name)
    one, two = (module.fit(clips, facts, **getattr(module, "tiny", {})) for _ in range(2))
    assert {k: v.tobytes() for k, v in one.items()} == {k: v.tobytes() for k, v in two.items()}
