"""TSA-Net: what I3D sees of the athlete attends to itself, along the tube of his boxes through the clip.

Wang, Yang, Zhai, Chen, Zhang, "TSA-Net: Tube Self-Attention Network for Action Quality Assessment", ACM MM 2021;
released code, for the falls of FR-FS: Shunli-Wang/TSA-Net. I3D is split after one of its stages. The first part sees
every snippet; of its maps those positions that lie in the athlete's box become tokens of one sequence a clip, which a
non-local block changes and puts back. The second part goes on with each snippet, and an MLP scores their mean. (It is
not FineDiving's TSA, which is `tsa`.)

Of the scores two heads are the paper's: "distribution", on MTL-AQA, is USDL's, and "regression", on AQA-7, is one
number on a scale, by its squared error. What the training code of both data sets said of the rest was not released.

Where code and paper differ, or leave something open:

    split       "correct": the second part sees of each snippet what the first saw; "released": it reads times and
                snippets in the wrong order, so that snippet i of S gets the times i, S + i, 2 S + i ... of them all
    position    the stage after which I3D is split. "pool_4a": the default of the code; the others of its list are the
                stages from mixed_4b to mixed_5c
    pooling     "features", as the code: one MLP on the mean of the snippets' features; "scores": each has scores
    bottom, top ends of the bins, or of the scale. None, the bottom of a scale alone: those of the training part. For
                AQA-7 the code has those of each class; for MTL-AQA 0 and 104.5, which is the largest of the test part

The boxes here follow the crop of the pictures. The released code lays them over it as if it were the whole frame, which
its authors call a mistake (issue 1 of the repository); where pictures are not cropped, both are the same.

Shapes: B clips, S snippets, C channels of maps with t times and h w positions, D channels of a feature.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from aqa_pipeline.backbones import i3d
from aqa_pipeline.batches import Clips, Facts
from aqa_pipeline.errors import InputError, expect_one_of
from aqa_pipeline.layers import pictures, tubes
from aqa_pipeline.layers.heads import TokenHead
from aqa_pipeline.layers.normalisation import frozen_batch_norm
from aqa_pipeline.systems import _encoders, _released, i3d_mlp, usdl

needs = {"draws", "pictures", "tubes"}
raw_target = True  # bins are points

HEADS = ("distribution", "regression")
SPLITS = ("correct", "released")

tiny = dict(starts=[0, 8], width=0.05, position="mixed_3c", bins=7, sigma=1.0, hidden=[6])


class SelfAttention(nn.Module):
    """A non-local block over the positions of a mask: `x + norm(out(softmax(x x') g(x)))` of each clip.

    The affinity is that of the features themselves, neither projected nor scaled. The factor of the norm begins at 0,
    and the block as the identity. The released maps have biases, of which the norm leaves nothing. A clip with fewer
    than two positions has nobody to look at, and stays as it is.
    """

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.g, self.out = nn.Linear(dim, dim, bias=False), nn.Linear(dim, dim, bias=False)
        self.norm = nn.BatchNorm1d(dim)
        nn.init.zeros_(self.norm.weight)

    def forward(self, maps: Tensor, mask: Tensor) -> Tensor:
        """Maps (B, S, C, t, h, w) with those positions changed that the mask (B, S, t, h, w) holds."""
        rows = maps.movedim(2, -1)  # (B, S, t, h, w, C)
        changed = [self._changed(*of) for of in zip(rows, mask, strict=True)]
        return torch.stack(changed).movedim(-1, 2)

    def _changed(self, rows: Tensor, mask: Tensor) -> Tensor:
        tokens = rows[mask]  # (n, C)
        if len(tokens) < 2:
            return rows
        mixed = functional.scaled_dot_product_attention(tokens[None], tokens[None], self.g(tokens)[None], scale=1.0)
        tokens = tokens + self.norm(self.out(mixed[0]))
        return rows.masked_scatter(mask[..., None], tokens.to(rows.dtype))


class AttendedSnippets(nn.Module):
    """Pictures by I3D with self-attention after one of its stages: as `_encoders.Snippets`.

    Each snippet of all clips is a batch of its own, which matters to batch normalisation in training. `everywhere` all
    positions attend, without a tube.
    """

    def __init__(
        self, backbone: i3d.I3D, starts: Sequence[int], *, position: str, split: str, everywhere: bool, pixels: str
    ) -> None:
        super().__init__()
        backbone.admit_negative(after=position)  # attention has no ReLU after it
        self.backbone, self.attention = backbone, SelfAttention(backbone.channels[position])
        self.starts, self.position, self.split = tuple(starts), position, split
        self.everywhere, self.pixels = everywhere, pixels
        self.dim = backbone.dim

    def forward(self, clips: Clips) -> tuple[Tensor, Tensor]:
        snippets = _encoders.pieces(clips, self.starts, pixels=self.pixels).unflatten(0, (len(clips), -1))
        first = [self.backbone.between(snippet, until=self.position) for snippet in snippets.unbind(dim=1)]
        maps = torch.stack(first, dim=1)  # (B, S, C, t, h, w)
        maps = self.attention(maps, self._mask(clips, maps))
        if self.split == "released":
            maps = mixed_up(maps)
        second = [self.backbone.between(snippet, after=self.position) for snippet in maps.unbind(dim=1)]
        maps = torch.stack(second, dim=1)
        return maps.mean(dim=(3, 4, 5)), maps.mean(dim=3)

    def _mask(self, clips: Clips, maps: Tensor) -> Tensor:
        """Positions (B, S, t, h, w) in the athlete's box in any of the frames that a time of the map is made of."""
        times, *cells = maps.shape[3:]
        if self.everywhere:
            return maps.new_ones(*maps.shape[:2], times, *cells, dtype=torch.bool)
        size = clips.inputs["frames"].shape[-2:]
        inside = torch.from_numpy(tubes.filled(clips.inputs["tubes"].cpu().numpy(), size, cells))  # (B, T, h, w)
        of_snippets = _encoders.cut(inside, self.starts)  # (B, S, 16, h, w)
        return of_snippets.unflatten(2, (times, -1)).any(dim=3).to(maps.device)


