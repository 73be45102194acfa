"""The configuration: every choice of a run, its type, its default and its meaning, in one place.

`config.yaml` holds the values; `workflow/schemas/config.schema.json` is generated from these models for editors
(`make schema`). Everything is checked when the workflow is parsed, before any job starts.
"""

from __future__ import annotations

import functools
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from aqa_pipeline import keypoint_sets, ledger, plugins
from aqa_pipeline.errors import InputError, nearest

GIVEN = "given"  # in the place of a detector and an estimator: keypoints that a data set brings with it
MASKS = ("masks", "splashes")  # of athletes and of splashes, by the words of `needs` and `media`
RESERVED = ("frames", "masks", "truth", "tubes")  # modalities that are no feature sets
_OF_EVERY_PROTOCOL = ("n_folds", "seed", "validation")  # given by `folds`, by the run's seed and by `validation`
_SCHEDULE = ("batch", "lr", "weight_decay", "bfloat16")  # of training.embedded.Schedule
_OF_EVERY_FINE_TUNING = {"keypoint_set", "schedule", "seed", "start", "variation"}  # fields of the block, or fixed


class Strict(BaseModel):
    """A block that admits no unknown key."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class OptionsBlock(BaseModel):
    """A block whose keys that are no field here are options of a plugin's function."""

    model_config = ConfigDict(extra="allow", frozen=True)

    @property
    def options(self) -> dict[str, Any]:
        return dict(self.model_extra or {})


# Where a data set may start, in the order of the pipeline; it holds nothing of what comes before.
Start = Literal["videos", "keypoints", "features"]


class PluginBlock(OptionsBlock):
    """A block that names its plugin."""

    use: str | None = Field(None, description="file in the room; the block's own name by default")


class Protocol(PluginBlock):
    """How videos are parted into training and test; `use` names a file of `protocols/`."""

    folds: int = Field(1, ge=1, description="number of folds")
    validation: float = Field(0.0, ge=0, lt=1, description="share of the training part set aside for selection")
    excluding: list[str] = Field([], description="data sets whose test clips are kept out of training here")


class Dataset(PluginBlock):
    """A data set; `use` names a file of `datasets/`, other keys are its options (root, annotations, ...)."""

    shards: int = Field(1, ge=1, le=9999, description="files a stage writes; one job each")
    starts_at: Start = Field("videos", description="what the data set holds")
    quality: int = Field(90, ge=1, le=100, description="JPEG quality of the frame store")
    max_height: int = Field(0, ge=0, description="taller frames are reduced to this height; 0 keeps them")
    min_frames: int = Field(8, ge=1, description="shorter videos are left out")
    max_failed_fraction: float = Field(0.05, ge=0, le=1, description="more videos left out than this stops the run")
    published_as: str | None = Field(None, description="its name in the ledger; the block's own name by default")
    protocols: dict[str, Protocol] = Field(default_factory=dict)


class Detector(PluginBlock):
    """A detector; `use` names a file of `detection/`."""

    athlete: str = Field("tracked", description="which person is the athlete: a file of `athlete/`")
    athlete_options: dict[str, Any] = Field(default_factory=dict)


class Estimator(PluginBlock):
    """A keypoint estimator; `use` names a file of `pose/`, which says what it is made from: frames or keypoints."""

    of: str | None = Field(None, description="block of `pose` whose keypoints are smoothed; given: the data set's own")


class FeatureSet(PluginBlock):
    """A feature set; `use` names a file of `features/`, which says what it is made from."""

    detector: str | None = Field(None, description="block of `detection` whose boxes are used")
    estimator: str | None = Field(None, description="block of `pose` whose keypoints are used")


class Exemplars(Strict):
    """How exemplars are drawn from the training part."""

    choose: Literal["same_type", "same_difficulty", "any"] = "same_type"
    n_exemplars: int = Field(10, ge=1, description="votes a test query gets")


