"""FineParser: a dive is parsed in space, to the athlete, and in time, to its steps, before it is compared.

Xu et al., "FineParser: A Fine-grained Spatio-temporal Action Parser for Human-centric Action Quality Assessment", CVPR
2024. Four parts. A spatial action parser (SAP), an I3D with side outputs, predicts masks of the athlete. A temporal
action parser (TAP), the procedure segmentation network of FineDiving, finds both transitions from what I3D makes of
nine snippets. A static visual encoder (SVE), ResNet-34 on every frame, adds appearance. Fine-grained contrastive
regression (FineReg) compares each step of the query with the same step of an exemplar, by cross-attention of dynamic
and of static tokens; the steps' offsets are summed with fixed weights. Ten exemplars vote.

Where the paper, as its poster states it, and the released code (PKU-ICST-MIPL/FineParser_CVPR2024) differ, options:

    fusion    "mask_gate": one I3D. Every place of its last map is multiplied by the probability that the athlete is
              there, of the fused mask averaged to the map's size; the mean over the places is the snippet's feature. So
              we read the poster's "target action mask"; it does not say how the mask meets the features, and the
              paper's text was not to be had. "released": two I3Ds; the features of one are multiplied by the sigmoid of
              those of the other, SAP's, and the masks are there for their loss alone.
    branches  "sum": y = sum over steps of lambda (R_V + R_S) + y_Z. "mean": half of that, as the code has it.

The steps' weights 0.3, 0.5 and 0.2 are the code's; the poster leaves lambda open. A third regressor that the code
builds and never calls is not here. As in the code, true transitions cut both clips in training and predicted ones at
test, and dynamic steps are cut at the mean of both clips' transitions, so that this part is done pair by pair.
Antisymmetry is trained, by both directions in the loss, not built in.

The masks are trained where the clips know some: FineDiving-HM for the paper. With stored features in the place of
pictures there is no SAP and nothing is gated; dynamic and static features are the sets of these roles, or one for both.

Shapes: B clips, P pairs, S snippets, T frames, D channels of a snippet, C of a token.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from aqa_pipeline.batches import Clips, Facts, Pairs, joined
from aqa_pipeline.errors import InputError, expect_one_of
from aqa_pipeline.layers import steps
from aqa_pipeline.layers.heads import TokenHead, mlp
from aqa_pipeline.layers.masks import focal_loss
from aqa_pipeline.layers.normalisation import frozen_batch_norm
from aqa_pipeline.layers.segmentation import DoubleConvolutions, PSNet, binary_transition_loss
from aqa_pipeline.layers.transformer import Stack
from aqa_pipeline.systems import _encoders, _released
from aqa_pipeline.systems._comparison import Comparison, Encoded, known_or, two_way
from aqa_pipeline.transitions import GRID

needs = {"features", "draws", "exemplars", "transitions", "masks"}

tiny = dict(
    dim=32,
    static_dim=16,
    width=0.05,
    starts=[0, 8],
    channels=4,
    reducer=[8],
    heads=1,
    layers=1,
    hidden=[6],
    fusion="mask_gate",
)

STEP_WEIGHTS = (0.3, 0.5, 0.2)  # of the released code
STATIC_POSITIONS = (36, 60, 48)  # frames that the steps are brought to
STATIC_CHANNELS = (48, 24, 12, 4)  # which become the four static tokens of a step
DYNAMIC_POSITIONS = 4  # snippets that a step is brought to
DYNAMIC_CHANNELS = (8, 12)  # which become its twelve dynamic tokens
MARGIN = 5  # frames that a static step reaches into its neighbours
DECODER_OF = (0, 0, 1)  # the first two steps share one
COARSEST = 16  # pixels to a place of the coarsest map that masks are made of


class MaskGate(nn.Module):
    """Snippets seen where the athlete is: the mean of I3D's map, weighed by the mask that the same I3D predicts."""

    def __init__(self, parser: nn.Module, starts: Sequence[int], *, pixels: str) -> None:
        super().__init__()
        self.parser, self.starts, self.pixels = parser, tuple(starts), pixels
        self.dim = parser.dim

    def forward(self, clips: Clips) -> tuple[Tensor, Tensor]:
        """Features (B, S, D) and the logits of the masks (5, B, S, 16, H, W)."""
        maps, masks = self.parser.maps(_encoders.pieces(clips, self.starts, pixels=self.pixels))
        athlete = functional.adaptive_avg_pool3d(masks[-1].sigmoid(), maps.shape[2:])  # (B S, t, h, w)
        features = (maps * athlete[:, None]).mean(dim=(2, 3, 4))
        shape = (len(clips), len(self.starts))
        return features.unflatten(0, shape), masks.unflatten(1, shape)