def mixed_up(maps: Tensor) -> Tensor:
    """Maps (B, S, C, t, h, w) as the released code parts them again: S t times, read as t times of S snippets."""
    snippets, times = maps.shape[1], maps.shape[3]
    in_order = maps.transpose(1, 2).flatten(2, 3)  # (B, C, S t, h, w)
    return in_order.unflatten(2, (times, snippets)).movedim(3, 1)


def build(
    facts: Facts,
    *,
    head: str = "distribution",
    split: str = "correct",
    position: str = "pool_4a",
    hidden: Sequence[int] = (256, 128),
    pooling: str = "features",
    bins: int = 101,
    sigma: float = 5.0,
    bottom: float | None = 0.0,
    top: float | None = None,
    decode: str = "argmax",
    reduction: str = "sum",
    starts: Sequence[int] = usdl.STARTS,
    width: float = 1.0,
    weights: str = "",
    freeze_batch_norm: bool = False,
    eps: float = 1e-3,
    momentum: float = 0.01,
    pixels: str = "imagenet",
) -> usdl.USDL | i3d_mlp.I3DMLP:
    """The model for clips of `facts`: USDL or I3D+MLP, by the head, on an I3D that attends.

    Parameters
    ----------
    head
        "distribution" or "regression"; `bins`, `sigma`, `decode` and `reduction` are of the first, as in `usdl`.
    bottom, top
        Ends of the bins or of the scale, in units of the target; see above.
    starts
        Of the snippets: ten on MTL-AQA and AQA-7; seven from 0 to 87 on FR-FS.
    width, weights, freeze_batch_norm, eps, momentum, pixels
        Of I3D, see `_encoders.snippets`; batch normalisation is that of the released code.
    """
    expect_one_of("tsa_net.split", split, SPLITS)
    encoder = attended(
        "tsa_net",
        facts,
        position=position,
        split=split,
        starts=starts,
        width=width,
        weights=weights,
        freeze_batch_norm=freeze_batch_norm,
        eps=eps,
        momentum=momentum,
        pixels=pixels,
    )
    of_bins = dict(bins=bins, sigma=sigma, decode=decode, reduction=reduction)
    return scored("tsa_net", encoder, head=head, hidden=hidden, pooling=pooling, bottom=bottom, top=top, **of_bins)


