"""What systems are handed: single clips, and pairs of a query and an exemplar.

Axes: B clips or queries, P pairs, T frames, D features, C H W pictures. A query may have several exemplars, and not
every query as many (a rare dive has few), so pairs come as a flat list and `query_of` says whose each is.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    import torch
    from torch import Tensor

    Array = Tensor | np.ndarray

_TENSORS = ("target", "difficulty", "action_type", "sub_action", "judge_scores", "transitions", "caption")  # of Clips
NO_LABEL = -100  # frames without a sub_action; the value that torch's cross entropy passes over
END, START, FIRST_WORD = 0, 1, 2  # of a caption: its marks, and the number of the first word of `Facts.words`


@dataclass(frozen=True)
class Facts:
    """What a system may know of its data before it is built; kept in config.json, so that it can be built again."""

    dims: Mapping[str, int]  # modality of features -> D
    lengths: Mapping[str, int]  # the same modalities -> T, 0 where each video keeps its own
    pictures: tuple[int, int, int] | None = None  # T, H, W of the modality "frames", where pictures are read
    sub_actions: tuple[str, ...] = ()  # names of the frame classes of the training part
    action_types: tuple[str, ...] = ()  # of the training part
    target_range: tuple[float, float] = (0.0, 1.0)  # of the training part, in the units the system is trained on
    words: tuple[str, ...] = ()  # of the captions of the training part, where a system reads them

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Facts:
        return cls(**{k: tuple(v) if isinstance(v, list) else v for k, v in values.items()})


@dataclass(frozen=True)
class Clips:
    """B clips with what is known of them: tensors for networks, arrays of the same types for what is no network."""

    # modality -> (B, T, D) features; "frames" -> (B, T, 3, H, W) uint8 pictures, RGB; "tubes" -> (B, T, 4, 2) corners
    # of the athlete's box, x and y in pixels of these, NaN where nobody is
    inputs: Mapping[str, Array]
    video_ids: tuple[str, ...]
    target: Array  # (B,) NaN where the system must not know it
    difficulty: Array  # (B,) NaN where the sport has none
    action_type: Array  # (B,) number in Facts.action_types, -1 where the training part has no such type
    sub_action: Array | None = None  # (B, T) number in Facts.sub_actions, or NO_LABEL
    judge_scores: Array | None = None  # (B, J) NaN where unknown
    transitions: Array | None = None  # (B, 2) on the 96 sampled frames, NaN where unknown or not to be known
    caption: Array | None = None  # (B, L) START, numbers of words, END, then NO_LABEL, which is all where unknown
    # "athlete", "splash" -> (B, T, H, W) bool, on the frames shown; "athlete_known", "splash_known" -> (B,) bool
    masks: Mapping[str, Array] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.video_ids)

    def _each(self, change: Any) -> Clips:
        present = {name: getattr(self, name) for name in _TENSORS if getattr(self, name) is not None}
        return replace(
            self,
            inputs={name: change(value) for name, value in self.inputs.items()},
            masks={name: change(value) for name, value in self.masks.items()},
            **{name: change(value) for name, value in present.items()},
        )

    def tensors(self) -> Clips:
        """The same clips with tensors for arrays."""
        import torch

        return self._each(torch.as_tensor)

    def to(self, device: torch.device | str) -> Clips:
        """The same clips on a device."""
        return self._each(lambda tensor: tensor.to(device, non_blocking=True))

    def pin_memory(self) -> Clips:
        """The same clips where a GPU can fetch them by itself; torch's loader looks for this name."""
        return self._each(lambda tensor: tensor.pin_memory())

    def rows(self, index: Tensor | np.ndarray) -> Clips:
        """The clips of some rows `(P,)`, repeated where a row is named twice."""
        ids = tuple(self.video_ids[i] for i in index.tolist())
        return replace(self._each(lambda tensor: tensor[index]), video_ids=ids)


def joined(*parts: Clips) -> Clips:
    """The clips of all parts, one after the other; they must know the same things."""
    import torch

    first = parts[0]
    present = [name for name in _TENSORS if getattr(first, name) is not None]
    return replace(
        first,
        inputs={name: torch.cat([part.inputs[name] for part in parts]) for name in first.inputs},
        masks={name: torch.cat([part.masks[name] for part in parts]) for name in first.masks},
        video_ids=tuple(video_id for part in parts for video_id in part.video_ids),
        **{name: torch.cat([getattr(part, name) for part in parts]) for name in present},
    )


@dataclass(frozen=True)
class Pairs:
    """P pairs: exemplar p belongs to query `query_of[p]`."""

    query: Clips  # B
    exemplar: Clips  # P
    query_of: Tensor  # (P,)

    def __len__(self) -> int:
        return len(self.exemplar)

    def to(self, device: torch.device | str) -> Pairs:
        """The same pairs on a device."""
        return Pairs(self.query.to(device), self.exemplar.to(device), self.query_of.to(device))

    def pin_memory(self) -> Pairs:
        """As that of the clips."""
        return Pairs(self.query.pin_memory(), self.exemplar.pin_memory(), self.query_of.pin_memory())

    def queries(self) -> Clips:
        """The query of each pair, P clips."""
        return self.query.rows(self.query_of)

    def average(self, votes: Tensor) -> Tensor:
        """Mean vote `(B,)` of the exemplars of each query, from one vote a pair `(P,)`."""
        total = votes.new_zeros(len(self.query)).index_add(0, self.query_of, votes)
        count = votes.new_zeros(len(self.query)).index_add(0, self.query_of, votes.new_ones(len(votes)))
        return total / count
