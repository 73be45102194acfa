"""Pairs of systems: on which clips, how corrected, and whether the tests keep their level and have their power."""

import gc
from dataclasses import replace

import numpy as np
import pytest
from statsmodels.stats.multitest import multipletests

from aqa_pipeline.errors import InputError
from aqa_pipeline.evaluation import scores, significance
from aqa_pipeline.evaluation.draws import Draws
from aqa_pipeline.metrics.med import med
from aqa_pipeline.metrics.spearman_rho import spearman_rho

TABLE = dict(protocol="official", metrics=["spearman_rho", "med"])
PLACES = {"dives": ["dives"]}
A, B, C = "net.a", "net.b", "forest.c"


@pytest.fixture(autouse=True)
def few_permutations(monkeypatch):
    monkeypatch.setattr(significance, "PERMUTATIONS", 199)


def compared(systems, *, places=PLACES, table=TABLE, n_draws=200, seed=0):
    """All pairs of systems, given by row, or by row and data set."""
    found = {key if isinstance(key, tuple) else (key, "dives"): system for key, system in systems.items()}
    rows = list(dict.fromkeys(row for row, _ in found))
    return significance.compare_all(Draws(found, n_draws, seed), rows, places, table)


def test_every_pair_once_in_the_order_of_the_table(made):
    pairs = compared({A: made(0.5, seed=1), B: made(0.8, seed=2), C: made(1.5, seed=3)})
    assert list(pairs.columns) == significance.COLUMNS
    named = [(f"{p.system}.{p.variant}", p.other, p.metric) for p in pairs.itertuples()]
    assert named == [(*pair, metric) for metric in TABLE["metrics"] for pair in ((A, B), (A, C), (B, C))]
    assert set(pairs.n_common) == {60}
    assert (pairs.difference[:3] > 0).all()
    assert (pairs.difference[3:] < 0).all()
    assert ((pairs.difference_low < pairs.difference) & (pairs.difference < pairs.difference_high)).all()


def test_the_difference_is_the_mean_over_seeds_on_common_clips(made):
    a, b = made(0.5, n_seeds=3, seed=1).only([f"v{i:03d}" for i in range(50)]), made(0.8, seed=2)
    b = b.only([f"v{i:03d}" for i in range(7, 60)])
    pairs = compared({A: a, B: b})
    a, b = (system.only([f"v{i:03d}" for i in range(7, 50)]) for system in (a, b))
    for row, metric in zip(pairs.itertuples(), (spearman_rho, med), strict=True):
        values = [np.mean([metric(p, system.score) for p in system.predicted_score]) for system in (a, b)]
        assert row.difference == pytest.approx(values[0] - values[1])
        assert row.n_common == 43


def test_the_interval_is_that_of_paired_draws(made):
    a, b = made(0.5, seed=1), made(0.8, seed=2)
    [row] = compared({A: a, B: b}, table={**TABLE, "metrics": ["med"]}).itertuples()
    draws = [scores.sampled(system, "med", n_draws=200).draws for system in (a, b)]
    difference = draws[0] - draws[1]
    assert [row.difference_low, row.difference_high] == pytest.approx(np.percentile(difference, [2.5, 97.5]))
    assert row.standard_error == pytest.approx(difference.std(ddof=1))
    assert row.detectable == pytest.approx((1.959964 + 0.841621) * row.standard_error, rel=1e-6)


def test_systems_without_a_common_clip_are_no_pair(made):
    ids = made(0.5).video_ids
    pairs = compared({A: made(0.5).only(ids[:30]), B: made(0.8, seed=1).only(ids[30:]), C: made(0.9, seed=2)})
    assert list(zip(pairs.system + "." + pairs.variant, pairs.other, strict=True)) == 2 * [(A, C), (B, C)]
    assert set(pairs.n_common) == {30}


