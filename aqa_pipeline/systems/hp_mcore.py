"""HP-MCoRe: steps of a dive compared twice, once as poses and motion together, once as single pictures.

Qi et al., "Action Quality Assessment via Hierarchical Pose-guided Multi-stage Contrastive Regression", 2025 (arXiv
2501.03674), which carries MCoRe further. Three encoders: I3D on nine snippets (dynamic), a picture network with gated
shifts on each frame (static), HD-GCN on the keypoints (skeleton). A GRU finds both transitions. Each step is brought to
ten positions; in the dynamic branch its tokens look at each other, the more the more alike their poses are (multi-modal
fusion, figure 4). Both branches compare query and exemplar step by step by cross-attention and say an offset of the
scores, the mean over the steps weighted by three learnt numbers. A stage-wise contrastive loss on either branch keeps
the steps apart.

The released code (Lumos0507/HP-MCoRe) does not run: its last state lacks the models, the one before multiplies a tensor
by a module. What could be read of the paper are its abstract, figures and captions. Where they and the code differ
there is an option; the default is the paper's:

    segment_from  "dynamic": the GRU reads F_dy, as in figure 2 (d); that nine snippets are interpolated to the frames
                  is our reading. "static": it reads the features of the pictures (code).
    branches      "confidence": S_fu + lambda S_st, as in figure 2 (b); that lambda is learnt and begins at 1 is our
                  reading. "mean": the plain mean of both (code).
    groups        of joints, "paper", "five" or "released": see `backbones/hd_gcn.py`.
    action_type_loss  0: the code computes and prints a loss of the dive number from the poses, and never trains it.

Splash-aware supervision is named in a summary of the paper; its loss, head and weight are nowhere to be found, so it
cannot be reproduced. `splash_loss` is our own in its place, off unless asked for: the pictures of the entry step tell
how much of the frame the splash covers, learnt from masks of the splash where they are known (`frames.masks`).

Without a feature set for "skeleton" the poses are missing: InputError unless `skeleton: false` says so.

Shapes: B clips, P pairs, S snippets, T frames, N positions of a step, C channels of a token.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from aqa_pipeline import keypoint_sets
from aqa_pipeline.batches import Clips, Facts, Pairs, joined
from aqa_pipeline.errors import InputError, expect_one_of
from aqa_pipeline.layers import contrast as contrasts
from aqa_pipeline.layers import steps
from aqa_pipeline.layers.heads import TokenHead
from aqa_pipeline.layers.pose_attention import PoseGuidedBlock
from aqa_pipeline.layers.segmentation import GRUSegmenter, time_transition_loss
from aqa_pipeline.layers.transformer import Stack
from aqa_pipeline.systems import _encoders, _released
from aqa_pipeline.systems._comparison import Comparison, Encoded, halves, known_or, two_way

needs = {"features", "draws", "exemplars", "transitions", "splashes"}
mask_option = "splash_loss"
role_option = "skeleton"

tiny = dict(
    dim=5, width=0.05, static_width=0.2, starts=[0, 4, 8], skeleton_width=4, token=8, positions=2, heads=2
) | dict(layers=1, hidden=[6], widening=2, contrast=0.1)

SEGMENT_FROM, BRANCHES = ("dynamic", "static"), ("confidence", "mean")
ENTRY = steps.STEPS - 1


class Seen(NamedTuple):
    """What the encoders made of clips."""

    dynamic: Tensor  # (B, S, D)
    static: Tensor  # (B, T, D')
    skeleton: Tensor | None  # (B, T, D'')
    evidence: Tensor  # (B, T, 2) of the transitions
    action_type: Tensor | None  # (B, classes)


class HPMCoRe(Comparison):
    """The parts are made by `build`."""

    def __init__(
        self,
        dynamic: nn.Module,  # clips -> (B, S, D), maps
        static: nn.Module,  # clips -> (B, T, D')
        skeleton: nn.Module | None,  # (B, T, K C) -> (B, T, D''), logits
        segmenter: GRUSegmenter,
        reduce: nn.ModuleDict,  # branch -> of each step, D or D' -> C
        fuse: nn.ModuleList,  # of each step
        decoders: nn.ModuleDict,  # branch -> Stack
        heads: nn.ModuleDict,  # branch -> TokenHead
        splash: TokenHead | None,
        *,
        segment_from: str,
        branches: str,
        positions: int,
        contrast: float,
        temperature: float,
        action_type_loss: float,
        splash_loss: float,
    ) -> None:
        super().__init__()
        self.dynamic, self.static, self.skeleton, self.segmenter = dynamic, static, skeleton, segmenter
        self.reduce, self.fuse, self.decoders, self.heads, self.splash = reduce, fuse, decoders, heads, splash
        self.step_weights = nn.Parameter(torch.full((steps.STEPS,), math.log(2)))  # their exponentials are the weights
        self.confidence = nn.Parameter(torch.ones(())) if branches == "confidence" else None
        self.segment_from, self.positions = segment_from, positions
        self.contrast, self.temperature = contrast, temperature
        self.action_type_loss, self.splash_loss = action_type_loss, splash_loss

    def encode(self, clips: Clips) -> Encoded:
        seen = self._see(clips)
        transitions = self._transitions(seen)
        return self._tokens(seen, transitions) | {"transitions": transitions}

    def votes(self, query: Encoded, exemplar: Encoded, target: Tensor) -> Tensor:
        return target + self.offset(query, exemplar)

    def offset(self, query: Encoded, exemplar: Encoded) -> Tensor:
        """Score of the query less that of the exemplar (P,), of the tokens (P, 3, N, C) of both."""
        fused, static = (self._branch(name, query[name], exemplar[name]) for name in ("fused", "static"))
        return (fused + static) / 2 if self.confidence is None else fused + self.confidence * static

    def loss(self, batch: Pairs) -> dict[str, Tensor]:
        """Squared errors of the offsets both ways, transitions, contrast of the stages, and what options add."""
        queries = batch.queries()
        clips = joined(queries, batch.exemplar)
        seen = self._see(clips)
        tokens = self._tokens(seen, known_or(clips.transitions, self._transitions(seen)))
        query, exemplar = halves(tokens)
        difference = queries.target - batch.exemplar.target
        return {
            "offset": two_way(self.offset(query, exemplar), self.offset(exemplar, query), difference),
            **time_transition_loss(seen.evidence, clips.transitions),
            **self._contrasts(query, exemplar),
            **self._action_types(seen.action_type, clips.action_type),
            **self._splashes(tokens["static"], clips),
        }

    def _see(self, clips: Clips) -> Seen:
        dynamic, static = self.dynamic(clips)[0], self.static(clips)
        skeleton, action_type = (None, None) if self.skeleton is None else self.skeleton(clips.inputs["skeleton"])
        read = static if self.segment_from == "static" else self._at_frames(dynamic, static.shape[1])
        return Seen(dynamic, static, skeleton, self.segmenter(read), action_type)

    def _at_frames(self, dynamic: Tensor, count: int) -> Tensor:
        """Snippets (B, S, D) as (B, T, D): between the middles of two, a mixture of both."""
        starts = self.dynamic.starts
        frames = (torch.arange(count, device=dynamic.device) + 0.5) * _encoders.span(starts) / count
        middle = starts[0] + _encoders.SNIPPET / 2  # of the first snippet
        place = ((frames - middle) / _encoders.stride(starts)).clamp(0, dynamic.shape[1] - 1)  # (T,)
        left = place.long().clamp(max=dynamic.shape[1] - 2)
        return dynamic[:, left].lerp(dynamic[:, left + 1], (place - left)[:, None])

    def _transitions(self, seen: Seen) -> Tensor:
        return steps.on_grid(steps.decode(seen.evidence), seen.evidence.shape[1])

    def _tokens(self, seen: Seen, transitions: Tensor) -> Encoded:
        """Of each branch (B, 3, N, C): every step in its positions, the dynamic ones fused with the poses."""
        frames = steps.placed(transitions, seen.static.shape[1])
        snippets = _encoders.snippet_of(transitions, self.dynamic.starts)
        dynamic, static = self._reduced("fused", seen.dynamic, snippets), self._reduced("static", seen.static, frames)
        poses = [None] * steps.STEPS if seen.skeleton is None else self._poses(seen.skeleton, transitions)
        fused = [fuse(*pair) for fuse, *pair in zip(self.fuse, dynamic, poses, strict=True)]
        return {"fused": torch.stack(fused, dim=1), "static": torch.stack(static, dim=1)}

    def _poses(self, skeleton: Tensor, transitions: Tensor) -> list[Tensor]:
        return self._cut(skeleton, steps.placed(transitions, skeleton.shape[1]))  # may be longer than the static ones

    def _reduced(self, branch: str, sequence: Tensor, transitions: Tensor) -> list[Tensor]:
        cut = self._cut(sequence, transitions)
        return [reduce(step) for reduce, step in zip(self.reduce[branch], cut, strict=True)]

    def _cut(self, sequence: Tensor, transitions: Tensor) -> list[Tensor]:
        first, last = steps.bounds(transitions, sequence.shape[1], overlap=True)
        return steps.pool(sequence, first, last, self.positions)

    def _branch(self, name: str, query: Tensor, exemplar: Tensor) -> Tensor:
        """What one branch says (P,)."""
        compared = self.decoders[name](query.flatten(0, 1), exemplar.flatten(0, 1))  # (3 P, N, C), each step by itself
        said = self.heads[name](compared).mean(dim=1).unflatten(0, (len(query), -1))  # (P, 3)
        return said @ self.step_weights.softmax(dim=0)

    def _contrasts(self, query: Encoded, exemplar: Encoded) -> dict[str, Tensor]:
        if not self.contrast:
            return {}
        of = {
            name: contrasts.stages(query[name].unbind(1), exemplar[name].unbind(1), temperature=self.temperature)
            for name in ("fused", "static")
        }
        return {f"contrast_{name}": self.contrast * value for name, value in of.items()}

    def _action_types(self, logits: Tensor | None, truth: Tensor) -> dict[str, Tensor]:
        if logits is None or not (truth >= 0).any():
            return {}
        return {"action_type": self.action_type_loss * functional.cross_entropy(logits, truth, ignore_index=-1)}

    def _splashes(self, static: Tensor, clips: Clips) -> dict[str, Tensor]:
        """Ours: how much of the picture the splash covers, from the tokens of the entry step."""
        if self.splash is None:
            return {}
        if "splash" not in clips.masks:
            raise InputError("hp_mcore.splash_loss: found no masks 'splash', expected them, or 0")
        known = clips.masks["splash_known"]  # (B,)
        if not known.any():
            return {}
        said, covered = self.splash(static[:, ENTRY]).mean(dim=1), splash_cover(clips.masks["splash"])
        return {"splash": self.splash_loss * functional.l1_loss(said[known], covered[known])}


def splash_cover(masks: Tensor) -> Tensor:
    """Share of the picture (B,) under the splash, of masks (B, T, H, W): mean of the frames with one, 0 without."""
    covered = masks.flatten(2).float().mean(dim=2)  # (B, T)
    return covered.sum(dim=1) / (covered > 0).sum(dim=1).clamp(min=1)


def build(
    facts: Facts,
    *,
    dim: int = 64,
    width: float = 1.0,
    weights: str = "",
    freeze_batch_norm: bool = False,
    starts: Sequence[int] = _encoders.STARTS,
    static_dim: int = 0,
    static_width: float = 1.0,
    static_weights: str | None = None,
    static_freeze_batch_norm: bool = True,
    pixels: str = "imagenet",
    dropout: float = 0.0,
    skeleton: bool = True,
    keypoint_set: str = "mpii_16",
    skeleton_width: int = 64,
    groups: str = "paper",
    segment_from: str = "dynamic",
    segmenter_dropout: float = 0.5,
    positions: int = 10,
    token: int = 256,
    widening: int = 128,
    heads: int = 2,
    layers: int = 4,
    hidden: Sequence[int] = (256, 64),
    branches: str = "confidence",
    contrast: float = 10.0,
    temperature: float = 0.1,
    action_type_loss: float = 0.0,
    splash_loss: float = 0.0,
) -> HPMCoRe:
    """The model for clips of `facts`.

    `dim`, `static_dim` (0: as many as there are) and `dropout` are of stored features; `width`, `weights` and
    `freeze_batch_norm` of I3D, the same with "static" of the picture network. Features become tokens of `token`
    channels by two layers, the first `widening` wider than they are.

    Parameters
    ----------
    skeleton : whether the skeleton's branch is there
    skeleton_width : channels of the first layers of the skeleton's network
    contrast : weight of the contrastive loss
    splash_loss : weight of the loss on the splash; 0 for none
    """
    expect_one_of("hp_mcore.segment_from", segment_from, SEGMENT_FROM)
    expect_one_of("hp_mcore.branches", branches, BRANCHES)
    if token % heads:
        raise InputError(f"hp_mcore.heads: found {heads} for tokens of {token} channels, expected a divisor of them")
    visual = replace(facts, dims={name: dim for name, dim in facts.dims.items() if name != "skeleton"})
    dynamic = _encoders.snippets(
        visual,
        starts=starts,
        dim=dim,
        width=width,
        weights=weights,
        freeze_batch_norm=freeze_batch_norm,
        pixels=pixels,
        dropout=dropout,
    )
    static = _encoders.regnet_frames(
        visual,
        dim=static_dim,
        width=static_width,
        weights=static_weights,
        freeze_batch_norm=static_freeze_batch_norm,
        pixels=pixels,
        dropout=dropout,
    )
    classes = len(facts.action_types) if action_type_loss else 0
    bones = _skeleton(facts, keypoint_set, groups, skeleton_width, classes) if skeleton else None
    if action_type_loss and not classes * skeleton:
        raise InputError("hp_mcore.action_type_loss: found no action types or no skeleton, expected both, or 0")

    def for_each_step(make) -> nn.ModuleList:
        return nn.ModuleList(make() for _ in range(steps.STEPS))

    def for_each_branch(make) -> nn.ModuleDict:
        return nn.ModuleDict({"fused": make(dynamic.dim), "static": make(static.dim)})

    return HPMCoRe(
        dynamic,
        static,
        bones,
        GRUSegmenter(static.dim if segment_from == "static" else dynamic.dim, dropout=segmenter_dropout),
        for_each_branch(lambda features: for_each_step(lambda: _reducer(features, features + widening, token))),
        for_each_step(lambda: PoseGuidedBlock(token, heads, pose_dim=bones.dim if bones else 0)),
        for_each_branch(lambda _: Stack(token, heads, layers=layers, kind="cross_only", last_norm=False)),
        for_each_branch(lambda _: TokenHead(token, hidden=hidden)),
        TokenHead(token, hidden=hidden) if splash_loss else None,
        segment_from=segment_from,
        branches=branches,
        positions=positions,
        contrast=contrast,
        temperature=temperature,
        action_type_loss=action_type_loss,
        splash_loss=splash_loss,
    )


def _reducer(features: int, wide: int, token: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(features, wide), nn.ReLU(), nn.Linear(wide, token), nn.ReLU())


def _skeleton(facts: Facts, keypoint_set: str, groups: str, width: int, classes: int) -> nn.Module:
    from aqa_pipeline.backbones.hd_gcn import HDGCN

    points = len(keypoint_sets.get(keypoint_set))
    found = facts.dims.get("skeleton", 0)
    if found not in (2 * points, 3 * points):
        raise InputError(
            f"features.skeleton: found {found or 'no'} numbers a frame, expected {2 * points} or {3 * points} of "
            f"{keypoint_set}; `skeleton: false` does without poses"
        )
    return HDGCN(keypoint_set=keypoint_set, channels=found // points, groups=groups, width=width, classes=classes)


def from_official(state_dicts: Mapping[str, Mapping[str, Tensor]]) -> dict[str, Tensor]:
    """The parameters that the released code saves, under our names.

    They fit `build` for pictures with `groups="released"`, `segment_from="static"` and `branches="mean"`. `state_dicts`
    are those of the file by its names, "PoseNet_model" to "learning_par3". The classes of I3D and of the poses, which
    are not trained, are dropped.
    """
    from aqa_pipeline.backbones import hd_gcn

    skeleton = hd_gcn.from_official(_released.bare(state_dicts["PoseNet_model"]))
    names = {f"skeleton.{name}": tensor for name, tensor in skeleton.items() if not name.startswith("classify.")}
    names |= _released.i3d(state_dicts["I3D_encoder"], "dynamic.backbone")
    names |= _released.regnet_gsm(state_dicts["base_model"], "static.backbone.network")
    names |= _released.gru_segmenter(state_dicts["psnet_model"], "segmenter")
    for number, branch in enumerate(("fused", "static"), 1):
        names |= _released.decoder(state_dicts[f"decoder{number}"], f"decoders.{branch}")
        names |= _released.token_head(state_dicts[f"regressor_delta{number}"], f"heads.{branch}")
    for step in range(steps.STEPS):
        for branch, theirs in (("fused", "i3d"), ("static", "res")):
            reducer = state_dicts[f"{theirs}_dim_reducer{step + 1}"]
            names |= _released.renamed(reducer, {"layer0": "0", "layer1": "2"}, f"reduce.{branch}.{step}")
        names |= _released.pose_guided_block(state_dicts[f"decoder_pose{step + 1}"], f"fuse.{step}")
    weights = [_released.bare(state_dicts[f"learning_par{step + 1}"])["logit_scale"] for step in range(steps.STEPS)]
    return names | {"step_weights": torch.stack(weights)}
