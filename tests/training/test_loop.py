import numpy as np
import pytest
import torch
from torch import nn

from aqa_pipeline.batches import Clips
from aqa_pipeline.errors import InputError
from aqa_pipeline.training.loop import Engine, Optimiser, choose_device, fit

B, D = 6, 4


class Line(nn.Module):
    """target = slopes . features, with dropout so that random numbers are drawn."""

    def __init__(self) -> None:
        super().__init__()
        self.slopes, self.drop = nn.Linear(D, 1), nn.Dropout(0.05)

    def loss(self, batch):
        return {"error": (self.predict(batch) - batch.target).square().mean(), "size": 0.01 * self.slopes.weight.norm()}

    def predict(self, batch):
        return self.slopes(self.drop(batch.inputs["pose"].mean(dim=1)))[:, 0]


class Batches:
    """Clips whose target is a line of their features; queries in the order of the whole step."""

    def __init__(self, n: int, target: float | None = None, size: int = B) -> None:
        generator = torch.Generator().manual_seed(0)
        self.sizes, self.steps = [size] * n, []
        for _ in range(n):
            features = torch.randn(size, 3, D, generator=generator)
            y = features.mean(dim=1) @ torch.tensor([1.0, -2, 3, 0])
            y = y if target is None else torch.full((size,), target)
            ids = tuple(f"v{i}" for i in range(size))
            self.steps.append(Clips({"pose": features}, ids, y, torch.ones(size), torch.zeros(size, dtype=torch.long)))

    def read(self, step: int, rows: slice) -> Clips:
        return self.steps[step].rows(torch.arange(len(self.steps[step]))[rows])


OF_FIT = ("judge", "seed", "workers", "checkpoint")


def trained(steps: int = 60, *, engine: dict | None = None, model: nn.Module | None = None, **options):
    torch.manual_seed(0)
    model = model or Line()
    of_fit = {name: options.pop(name) for name in OF_FIT if name in options}
    optimiser, chosen = Optimiser(**{**dict(lr=0.1), **options}), Engine(**{**dict(judge_every=10), **(engine or {})})
    return model, fit(model, Batches(steps), optimiser=optimiser, engine=chosen, device="cpu", **of_fit)


def test_it_learns_a_line_and_says_how():
    model, history = trained(200)
    assert model.slopes.weight[0].tolist() == pytest.approx([1, -2, 3, 0], abs=0.35)
    assert [row["step"] for row in history] == list(range(10, 201, 10))
    assert set(history[0]) == {"step", "lr", "gradient_norm", "loss", "error", "size", "selection"}
    assert history[-1]["error"] < 0.3 * history[0]["error"]
    assert history[0]["loss"] == pytest.approx(history[0]["error"] + history[0]["size"])
    assert not model.training


def test_the_same_seed_gives_the_same_weights_bit_by_bit_and_leaves_no_trace():
    torch.manual_seed(9)
    before = torch.random.get_rng_state()
    one, again, other = (trained(seed=seed)[0].slopes.weight.detach().numpy() for seed in (1, 1, 2))
    assert one.tobytes() == again.tobytes() != other.tobytes()
    torch.manual_seed(9)
    fit(Line(), Batches(3), device="cpu")
    torch.manual_seed(9)
    assert torch.equal(torch.random.get_rng_state(), before)


def test_the_rate_rises_and_falls():
    rates = [Optimiser(warm_up=0.2).rate(step, 50) for step in range(50)]
    assert rates[:10] == pytest.approx(np.arange(1, 11) / 10)
    assert rates[10] == 1
    assert rates[30] == pytest.approx(0.5)
    assert sorted(rates[10:], reverse=True) == rates[10:]
    assert {Optimiser(warm_up=0, schedule="constant").rate(step, 50) for step in range(50)} == {1.0}


def test_gradients_are_clipped():
    _, history = trained(10, clip=1e-6, warm_up=0.0)
    start = torch.manual_seed(0) and Line()
    assert history[0]["gradient_norm"] > 0.1  # reported as it was
    model, _ = trained(1, clip=1e-30, weight_decay=0.0)
    assert torch.allclose(model.slopes.weight, start.slopes.weight, atol=1e-6)


def test_the_judge_keeps_the_weights_it_liked_best():
    values = iter([1.0, 5.0, 3.0])
    seen = []

    def judge(model):
        assert not model.training
        seen.append(model.slopes.weight.detach().clone())
        return next(values)

    model, history = trained(30, judge=judge)
    assert torch.equal(model.slopes.weight, seen[1])
    assert not torch.equal(seen[1], seen[2])
    assert [row["selection"] for row in history] == [1.0, 5.0, 3.0]


def test_averaged_weights_lie_between_those_on_the_way():
    last, _ = trained(100, warm_up=0.0, schedule="constant")
    mean, _ = trained(100, warm_up=0.0, schedule="constant", average=0.9)
    assert not torch.equal(last.slopes.weight, mean.slopes.weight)
    wanted = torch.tensor([1.0, -2, 3, 0])
    assert (mean.slopes.weight - wanted).norm() < (last.slopes.weight - wanted).norm() + 0.1


def test_mistakes_are_named():
    with pytest.raises(InputError, match="optimiser: found 'sgd'"):
        Optimiser(optimiser="sgd")
    with pytest.raises(InputError, match="schedule: found 'linear'"):
        Optimiser(schedule="linear")
    with pytest.raises(InputError, match="device: found 'gpu'"):
        choose_device("gpu")
    with pytest.raises(InputError, match="step 0: the loss is inf"):
        fit(Line(), Batches(2, target=float("inf")), device="cpu")
