"""The pictures: what they must show, found by looking for it in the figure or in its pixels."""

import numpy as np
import pandas as pd
import pytest

from aqa_pipeline.evaluation import plots
from aqa_pipeline.evaluation.ranking import ranking

ROWS = ["no_video.default", "train_mean.default", "forest.small", "judge_ceiling.default"]
ENDS = dict(floor=ROWS[0], ceiling=ROWS[3])


@pytest.fixture
def table():
    values = [0.55, np.nan, 0.8, 0.99]
    lines = []
    for dataset in ("dives", "vaults"):
        for row, value in zip(ROWS, values, strict=True):
            system, variant = row.split(".")
            line = dict(dataset=dataset, protocol="out_of_fold", system=system, variant=variant, metric="spearman_rho")
            figures = dict(value=value, ci_low=value - 0.05, ci_high=value + 0.001, n_test=50, published=np.nan)
            lines.append({**line, **figures, "status": "ok"})
    alone = dict(lines[0], system="c3d_svr", variant="paper", value=np.nan, published=0.78, status="not_run")
    return pd.DataFrame([*lines, alone])


@pytest.fixture
def drawn(monkeypatch):
    """Keeps what is drawn open, and gives the last figure."""
    from matplotlib import pyplot

    monkeypatch.setattr(pyplot, "close", lambda _: None)
    yield lambda: pyplot.gcf()
    monkeypatch.undo()
    pyplot.close("all")


def pixels(path):
    import cv2

    return cv2.imread(str(path))[:, :, ::-1]


def has_colour(picture, colour):
    wanted = [int(colour[i : i + 2], 16) for i in (1, 3, 5)]
    return (np.abs(picture.astype(int) - wanted).max(axis=2) < 8).sum()


def texts(axis):
    return [text.get_text() for text in axis.texts]


def test_overview_shows_every_row_floor_ceiling_and_literature(table, tmp_path, drawn):
    plots.overview(table, tmp_path / "overview.png", metric="spearman_rho", **ENDS)
    axes = drawn().axes
    assert [axis.get_title(loc="left") for axis in axes] == [
        "dives.out_of_fold, 50 test videos",
        "vaults.out_of_fold, 50 test videos",
    ]
    labels = [label.get_text() for label in axes[0].get_yticklabels()]
    assert labels == ["no_video", "train_mean", "forest  small", "judge_ceiling", "c3d_svr  paper"]
    assert texts(axes[0]) == ["0.550", "no rank", "0.800", "0.990", "0.78"]
    assert texts(axes[1]) == ["0.550", "no rank", "0.800", "0.990"]
    vertical = [line.get_xdata()[0] for line in axes[0].lines if line.get_label() in ("floor", "ceiling")]
    assert vertical == [0.55, 0.99]
    assert [text.get_text() for text in drawn().legends[0].texts] == ["floor", "ceiling", "published"]
    picture = pixels(tmp_path / "overview.png")
    assert min(has_colour(picture, colour) for colour in (plots.BLUE, plots.ORANGE, plots.GREEN)) > 50


def test_an_interval_need_not_hold_its_value(table, tmp_path):
    table["ci_high"] = table["value"] - 0.01
    plots.overview(table, tmp_path / "overview.png", metric="spearman_rho", **ENDS)
    assert (tmp_path / "overview.png").stat().st_size > 5000


def test_overview_without_floor_and_runs(table, tmp_path):
    table = table[table["system"] == "c3d_svr"]
    plots.overview(table, tmp_path / "overview.png", floor=None, ceiling=None, metric="spearman_rho")
    assert has_colour(pixels(tmp_path / "overview.png"), plots.INK) > 20


def test_the_same_table_gives_the_same_picture(table, tmp_path):
    for name in ("a.png", "b.png"):
        plots.overview(table, tmp_path / name, metric="spearman_rho", **ENDS)
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()


def test_scatter_has_a_panel_a_row(made, tmp_path, drawn):
    found = {row: made(noise, n=40) for row, noise in zip(ROWS, (2.0, 0.9, 0.5, 0.05), strict=True)}
    scored = pd.DataFrame(
        [dict(system="forest", variant="small", metric="spearman_rho", value=0.8, ci_low=0.7, ci_high=0.9)]
    )
    plots.scatter(found, tmp_path / "scatter.png", scored=scored, **ENDS)
    axes = [axis for axis in drawn().axes if axis.get_visible()]
    assert [axis.get_title(loc="left") for axis in axes] == ["no_video", "train_mean", "forest  small", "judge_ceiling"]
    assert texts(axes[2]) == ["rho 0.80 [0.70, 0.90]"]
    assert [len(axis.collections) for axis in axes] == [1, 2, 2, 2]  # the floor lies behind all others
    points = axes[2].collections[1].get_offsets()
    np.testing.assert_allclose(points[:, 0], found["forest.small"].score)
    np.testing.assert_allclose(points[:, 1], found["forest.small"].predicted_score.mean(axis=0))


