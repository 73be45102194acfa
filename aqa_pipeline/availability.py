"""What of a configuration can be run here: which data sets are at hand, what of them, and which weights.

Looked at once, when the workflow is parsed, so that a row that cannot be made is planned by nobody and stands in the
tables with its reason all the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import get_args

from aqa_pipeline import environments, plugins, weights
from aqa_pipeline.config import GIVEN, MASKS, Config, Start

# What a feature set is made from -> the kind of files that a data set must hold for it.
KIND_OF_SOURCE = {"frames": "videos", "keypoints": "keypoints", "files": "features"}


class Availability:
    """Answers for one configuration."""

    def __init__(self, settings: Config, *, conda: bool = False) -> None:
        """`conda`: environments are made when they are needed, so none is absent."""
        self._settings, self._conda = settings, conda
        self.missing = cache(self._missing)
        self.status = cache(self._status)

    def absent(self) -> dict[str, Path]:
        """Data sets that the tables ask for and that are not at hand, each with the first file that is missing."""
        tables = [self._settings.tables[name] for name in self._settings.make_tables]
        asked = sorted({dataset for table in tables for dataset in table.datasets})
        return {dataset: self.missing(dataset) for dataset in asked if not self.is_present(dataset)}

    def is_present(self, dataset: str) -> bool:
        """Whether the annotations of a data set are at hand.

        One's own list counts as present: that it is not there is a mistake, which the run will name.
        """
        return self.missing(dataset) is None or self.is_required(dataset)

    def absent_labels(self) -> dict[str, Path]:
        """Labelled sets that are not at hand, each with the first path that is missing."""
        paths = {name: (Path(block.annotations), Path(block.images)) for name, block in self._settings.labelled.items()}
        missing = {name: next((path for path in own if not path.exists()), None) for name, own in paths.items()}
        return {name: path for name, path in missing.items() if path is not None}

    def can_be_tuned(self, name: str) -> bool:
        """Whether everything a block of `fine_tune` is trained on is at hand, and the weights it begins with."""
        block, absent = self._settings.fine_tune[name], self.absent_labels()
        return not any(labels in absent for labels in block.labelled) and self._at_hand(block.start)

    def _at_hand(self, name: str) -> bool:
        """Whether weights are there, by path or by registered name, or will be made."""
        tuned = self._settings.tuned_weights().get(name)
        return weights.is_present(name) or (tuned is not None and self.can_be_tuned(tuned))

    def measured_labels(self) -> list[str]:
        """Labelled sets that are at hand and have something to measure that is at hand too."""
        blocks = {n: block for n, block in self._settings.labelled.items() if n not in self.absent_labels()}
        return [name for name in blocks if self.detectors_measured(name) or self.poses_measured(name)]

    def detectors_measured(self, name: str) -> list[str]:
        """Detectors of a labelled set whose weights are at hand."""
        asked = self._settings.labelled[name].detection
        return [detector for detector in asked if all(map(self._at_hand, self._weights_of_pair(detector, GIVEN)))]

    def poses_measured(self, name: str) -> list[str]:
        """Pairs detector.estimator of a labelled set whose weights and environment are at hand."""
        pairs = {pair: pair.split(".") for pair in self._settings.labelled[name].pose}
        return [
            pair
            for pair, (detector, estimator) in pairs.items()
            if all(map(self._at_hand, self._weights_of_pair(detector, estimator)))
            and not self._environment_absent(estimator)
        ]

    def can_be_parted(self, dataset: str, protocol: str) -> bool:
        """Whether a data set is at hand, and with it those whose test clips a protocol keeps out of its training."""
        others = self._settings.datasets[dataset].protocols[protocol].excluding
        return all(map(self.is_present, (dataset, *others)))

    def is_required(self, dataset: str) -> bool:
        """Whether the data set is somebody's own list of files."""
        return bool(plugins.constant("datasets", self._settings.adapter(dataset), "required"))

    def reasons(self, dataset: str, protocol: str) -> dict[str, str]:
        """For `tabulate`: the data set, or each "row@dataset", that has no run under a protocol, and why."""
        if not self.can_be_parted(dataset, protocol):
            return {dataset: "data_absent"}
        states = {f"{row}@{dataset}": self.status(row, dataset) for row in self._settings.rows()}
        return {place: status for place, status in states.items() if status != "ok"}

    def _missing(self, dataset: str) -> Path | None:
        """The first annotation file of a data set that is not there, or None."""
        if self._settings.is_simulated(dataset):
            return None
        files = self._module(dataset).annotation_files(**self._options(dataset))
        return next((path for path in files if not path.is_file()), None)

    def _status(self, row: str, dataset: str) -> str:
        """`ok`, or why a row cannot be run on a data set: data_absent, weights_absent, not_run (no environment)."""
        if not self.is_present(dataset):
            return "data_absent"
        if not all(self._holds(dataset, kind) for kind in self._kinds_needed(row)):
            return "data_absent"
        if not all(map(self._at_hand, self._weights(row))):
            return "weights_absent"
        return "not_run" if self._environments_absent(row) else "ok"

    def _holds(self, dataset: str, kind: str) -> bool:
        """Whether the copy at hand has any files of a kind."""
        starts = get_args(Start)
        if kind in starts and starts.index(kind) < starts.index(self._settings.datasets[dataset].starts_at):
            return False
        module = None if self._settings.is_simulated(dataset) else self._module(dataset)
        if not hasattr(module, "media"):
            return module is None or kind not in MASKS
        return any(path.exists() for path in module.media(**self._options(dataset)).get(kind, []))

    def _kinds_needed(self, row: str) -> set[str]:
        """Kinds of files that a row is made from."""
        variant = self._settings.variant(row)
        kinds = {self._kind_needed(features) for features in variant.feature_sets}
        if variant.frames is not None:
            needs = plugins.constant("systems", row.partition(".")[0], "needs")
            kinds |= {KIND_OF_SOURCE["frames"], *(set(MASKS) & set(needs) if variant.frames.masks else [])}
        return kinds

    def _kind_needed(self, features: str) -> str:
        block = self._settings.features[features]
        source = plugins.constant("features", block.use or features, "source")
        estimated = block.estimator is not None and self._settings.chain(block.estimator)[-1] != GIVEN
        estimated &= source == "keypoints"
        return KIND_OF_SOURCE["frames" if estimated else source]

    def _weights(self, row: str) -> set[str]:
        """Files and registered names of the weights that the blocks of a row need."""
        settings, variant = self._settings, self._settings.variant(row)
        needed = weights_of("systems", row.partition(".")[0], variant.options)
        for name in variant.feature_sets:
            features = settings.features[name]
            needed |= weights_of("features", features.use or name, features.options)
            needed |= self._weights_of_pair(features.detector or GIVEN, features.estimator or GIVEN)
        if variant.official is not None:
            needed.add(variant.official)
        if variant.frames is not None:
            needed |= self._weights_of_pair(variant.frames.detector or GIVEN, GIVEN)
        return needed

    def _weights_of_pair(self, detector: str, estimator: str) -> set[str]:
        """The same of a detector and an estimator, and of those whose keypoints it smooths."""
        pose, detection = self._settings.pose, self._settings.detection
        blocks = [("pose", name, pose[name]) for name in self._settings.chain(estimator) if name != GIVEN]
        blocks += [("detection", detector, detection[detector])] if detector != GIVEN else []
        return {name for room, own, block in blocks for name in weights_of(room, block.use or own, block.options)}

    def environments_absent(self) -> list[str]:
        """Environments that rows of the tables need and that nobody made."""
        rows = {row for name in self._settings.make_tables for row in self._settings.tables[name].rows}
        return sorted({absent for row in rows for absent in self._environments_absent(row)})

    def _environments_absent(self, row: str) -> set[str]:
        """The same of one row: of the estimators whose keypoints it reads."""
        sets = self._settings.variant(row).feature_sets
        absent = {self._environment_absent(self._settings.features[name].estimator or GIVEN) for name in sets}
        return set(filter(None, absent))

    def _environment_absent(self, estimator: str) -> str | None:
        """The environment that an estimator, or the one whose keypoints it smooths, lives in, where it is not there."""
        last = self._settings.chain(estimator)[-1]
        plugin = None if last == GIVEN else self._settings.pose[last].use or last
        environment = plugin and plugins.constant("pose", plugin, "environment")
        absent = environment and not self._conda and not environments.is_present(environment)
        return environment if absent else None

    def _options(self, dataset: str) -> dict:
        return self._settings.datasets[dataset].options

    def _module(self, dataset: str) -> ModuleType:
        return plugins.load("datasets", self._settings.adapter(dataset))


def weights_of(room: str, plugin: str, options: Mapping[str, object]) -> set[str]:
    """Files and registered names of the weights that a plugin needs with these options, read from its source.

    Those that `weights`, `static_weights` or `checkpoint` name; without them every registered name among the values of
    its options, given or by default, and what it names in a constant `default_weights`.
    """
    given = [str(options[key]) for key in ("weights", "static_weights", "checkpoint") if options.get(key)]
    registered = weights.available()
    if given:
        return {name for name in given if Path(name).suffix or name in registered}
    values = {**plugins.defaults(room, plugin, "build", "fit"), **options}.values()
    constant = plugins.constant(room, plugin, "default_weights") or ()
    named = {constant} if isinstance(constant, str) else set(constant)
    return named | {value for value in values if isinstance(value, str) and value in registered}
