import hashlib
from dataclasses import replace

import numpy as np
import pytest

from aqa_pipeline import plugins
from aqa_pipeline.evaluation import scores
from aqa_pipeline.evaluation.predictions import Predictions
from aqa_pipeline.metrics.med import med
from aqa_pipeline.metrics.spearman_rho import spearman_rho

METRICS = plugins.available("metrics")


def test_the_value_is_the_mean_over_seeds(made):
    found = made(0.5)
    by_hand = (
        spearman_rho(found.predicted_score[0], found.score) + spearman_rho(found.predicted_score[1], found.score)
    ) / 2
    assert scores.sampled(found, "spearman_rho", n_draws=50).value == pytest.approx(by_hand)


def test_a_draw_of_videos_serves_all_seeds(made):
    found = made(0.5, n=17)
    counts = np.concatenate(list(scores.resamples(found.video_ids, n_draws=30, seed=4))).astype(int)
    assert counts.shape == (30, 17)
    assert set(counts.sum(axis=1)) == {17}
    rows = [np.repeat(np.arange(17), times) for times in counts]
    by_hand = [np.mean([med(p[r], found.score[r]) for p in found.predicted_score]) for r in rows]
    np.testing.assert_allclose(scores.sampled(found, "med", n_draws=30, seed=4).draws, by_hand)


def test_marks_are_taken_where_the_metric_asks_for_them(made):
    found = made(0.5)
    by_hand = np.mean([spearman_rho(p, found.mark) for p in found.predicted_mark])
    assert scores.sampled(found, "spearman_rho_mark", n_draws=50).value == pytest.approx(by_hand)


def test_the_scale_of_relative_l2_is_that_of_the_whole_test_set(made):
    found = made(0.5, n=9)
    draws = scores.sampled(found, "relative_l2_x100", n_draws=40).draws
    squared = scores.sampled(found, "mse", n_draws=40).draws
    np.testing.assert_allclose(draws, 100 * squared / np.ptp(found.score) ** 2)


@pytest.mark.parametrize("metric", METRICS)
def test_the_interval_holds_the_value_and_shrinks_with_more_videos(made, metric):
    def width(n):
        one = scores.sampled(made(0.5, n=n), metric, n_draws=500)
        low, high = one.interval
        assert low < one.value < high
        return high - low

    assert width(400) < 0.6 * width(40)


def test_the_interval_covers_the_truth_as_often_as_it_says():
    """MED of normal errors with sd 1 is sqrt(2 / pi); about 95 of 100 test sets should say so."""
    hits = 0
    for seed in range(100):
        rng = np.random.default_rng(seed)
        predicted = rng.normal(size=(1, 80))
        found = one_fold(predicted, np.zeros(80))
        found = replace(found, video_ids=np.array([f"{seed}.{i:02d}" for i in range(80)]))
        low, high = scores.sampled(found, "med", n_draws=400).interval
        hits += low < np.sqrt(2 / np.pi) < high
    assert 88 <= hits <= 99


def one_fold(predicted, true):
    n_seeds, n = predicted.shape
    return Predictions(
        video_ids=np.array([f"v{i:03d}" for i in range(n)]),
        fold=np.zeros(n, int),
        seeds=tuple(range(n_seeds)),
        score=true,
        predicted_score=predicted,
        mark=true,
        predicted_mark=predicted,
        transitions=np.full((n, 2), np.nan),
        predicted_transitions=np.full((n_seeds, n, 2), np.nan),
    )


def test_draws_depend_on_the_videos_and_the_seed_alone(made):
    def rho(noise, seed=0, **options):
        return scores.sampled(made(noise, **options), "spearman_rho", n_draws=60, seed=seed).draws

    np.testing.assert_array_equal(rho(0.5), rho(0.5))
    assert not np.array_equal(rho(0.5), rho(0.5, seed=1))
    videos = made(0.0).video_ids
    first = next(scores.resamples(videos, n_draws=60, seed=0))
    np.testing.assert_array_equal(first, next(scores.resamples(videos.copy(), n_draws=60, seed=0)))
    assert not np.array_equal(first, next(scores.resamples(videos[::-1], n_draws=60, seed=0)))


def test_the_draws_are_those_of_the_first_version():
    """Intervals that were published stay what they are: rows drawn with the key of the ids, then counted."""
    ids = ["a", "b", "c", "d", "e"]
    key = int.from_bytes(hashlib.sha256(b"a\nb\nc\nd\ne").digest()[:8], "big")
    rows = np.random.default_rng([3, key]).integers(0, 5, (7, 5))
    counts = next(scores.resamples(ids, n_draws=7, seed=3))
    np.testing.assert_array_equal(counts, [np.bincount(row, minlength=5) for row in rows])


def test_many_videos_are_drawn_in_pieces(monkeypatch):
    whole = np.concatenate(list(scores.resamples([str(i) for i in range(50)], n_draws=33, seed=0)))
    monkeypatch.setattr(scores, "CHUNK", 300)
    scores._counts.cache_clear()
    pieces = list(scores.resamples([str(i) for i in range(50)], n_draws=33, seed=0))
    assert [len(piece) for piece in pieces] == [6, 6, 6, 6, 6, 3]
    np.testing.assert_array_equal(np.concatenate(pieces), whole)


