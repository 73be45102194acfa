import contextlib
import math

import numpy as np
import pytest
import torch
from torch import nn

from aqa_pipeline.batches import Clips
from aqa_pipeline.errors import InputError
from aqa_pipeline.training import loop
from aqa_pipeline.training.checkpoints import Checkpoint
from aqa_pipeline.training.loop import Engine, Optimiser, fit

B, D = 6, 4


class Line(nn.Module):
    """target = slopes . features, with dropout so that random numbers are drawn."""

    def __init__(self, dropout: float = 0.05) -> None:
        super().__init__()
        self.slopes, self.drop = nn.Linear(D, 1), nn.Dropout(dropout)

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


def seeded(kind):
    torch.manual_seed(0)
    return kind()


def plain():
    return Line(dropout=0.0)


def trained(steps: int = 60, *, engine: dict | None = None, kind=Line, **options):
    model = seeded(kind)
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


def test_the_rate_rises_from_somewhere_and_falls_to_the_floor_of_all_weights():
    optimiser = Optimiser(warm_up=0.2, warm_up_from=0.1, floor=0.1)
    rates = [optimiser.rate(step, 50) for step in range(51)]
    assert rates[:10] == pytest.approx(0.1 + 0.9 * np.arange(1, 11) / 10)
    assert rates[30] == pytest.approx(0.55)
    assert rates[50] == pytest.approx(0.1)
    assert [optimiser.rate(step, 50, 0.1) for step in range(51)] == pytest.approx([0.1] * 51)  # FineParser's backbone
    assert optimiser.rate(9, 50, 2.0) == pytest.approx(2.0)
    assert optimiser.rate(30, 50, 2.0) == pytest.approx(1.05)


def test_an_oscillating_rate_is_cosine_annealing_stepped_past_its_end():
    theirs = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=1.0)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(theirs, T_max=20, eta_min=0.25)
    ours = Optimiser(warm_up=0.0, schedule="oscillating", half_period=20, floor=0.25)
    for step in range(101):
        assert ours.rate(step, 101) == pytest.approx(theirs.param_groups[0]["lr"], abs=1e-9)
        theirs.step()
        schedule.step()


def test_the_rate_of_steps_is_that_of_torch():
    theirs = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=0.1)
    schedule = torch.optim.lr_scheduler.StepLR(theirs, step_size=7, gamma=0.45)
    ours = Optimiser(warm_up=0.0, schedule="steps", decay=0.45, decay_every=7)
    for step in range(30):
        assert ours.rate(step, 30, 0.1) == pytest.approx(theirs.param_groups[0]["lr"])
        theirs.step()
        schedule.step()
    assert Optimiser(warm_up=0.1, schedule="steps", decay=0.5, decay_every=4).rate(6, 30) == 1  # 3 of warm-up, then 4


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


@pytest.mark.parametrize("accumulate", [2, 4, 9])  # of six clips: equal pieces, unequal ones, fewer than asked for
def test_pieces_of_a_step_give_the_step_of_the_whole(accumulate):
    whole, one = trained(20, kind=plain)
    pieces, many = trained(20, kind=plain, engine=dict(accumulate=accumulate))
    assert torch.allclose(pieces.slopes.weight, whole.slopes.weight, atol=1e-6)
    assert torch.allclose(pieces.slopes.bias, whole.slopes.bias, atol=1e-6)
    for a, b in zip(one, many, strict=True):
        assert [b[k] for k in ("step", "loss", "error", "size", "gradient_norm")] == pytest.approx(
            [a[k] for k in ("step", "loss", "error", "size", "gradient_norm")], rel=1e-4
        )


class Two(Line):
    """A line whose features pass through a body of two maps before."""

    def __init__(self) -> None:
        super().__init__(dropout=0.0)
        self.body = nn.Sequential(nn.Linear(D, D), nn.Linear(D, D))

    def predict(self, batch):
        return self.slopes(self.body(batch.inputs["pose"].mean(dim=1)))[:, 0]


def test_parts_have_rates_of_their_own_and_the_longest_name_counts():
    factors = {"body": 0.0, "body.1": 0.1}
    start, (end, _) = seeded(Two), trained(1, kind=Two, lr_factors=factors)
    moved = {n: (p - dict(start.named_parameters())[n]).abs().max().item() for n, p in end.named_parameters()}
    assert moved["body.0.weight"] == moved["body.0.bias"] == 0
    assert not end.body[0].weight.requires_grad
    assert moved["body.1.bias"] == pytest.approx(0.1 * moved["slopes.bias"], rel=1e-3)  # Adam's first step is the rate
    for wrong in ("bod", "body.2", "slope"):
        with pytest.raises(InputError, match=f"no weights under '{wrong}', .*(body|slopes)"):
            trained(1, kind=Two, lr_factors={wrong: 0.5})
    with pytest.raises(InputError, match="every weight has factor 0"):
        trained(1, lr_factors={"slopes": 0})


def test_at_half_precision_it_learns_the_same_line_less_exactly():
    model, history = trained(200, engine=dict(precision="bfloat16"))
    assert model.slopes.weight.dtype == torch.float32
    assert model.slopes.weight[0].tolist() == pytest.approx([1, -2, 3, 0], abs=0.4)
    assert history[-1]["error"] < 0.3 * history[0]["error"]
    assert not torch.equal(model.slopes.weight, trained(200)[0].slopes.weight)
    with pytest.raises(InputError, match="found 'float16' on cpu, expected bfloat16 or float32"):
        trained(1, engine=dict(precision="float16"))
    with pytest.raises(InputError, match="precision: found 'half'"):
        Engine(precision="half")