class FeatureGate(nn.Module):
    """Snippets as the released code fuses them: an I3D's features, gated by those of another that predicts masks."""

    def __init__(self, parser: nn.Module, backbone: nn.Module, starts: Sequence[int], *, pixels: str) -> None:
        super().__init__()
        self.parser, self.backbone, self.starts, self.pixels = parser, backbone, tuple(starts), pixels
        self.dim = backbone.dim

    def forward(self, clips: Clips) -> tuple[Tensor, Tensor]:
        """Features (B, S, D) and the logits of the masks (5, B, S, 16, H, W)."""
        pieces = _encoders.pieces(clips, self.starts, pixels=self.pixels)
        gate, masks = self.parser(pieces)
        features = self.backbone(pieces)[0] * gate.sigmoid()
        shape = (len(clips), len(self.starts))
        return features.unflatten(0, shape), masks.unflatten(1, shape)


class NoGate(nn.Module):
    """Stored features as they are."""

    def __init__(self, stored: nn.Module) -> None:
        super().__init__()
        self.stored, self.dim = stored, stored.dim

    def forward(self, clips: Clips) -> tuple[Tensor, None]:
        """Features (B, S, D), and no masks."""
        return self.stored(clips)[0], None


class Branch(nn.Module):
    """Tokens of the steps of one clip look at those of another; says the offset of each step."""

    def __init__(self, dim: int, *, heads: int, layers: int, hidden: Sequence[int]) -> None:
        super().__init__()
        self.decoders = nn.ModuleList(
            Stack(dim, heads, layers=layers, kind="cross_only", last_norm=False) for _ in range(max(DECODER_OF) + 1)
        )
        self.head = TokenHead(dim, hidden=hidden)

    def forward(self, query: Tensor, exemplar: Tensor) -> Tensor:
        """Tokens (P, 3, N, C) of both -> offsets (P, 3), means over a step's tokens."""
        compared = [self.decoders[of](query[:, step], exemplar[:, step]) for step, of in enumerate(DECODER_OF)]
        return self.head(torch.stack(compared, dim=1)).mean(dim=2)