class Training(Strict):
    """The training loop."""

    steps: int = Field(400, ge=0, description="optimiser steps; 0: the weights as they are built")
    epochs: int = Field(0, ge=0, description="passes over the training part, in place of `steps`; 0: steps")
    batch: int = Field(16, ge=1, description="queries a step")
    optimiser: Literal["adam", "adamw"] = "adamw"
    lr: float = Field(2e-3, gt=0)
    lr_factors: dict[str, Annotated[float, Field(ge=0)]] = Field(
        default_factory=dict,
        description="factor on lr by part of the network (the longest name that fits); 0 freezes it",
    )
    weight_decay: float = Field(1e-2, ge=0)
    warm_up: float = Field(0.1, ge=0, lt=1, description="share of the steps in which the rate rises")
    warm_up_from: float = Field(0.0, ge=0, le=1, description="factor on lr from which it rises")
    schedule: Literal["cosine", "constant", "oscillating", "steps"] = "cosine"
    floor: float = Field(0.0, ge=0, le=1, description="lowest factor on lr of cosine and oscillating")
    half_period: int = Field(0, ge=0, description="steps of oscillating from the highest rate to the lowest")
    decay: float = Field(1.0, gt=0, le=1, description="factor by which the rate of steps falls")
    decay_every: int = Field(0, ge=0, description="steps after which it falls, again and again")
    clip: float = Field(1.0, ge=0, description="largest norm of the gradient; 0 for none")
    average: float = Field(
        0.0, ge=0, lt=1, description="decay of the running mean of the weights that is kept; 0: none"
    )
    precision: Literal["float32", "bfloat16", "float16"] = Field("float32", description="float16: on a GPU alone")
    accumulate: int = Field(1, ge=1, description="pieces that a step is computed in, where memory is short")
    devices: int = Field(1, ge=1, description="GPUs, or processes on a CPU, that share the pairs of a step")
    sync_batch_norm: bool = Field(False, description="batch norm over the pairs of all GPUs")
    workers: int = Field(0, ge=0, description="processes that read batches ahead, for each device")
    judge_every: int = Field(50, ge=1, description="steps from one selection to the next")
    checkpoint_every: int = Field(200, ge=0, description="steps between states to go on from after a kill; 0: none")

    @model_validator(mode="after")
    def _schedule_is_whole(self) -> Training:
        if self.schedule == "oscillating" and not self.half_period:
            raise InputError("training.half_period: found 0, expected the steps of half a period")
        if self.schedule == "steps" and not self.decay_every:
            raise InputError("training.decay_every: found 0, expected the steps of one rate")
        return self


class Clips(Strict):
    """How the feature sequence of a video becomes the input of a network."""

    n_frames: Annotated[int, Field(ge=0)] | dict[str, Annotated[int, Field(ge=0)]] = Field(
        24, description="length that every sequence is brought to, or lengths by role; 0 keeps it"
    )
    sampling: Literal["linear", "nearest"] = Field("linear", description="nearest: FineDiving's truncated positions")
    normalise: bool = Field(True, description="mean 0 and sd 1 by the training part, inputs and target")
    scale_target: bool = Field(True, description="false: the target stays in its own units")


