"""End-to-end C3D on fragments: a clip's fragments, each seen by a C3D of its own, become one score.

Li, Chai, Chen, "End-to-end learning for action quality assessment", PCM 2018. No code was released. A clip is parted
into consecutive fragments of one length. C3D up to its last pooling sees each; their maps are joined and pass two
convolutions with pooling, and two linear layers with dropout, to one score. What is learnt is the score's value, its
order among the scores of a batch, or both.

Where the paper leaves open what it did, the default is the first of:

    loss        "mse_ranking", "mse", "ranking": the three of its tables
    balance     of both losses (equation 7). "batch": anew in each; "first": that of the first batch, kept; a number
    fragments   "last", as its tables of diving and vault are; "all", as we take those of skating to be; or numbers
    left_out    fragments that are not used. "dropped": nothing stands for them; "zero": zeros are shown in their
                place, as its study of single fragments does
    shared      false, as stated: one C3D each; true: one for all
    join        "time": the maps stand one after the other, which is what convolutions in time need; "channels"
    dropout     0.2: its 0.8 is the chance to keep, as TensorFlow of its time counted; 0.8: to drop

Widths of the layers after C3D, the padding and strides of their pooling and the pixels are not stated; they are ours.

On stored features a fragment is an equal part of the sequence, of which the mean, smallest and largest value of each
feature stand in the place of C3D's map.

Shapes: B clips, T frames, n fragments of which k are used, C channels, t h w of a map, D features.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from aqa_pipeline.backbones import c3d
from aqa_pipeline.batches import Clips, Facts
from aqa_pipeline.errors import InputError, expect_one_of
from aqa_pipeline.layers import pictures, ranking
from aqa_pipeline.systems import _encoders

needs = {"features", "draws"}
raw_target = True  # the margin is in points

LOSSES = ("mse_ranking", "mse", "ranking")
BALANCES = ("batch", "first")
LEFT_OUT = ("dropped", "zero")
JOINS = ("time", "channels")
OF_STORED = 3  # mean, smallest and largest value

tiny = dict(n_fragments=3, fragments=[0, 2], dim=5, channels=[6, 4], hidden=[7, 3], width=0.05)


class C3DFragments(nn.Module):
    """The parts are made by `build`."""

    def __init__(
        self,
        parts: Parts,
        extractors: Sequence[nn.Module],  # one a fragment, or one for all: a fragment -> (B, C, t, h, w)
        regressor: Regressor,
        *,
        join: str,
        recompute: bool,
        loss: str,
        balance: str | float,
        margin: float,
    ) -> None:
        super().__init__()
        self.parts, self.extractors, self.regressor = parts, nn.ModuleList(extractors), regressor
        self.join, self.recompute = join, recompute
        self.kind, self.balance, self.margin = loss, balance, margin
        self.register_buffer("alpha", torch.tensor(torch.nan))  # of `balance: first`, once it is known

    def forward(self, clips: Clips) -> Tensor:
        """Scores (B,) in points."""
        fragments = self.parts(clips)
        extractors = self.extractors if len(self.extractors) > 1 else [self.extractors[0]] * len(fragments)
        maps = [
            checkpoint(extract, fragment, use_reentrant=False) if self.recompute else extract(fragment)
            for extract, fragment in zip(extractors, fragments, strict=True)
        ]
        maps = [of.expand(len(clips), -1, -1, -1, -1) for of in maps]  # zeros are looked at once for all clips
        return self.regressor(torch.cat(maps, dim=2 if self.join == "time" else 1))

    def loss(self, batch: Clips) -> dict[str, Tensor]:
        """The squared error, the ranking loss, or both; pairs are those of the batch, or of each of a step's pieces."""
        predicted, terms = self(batch), {}
        if self.kind != "ranking":
            terms["squared"] = ranking.squared(predicted, batch.target)
        if self.kind != "mse":
            of_pairs = ranking.ranking(predicted, batch.target, margin=self.margin)
            terms["ranking"] = of_pairs if self.kind == "ranking" else self._alpha(predicted, batch.target) * of_pairs
        return terms

    def predict(self, batch: Clips) -> Tensor:
        """Predicted target (B,); of the ranking loss alone on a scale of its own, which no difficulty may multiply."""
        return self(batch)

    def _alpha(self, predicted: Tensor, true: Tensor) -> Tensor | float:
        if self.balance not in BALANCES:
            return self.balance
        if self.balance == "first" and self.alpha.isfinite():
            return self.alpha
        alpha = ranking.balance(predicted, true, margin=self.margin)
        if self.balance == "first" and alpha > 0:
            self.alpha.copy_(alpha)
        return alpha


