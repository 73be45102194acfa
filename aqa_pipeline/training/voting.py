"""Prediction from stored draws: every clip is encoded once, compared with its exemplars, and the votes are averaged."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from aqa_pipeline.training.data import Data

if TYPE_CHECKING:
    import pandas as pd
    import torch
    from torch import Tensor

QUERIES_A_BATCH = 32
CLIPS_A_BATCH = 16  # at most that are encoded together
PICTURES_MB = {"cpu": 8}  # of these; a backbone makes a few hundred times as much of them on its way
PICTURES_MB_ELSEWHERE = 128  # where small batches are slow
MEMORY_MB = 2000  # of encoded clips


def predict_draws(
    model: Any, data: Data, draws: pd.DataFrame, device: str = "auto", *, memory_mb: int = MEMORY_MB
) -> pd.DataFrame:
    """Predicted target of every query in `draws`, by name: video_id, predicted, n_exemplars.

    A model that compares adds exemplars and votes, a list each: `predicted` is the mean of the votes. One that finds
    the transitions between steps adds transition_1 and transition_2. Clips that are encoded beyond
    `memory_mb` are forgotten, the longest unused first, and encoded again when they are needed again. It is a copy of
    the model that predicts, with batch normalisation folded into convolutions where it can be.
    """
    import pandas as pd
    import torch

    from aqa_pipeline.layers import convolutions, inference

    where = inference.choose_device(device)
    model = inference.channels_last(convolutions.folded(model).to(where))
    encodings = Encodings(model, data, where, memory_mb=memory_mb)
    with torch.no_grad():
        tables = [
            _single(model, data, where, queries) if exemplars is None else _voted(encodings, queries, exemplars)
            for queries, exemplars in _chunks(draws)
        ]
    return pd.concat(tables, ignore_index=True)


class Encodings:
    """What a `systems._comparison.Comparison` encodes of clips, each once; without their targets and transitions."""

    def __init__(self, model: Any, data: Data, where: torch.device, *, memory_mb: int = MEMORY_MB) -> None:
        self.model, self.data, self.where = model, data, where
        self._bytes = memory_mb * 2**20
        self._together = _together(data.facts.pictures, where)
        self._kept: dict[str, dict[str, Tensor]] = {}  # in the order of use

    def of(self, video_ids: Sequence[str]) -> dict[str, Tensor]:
        """Of each clip in the order asked for, by name; the first axis counts the clips."""
        import torch

        asked = list(dict.fromkeys(video_ids))
        new = [video_id for video_id in asked if video_id not in self._kept]
        for start in range(0, len(new), self._together):
            self._encode(new[start : start + self._together])
        self._kept |= {video_id: self._kept.pop(video_id) for video_id in asked}  # now the latest used
        names = self._kept[asked[0]]
        stacked = {name: torch.stack([self._kept[video_id][name] for video_id in asked]) for name in names}
        self._forget()
        if len(asked) == len(video_ids):
            return stacked
        row = {video_id: i for i, video_id in enumerate(asked)}
        index = torch.tensor([row[video_id] for video_id in video_ids], device=self.where)
        return {name: value[index] for name, value in stacked.items()}

    def _encode(self, video_ids: list[str]) -> None:
        encoded = self.model.encode(self.data.clips(video_ids, show_target=False).to(self.where))
        for i, video_id in enumerate(video_ids):
            self._kept[video_id] = {name: value[i].clone() for name, value in encoded.items()}

    def _forget(self) -> None:
        size = sum(tensor.nbytes for clip in self._kept.values() for tensor in clip.values())
        while size > self._bytes:
            oldest = self._kept.pop(next(iter(self._kept)))
            size -= sum(tensor.nbytes for tensor in oldest.values())


def _together(pictures: tuple[int, int, int] | None, where: torch.device) -> int:
    """How many clips are encoded together, of pictures of that many frames, rows and columns."""
    if pictures is None:
        return CLIPS_A_BATCH
    a_clip = 3 * math.prod(pictures) / 2**20
    return min(CLIPS_A_BATCH, max(1, int(PICTURES_MB.get(where.type, PICTURES_MB_ELSEWHERE) / a_clip)))


def _voted(encodings: Encodings, queries: list[str], exemplars: list[str]) -> pd.DataFrame:
    """One row a query, from a row a pair."""
    import torch

    data, where = encodings.data, encodings.where
    encoded, n_pairs = encodings.of([*queries, *exemplars]), len(queries)
    query = {name: value[:n_pairs] for name, value in encoded.items()}
    exemplar = {name: value[n_pairs:] for name, value in encoded.items()}
    known = data.scaled(np.array([data.targets[video_id] for video_id in exemplars]))
    target = torch.tensor(known, dtype=torch.float32, device=where)
    votes = encodings.model.votes(query, exemplar, target).double().cpu().numpy()
    starts = [i for i, name in enumerate(queries) if i == 0 or name != queries[i - 1]]
    counts = np.diff([*starts, len(queries)])
    predicted = np.add.reduceat(votes, starts) / counts
    table = _table(data, [queries[i] for i in starts], predicted, counts)
    of_queries = [slice(start, start + count) for start, count in zip(starts, counts, strict=True)]
    table["exemplars"] = [exemplars[rows] for rows in of_queries]
    table["votes"] = [data.unscaled(votes[rows]) for rows in of_queries]
    if "transitions" in query:
        table[["transition_1", "transition_2"]] = query["transitions"][starts].cpu().numpy()
    return table


def _single(model: Any, data: Data, where: torch.device, queries: list[str]) -> pd.DataFrame:
    """Clips that are scored alone."""
    predicted = model.predict(data.clips(queries, show_target=False).to(where)).double().cpu().numpy()
    return _table(data, queries, predicted, 0)


def _table(data: Data, queries: list[str], predicted: np.ndarray, n_exemplars: Any) -> pd.DataFrame:
    import pandas as pd

    return pd.DataFrame(dict(video_id=queries, predicted=data.unscaled(predicted), n_exemplars=n_exemplars))


def _chunks(draws: pd.DataFrame) -> Iterator[tuple[list[str], list[str] | None]]:
    """Queries and exemplars, a few queries at a time and all exemplars of each together; None without exemplars."""
    draws = draws.sort_values("query", kind="stable")
    number = draws.groupby("query", sort=True).ngroup()
    for _, rows in draws.groupby(number.to_numpy() // QUERIES_A_BATCH):
        yield rows["query"].tolist(), None if rows["exemplar"].isna().all() else rows["exemplar"].tolist()