class Frames(Strict):
    """The pictures that a system is trained on end to end; by default as in FineDiving and its successors."""

    n_frames: int = Field(96, ge=1, description="frames shown of each clip")
    sampling: Literal["linspace", "last", "first", "last_part"] = Field(
        "linspace",
        description="linspace: evenly spaced over the clip; last (CoRe on MTL-AQA), first (on AQA-7); last_part: the "
        "last whole n_frames, counted from the first frame (C3D fragments)",
    )
    stride: float = Field(
        1.0, gt=0, description="frames from one shown to the next, where others than linspace are sampled"
    )
    beyond: Literal["repeat", "black"] = Field("repeat", description="what is shown after the end of a shorter clip")
    shift: tuple[int, int] = Field(
        (0, 0), description="frames, drawn for training: of the last frame of linspace, else of all of them"
    )
    resize: tuple[int, int] | None = Field((200, 112), description="width and height; null keeps the frames' own")
    swap_resize: bool = Field(True, description="whether both are swapped, as the released pipelines do")
    crop: int = Field(112, ge=1, description="side of the square: drawn for training, else in the middle")
    centred: bool = Field(False, description="whether the square is in the middle in training too (MTL-AQA's authors)")
    flip: float = Field(0.5, ge=0, le=1, description="chance in training")
    interpolation: Literal["bilinear", "random"] = Field(
        "bilinear", description="random: one of four for each frame, in tests too (MUSDL on MTL-AQA)"
    )
    view: Literal["frame", "athlete"] = Field("frame", description="athlete: a square that follows the detector's box")
    detector: str | None = Field(
        None, description="block of `detection` whose boxes are followed, or are the tube of a system that needs one"
    )
    masks: bool = Field(
        False, description="whether masks of athlete and splash, where known, are labels of the training part"
    )
    memory_mb: int = Field(2000, ge=0, description="resized frames kept, in each process; others are decoded each time")


class Variant(OptionsBlock):
    """One variant of a system; keys that are no field here are options of the system's `build` (or `fit`)."""

    features: str | dict[str, str] | None = Field(
        None, description="block of `features` it reads; or blocks by role: dynamic, static, skeleton"
    )
    frames: Frames | None = Field(None, description="the pictures it is trained on end to end; null for none")
    target: Literal["execution", "score"] = Field(
        "execution", description="what is learnt; difficulty is put back after"
    )
    exemplars: Exemplars | None = None
    training: Training = Training()
    clips: Clips = Clips()
    selection: Literal["last", "validation", "test"] = Field("last", description="which epoch is kept")
    control: Literal["none", "permute_inputs", "permute_labels"] = Field("none", description="a run that must fail")
    official: str | None = Field(None, description="checkpoint of its released code that training begins with")
    seeds: list[int] = Field([0], min_length=1)

    @property
    def roles(self) -> dict[str, str]:
        """Role -> feature set, where they have roles."""
        return self.features if isinstance(self.features, dict) else {}

    @property
    def feature_sets(self) -> list[str]:
        """All feature sets it reads, each once."""
        return list(dict.fromkeys(self.roles.values())) or ([self.features] if isinstance(self.features, str) else [])


class Table(Strict):
    """A table: rows of `system.variant` on data sets under one protocol."""

    datasets: list[str] = Field(min_length=1)
    protocol: str
    rows: list[str] = Field(min_length=1, description="system.variant, in the order they are shown")
    metrics: list[str] = ["spearman_rho", "spearman_rho_mark", "relative_l2_x100", "med"]
    floor: str | None = Field("no_video.default", description="the row every other is compared with")
    ceiling: str | None = Field("judge_ceiling.default")
    mean_over_datasets: bool = False
    over_folds: Literal["pool", "mean"] = Field(
        "pool", description="pool: one figure of all test videos, each tested once; mean: of each fold's figures"
    )
    published: list[str] = Field([], description="tables of the ledger, or CSV files of its form, shown beside")


class Quality(Strict):
    """Stage outputs compared with known truth, for data sets that have it."""

    detection: list[str] = []
    pose: list[str] = Field([], description="detector.estimator")
    flags: list[str] = Field([], description="detector.estimator whose suspect frames are listed; needs no truth")
    flag_options: dict[str, Any] = Field({}, description="limits of the flags, evaluation/pose_flags.py")
    faults: str | None = Field(None, description="detector.estimator whose keypoints are asked for the latent faults")


class Labelled(OptionsBlock):
    """Labelled pictures that detectors and estimators are measured on; other keys are options of its `form`."""

    form: str = Field(description="how they are labelled: a file of `labelled/`")
    annotations: str = Field(description="file of the labels")
    images: str = Field(description="folder of the pictures")
    groups: list[str] = Field([], description="only these groups (clips) of it; by default all")
    detection: list[str] = Field([], description="detectors that are measured")
    pose: list[str] = Field([], description="detector.estimator; the detector `given` stands for the labelled boxes")