def test_a_metric_compares_those_that_have_what_it_needs(made):
    silent = made(0.5, seed=1)
    silent.predicted_transitions[:] = np.nan
    blind = made(0.9, seed=3)
    blind.predicted_score[:] = np.nan
    table = {**TABLE, "metrics": ["med", "aiou_50"]}
    pairs = compared({A: silent, B: made(0.8, seed=2), C: blind}, table=table)
    named = [(f"{p.system}.{p.variant}", p.other, p.metric) for p in pairs.itertuples()]
    assert named == [(A, B, "med"), (B, C, "aiou_50")]


def test_equal_predictions_do_not_differ(made):
    found = made(0.7)
    pairs = compared({A: found, B: replace(found)})
    assert list(pairs.difference) == [0.0, 0.0]
    for column in ("p_bootstrap", "p_permutation", "p_holm"):
        assert list(pairs[column]) == [1.0, 1.0]
    assert list(pairs.standard_error) == [0.0, 0.0]
    assert pairs.detectable.isna().all()  # without a spread nothing can be said of power
    assert significance.detectable(pairs).empty


@pytest.mark.filterwarnings("error")
def test_a_constant_system_has_no_rank_to_compare_and_is_no_member_of_the_family(made):
    constant = made(0.5)
    constant.predicted_score[:] = 60.0
    pairs = compared({A: made(0.5, seed=1), B: made(0.9, seed=2), C: constant})
    rho = pairs[pairs.metric == "spearman_rho"]
    assert list(rho.difference.isna()) == list(rho.p_holm.isna()) == [False, True, True]
    assert rho.p_holm.iloc[0] == rho.p_permutation.iloc[0]
    assert np.isfinite(pairs[pairs.metric == "med"].p_holm).all()


def test_holm_is_that_of_statsmodels_and_by_hand(made):
    assert significance.holm([0.01, 0.04, np.nan, 0.03]) == pytest.approx([0.03, 0.06, np.nan, 0.06], nan_ok=True)
    assert np.isnan(significance.holm([np.nan])).all()
    assert len(significance.holm([])) == 0
    pairs = compared({f"net.v{i}": made(0.5 + 0.1 * i, seed=i) for i in range(5)})
    for _, family in pairs.groupby("metric"):
        assert len(family) == 10
        np.testing.assert_allclose(family.p_holm, multipletests(family.p_permutation, method="holm")[1])


def test_a_mean_over_data_sets(made):
    other = {row: made(noise, seed=9 + i, n=35) for i, (row, noise) in enumerate([(A, 0.5), (B, 0.8)])}
    for row in other:
        other[row] = replace(other[row], video_ids=np.char.add("w", other[row].video_ids))
    systems = {(A, "dives"): made(0.5, seed=1), (B, "dives"): made(0.8, seed=2)}
    systems |= {(row, "vaults"): found for row, found in other.items()}
    pairs = compared(systems, places={"dives": ["dives"], "vaults": ["vaults"], "mean": ["dives", "vaults"]})
    by = pairs.set_index(["dataset", "metric"])
    assert by.loc[("mean", "spearman_rho"), "n_common"] == 95
    z = {
        row: [np.arctanh(scores.sampled(systems[row, d], "spearman_rho").value) for d in ("dives", "vaults")]
        for row in (A, B)
    }
    expected = np.tanh(np.mean(z[A])) - np.tanh(np.mean(z[B]))
    assert by.loc[("mean", "spearman_rho"), "difference"] == pytest.approx(expected)
    parts = by.loc[[("dives", "med"), ("vaults", "med")], "difference"]
    assert by.loc[("mean", "med"), "difference"] == pytest.approx(parts.mean())
    assert by.loc[("mean", "spearman_rho"), "standard_error"] < by.loc[("vaults", "spearman_rho"), "standard_error"]
    assert by.p_permutation.notna().all()


def test_averaged_folds_are_compared_as_well(made):
    a, b = made(0.5, seed=1, over_folds="mean"), made(0.8, seed=2, over_folds="mean")
    pairs = compared({A: a, B: b})
    values = [scores.sampled(system, "spearman_rho").value for system in (a, b)]
    assert pairs.difference[0] == pytest.approx(values[0] - values[1])
    assert pairs.p_permutation.notna().all()


