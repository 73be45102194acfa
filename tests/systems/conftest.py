import pytest
import torch

from aqa_pipeline.batches import NO_LABEL, Clips, Facts, Pairs

B, P, T, J = 3, 4, 6, 2
DIMS = {"pose": 5, "image": 2}
FACTS = Facts(
    dims=DIMS, n_frames=T, sub_actions=("entry", "flight"), action_types=("107b", "5253b"), target_range=(-2, 2)
)


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
    )


@pytest.fixture
def facts() -> Facts:
    return FACTS


@pytest.fixture
def clips() -> Clips:
    return make_clips(B)


@pytest.fixture
def pairs() -> Pairs:
    return Pairs(make_clips(B), make_clips(P, seed=1), torch.tensor([0, 1, 1, 2]))