class Parts(nn.Module):
    """The fragments of a clip that are looked at, in their order; `pixels` of pictures, None for stored features.

    A fragment of pictures is (B, 3, T / n, H, W), one of features (B, 3 D) or, where it is a single row, (B, D). Left
    out are those not in `used`; `zeros` are shown in their place, once for all clips, where they are not dropped.
    """

    def __init__(self, modality: str, n: int, used: Sequence[int], *, zeros: bool, pixels: str | None) -> None:
        super().__init__()
        self.modality, self.n, self.used, self.zeros, self.pixels = modality, n, tuple(used), zeros, pixels

    def forward(self, clips: Clips) -> list[Tensor]:
        parts = clips.inputs[self.modality].tensor_split(self.n, dim=1)
        seen = {number: self._seen(parts[number]) for number in self.used}
        zero = torch.zeros_like(next(iter(seen.values()))[:1])
        return [seen.get(number, zero) for number in range(self.n) if number in seen or self.zeros]

    def _seen(self, part: Tensor) -> Tensor:
        if self.pixels is not None:
            return pictures.normalised(part, pixels=self.pixels).transpose(1, 2)
        if part.shape[1] == 1:
            return part[:, 0]
        return torch.cat([part.mean(dim=1), part.amin(dim=1), part.amax(dim=1)], dim=1)


class StoredMap(nn.Sequential):
    """One linear map of a fragment's features (B, F) in the place of C3D: (B, C, 1, 1, 1)."""

    def __init__(self, features: int, dim: int) -> None:
        super().__init__(nn.Linear(features, dim), nn.ReLU(), nn.Unflatten(1, (dim, 1, 1, 1)))


