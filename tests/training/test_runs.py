"""What a run hands to the loop and to its system."""

import numpy as np
import pandas as pd
import pytest
import torch

from aqa_pipeline import plugins, stores
from aqa_pipeline.errors import InputError
from aqa_pipeline.protocols import k_fold
from aqa_pipeline.systems import pose_guided
from aqa_pipeline.training import runs
from aqa_pipeline.training.pairs import draw_pairs

N, T, D = 14, 9, 3
MARKS = np.random.default_rng(0).uniform(10, 28, N)


@pytest.fixture
def samples():
    ids = [f"v{i:02d}" for i in range(N)]
    table = pd.DataFrame(dict(video_id=ids, score=3 * MARKS, difficulty=3.0, action_type="107b"))
    return table.assign(steps=None, judge_scores=None, group=None)


@pytest.fixture
def trained(samples, tmp_path):
    """Trains pose_guided on one fold; its run and the ids of the training part."""
    path = tmp_path / "motion" / "0000.h5"
    with stores.write(path, kind="features", version=1, made_by={}) as store:
        for video_id, mark in zip(samples["video_id"], MARKS, strict=True):
            store.put(video_id, {"features": np.full((T, D), mark, np.float32), "first_frame": np.arange(T)})
    folds = k_fold.folds(samples, n_folds=2, seed=0, validation=0.4)

    def train(*, drawn=None, workers=0, folder=None, **options):
        training = {"steps": 6, "batch": 4} | options.pop("training", {})
        settings = runs.Settings(
            system="pose_guided", adapter="simdive", fold=1, seed=0, training=training, **options,
            options=dict(dim=8, heads=2, layers=1), clips=dict(n_frames=6) | options.pop("clips", {}),
        )  # fmt: skip
        draws = draw_pairs(samples, folds, steps=drawn or training["steps"], batch=4)
        with runs.open_inputs(runs.Files(features=[path]), threads=1) as inputs:
            parts = runs.parts_of(folds, 1, inputs)
            run = runs.train(
                settings, samples, folds, inputs, draws=draws, device="cpu", workers=workers, folder=folder
            )
            run.predicted = run.predict(parts["test"], draws[draws["fold"] == 1], "cpu")
            return run, parts["train"]

    return train


def test_a_system_learns_labels_once_before_it_is_trained(trained, monkeypatch):
    seen = []
    monkeypatch.setattr(pose_guided.PoseGuided, "learn_labels", lambda _, labels: seen.append(labels), raising=False)
    run, training = trained()
    (labels,) = seen
    assert labels.video_ids == tuple(training)
    assert labels.inputs == {}
    assert labels.target.mean().item() == pytest.approx(0, abs=1e-6)
    assert len(run.history) == 1


def test_a_system_can_ask_for_the_target_in_its_own_units(trained, monkeypatch):
    constant = plugins.constant
    monkeypatch.setattr(plugins, "constant", lambda *names: names[2] == "raw_target" or constant(*names))
    run, training = trained()
    marks = MARKS[[int(video_id[1:]) for video_id in training]]
    assert run.data.facts.target_range == pytest.approx((marks.min(), marks.max()))
    assert run.data.scales["input.motion"][0] == pytest.approx([marks.mean()] * D, rel=1e-5)


def test_without_steps_the_weights_are_as_built_and_predict(trained):
    run, _ = trained(training=dict(steps=0))
    built = runs._built(run.settings, run.data.facts).state_dict()
    assert all(torch.equal(torch.from_numpy(run.weights[name]), weights) for name, weights in built.items())
    assert run.history == []
    assert np.isfinite(run.predicted["predicted"]).all()


def test_draws_are_those_of_the_settings(trained):
    with pytest.raises(InputError, match=r"training\.steps: found 6, but draws of 9; draw the pairs again"):
        trained(drawn=9)


