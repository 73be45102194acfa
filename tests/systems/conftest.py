from dataclasses import replace

import numpy as np
import pytest
import torch

from aqa_pipeline.batches import END, NO_LABEL, START, Clips, Facts, Pairs

B, P, T, J = 3, 4, 6, 2
DIMS = {"pose": 5, "image": 2, "dynamic": 4, "static": 3, "skeleton": 32}  # the last three are roles of `_encoders`
PICTURES = (26, 40, 32)  # T, H, W of what systems without features see
FACTS = Facts(
    dims=DIMS,
    lengths=dict.fromkeys(DIMS, T),
    sub_actions=("entry", "flight"),
    action_types=("107b", "5253b"),
    target_range=(-2, 2),
    words=("a", "fine", "dive"),
)
SAID = torch.tensor([[START, 2, 4, END, NO_LABEL], [START, 2, 3, 4, END]])


def make_clips(count: int, seed: int = 0) -> Clips:
    generator = torch.Generator().manual_seed(seed)
    labels = torch.randint(0, 2, (count, T), generator=generator)
    labels[:, 0] = NO_LABEL
    return Clips(
        inputs={name: torch.randn(count, T, dim, generator=generator) for name, dim in DIMS.items()},
        video_ids=tuple(f"v{seed}{i}" for i in range(count)),
        target=torch.randn(count, generator=generator),
        difficulty=torch.full((count,), 3.0),
        action_type=torch.arange(count) % 2,
        sub_action=labels,
        judge_scores=torch.full((count, J), 7.0) + torch.randn(count, J, generator=generator),
        transitions=torch.tensor([30.0, 60.0]) + torch.arange(count)[:, None],
        caption=SAID[torch.arange(count) % 2],
    )


def raw(clips: Clips) -> Clips:
    """The same clips with targets as a system with `raw_target` sees them: sums of three marks."""
    return replace(clips, target=15 + 4 * clips.target)


def filmed(clips: Clips) -> Clips:
    """The same clips as pictures, in each a box that moves from the left to the right."""
    n, height, width = PICTURES
    generator = torch.Generator().manual_seed(len(clips))
    frames = torch.randint(0, 256, (len(clips), n, 3, height, width), dtype=torch.uint8, generator=generator)
    left = torch.linspace(0, width / 2, n)
    x, y = torch.stack([left, left + 8, left + 8, left], dim=1), torch.tensor([4.0, 4, 30, 30]).expand(n, 4)
    tubes = torch.stack([x, y], dim=2).expand(len(clips), n, 4, 2)
    return replace(clips, inputs={"frames": frames, "tubes": tubes}, sub_action=None)


def facts_for(module) -> Facts:
    """Facts of the data that `batch_for` gives."""
    known = replace(FACTS, target_range=(7.0, 23.0)) if getattr(module, "raw_target", False) else FACTS
    return known if "features" in module.needs else replace(known, dims={}, lengths={}, pictures=PICTURES)


def batch_for(module) -> Clips | Pairs:
    """What a network is handed: pairs where it needs exemplars, else clips; P of them, or P pairs of B queries."""
    scaled = raw if getattr(module, "raw_target", False) else lambda clips: clips
    change = scaled if "features" in module.needs else lambda clips: filmed(scaled(clips))
    if "exemplars" not in module.needs:
        return change(make_clips(P, seed=1))
    return Pairs(change(make_clips(B)), change(make_clips(P, seed=1)), torch.tensor([0, 1, 1, 2]))


def whole_part(module) -> Clips | list[Clips]:
    """What a classic is handed: arrays of the whole part, or of its clips one by one; pictures where it needs them."""
    clips = make_clips(B)
    if "pictures" in module.needs:
        pictures = torch.randint(256, (B, T, 3, 9, 8), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
        clips = replace(clips, inputs={"frames": pictures})
    clips = clips._each(np.asarray)
    return [clips.rows(np.array([i])) for i in range(B)] if getattr(module, "one_by_one", False) else clips


def first_query(batch: Clips | Pairs) -> Clips | Pairs:
    """The first query alone, with its exemplars where it has some."""
    if isinstance(batch, Clips):
        return batch.rows(torch.tensor([0]))
    own = (batch.query_of == 0).nonzero()[:, 0]
    return Pairs(batch.query.rows(torch.tensor([0])), batch.exemplar.rows(own), torch.zeros_like(own))


def hidden(batch: Clips | Pairs) -> Clips | Pairs:
    """The same batch without what nobody knows of a query before it is judged."""
    query = batch if isinstance(batch, Clips) else batch.query
    names = ("target", "judge_scores", "transitions")
    unknown = {name: torch.full_like(getattr(query, name), torch.nan) for name in names}
    for name in ("sub_action", "caption"):
        found = getattr(query, name)
        unknown[name] = None if found is None else torch.full_like(found, NO_LABEL)
    query = replace(query, **unknown, masks={})
    return query if isinstance(batch, Clips) else replace(batch, query=query)


def built(module, *, facts: Facts | None = None, **options) -> torch.nn.Module:
    """A network of tiny options, which has been told the labels of its training part where it wants to know them."""
    torch.manual_seed(0)
    model = module.build(facts or facts_for(module), **{**module.tiny, **options})
    if hasattr(model, "learn_labels"):
        batch = batch_for(module)
        labels = batch if isinstance(batch, Clips) else batch.exemplar
        model.learn_labels(replace(labels, inputs={}))
    return model


@pytest.fixture
def facts() -> Facts:
    return FACTS


@pytest.fixture
def clips() -> Clips:
    return make_clips(B)


@pytest.fixture
def pairs() -> Pairs:
    return Pairs(make_clips(B), make_clips(P, seed=1), torch.tensor([0, 1, 1, 2]))
