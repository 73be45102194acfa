"""Frozen batch normalisation: the statistics stay, scale and shift learn, copies are alike."""

import copy
import pickle

import pytest
import torch
from torch import nn

from aqa_pipeline.layers.normalisation import frozen_batch_norm, normalised_convolution, without_biases


@pytest.fixture
def network():
    model = nn.Sequential(nn.Conv1d(2, 3, 1), nn.BatchNorm1d(3), nn.Dropout(0.5))
    model[1].running_mean.copy_(torch.tensor([1.0, -2.0, 0.5]))
    return model


def copies(model):
    return [model, copy.deepcopy(model), pickle.loads(pickle.dumps(model))]


def test_statistics_stay_and_weights_learn(network):
    names, before = list(network.state_dict()), network[1].running_mean.clone()
    assert frozen_batch_norm(network) is network
    assert list(network.state_dict()) == names
    for model in copies(network):
        model.train()
        x = torch.randn(4, 2, 5) + 3
        answer = model[:2](x)
        torch.testing.assert_close(answer, (model[0](x) - before[:, None]) / (1 + model[1].eps) ** 0.5)
        answer.pow(2).sum().backward()
        assert model[1].weight.grad.abs().min() > 0
        assert model[1].running_mean.equal(before)
        assert model[1].num_batches_tracked == 0
        assert model[2].training  # everything else is in training


def test_what_is_not_frozen_goes_on_counting(network):
    network.train()(torch.randn(4, 2, 5))
    assert network[1].num_batches_tracked == 1


def test_twice_is_once(network):
    frozen_batch_norm(frozen_batch_norm(network))
    assert len(network[1]._forward_pre_hooks) == 1


@pytest.fixture
def block():
    torch.manual_seed(0)
    conv, norm = nn.Conv3d(2, 3, (1, 3, 2), stride=(1, 2, 1), padding=1, bias=False), nn.BatchNorm3d(3)
    for of, low, high in (
        (norm.weight, 0.5, 2),
        (norm.bias, -1, 1),
        (norm.running_mean, -1, 1),
        (norm.running_var, 0.5, 2),
    ):
        nn.init.uniform_(of, low, high)
    return nn.ModuleList([conv, norm]).double()


def answer_and_gradients(block, answer, x):
    block.zero_grad()
    y = answer(x)
    y.pow(3).mean().backward()
    return y, [weight.grad.clone() for weight in block.parameters()]


@pytest.mark.parametrize("frozen", [True, False])
def test_a_scaled_convolution_answers_and_learns_as_the_two(block, frozen):
    (conv, norm), x = block, torch.randn(2, 2, 4, 5, 6).double()
    if frozen:
        frozen_batch_norm(block)
    block.train()
    expected, of = answer_and_gradients(block, lambda x: norm(conv(x)), x)
    block.train()
    norm.reset_running_stats() if not frozen else None
    found, gradients = answer_and_gradients(block, lambda x: normalised_convolution(conv, norm, x), x)
    torch.testing.assert_close(found, expected)
    torch.testing.assert_close(gradients, of)
    assert norm.num_batches_tracked == (0 if frozen else 1)


def test_a_bias_before_a_normalisation_is_part_of_its_mean(block):
    biased = nn.Conv3d(2, 3, (1, 3, 2), stride=(1, 2, 1), padding=1).double()
    theirs = {f"conv.{name}": tensor for name, tensor in biased.state_dict().items()}
    theirs |= {f"norm.{name}": tensor for name, tensor in block[1].state_dict().items()}
    found, x = without_biases(theirs, {"conv": "norm", "other": "norm"}), torch.randn(2, 2, 4, 5, 6).double()
    assert theirs.keys() - found.keys() == {"conv.bias"}
    expected = block.eval()[1](biased(x))
    block.load_state_dict({f"{'01'[name[0] == 'n']}.{name[5:]}": tensor for name, tensor in found.items()})
    torch.testing.assert_close(block[1](block[0](x)), expected)
