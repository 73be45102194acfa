import pytest
import torch
from torch import nn

from aqa_pipeline.training.adam import Adam


@pytest.mark.parametrize("decoupled", [True, False])
def test_steps_are_those_of_torch(decoupled):
    torch.manual_seed(0)
    ours, theirs = nn.Linear(5, 3), nn.Linear(5, 3)
    theirs.load_state_dict(ours.state_dict())
    stepper = Adam(ours.parameters(), weight_decay=0.3, decoupled=decoupled)
    kind = torch.optim.AdamW if decoupled else torch.optim.Adam
    groups = [dict(params=[theirs.weight], weight_decay=0.3), dict(params=[theirs.bias], weight_decay=0.0)]
    reference = kind(groups, lr=1.0)
    for step in range(20):
        x = torch.randn(4, 5)
        for model in (ours, theirs):
            model(x).square().sum().backward()
        reference.param_groups[0]["lr"] = reference.param_groups[1]["lr"] = lr = 0.1 / (1 + step)
        stepper.step(lr)
        reference.step()
        reference.zero_grad()
        assert torch.allclose(ours.weight, theirs.weight, atol=1e-6)
        assert torch.allclose(ours.bias, theirs.bias, atol=1e-6)


def test_each_weight_can_have_a_rate_of_its_own():
    torch.manual_seed(0)
    ours, theirs = nn.Linear(5, 3), nn.Linear(5, 3)
    theirs.load_state_dict(ours.state_dict())
    stepper = Adam(ours.parameters(), weight_decay=0.3, decoupled=True)
    groups = [dict(params=[theirs.weight], weight_decay=0.3, lr=0.1), dict(params=[theirs.bias], weight_decay=0.0)]
    reference = torch.optim.AdamW(groups, lr=0.01)
    for _ in range(20):
        x = torch.randn(4, 5)
        for model in (ours, theirs):
            model(x).square().sum().backward()
        stepper.step([0.1, 0.01])
        reference.step()
        reference.zero_grad()
    assert torch.allclose(ours.weight, theirs.weight, atol=1e-6)
    assert torch.allclose(ours.bias, theirs.bias, atol=1e-6)


def test_it_goes_on_from_its_state():
    whole, half, rest = (nn.Parameter(torch.tensor([[3.0, -1.0]])) for _ in range(3))

    def step(stepper, weight):
        weight.square().sum().backward()
        stepper.step(0.1)

    one, two, three = (Adam([weight], weight_decay=0.1, decoupled=True) for weight in (whole, half, rest))
    for _ in range(6):
        step(one, whole)
    for _ in range(3):
        step(two, half)
    rest.data.copy_(half.data)
    three.restore(two.state())
    for _ in range(3):
        step(three, rest)
    assert torch.equal(rest, whole)


def test_no_gradient_is_left_and_a_weight_without_one_stays():
    used, unused = nn.Parameter(torch.ones(2, 2)), nn.Parameter(torch.ones(2, 2))
    stepper = Adam([used, unused], weight_decay=0.1, decoupled=True)
    used.sum().backward()
    stepper.step(0.1)
    assert used.grad is None
    assert bool((used < 1).all())
    assert bool((unused == 1).all())