class FineParser(Comparison):
    """The parts are made by `build`."""

    def __init__(
        self,
        dynamic: MaskGate | FeatureGate | NoGate,
        static: nn.Module,  # clips -> (B, T, D')
        segmenter: PSNet,
        reducers: nn.ModuleList,  # of each step, (B, 4, D) -> (B, 12, C)
        shorteners: nn.ModuleList,  # of each step, (B, positions, D') -> (B, 4, D' / 8)
        dynamic_branch: Branch,
        static_branch: Branch,
        *,
        starts: Sequence[int],
        branches: str,
        step_weights: Sequence[float],
    ) -> None:
        super().__init__()
        self.dynamic, self.static, self.segmenter = dynamic, static, segmenter
        self.reducers, self.shorteners = reducers, shorteners
        self.dynamic_branch, self.static_branch = dynamic_branch, static_branch
        self.starts = tuple(starts)
        scale = {"sum": 1.0, "mean": 0.5}[branches]
        self.register_buffer("step_weights", scale * torch.tensor(step_weights), persistent=False)

    def encode(self, clips: Clips) -> Encoded:
        snippets, _ = self.dynamic(clips)
        transitions = steps.decode(self._evidence(snippets))
        return {"snippets": snippets, "static": self._static(clips, transitions), "transitions": transitions}

    def votes(self, query: Encoded, exemplar: Encoded, target: Tensor) -> Tensor:
        return target + self.offset(*self._with_dynamic(query, exemplar))

    def offset(self, query: Encoded, exemplar: Encoded) -> Tensor:
        """Score of the query less that of the exemplar, (P,)."""
        dynamic = self.dynamic_branch(query["dynamic"], exemplar["dynamic"])  # (P, 3)
        static = self.static_branch(query["static"], exemplar["static"])  # (P, 3)
        return (dynamic + static) @ self.step_weights

    def loss(self, batch: Pairs) -> dict[str, Tensor]:
        """Squared errors of the offsets in both directions, cross-entropy of the transitions, focal loss of masks."""
        sides = batch.queries(), batch.exemplar
        clips = joined(*sides)
        snippets, masks = self.dynamic(clips)
        # Batch normalisation counts queries and exemplars apart from here on, as in the released code.
        evidence = [self._evidence(part) for part in snippets.chunk(2)]
        both = [self._parsed(*of) for of in zip(sides, snippets.chunk(2), evidence, strict=True)]
        query, exemplar = self._with_dynamic(*both)
        difference = sides[0].target - sides[1].target
        offset = two_way(self.offset(query, exemplar), self.offset(exemplar, query), difference)
        transitions = binary_transition_loss(torch.cat(evidence), clips.transitions)
        return {"offset": offset} | transitions | self._mask_loss(masks, clips)

    def _evidence(self, snippets: Tensor) -> Tensor:
        return self.segmenter.evidence(self.segmenter(snippets))

    def _parsed(self, clips: Clips, snippets: Tensor, evidence: Tensor) -> Encoded:
        """What `encode` gives, but in training with the true transitions where they are known."""
        transitions = steps.decode(evidence)
        if self.training:
            transitions = known_or(clips.transitions, transitions)
        return {"snippets": snippets, "static": self._static(clips, transitions), "transitions": transitions}

    def _static(self, clips: Clips, transitions: Tensor) -> Tensor:
        """Tokens (B, 3, 4, C) of the frames of each step and a few around it."""
        frames = self.static(clips)  # (B, T, D')
        cut = steps.pool(frames, *static_bounds(transitions, frames.shape[1]), STATIC_POSITIONS)
        return torch.stack([shorten(step) for shorten, step in zip(self.shorteners, cut, strict=True)], dim=1)

    def _with_dynamic(self, query: Encoded, exemplar: Encoded) -> tuple[Encoded, Encoded]:
        """Both with "dynamic" tokens (P, 3, 12, C), of steps that are cut where both together say."""
        middle = (query["transitions"] + exemplar["transitions"]) / 2
        first, last = steps.bounds(_encoders.snippet_of(middle, self.starts), len(self.starts), overlap=True)
        found = []
        for side in (query, exemplar):
            cut = steps.pool(side["snippets"], first, last, DYNAMIC_POSITIONS)
            tokens = [reduce(step) for reduce, step in zip(self.reducers, cut, strict=True)]
            found.append(side | {"dynamic": torch.stack(tokens, dim=1)})
        return found[0], found[1]

    def _mask_loss(self, logits: Tensor | None, clips: Clips) -> dict[str, Tensor]:
        """Focal losses of the five masks, summed, over the clips whose masks are known."""
        if logits is None or "athlete" not in clips.masks:
            return {}
        known = clips.masks["athlete_known"]  # (B,)
        if not known.any():
            return {}
        truth = _encoders.cut(clips.masks["athlete"][known], self.starts)  # (B, S, 16, H, W)
        return {"masks": sum(focal_loss(mask[known], truth) for mask in logits)}