def attended(
    system: str,
    facts: Facts,
    *,
    position: str,
    starts: Sequence[int],
    width: float,
    weights: str,
    freeze_batch_norm: bool,
    eps: float,
    momentum: float,
    pixels: str,
    split: str = "correct",
    everywhere: bool = False,
) -> AttendedSnippets:
    """The encoder of a system; InputError where there are no pictures, or for an option that is none."""
    if facts.pictures is None:
        raise InputError(f"systems.{system}: found no pictures, expected `frames`: it looks into the maps of I3D")
    expect_one_of("pixels", pixels, pictures.PIXELS)
    _encoders.check_length(facts, starts)
    backbone = i3d.I3D(width=width, eps=eps, momentum=momentum)
    expect_one_of(f"{system}.position", position, list(backbone.channels)[:-1])
    if weights:
        i3d.load_kinetics(backbone, weights)
    backbone = frozen_batch_norm(backbone) if freeze_batch_norm else backbone
    return AttendedSnippets(backbone, starts, position=position, split=split, everywhere=everywhere, pixels=pixels)


def scored(
    system: str,
    encoder: AttendedSnippets,
    *,
    head: str,
    hidden: Sequence[int],
    pooling: str,
    bottom: float | None,
    top: float | None,
    **of_bins: int | float | str,
) -> usdl.USDL | i3d_mlp.I3DMLP:
    """A system from its encoder and the options of its head; InputError for one that is none."""
    expect_one_of(f"{system}.head", head, HEADS)
    usdl.expect(system, pooling=pooling, **of_bins)
    if head == "regression":
        mlp = TokenHead(encoder.dim, hidden=hidden)
        return i3d_mlp.I3DMLP(encoder, mlp, bottom=bottom, top=top, pooling=pooling)
    if bottom is None:
        raise InputError(f"{system}.bottom: found none, expected the value of the first bin")
    return usdl.on(encoder, hidden=hidden, pooling=pooling, bottom=bottom, top=top, **of_bins)


def from_official(state_dicts: Mapping[str, Mapping[str, Tensor]]) -> dict[str, Tensor]:
    """The released parameters, "i3d", "evaluator" and "TSA_module" of a checkpoint, under our names.

    All but the ends of the scale, which no checkpoint holds. The MLP of FR-FS has one output: that is `head:
    regression`, whose number its code puts through a sigmoid.
    """
    attention = _released.bare(state_dicts["TSA_module"])
    return usdl.from_official(state_dicts) | _attention(attention, "encoder.attention")


def _attention(theirs: Mapping[str, Tensor], ours: str) -> dict[str, Tensor]:
    """The block of attention, with both of its biases in the running mean of the norm."""
    g, out = (theirs[f"NL_1D.{name}.weight"].squeeze(-1) for name in ("g", "W.0"))
    shift = out @ theirs["NL_1D.g.bias"] + theirs["NL_1D.W.0.bias"]  # the weights of attention sum to 1
    norm = {name: theirs[f"NL_1D.W.1.{name}"] for name in ("weight", "bias", "running_var", "num_batches_tracked")}
    norm["running_mean"] = theirs["NL_1D.W.1.running_mean"] - shift
    return {
        f"{ours}.g.weight": g,
        f"{ours}.out.weight": out,
        **{f"{ours}.norm.{name}": value for name, value in norm.items()},
    }