class FineTune(Strict):
    """An estimator trained further on labelled pictures: results/weights/<name>.safetensors."""

    labelled: list[str] = Field(min_length=1, description="blocks of `labelled`")
    start: str = Field("estimator_coco_17", description="weights to go on from")
    keypoint_set: str = Field("coco_17", description="what the new weights give")
    validation: list[str] = Field([], description="groups (clips) kept out; by default a share of them, drawn")
    validation_share: float = Field(0.2, ge=0, lt=1, description="share of the groups that is drawn")
    steps: int = Field(200, ge=1)
    seed: int = Field(0, ge=0)
    options: dict[str, Any] = Field(default_factory=dict, description="batch, lr, body_weight ...")


class Audit(Strict):
    """What the audit of a data set looks at besides its own samples."""

    protocol: str | None = Field(None, description="block of the data set's protocols; its first by default")
    against: list[str] = Field([], description="data sets that may hold the same clips")
    hashing: bool = Field(False, description="whether clips that look the same are looked for in the frames")
    mirrored: bool = Field(False, description="whether mirror images are looked for too")


class Look(Strict):
    """Pictures and films to look at."""

    overlays: int = Field(3, ge=0, description="overlay films a table")
    keypoints: str | None = Field(None, description="detector.estimator drawn on them")
    all_videos: bool = Field(False, description="pictures also of data sets whose frames no row reads")


class Report(Strict):
    """Which videos have a section in results/report.html, by the error of the best row, and what is shown of them."""

    worst: int = Field(10, ge=0, description="videos with the largest errors")
    median: int = Field(1, ge=0, description="videos around the median error")
    best: int = Field(1, ge=0, description="videos with the smallest errors")
    films: bool = Field(True, description="a short film of each, besides the stills")
    megabytes: float = Field(3.0, ge=0, description="of all pictures and films; what comes after goes without")