class Regressor(nn.Module):
    """Maps (B, C, t, h, w) of the size they are made for to scores (B,).

    Each of `channels` is a convolution 3 x 3 x 3, ReLU and pooling 3 x 3 x 3 that halves all sizes, rounded up; each of
    `hidden` a linear layer, ReLU and dropout. `bias` of the score: the order of scores does not depend on it.
    """

    def __init__(
        self,
        inputs: int,
        size: tuple[int, int, int],
        *,
        channels: Sequence[int],
        hidden: Sequence[int],
        dropout: float,
        bias: bool,
    ) -> None:
        super().__init__()
        convolutions = []
        for outputs in channels:
            convolutions += [nn.Conv3d(inputs, outputs, 3, padding=1), nn.ReLU(), nn.MaxPool3d(3, 2, padding=1)]
            inputs, size = outputs, tuple(-(-side // 2) for side in size)
        inputs *= size[0] * size[1] * size[2]
        layers = []
        for outputs in hidden:
            layers += [nn.Linear(inputs, outputs), nn.ReLU(), nn.Dropout(dropout)]
            inputs = outputs
        self.convolutions = nn.Sequential(*convolutions)
        self.layers = nn.Sequential(*layers, nn.Linear(inputs, 1, bias=bias))

    def forward(self, maps: Tensor) -> Tensor:
        return self.layers(self.convolutions(maps).flatten(1))[:, 0]


def build(
    facts: Facts,
    *,
    n_fragments: int = 9,
    fragments: str | list[int] = "last",
    left_out: str = "dropped",
    shared: bool = False,
    join: str = "time",
    channels: list[int] = [256, 256],
    hidden: list[int] = [1024, 128],
    dropout: float = 0.2,
    loss: str = "mse_ranking",
    balance: str | float = "batch",
    margin: float = 2.0,
    layout: str = "s1m",
    width: float = 1.0,
    weights: str = "",
    pixels: str = "c3d",
    recompute: bool = False,
    dim: int = 64,
) -> C3DFragments:
    """The model for clips of `facts`.

    Parameters
    ----------
    n_fragments, fragments, left_out, shared, join
        Fragments that a clip is parted into, and which are used: see above. Numbers count from 0.
    channels, hidden, dropout
        Of the layers after C3D: `Regressor`.
    loss, balance
        See above.
    margin
        By which pairs are to differ, in units of the target. UNLV-Diving, UNLV-Vault and MIT-Skating: 2 points.
    layout, width, weights, pixels
        Of C3D (`backbones/c3d.py`) and what it is fed (`layers/pictures.py`); from nothing without weights, which
        otherwise every fragment begins with.
    recompute
        Whether what C3D saw of a fragment is computed again for its gradient: less memory for more time.
    dim
        Channels that a fragment of stored features is brought to.
    """
    for name, found, known in (
        ("left_out", left_out, LEFT_OUT),
        ("join", join, JOINS),
        ("loss", loss, LOSSES),
        ("pixels", pixels, pictures.PIXELS),
    ):
        expect_one_of(f"c3d_fragments.{name}", found, known)
    if isinstance(balance, str):
        expect_one_of("c3d_fragments.balance", balance, BALANCES)
    used = _numbers(fragments, n_fragments)
    shown = n_fragments if left_out == "zero" else len(used)
    modality = _encoders.modality(facts, "dynamic")
    of_pictures = modality == "frames"
    length = _length(facts, modality, n_fragments)

    def extractor() -> nn.Module:
        if of_pictures:
            return c3d.build(layout=layout, width=width)
        values = facts.dims[modality] * (1 if length == n_fragments else OF_STORED)
        return StoredMap(values, dim)

    extractors = [extractor() for _ in range(1 if shared else shown)]
    size, inputs = (1, 1, 1), dim
    if of_pictures:
        size, inputs = extractors[0].map_size(length // n_fragments, *facts.pictures[1:]), extractors[0].dim
        if weights:
            c3d.load_pretrained(extractors[0], weights)
            extractors = [copy.deepcopy(extractors[0]) for _ in extractors]
    size = (size[0] * shown, *size[1:]) if join == "time" else size
    return C3DFragments(
        Parts(modality, n_fragments, used, zeros=left_out == "zero", pixels=pixels if of_pictures else None),
        extractors,
        Regressor(
            inputs if join == "time" else inputs * shown,
            size,
            channels=channels,
            hidden=hidden,
            dropout=dropout,
            bias=loss != "ranking",
        ),
        join=join,
        recompute=recompute,
        loss=loss,
        balance=balance,
        margin=margin,
    )


def _numbers(fragments: str | Sequence[int], n: int) -> list[int]:
    """Numbers of the fragments that are used, in their order."""
    if n < 1:
        raise InputError(f"c3d_fragments.n_fragments: found {n}, expected 1 or more")
    if isinstance(fragments, str):
        expect_one_of("c3d_fragments.fragments", fragments, ("last", "all"))
        return [n - 1] if fragments == "last" else list(range(n))
    if not fragments or not all(0 <= number < n for number in fragments):
        raise InputError(f"c3d_fragments.fragments: found {list(fragments)}, expected numbers from 0 to {n - 1}")
    return sorted(set(fragments))


def _length(facts: Facts, modality: str, n: int) -> int:
    """Frames or rows of a clip, which must be enough for the fragments."""
    if modality == "frames":
        length = facts.pictures[0]
        if length % n or length < c3d.CLIP * n:
            raise InputError(f"frames.n_frames: found {length}, expected {n} times the same, {c3d.CLIP} or more")
        return length
    length = facts.lengths[modality]
    if length < n or (length != n and length < 2 * n):
        raise InputError(f"clips.n_frames: found {length}, expected a row for each of {n} fragments, or two or more")
    return length
