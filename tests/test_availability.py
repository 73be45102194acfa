"""What can be run is known before anything runs."""

import shutil

import numpy as np
import pytest

from aqa_pipeline import plugins, weights
from aqa_pipeline.availability import Availability, weights_of
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
    pose = {**BLOCKS["pose"], "smooth": {"use": "smoothed", "of": "big"}}
    motion = {**BLOCKS["features"]["motion"], "estimator": "smooth"}
    smoothed = Availability(check({**BLOCKS, "pose": pose, "features": {**BLOCKS["features"], "motion": motion}}))
    assert smoothed.status("feature_ridge.motion", "simdive") == "weights_absent"  # those of what it smooths
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


@pytest.mark.parametrize(("frames", "expected"), [(True, "ok"), (False, "data_absent")])
def test_rows_that_are_trained_on_pictures_need_them(release, frames, expected):
    root = release("finediving", media=frames)
    found = Availability(check(end_to_end("finediving", root=str(root))))
    assert found.status("tsa.shown", "finediving") == expected


@pytest.mark.parametrize(("start", "expected"), [("videos", "ok"), ("keypoints", "data_absent")])
def test_a_data_set_holds_nothing_of_what_comes_before_its_start(release, start, expected):
    blocks = end_to_end("finediving", root=str(release("finediving", media=True)))
    blocks["datasets"]["finediving"]["starts_at"] = start
    assert Availability(check(blocks)).status("tsa.shown", "finediving") == expected


def test_masks_are_needed_of_the_kind_that_a_system_learns_from(release):
    root = release("finediving", media=True)
    blocks = end_to_end("finediving", root=str(root))
    shown = {"masked": {"frames": {"masks": True}}, "shown": {"frames": {}}}
    splashing = {name: {**block, "skeleton": False} for name, block in shown.items()}
    splashing["masked"]["splash_loss"] = 0.5
    blocks["systems"] = {**blocks["systems"], "fineparser": shown, "hp_mcore": splashing}

    def states():
        found = Availability(check(blocks))
        rows = [f"{system}.{name}" for system in ("fineparser", "hp_mcore") for name in shown]
        return {row: found.status(row, "finediving") for row in rows}

    assert set(states().values()) == {"ok"}
    shutil.rmtree(root / "FineDiving-splash")
    assert [row for row, state in states().items() if state == "data_absent"] == ["hp_mcore.masked"]
    shutil.rmtree(root / "FineDiving_HM")
    assert [row for row, state in states().items() if state != "ok"] == ["fineparser.masked", "hp_mcore.masked"]


def test_rows_of_several_feature_sets_need_what_each_needs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    blocks = end_to_end("simdive")
    found = Availability(check(blocks))
    assert found.status("tsa.shown", "simdive") == "ok"
    assert found.status("tsa.roles", "simdive") == "weights_absent"  # big.safetensors
    assert found.status("tsa.followed", "simdive") == "weights_absent"  # of the detector that is followed
    (tmp_path / "big.safetensors").touch()
    found = Availability(check(blocks))
    assert {found.status(f"tsa.{name}", "simdive") for name in ("roles", "followed")} == {"ok"}


def end_to_end(dataset, **options):
    """`BLOCKS` with one data set, and rows that read pictures beside features with roles."""
    variants = {
        "shown": {"frames": {}},
        "roles": {"features": {"static": "athlete", "skeleton": "motion"}},
        "followed": {"frames": {"view": "athlete", "detector": "own"}},
    }
    return {
        **BLOCKS,
        "datasets": {dataset: {**options, "protocols": {"official": {}}}},
        "detection": {**BLOCKS["detection"], "own": {"use": "embedded", "weights": "big.safetensors"}},
        "features": {**BLOCKS["features"], "athlete": {"use": "athlete_crop", "detector": "embedded"}},
        "systems": {**BLOCKS["systems"], "tsa": variants},
        "tables": {"one": {**BLOCKS["tables"]["one"], "datasets": [dataset]}},
    }


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


def test_weights_are_read_off_options_defaults_and_constants(tmp_path, monkeypatch):
    room = tmp_path / "detection"
    room.mkdir()
    (room / "net.py").write_text(
        'default_weights = ["blazepose_detector"]\n\n\n'
        'def build(*, device, model="hrnet_w32_coco", weights=None, least=0.5):\n    pass\n'
    )
    monkeypatch.setattr(plugins, "_PACKAGE", tmp_path)
    assert weights_of("detection", "net", {}) == {"blazepose_detector", "hrnet_w32_coco"}
    assert weights_of("detection", "net", {"model": "hrnet_w48_coco"}) == {"blazepose_detector", "hrnet_w48_coco"}
    assert weights_of("detection", "net", {"weights": "mine.pth"}) == {"mine.pth"}
    assert weights_of("detection", "net", {"weights": "random"}) == set()


