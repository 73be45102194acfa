"""What systems that compare a query with exemplars have in common: clips are encoded once and paired afterwards.

Shapes: B queries, P pairs.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from aqa_pipeline.batches import Clips, Pairs

Encoded = dict[str, Tensor]  # of each clip, by name; the first axis counts the clips


class Comparison(nn.Module):
    """A network with `encode` and `votes`; prediction follows from both.

    What `encode` gives of a clip must not depend on the other clips of its batch in evaluation mode: prediction encodes
    every query and exemplar of a fold once, keeps what it can in memory, and pairs the results. The released code of
    this field encodes both clips of a pair anew for each of ten votes.

    A system that finds the transitions between steps puts them under "transitions" (B, 2) into what it encodes.
    """

    def encode(self, clips: Clips) -> Encoded:
        """Everything that is needed of each clip, whoever it is compared with; truth is not looked at."""
        raise NotImplementedError

    def votes(self, query: Encoded, exemplar: Encoded, target: Tensor) -> Tensor:
        """Predicted target (P,) of each pair's query from its exemplar, whose own target (P,) is known."""
        raise NotImplementedError

    def predict(self, batch: Pairs) -> Tensor:
        """Predicted target (B,): the mean of the exemplars' votes."""
        query = rows(self.encode(batch.query), batch.query_of)
        return batch.average(self.votes(query, self.encode(batch.exemplar), batch.exemplar.target))


def rows(encoded: Encoded, index: Tensor) -> Encoded:
    """What is encoded of some clips (P,), repeated where one is named twice."""
    return {name: value[index] for name, value in encoded.items()}


def halves(both: Encoded) -> tuple[Encoded, Encoded]:
    """Query and exemplar of what was encoded with the queries first and as many exemplars after them."""
    pairs = {name: value.chunk(2) for name, value in both.items()}
    return {name: pair[0] for name, pair in pairs.items()}, {name: pair[1] for name, pair in pairs.items()}


def two_way(forward: Tensor, backward: Tensor, difference: Tensor) -> Tensor:
    """Squared error of the offsets (P,) of the query from the exemplar and of the exemplar from the query, summed."""
    squared = nn.functional.mse_loss
    return squared(forward, difference) + squared(backward, -difference)


def known_or(truth: Tensor | None, predicted: Tensor) -> Tensor:
    """Transitions (B, 2): the true ones where both are known, else the predicted."""
    if truth is None:
        return predicted
    known = torch.isfinite(truth).all(dim=1, keepdim=True)
    return torch.where(known, truth.nan_to_num().to(predicted.dtype), predicted)