@pytest.mark.parametrize("metric", ["spearman_rho", "spearman_rho_mark"])
def test_a_training_mean_has_no_rank(made, metric):
    found = made(0.5, n_folds=4)
    means = np.array([20.0, 21.0, 22.5, 23.0])[found.fold]
    constant = replace(found, predicted_score=np.stack([means, means]), predicted_mark=np.stack([means, means]))
    one = scores.sampled(constant, metric, n_draws=20)
    assert np.isnan(one.value)
    assert np.isnan(one.interval).all()
    assert np.isfinite(scores.sampled(constant, "med", n_draws=20).value)


def test_one_video_a_fold_cannot_tell_a_constant(made):
    found = made(0.5, n=12, n_folds=12)
    assert np.isfinite(scores.sampled(found, "spearman_rho", n_draws=20).value)


def test_marks_that_are_no_number_are_left_out_of_their_metric_alone(made):
    found = made(0.5)
    found.predicted_mark[1, 3] = np.nan
    assert scores.sampled(found, "spearman_rho_mark", n_draws=20).n_test == 59
    assert scores.sampled(found, "spearman_rho", n_draws=20).n_test == 60


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("n", [0, 1])
@pytest.mark.filterwarnings("error")
def test_too_few_videos_give_no_number_and_no_warning(made, metric, n):
    few = made(0.5).only([f"v{i:03d}" for i in range(n)])
    one = scores.sampled(few, metric, n_draws=20)
    assert one.n_test == n
    if n == 0 or metric not in ("med", "mse", "aiou_50", "aiou_75", "step_boundary_error"):
        assert np.isnan([one.value, *one.interval]).all()


FOLDS_BY_HAND = dict(  # errors 1, 3 in fold 0 and 2, 2, 8 in fold 1; video b is tested in both
    video_ids=["a", "b", "b", "c", "d"], fold=[0, 0, 1, 1, 1], score=[10.0, 20.0, 20.0, 30.0, 40.0]
)


def two_folds(over_folds):
    found = one_fold(np.array([[11.0, 23.0, 22.0, 28.0, 48.0]]), np.array(FOLDS_BY_HAND["score"]))
    ids, fold = np.array(FOLDS_BY_HAND["video_ids"]), np.array(FOLDS_BY_HAND["fold"])
    return replace(found, video_ids=ids, fold=fold, over_folds=over_folds)


def test_folds_are_averaged_and_not_their_videos():
    found = scores.sampled(two_folds("mean"), "med", n_draws=400)
    assert found.value == pytest.approx((2 + 4) / 2)  # pooled it would be 16 / 5
    assert found.n_test == 4
    counts = next(scores.resamples(["a", "b", "c", "d"], n_draws=400, seed=0))
    total = counts[:, :2].sum(axis=1), counts[:, 1:].sum(axis=1)
    with np.errstate(invalid="ignore"):
        by_hand = (counts[:, :2] @ [1, 3] / total[0] + counts[:, 1:] @ [2, 2, 8] / total[1]) / 2
    np.testing.assert_allclose(found.draws, by_hand)
    assert 0 < np.isnan(by_hand).sum() < 200  # a draw without a video of a fold has no value


def test_each_fold_has_its_own_scale():
    found = scores.sampled(two_folds("mean"), "relative_l2_x100", n_draws=10)
    assert found.value == pytest.approx(100 * ((1 + 9) / 2 / 10**2 + (4 + 4 + 64) / 3 / 20**2) / 2)


def test_rho_within_folds_is_not_that_of_all(made):
    found = made(0.5, over_folds="mean")
    folds = [found.fold == fold for fold in range(3)]
    by_hand = np.mean([spearman_rho(p[rows], found.score[rows]) for rows in folds for p in found.predicted_score])
    assert scores.sampled(found, "spearman_rho", n_draws=50).value == pytest.approx(by_hand)


def test_one_fold_averaged_is_one_fold_pooled(made):
    for metric in METRICS:
        pooled, averaged = (
            scores.sampled(made(0.5, n_folds=1, over_folds=way), metric, n_draws=50) for way in ("pool", "mean")
        )
        np.testing.assert_array_equal(pooled.draws, averaged.draws)


def test_testing_the_same_videos_again_does_not_narrow_the_interval(made):
    once = made(0.5, n_folds=1, over_folds="mean")
    rows = np.tile(np.arange(60), 5)
    again = replace(once.where(rows), fold=np.repeat(np.arange(5), 60))
    first, second = (scores.sampled(found, "med", n_draws=300) for found in (once, again))
    assert second.interval == pytest.approx(first.interval)
    assert (first.n_test, second.n_test) == (60, 60)


def test_means_over_data_sets(made):
    parts = [scores.Sampled(0.5, np.array([0.5, 0.4]), 10), scores.Sampled(0.8, np.array([0.8, 0.9]), 20)]
    # z(0.5) = ln(3) / 2 and z(0.8) = ln(9) / 2, so the mean is tanh(ln(27) / 4)
    assert scores.mean(parts, "spearman_rho").value == pytest.approx(np.tanh(np.log(27) / 4))
    assert scores.mean(parts, "med").value == pytest.approx(0.65)
    assert scores.mean(parts, "med").draws == pytest.approx([0.65, 0.65])
    assert scores.mean(parts, "med").n_test == 30


def test_a_perfect_rho_can_be_averaged():
    parts = [scores.Sampled(1.0, np.array([1.0]), 5), scores.Sampled(0.0, np.array([0.0]), 5)]
    assert 0.99 < scores.mean(parts, "spearman_rho").value < 1
