from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from snakemake.utils import update_config

from aqa_pipeline.config import check
from aqa_pipeline.errors import InputError
from aqa_pipeline.layers.views import View
from aqa_pipeline.training import pictures

ROOT = Path(__file__).parents[1]


def changed(**over) -> dict:
    config = yaml.safe_load((ROOT / "config.yaml").read_text())
    update_config(config, over)
    return config


def test_a_block_smooths_another_or_what_the_data_set_brings():
    pose = {"one": {"use": "smoothed", "of": "embedded_17"}, "two": {"use": "smoothed", "of": "one", "fill": 3}}
    settings = check(changed(pose={**pose, "three": {"use": "smoothed", "of": "given"}}))
    assert settings.chain("two") == ["two", "one", "embedded_17"]
    assert settings.chain("three") == ["three", "given"]
    assert [name for name in settings.pose if settings.smooths(name)] == ["one", "two", "three"]
    assert settings.pose["two"].options == {"fill": 3}


def protocol(**block) -> dict:
    return {"datasets": {"simdive": {"protocols": {"mine": block}}}}


def test_the_shipped_configuration_is_good():
    assert check(changed()).make_tables == ["simdive"]


@pytest.mark.parametrize("path", sorted((ROOT / "experiments").glob("*.yaml")), ids=lambda path: path.stem)
def test_the_shipped_experiments_are_good(path):
    config = changed()
    update_config(config, yaml.safe_load(path.read_text()))
    check(config)


def test_a_protocol_has_options_of_its_own():
    block = {"use": "repeated_random", "folds": 200, "train_size": 100, "excluding": ["simdive_training"]}
    mine = check(changed(**protocol(**block))).datasets["simdive"].protocols["mine"]
    assert mine.options == {"train_size": 100}
    assert mine.excluding == ["simdive_training"]


@pytest.mark.parametrize(
    ("over", "message"),
    [
        ({"boostrap": 500}, "boostrap: unknown key, did you mean 'bootstrap'"),
        ({"bootstrap": 5}, "bootstrap: found 5, input should be greater than or equal to 100"),
        ({"make_tables": ["simdiv"]}, "make_tables: unknown 'simdiv', did you mean 'simdive'"),
        ({"datasets": {"simdive": {"n_dive": 5}}}, "datasets.simdive: unknown 'n_dive', did you mean 'n_dives'"),
        ({"datasets": {"other": {"use": "finedivin"}}}, "datasets.other: no 'finedivin' in datasets"),
        ({"pose": {"openpose": {}}}, "pose.openpose: no 'openpose' in pose"),
        ({"detection": {"embedded": {"athlete": "largest"}}}, "no 'largest' in athlete: did you mean 'largest_box'"),
        ({"systems": {"usdll": {"coco": {}}}}, "systems.usdll.coco: no 'usdll' in systems"),
        ({"tables": {"simdive": {"metrics": ["spearman"]}}}, "unknown 'spearman', did you mean 'spearman_rho'"),
        ({"tables": {"simdive": {"rows": ["pose_guided.cocoo"]}}}, "did you mean 'pose_guided.coco'"),
        (protocol(use="k_folds"), "simdive.protocols.mine: no 'k_folds' in protocols: did you mean 'k_fold'"),
        (protocol(use="repeated_random"), "simdive.protocols.mine: no 'train_size', which repeated_random needs"),
        (
            protocol(use="repeated_random", train_sizes=3),
            "protocols.mine: unknown 'train_sizes', did you mean 'train_size'",
        ),
        (protocol(use="k_fold", n_folds=3), "protocols.mine: unknown 'n_folds', did you mean 'folds'"),
        (protocol(use="k_fold", excluding=["simdiv"]), "mine.excluding: unknown 'simdiv', did you mean 'simdive'"),
        ({"pose": {"smoothed": {}}}, "pose.smoothed.of: unknown 'nothing', known: blazepose_17, "),
        ({"pose": {"smoothed": {"of": "embeded_17"}}}, "pose.smoothed.of: unknown 'embeded_17', did you mean"),
        ({"pose": {"embedded_17": {"of": "embedded_133"}}}, "embedded_17.of: found 'embedded_133', expected nothing"),
        (
            {"pose": {"a": {"use": "smoothed", "of": "b"}, "b": {"use": "smoothed", "of": "a"}}},
            "pose.a.of: a of b of a, expected an estimator at the end",
        ),
        ({"quality": {"simdive": {"flags": ["embedded.embedded"]}}}, "quality.simdive: unknown 'embedded', did you"),
        ({"quality": {"simdive": {"flag_options": {"jumps": 1}}}}, "simdive.flag_options: unknown 'jumps', did you"),
        (
            {"datasets": {"simdive": {"starts_at": "features"}}, "quality": {"simdive": {"flags": ["embedded.hrnet"]}}},
            "quality.simdive.flags: the data set starts at features, expected videos",
        ),
        ({"look": {"overlay": 1}}, "look.overlay: unknown key, did you mean 'overlays'"),
    ],
)
def test_a_mistake_is_one_line_that_names_the_key_and_the_nearest(over, message):
    with pytest.raises(InputError) as caught:
        check(changed(**over))
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("block", "message"),
    [
        ({"simdiv": {}}, "audit: unknown 'simdiv', did you mean 'simdive'"),
        ({"simdive": {"protocol": "out"}}, "audit.simdive.protocol: unknown 'out', did you mean 'out_of_fold'"),
        ({"simdive": {"against": ["simdiv"]}}, "audit.simdive.against: unknown 'simdiv', did you mean 'simdive'"),
        ({"simdive": {"hash": True}}, "audit.simdive.hash: unknown key, did you mean 'hashing'"),
    ],
)
def test_a_mistake_in_the_block_of_the_audit(block, message):
    with pytest.raises(InputError) as caught:
        check(changed(audit=block))
    assert message in str(caught.value)


