"""One training loop that knows no paper: it is handed a model, batches in their order, and how to step."""

from __future__ import annotations

import contextlib
import copy
import itertools
import logging
import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from aqa_pipeline.batches import Clips, Pairs
from aqa_pipeline.errors import InputError, expect_one_of, nearest
from aqa_pipeline.training import loading
from aqa_pipeline.training.adam import Adam
from aqa_pipeline.training.checkpoints import Checkpoint
from aqa_pipeline.training.ranks import ALONE, Ranks

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

log = logging.getLogger("aqa_pipeline")

History = list[dict[str, Any]]
Judge = Callable[["nn.Module"], float]

OPTIMISERS = ("adam", "adamw")
SCHEDULES = ("cosine", "constant", "oscillating", "steps")
PRECISIONS = ("float32", "bfloat16", "float16")


@dataclass(frozen=True)
class Optimiser:
    """How the weights are stepped."""

    optimiser: str = "adamw"  # or "adam", whose weight decay is part of the gradient
    lr: float = 2e-3
    lr_factors: Mapping[str, float] = field(default_factory=dict)  # by prefix of the weights' names; 0 freezes them
    weight_decay: float = 1e-2
    warm_up: float = 0.1  # share of the steps in which the rate rises
    warm_up_from: float = 0.0  # factor from which it rises
    schedule: str = "cosine"  # after the warm-up; or "constant", "oscillating" or "steps" (see `rate`)
    floor: float = 0.0  # lowest factor
    half_period: int = 0  # steps from the highest to the lowest rate of an oscillating schedule
    decay: float = 1.0  # factor by which the rate of the schedule "steps" falls
    decay_every: int = 0  # steps after which it does so, again and again
    clip: float = 1.0  # largest norm of the gradient; 0 for none
    average: float = 0.0  # decay of the running mean of the weights that is kept instead of the last; 0 for none

    def __post_init__(self) -> None:
        for name, known in (("optimiser", OPTIMISERS), ("schedule", SCHEDULES)):
            expect_one_of(f"training.{name}", getattr(self, name), known)
        if self.schedule == "oscillating" and self.half_period < 1:
            raise InputError(f"training.half_period: found {self.half_period}, expected the steps of half a period")
        if self.schedule == "steps" and self.decay_every < 1:
            raise InputError(f"training.decay_every: found {self.decay_every}, expected the steps of one rate")

    def rate(self, step: int, steps: int, factor: float = 1.0) -> float:
        """Factor on the learning rate at a step, for weights whose highest factor is `factor`.

        `floor` and `warm_up_from` are the same for all weights, as in timm's schedules: weights whose factor is the
        floor keep their rate. "oscillating" falls and rises as often as there are steps for: torch's cosine annealing
        that is stepped past its T_max, as HP-MCoRe does. "steps" is torch's StepLR.
        """
        rising = max(1, round(self.warm_up * steps)) if self.warm_up else 0
        if step < rising:
            return self.warm_up_from + (factor - self.warm_up_from) * ((step + 1) / rising)
        if self.schedule == "constant":
            return factor
        if self.schedule == "steps":
            return factor * self.decay ** ((step - rising) // self.decay_every)
        half = self.half_period if self.schedule == "oscillating" else max(1, steps - rising)
        return self.floor + (factor - self.floor) * (0.5 * (1 + math.cos(math.pi * (step - rising) / half)))


@dataclass(frozen=True)
class Engine:
    """How the steps are computed: memory and time, and, but for rounding, nothing of what is learnt."""

    precision: str = "float32"  # of the forward pass; float16 on a GPU alone, with a scaled loss
    accumulate: int = 1  # pieces a step is computed in, one after the other; batch norm sees each piece alone
    sync_batch_norm: bool = False  # statistics of the pairs of all GPUs, not of each GPU's own
    judge_every: int = 50  # steps

    def __post_init__(self) -> None:
        expect_one_of("training.precision", self.precision, PRECISIONS)


def fit(
    model: nn.Module,
    batches: loading.Batches,
    *,
    optimiser: Optimiser = Optimiser(),
    engine: Engine = Engine(),
    seed: int = 0,
    device: str = "auto",
    workers: int = 0,
    log_every: int = 10,
    judge: Judge | None = None,
    checkpoint: Checkpoint | None = None,
    together: Ranks = ALONE,
) -> History:
    """Train in place and return the history: step, learning rate, gradient norm, each term of the loss, their sum.

    Rows are means over `log_every` steps. Where `judge` is given, the weights that it liked best (the highest value)
    are kept, otherwise the last. Random numbers of the model (dropout) come from `seed` alone; on one CPU thread the
    same seed gives the same weights bit by bit, also when the run goes on from a `checkpoint`.

    Terms are taken for means over the pairs: pieces of a step and processes that train `together` weigh by their share
    of them. A mean over something else (labelled frames) comes close to the whole step's, and is not equal to it.
    """
    import torch

    from aqa_pipeline.layers.inference import choose_device

    where, steps = choose_device(device), len(batches.sizes)
    training = _Training(model, steps, optimiser, engine, where, log_every, together)

    def pieces(step: int) -> Iterator[loading.Piece]:
        return loading.pieces(step, batches.sizes[step], accumulate=engine.accumulate, together=together)

    with torch.random.fork_rng(devices=[where] if where.type == "cuda" else []):
        torch.manual_seed(seed + 1_000_003 * together.rank)
        first = training.resume(checkpoint)
        coming = itertools.chain.from_iterable(map(pieces, range(first, steps)))
        loaded = loading.read(batches, coming, workers=workers, device=where)
        for step in range(first, steps):
            training.step(step, ((piece.share, next(loaded)) for piece in pieces(step)))
            last = step + 1 == steps
            judged = judge is not None and (last or (step + 1) % engine.judge_every == 0)
            training.take_stock(step, judge if judged else None)
            if checkpoint is not None and not last and checkpoint.is_due(step + 1):
                training.save(checkpoint, step + 1)
    return training.finish()


class _Training:
    """The state of a run between two steps."""

    def __init__(
        self,
        model: nn.Module,
        steps: int,
        optimiser: Optimiser,
        engine: Engine,
        where: torch.device,
        log_every: int,
        together: Ranks,
    ) -> None:
        import torch

        self.model, self.steps, self.optimiser, self.together, self.where = model, steps, optimiser, together, where
        factors = _factors(model, optimiser.lr_factors)
        model.to(where).train()
        if engine.sync_batch_norm and together.count > 1 and where.type == "cuda":
            torch.nn.SyncBatchNorm.convert_sync_batchnorm(model)
        together.share_weights(model)
        decoupled = optimiser.optimiser == "adamw"
        self.stepper = Adam(model.parameters(), weight_decay=optimiser.weight_decay, decoupled=decoupled)
        if steps and not self.stepper.parameters:
            raise InputError("training.lr_factors: every weight has factor 0, expected some that learn")
        self.factors = [factors[name] for name, p in model.named_parameters() if p.requires_grad]
        self.averaged = copy.deepcopy(model) if optimiser.average else None
        self.autocast, self.scaler = _precision(engine.precision, where)
        self.best, self.log = _Best(), _Log(log_every, together)

    def step(self, step: int, batches: Iterable[tuple[float, Clips | Pairs]]) -> None:
        """One step on the pieces of a batch, each with its share of it."""
        import torch

        if hasattr(self.model, "set_progress"):
            self.model.set_progress(step / self.steps)
        terms: dict[str, Tensor] = {}
        for share, batch in batches:
            with self.autocast():
                of_piece = {name: share * term.float() for name, term in self.model.loss(batch).items()}
            total = sum(of_piece.values())
            (total if self.scaler is None else self.scaler.scale(total)).backward()
            for name, term in of_piece.items():
                terms[name] = terms[name] + term.detach() if name in terms else term.detach()
        self.together.add_gradients(self.stepper.parameters)
        if self.scaler is not None:
            self.scaler.unscale_(self.stepper)
        norm = torch.nn.utils.clip_grad_norm_(self.stepper.parameters, self.optimiser.clip or math.inf)
        self._move(self._rates(step))
        if self.averaged is not None:
            _average(self.averaged, self.model, min(self.optimiser.average, (1 + step) / (10 + step)))
        self.log.add(norm, terms)

    def take_stock(self, step: int, judge: Judge | None) -> None:
        """Let the judge see the weights after a step, where there is one, and close the row of history that is due."""
        if judge is not None and self.together.is_first:
            self.best.offer(self.averaged or self.model, judge)
        if self.log.is_due(step) or judge is not None or step + 1 == self.steps:
            rate = self.optimiser.lr * self.optimiser.rate(step, self.steps)
            self.log.close(step, rate, None if judge is None else self.best.last)

    def save(self, checkpoint: Checkpoint, steps_done: int) -> None:
        """Write the state after so many steps."""
        kept, generators = self.log.settled(steps_done - 1), self.together.gather(self._generators())
        if not self.together.is_first:
            return
        parts = {
            "model": self.model.state_dict(),
            "adam": self.stepper.state(),
            "averaged": {} if self.averaged is None else self.averaged.state_dict(),
            "best": self.best.weights or {},
            **{f"generators.{rank}": states for rank, states in enumerate(generators)},
        }
        checkpoint.save(
            {f"{part}.{name}": tensor for part, tensors in parts.items() for name, tensor in tensors.items()},
            dict(
                steps_done=steps_done,
                best=[self.best.value, self.best.last],
                rows=self.log.rows,
                kept=kept,
                scaler=self.scaler and self.scaler.state_dict(),
            ),
        )

    def resume(self, checkpoint: Checkpoint | None) -> int:
        """Go on from the state that was written last; the number of steps already done."""
        state = checkpoint and checkpoint.load()
        if not state:
            return 0
        import torch

        tensors, facts = state

        def part(prefix: str) -> dict[str, Tensor]:
            return {k.removeprefix(f"{prefix}."): v for k, v in tensors.items() if k.startswith(f"{prefix}.")}

        self.model.load_state_dict(part("model"))
        self.stepper.restore(part("adam"))
        if self.averaged is not None:
            self.averaged.load_state_dict(part("averaged"))
        self.best.weights, (self.best.value, self.best.last) = part("best") or None, facts["best"]
        self.log.rows, self.log.kept = facts["rows"], facts["kept"]
        if self.scaler is not None:
            self.scaler.load_state_dict(facts["scaler"])
        generators = part(f"generators.{self.together.rank}")
        torch.set_rng_state(generators["cpu"])
        if "cuda" in generators and self.where.type == "cuda":
            torch.cuda.set_rng_state(generators["cuda"], self.where)
        if self.together.is_first:
            log.info("%s: training goes on after step %d of %d", checkpoint.path, facts["steps_done"], self.steps)
        return facts["steps_done"]

    def finish(self) -> History:
        """Give the model the weights that are kept, and the history of how they were found."""
        if self.best.weights or self.averaged is not None:
            self.model.load_state_dict(self.best.weights or self.averaged.state_dict())
        self.model.eval()
        return self.log.rows

    def _rates(self, step: int) -> float | list[float]:
        """The learning rate of each weight, or of all."""
        of_factor = {f: self.optimiser.lr * self.optimiser.rate(step, self.steps, f) for f in set(self.factors)}
        return of_factor[self.factors[0]] if len(of_factor) == 1 else [of_factor[f] for f in self.factors]

    def _move(self, rates: float | list[float]) -> None:
        if self.scaler is None:
            self.stepper.step(rates)
            return
        self.scaler.step(self.stepper, rates)  # leaves out a step whose gradients overflowed
        self.scaler.update()
        self.stepper.clear()

    def _generators(self) -> dict[str, Tensor]:
        """States of the random number generators that the model draws from."""
        import torch

        states = {"cpu": torch.get_rng_state()}
        return states | ({"cuda": torch.cuda.get_rng_state(self.where)} if self.where.type == "cuda" else {})


def _factors(model: nn.Module, lr_factors: Mapping[str, float]) -> dict[str, float]:
    """Factor on the learning rate of each weight: that of the longest prefix of its name; 0 freezes it."""
    names = [*(name for name, _ in model.named_modules() if name), *(name for name, _ in model.named_parameters())]
    for prefix in lr_factors:
        if prefix not in names:
            known = sorted({name.partition(".")[0] for name in names})
            raise InputError(f"training.lr_factors: no weights under '{prefix}', {nearest(prefix, known)}")
    factors = {}
    for name, weight in model.named_parameters():
        matching = [prefix for prefix in lr_factors if f"{name}.".startswith(f"{prefix}.")]
        factors[name] = lr_factors[max(matching, key=len)] if matching else 1.0
        if factors[name] == 0:
            weight.requires_grad_(False)
    return factors


def _precision(precision: str, where: torch.device) -> tuple[Callable[[], Any], torch.amp.GradScaler | None]:
    """What the forward pass runs under, and what scales the loss where gradients would vanish otherwise."""
    import torch

    if precision == "float32":
        return contextlib.nullcontext, None
    if precision == "float16" and where.type != "cuda":
        raise InputError(f"training.precision: found 'float16' on {where.type}, expected bfloat16 or float32 there")
    scaler = torch.amp.GradScaler(where.type) if precision == "float16" else None
    return lambda: torch.autocast(where.type, getattr(torch, precision)), scaler


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
    """Rows of history, each the mean of a few steps.

    Values stay on the device until a row is closed, so that a GPU need not wait for the CPU after every step.
    """

    def __init__(self, every: int, together: Ranks) -> None:
        self.rows: History = []
        self.kept: list[dict[str, float]] = []  # of steps since the last row, as far as they were looked at
        self._every, self._together = every, together
        self._unseen: list[dict[str, Tensor]] = []

    def is_due(self, step: int) -> bool:
        return (step + 1) % self._every == 0

    def add(self, norm: Tensor, terms: Mapping[str, Tensor]) -> None:
        self._unseen.append({"gradient_norm": norm.detach(), **terms})

    def settled(self, step: int) -> list[dict[str, float]]:
        """Steps up to `step` since the last row as numbers; an InputError where a loss among them is not finite."""
        import torch

        unseen = self._unseen
        flat = torch.stack([value for row in unseen for value in row.values()]).tolist() if unseen else []
        values = iter(flat)
        own = [{name: next(values) for name in row} for row in unseen]
        for number, of_ranks in enumerate(zip(*self._together.gather(own), strict=True), start=1 + step - len(own)):
            names = dict.fromkeys(name for row in of_ranks for name in row if name != "gradient_norm")
            terms = {name: sum(row.get(name, 0.0) for row in of_ranks) for name in names}
            loss = sum(terms.values())
            if not math.isfinite(loss):
                raise InputError(f"step {number}: the loss is {loss}, expected a finite number; lower training.lr")
            self.kept.append(dict(gradient_norm=of_ranks[0]["gradient_norm"], loss=loss, **terms))
        self._unseen = []
        return self.kept

    def close(self, step: int, lr: float, judged: float | None) -> None:
        kept = self.settled(step)
        names = dict.fromkeys(name for row in kept for name in row)
        means = {name: sum(row.get(name, 0.0) for row in kept) / len(kept) for name in names}
        self.rows.append(dict(step=step + 1, lr=lr, **means, selection=judged))
        self.kept = []
