import numpy as np
import pytest
import torch
from sklearn.ensemble import ExtraTreesRegressor
from sklearn.svm import SVR

from aqa_pipeline.batches import Clips, Facts
from aqa_pipeline.errors import InputError
from aqa_pipeline.systems import (
    constant_transitions,
    feature_forest,
    feature_ridge,
    feature_svr,
    judge_ceiling,
    no_video,
    train_mean,
)
from aqa_pipeline.systems._pooled import pooled

N, T, D = 40, 6, 4


def clips(count: int = N, seed: int = 0, **changes) -> Clips:
    rng = np.random.default_rng(seed)
    features = rng.normal(size=(count, T, D))
    fields = dict(
        inputs={"pose": torch.tensor(features, dtype=torch.float32)},
        video_ids=tuple(f"v{i}" for i in range(count)),
        target=torch.tensor(
            features[:, :3, 0].mean(axis=1) ** 2 + features[:, 3:, 1].mean(axis=1), dtype=torch.float32
        ),
        difficulty=torch.ones(count),
        action_type=torch.zeros(count, dtype=torch.long),
    )
    return Clips(**{**fields, **changes})


FACTS = Facts(dims={"pose": D}, lengths={"pose": T}, action_types=("a", "b", "c"))


def test_pooling_by_hand():
    one = clips(1, inputs={"pose": torch.tensor([[[1.0, 10], [3, 20], [2, 30], [8, 0]]])})  # (1, 4, 2)
    assert pooled(one, segments=2, statistics=["min", "mean", "max"])[0].tolist() == [
        1,
        10,
        2,
        15,
        3,
        20,
        2,
        0,
        5,
        15,
        8,
        30,
    ]
    with pytest.raises(InputError, match="segments: found 5 for 4 frames"):
        pooled(one, segments=5, statistics=["mean"])
    with pytest.raises(InputError, match="statistics: unknown 'men', did you mean 'mean'"):
        pooled(one, segments=1, statistics=["men"])


@pytest.mark.parametrize("kernel", ["rbf", "linear"])
def test_support_vectors_predict_as_scikit_learn_does(kernel):
    train, test = clips(), clips(9, seed=1)
    weights = feature_svr.fit(train, FACTS, segments=2, scale=False, kernel=kernel, C=10.0, epsilon=0.01)
    options = dict(segments=2, statistics=["min", "mean", "max"])
    theirs = SVR(kernel=kernel, C=10.0, epsilon=0.01).fit(pooled(train, **options), train.target.numpy())
    assert feature_svr.predict(weights, test) == pytest.approx(theirs.predict(pooled(test, **options)), abs=1e-8)


def test_with_scaling_units_of_features_and_target_do_not_matter():
    train, test = clips(), clips(9, seed=1)
    large = {"pose": 1000 * train.inputs["pose"]}, {"pose": 1000 * test.inputs["pose"]}
    weights = feature_svr.fit(train, FACTS, segments=2)
    scaled = feature_svr.fit(clips(inputs=large[0], target=50 * train.target + 3), FACTS, segments=2)
    ours, theirs = feature_svr.predict(weights, test), feature_svr.predict(scaled, clips(9, inputs=large[1]))
    assert theirs == pytest.approx(50 * ours + 3, abs=1e-3)


def test_trees_predict_as_scikit_learn_does():
    train, test = clips(), clips(9, seed=1)
    options = dict(segments=2, statistics=["mean", "sd"])
    weights = feature_forest.fit(train, FACTS, **options, trees=7, max_features=0.5, min_samples_leaf=2, seed=4)
    theirs = ExtraTreesRegressor(7, max_features=0.5, min_samples_leaf=2, random_state=4)
    theirs.fit(pooled(train, **options), train.target.double().numpy())
    assert feature_forest.predict(weights, test) == pytest.approx(theirs.predict(pooled(test, **options)))