def static_bounds(transitions: Tensor, length: int) -> tuple[Tensor, Tensor]:
    """First and last frame, each (B, 3), of the static steps [0, a + 5), [a - 5, b + 5), [b - 5, T) of 96 frames.

    Of sequences of another length as much of the time.
    """
    a, b = transitions.unbind(dim=1)
    zero, end = torch.zeros_like(a), torch.full_like(a, GRID)
    first = steps.placed(torch.stack([zero, a - MARGIN, b - MARGIN], dim=1), length)
    last = steps.placed(torch.stack([a + MARGIN, b + MARGIN, end], dim=1), length) - 1
    first = first.long().clamp(0, length - 1)
    return first, torch.maximum(last.long().clamp(max=length - 1), first)


def build(
    facts: Facts,
    *,
    fusion: str = "mask_gate",
    branches: str = "sum",
    step_weights: Sequence[float] = STEP_WEIGHTS,
    dim: int = 1024,
    static_dim: int = 512,
    dropout: float = 0.0,
    width: float = 1.0,
    weights: str = "",
    static: str = "resnet34",
    static_weights: str = "",
    freeze_batch_norm: bool = True,
    pixels: str = "imagenet",
    starts: Sequence[int] = _encoders.STARTS,
    channels: int = 64,
    reducer: Sequence[int] = (512, 256),
    heads: int = 8,
    layers: int = 3,
    hidden: Sequence[int] = (256, 64),
) -> FineParser:
    """The model for clips of `facts`.

    `dim`, `static_dim` and `dropout` are of stored features; `weights` and `freeze_batch_norm` of I3D: where there are
    two, both start from the weights and only the one without masks is frozen. `width` is of all networks that see
    pictures, `static` one of `backbones.resnet` with its `static_weights`. `channels` and `reducer` are the sizes of a
    dynamic token and of the maps that make it.

    Parameters
    ----------
    step_weights : weights of the three steps in the offset
    """
    expect_one_of("fineparser.fusion", fusion, ("mask_gate", "released"))
    expect_one_of("fineparser.branches", branches, ("sum", "mean"))
    if len(step_weights) != steps.STEPS:
        raise InputError(f"fineparser.step_weights: found {len(step_weights)}, expected {steps.STEPS}")

    def static_network() -> nn.Module:
        from aqa_pipeline.backbones import resnet

        return resnet.build(name=static, width=width, weights=static_weights or None)

    frames = _encoders.frames(facts, static_network, dim=static_dim, pixels=pixels, dropout=dropout)
    if _encoders.modality(facts, "dynamic") == "frames":
        _encoders.check_length(facts, starts)
        if facts.pictures[1] % COARSEST:
            raise InputError(f"frames.crop: found {facts.pictures[1]}, expected a multiple of {COARSEST} for the masks")
        dynamic = _gate(fusion, starts, width=width, weights=weights, frozen=freeze_batch_norm, pixels=pixels)
    else:
        dynamic = NoGate(_encoders.snippets(facts, starts=starts, dim=dim, dropout=dropout))
    shorteners = nn.ModuleList(DoubleConvolutions([n, *STATIC_CHANNELS], halve=True) for n in STATIC_POSITIONS)
    static_channels = frames.dim // 2 ** (len(STATIC_CHANNELS) - 1)
    for what, found in (("dynamic", channels), ("static", static_channels)):
        if not found or found % heads:
            raise InputError(
                f"fineparser.heads: found {heads} for {what} tokens of {found} channels, expected a divisor of them; "
                f"a static token has an eighth of the {frames.dim} channels of a frame"
            )
    branch = dict(heads=heads, layers=layers, hidden=hidden)
    return FineParser(
        dynamic,
        frames,
        PSNet(len(starts), dynamic.dim),
        nn.ModuleList(_reducer(dynamic.dim, reducer, channels) for _ in range(steps.STEPS)),
        shorteners,
        Branch(channels, **branch),
        Branch(static_channels, **branch),
        starts=starts,
        branches=branches,
        step_weights=step_weights,
    )


