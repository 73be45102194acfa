"""MSCADC: sixteen frames of a whole dive at once, seen ever more widely by dilation, in place of clips and their mean.

Parmar, Morris, "What and How Well You Performed? A Multitask Learning Approach to Action Quality Assessment", CVPR
2019: multiscale context aggregation with dilated convolutions; released code: ParitoshParmar/MTL-AQA. A small C3D
with dilation (`backbones/mscadc.py`) is shared by all tasks. Each has a head of its own, which first sees every place
of the map in its context, by convolutions of dilation 1, 1, 2, 4 and 1, and answers with the mean over all places.

    class_loss      0: the score alone (MSCADC-STL); 1, the code: and the dive number
    caption_loss    0; 0.01, the code: and the commentary. With both it is MSCADC-MTL

Stored features have time and no space: a linear map and a ReLU are in the body's place, and heads look over time alone.

Shapes: B clips, maps of C channels and t h w places, K channels of a head, 12.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

from torch import Tensor, nn

from aqa_pipeline.backbones import mscadc as backbone
from aqa_pipeline.backbones.mscadc import SMALLEST, released_names, unit
from aqa_pipeline.batches import Clips, Facts
from aqa_pipeline.errors import InputError, expect_one_of
from aqa_pipeline.layers import pictures
from aqa_pipeline.layers.captions import S2VT
from aqa_pipeline.layers.normalisation import without_biases
from aqa_pipeline.systems import _encoders, _released
from aqa_pipeline.systems._multitask import RELEASED, DiveClasses, Multitask, speaker, speaker_from_official

needs = {"features", "draws", "captions"}

EDGE = 9  # places that the convolutions of a context take off each side

tiny = dict(dim=5, bottleneck=2, class_loss=1.0, caption_loss=0.01, caption_dim=4)


class MSCADC(Multitask):
    """The parts are made by `build`."""

    def __init__(
        self,
        encoder: nn.Module,  # clips -> (B, C, t, h, w)
        final_score: nn.Module,  # maps -> (B, 1)
        classes: DiveClasses | None,  # of (B, K, t', h', w')
        speaker: S2VT | None,  # of (B, 1, D)
        *,
        class_context: nn.Module | None,  # maps -> (B, K, t', h', w')
        caption_context: nn.Module | None,  # maps -> (B, D)
        dropout: float,
        **options: float,
    ) -> None:
        super().__init__(classes, speaker, **options)
        self.encoder, self.final_score, self.drop = encoder, final_score, nn.Dropout(dropout)
        self.class_context, self.caption_context = class_context, caption_context

    def see(self, clips: Clips) -> Tensor:
        """Maps (B, C, t, h, w)."""
        return self.drop(self.encoder(clips))

    def score(self, seen: Tensor) -> Tensor:
        return self.final_score(seen)[:, 0]

    def for_classes(self, seen: Tensor) -> Tensor:
        return self.class_context(seen)

    def for_caption(self, seen: Tensor) -> Tensor:
        return self.caption_context(seen)[:, None]


class Pictures(nn.Module):
    """Maps of pictures."""

    def __init__(self, body: backbone.Body, *, pixels: str) -> None:
        super().__init__()
        expect_one_of("pixels", pixels, pictures.PIXELS)
        self.body, self.pixels, self.dim = body, pixels, body.dim

    def forward(self, clips: Clips) -> Tensor:
        frames = pictures.normalised(clips.inputs["frames"], pixels=self.pixels)  # (B, T, 3, H, W)
        return self.body(frames.transpose(1, 2))


class Stored(nn.Module):
    """Maps (B, C, T, 1, 1) of stored features."""

    def __init__(self, modality: str, features: int, dim: int) -> None:
        super().__init__()
        self.modality, self.map, self.dim = modality, nn.Linear(features, dim), dim

    def forward(self, clips: Clips) -> Tensor:
        return self.map(clips.inputs[self.modality]).relu().transpose(1, 2)[..., None, None]


class Context(nn.Sequential):
    """Maps (B, C, t, h, w) to (B, K, t', h', w'), half as many places and one more each way; over time alone, h' is h.

    `spatial`: whether there is space to look over.
    """

    def __init__(self, inputs: int, channels: int, *, spatial: bool) -> None:
        k = channels
        size, one = _over(3, spatial, else_=1), _over(1, spatial, else_=0)
        within = dict(size=size, padding=0)
        super().__init__(
            nn.Conv3d(inputs, k, 1, padding=one),
            nn.ReplicationPad3d((EDGE,) * 6 if spatial else (0, 0, 0, 0, EDGE, EDGE)),
            unit(k, 2 * k, **within),
            unit(2 * k, 2 * k, **within),
            unit(2 * k, 4 * k, **within, dilation=2),
            unit(4 * k, 8 * k, **within, dilation=4),
            unit(8 * k, 8 * k, **within),
            unit(8 * k, k, 1, padding=0),
            nn.MaxPool3d(_over(2, spatial, else_=1)),
            unit(k, k, size, padding=one),
        )


def answer(channels: int, outputs: int, *, spatial: bool) -> nn.Sequential:
    """The last convolution of a head and the mean over all places: (B, K, t', h', w') to (B, outputs)."""
    size, padding = _over(3, spatial, else_=1), _over(1, spatial, else_=0)
    return nn.Sequential(nn.Conv3d(channels, outputs, size, padding=padding), nn.AdaptiveAvgPool3d(1), nn.Flatten())


def description(channels: int, *, spatial: bool) -> nn.Sequential:
    """What is put into words: (B, K, t', h', w') to the values of one place less each way, in a row (B, D)."""
    size, padding = _over(3, spatial, else_=1), _over(1, spatial, else_=0)
    last = nn.Conv3d(channels, channels, size, padding=padding)
    return nn.Sequential(last, nn.MaxPool3d(_over(2, spatial, else_=1), stride=1), nn.Flatten())


def _over(places: int, spatial: bool, *, else_: int) -> tuple[int, int, int]:
    """A size over time, height and width."""
    return (places, *((places if spatial else else_,) * 2))


def build(
    facts: Facts,
    *,
    bottleneck: int = 12,
    scale: float = 1.0,
    class_loss: float = 0.0,
    caption_loss: float = 0.0,
    caption_dim: int = 512,
    longest: int = 100,
    width: float = 1.0,
    weights: str = "",
    pixels: str = "imagenet",
    dim: int = 64,
    dropout: float = 0.5,
) -> MSCADC:
    """The model for clips of `facts`.

    Parameters
    ----------
    bottleneck
        K.
    scale, class_loss, caption_loss, caption_dim, longest
        As in `c3d_avg`.
    width, weights, pixels
        Of the body; its weights are those of UCF-101.
    dim
        Channels that stored features are brought to.
    dropout
        On the maps.
    """
    name = _encoders.modality(facts, "dynamic")
    spatial = name == "frames"
    if spatial:
        _check_size(facts.pictures)
        encoder = Pictures(backbone.build(width=width, weights=weights or None), pixels=pixels)
        places = tuple(side // shrunk - 2 for side, shrunk in zip(facts.pictures, (4, 8, 8), strict=True))
    else:
        encoder, places = Stored(name, facts.dims[name], dim), (facts.lengths[name],)

    def context() -> Context:
        return Context(encoder.dim, bottleneck, spatial=spatial)

    def head(outputs: int) -> nn.Sequential:
        return answer(bottleneck, outputs, spatial=spatial)

    described = bottleneck * math.prod((of + 2) // 2 - 1 for of in places)
    if caption_loss and not described:
        raise InputError(f"clips.n_frames: found {places[0]}, expected 2 or more for the captions of mscadc")
    return MSCADC(
        encoder,
        nn.Sequential(context(), head(1)),
        DiveClasses(facts, head) if class_loss else None,
        speaker(facts, described, size=caption_dim) if caption_loss else None,
        class_context=context() if class_loss else None,
        caption_context=nn.Sequential(context(), *description(bottleneck, spatial=spatial)) if caption_loss else None,
        dropout=dropout,
        scale=scale,
        class_loss=class_loss,
        caption_loss=caption_loss,
        longest=longest,
    )


def _check_size(found: tuple[int, int, int]) -> None:
    """InputError where pictures are too few or too small for the body."""
    if any(side < least for side, least in zip(found, SMALLEST, strict=True)):
        shown, least = (" x ".join(map(str, sizes)) for sizes in (found, SMALLEST))
        raise InputError(f"frames: found {shown} (n_frames, crop, crop), expected {least} or more for mscadc")


CONTEXT = {  # convolutions of a head in the released code, and their normalisations, by place in `Context`
    "head_conv1": "0",
    **{f"cntxt_{kind}{n}": f"{n + 1}.{i}" for n in range(1, 6) for i, kind in enumerate(("conv", "bn"))},
    "cntxt_conv6": "7.0",
    "head_bn1": "7.1",
    "head_conv2": "9.0",
    "head_bn2": "9.1",
}
NORMALISED = {f"cntxt_conv{n}": f"cntxt_bn{n}" for n in range(1, 6)} | {
    "cntxt_conv6": "head_bn1",
    "head_conv2": "head_bn2",
}


def from_official(state_dicts: Mapping[str, Mapping[str, Tensor]]) -> dict[str, Tensor]:
    """The released parameters under our names; a part is called as its file, `model_CNN_99.pth`, without the epoch.

    `model_position_classifier`, which classifies all five parts of the dive number, and `model_caption` are there where
    the released code learnt these tasks.
    """
    body = released_names(_released.bare(state_dicts["model_CNN"]))
    ours = {f"encoder.body.{name}": tensor for name, tensor in body.items()}
    ours |= _head(state_dicts["model_score_regressor"], "final_score.0", {"head_conv3": "final_score.1.0"})
    if "model_position_classifier" in state_dicts:
        heads = {f"head_conv3_{theirs}": f"classes.heads.{name}.0" for name, theirs in RELEASED.items()}
        ours |= _head(state_dicts["model_position_classifier"], "class_context", heads)
    if "model_caption" in state_dicts:
        caption = state_dicts["model_caption"]
        ours |= speaker_from_official(caption)
        own = {name: tensor for name, tensor in _released.bare(caption).items() if name.startswith(("head", "cntxt"))}
        ours |= _head(own, "caption_context.0", {"head_conv3": "caption_context.1"})
    return ours


def _head(parameters: Mapping[str, Tensor], context: str, last: Mapping[str, str]) -> dict[str, Tensor]:
    """A head by our names: those of `CONTEXT`, and of its `last` convolutions."""
    names = {theirs: f"{context}.{place}" for theirs, place in CONTEXT.items()} | dict(last)
    parted = [
        (*name.rsplit(".", 1), tensor)
        for name, tensor in without_biases(_released.bare(parameters), NORMALISED).items()
    ]
    return {f"{names[layer]}.{kind}": tensor for layer, kind, tensor in parted}
