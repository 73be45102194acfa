from dataclasses import replace

import pytest
import torch
from torch import nn

from aqa_pipeline.batches import Facts
from aqa_pipeline.errors import InputError
from aqa_pipeline.systems import c3d_lstm

from .conftest import B, batch_for, built, facts_for, make_clips

SIDE, STARTS = 32, [0, 7]


def told(target: list[float], difficulty: list[float], **options) -> c3d_lstm.C3DLSTM:
    """A network that has learnt these labels."""
    model = built(c3d_lstm, **options)
    clips = replace(
        make_clips(len(target)), target=torch.tensor(target), difficulty=torch.tensor(difficulty), inputs={}
    )
    model.learn_labels(clips)
    return model


def says(model: c3d_lstm.C3DLSTM, *after: list[list[float]]) -> c3d_lstm.C3DLSTM:
    """A network whose LSTMs say so after each clip (B, S), one list each, in standard deviations."""
    for name, said in zip(list(model.readers), after, strict=True):
        model.readers[name] = Said(torch.tensor(said))
    return model


class Said(nn.Module):
    def __init__(self, said: torch.Tensor) -> None:
        super().__init__()
        self.said = said

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        return self.said


def batch(target: list[float], difficulty: list[float] | None = None):
    clips = replace(make_clips(len(target)), target=torch.tensor(target))
    return clips if difficulty is None else replace(clips, difficulty=torch.tensor(difficulty))


def test_scores_are_learnt_in_standard_deviations_of_the_training_part():
    assert told([10.0, 20, 30, 40], [3.0] * 4).std.tolist() == pytest.approx([125**0.5])
    assert told([10.0, 20, 30, 40], [3.0] * 4, std=14.4912).std.tolist() == pytest.approx([14.4912])
    assert told([20.0, 20], [3.0] * 2).std.tolist() == [1]
    two = told([20.0, 60, 30], [2.0, 3, 2.5], lstms="two")  # marks of 10, 20, 12
    assert two.std.tolist() == pytest.approx([(56 / 3) ** 0.5, (1 / 6) ** 0.5])


def test_final_labels_by_hand():
    model = says(told([10.0, 20, 30, 40], [3.0] * 4, std=10.0), [[9.0, 2, 1], [9, 9, 4]])
    assert model.loss(batch([15.0, 20]))["score"].item() == pytest.approx((0.5**2 + 2**2) / 2)
    assert model.predict(batch([0.0, 0])).tolist() == [10, 40]


@pytest.mark.parametrize(("ramp", "wanted"), [("linear", [1, 2, 3, 4]), ("product", [0.25, 1, 2.25, 4])])
def test_incremental_labels_by_hand_and_then_final_ones(ramp, wanted):
    model = told([10.0, 20], [3.0] * 2, std=10.0, incremental_until=0.9, ramp=ramp)
    model = says(model, [[1.0, 1, 1, 1]])
    expected = sum((1 - w) ** 2 for w in wanted) / 4
    assert model.loss(batch([40.0]))["score"].item() == pytest.approx(expected)
    model.set_progress(0.89)
    assert model.loss(batch([40.0]))["score"].item() == pytest.approx(expected)
    model.set_progress(0.9)
    assert model.loss(batch([40.0]))["score"].item() == pytest.approx(9)


def test_two_lstms_say_marks_and_difficulty_and_the_score_is_their_product():
    model = says(told([20.0, 60, 30], [2.0, 3, 2.5], lstms="two"), [[5.0, 4]], [[5.0, 6]])
    marks, difficulty = model.std.tolist()
    terms = model.loss(batch([60.0], [3.0]))
    assert terms["execution"].item() == pytest.approx((4 - 20 / marks) ** 2, rel=1e-5)
    assert terms["difficulty"].item() == pytest.approx((6 - 3 / difficulty) ** 2, rel=1e-5)
    assert model.predict(batch([0.0])).item() == pytest.approx(4 * marks * 6 * difficulty, rel=1e-5)


def test_every_weight_of_two_lstms_with_incremental_labels_learns():
    model = built(c3d_lstm, lstms="two", incremental_until=1.0)
    sum(model.loss(batch_for(c3d_lstm)).values()).backward()
    assert [name for name, p in model.named_parameters() if p.grad is None or not (p.grad != 0).any()] == []


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (dict(ramp="square"), "c3d_lstm.ramp: found 'square', "),
        (dict(lstms="three"), "c3d_lstm.lstms: found 'three', "),
        (dict(std=0.0), "c3d_lstm.std: found 0.0, expected more than 0"),
        (dict(lstms="two", std=3.0), "c3d_lstm.std: found 3.0 for two LSTMs, expected null, or lstms 'one'"),
    ],
)
def test_options_that_are_none_are_named(options, message):
    with pytest.raises(InputError, match=message):
        c3d_lstm.build(facts_for(c3d_lstm), **options)


def test_labels_that_cannot_be_learnt_are_named():
    with pytest.raises(InputError, match=r"c3d_lstm.lstms: found 'two' with videos without a difficulty"):
        told([20.0, 30], [3.0, float("nan")], lstms="two")


@pytest.mark.parametrize("frozen", [True, False])
def test_pictures_are_read_clip_by_clip_by_a_network_that_may_learn(frozen):
    facts = Facts(dims={}, lengths={}, pictures=(24, SIDE, SIDE))
    model = built(c3d_lstm, facts=facts, starts=STARTS, width=0.02, frozen=frozen)
    pictures = torch.randint(0, 256, (B, 24, 3, SIDE, SIDE), dtype=torch.uint8)
    clips = replace(make_clips(B), inputs={"frames": pictures})
    model.loss(clips)["score"].backward()
    grads = [p.grad for p in model.encoder.parameters()]
    assert all((grad is None) is frozen for grad in grads)
    assert (model.readers["score"].lstm.weight_ih_l0.grad != 0).any()
    assert torch.isfinite(model.predict(clips)).all()
    late = clips.inputs["frames"].clone()
    late[:, 23:] = 0  # the last frame that is in a clip is 22
    assert torch.equal(model.predict(replace(clips, inputs={"frames": late})), model.predict(clips))
    with pytest.raises(InputError, match=r"frames.n_frames: found 24, expected 26"):
        built(c3d_lstm, facts=facts, starts=[0, 10])


def test_the_ports_parameters_fill_the_network():
    model = built(c3d_lstm, facts=Facts(dims={}, lengths={}, pictures=(24, SIDE, SIDE)), starts=STARTS, width=0.02)
    reader, ours = model.readers["score"], model.state_dict()
    lstm = {f"module.rnn.{name}": value + 1 for name, value in reader.lstm.state_dict().items()}
    lstm |= {f"module.fc_final_score.{name}": value + 1 for name, value in reader.out.state_dict().items()}
    seen = {**model.encoder.backbone.state_dict(), "fc8.bias": torch.zeros(3)}
    found = c3d_lstm.from_official({"c3d": seen, "lstm": lstm})
    assert found.keys() == ours.keys() - {"std"}
    model.load_state_dict({**found, "std": model.std})
    assert torch.equal(reader.out.bias, lstm["module.fc_final_score.bias"])