def _gate(
    fusion: str, starts: Sequence[int], *, width: float, weights: str, frozen: bool, pixels: str
) -> MaskGate | FeatureGate:
    from aqa_pipeline.backbones import i3d, i3d_masks

    parser = i3d_masks.build(width=width, weights=weights or None)
    if fusion == "mask_gate":
        if frozen:
            frozen_batch_norm(parser.i3d)
        return MaskGate(parser, starts, pixels=pixels)
    backbone = i3d.build(width=width, weights=weights or None)
    return FeatureGate(parser, frozen_batch_norm(backbone) if frozen else backbone, starts, pixels=pixels)


def _reducer(dim: int, hidden: Sequence[int], channels: int) -> nn.Sequential:
    convolutions = DoubleConvolutions([DYNAMIC_POSITIONS, *DYNAMIC_CHANNELS], halve=False)
    return nn.Sequential(convolutions, mlp([dim, *hidden, channels]), nn.ReLU())


def from_official(state_dicts: Mapping[str, Mapping[str, Tensor]]) -> dict[str, Tensor]:
    """The parameters that the released code saves, under our names, for pictures, `fusion` and `branches` as released.

    That is `build(facts, fusion="released", branches="mean")`. `state_dicts` are the entries of the file that hold
    parameters. "regressor_delta3", which nothing calls, and the classification layers of ResNet and I3D are dropped.
    """
    encoder = _released.bare(state_dicts["video_encoder"])
    resnet = {name: tensor for name, tensor in encoder.items() if name.startswith("backbone.")}
    found = {
        **_released.i3d(state_dicts["base_model"], "dynamic.backbone"),
        **_spatial_parser(state_dicts["segmenter"], "dynamic.parser"),
        **_released.psnet(state_dicts["psnet_model"], "segmenter"),
        **{
            f"static.backbone.network.{name.removeprefix('backbone.')}": tensor
            for name, tensor in resnet.items()
            if not name.startswith("backbone.fc.")
        },
    }
    for step, number in enumerate((3, 1, 2)):
        found |= _released_reducer(state_dicts[f"dim_reducer{number}"], f"reducers.{step}")
        modules = [f"inc{step + 1}", *(f"down{step + 1}{i}" for i in (1, 2, 3))]
        found |= _released.double_convolutions(encoder, f"shorteners.{step}", *modules)
    for number, ours in ((1, "static_branch.decoders.0"), (3, "static_branch.decoders.1")):
        found |= _released.decoder(state_dicts[f"decoder{number}"], ours)
    for number, ours in ((2, "dynamic_branch.decoders.0"), (4, "dynamic_branch.decoders.1")):
        found |= _released.decoder(state_dicts[f"decoder{number}"], ours)
    found |= _released.token_head(state_dicts["regressor_delta1"], "dynamic_branch.head")
    return found | _released.token_head(state_dicts["regressor_delta2"], "static_branch.head")


def _spatial_parser(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    from aqa_pipeline.backbones.i3d_masks import SIDES

    found = {}
    for name, tensor in _released.i3d(tensors, "i3d").items():
        module, _, rest = name.removeprefix("i3d.").partition(".")
        for number, stage in enumerate(SIDES, 1):
            parts = {"side_prep": "reduce", "score_dsn": "score", "upsample": "enlarge"}
            ours = {f"{theirs}{number}": part for theirs, part in parts.items()}
            ours[f"upsample{number}_"] = "enlarge_score"
            if module in ours:
                name = f"sides.{stage}.{ours[module]}.{rest}"
        found[f"{prefix}.{name if module != 'fuse' else f'fuse.{rest}'}"] = tensor
    return found


def _released_reducer(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    maps = {name: tensor for name, tensor in _released.bare(tensors).items() if name.startswith("layer")}
    names = {f"layer{i}": str(2 * i) for i in range(3)}
    return _released.double_convolutions(tensors, f"{prefix}.0", "inc", "down1") | _released.renamed(
        maps, names, f"{prefix}.1"
    )