class Config(Strict):
    """The whole configuration."""

    make_tables: list[str] = Field(min_length=1, description="blocks of `tables` that results/tables.csv holds")
    seed: int = Field(0, ge=0, description="folds, draws and bootstrap")
    bootstrap: int = Field(2000, ge=100, description="draws for the intervals")
    datasets: dict[str, Dataset]
    detection: dict[str, Detector] = {}
    pose: dict[str, Estimator] = {}
    features: dict[str, FeatureSet] = {}
    systems: dict[str, dict[str, Variant]]
    tables: dict[str, Table]
    quality: dict[str, Quality] = {}
    labelled: dict[str, Labelled] = {}
    fine_tune: dict[str, FineTune] = {}
    audit: dict[str, Audit] = {}
    look: Look = Look()
    report: Report = Report()

    @model_validator(mode="after")
    def _names_exist(self) -> Config:
        for table in self.make_tables:
            _expect(table, self.tables, "make_tables")
        for name, block in self.datasets.items():
            self._check_dataset(f"datasets.{name}", block.use or name, block)
        for room, blocks in (("detection", self.detection), ("pose", self.pose), ("features", self.features)):
            for name, block in blocks.items():
                _plugin(room, f"{room}.{name}", block.use or name, block.options)
        for name, block in self.detection.items():
            _plugin("athlete", f"detection.{name}.athlete", block.athlete, block.athlete_options, "select")
        for name in self.pose:
            self._check_smoothed(name)
        for name, block in self.features.items():
            _expect_free(name, "features")
            _expect_optional(block.detector, self.detection, f"features.{name}.detector")
            _expect_optional(block.estimator, self.pose, f"features.{name}.estimator")
            self._check_boxes(f"features.{name}", block.use or name, block)
        for system, variants in self.systems.items():
            for name, variant in variants.items():
                where = f"systems.{system}.{name}"
                _plugin("systems", where, system, variant.options, ("build", "fit"))
                self._check_inputs(where, system, variant)
        for name in self.make_tables:
            self._check_table(name, self.tables[name])
        for name, block in self.quality.items():
            _expect(name, self.datasets, "quality")
            for detector in block.detection:
                _expect(detector, self.detection, f"quality.{name}.detection")
            for pair in [*block.pose, *block.flags, *([block.faults] if block.faults else [])]:
                self._check_keypoints(pair, f"quality.{name}")
            if block.flags and (starts := self.datasets[name].starts_at) != "videos":
                raise InputError(f"quality.{name}.flags: the data set starts at {starts}, expected videos to show")
            for option in block.flag_options:
                known = plugins.options("evaluation", "pose_flags", "flags_of_clip")
                _expect(option, known, f"quality.{name}.flag_options")
        for name, block in self.fine_tune.items():
            self._check_fine_tune(f"fine_tune.{name}", name, block)
        for name, block in self.labelled.items():
            self._check_labelled(f"labelled.{name}", block)
        for name, block in self.audit.items():
            self._check_audit(name, block)
        return self

    def _check_smoothed(self, name: str) -> None:
        """What is made from keypoints says whose, and ends at a block that is made from frames, or at `given`."""
        block, where = self.pose[name], f"pose.{name}.of"
        if not self.smooths(name):
            if block.of is not None:
                raise InputError(f"{where}: found '{block.of}', expected nothing: {block.use or name} reads frames")
            return
        _expect(block.of or "nothing", [GIVEN, *(other for other in self.pose if other != name)], where)
        chain = self.chain(name)
        if chain[-1] in self.pose and self.smooths(chain[-1]):
            circle = " of ".join([*chain, self.pose[chain[-1]].of or "nothing"])
            raise InputError(f"{where}: {circle}, expected an estimator at the end")

    def _check_boxes(self, where: str, extractor: str, block: FeatureSet) -> None:
        source, boxes = (plugins.constant("features", extractor, name) for name in ("source", "boxes"))
        if source == "frames" and boxes != "optional" and block.detector is None:
            raise InputError(f"{where}.detector: found none, which {extractor} needs")

    def _check_inputs(self, where: str, system: str, variant: Variant) -> None:
        """Feature sets and roles of a variant, and the pictures beside them."""
        for role, feature_set in variant.roles.items():
            _expect_free(role, f"{where}.features")
            _expect(feature_set, self.features, f"{where}.features.{role}")
        if isinstance(variant.features, str):
            _expect(variant.features, self.features, f"{where}.features")
        if variant.official is not None:
            _expect_official(where, system)
        _check_lengths(f"{where}.clips.n_frames", variant)
        _check_exemplars(where, system, variant)
        _check_masks(where, system, variant)
        _check_wanted_role(where, system, variant)
        fixed = plugins.constant("systems", system, "target")
        if fixed and "target" in variant.model_fields_set and variant.target != fixed:
            raise InputError(f"{where}.target: found '{variant.target}', expected '{fixed}', which {system} predicts")
        block, needs = variant.frames, set(plugins.constant("systems", system, "needs") or ())
        where = f"{where}.frames"
        if block is None:
            if "pictures" in needs:
                raise InputError(f"{where}: found none, expected pictures, which {system} needs")
            return
        if not needs & {"draws", "pictures"}:
            raise InputError(f"{where}: {system} is fitted on features, expected a system that is trained in steps")
        if isinstance(variant.features, str):
            raise InputError(f"{where}: beside features '{variant.features}' without a role, expected 'ROLE: SET'")
        if (block.view == "athlete" or "tubes" in needs) != (block.detector is not None):
            reasons = "the view 'athlete' or a system with tubes alone"
            raise InputError(f"{where}.detector: found {block.detector}, expected one for {reasons}")
        _expect_optional(block.detector, self.detection, f"{where}.detector")
        if block.resize and block.crop > min(block.resize):
            raise InputError(f"{where}.crop: found {block.crop}, expected {min(block.resize)} at most, as resize")
        if block.shift[0] > block.shift[1]:
            raise InputError(f"{where}.shift: found {list(block.shift)}, expected the smaller first")

    def _check_labelled(self, where: str, block: Labelled) -> None:
        _plugin("labelled", f"{where}.form", block.form, block.options, "read")
        for detector in block.detection:
            _expect(detector, self.detection, f"{where}.detection")
        for pair in block.pose:
            detector, _, estimator = pair.partition(".")
            _expect(detector, [*self.detection, "given"], f"{where}.pose")
            _expect(estimator, self.pose, f"{where}.pose")
            for trained_on in self._trained_on(estimator):
                if _overlap(block, self.labelled[trained_on]):
                    raise InputError(
                        f"{where}.pose: {estimator} was trained on pictures of it, by labelled.{trained_on}"
                    )

    def _check_start(self, where: str, name: str) -> None:
        """Weights that are fine-tuned from fine-tuned ones must come from shipped or given ones in the end."""
        tuned, passed = self.tuned_weights(), [name]
        while (start := self.fine_tune[passed[-1]].start) in tuned:
            if tuned[start] in passed:
                raise InputError(
                    f"{where}.start: {' goes on from '.join([*passed, tuned[start]])}, which has no beginning"
                )
            passed.append(tuned[start])

    def _trained_on(self, estimator: str) -> list[str]:
        """Labelled sets that the weights of an estimator are fine-tuned on, those included that these go on from."""
        tuned, found = self.tuned_weights(), []
        weights = str(self.pose[estimator].options.get("weights"))
        while weights in tuned:
            block = self.fine_tune[tuned[weights]]
            found, weights = [*found, *block.labelled], block.start
        return found

    def _check_fine_tune(self, where: str, name: str, block: FineTune) -> None:
        if name == "athlete_detector" or name.startswith("estimator_"):
            raise InputError(f"{where}: the name of weights that ship with the package, expected another")
        for labels in block.labelled:
            _expect(labels, self.labelled, f"{where}.labelled")
        keypoint_sets.get(block.keypoint_set)
        self._check_start(where, name)
        known = {*plugins.options("training", "embedded", "train_estimator"), *_SCHEDULE} - _OF_EVERY_FINE_TUNING
        for option in block.options:
            _expect(option, known, f"{where}.options")

    def _check_audit(self, name: str, block: Audit) -> None:
        _expect(name, self.datasets, "audit")
        _expect_optional(block.protocol, self.datasets[name].protocols, f"audit.{name}.protocol")
        for other in block.against:
            _expect(other, self.datasets, f"audit.{name}.against")

    def _check_dataset(self, where: str, adapter: str, block: Dataset) -> None:
        _plugin("datasets", where, adapter, {}, "samples")
        simulator = plugins.constant("datasets", adapter, "simulated_by") or ("datasets", adapter, "samples")
        for option in block.options:
            _expect(option, plugins.options(*simulator), where)
        for protocol, options in block.protocols.items():
            self._check_protocol(f"{where}.protocols.{protocol}", options.use or protocol, options)

    def _check_protocol(self, where: str, name: str, block: Protocol) -> None:
        _plugin("protocols", where, name, {}, "folds")
        own = [option for option in plugins.options("protocols", name, "folds") if option not in _OF_EVERY_PROTOCOL]
        for option in block.options:
            _expect(option, [*own, *Protocol.model_fields], where)
        for option in plugins.required("protocols", name, "folds"):
            if option in own and option not in block.options:
                raise InputError(f"{where}: no '{option}', which {name} needs")
        for dataset in block.excluding:
            _expect(dataset, self.datasets, f"{where}.excluding")

    def _check_table(self, name: str, table: Table) -> None:
        for dataset in table.datasets:
            _expect(dataset, self.datasets, f"tables.{name}.datasets")
            _expect(table.protocol, self.datasets[dataset].protocols, f"tables.{name}.protocol")
        for row in [*table.rows, *filter(None, (table.floor, table.ceiling))]:
            _expect(row, self.rows(), f"tables.{name}.rows")
        for metric in table.metrics:
            _expect(metric, plugins.available("metrics"), f"tables.{name}.metrics")
        ledger.of_tables(table.published)

    def _check_keypoints(self, pair: str, where: str) -> None:
        detector, _, estimator = pair.partition(".")
        _expect(detector, self.detection, where)
        _expect(estimator, self.pose, where)

    def tuned_weights(self) -> dict[str, str]:
        """Files that fine-tuning makes, with the block of each."""
        return {f"results/weights/{name}.safetensors": name for name in self.fine_tune}

    def rows(self) -> list[str]:
        """Every `system.variant` there is."""
        return [f"{system}.{variant}" for system, variants in self.systems.items() for variant in variants]

    def smooths(self, estimator: str) -> bool:
        """Whether a block of `pose` is made from the keypoints of another."""
        return plugins.constant("pose", self.pose[estimator].use or estimator, "source") == "keypoints"

    def chain(self, estimator: str) -> list[str]:
        """A block of `pose`, the one it smooths, and so on; ends with one that smooths none, or before a circle."""
        chain = [estimator]
        while chain[-1] in self.pose and (of := self.pose[chain[-1]].of) and of not in chain:
            chain.append(of)
        return chain

    def adapter(self, dataset: str) -> str:
        """File of `datasets/` that reads a data set."""
        return self.datasets[dataset].use or dataset

    def is_simulated(self, dataset: str) -> bool:
        """Whether the run makes the data set itself."""
        return plugins.constant("datasets", self.adapter(dataset), "simulated_by") is not None

    def adapter_options(self, dataset: str, *, videos: Sequence[str] = ()) -> dict[str, Any]:
        """What the adapter is called with: for simulated data sets the folders that the simulate stage writes.

        `videos` are these folders where a workflow that imports ours has moved them.
        """
        block = self.datasets[dataset]
        if self.is_simulated(dataset):
            written = [f"results/videos/{dataset}/{shard:04d}" for shard in range(block.shards)]
            return {"folders": list(videos) or written}
        return block.options

    def variant(self, row: str) -> Variant:
        """The block of a row."""
        system, variant = row.split(".")
        return self.systems[system][variant]


