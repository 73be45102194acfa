"""Do two systems differ? A permutation test: what they said of a clip is exchanged, clip by clip, by tossing a coin.

If it makes no difference which of two systems spoke, the pair of their answers to a clip is as likely in either order,
and the metric's difference after any exchange could as well have been the one that was seen. p is the share of
exchanges whose difference is at least as large, on either side. One coin a video serves all of its tests, in all folds
and for all seeds, because those are not independent of each other; data sets of
other videos have coins of their own, those of the same people share theirs, as in the bootstrap.

What is exchanged:

- for a mean over clips, its terms, such as absolute errors. Exact for the hypothesis that the terms of a clip are
  exchangeable; it asks nothing of their distribution.
- for a correlation of ranks, the clip's rank scores: its rank among all predictions of its own system in the fold.
  Systems may speak on different scales, so that predictions themselves cannot be exchanged. Ranks are taken once,
  before the exchange; the correlation of exchanged scores is Pearson's. A rank depends a little on the other clips, so
  that this is exact in the limit of many clips only. Two systems of the same rho whose errors are spread differently
  are, strictly, another hypothesis; the simulations in the tests stay near the nominal level.

With several seeds each seed of one system is paired with each seed of the other and the metric is averaged over all
pairs, so that the observed difference is the one of the table.

Sums and sums of squares after an exchange are linear in the signs, so that every system costs one product of the sign
matrix, and every pair of systems a few operations a permutation.

Sources: Fisher, The design of experiments, 1935 (exchange of signs); Noreen, Computer-intensive methods for testing
hypotheses, 1989, and Yeh, COLING 2000 (systems tested on the same items); Conover and Iman, The American Statistician
1981 (tests of rank scores); Phipson and Smyth, Statistical Applications in Genetics and Molecular Biology 2010 (the one
that is added to both sides of p).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from aqa_pipeline.evaluation import scores
from aqa_pipeline.evaluation.scores import Part, Sampled

Pair = tuple[str, str]


def exchanged(
    systems: Mapping[str, Sequence[Part]],
    pairs: Sequence[Pair],
    video_ids: Sequence[str],
    metric: str,
    *,
    n_permutations: int,
    seed: int,
) -> dict[Pair, tuple[np.ndarray, np.ndarray]]:
    """The metric of both systems of each pair in every permutation, (n_permutations,) each.

    Parameters
    ----------
    systems : what `scores.parts` made of each, all on the same tests; a system without a value has no part
    pairs : names of systems
    video_ids : sorted, those that the parts' `videos` count through
    """
    kind = _Ranks if scores.is_correlation(metric) else _Terms
    prepared = {name: kind.of(parts) for name, parts in systems.items() if parts}
    made: dict[Pair, list] = {pair: [] for pair in pairs if set(pair) <= set(prepared)}
    if not made:
        return {}
    for signs in coins(video_ids, n_permutations=n_permutations, seed=seed):
        signed = dict(zip(prepared, kind.signed(list(prepared.values()), signs), strict=True))
        for (a, b), pieces in made.items():
            pieces.append(prepared[a].after(prepared[b], signed[a], signed[b]))
    return {pair: tuple(np.concatenate(side) for side in zip(*pieces, strict=True)) for pair, pieces in made.items()}


def coins(video_ids: Sequence[str], *, n_permutations: int, seed: int) -> Iterator[np.ndarray]:
    """-1 where a video's answers are exchanged and 1 where they stay, in pieces of (some permutations, V)."""
    rng, size = scores.generator([*video_ids, "coins"], seed), scores.piece(len(video_ids))
    for start in range(0, n_permutations, size):
        shape = (min(size, n_permutations - start), len(video_ids))
        bits = np.unpackbits(
            np.frombuffer(rng.bytes(-(-shape[0] * shape[1] // 8)), np.uint8), count=shape[0] * shape[1]
        )
        yield (2.0 * bits - 1.0).reshape(shape)


def p_value(a: Sampled, b: Sampled) -> float:
    """Two-sided p of the observed values among permutations as `draws`, one added to both sides; NaN without a value.

    A permutation without a value counts as one that is as large as what was seen.
    """
    observed = abs(a.value - b.value)
    if np.isnan(observed):
        return np.nan
    rounding = 1e-9 * max(abs(a.value), abs(b.value))
    smaller = np.abs(a.draws - b.draws) < observed - rounding
    return float((1 + (~smaller).sum()) / (1 + len(smaller)))


@dataclass(frozen=True)
class _Terms:
    """A mean over clips, averaged over groups and seeds: one weighted term a video."""

    terms: np.ndarray  # (V,)

    @classmethod
    def of(cls, parts: Sequence[Part]) -> _Terms:
        terms = np.zeros(1 + max(part.videos.max() for part in parts))
        for part in parts:
            alone = np.mean([_alone(part, one) for one in part.predicted], axis=0)
            np.add.at(terms, part.videos, alone / (len(alone) * len(parts)))
        return cls(terms)

    @staticmethod
    def signed(systems: Sequence[_Terms], signs: np.ndarray) -> np.ndarray:
        """(systems, permutations) signed sums of the terms."""
        return np.stack([system.terms for system in systems]) @ signs.T

    def after(self, other: _Terms, own: np.ndarray, others: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The metric of this system and the other after the exchange."""
        middle, half = (self.terms.sum() + other.terms.sum()) / 2, (own - others) / 2
        return middle + half, middle - half


def _alone(part: Part, predicted: np.ndarray) -> np.ndarray:
    """The term of each clip (N,): the mean over a draw that holds nothing else."""
    n, size = len(part.true), scores.piece(len(part.true))
    rows = [np.eye(min(size, n - start), n, start) for start in range(0, n, size)]
    return np.concatenate([part.measure(predicted, part.true, weights=row) for row in rows])


@dataclass(frozen=True)
class _Ranks:
    """A correlation of ranks in each group and seed. Ranks are centred and doubled: sums of them are exact."""

    parts: Sequence[Part]
    columns: list[np.ndarray]  # of each group: (3 S, N) rank, its square, its product with the true rank
    squares: list[np.ndarray]  # (S,) sum of squares
    products: list[np.ndarray]  # (S,) sum of products with the true ranks
    spread: list[float]  # sum of squares of the true ranks

    @classmethod
    def of(cls, parts: Sequence[Part]) -> _Ranks:
        from scipy.stats import rankdata

        columns, squares, products, spread = [], [], [], []
        for part in parts:
            true, own = (2 * rankdata(side, axis=-1) - (len(part.true) + 1) for side in (part.true, part.predicted))
            columns.append(np.concatenate([own, own**2, own * true]))
            squares.append((own**2).sum(axis=1))
            products.append((own * true).sum(axis=1))
            spread.append(float((true**2).sum()))
        return cls(parts, columns, squares, products, spread)

    @staticmethod
    def signed(systems: Sequence[_Ranks], signs: np.ndarray) -> list[list[np.ndarray]]:
        """Of each system and group (3, S, permutations): the signed sums of its columns, all in one product."""
        found: list[list[np.ndarray]] = [[] for _ in systems]
        for group, part in enumerate(systems[0].parts if systems else []):
            columns = [system.columns[group] for system in systems]
            sums = np.concatenate(columns) @ signs.T[part.videos]
            ends = np.cumsum([len(rows) for rows in columns])[:-1]
            for of, piece in zip(found, np.split(sums, ends), strict=True):
                of.append(piece.reshape(3, -1, len(signs)))
        return found

    def after(
        self, other: _Ranks, own: Sequence[np.ndarray], others: Sequence[np.ndarray]
    ) -> tuple[np.ndarray, np.ndarray]:
        """The correlation of this system and the other after the exchange, the mean over groups and pairs of seeds.

        A clip's score becomes the mean of both systems' scores plus, or minus, half of their difference.
        """
        sides: tuple[list, list] = ([], [])
        for group, part in enumerate(self.parts):
            difference, change, turn = (own[group][:, :, None] - others[group][:, None]) / 2  # (3, S, S', permutations)
            square = (self.squares[group][:, None] + other.squares[group])[..., None] / 2
            product = (self.products[group][:, None] + other.products[group])[..., None] / 2
            shift = difference**2 / len(part.true)
            for side, way in zip(sides, (1, -1), strict=True):
                spread = (square + way * change - shift) * self.spread[group]
                root = np.sqrt(spread, out=np.full_like(spread, np.nan), where=spread > 0)
                side.append(((product + way * turn) / root).mean(axis=(0, 1)))
        return np.mean(sides[0], axis=0), np.mean(sides[1], axis=0)