def test_scatter_leaves_out_rows_without_scores(made, tmp_path, drawn):
    found = {row: made(0.5, n=40, seed=i) for i, row in enumerate(ROWS)}
    found[ROWS[1]].predicted_score[:] = np.nan
    scored = pd.DataFrame(columns=["system", "variant", "metric"])
    plots.scatter(found, tmp_path / "scatter.png", scored=scored, **ENDS)
    titles = [axis.get_title(loc="left") for axis in drawn().axes if axis.get_visible()]
    assert titles == ["no_video", "forest  small", "judge_ceiling"]
    plots.scatter({ROWS[1]: found[ROWS[1]]}, tmp_path / "none.png", scored=scored, **ENDS)
    assert texts(drawn().axes[0]) == ["no row of this table predicts scores"]


def test_critical_difference_shows_every_rank_and_joins_what_is_alike(made, tmp_path, drawn):
    found = {
        row: made(noise, n=200, seed=i) for i, (row, noise) in enumerate(zip(ROWS, (2, 1, 1.02, 0.05), strict=True))
    }
    plots.critical_difference(found, tmp_path / "ranks.png", title="dives", **ENDS)
    [axis] = drawn().axes
    ranked = ranking(found)
    assert ranked.cliques() == [(1, 2)]
    named = {text for text in texts(axis) if "  " in text}
    assert f"judge_ceiling  {ranked.ranks[0]:.2f}" in named
    assert f"{ranked.ranks[3]:.2f}  no_video" in named
    assert len(named) == 4
    [bar] = [line for line in axis.lines if line.get_linewidth() > 3]
    low, high = bar.get_xdata()
    assert low < ranked.ranks[1] < ranked.ranks[2] < high < ranked.ranks[3]
    assert axis.get_title().startswith("dives: average rank of the absolute error on 200 clips")
    assert f"Friedman p < 0.0001, critical difference {ranked.critical_difference:.2f}" in axis.get_title()
    picture = pixels(tmp_path / "ranks.png")
    assert min(has_colour(picture, colour) for colour in (plots.BLUE, plots.ORANGE, plots.GREEN)) > 50


@pytest.mark.parametrize("n_systems", [3, 12])
def test_names_of_many_systems_neither_overlap_nor_leave_the_picture(made, tmp_path, drawn, n_systems):
    rows = [f"pose_guided.a_long_name_of_a_variant_{i:02d}" for i in range(n_systems)]
    found = {row: made(0.5 + 0.02 * i, n=50, seed=i) for i, row in enumerate(rows)}
    plots.critical_difference(found, tmp_path / "ranks.png", floor=None, ceiling=None)
    figure = drawn()
    figure.canvas.draw()  # the file has another resolution than the figure
    boxes = [t.get_window_extent() for t in figure.axes[0].texts if "  " in t.get_text()]
    assert len(boxes) == n_systems
    assert not any(a.overlaps(b) for i, a in enumerate(boxes) for b in boxes[:i])
    assert all(figure.bbox.x0 <= box.x0 and box.x1 <= figure.bbox.x1 and figure.bbox.y0 <= box.y0 for box in boxes)


def test_too_few_systems_to_rank_is_said(made, tmp_path, drawn):
    plots.critical_difference({ROWS[0]: made(0.5)}, tmp_path / "ranks.png", **ENDS)
    assert texts(drawn().axes[0]) == ["fewer than three systems predict scores of the same clips: nothing to rank"]


def test_training_curves_leave_out_what_was_not_trained_in_steps(tmp_path, drawn):
    steps = np.arange(10, 60, 10)
    run = pd.DataFrame({"step": steps, "loss": 1 / steps, "selection": np.nan})
    histories = {
        "no_video.default": [pd.DataFrame(columns=["step", "loss"])],
        "pose_guided.coco": [run, run.assign(loss=3 / steps)],
    }
    plots.training_curves(histories, tmp_path / "training.png")
    [axis] = drawn().axes
    assert axis.get_title(loc="left") == "pose_guided  coco, 2 runs"
    assert len(axis.lines) == 3
    np.testing.assert_allclose(axis.lines[2].get_ydata(), 2 / steps)


def test_no_curve_at_all_is_said(tmp_path, drawn):
    plots.training_curves({}, tmp_path / "training.png")
    assert texts(drawn().axes[0]) == ["no row of this table is trained in steps"]


def test_a_failed_figure_leaves_no_file(table, tmp_path):
    with pytest.raises(AttributeError):
        plots.overview(table.drop(columns="status"), tmp_path / "overview.png", metric="spearman_rho", **ENDS)
    assert list(tmp_path.iterdir()) == []
