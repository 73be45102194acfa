"""One training loop that knows no paper: it is handed a model, batches in their order, and how to step."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from aqa_pipeline.batches import Clips, Pairs
from aqa_pipeline.errors import InputError
from aqa_pipeline.training.adam import Adam

if TYPE_CHECKING:
    import torch
    from torch import nn

History = list[dict[str, Any]]


@dataclass(frozen=True)
class Optimiser:
    """How the weights are stepped."""

    optimiser: str = "adamw"  # or "adam", whose weight decay is part of the gradient
    lr: float = 2e-3
    weight_decay: float = 1e-2
    warm_up: float = 0.1  # share of the steps in which the rate rises
    schedule: str = "cosine"  # or "constant", after the warm-up
    clip: float = 1.0  # largest norm of the gradient; 0 for none
    average: float = 0.0  # decay of the running mean of the weights that is kept instead of the last; 0 for none

    def __post_init__(self) -> None:
        if self.optimiser not in ("adam", "adamw"):
            raise InputError(f"training.optimiser: found '{self.optimiser}', expected adam or adamw")
        if self.schedule not in ("cosine", "constant"):
            raise InputError(f"training.schedule: found '{self.schedule}', expected cosine or constant")

    def rate(self, step: int, steps: int) -> float:
        """Factor on the learning rate at a step, 0 to 1."""
        rising = max(1, round(self.warm_up * steps))
        if self.warm_up and step < rising:
            return (step + 1) / rising
        if self.schedule == "constant":
            return 1.0
        return 0.5 * (1 + math.cos(math.pi * (step - rising) / max(1, steps - rising)))


def choose_device(device: str) -> torch.device:
    """ "auto" takes the accelerator where torch sees one."""
    import torch

    if device not in ("auto", "cpu", "cuda"):
        raise InputError(f"device: found '{device}', expected auto, cpu or cuda")
    if device == "cuda" and not torch.cuda.is_available():
        raise InputError("device: found 'cuda', but torch sees no such device; expected auto or cpu")
    return torch.device("cuda" if device != "cpu" and torch.cuda.is_available() else "cpu")


def fit(
    model: nn.Module,
    batches: Iterable[Clips | Pairs],
    *,
    steps: int,
    optimiser: Optimiser = Optimiser(),
    seed: int = 0,
    device: str = "auto",
    log_every: int = 10,
    judge: Callable[[nn.Module], float] | None = None,
    judge_every: int = 50,
) -> History:
    """Train in place and return the history: step, learning rate, gradient norm, each term of the loss, their sum.

    Rows are means over `log_every` steps. Where `judge` is given, the weights that it liked best (the highest value)
    are kept, otherwise the last. Random numbers of the model (dropout) come from `seed` alone; on one CPU thread the
    same seed gives the same weights bit by bit.
    """
    import torch

    where = choose_device(device)
    model.to(where).train()
    decoupled = optimiser.optimiser == "adamw"
    stepper = Adam(model.parameters(), weight_decay=optimiser.weight_decay, decoupled=decoupled)
    averaged = copy.deepcopy(model) if optimiser.average else None
    log, best = _Log(log_every), _Best()
    with torch.random.fork_rng(devices=[where] if where.type == "cuda" else []):
        torch.manual_seed(seed)
        for step, batch in enumerate(batches):
            lr = optimiser.lr * optimiser.rate(step, steps)
            terms = model.loss(batch.to(where))
            total = sum(terms.values())
            if not torch.isfinite(total):
                raise InputError(
                    f"step {step}: the loss is {total.item()}, expected a finite number; lower training.lr"
                )
            total.backward()
            norm = torch.nn.utils.clip_grad_norm_(model.parameters(), optimiser.clip or math.inf)
            stepper.step(lr)
            if averaged is not None:
                _average(averaged, model, min(optimiser.average, (1 + step) / (10 + step)))
            judged = judge is not None and ((step + 1) % judge_every == 0 or step + 1 == steps)
            if judged:
                best.offer(averaged or model, judge)
            log.add(step, lr, norm, terms, best.last if judged else None, last=step + 1 == steps)
    if best.weights or averaged is not None:
        model.load_state_dict(best.weights or averaged.state_dict())
    model.eval()
    return log.rows


def _average(averaged: nn.Module, model: nn.Module, decay: float) -> None:
    import torch

    with torch.no_grad():
        for mean, value in zip(averaged.state_dict().values(), model.state_dict().values(), strict=True):
            mean.lerp_(value, 1 - decay) if mean.is_floating_point() else mean.copy_(value)


class _Best:
    """The weights that the judge liked best."""

    def __init__(self) -> None:
        self.weights, self.value, self.last = None, -math.inf, None

    def offer(self, model: nn.Module, judge: Callable[[nn.Module], float]) -> None:
        was_training = model.training
        model.eval()
        self.last = judge(model)
        model.train(was_training)
        if self.weights is None or self.last > self.value:
            self.weights, self.value = copy.deepcopy(model.state_dict()), self.last


class _Log:
    """Rows of history, each the mean of a few steps."""

    def __init__(self, every: int) -> None:
        self.rows: History = []
        self._every, self._kept = every, []

    def add(self, step: int, lr: float, norm: Any, terms: dict[str, Any], judged: float | None, *, last: bool) -> None:
        values = {name: float(value.detach()) for name, value in terms.items()}
        self._kept.append(dict(gradient_norm=float(norm), loss=sum(values.values()), **values))
        if (step + 1) % self._every == 0 or last or judged is not None:
            names = dict.fromkeys(name for row in self._kept for name in row)
            means = {name: sum(row.get(name, 0.0) for row in self._kept) / len(self._kept) for name in names}
            self.rows.append(dict(step=step + 1, lr=lr, **means, selection=judged))
            self._kept = []