def test_what_can_be_detected_by_hand(made):
    pairs = compared(
        {A: made(0.5, seed=1), B: made(0.8, seed=2), C: made(1.5, seed=3).only([f"v{i:03d}" for i in range(40)])}
    )
    found = significance.detectable(pairs).set_index("metric")
    med = pairs[pairs.metric == "med"].detectable
    row = found.loc["med"]
    assert (row.n, row.systems, row.dataset, row.protocol) == (40, 3, "dives", "official")
    assert [row.smallest_detectable, row.median_detectable, row.largest_detectable] == sorted(med)


def test_the_detectable_difference_is_found_four_times_in_five():
    """Errors of two systems differ by the minimum detectable difference; its standard error is known beforehand."""
    n, sd = 60, 3.0
    shift = significance.minimum_detectable(sd / np.sqrt(n))
    found = 0
    for seed in range(200):
        rng = np.random.default_rng(seed)
        difference = rng.normal(shift, sd, n)
        draws = rng.choice(difference, (300, n)).mean(axis=1)
        found += np.percentile(draws, 2.5) > 0
    assert 138 <= found <= 183  # 160 expected, 4 standard errors


@pytest.mark.parametrize("metric", ["spearman_rho", "med"])
def test_equal_systems_are_called_different_as_often_as_it_says(made, metric, monkeypatch):
    """At the level 0.1, by bootstrap and by permutation: 200 pairs, 20 expected, 4 standard errors and a little."""
    monkeypatch.setattr(gc, "collect", int)  # statsmodels collects garbage for each family, which is slow
    small = np.zeros(2)
    for seed in range(200):
        systems = {A: made(0.8, n=60, n_seeds=1, seed=2 * seed), B: made(0.8, n=60, n_seeds=1, seed=2 * seed + 1)}
        [row] = compared(systems, table={**TABLE, "metrics": [metric]}, n_draws=199, seed=seed).itertuples()
        small += np.array([row.p_bootstrap, row.p_permutation]) <= 0.1
    assert ((small >= 4) & (small <= 40)).all(), small


def test_a_real_difference_is_found_and_outlives_the_correction(made):
    systems = {f"net.v{i}": made(noise, n=120, seed=i) for i, noise in enumerate((0.2, 0.25, 2.0))}
    pairs = compared(systems, n_draws=400)
    surely = pairs[pairs.other == "net.v2"]
    assert (surely.p_bootstrap < 0.01).all()
    assert (surely.p_holm <= 3 / 200).all()
    assert (abs(surely.difference) > surely.detectable).all()


def test_a_metric_of_no_family_is_compared_by_bootstrap_alone(made, monkeypatch):
    monkeypatch.setattr(scores, "family", lambda _: None)
    [row] = compared({A: made(0.5, seed=1), B: made(0.9, seed=2)}, table={**TABLE, "metrics": ["med"]}).itertuples()
    assert np.isnan([row.p_permutation, row.p_holm]).all()
    assert np.isfinite([row.p_bootstrap, row.detectable]).all()


def test_unusable_files_are_named(tmp_path):
    with pytest.raises(InputError, match=r"pairs.csv: no such comparisons"):
        significance.read(tmp_path / "pairs.csv", significance.COLUMNS)
    (tmp_path / "pairs.csv").write_text("a,b\n1,2\n")
    with pytest.raises(InputError, match=r"pairs.csv: columns a, b, expected dataset, protocol"):
        significance.read(tmp_path / "pairs.csv", significance.COLUMNS)


@pytest.mark.parametrize(("n_pairs", "expected"), [(78, 10_000), (250, 10_000), (820, 32_800)])
def test_the_smallest_p_outlives_the_correction(monkeypatch, n_pairs, expected):
    monkeypatch.setattr(significance, "PERMUTATIONS", 10_000)
    found = significance.enough_permutations(n_pairs)
    assert found == expected
    assert n_pairs / (found + 1) < significance.LEVEL