def test_a_scaled_loss_gives_the_same_steps_and_one_that_overflows_is_left_out(monkeypatch, tmp_path):
    """As float16 is trained on a GPU; the scale alone, which a CPU knows too."""
    whole, history = trained(12)
    scalers = []

    def scaled(precision, where):
        scalers.append(torch.amp.GradScaler("cpu", init_scale=2.0**120, growth_interval=4))
        return contextlib.nullcontext, scalers[-1]

    monkeypatch.setattr(loop, "_precision", scaled)
    checkpoint = Checkpoint(tmp_path / "resume.safetensors", every=6, fingerprint="a")
    model, rows = trained(12, checkpoint=checkpoint)
    assert scalers[-1].get_scale() == 2.0**123  # four steps in a row double it
    assert torch.equal(model.slopes.weight, whole.slopes.weight)
    assert rows == history
    again, _ = trained(12, checkpoint=checkpoint)
    assert torch.equal(again.slopes.weight, whole.slopes.weight)
    assert scalers[-1].get_scale() == 2.0**123
    scalers.clear()
    monkeypatch.setattr(torch.amp, "GradScaler", lambda *_, **__: Overflowing("cpu"))
    stayed, _ = trained(1)
    assert torch.equal(stayed.slopes.weight, seeded(Line).slopes.weight)
    assert stayed.slopes.weight.grad is None


class Overflowing(torch.amp.GradScaler):
    def scale(self, outputs):
        return super().scale(outputs) * math.inf


def test_a_model_is_told_how_far_training_is():
    told = []

    class Progressive(Line):
        set_progress = staticmethod(told.append)

    trained(4, kind=Progressive)
    assert told == [0, 0.25, 0.5, 0.75]


def test_without_steps_the_weights_are_those_that_were_built():
    start = seeded(Line)
    model, history = trained(0, judge=lambda model: 1.0)
    assert torch.equal(model.slopes.weight, start.slopes.weight)
    assert history == []
    assert not model.training


def test_reading_ahead_changes_nothing():
    here, history = trained(7, engine=dict(accumulate=2))
    ahead, same = trained(7, engine=dict(accumulate=2), workers=2)
    assert torch.equal(here.slopes.weight, ahead.slopes.weight)
    assert history == same


def test_a_mistake_in_a_reading_process_is_named_as_it_is():
    class Absent(Batches):
        def read(self, step, rows):
            raise InputError(f"step {step}: no such video")

    with pytest.raises(InputError, match=r"^step 0: no such video$"):
        fit(Line(), Absent(3), device="cpu", workers=1)


class Killed(BaseException):
    pass


def test_a_run_that_was_cut_short_goes_on_to_the_same_weights_bit_by_bit(tmp_path):
    def run(values, **options):
        """Judged every ten steps; killed at the third look where there are no values more."""
        coming = iter(values)

        def judge(model):
            if (value := next(coming, None)) is None:
                raise Killed
            return value

        return trained(40, judge=judge, **options)

    for options in (dict(average=0.9), dict(optimiser="adam", lr_factors={"slopes.bias": 0.5})):
        checkpoint = Checkpoint(tmp_path / "resume.safetensors", every=7, fingerprint=str(options))
        whole, history = run([1, 5, 3, 2], **options)
        with pytest.raises(Killed):
            run([1, 5], checkpoint=checkpoint, **options)
        assert checkpoint.load()[1]["steps_done"] == 28
        went_on, same = run([3, 2], checkpoint=checkpoint, **options)
        assert torch.equal(whole.slopes.weight, went_on.slopes.weight)
        assert torch.equal(whole.slopes.bias, went_on.slopes.bias)
        assert same == history
    other = Checkpoint(checkpoint.path, every=7, fingerprint="of other settings")
    assert torch.equal(run([1, 5, 3, 2], checkpoint=other, **options)[0].slopes.weight, whole.slopes.weight)


def test_a_state_that_is_damaged_is_passed_over(tmp_path, caplog):
    path = tmp_path / "resume.safetensors"
    path.write_bytes(b"half a state")
    checkpoint = Checkpoint(path, every=5, fingerprint="a")
    assert torch.equal(trained(12)[0].slopes.weight, trained(12, checkpoint=checkpoint)[0].slopes.weight)
    assert "cannot be read" in caplog.text
    assert checkpoint.load()[1]["steps_done"] == 10


def test_mistakes_are_named():
    with pytest.raises(InputError, match="optimiser: found 'sgd'"):
        Optimiser(optimiser="sgd")
    with pytest.raises(InputError, match="schedule: found 'linear'"):
        Optimiser(schedule="linear")
    with pytest.raises(InputError, match="half_period: found 0"):
        Optimiser(schedule="oscillating")
    with pytest.raises(InputError, match="decay_every: found 0"):
        Optimiser(schedule="steps")
    with pytest.raises(InputError, match="device: found 'gpu'"):
        fit(Line(), Batches(1), device="gpu")
    with pytest.raises(InputError, match="step 0: the loss is inf"):
        fit(Line(), Batches(2, target=float("inf")), device="cpu")
