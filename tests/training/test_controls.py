import pandas as pd
import pytest

from aqa_pipeline.errors import InputError
from aqa_pipeline.training import controls

SAMPLES = pd.DataFrame(dict(video_id=[f"v{i}" for i in range(9)], action_type=["a"] * 4 + ["b"] * 2 + ["c", "d", None]))
PARTS = dict(train=[f"v{i}" for i in (0, 1, 4, 5, 6, 7, 8)], validation=[], test=["v2", "v3"])


def test_everyone_gets_another_of_the_same_type():
    swapped = controls.exchange(SAMPLES, list(SAMPLES["video_id"]), seed=0)
    types = dict(zip(SAMPLES["video_id"], SAMPLES["action_type"], strict=True))
    assert sorted(swapped) == sorted(swapped.values()) == sorted(types)
    assert not [one for one, other in swapped.items() if one == other]
    assert all(types[one] == types[other] for one, other in swapped.items() if types[one] in ("a", "b"))
    assert {swapped[v] for v in ("v6", "v7", "v8")} == {"v6", "v7", "v8"}  # types seen once, among themselves


def test_the_draw_comes_from_the_seed_and_not_from_the_order():
    ids = list(SAMPLES["video_id"])
    assert controls.exchange(SAMPLES, ids, seed=1) == controls.exchange(SAMPLES[::-1], ids[::-1], seed=1)
    assert len({tuple(sorted(controls.exchange(SAMPLES, ids, seed=s).items())) for s in range(9)}) > 3


def test_labels_move_within_the_training_part_and_inputs_everywhere():
    assert set(controls.drawn("permute_labels", SAMPLES, PARTS, seed=0)) == set(PARTS["train"])
    assert set(controls.drawn("permute_inputs", SAMPLES, PARTS, seed=0)) == set(SAMPLES["video_id"])
    assert controls.drawn("none", SAMPLES, PARTS, seed=0) == {}
    with pytest.raises(InputError, match="control: found 'permute'"):
        controls.drawn("permute", SAMPLES, PARTS, seed=0)