def test_without_penalty_ridge_is_least_squares_and_a_large_one_is_the_mean():
    train, test = clips(), clips(9, seed=1)
    weights = feature_ridge.fit(train, FACTS, segments=2, statistics=["mean"], alpha=0, scale=False)
    x = np.column_stack([pooled(train, segments=2, statistics=["mean"]), np.ones(N)])
    solution = np.linalg.lstsq(x, train.target.double().numpy(), rcond=None)[0]
    expected = np.column_stack([pooled(test, segments=2, statistics=["mean"]), np.ones(9)]) @ solution
    assert feature_ridge.predict(weights, test) == pytest.approx(expected, abs=1e-6)
    flat = feature_ridge.predict(feature_ridge.fit(train, FACTS, alpha=1e12, segments=2), test)
    assert flat == pytest.approx([train.target.double().mean().item()] * 9, abs=1e-6)


def test_no_video_is_the_shrunk_mean_of_the_type():
    train = clips(5, target=torch.tensor([6.0, 6, 6, 12, 20]), action_type=torch.tensor([0, 0, 0, 0, 1]))
    weights = no_video.fit(train, FACTS)  # mean of all 10
    assert weights["means"] == pytest.approx([(30 + 40) / 8, (20 + 40) / 5, 10, 10])
    test = clips(4, action_type=torch.tensor([1, 0, -1, 2]))
    assert no_video.predict(weights, test) == pytest.approx([12, 8.75, 10, 10])


def test_train_mean_says_the_same_to_everyone():
    weights = train_mean.fit(clips(4, target=torch.tensor([1.0, 2, 3, 6])), FACTS)
    assert train_mean.predict(weights, clips(3)).tolist() == [3, 3, 3]


def test_the_ceiling_is_the_truth_where_it_is_known():
    truth = {"truth": torch.tensor([[[21.5]], [[9.0]]])}
    known = clips(2, inputs=truth)
    assert judge_ceiling.predict(judge_ceiling.fit(known, FACTS), known).tolist() == [21.5, 9]


def test_otherwise_it_is_one_judge_brought_to_the_scale_of_the_target():
    marks = np.linspace(3, 9, N)
    scores = torch.tensor(np.stack([marks, marks, np.full(N, np.nan)], axis=1))
    train = clips(inputs={}, judge_scores=scores, target=torch.tensor(3 * marks + 1))
    weights = judge_ceiling.fit(train, FACTS)
    assert weights["line"] == pytest.approx([3, 1])
    assert judge_ceiling.predict(weights, train) == pytest.approx(3 * marks + 1)
    apart = clips(inputs={}, judge_scores=torch.tensor([[0.0, 10.0]] * N))
    drawn = [judge_ceiling._one_judge(apart, seed) for seed in (0, 0, 1)]
    assert (drawn[0] == drawn[1]).all()
    assert (drawn[0] != drawn[2]).any()
    assert set(drawn[0]) == {0.0, 10.0}


def test_without_judges_there_is_no_ceiling(caplog):
    weights = judge_ceiling.fit(clips(inputs={}), FACTS)
    assert np.isnan(judge_ceiling.predict(weights, clips(inputs={}))).all()
    assert "no truth and no judge_scores" in caplog.text


def test_transitions_of_the_training_part_are_said_to_everyone():
    nan = float("nan")
    train = clips(3, transitions=torch.tensor([[20.0, 60.0], [31.0, 63.0], [nan, nan]]))
    weights = constant_transitions.fit(train, FACTS)
    assert constant_transitions.segment(weights, clips(2)).tolist() == [[26, 62], [26, 62]]  # 25.5 and 61.5, to even
    assert np.isnan(constant_transitions.predict(weights, clips(2))).all()
    unknown = constant_transitions.fit(clips(1, transitions=torch.tensor([[nan, nan]])), FACTS)
    assert np.isnan(constant_transitions.segment(unknown, clips(2))).all()
