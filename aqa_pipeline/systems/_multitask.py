"""What C3D-AVG and MSCADC have in common: the score is learnt beside the dive number and the commentary.

Parmar, Morris, "What and How Well You Performed? A Multitask Learning Approach to Action Quality Assessment", CVPR
2019; released code: ParitoshParmar/MTL-AQA. The further tasks shape what is seen of a clip in training; the predicted
score does not look at them.

Shapes: B clips, S snippets, D channels, N action types, L words of a caption.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from aqa_pipeline import dive_numbers
from aqa_pipeline.batches import FIRST_WORD, NO_LABEL, Clips, Facts
from aqa_pipeline.dive_numbers import DiveNumber
from aqa_pipeline.errors import InputError
from aqa_pipeline.layers.captions import S2VT, shortened
from aqa_pipeline.systems import _released

# The parts of a dive number, their classes in the order of MTL-AQA's annotations, which know no straight dive.
CLASSES: Mapping[str, Sequence[object]] = {
    "position": "dbc",  # free, pike, tuck
    "armstand": (False, True),
    "direction": (2, 1, 4, 3),  # back, forward, inward, reverse
    "half_somersaults": range(10),
    "half_twists": range(8),
}
RELEASED = dict(zip(CLASSES, ("position", "armstand", "rot_type", "ss_no", "tw_no"), strict=True))
ARMSTAND = 6  # the group of dives from a handstand


class Multitask(nn.Module):
    """A system says what it sees, and what of it each task is handed; a task whose loss counts nothing has no head."""

    def __init__(
        self,
        classes: DiveClasses | None,
        speaker: S2VT | None,
        *,
        scale: float,
        class_loss: float,
        caption_loss: float,
        longest: int,
    ) -> None:
        super().__init__()
        self.classes, self.speaker = classes, speaker
        self.scale, self.class_loss, self.caption_loss, self.longest = scale, class_loss, caption_loss, longest

    def see(self, clips: Clips) -> Tensor:
        """What all tasks share."""
        raise NotImplementedError

    def score(self, seen: Tensor) -> Tensor:
        """The score (B,), over `scale`."""
        raise NotImplementedError

    def for_classes(self, seen: Tensor) -> Tensor:
        """What the dive number is read from."""
        raise NotImplementedError

    def for_caption(self, seen: Tensor) -> Tensor:
        """What is put into words (B, S, D)."""
        raise NotImplementedError

    def loss(self, batch: Clips) -> dict[str, Tensor]:
        """Squared and absolute error of the scaled score; classes and captions with their weights."""
        seen = self.see(batch)
        score, target = self.score(seen), batch.target / self.scale
        terms = {"score": functional.mse_loss(score, target) + functional.l1_loss(score, target)}
        if self.classes is not None:
            terms["classes"] = self.class_loss * self.classes.loss(self.for_classes(seen), batch.action_type)
        if self.speaker is not None:
            caption = shortened(batch.caption, self.longest)
            terms["caption"] = self.caption_loss * self.speaker.loss(self.for_caption(seen), caption)
        return terms

    def predict(self, batch: Clips) -> Tensor:
        """Predicted target (B,)."""
        return self.scale * self.score(self.see(batch))


class DiveClasses(nn.Module):
    """Five heads on one feature; `head` makes one, of so many classes."""

    def __init__(self, facts: Facts, head: Callable[[int], nn.Module]) -> None:
        super().__init__()
        self.heads = nn.ModuleDict({name: head(len(classes)) for name, classes in CLASSES.items()})
        # A last row without labels is found by -1, an action type that the training part does not have.
        labels = functional.pad(labels_of(facts.action_types), (0, 0, 0, 1), value=NO_LABEL)
        self.register_buffer("labels", labels, persistent=False)

    def forward(self, feature: Tensor) -> dict[str, Tensor]:
        """Logits (B, classes) by part of the dive number."""
        return {name: head(feature) for name, head in self.heads.items()}

    def loss(self, feature: Tensor, action_type: Tensor) -> Tensor:
        """Sum of the five cross-entropies, each the mean over the clips; what a dive number does not say counts 0."""
        logits, labels = self(feature), self.labels[action_type]  # (B, 5)
        missed = [
            functional.cross_entropy(logits[name], labels[:, i], ignore_index=NO_LABEL, reduction="sum")
            for i, name in enumerate(CLASSES)
        ]
        return sum(missed) / len(labels)


def labels_of(action_types: Sequence[str]) -> Tensor:
    """Class numbers (N, 5) of action types, NO_LABEL where there is no such class; InputError where none is a dive."""
    dives = [dive_numbers.parse(action_type) for action_type in action_types]
    if not any(dives):
        found = f"'{action_types[0]}'" if action_types else "none"
        raise InputError(f"class_loss: found action types such as {found}, expected dive numbers, or class_loss: 0")
    return torch.tensor([[NO_LABEL] * len(CLASSES) if dive is None else _labels(dive) for dive in dives])


def _labels(dive: DiveNumber) -> list[int]:
    values = {"armstand": dive.group == ARMSTAND} | {
        name: getattr(dive, name) for name in CLASSES if name != "armstand"
    }
    return [list(of).index(values[name]) if values[name] in of else NO_LABEL for name, of in CLASSES.items()]


def speaker(facts: Facts, dim: int, *, size: int) -> S2VT:
    """The network that says captions of features (B, S, `dim`): `size` units, and as many for a word."""
    if not facts.words:
        raise InputError("caption_loss: found no captions in the training part, expected some, or caption_loss: 0")
    return S2VT(dim, FIRST_WORD + len(facts.words), hidden=size, embedding=size)


def speaker_from_official(parameters: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The recurrent networks of the released `S2VTModel` under our names; ours has as many words as they have."""
    ours = {"rnn1": "speaker.seeing", "rnn2": "speaker.saying", "embedding": "speaker.embedding", "out": "speaker.out"}
    bare = _released.bare(parameters).items()
    parted = [(*name.split(".", 1), tensor) for name, tensor in bare]
    return {f"{ours[part]}.{rest}": tensor for part, rest, tensor in parted if part in ours}
