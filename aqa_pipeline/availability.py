"""What of a configuration can be run here: which data sets are at hand, what of them, and which weights.

Looked at once, when the workflow is parsed, so that a row that cannot be made is planned by nobody and stands in the
tables with its reason all the same.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from types import ModuleType

from aqa_pipeline import environments, plugins
from aqa_pipeline.config import Config, PluginBlock

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
        features = self._settings.variant(row).features
        if features is not None and not self._holds(dataset, self._kind_needed(features)):
            return "data_absent"
        if any(not Path(path).is_file() for path in self._weights(row)) or self._lacks_weights(row):
            return "weights_absent"
        return "not_run" if self._environment_absent(row) else "ok"

    def _holds(self, dataset: str, kind: str) -> bool:
        """Whether the copy at hand has any files of a kind."""
        module = None if self._settings.is_simulated(dataset) else self._module(dataset)
        if not hasattr(module, "media"):
            return True
        return any(path.exists() for path in module.media(**self._options(dataset)).get(kind, []))

    def _kind_needed(self, features: str) -> str:
        block = self._settings.features[features]
        source = plugins.constant("features", block.use or features, "source")
        estimated = source == "keypoints" and block.estimator is not None
        return KIND_OF_SOURCE["frames" if estimated else source]

    def _weights(self, row: str) -> list[str]:
        """Files of weights that the blocks of a row name; a name without a suffix is one of the registry."""
        settings, variant = self._settings, self._settings.variant(row)
        blocks = [variant]
        if variant.features:
            of_features = settings.features[variant.features]
            blocks.append(of_features)
            blocks += [settings.detection[of_features.detector]] if of_features.detector else []
            blocks += [settings.pose[of_features.estimator]] if of_features.estimator else []
        named = [str(block.options["weights"]) for block in blocks if block.options.get("weights")]
        return [name for name in named if Path(name).suffix]

    def environments_absent(self) -> list[str]:
        """Environments that rows of the tables need and that nobody made."""
        rows = {row for name in self._settings.make_tables for row in self._settings.tables[name].rows}
        return sorted({absent for row in rows if (absent := self._environment_absent(row))})

    def _environment_absent(self, row: str) -> str | None:
        """The environment that the estimator of a row lives in, where it is not there."""
        estimator = self._estimator(row)
        name = estimator and plugins.constant("pose", estimator[0], "environment")
        return name if name and not self._conda and not environments.is_present(name) else None

    def _lacks_weights(self, row: str) -> bool:
        """Whether the estimator of a row ships no weights and was given none."""
        estimator = self._estimator(row)
        return bool(
            estimator
            and plugins.constant("pose", estimator[0], "needs_weights")
            and not estimator[1].options.get("weights")
        )

    def _estimator(self, row: str) -> tuple[str, PluginBlock] | None:
        """Plugin and block of the estimator whose keypoints a row reads."""
        features = self._settings.variant(row).features
        name = features and self._settings.features[features].estimator
        return (self._settings.pose[name].use or name, self._settings.pose[name]) if name else None

    def _options(self, dataset: str) -> dict:
        return self._settings.datasets[dataset].options

    def _module(self, dataset: str) -> ModuleType:
        return plugins.load("datasets", self._settings.adapter(dataset))
