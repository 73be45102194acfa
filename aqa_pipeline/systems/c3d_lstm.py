"""C3D-LSTM: C3D describes clips of 16 frames, an LSTM reads them in their order, and says a score after the last.

Parmar and Morris, "Learning to Score Olympic Events", CVPRW 2017; released code: ParitoshParmar/LTSOE (Caffe: networks,
solvers, lists of labels) and ParitoshParmar/C3D-LSTM--PyTorch (a port, for AQA-7). C3D is not trained on: what the LSTM
reads is the layer fc6. Scores are learnt as multiples of their standard deviation, as in the port.

Where paper, Caffe code and port differ, the default is the port as it was meant:

    starts              of the clips: six of 96 frames; the port's loop ends one early, `[0, 16, 32, 48, 64]`; the paper
                        has nine of 151 frames
    incremental_until   share of the training in which every clip has a label, the part of the score that is earned by
                        then ("incremental-label training"; Caffe: 0.9, 3500 of 3900 steps). After it, or with 0, only
                        the last clip has one ("final-label training", all of the port)
    ramp                of these labels. "linear": the t-th of S clips has t / S of the score; "product", the lists of
                        the Caffe code: t / S of the marks times t / S of the difficulty
    lstms               "one" says the score; "two", the paper: one says the execution score, another the difficulty,
                        and the score is their product. The authors found a mistake in that and advise one. It is for
                        `target: score` of a sport that multiplies
    std                 that scores are divided by. None: of the training part; the port has numbers for the six
                        actions of AQA-7 (14.4912, 0.8608, 11.3202, 12.8210, 14.7112, 15.2136), which are not quite so

Shapes: B videos, S clips of each, F features, R LSTMs.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from aqa_pipeline.backbones import c3d
from aqa_pipeline.batches import Clips, Facts
from aqa_pipeline.errors import InputError, expect_one_of
from aqa_pipeline.systems import _encoders, _released

needs = {"features", "draws"}
raw_target = True  # divided by the standard deviation, but not centred

STARTS = [0, 16, 32, 48, 64, 80]
OPTIONS = {"ramp": ("linear", "product"), "lstms": ("one", "two")}

tiny = dict(dim=5, hidden=4)


class C3DLSTM(nn.Module):
    """The parts are made by `build`; `std` of what is said is NaN until `learn_labels` has found it."""

    def __init__(
        self,
        encoder: nn.Module,  # videos -> (B, S, F)
        readers: Mapping[str, Reader],  # by what they say: (B, S, F) -> (B, S)
        *,
        incremental_until: float,
        ramp: str,
        std: float | None,
    ) -> None:
        super().__init__()
        self.encoder, self.readers = encoder, nn.ModuleDict(readers)
        self.incremental_until, self.ramp, self.given_std = incremental_until, ramp, std
        self.register_buffer("std", torch.full((len(readers),), torch.nan))
        self.progress = 0.0

    def set_progress(self, share: float) -> None:
        """Which share of the training is done: until when every clip has a label."""
        self.progress = share

    def learn_labels(self, labels: Clips) -> None:
        """Take the standard deviation of the labels of the training part, unless an option says it."""
        found = self._labels(labels)
        if found.isnan().any():
            raise InputError("c3d_lstm.lstms: found 'two' with videos without a difficulty, expected 'one'")
        std = found.std(dim=0, correction=0) if self.given_std is None else torch.tensor([self.given_std])
        self.std.copy_(torch.where(std > 0, std, 1.0))  # labels that are all the same

    def forward(self, clips: Clips) -> Tensor:
        """What each LSTM says after each clip (B, S, R), in standard deviations."""
        features = self.encoder(clips)[0]  # (B, S, F)
        return torch.stack([reader(features) for reader in self.readers.values()], dim=2)

    def loss(self, batch: Clips) -> dict[str, Tensor]:
        """Squared error after the last clip, or the mean of those after each, by what is said."""
        said, wanted = self(batch), (self._labels(batch) / self.std)[:, None]  # (B, S, R), (B, 1, R)
        if self.progress < self.incremental_until:
            wanted = wanted * self._shares(said.shape[1])[:, None].to(said)
        else:
            said = said[:, -1:]
        return dict(zip(self.readers, (said - wanted).square().mean(dim=(0, 1)), strict=True))

    def predict(self, batch: Clips) -> Tensor:
        """Predicted target (B,): what is said after the last clip; of two LSTMs the product."""
        return (self(batch)[:, -1] * self.std).prod(dim=1)

    def _labels(self, clips: Clips) -> Tensor:
        """What the LSTMs are to say in the end (B, R)."""
        of = {"score": clips.target, "execution": clips.target / clips.difficulty, "difficulty": clips.difficulty}
        return torch.stack([of[name] for name in self.readers], dim=1)

    def _shares(self, clips: int) -> Tensor:
        """Part of the label that is earned after each clip (S,)."""
        linear = torch.arange(1, clips + 1) / clips
        return linear.square() if self.ramp == "product" else linear


class Reader(nn.Module):
    """An LSTM over the clips, and a number after each: (B, S, F) -> (B, S)."""

    def __init__(self, features: int, hidden: int) -> None:
        super().__init__()
        self.lstm, self.out = nn.LSTM(features, hidden, batch_first=True), nn.Linear(hidden, 1)

    def forward(self, features: Tensor) -> Tensor:
        return self.out(self.lstm(features)[0])[..., 0]


def build(
    facts: Facts,
    *,
    dim: int = 64,
    hidden: int = 256,
    starts: list[int] = STARTS,
    incremental_until: float = 0.0,
    ramp: str = "linear",
    lstms: str = "one",
    std: float | None = None,
    layout: str = "s1m",
    width: float = 1.0,
    weights: str = "",
    frozen: bool = True,
    pixels: str = "imagenet",
    dropout: float = 0.0,
) -> C3DLSTM:
    """The model for videos of `facts`.

    Parameters
    ----------
    hidden
        Channels of an LSTM's state.
    starts, incremental_until, ramp, lstms, std
        See above.
    layout, width, weights, frozen
        Of C3D: see `backbones.c3d`; `frozen`: its weights stay as they are.
    pixels
        Of `layers.pictures`. The port feeds colours standardised as for ImageNet to a network that knew bytes less
        their means ("c3d").
    dropout
        Of the features; the Caffe code has 0.5, the port none.
    dim
        Channels that stored features are brought to, where there are not as many rows as clips.
    """
    for name, found in (("ramp", ramp), ("lstms", lstms)):
        expect_one_of(f"c3d_lstm.{name}", found, OPTIONS[name])
    if std is not None and not std > 0:
        raise InputError(f"c3d_lstm.std: found {std}, expected more than 0")
    if std is not None and lstms == "two":
        raise InputError(f"c3d_lstm.std: found {std} for two LSTMs, expected null, or lstms 'one'")
    encoder = _encoders.c3d_snippets(
        facts, starts=starts, dim=dim, width=width, weights=weights, pixels=pixels, dropout=dropout, layout=layout,
        fc6=True, frozen=frozen,
    )  # fmt: skip
    said = ("score",) if lstms == "one" else ("execution", "difficulty")
    readers = {name: Reader(encoder.dim, hidden) for name in said}
    return C3DLSTM(encoder, readers, incremental_until=incremental_until, ramp=ramp, std=std)


def from_official(state_dicts: Mapping[str, Mapping[str, Tensor]]) -> dict[str, Tensor]:
    """The port's parameters under our names: "c3d", what it reads from `c3d.pickle`, and "lstm", what it saves."""
    backbone = c3d.port_names(_released.bare(state_dicts["c3d"]))
    described = {
        f"encoder.backbone.{name}": value for name, value in backbone.items() if not name.startswith(("fc7.", "fc8."))
    }
    names = {"rnn": "lstm", "fc_final_score": "out"}
    return described | _released.renamed(state_dicts["lstm"], names, "readers.score")