def test_a_step_is_its_pairs_in_their_order():
    seen = []

    class Data:
        pairs = staticmethod(lambda queries, exemplars, *, draw, show_target: seen.append((queries, exemplars, draw)))
        clips = staticmethod(lambda queries, *, draw, show_target: seen.append((queries, draw)))

    draws = pd.DataFrame(
        dict(step=[1, 0, 1, 0, 1], query=pd.array(list("cabab"), "string"), exemplar=pd.array(list("dbeca"), "string"))
    )
    settings = runs.Settings(system="pose_guided", adapter="simdive", fold=0, seed=7)
    steps = runs._Steps(settings, Data, draws)
    assert steps.sizes == [2, 3]
    steps.read(1, slice(0, 3)), steps.read(1, slice(1, 3)), steps.read(0, slice(0, 1))
    assert seen == [
        (["c", "b", "b"], ["d", "e", "a"], (7, 1)), (["b", "b"], ["e", "a"], (7, 1)), (["a"], ["b"], (7, 0)),
    ]  # fmt: skip
    alone = runs._Steps(settings, Data, draws.assign(exemplar=pd.array([None] * 5, "string")))
    alone.read(0, slice(1, 2))
    assert seen[-1] == (["a"], (7, 0))
    assert runs._Steps(settings, Data, draws[:0]).sizes == []


def test_processes_that_read_ahead_change_nothing(trained):
    one, two = trained()[0], trained(workers=2)[0]
    assert one.history == two.history
    assert all(np.array_equal(one.weights[name], two.weights[name]) for name in one.weights)


@pytest.mark.parametrize("every", [1, 2, 3])
def test_the_validation_part_keeps_the_weights_it_liked_best(trained, every, tmp_path):
    run, _ = trained(selection="validation", training=dict(judge_every=every, checkpoint_every=2), folder=tmp_path)
    judged = [(row["step"], row["selection"]) for row in run.history if row["selection"] is not None]
    assert [step for step, _ in judged] == list(range(every, 7, every))
    best = max(judged, key=lambda of: of[1])[0]  # the first of equals
    assert (tmp_path / "resume.safetensors").exists()
    runs.save(run, tmp_path)
    assert not (tmp_path / "resume.safetensors").exists()
    last = trained(training=dict(steps=6))[0].weights
    assert (best == 6) == all(np.array_equal(run.weights[name], last[name]) for name in last)


def test_a_classic_can_be_handed_clips_one_by_one_of_their_own_lengths(samples, tmp_path):
    path = tmp_path / "positions" / "0000.h5"
    rng = np.random.default_rng(0)
    with stores.write(path, kind="features", version=1, made_by={}) as store:
        for video_id, mark in zip(samples["video_id"], MARKS, strict=True):
            length = int(rng.integers(5, 12))
            store.put(video_id, {"features": np.full((length, D), mark, np.float32), "first_frame": np.arange(length)})
    folds = k_fold.folds(samples, n_folds=2, seed=0)
    settings = runs.Settings(
        system="pose_dct", adapter="simdive", fold=1, seed=0, options=dict(coefficients=2, C=1.0), target="score"
    )
    with runs.open_inputs(runs.Files(features=[path]), threads=1) as inputs:
        run = runs.train(settings, samples, folds, inputs)
        parts = runs.parts_of(folds, 1, inputs)
        runs.save(run, tmp_path / "run")
        found = runs.load(tmp_path / "run", samples, inputs).predict(parts["test"])
        again = run.predict(parts["test"])
    assert found["predicted"].to_numpy() == pytest.approx(again["predicted"].to_numpy())
    assert runs.load_arrays(tmp_path / "run")["model."]["slopes"].shape == (1, 2, D)
    assert run.data.facts.lengths == {"positions": 0}


@pytest.mark.parametrize(("needs", "held"), [(None, 2), ({"features", "draws"}, 2), ({"features"}, 3)])
def test_torch_is_held_to_the_threads_unless_no_network_is_asked(needs, held):
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    try:
        with runs.open_inputs(runs.Files(), threads=2, needs=needs):
            assert torch.get_num_threads() == held
    finally:
        torch.set_num_threads(before)
