import numpy as np
import pandas as pd
import pytest
import torch
from torch.utils.data import DataLoader

from aqa_pipeline import stores
from aqa_pipeline.batches import END, NO_LABEL, START
from aqa_pipeline.errors import InputError
from aqa_pipeline.training.data import Data, open_features, open_truth, resample

LENGTHS = dict(a=5, b=9, c=7, d=1)
TRAINING = ["a", "b", "d"]
D_POSE, D_IMAGE = 3, 2


@pytest.fixture
def samples() -> pd.DataFrame:
    steps = [dict(sub_action="take_off", first_frame=0), dict(sub_action="flight", first_frame=4)]
    return pd.DataFrame(
        dict(
            video_id=list(LENGTHS), action_type=["x", "y", "z", None], difficulty=[2.0, 3.0, 4.0, np.nan],
            score=[20.0, 60.0, 90.0, 7.0], judge_scores=[[5.0, 6.0, 7.0], [8.0, 8.5], None, None],
            steps=[steps, steps, [dict(sub_action="entry", first_frame=2)], None],
        )
    )  # fmt: skip


@pytest.fixture
def inputs(tmp_path):
    rng = np.random.default_rng(0)
    for modality, dim in (("pose", D_POSE), ("image", D_IMAGE)):
        for shard, ids in (("0000", "ab"), ("0001", "cd")):
            path = tmp_path / modality / f"{shard}.h5"
            with stores.write(path, kind="features", version=1, made_by={}) as store:
                for v in ids:
                    t = np.arange(LENGTHS[v])
                    features = 100 + 10 * rng.normal(size=(LENGTHS[v], dim))
                    features[:, 0] = t
                    store.put(v, {"features": features.astype(np.float32), "first_frame": t})
    with open_features(sorted(tmp_path.glob("*/*.h5"))) as opened:
        yield opened


def data(samples, inputs, **options) -> Data:
    targets = dict(zip(samples["video_id"], samples["score"], strict=True))
    made = Data(samples, inputs, targets, **{**dict(n_frames=4), **options})
    made.fit(TRAINING)
    return made


def test_resampling_covers_the_whole_length():
    sequence = np.array([[0.0, 10.0], [1.0, 20.0], [2.0, 30.0], [3.0, 40.0]], dtype=np.float32)
    assert resample(sequence, 7)[:, 0] == pytest.approx([0, 0.5, 1, 1.5, 2, 2.5, 3])
    assert resample(sequence, 3)[:, 1] == pytest.approx([10, 25, 40])
    assert resample(sequence, 3, sampling="nearest")[:, 0].tolist() == [0, 1, 3]  # 0, 1.5, 3 truncated
    assert resample(sequence[:1], 5).tolist() == [[0.0, 10.0]] * 5
    assert resample(np.arange(4), 3, sampling="nearest").tolist() == [0, 1, 3]


def test_modalities_are_named_by_their_folders_and_scaled_by_the_training_part_alone(samples, inputs):
    made = data(samples, inputs)
    assert made.facts.dims == {"pose": D_POSE, "image": D_IMAGE}
    frames = np.concatenate([inputs["pose"].read(v) for v in TRAINING]).astype(np.float64)
    mean, sd = made.scales["input.pose"]
    assert mean == pytest.approx(frames.mean(axis=0), rel=1e-5)
    assert sd == pytest.approx(frames.std(axis=0), rel=1e-5)
    clip = made.clips(["c"]).inputs["pose"][0]  # (4, 3)
    expected = resample(inputs["pose"].read("c"), 4)
    assert clip.numpy() == pytest.approx((expected - mean) / sd, abs=1e-4)


def test_every_modality_has_its_own_length(samples, inputs):
    made = data(samples, inputs, n_frames={"image": 2, "pose": 6}, normalise=False)
    assert made.facts.lengths == {"pose": 6, "image": 2}
    clips = made.clips(["a", "c"])
    assert {name: tuple(x.shape) for name, x in clips.inputs.items()} == {
        "pose": (2, 6, D_POSE),
        "image": (2, 2, D_IMAGE),
    }
    assert clips.inputs["pose"][0, :, 0].tolist() == pytest.approx([0, 0.8, 1.6, 2.4, 3.2, 4])
    assert clips.inputs["image"][1, :, 0].tolist() == [0, 6]
    first = next(iter(inputs))
    assert clips.sub_action.shape == (2, made.facts.lengths[first])
    own = data(samples, inputs, n_frames={"image": 3, "pose": 0}).clips(["b"]).inputs
    assert (own["pose"].shape[1], own["image"].shape[1]) == (LENGTHS["b"], 3)


