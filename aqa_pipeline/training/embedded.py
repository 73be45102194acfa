"""Training of the detector and the keypoint estimators that ship with the package, and of the latter on labels.

One loop for both: AdamW, the rate rises and falls once (Smith & Topin's one-cycle), and what is kept is the running
mean of the weights, which needs no choice of a best step. Steps are counted, never timed: the same seed gives the same
weights on the same kind of processor with the same number of threads.
"""

from __future__ import annotations

import inspect
import logging
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from aqa_pipeline import keypoint_sets, stores, weights
from aqa_pipeline.backbones import centre_net, heatmap_net
from aqa_pipeline.errors import InputError, nearest
from aqa_pipeline.labelled import Labels
from aqa_pipeline.layers import centres, crops, heatmaps, inference
from aqa_pipeline.training import athlete_samples
from aqa_pipeline.training.athlete_samples import Samples, Variation

log = logging.getLogger("aqa_pipeline")

WHOLE_PICTURES = Variation(rotation=0.0, shift=0.2, smaller=0.65, larger=1.6)
CROPS = Variation(rotation=math.pi / 3, shift=0.08, smaller=0.8, larger=1.25)
LABELLED = Variation(rotation=math.pi, shift=0.08, smaller=0.8, larger=1.25)  # few pictures: seen from every side
GENTLE = 5e-4  # the rate at which a trained network goes on
HEADS = ("out", "nowhere")  # the layers of heatmap_net that have a row a keypoint


@dataclass(frozen=True)
class Schedule:
    """How long and how fast."""

    steps: int
    batch: int = 16
    lr: float = 2e-3
    weight_decay: float = 1e-2
    bfloat16: bool = True  # twice as fast on processors that know it, far slower on those that do not


@dataclass(frozen=True)
class Trained:
    """A network with what it says of itself (see `weights.save`) and the mean losses along the way."""

    tensors: dict[str, torch.Tensor]
    facts: dict[str, object]
    history: list[dict[str, float]]


def from_stores(
    train: Callable[..., Trained],
    frame_stores: Sequence[Path],
    truth_stores: Sequence[Path],
    *,
    frames_a_video: int,
    steps: int,
    seed: int,
    threads: int,
    options: dict[str, Any],
) -> Trained:
    """Draw frames from the stores and train on them; `options` are those of `train` and of `Schedule`, by name."""
    schedule, others = _divided(train, steps, options)
    _use(threads)
    samples = athlete_samples.gather(
        frame_stores, truth_stores, per_video=frames_a_video, rng=np.random.default_rng(seed)
    )
    log.info("%d frames of known athletes", len(samples))
    return train(samples, schedule=schedule, seed=seed, **others)


def from_labels(
    sets: Sequence[Labels],
    *,
    keypoint_set: str,
    start: str,
    steps: int,
    seed: int,
    threads: int,
    options: dict[str, Any],
) -> Trained:
    """Train the estimator of the weights `start` further, on everybody labelled in `sets`; `options` as `from_stores`.

    Network, crop and heatmaps stay what they were in `start`. A keypoint that `start` knows by the same name goes on
    from there; others begin anew, and those without a label are left alone.
    """
    about = weights.facts(start)
    if about.get("network") != "heatmap_net":
        raise InputError(f"start: weights '{start}' are of {about.get('network')}, expected of a keypoint estimator")
    schedule, others = _divided(train_estimator, steps, {"lr": GENTLE, "bfloat16": False, **options})
    _use(threads)
    samples = athlete_samples.of_labels(sets, keypoint_set=keypoint_set)
    log.info("%d labelled people", len(samples))
    network = {name: value for name, value in about["options"].items() if name != "n_keypoints"}
    same = dict(size=about["input_size"], sigma=about["sigma"], padding=about["padding"], network=network)
    kept = dict(keypoint_set=keypoint_set, start=start)
    return train_estimator(samples, schedule=schedule, seed=seed, variation=LABELLED, **{**same, **others, **kept})


def _use(threads: int) -> None:
    torch.set_num_threads(threads)
    inference.limit_opencv()


