"""The pairs of each step, cut into the pieces that one process computes one after the other, and read ahead."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from aqa_pipeline.batches import Clips, Pairs
from aqa_pipeline.errors import InputError
from aqa_pipeline.training.ranks import ALONE, Ranks

if TYPE_CHECKING:
    import torch


class Batches(Protocol):
    """The steps of a training run."""

    sizes: Sequence[int]  # pairs, or clips without exemplars, of each step

    def read(self, step: int, rows: slice) -> Clips | Pairs:
        """Some pairs of a step."""


@dataclass(frozen=True, slots=True)
class Piece:
    """Some pairs of a step."""

    step: int
    rows: slice
    share: float  # of the step's pairs


def pieces(step: int, size: int, *, accumulate: int = 1, together: Ranks = ALONE) -> Iterator[Piece]:
    """What this process computes of a step of `size` pairs: its part, in `accumulate` pieces of nearly equal size.

    There are fewer pieces where there are not as many pairs.
    """
    n = accumulate * together.count
    for i in range(together.rank * accumulate, (together.rank + 1) * accumulate):
        rows = slice(size * i // n, size * (i + 1) // n)
        if rows.stop > rows.start:
            yield Piece(step, rows, (rows.stop - rows.start) / size)


def read(batches: Batches, coming: Iterable[Piece], *, workers: int, device: torch.device) -> Iterator[Clips | Pairs]:
    """The pieces in their order, on the device; `workers` processes read ahead, 0: this one reads when asked."""
    if workers == 0:
        yield from (batches.read(piece.step, piece.rows).to(device) for piece in coming)
        return
    import torch
    from torch.utils.data import DataLoader

    loader = DataLoader(
        _Reader(batches),
        sampler=coming,  # asked for the next piece when a worker is free: no list of them all is held
        batch_size=None,
        num_workers=workers,
        pin_memory=device.type == "cuda",
        generator=torch.Generator(),  # its own, or it would draw from the one that dropout draws from
    )
    for piece in loader:
        if isinstance(piece, InputError):
            raise piece
        yield piece.to(device)


@dataclass(frozen=True)
class _Reader:
    """As torch's loader reads them; a mistake travels as it is, where the loader would wrap it in its traceback."""

    batches: Batches

    def __getitem__(self, piece: Piece) -> Clips | Pairs | InputError:
        try:
            return self.batches.read(piece.step, piece.rows)
        except InputError as error:
            return error