@pytest.mark.parametrize(
    ("n_frames", "message"),
    [
        ({"pose": 4}, "n_frames: no length of 'image', expected one of each: "),
        ({"pose": 4, "image": 4, "imge": 4}, "n_frames: unknown 'imge', did you mean 'image'"),
    ],
)
def test_a_missing_length_is_named(samples, inputs, n_frames, message):
    with pytest.raises(InputError, match=message):
        data(samples, inputs, n_frames=n_frames)


def test_targets_are_scaled_and_come_back(samples, inputs):
    made = data(samples, inputs)
    targets = made.clips(TRAINING).target.double().numpy()
    assert targets.mean() == pytest.approx(0, abs=1e-6)
    assert targets.std() == pytest.approx(1, abs=1e-6)
    assert made.unscaled(targets) == pytest.approx([20, 60, 7], abs=1e-5)
    assert made.facts.target_range == pytest.approx((targets.min(), targets.max()))
    plain = data(samples, inputs, normalise=False)
    assert plain.clips(["c"]).target.tolist() == [90]
    assert plain.clips(["a"]).inputs["pose"][0, :, 0].tolist() == pytest.approx([0, 4 / 3, 8 / 3, 4])


def test_captions_are_numbers_of_the_words_of_the_training_part(samples, inputs):
    said = samples.assign(caption=["so high so", "a dive", "high hurdle dive", None])
    made = data(said, inputs, show_captions=True)
    assert made.facts.words == ("a", "dive", "high", "so")
    clips = made.clips(["b", "c", "d", "a"])
    assert clips.caption.tolist() == [
        [START, 2, 3, END, NO_LABEL],
        [START, 4, 3, END, NO_LABEL],  # hurdle is not known
        [NO_LABEL] * 5,
        [START, 5, 4, 5, END],
    ]
    assert made.labels(["d"]).caption.tolist() == [[NO_LABEL] * 5]
    assert made.clips(["a"], show_target=False).caption.tolist() == [[NO_LABEL] * 5]
    for without in (data(said, inputs), data(samples, inputs, show_captions=True)):
        assert without.facts.words == ()
        assert without.clips(["a"]).caption is None


def test_the_target_alone_can_stay_in_its_own_units(samples, inputs):
    made = data(samples, inputs, scale_target=False)
    assert made.clips(TRAINING).target.tolist() == [20, 60, 7]
    assert made.facts.target_range == (7, 60)
    assert made.unscaled(np.array([60.0])).tolist() == [60]
    scaled = data(samples, inputs).clips(["c"]).inputs["pose"]
    assert torch.equal(made.clips(["c"]).inputs["pose"], scaled)


def test_labels_are_those_of_a_batch_without_its_inputs(samples, inputs):
    made = data(samples, inputs)
    labels, clips = made.labels(["b", "c"]), made.clips(["b", "c"], draw=(3, 1))
    assert (dict(labels.inputs), labels.sub_action, len(labels)) == ({}, None, 2)
    for name in ("target", "difficulty", "action_type", "judge_scores"):
        assert torch.equal(getattr(labels, name).nan_to_num(-9), getattr(clips, name).nan_to_num(-9))


def test_a_forked_process_reads_files_of_its_own(samples, inputs):
    made = data(samples, inputs, memory_mb=0)
    here = made.clips(["a", "c"])

    class Again:
        def __len__(self):
            return 4

        def __getitem__(self, number):
            return made.clips(["a", "c"])

    there = list(DataLoader(Again(), batch_size=None, num_workers=2, multiprocessing_context="fork"))
    assert len(there) == 4
    assert all(torch.equal(clips.inputs["pose"], here.inputs["pose"]) for clips in there)
    assert torch.equal(made.clips(["a", "c"]).inputs["image"], here.inputs["image"])


def test_a_batch_carries_what_is_known(samples, inputs):
    clips = data(samples, inputs).clips(["b", "c", "a"])
    assert clips.difficulty.tolist() == [3, 4, 2]
    assert clips.action_type.tolist() == [1, -1, 0]  # type z is not in the training part
    assert clips.judge_scores[2].tolist() == [5, 6, 7]
    assert clips.judge_scores[0].tolist() == pytest.approx([8, 8.5, np.nan], nan_ok=True)
    assert clips.sub_action.shape == (3, 4)


