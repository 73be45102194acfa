"""C3D-AVG: the mean of what C3D sees in the clips of a dive, from which score, dive number and commentary are learnt.

Parmar, Morris, "What and How Well You Performed? A Multitask Learning Approach to Action Quality Assessment", CVPR
2019; released code: ParitoshParmar/MTL-AQA. Six clips of 16 frames go through C3D, which is fine-tuned, and their mean
through one layer, from which the score is regressed. Two further tasks may be learnt beside it: the five parts of the
dive number from the same layer, and the commentary from the six clips, not averaged (see `_multitask`).

    class_loss      0: the score alone (C3D-AVG-STL); 1, the code: and the dive number
    caption_loss    0; 0.01, the code: and the commentary. With both it is C3D-AVG-MTL

Without captions (FineDiving, simulated dives) `caption_loss` is 0. Words are those of the training part; the code also
counts 728 that only the test part has, and never learns them.

Shapes: B clips, S snippets, D channels of a snippet, F of the layer.
"""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor, nn

from aqa_pipeline.batches import Clips, Facts
from aqa_pipeline.layers.captions import S2VT
from aqa_pipeline.systems import _encoders, _released
from aqa_pipeline.systems._multitask import RELEASED, DiveClasses, Multitask, speaker, speaker_from_official

needs = {"features", "draws", "captions"}

STARTS = [*range(0, 81, 16)]  # of the six snippets; the last 7 of 103 frames are not looked at

tiny = dict(dim=5, hidden=6, class_loss=1.0, caption_loss=0.01, caption_dim=4, starts=[0, 16])


class C3DAvg(Multitask):
    """The parts are made by `build`."""

    def __init__(
        self,
        encoder: nn.Module,  # clips -> (B, S, D)
        hidden: int,
        classes: DiveClasses | None,  # of (B, F)
        speaker: S2VT | None,  # of (B, S, D)
        **options: float,
    ) -> None:
        super().__init__(classes, speaker, **options)
        self.encoder = encoder
        self.fc6, self.final_score = nn.Linear(encoder.dim, hidden), nn.Linear(hidden, 1)

    def see(self, clips: Clips) -> Tensor:
        """Features of the snippets (B, S, D)."""
        return self.encoder(clips)[0]

    def score(self, seen: Tensor) -> Tensor:
        return self.final_score(self.for_classes(seen))[:, 0]

    def for_classes(self, seen: Tensor) -> Tensor:
        return self.fc6(seen.mean(dim=1)).relu()  # (B, F)

    def for_caption(self, seen: Tensor) -> Tensor:
        return seen


def build(
    facts: Facts,
    *,
    hidden: int = 4096,
    scale: float = 1.0,
    class_loss: float = 0.0,
    caption_loss: float = 0.0,
    caption_dim: int = 512,
    longest: int = 100,
    starts: list[int] = STARTS,
    width: float = 1.0,
    weights: str = "",
    pixels: str = "imagenet",
    dim: int = 64,
    dropout: float = 0.0,
) -> C3DAvg:
    """The model for clips of `facts`.

    Parameters
    ----------
    hidden
        F.
    scale
        What targets are divided by: 17 in the released code, about the standard deviation of MTL-AQA's scores, with
        `clips: {scale_target: false}`.
    class_loss, caption_loss
        Weights of the further tasks, which need dive numbers and captions.
    caption_dim, longest
        Units of the recurrent networks, and of a word; words of the longest caption, marks included.
    starts, width, weights, pixels, dim, dropout
        See `_encoders.c3d_snippets`; `dim` is for stored features.
    """
    encoder = _encoders.c3d_snippets(
        facts, starts=starts, dim=dim, width=width, weights=weights, pixels=pixels, dropout=dropout
    )
    return C3DAvg(
        encoder,
        hidden,
        DiveClasses(facts, lambda classes: nn.Linear(hidden, classes)) if class_loss else None,
        speaker(facts, encoder.dim, size=caption_dim) if caption_loss else None,
        scale=scale,
        class_loss=class_loss,
        caption_loss=caption_loss,
        longest=longest,
    )


def from_official(state_dicts: Mapping[str, Mapping[str, Tensor]]) -> dict[str, Tensor]:
    """The released parameters under our names; a part is called as its file, `model_CNN_99.pth`, without the epoch.

    `model_dive_classifier` and `model_caption` are there where the released code learnt these tasks. It saves each part
    in a file of its own; `official:` of a variant wants one file with all, a dictionary of state dicts by these names.
    """
    heads = {rf"fc_{theirs}": f"heads.{ours}" for ours, theirs in RELEASED.items()}
    ours = {f"encoder.backbone.{name}": tensor for name, tensor in _released.bare(state_dicts["model_CNN"]).items()}
    ours |= {f"fc6.{name[3:]}": tensor for name, tensor in _released.bare(state_dicts["model_my_fc6"]).items()}
    score = _released.bare(state_dicts["model_score_regressor"])
    ours |= {name.removeprefix("fc_"): tensor for name, tensor in score.items()}  # fc_final_score
    if "model_dive_classifier" in state_dicts:
        ours |= _released.renamed(state_dicts["model_dive_classifier"], heads, "classes")
    if "model_caption" in state_dicts:
        ours |= speaker_from_official(state_dicts["model_caption"])
    return ours
