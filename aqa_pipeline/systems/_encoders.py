"""What systems look at clips with: snippets of 16 frames, or single frames, from pictures or from stored features.

A system asks for a role ("dynamic", "static", "skeleton"). It is filled by the pictures of the frame store, which a
backbone encodes and which are trained end to end; or by the feature set that the configuration gives this role
(`features: {dynamic: ..., static: ...}`), which stays as it is; or by the only feature set there is.

Shapes: B clips, T frames, S snippets, D channels, h w positions of a feature map.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from aqa_pipeline.backbones import c3d, i3d
from aqa_pipeline.backbones.i3d import SNIPPET
from aqa_pipeline.batches import Clips, Facts
from aqa_pipeline.errors import InputError, expect_one_of
from aqa_pipeline.layers import pictures
from aqa_pipeline.layers.normalisation import frozen_batch_norm
from aqa_pipeline.transitions import GRID

STARTS = tuple(range(0, 81, 10))  # of the 9 snippets of 96 frames (FineDiving and its successors)


def modality(facts: Facts, role: str) -> str:
    """The modality that fills a role: of its name, the pictures, or the only feature set."""
    if role in facts.dims:
        return role
    if facts.pictures is not None:
        return "frames"
    if len(facts.dims) != 1:
        raise InputError(f"features: found {', '.join(facts.dims) or 'none'}, expected one set for the role '{role}'")
    return next(iter(facts.dims))


def cut(sequence: Tensor, starts: Sequence[int]) -> Tensor:
    """Snippets (B, S, 16, ...) of a sequence (B, T, ...)."""
    return torch.stack([sequence[:, start : start + SNIPPET] for start in starts], dim=1)


def span(starts: Sequence[int]) -> int:
    """Frames that the snippets are cut from."""
    return starts[-1] + SNIPPET


def stride(starts: Sequence[int]) -> float:
    """Frames from the start of one snippet to that of the next, on average."""
    if len(starts) < 2:
        raise InputError(f"starts: found {len(starts)} snippet, expected two or more, of which a step has its own")
    return (starts[-1] - starts[0]) / (len(starts) - 1)


def snippet_of(transitions: Tensor, starts: Sequence[int]) -> Tensor:
    """Number of the last snippet that starts before each transition (B, 2) on the grid, as a float.

    Of nine snippets that start every ten of 96 frames it is a tenth, rounded down, as in the released code.
    """
    return (transitions * span(starts) / GRID / stride(starts)).floor()


def pieces(clips: Clips, starts: Sequence[int], *, pixels: str) -> Tensor:
    """Snippets of the pictures as a backbone takes them, (B S, 3, 16, H, W)."""
    frames = pictures.normalised(clips.inputs["frames"], pixels=pixels)  # (B, T, 3, H, W)
    return cut(frames, starts).flatten(0, 1).transpose(1, 2)


class Snippets(nn.Module):
    """Pictures by I3D, snippet by snippet: (B, S, D) features and (B, S, D, h, w) maps, means over their time.

    All snippets of all clips are one batch; `apart` each is a batch of its own, which matters to batch normalisation in
    training.
    """

    def __init__(self, backbone: nn.Module, starts: Sequence[int], *, pixels: str, apart: bool = False) -> None:
        super().__init__()
        expect_one_of("pixels", pixels, pictures.PIXELS)
        self.backbone, self.starts, self.pixels, self.apart = backbone, tuple(starts), pixels, apart
        self.dim = backbone.dim

    def forward(self, clips: Clips) -> tuple[Tensor, Tensor]:
        snippets = pieces(clips, self.starts, pixels=self.pixels)  # (B S, 3, 16, H, W)
        shape = (len(clips), len(self.starts))
        if self.apart:
            each = snippets.unflatten(0, shape).unbind(dim=1)
            features, maps = zip(*map(self.backbone, each), strict=True)
            return torch.stack(features, dim=1), torch.stack(maps, dim=1).mean(dim=3)
        features, maps = self.backbone(snippets)
        return features.unflatten(0, shape), maps.mean(dim=2).unflatten(0, shape)


class C3DSnippets(nn.Module):
    """Pictures by C3D, snippet by snippet: (B, S, D), the layer fc6 where it has one, else its maps in a row.

    Alone in a tuple, as nobody asks for maps.
    """

    def __init__(
        self, backbone: c3d.C3D, starts: Sequence[int], *, side: int, pixels: str, dropout: float = 0.0
    ) -> None:
        super().__init__()
        expect_one_of("pixels", pixels, pictures.PIXELS)
        self.backbone, self.starts, self.pixels, self.drop = backbone, tuple(starts), pixels, nn.Dropout(dropout)
        self.dim = backbone.features or backbone.dim * math.prod(backbone.map_size(SNIPPET, side, side))

    def forward(self, clips: Clips) -> tuple[Tensor]:
        snippets = pieces(clips, self.starts, pixels=self.pixels)
        seen = self.backbone.describe(snippets) if self.backbone.features else self.backbone(snippets).flatten(1)
        return (self.drop(seen.unflatten(0, (len(clips), len(self.starts)))),)


class StoredSnippets(nn.Module):
    """Stored features in the place of a backbone's; their maps have one position.

    As many as there are snippets: they are taken as they are. Longer sequences: the mean, smallest and largest value of
    each feature in each snippet's share of the sequence, brought to D channels by one linear map.
    """

    def __init__(self, modality: str, n_frames: int, features: int, dim: int, starts: Sequence[int], dropout: float):
        super().__init__()
        self.modality, self.starts = modality, tuple(starts)
        self.as_they_are = n_frames == len(starts)
        self.dim = features if self.as_they_are else dim
        self.drop = nn.Dropout(dropout)
        self.map = nn.Identity() if self.as_they_are else nn.Linear(3 * features, dim)

    def forward(self, clips: Clips) -> tuple[Tensor, Tensor]:
        features = self.drop(clips.inputs[self.modality])  # (B, T, D)
        if not self.as_they_are:
            features = self.map(torch.stack([self._seen(features, start) for start in self.starts], dim=1))
        return features, features[..., None, None]

    def _seen(self, features: Tensor, start: int) -> Tensor:
        scale = features.shape[1] / span(self.starts)
        first = int(start * scale)
        window = features[:, first : max(first + 1, round((start + SNIPPET) * scale))]
        return torch.cat([window.mean(dim=1), window.amin(dim=1), window.amax(dim=1)], dim=1)


class Frames(nn.Module):
    """Pictures frame by frame: (B, T, D)."""

    def __init__(self, backbone: nn.Module, *, pixels: str) -> None:
        super().__init__()
        expect_one_of("pixels", pixels, pictures.PIXELS)
        self.backbone, self.pixels = backbone, pixels
        self.dim = backbone.dim

    def forward(self, clips: Clips) -> Tensor:
        return self.backbone(pictures.normalised(clips.inputs["frames"], pixels=self.pixels))


class StoredFrames(nn.Module):
    """Stored features, a row a frame: (B, T, D), through one linear map where another D is wanted."""

    def __init__(self, modality: str, features: int, dim: int | None, dropout: float) -> None:
        super().__init__()
        self.modality, self.dim = modality, dim or features
        self.drop = nn.Dropout(dropout)
        self.map = nn.Linear(features, dim) if dim and dim != features else nn.Identity()

    def forward(self, clips: Clips) -> Tensor:
        return self.map(self.drop(clips.inputs[self.modality]))


def check_length(facts: Facts, starts: Sequence[int]) -> None:
    """InputError where the pictures end before the last snippet does."""
    n_frames, needed = facts.pictures[0], span(starts)
    if n_frames < needed:
        raise InputError(f"frames.n_frames: found {n_frames}, expected {needed} for these snippets")


def snippets(
    facts: Facts,
    *,
    role: str = "dynamic",
    starts: Sequence[int] = STARTS,
    dim: int = 64,
    width: float = 1.0,
    weights: str = "",
    freeze_batch_norm: bool = True,
    eps: float = 1e-5,
    momentum: float = 0.1,
    apart: bool = False,
    pixels: str = "imagenet",
    dropout: float = 0.0,
) -> Snippets | StoredSnippets:
    """The encoder of snippets: I3D of `width` with Kinetics `weights`, or stored features brought to `dim` channels."""
    name = modality(facts, role)
    if name != "frames":
        return StoredSnippets(name, facts.lengths[name], facts.dims[name], dim, starts, dropout)
    check_length(facts, starts)
    backbone = i3d.I3D(width=width, eps=eps, momentum=momentum)
    if weights:
        i3d.load_kinetics(backbone, weights)
    backbone = frozen_batch_norm(backbone) if freeze_batch_norm else backbone
    return Snippets(backbone, starts, pixels=pixels, apart=apart)


def c3d_snippets(
    facts: Facts,
    *,
    role: str = "dynamic",
    starts: Sequence[int],
    dim: int,
    width: float,
    weights: str,
    pixels: str,
    dropout: float,
    layout: str = "s1m",
    fc6: bool = False,
    frozen: bool = False,
) -> C3DSnippets | StoredSnippets:
    """The encoder of snippets: C3D of a `layout` and `width` with pre-trained `weights`, or stored features.

    `fc6`: C3D with that layer; `frozen`: it learns nothing; `dropout`: of the features of either.
    """
    name = modality(facts, role)
    if name != "frames":
        return StoredSnippets(name, facts.lengths[name], facts.dims[name], dim, starts, dropout)
    check_length(facts, starts)
    side = facts.pictures[1]
    backbone = c3d.build(layout=layout, width=width, fc6=fc6, side=side, weights=weights or None)
    return C3DSnippets(backbone.requires_grad_(not frozen), starts, side=side, pixels=pixels, dropout=dropout)


def frames(
    facts: Facts,
    backbone: Callable[[], nn.Module],
    *,
    role: str = "static",
    dim: int = 0,
    pixels: str = "imagenet",
    dropout: float = 0.0,
) -> Frames | StoredFrames:
    """The encoder of single frames: what `backbone` makes, or stored features, brought to `dim` channels if not 0."""
    name = modality(facts, role)
    if name != "frames":
        return StoredFrames(name, facts.dims[name], dim or None, dropout)
    return Frames(backbone(), pixels=pixels)


def regnet_frames(
    facts: Facts,
    *,
    dim: int,
    width: float,
    weights: str | None,
    freeze_batch_norm: bool,
    pixels: str,
    dropout: float,
) -> Frames | StoredFrames:
    """MCoRe's encoder of single frames: RegNetY with gated shifts, or stored features; see `frames`."""
    from aqa_pipeline.backbones import regnet_gsm

    def network() -> nn.Module:
        n_frames = facts.pictures[0]
        return regnet_gsm.build(n_frames=n_frames, width=width, weights=weights, frozen=freeze_batch_norm)

    return frames(facts, network, dim=dim, pixels=pixels, dropout=dropout)