def row(system="tsa", **block) -> dict:
    """A system of the shipped configuration with one more variant."""
    return {"systems": {system: {"mine": block}}}


def test_a_row_reads_one_feature_set_or_several_by_role_and_pictures():
    roles = {"static": "crop", "skeleton": "coordinates_17", "again": "crop"}
    shown = check(changed(**row(features=roles, frames={}))).variant("tsa.mine")
    assert shown.feature_sets == ["crop", "coordinates_17"]
    assert shown.roles == roles
    assert shown.frames.model_dump() == dict(
        n_frames=96, sampling="linspace", stride=1.0, beyond="repeat", shift=(0, 0), resize=(200, 112),
        swap_resize=True, crop=112, centred=False, flip=0.5, interpolation="bilinear", view="frame", detector=None,
        masks=False, memory_mb=2000,
    )  # fmt: skip
    one = check(changed(**row(features="crop"))).variant("tsa.mine")
    assert (one.feature_sets, one.roles, one.frames) == (["crop"], {}, None)
    assert check(changed(**row("no_video"))).variant("no_video.mine").feature_sets == []
    block = dict(n_frames=103, sampling="last", shift=[-3, 3], resize=[455, 256], crop=224)
    assert check(changed(**row(frames=block))).variant("tsa.mine").frames.shift == (-3, 3)
    follows = dict(view="athlete", detector="embedded_largest", resize=None, crop=500)
    assert check(changed(**row(frames=follows))).variant("tsa.mine").frames.resize is None


def test_a_row_begins_with_a_released_checkpoint_where_there_is_one():
    assert check(changed(**row(frames={}, official="TSA.pth"))).variant("tsa.mine").official == "TSA.pth"
    message = "systems.no_video.mine.official: no_video has no released parameters, expected one of .*core, fineparser"
    with pytest.raises(InputError, match=message):
        check(changed(**row("no_video", official="TSA.pth")))


def test_sequences_have_one_length_or_one_for_each_role():
    roles = {"static": "crop", "skeleton": "coordinates_17"}
    assert check(changed(**row(features=roles, clips={"n_frames": 96}))).variant("tsa.mine").clips.n_frames == 96
    lengths = {"static": 96, "skeleton": 0}
    shown = check(changed(**row(features=roles, clips={"n_frames": lengths}))).variant("tsa.mine")
    assert shown.clips.model_dump()["n_frames"] == lengths


def test_the_ranges_of_core_are_those_of_its_exemplars():
    same = row("core", features="crop", exemplars={"choose": "any"}, ranges_of="any")
    assert check(changed(**same)).variant("core.mine").options == {"ranges_of": "any"}
    assert check(changed(**row("core", features="crop", exemplars={}))).variant("core.mine").options == {}