@pytest.mark.parametrize(
    ("room", "plugin", "needed"),
    [
        ("detection", "faster_rcnn", {"faster_rcnn_r50_fpn_coco"}),
        ("detection", "rtm_detector", {"yolox_m_humanart"}),
        ("detection", "blazepose", {"blazepose_detector", "blazepose_landmarks_full"}),
        ("pose", "blazepose", {"blazepose_detector", "blazepose_landmarks_full"}),
        ("pose", "mmpose", {"hrnet_w32_dark_coco"}),
        ("pose", "rtmlib", {"rtmpose_m_body7"}),
    ],
)
def test_every_back_end_says_which_weights_it_needs_unless_it_ships_them(room, plugin, needed):
    assert weights_of(room, plugin, {}) == needed


def test_registered_weights_that_are_not_here_are_known_before_anything_runs(tmp_path, monkeypatch):
    monkeypatch.setenv("AQA_WEIGHTS", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    blocks = {**BLOCKS, "pose": {**BLOCKS["pose"], "big": {"use": "embedded", "weights": "yolox_m_humanart"}}}
    assert Availability(check(blocks)).reasons("simdive", "k_fold") == {
        "feature_ridge.motion@simdive": "weights_absent"
    }
    (tmp_path / weights.entry("yolox_m_humanart")["file"]).touch()
    assert Availability(check(blocks)).reasons("simdive", "k_fold") == {}


def test_labelled_pictures_that_are_not_there_are_left_out_with_what_is_trained_on_them(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    labels = {"form": "mpii", "annotations": "l.json", "images": "l"}
    tuned = "results/weights/tuned.safetensors"
    blocks = {
        **BLOCKS,
        "labelled": {
            "a": {**labels, "groups": ["A"]},
            "b": {
                **labels,
                "groups": ["B"],
                "detection": ["embedded", "yolox"],
                "pose": ["given.tuned", "given.big", "given.hrnet"],
            },
            "far": {**labels, "images": "far"},
        },
        "fine_tune": {"tuned": {"labelled": ["a"]}, "other": {"labelled": ["far"], "start": tuned}},
        "detection": {"embedded": {}, "yolox": {"use": "rtm_detector"}},
        "pose": {
            **BLOCKS["pose"],
            "tuned": {"use": "embedded", "weights": tuned},
            "hrnet": {"use": "mmpose", "weights": "random"},  # no environment
        },
    }
    blocks["features"] = {**BLOCKS["features"], "motion": {**BLOCKS["features"]["motion"], "estimator": "tuned"}}
    found = Availability(check(blocks))
    assert set(found.absent_labels()) == {"a", "b", "far"}
    assert (found.measured_labels(), found.can_be_tuned("tuned")) == ([], False)
    assert found.status("feature_ridge.motion", "simdive") == "weights_absent"
    (tmp_path / "l").mkdir()
    (tmp_path / "l.json").touch()
    found = Availability(check(blocks))
    assert {name: str(path) for name, path in found.absent_labels().items()} == {"far": "far"}
    assert found.measured_labels() == ["b"]
    assert found.detectors_measured("b") == ["embedded"]
    assert found.poses_measured("b") == ["given.tuned"]  # big.safetensors is nowhere, and nothing makes it
    assert (found.can_be_tuned("tuned"), found.can_be_tuned("other")) == (True, False)
    assert found.status("feature_ridge.motion", "simdive") == "ok"  # the run makes its weights first


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


@pytest.mark.parametrize(
    ("block", "needed"),
    [
        ({"official": "released/FineParser.pth"}, "released/FineParser.pth"),
        ({"weights": "i3d.pt"}, "i3d.pt"),
        ({"static_weights": "resnet34.pth"}, "resnet34.pth"),
    ],
)
def test_a_row_needs_the_weights_that_it_begins_with(tmp_path, monkeypatch, block, needed):
    monkeypatch.chdir(tmp_path)
    systems = {**BLOCKS["systems"], "fineparser": {"mine": {"frames": {}, **block}}}
    found = Availability(check({**BLOCKS, "systems": systems}))
    assert found.status("fineparser.mine", "simdive") == "weights_absent"
    (tmp_path / needed).parent.mkdir(exist_ok=True)
    (tmp_path / needed).touch()
    assert Availability(check({**BLOCKS, "systems": systems})).status("fineparser.mine", "simdive") == "ok"