def test_frame_labels_are_those_of_the_sampled_frames(samples, inputs):
    made = data(samples, inputs)
    assert made.facts.sub_actions == ("flight", "take_off")
    labels = made.clips(["b", "c", "d"]).sub_action  # b: frames 0, 2, 5, 8 of 9
    assert labels[0].tolist() == [1, 1, 0, 0]
    assert labels[1].tolist() == [NO_LABEL] * 4  # "entry" is not in the training part
    assert labels[2].tolist() == [NO_LABEL] * 4  # no steps known


def test_pairs_gather_the_exemplars_of_a_query_and_hide_what_is_asked_for(samples, inputs):
    pairs = data(samples, inputs).pairs(["c", "c", "b"], ["a", "b", "d"], show_target=False)
    assert pairs.query.video_ids == ("c", "b")
    assert pairs.query_of.tolist() == [0, 0, 1]
    assert pairs.exemplar.video_ids == ("a", "b", "d")
    assert torch.isnan(pairs.query.target).all()
    assert torch.isfinite(pairs.exemplar.target).all()


def test_a_control_reads_the_frames_and_labels_of_another(samples, inputs):
    made = data(samples, inputs)
    made.features_of = {"a": "b"}
    one, other = (made.clips([v]) for v in "ab")
    assert torch.equal(one.inputs["pose"], other.inputs["pose"])
    assert torch.equal(one.sub_action, other.sub_action)
    assert one.target != other.target


def test_memory_holds_what_fits_and_the_rest_is_read_again(samples, inputs):
    made = data(samples, inputs, memory_mb=0)
    first, second = made.clips(["a"]).inputs["pose"], made.clips(["a"]).inputs["pose"]
    assert torch.equal(first, second)
    assert made._kept == {}
    assert list(data(samples, inputs)._kept) == []
    kept = data(samples, inputs)
    kept.clips(["a", "b"])
    assert sorted(kept._kept) == ["a", "b"]


def test_constant_channels_do_not_divide_by_zero(samples, tmp_path):
    path = tmp_path / "flat" / "0000.h5"
    with stores.write(path, kind="features", version=1, made_by={}) as store:
        for v, length in LENGTHS.items():
            store.put(v, {"features": np.full((length, 2), 7e6, np.float32), "first_frame": np.arange(length)})
    with open_features([path]) as inputs:
        assert (data(samples, inputs).clips(["c"]).inputs["flat"] == 0).all()


def test_mistakes_are_named(samples, inputs, tmp_path):
    with pytest.raises(InputError, match="no features of video 'e'"):
        inputs["pose"].read("e")
    with pytest.raises(InputError, match="sampling: found 'cubic'"):
        data(samples, inputs, sampling="cubic")
    with stores.write(tmp_path / "t.h5", kind="truth", version=1, made_by={}) as store:
        store.put("a", {}, true_execution=21.5)
        store.put("b", {})
    with open_truth([tmp_path / "t.h5"]) as truth:
        assert truth["truth"].read("a").tolist() == [[21.5]]
        with pytest.raises(InputError, match="has no fact 'true_execution'"):
            truth["truth"].read("b")
    with open_truth([]) as truth:
        assert truth == {}


def test_arrays_hold_what_clips_hold(samples, inputs):
    made = data(samples, inputs)
    arrays, clips = made.arrays(["c", "a"]), made.clips(["c", "a"])
    assert arrays.video_ids == clips.video_ids
    assert arrays.inputs.keys() == clips.inputs.keys()
    same = {name: (arrays.inputs[name], clips.inputs[name]) for name in clips.inputs}
    same |= {name: (getattr(arrays, name), getattr(clips, name)) for name in ("target", "action_type", "sub_action")}
    for array, tensor in same.values():
        assert isinstance(array, np.ndarray)
        assert isinstance(tensor, torch.Tensor)
        np.testing.assert_array_equal(array, tensor.numpy(), strict=True)


def test_clips_come_one_by_one_each_as_long_as_it_is(samples, inputs):
    made = data(samples, inputs, n_frames=0)
    part = made.one_by_one(["c", "a"])
    assert len(part) == 2
    for _ in range(2):  # again when it is gone through again
        assert [(clip.video_ids, clip.inputs["pose"].shape) for clip in part] == [
            (("c",), (1, LENGTHS["c"], D_POSE)),
            (("a",), (1, LENGTHS["a"], D_POSE)),
        ]
    assert [float(clip.target[0]) for clip in part] == pytest.approx(made.scaled(np.array([90.0, 20.0])), abs=1e-6)
    assert all(np.isnan(clip.target).all() for clip in made.one_by_one(["c", "a"], show_target=False))