def _divided(train: Callable[..., Trained], steps: int, options: dict[str, Any]) -> tuple[Schedule, dict[str, Any]]:
    """Options of the schedule, and those of `train`; an unknown one is an InputError."""
    schedule_keys = {field.name for field in fields(Schedule)} - {"steps"}
    known = {*schedule_keys, *inspect.signature(train).parameters} - {"samples", "schedule", "seed", "variation"}
    for name in options:
        if name not in known:
            raise InputError(f"options: unknown '{name}', {nearest(name, known)}")
    schedule = Schedule(steps=steps, **{k: v for k, v in options.items() if k in schedule_keys})
    return schedule, {k: v for k, v in options.items() if k not in schedule_keys}


def save(path: Path, trained: Trained) -> None:
    """The weights as safetensors, and beside them the losses on the way as csv."""
    weights.save(path, trained.tensors, **trained.facts)
    lines = [",".join(trained.history[0]), *(",".join(map(str, row.values())) for row in trained.history)]
    with stores.replacing(path.with_suffix(".csv")) as temporary:
        temporary.write_text("\n".join(lines) + "\n")


def train_detector(
    samples: Samples,
    *,
    schedule: Schedule,
    seed: int,
    height: int = 96,
    width: int = 160,
    variation: Variation = WHOLE_PICTURES,
    network: dict[str, object] | None = None,
    start: str | None = None,
) -> Trained:
    """The athlete detector: a centre network on whole pictures fitted into `height` x `width`.

    `start` names weights to begin with.
    """
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    model = centre_net.build(**(network or {}))
    if start is not None:
        _begin_with(model, weights.load(start))

    def batches() -> Iterator[tuple[torch.Tensor, dict[str, torch.Tensor]]]:
        for chosen in athlete_samples.rounds(len(samples), schedule.batch, schedule.steps, rng):
            pictures, boxes = athlete_samples.whole_pictures(
                samples, chosen, height=height, width=width, variation=variation, rng=rng
            )
            yield pictures, centres.encode(boxes, height=height, width=width, stride=model.stride)

    kept, history = _fit(model, batches(), centres.loss, schedule)
    facts = dict(network="centre_net", options=network or {}, input_height=height, input_width=width)
    return Trained(kept, {**facts, **_training_facts(samples, schedule, seed, variation, start)}, history)


