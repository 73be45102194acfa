import numpy as np
import pandas as pd
import pytest
import torch

from aqa_pipeline.systems._comparison import Comparison
from aqa_pipeline.training import voting
from aqa_pipeline.training.data import Data

T, D = 5, 3
TARGETS = {"a": 10.0, "b": 20.0, "c": 40.0, "q": 30.0, "r": 15.0}


class Stored:
    """Features that say nothing but which video they are of."""

    def __contains__(self, video_id: str) -> bool:
        return video_id in TARGETS

    def read(self, video_id: str) -> np.ndarray:
        return np.full((T, D), float("abcqr".index(video_id)), np.float32)

    def first_frames(self, video_id: str) -> np.ndarray:
        return np.arange(T)


class Difference(Comparison):
    """The offset is the difference of the features."""

    seen: list[str] = []  # by all of them: it is a copy that predicts
    hidden: list[bool] = []

    def __init__(self) -> None:
        super().__init__()
        self.seen.clear()
        self.hidden.clear()

    def encode(self, clips):
        self.seen.extend(clips.video_ids)
        self.hidden.append(bool(clips.target.isnan().all()))
        features = clips.inputs["pose"].mean(dim=(1, 2))
        return {"features": features, "transitions": torch.stack([features, features + 40], dim=1)}

    def votes(self, query, exemplar, target):
        return target + query["features"] - exemplar["features"]


@pytest.fixture
def data() -> Data:
    columns = dict(difficulty=3.0, action_type="x", judge_scores=None, steps=None, first_frame=0, last_frame=T - 1)
    samples = pd.DataFrame([dict(video_id=video_id, **columns) for video_id in TARGETS])
    data = Data(samples, {"pose": Stored()}, TARGETS, n_frames=0, normalise=False)
    data.fit(["a", "b", "c"])
    return data


DRAWS = pd.DataFrame(
    [("r", "b"), ("q", "a"), ("q", "b"), ("q", "c"), ("r", "c")], columns=["query", "exemplar"]
).convert_dtypes()


def test_votes_are_averaged_over_the_exemplars_of_each_query(data):
    table = voting.predict_draws(Difference(), data, DRAWS, "cpu").set_index("video_id")
    assert table.loc["q", "predicted"] == pytest.approx(((10 + 3) + (20 + 2) + (40 + 1)) / 3)
    assert table.loc["r", "predicted"] == pytest.approx(((20 + 3) + (40 + 2)) / 2)
    assert table["n_exemplars"].to_dict() == {"q": 3, "r": 2}
    assert table["exemplars"].to_dict() == {"q": ["a", "b", "c"], "r": ["b", "c"]}
    assert table.loc["r", "votes"] == pytest.approx([20 + 3, 40 + 2])
    assert table[["transition_1", "transition_2"]].loc["r"].tolist() == [4, 44]


def test_every_clip_is_encoded_once(data):
    model = Difference()
    voting.predict_draws(model, data, DRAWS, "cpu")
    assert sorted(model.seen) == ["a", "b", "c", "q", "r"]
    assert all(model.hidden)  # the score of none of them


def test_what_does_not_fit_is_encoded_again_with_the_same_result(data, monkeypatch):
    monkeypatch.setattr(voting, "QUERIES_A_BATCH", 1)
    model = Difference()
    forgetful = voting.predict_draws(model, data, DRAWS, "cpu", memory_mb=0)
    assert sorted(model.seen) == ["a", "b", "b", "c", "c", "q", "r"]
    pd.testing.assert_frame_equal(forgetful, voting.predict_draws(Difference(), data, DRAWS, "cpu"))


def test_it_is_what_the_model_predicts_of_a_batch_of_pairs(data):
    batch = data.pairs(["q", "q", "r"], ["a", "b", "c"], show_target=False)
    by_batch = Difference().predict(batch).numpy()
    table = voting.predict_draws(Difference(), data, DRAWS.iloc[[1, 2, 4]], "cpu")
    assert table["predicted"].to_numpy() == pytest.approx(by_batch)


@pytest.mark.parametrize(
    ("pictures", "on_cpu", "on_gpu"), [(None, 16, 16), ((96, 112, 112), 2, 16), ((103, 224, 224), 1, 8)]
)
def test_pictures_are_encoded_a_few_clips_at_a_time(pictures, on_cpu, on_gpu):
    found = [voting._together(pictures, torch.device(name)) for name in ("cpu", "cuda")]
    assert found == [on_cpu, on_gpu]
