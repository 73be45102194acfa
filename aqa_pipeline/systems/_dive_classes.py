"""What a dive number says, as five questions to a network; the score is learnt beside them.

Parmar, Morris, "What and How Well You Performed? A Multitask Learning Approach to Action Quality Assessment", CVPR 2019;
classes in the order of the annotations of MTL-AQA, which knows no straight dives.

Shapes: B clips, N action types.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from aqa_pipeline import dive_numbers
from aqa_pipeline.batches import NO_LABEL, Facts
from aqa_pipeline.dive_numbers import DiveNumber
from aqa_pipeline.errors import InputError

CLASSES: Mapping[str, Sequence[object]] = {
    "position": "dbc",  # free, pike, tuck
    "armstand": (False, True),
    "direction": (2, 1, 4, 3),  # back, forward, inward, reverse
    "half_somersaults": range(10),
    "half_twists": range(8),
}
ARMSTAND = 6  # the group of dives from a handstand


class DiveClasses(nn.Module):
    """Five heads on one feature; `head` makes one, of so many classes."""

    def __init__(self, facts: Facts, head: Callable[[int], nn.Module]) -> None:
        super().__init__()
        self.heads = nn.ModuleDict({name: head(len(classes)) for name, classes in CLASSES.items()})
        # A last row without labels is found by -1, an action type that the training part does not have.
        labels = functional.pad(labels_of(facts.action_types), (0, 0, 0, 1), value=NO_LABEL)
        self.register_buffer("labels", labels, persistent=False)

    def forward(self, feature: Tensor) -> dict[str, Tensor]:
        """Logits (B, classes) by question."""
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
    values = {name: getattr(dive, name) for name in CLASSES if name != "armstand"} | {"armstand": dive.group == ARMSTAND}
    return [list(of).index(values[name]) if values[name] in of else NO_LABEL for name, of in CLASSES.items()]