def test_masks_are_for_systems_that_learn_from_them():
    for system, options in dict(fineparser={}, hp_mcore={"splash_loss": 0.5, "skeleton": False}).items():
        shown = check(changed(**row(system, frames={"masks": True}, **options))).variant(f"{system}.mine")
        assert shown.frames.masks
    assert not check(changed(**row("fineparser", frames={}))).variant("fineparser.mine").frames.masks


def test_tubes_are_boxes_of_a_detector_whatever_is_shown():
    for system, view in (("tsa_net", {}), ("tsa_net", {"view": "athlete"}), ("tsa", {"view": "athlete"})):
        shown = check(changed(**row(system, frames={**view, "detector": "embedded"}))).variant(f"{system}.mine")
        assert shown.frames.detector == "embedded"
    assert check(changed(**row("nl_net", frames={}))).variant("nl_net.mine").frames.detector is None


def test_the_options_of_pictures_are_those_that_are_read():
    shown = check(changed(**row(frames={}))).variant("tsa.mine").frames.model_dump()
    assert set(shown) == {*pictures.OPTIONS, "memory_mb"}
    defaults = View(**{name: shown[name] for name in View.__dataclass_fields__})
    assert defaults == View()
    assert shown["memory_mb"] == pictures.MEMORY_MB


@pytest.mark.parametrize(
    ("over", "message"),
    [
        (row(features={"static": "crap"}), "tsa.mine.features.static: unknown 'crap', did you mean 'crop'"),
        (row(features={"frames": "crop"}), "tsa.mine.features: found 'frames', expected an identifier other than"),
        (row(features={"of dives": "crop"}), "tsa.mine.features: found 'of dives', expected an identifier"),
        ({"features": {"truth": {"use": "crop"}}}, "features.truth: no 'crop' in features"),
        ({"features": {"truth": {"use": "precomputed"}}}, "features: found 'truth', expected an identifier other than"),
        (row(features="crop", frames={}), "tsa.mine.frames: beside features 'crop' without a role"),
        (row("feature_ridge", frames={}), "feature_ridge.mine.frames: feature_ridge is fitted on features"),
        (row("conv_isa", features="crop"), "conv_isa.mine.frames: found none, expected pictures, which conv_isa needs"),
        (
            row("core", features="crop", exemplars={"choose": "same_difficulty"}),
            "core.mine.ranges_of: found 'same_type', expected 'same_difficulty' as exemplars.choose",
        ),
        (
            row("core", features="crop", exemplars={"choose": "same_type"}, ranges_of="any"),
            "core.mine.ranges_of: found 'any', expected 'same_type' as exemplars.choose",
        ),
        (row(frames={"masks": True}), "tsa.mine.frames.masks: tsa learns from no masks, expected false"),
        (
            row("hp_mcore", frames={"masks": True}),
            "hp_mcore.mine.frames.masks: hp_mcore learns from no masks with splash_loss 0.0, expected false",
        ),
        (
            row("hp_mcore", frames={}, splash_loss=0.5),
            "hp_mcore.mine.splash_loss: found 0.5 without masks, expected frames.masks: true, or 0",
        ),
        (
            row("hp_mcore", frames={}),
            "hp_mcore.mine.features: found no role 'skeleton', expected a feature set for it, or among the options",
        ),
        (row("musdl", target="score"), "musdl.mine.target: found 'score', expected 'execution', which musdl predicts"),
        (row("hp_mcore", features={"skeleton": "crop"}, splash_loss=1), "splash_loss: found 1 without masks"),
        (row(frames={"view": "athlete"}), "tsa.mine.frames.detector: found None, expected one for the view 'athlete'"),
        (row(frames={"detector": "embedded"}), "tsa.mine.frames.detector: found embedded, expected one for the view"),
        (row("tsa_net", frames={}), "tsa_net.mine.frames.detector: found None, expected one for the view 'athlete' or"),
        (
            row("tsa_net", features="crop"),
            "tsa_net.mine.frames: found none, expected pictures, which tsa_net needs",
        ),
        (row("nl_net"), "nl_net.mine.frames: found none, expected pictures"),
        (
            row(frames={"view": "athlete", "detector": "embeded"}),
            "tsa.mine.frames.detector: unknown 'embeded', did you mean 'embedded'",
        ),
        (row(frames={"crop": 113}), "tsa.mine.frames.crop: found 113, expected 112 at most, as resize"),
        (row(frames={"shift": [3, -3]}), "tsa.mine.frames.shift: found [3, -3], expected the smaller first"),
        (row(frames={"croop": 3}), "systems.tsa.mine.frames.croop: unknown key, did you mean 'crop'"),
        (
            row(features={"static": "crop", "again": "crop"}, clips={"n_frames": {"static": 9}}),
            "tsa.mine.clips.n_frames: no length of 'again', expected one of each: static, again",
        ),
        (
            row(features={"static": "crop"}, clips={"n_frames": {"static": 9, "statik": 9}}),
            "tsa.mine.clips.n_frames: unknown 'statik', did you mean 'static'",
        ),
        (row(features="crop", clips={"n_frames": {"crop": 9}}), "n_frames: found lengths of crop, expected one number"),
        (row(features="crop", clips={"n_frames": -1}), "tsa.mine.clips.n_frames"),
        (row(frames={"sampling": "lst"}), "systems.tsa.mine.frames.sampling: found 'lst', input should be"),
    ],
)
def test_a_mistake_in_what_a_row_reads(over, message):
    with pytest.raises(InputError) as caught:
        check(changed(**over))
    assert message in str(caught.value)


