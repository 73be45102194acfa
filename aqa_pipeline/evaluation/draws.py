"""Bootstrap draws of the rows of a table, each computed once: most rows were tested on the same videos."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from aqa_pipeline.evaluation import scores
from aqa_pipeline.evaluation.predictions import Predictions, Test
from aqa_pipeline.evaluation.scores import Sampled

Found = Mapping[tuple[str, str], Predictions]  # by row ("system.variant") and data set


@dataclass
class Draws:
    """Metrics of rows, and of groups of rows on the tests that they share."""

    found: Found
    n_draws: int = 2000
    seed: int = 0
    _tests: dict[tuple, frozenset[Test]] = field(default_factory=dict)
    _sampled: dict[tuple, Sampled] = field(default_factory=dict)

    def tests(self, row: str, dataset: str, metric: str) -> frozenset[Test]:
        """Tests of a row that have what a metric compares; none where the row was not run."""
        key = (row, dataset, scores.quantity(metric))
        if key not in self._tests:
            found = self.found.get((row, dataset))
            tests = frozenset() if found is None else frozenset(found.where(found.usable(key[2])).tests)
            same = (known for known in self._tests.values() if known == tests)
            self._tests[key] = next(same, tests)  # most rows share one object, which is quick to compare
        return self._tests[key]

    def common(self, rows: Sequence[str], dataset: str, metric: str) -> frozenset[Test]:
        """Tests that all of the rows share."""
        first, *others = (self.tests(row, dataset, metric) for row in rows)
        return first if all(tests is first for tests in others) else first.intersection(*others)

    def on(self, row: str, dataset: str, tests: frozenset[Test]) -> Predictions:
        """Predictions of a row on the given tests."""
        found = self.found[row, dataset]
        return found.where(np.array([test in tests for test in found.tests], bool))

    def of(self, row: str, dataset: str, metric: str) -> Sampled:
        """A row on all tests that it can be measured on."""
        return self.together([row], dataset, metric)[0]

    def together(self, rows: Sequence[str], dataset: str, metric: str) -> list[Sampled]:
        """Rows on the tests that all of them share, with the same draws."""
        common = self.common(rows, dataset, metric)
        if any((row, dataset, metric, common) not in self._sampled for row in rows):
            self._sample(rows, dataset, metric, common)
        return [self._sampled[row, dataset, metric, common] for row in rows]

    def _sample(self, rows: Sequence[str], dataset: str, metric: str, common: frozenset[Test]) -> None:
        """The rows, and with them all others that were tested on just these tests."""
        alike = [row for row, of in self.found if of == dataset and self.tests(row, dataset, metric) == common]
        wanted = sorted(row for row in {*rows, *alike} if (row, dataset, metric, common) not in self._sampled)
        systems = [self.on(row, dataset, common) for row in wanted]
        drawn = scores.together(systems, metric, n_draws=self.n_draws, seed=self.seed)
        self._sampled |= {(row, dataset, metric, common): one for row, one in zip(wanted, drawn, strict=True)}