def train_estimator(
    samples: Samples,
    *,
    keypoint_set: str,
    schedule: Schedule,
    seed: int,
    size: int = 128,
    sigma: float = 1.0,
    padding: float = 1.25,
    body_weight: float = 8.0,
    variation: Variation = CROPS,
    network: dict[str, object] | None = None,
    start: str | None = None,
) -> Trained:
    """A keypoint estimator of `keypoint_set`: Gaussians of `sigma` cells on crops of `size` pixels.

    `body_weight` is the weight of the 17 body keypoints in the loss of the whole-body set, whose other 116 would
    otherwise take most of the network for themselves. `start` names weights to begin with: keypoints of the same name
    go on from theirs, others begin anew.
    """
    chosen_set = keypoint_sets.get(keypoint_set)
    samples = samples.subset(np.isfinite(samples.boxes[:, 0]))
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    options = dict(n_keypoints=len(chosen_set), **(network or {}))
    model = heatmap_net.build(**options)
    if start is not None:
        begun = weights.facts(start)["keypoint_set"]
        _begin_with(model, weights.load(start), rows=keypoint_sets.shared(keypoint_set, begun))
    cells = size // model.stride

    def batches() -> Iterator[tuple[torch.Tensor, dict[str, torch.Tensor]]]:
        for chosen in athlete_samples.rounds(len(samples), schedule.batch, schedule.steps, rng):
            pictures, points, states = athlete_samples.athlete_crops(
                samples, chosen, keypoint_set=chosen_set, size=size, padding=padding, variation=variation, rng=rng
            )
            maps = heatmaps.encode(crops.pixels_to_cells(points, model.stride), height=cells, width=cells, sigma=sigma)
            seen, asked = states > athlete_samples.UNSEEN, states != athlete_samples.UNKNOWN
            yield pictures, dict(maps=maps * seen[..., None, None], asked=asked)

    importance = torch.ones(len(chosen_set))
    if len(chosen_set) > 17:
        importance[:17] = body_weight
    importance /= importance.mean()

    def loss(answer: tuple[torch.Tensor, ...], target: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        entropy = heatmaps.cross_entropy(*answer, target["maps"], sigma=sigma)  # (B, K)
        mean = (entropy * target["asked"]).sum(dim=0) / target["asked"].sum(dim=0).clamp(min=1)
        return dict(entropy=(mean * importance).mean())

    kept, history = _fit(model, batches(), loss, schedule)
    facts = dict(network="heatmap_net", options=options, keypoint_set=keypoint_set, input_size=size)
    facts |= dict(sigma=sigma, dark_kernel=dark_kernel(sigma), padding=padding, body_weight=body_weight)
    return Trained(kept, {**facts, **_training_facts(samples, schedule, seed, variation, start)}, history)


def _begin_with(
    model: nn.Module, tensors: dict[str, torch.Tensor], *, rows: tuple[list[int], list[int]] | None = None
) -> None:
    """Copy weights into a network; of layers with a row a keypoint the `rows` (own, theirs), the others stay."""
    for name, own in model.state_dict().items():
        if rows and name.partition(".")[0] in HEADS:
            own[rows[0]] = tensors[name][rows[1]]
        else:
            own.copy_(tensors[name])


def dark_kernel(sigma: float) -> int:
    """Odd width of DARK's blur for maps of `sigma` cells: 11 for 2, 17 for 3, 7 for 1.5, as published."""
    return 2 * round(3 * sigma) - 1


def _fit(
    model: nn.Module,
    batches: Iterable[tuple[torch.Tensor, dict[str, torch.Tensor]]],
    loss: Callable[..., dict[str, torch.Tensor]],
    schedule: Schedule,
) -> tuple[dict[str, torch.Tensor], list[dict[str, float]]]:
    """Train on the batches; the running mean of the weights, and the mean losses of every twentieth of the steps."""
    model = model.train().to(memory_format=torch.channels_last)
    optimiser = torch.optim.AdamW(_groups(model, schedule.weight_decay), lr=schedule.lr, betas=(0.9, 0.99))
    rate = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, schedule.lr, total_steps=schedule.steps, pct_start=0.15, cycle_momentum=False
    )
    decay = 1 - 1 / max(2.0, 0.02 * schedule.steps)
    mean = AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(decay), use_buffers=True)
    every, recent, history = max(1, schedule.steps // 20), [], []
    for step, (pictures, target) in enumerate(batches, start=1):
        with torch.autocast("cpu", torch.bfloat16, enabled=schedule.bfloat16):
            answer = model(pictures)
        terms = loss(answer, target)
        optimiser.zero_grad(set_to_none=True)
        sum(terms.values()).backward()
        nn.utils.clip_grad_norm_(model.parameters(), 10.0)
        optimiser.step()
        rate.step()
        mean.update_parameters(model)
        recent.append({name: float(value.detach()) for name, value in terms.items()})
        if step % every == 0:
            history.append({"step": step, **{name: float(np.mean([r[name] for r in recent])) for name in terms}})
            log.info("step %d of %d: %s", step, schedule.steps, {k: round(v, 4) for k, v in history[-1].items()})
            recent = []
    return dict(mean.module.state_dict()), history


def _groups(model: nn.Module, weight_decay: float) -> list[dict[str, object]]:
    """Weight decay for matrices alone: pulling normalisation and biases to zero helps nothing."""
    matrices = [p for p in model.parameters() if p.ndim > 1]
    vectors = [p for p in model.parameters() if p.ndim <= 1]
    return [dict(params=matrices, weight_decay=weight_decay), dict(params=vectors, weight_decay=0.0)]


def _training_facts(
    samples: Samples, schedule: Schedule, seed: int, variation: Variation, start: str | None
) -> dict[str, object]:
    begun = weights.sha256(start) if start is not None else None  # SHA-256 of the weights it began with
    training = dict(frames=len(samples), seed=seed, start=begun, **asdict(schedule))
    return dict(training=training, variation=asdict(variation))
