"""Real dives, patients, clips and sheets through the real workflow, where they are at hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from running import TABLES, clone, good, snakemake

from aqa_pipeline import stores

pytestmark = pytest.mark.slow


def with_data(folder: Path, **links: Path) -> Path:
    """A clone in whose `data/` the named folders lie, as the experiments expect them."""
    clone(folder)
    (folder / "data").mkdir()
    for name, target in links.items():
        if not target.is_dir():
            pytest.skip(f"AQA_REALDATA has no {target.name}")
        (folder / "data" / name).symlink_to(target)
    return folder


def test_real_dives_from_their_features(realdata, tmp_path):
    folder = with_data(tmp_path / "unlv", unlv_dive_p3d=realdata / "unlv_dive_p3d")
    good(snakemake(folder, TABLES, configfile="experiments/unlv_dive.yaml"))
    table = pd.read_csv(folder / TABLES).set_index(["system", "variant", "metric"])
    for row, rho, med in (
        (("feature_ridge", "p3d_least_squares"), 0.850, 7.39),
        (("feature_svr", "p3d_rbf"), 0.851, 7.63),
    ):
        assert table.loc[(*row, "spearman_rho"), "value"] == pytest.approx(rho, abs=0.0005)
        assert table.loc[(*row, "med"), "value"] == pytest.approx(med, abs=0.005)
    assert table.loc[("pose_guided", "p3d", "spearman_rho"), "value"] > 0.7
    assert table.loc[("c3d_fragments", "mse_ranking", "spearman_rho"), "status"] == "data_absent"
    assert table.loc[("c3d_fragments", "mse_ranking", "spearman_rho"), "published"] == 0.8009


def test_real_patients_from_their_skeletons(realdata, tmp_path):
    folder = with_data(tmp_path / "kimore", kimore=realdata / "kimore_patients")
    experiment = (folder / "experiments/kimore.yaml").read_text()
    for row in ("feature_svr", "pose_guided"):  # the row that was fixed in advance is enough here
        experiment = experiment.replace(f"      - {row}.motion_given\n", "")
    (folder / "kimore.yaml").write_text(experiment)
    good(snakemake(folder, TABLES, configfile="kimore.yaml"))
    table = pd.read_csv(folder / TABLES).set_index(["dataset", "system", "metric"])
    assert table.loc[("mean", "feature_forest", "med"), "value"] < 18.0
    floors = [table.loc[(f"kimore_ex{i}", "train_mean", "med"), "value"] for i in (1, 2, 3, 4)]
    assert floors == pytest.approx([17.0, 25.2, 19.6, 15.7], abs=0.05)


def test_real_clips_become_films(realdata, tmp_path):
    folder = with_data(tmp_path / "clips", dive_clips=realdata / "dive_clips")
    clips = folder / "data" / "dive_clips"
    rows = [("a", clips / "unlv_dive_054.avi", 84.15, 0), ("b", clips / "springboard_unlabelled.mp4", 50.0, 1)]
    pd.DataFrame(rows, columns=["video_id", "path", "score", "fold"]).to_csv(folder / "samples.csv", index=False)
    experiment = (folder / "experiments/dive_clips.yaml").read_text()
    experiment = experiment.replace("data/dive_clips/samples.csv", "samples.csv")
    (folder / "clips.yaml").write_text(experiment.replace("blazepose.blazepose_17", "embedded.embedded_17"))  # faster
    good(snakemake(folder, configfile="clips.yaml"))
    films = sorted((folder / "results/plots/films/dive_clips").glob("*.mp4"))
    assert [film.stem for film in films] == ["a", "b"]
    assert min(film.stat().st_size for film in films) > 100_000
    with stores.read(folder / "results/boxes/dive_clips/embedded/0000.h5", kind="boxes") as store:
        boxes = store.array("a", "boxes")  # 320 x 240; the diver leaves the platform at frame 15 and is wet at 61
    assert len(boxes) == 103
    assert np.isfinite(boxes[23:61, 0]).mean() > 0.9


def test_reference_rows_of_real_sheets(realdata, tmp_path):
    sheets = realdata / "mtlaqa_raw_sheets"
    if not sheets.is_dir():
        pytest.skip("AQA_REALDATA has no mtlaqa_raw_sheets")
    folder = clone(tmp_path / "sheets")
    (folder / "sheets.yaml").write_text(
        f"make_tables: [events_held_out]\n"
        f"datasets: {{mtl_aqa: {{root: {sheets}, shards: 1, protocols: {{event_held_out: {{folds: 4}}}}}}}}\n"
        f"tables: {{events_held_out: {{datasets: [mtl_aqa], protocol: event_held_out, "
        f"rows: [no_video.default]}}}}\n"
    )
    good(snakemake(folder, TABLES, configfile="sheets.yaml"))
    table = pd.read_csv(folder / TABLES).set_index(["system", "metric"])
    assert table.loc[("no_video", "spearman_rho"), "n_test"] == 780
    assert 0.5 < table.loc[("no_video", "spearman_rho"), "value"] < 0.7
    assert table.loc[("judge_ceiling", "spearman_rho"), "value"] > 0.95