def check(config: dict[str, Any]) -> Config:
    """Validate a configuration; the first mistake is an InputError of one line that names the key."""
    try:
        return Config.model_validate(config)
    except ValidationError as error:
        raise InputError(_one_line(error)) from None


def read(file: Path) -> dict[str, Any]:
    """A configuration file as it stands; InputError where it is none."""
    import yaml

    if not file.is_file():
        raise InputError(f"{file}: no such configuration file")
    try:
        return yaml.safe_load(file.read_text()) or {}
    except yaml.YAMLError as error:
        raise InputError(f"{file}: not YAML: {' '.join(str(error).split())}") from error


def laid_over(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    """A configuration over another, key by key, as snakemake does it with --configfile; BELOW is changed."""
    from snakemake.utils import update_config

    update_config(below, above)
    return below


def merged(files: Sequence[Path]) -> dict[str, Any]:
    """Configuration files laid over each other."""
    return functools.reduce(laid_over, map(read, files), {})


def schema() -> str:
    """JSON schema of the configuration, for editors."""
    return json.dumps(Config.model_json_schema(), indent=2) + "\n"


def _plugin(room: str, where: str, name: str, options: dict, functions: str | tuple[str, ...] = "build") -> None:
    """The plugin exists and knows its options, read from its source and not imported."""
    if name not in plugins.available(room):
        raise InputError(f"{where}: no '{name}' in {room}: {nearest(name, plugins.available(room))}")
    functions = (functions,) if isinstance(functions, str) else functions
    known = plugins.options(room, name, *functions)
    for option in options:
        _expect(option, known, where)


def _check_lengths(where: str, variant: Variant) -> None:
    """Lengths by role are those of all roles."""
    lengths, roles = variant.clips.n_frames, list(variant.roles)
    if not isinstance(lengths, dict):
        return
    if not roles:
        raise InputError(
            f"{where}: found lengths of {', '.join(lengths)}, expected one number without features by role"
        )
    for role in lengths:
        _expect(role, roles, where)
    for role in roles:
        if role not in lengths:
            raise InputError(f"{where}: no length of '{role}', expected one of each: {', '.join(roles)}")


def _check_exemplars(where: str, system: str, variant: Variant) -> None:
    """An option of the system that repeats how exemplars are chosen says the same."""
    option = plugins.constant("systems", system, "exemplar_choice")
    if option is None or variant.exemplars is None:
        return
    said = variant.options.get(option, plugins.defaults("systems", system, "build")[option])
    if said != variant.exemplars.choose:
        raise InputError(f"{where}.{option}: found '{said}', expected '{variant.exemplars.choose}' as exemplars.choose")


def _check_masks(where: str, system: str, variant: Variant) -> None:
    """Masks are read where a system learns from them, and nowhere else; an option of its own may decide."""
    shown = variant.frames is not None and variant.frames.masks
    learns, why = bool(set(MASKS) & set(plugins.constant("systems", system, "needs") or ())), ""
    option = plugins.constant("systems", system, "mask_option")
    if option is not None:
        weight = variant.options.get(option, plugins.defaults("systems", system, "build")[option])
        learns, why = bool(weight), f" with {option} {weight}"
        if learns and not shown:
            raise InputError(f"{where}.{option}: found {weight} without masks, expected frames.masks: true, or 0")
    if shown and not learns:
        raise InputError(f"{where}.frames.masks: {system} learns from no masks{why}, expected false")


def _check_wanted_role(where: str, system: str, variant: Variant) -> None:
    """A role that a system needs unless an option of the same name is false."""
    role = plugins.constant("systems", system, "role_option")
    if role is None or role in variant.roles:
        return
    if variant.options.get(role, plugins.defaults("systems", system, "build")[role]):
        expected = f"expected a feature set for it, or among the options `{role}: false`"
        raise InputError(f"{where}.features: found no role '{role}', {expected}")


def _overlap(one: Labelled, other: Labelled) -> bool:
    """Whether two blocks may hold the same pictures: those of one file, unless their groups are others."""
    parted = one.groups and other.groups and not set(one.groups) & set(other.groups)
    return one.annotations == other.annotations and not parted


def _expect(name: str, known: Any, where: str) -> None:
    if name not in known:
        raise InputError(f"{where}: unknown '{name}', {nearest(name, known)}")


def _expect_free(name: str, where: str) -> None:
    """A feature set or a role may be called so: it is an identifier, and no modality of ours."""
    if not name.isidentifier() or name in RESERVED:
        raise InputError(f"{where}: found '{name}', expected an identifier other than {', '.join(RESERVED)}")


def _expect_official(where: str, system: str) -> None:
    known = plugins.offering("systems", "from_official")
    if system not in known:
        raise InputError(f"{where}.official: {system} has no released parameters, expected one of {', '.join(known)}")


def _expect_optional(name: str | None, known: Any, where: str) -> None:
    if name is not None:
        _expect(name, known, where)


def _one_line(error: ValidationError) -> str:
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"]) or "configuration"
    if first["type"] == "value_error":  # an InputError of ours, already complete
        return str(first["ctx"]["error"])
    if first["type"] == "extra_forbidden":
        return f"{where}: unknown key, {nearest(str(first['loc'][-1]), _fields_at(first['loc'][:-1]))}"
    return f"{where}: found {first['input']!r}, {first['msg'][0].lower()}{first['msg'][1:]}"


def _fields_at(location: tuple) -> list[str]:
    """Field names of the model that a location in the configuration leads to."""
    model: Any = Config
    for part in location:
        field = getattr(model, "model_fields", {}).get(part)
        model = field.annotation if field else model
        while not hasattr(model, "model_fields") and getattr(model, "__args__", ()):
            model = model.__args__[-1] if model.__args__[-1] is not type(None) else model.__args__[0]
    return list(getattr(model, "model_fields", {}))


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(schema())