def with_labels(**over):
    """The shipped configuration with a labelled set of two clips, and an estimator trained further on one of them."""
    one = {"form": "mpii", "annotations": "l.json", "images": "l", "groups": ["A"], "pose": ["given.embedded_17"]}
    other = {**one, "groups": ["B"], "pose": ["given.tuned", "embedded.embedded_17"], "detection": ["embedded"]}
    blocks = changed(
        labelled={"one": one, "other": other},
        fine_tune={"tuned": {"labelled": ["one"]}, "further": {"labelled": ["one"]}},
        pose={"tuned": {"use": "embedded", "weights": "results/weights/tuned.safetensors"}},
    )
    update_config(blocks, over)
    return blocks


def test_labelled_sets_and_fine_tuning_are_checked():
    found = check(with_labels())
    assert found.tuned_weights()["results/weights/tuned.safetensors"] == "tuned"


TUNED, FURTHER = "results/weights/tuned.safetensors", "results/weights/further.safetensors"


@pytest.mark.parametrize(
    ("over", "message"),
    [
        ({"labelled": {"one": {"form": "coko"}}}, "labelled.one.form: no 'coko' in labelled: did you mean 'coco'"),
        ({"labelled": {"one": {"outlines": 2}}}, "labelled.one.form: unknown 'outlines', did you mean 'outline'"),
        ({"labelled": {"one": {"pose": ["gven.embedded_17"]}}}, "one.pose: unknown 'gven', did you mean 'given'"),
        ({"labelled": {"one": {"pose": ["given.tuned"]}}}, "labelled.one.pose: tuned was trained on pictures of it"),
        ({"labelled": {"other": {"groups": []}}}, "labelled.other.pose: tuned was trained on .* by labelled.one"),
        ({"fine_tune": {"tuned": {"labelled": ["on"]}}}, "fine_tune.tuned.labelled: unknown 'on', did you mean 'one'"),
        ({"fine_tune": {"tuned": {"options": {"sigmma": 1}}}}, "fine_tune.tuned.options: unknown 'sigmma'"),
        ({"fine_tune": {"estimator_x": {"labelled": ["one"]}}}, "fine_tune.estimator_x: the name of weights that ship"),
        (
            {"fine_tune": {"tuned": {"start": FURTHER}, "further": {"start": TUNED}}},
            "fine_tune.tuned.start: tuned goes on from further goes on from tuned, which has no beginning",
        ),
        (
            {"fine_tune": {"tuned": {"start": FURTHER}, "further": {"labelled": ["other"]}}},
            "labelled.other.pose: tuned was trained on pictures of it, by labelled.other",
        ),
    ],
)  # fmt: skip
def test_a_mistake_in_labelled_sets_and_fine_tuning(over, message):
    with pytest.raises(InputError, match=message):
        check(with_labels(**over))
