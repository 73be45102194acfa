"""What can be run is known before anything runs."""

import numpy as np
import pytest

from aqa_pipeline.availability import Availability
from aqa_pipeline.config import check

BLOCKS = {
    "make_tables": ["one"],
    "datasets": {
        "unlv": {"use": "unlv_dive_p3d", "protocols": {"official": {}}},
        "mine": {"use": "custom", "csv": "mine.csv", "protocols": {"k_fold": {"folds": 2}}},
        "simdive": {"protocols": {"k_fold": {"folds": 2}}},
    },
    "detection": {"embedded": {}},
    "pose": {"embedded_17": {"use": "embedded"}, "big": {"use": "embedded", "weights": "big.safetensors"}},
    "features": {
        "given": {"use": "precomputed"},
        "motion": {"use": "body_motion", "detector": "embedded", "estimator": "big"},
    },
    "systems": {
        "train_mean": {"default": {}},
        "feature_ridge": {"given": {"features": "given"}, "motion": {"features": "motion"}},
    },
    "tables": {
        "one": {
            "datasets": ["unlv"], "protocol": "official", "rows": ["train_mean.default"],
            "floor": None, "ceiling": None,
        }
    },
}  # fmt: skip


def available(tmp_path):
    blocks = {**BLOCKS, "datasets": {**BLOCKS["datasets"]}}
    blocks["datasets"]["unlv"] = {**BLOCKS["datasets"]["unlv"], "root": str(tmp_path / "unlv")}
    return Availability(check(blocks))


def test_a_released_data_set_may_be_absent_and_one_s_own_may_not(tmp_path):
    found = available(tmp_path)
    assert not found.is_present("unlv")
    assert found.missing("unlv") == tmp_path / "unlv" / "unlv_dive_p3d.npz"
    assert found.status("train_mean.default", "unlv") == "data_absent"
    assert found.reasons("unlv", "official") == {"unlv": "data_absent"}
    assert found.is_present("mine")
    assert found.is_present("simdive")


def test_what_is_there_runs_and_missing_weights_are_named(tmp_path, monkeypatch):
    (tmp_path / "unlv").mkdir()
    np.savez(tmp_path / "unlv" / "unlv_dive_p3d.npz", dive_id=np.arange(3))
    monkeypatch.chdir(tmp_path)
    found = available(tmp_path)
    assert found.is_present("unlv")
    assert found.reasons("simdive", "k_fold") == {"feature_ridge.motion@simdive": "weights_absent"}
    (tmp_path / "big.safetensors").touch()
    assert available(tmp_path).reasons("simdive", "k_fold") == {}


@pytest.mark.parametrize(("frames", "expected"), [(True, "ok"), (False, "data_absent")])
def test_rows_that_need_pictures_need_the_pictures(release, frames, expected):
    root = release("finediving", media=frames)
    blocks = {**BLOCKS, "datasets": {"finediving": {"root": str(root), "protocols": {"official": {}}}}}
    blocks["pose"] = {**BLOCKS["pose"], "big": {"use": "embedded"}}
    blocks["tables"] = {"one": {**BLOCKS["tables"]["one"], "datasets": ["finediving"]}}
    found = Availability(check(blocks))
    assert found.status("train_mean.default", "finediving") == "ok"
    assert found.status("feature_ridge.motion", "finediving") == expected


def test_a_protocol_that_excludes_another_data_set_needs_it(release, tmp_path):
    root = release("finediving")
    blocks = {**BLOCKS, "tables": {"one": {**BLOCKS["tables"]["one"], "datasets": ["finediving"], "protocol": "clean"}}}
    blocks["datasets"] = {
        "finediving": {"root": str(root), "protocols": {"clean": {"use": "official", "excluding": ["mtl_aqa"]}}},
        "mtl_aqa": {"root": str(tmp_path / "mtl_aqa")},
    }
    assert Availability(check(blocks)).reasons("finediving", "clean") == {"finediving": "data_absent"}
    release("mtl_aqa")
    assert Availability(check(blocks)).reasons("finediving", "clean").get("finediving") is None


def test_an_estimator_needs_its_weights_and_its_environment(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    row = "feature_ridge.motion"

    def found(conda=False, **options):
        blocks = {**BLOCKS, "pose": {**BLOCKS["pose"], "big": {"use": "mmpose", **options}}}
        blocks["tables"] = {
            "one": {**BLOCKS["tables"]["one"], "datasets": ["simdive"], "protocol": "k_fold", "rows": [row]}
        }
        return Availability(check(blocks), conda=conda)

    assert found().status(row, "simdive") == "weights_absent"
    assert found(weights="random").status(row, "simdive") == "not_run"
    assert found(weights="random").environments_absent() == ["mmpose"]
    assert found(conda=True, weights="random").status(row, "simdive") == "ok"
    (tmp_path / ".venv-mmpose").mkdir()
    (tmp_path / ".venv-mmpose" / "installed").touch()
    assert found(weights="random").status(row, "simdive") == "ok"
    assert found(weights="random").environments_absent() == []
