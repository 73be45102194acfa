"""What every system promises."""

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from torch.nn.modules.batchnorm import _BatchNorm

from aqa_pipeline import plugins
from aqa_pipeline.batches import Clips
from aqa_pipeline.training.adam import Adam

from .conftest import batch_for, built, facts_for, first_query, hidden, whole_part

NETWORKS = [
    name for name in plugins.available("systems") if "draws" in (plugins.constant("systems", name, "needs") or ())
]
CLASSICS = [name for name in plugins.available("systems") if name not in NETWORKS]
KNOWN_NEEDS = {
    *("features", "pictures", "draws", "exemplars", "sub_actions", "transitions", "captions"),
    *("masks", "splashes", "tubes", "truth"),
}


@pytest.mark.parametrize("name", plugins.available("systems"))
def test_needs_are_literal_and_known(name):
    needs = plugins.constant("systems", name, "needs")
    assert isinstance(needs, set)
    assert needs <= KNOWN_NEEDS


@pytest.mark.parametrize("name", NETWORKS)
def test_every_weight_learns(name):
    module = plugins.load("systems", name)
    model = built(module)
    for norm in model.modules():
        if isinstance(norm, _BatchNorm) and not norm.weight.any():
            torch.nn.init.ones_(norm.weight)  # as after a step: what begins as nothing passes no gradient on
    terms = model.loss(batch_for(module))
    sum(terms.values()).backward()
    learnt = {n: p for n, p in model.named_parameters() if p.requires_grad}
    assert [n for n, p in learnt.items() if p.grad is None or not (p.grad != 0).any()] == []
    assert all(term.ndim == 0 and torch.isfinite(term) for term in terms.values())


@pytest.mark.parametrize("name", NETWORKS)
def test_one_batch_is_learnt_by_heart(name):
    module = plugins.load("systems", name)
    model, batch = built(module).eval(), batch_for(module)  # without dropout
    for norm in model.modules():
        if isinstance(norm, _BatchNorm):
            norm.train()  # statistics nobody has learnt let the signal of a deep network fade away
    optimiser = Adam(model.parameters(), weight_decay=0.0, decoupled=False)
    losses = []
    for _ in range(500):
        losses.append(sum(model.loss(batch).values()))
        if losses[-1] < 0.05 * losses[0]:
            return
        losses[-1].backward()
        optimiser.step(0.01)
    pytest.fail(f"from {losses[0]:.3f} to {losses[-1]:.3f}")


@pytest.mark.parametrize("name", NETWORKS)
def test_a_prediction_a_query_that_does_not_depend_on_the_company(name):
    module = plugins.load("systems", name)
    model, batch = built(module).eval(), batch_for(module)
    together = model.predict(batch)
    assert together.shape == (len(batch) if isinstance(batch, Clips) else len(batch.query),)
    assert torch.isfinite(together).all()
    assert torch.allclose(model.predict(first_query(batch)), together[:1], atol=1e-5)


@pytest.mark.parametrize("name", NETWORKS)
def test_no_prediction_looks_at_the_truth_of_the_query(name):
    module = plugins.load("systems", name)
    model, batch = built(module).eval(), batch_for(module)
    assert torch.equal(model.predict(hidden(batch)), model.predict(batch))


@pytest.mark.parametrize("name", NETWORKS)
def test_weights_from_a_file_predict_the_same(name, tmp_path):
    module = plugins.load("systems", name)
    model, batch = built(module).eval(), batch_for(module)
    save_file({k: v.contiguous() for k, v in model.state_dict().items()}, tmp_path / "weights.safetensors")
    other = module.build(facts_for(module), **module.tiny).eval()
    other.load_state_dict(load_file(tmp_path / "weights.safetensors"))
    assert torch.equal(other.predict(batch), model.predict(batch))


@pytest.mark.parametrize("name", CLASSICS)
def test_weights_are_finite_arrays_and_predictions_numbers(name, facts):
    module = plugins.load("systems", name)
    clips = whole_part(module)
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
def test_fitting_twice_gives_the_same_bits(name, facts):
    module = plugins.load("systems", name)
    clips = whole_part(module)
    one, two = (module.fit(clips, facts, **getattr(module, "tiny", {})) for _ in range(2))
    assert {k: v.tobytes() for k, v in one.items()} == {k: v.tobytes() for k, v in two.items()}
