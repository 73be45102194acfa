import torch

from aqa_pipeline.batches import Clips, Facts, Pairs

B, P, T, D = 2, 5, 3, 4


def clips(count: int, first: float = 0.0) -> Clips:
    return Clips(
        inputs={"pose": first + torch.arange(count * T * D, dtype=torch.float32).view(count, T, D)},
        video_ids=tuple(f"v{int(first)}{i}" for i in range(count)),
        target=first + torch.arange(count, dtype=torch.float32),
        difficulty=torch.full((count,), 3.0),
        action_type=torch.arange(count),
        sub_action=torch.zeros(count, T, dtype=torch.long),
        masks={"athlete": torch.ones(count, T, 2, 2)},
    )


def test_rows_take_everything_along():
    chosen = clips(B).rows(torch.tensor([1, 0, 1]))
    assert chosen.video_ids == ("v01", "v00", "v01")
    assert chosen.target.tolist() == [1, 0, 1]
    assert chosen.inputs["pose"].shape == (3, T, D)
    assert chosen.masks["athlete"].shape == (3, T, 2, 2)
    assert chosen.judge_scores is None
    assert len(chosen) == 3


def test_votes_are_averaged_over_as_many_exemplars_as_a_query_has():
    pairs = Pairs(clips(B), clips(P, 10), torch.tensor([0, 0, 0, 1, 1]))
    assert pairs.average(torch.tensor([1.0, 2, 6, 10, 20])).tolist() == [3, 15]
    assert pairs.queries().video_ids == ("v00", "v00", "v00", "v01", "v01")
    assert len(pairs) == P


def test_moving_moves_every_tensor():
    pairs = Pairs(clips(B), clips(P, 10), torch.tensor([0, 0, 0, 1, 1])).to("meta")
    tensors = [pairs.query_of, pairs.query.target, pairs.exemplar.inputs["pose"], pairs.exemplar.masks["athlete"]]
    assert {tensor.device.type for tensor in tensors} == {"meta"}


def test_facts_survive_json():
    facts = Facts(
        dims={"pose": D, "still": 2},
        lengths={"pose": T, "still": 9},
        sub_actions=("entry", "flight"),
        target_range=(-1.5, 2.0),
    )
    assert Facts.from_json(facts.to_json()) == facts
    assert hash(Facts.from_json({**facts.to_json(), "sub_actions": ["a"]}).sub_actions)
