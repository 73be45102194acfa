"""The hierarchical skeletal encoder of HP-MCoRe: frame features from the keypoints of a body, ring by ring.

HP-MCoRe (Qi et al. 2025, arXiv 2501.03674), figures 2 (c) and 3, on the blocks of HD-GCN. Poses are raw coordinates, a
batch normalisation of each coordinate is the only scaling. The groups of joints, from the centre of the body outwards:

"paper"     four, so that their pairs are the three levels of figure 3: the torso with the head around the thorax, the
            inner parts of the limbs (to elbows and knees), the outer parts (to wrists and ankles). Which joints a level
            holds is our reading of the figure.
"five"      the five groups of the released code, hence four levels
"released"  the same, and like the released code the attention over the levels looks at the joint before each one meant:
            it takes off one from indices that begin at zero already, so that joint 0 becomes the last

COCO has no thorax, pelvis, neck or top of the head: the first two are made, half-way between the shoulders and between
the hips, and its five points of the face stand where the head stands.

Shapes: B clips, T frames, K keypoints of the set, V joints (with those made), C coordinates of one keypoint.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from itertools import pairwise

import torch
from torch import Tensor, nn

from aqa_pipeline import keypoint_sets
from aqa_pipeline.errors import InputError, expect_one_of
from aqa_pipeline.layers.hierarchical_graph import Unit, hierarchy
from aqa_pipeline.layers.normalisation import without_biases

GROUPS = ("paper", "five", "released")

# The neck has no place in COCO, the face none in MPII; "left" stands for both sides.
_HEAD = "head_top nose left_eye left_ear"
_FOUR = ("thorax", f"pelvis upper_neck {_HEAD} left_shoulder left_hip", "left_elbow left_knee", "left_wrist left_ankle")
_FIVE = (
    "thorax",
    "pelvis upper_neck left_shoulder",
    f"{_HEAD} left_elbow left_hip",
    "left_wrist left_knee",
    "left_ankle",
)
_MADE = {"thorax": "shoulder", "pelvis": "hip"}  # of what is on either side of it


class HDGCN(nn.Module):
    """(B, T, K C) flat coordinates -> frame features (B, T, dim), and logits (B, classes) of the whole clip.

    At width 64 with 60 classes, MPII's keypoints and five groups it is the released network of 182 156 parameters, but
    for the biases before normalisations.
    InputError for a keypoint set that the groups do not place, or an unknown word for `groups`.
    """

    def __init__(
        self,
        *,
        keypoint_set: str = "mpii_16",
        channels: int = 2,
        groups: str = "paper",
        width: int = 64,
        classes: int = 0,
    ) -> None:
        super().__init__()
        placed = joints(keypoint_set)
        rings = _rings(placed, groups)
        graphs = hierarchy(rings, len(placed))
        levels = [[*inner, *outer] for inner, outer in pairwise(rings)]
        if groups == "released":
            levels = [[joint - 1 for joint in level] for level in levels]
        self.channels, self.sides = channels, _sides(keypoint_set)
        self.norm = nn.BatchNorm1d(len(placed) * channels)
        widths = [channels, width, width, width, width, 2 * width]
        self.units = nn.ModuleList(
            Unit(a, b, graphs, levels=levels if i else None, first=i == 0) for i, (a, b) in enumerate(pairwise(widths))
        )
        self.dim = 2 * width
        self.classify = nn.Linear(self.dim, classes) if classes else None

    def forward(self, coordinates: Tensor) -> tuple[Tensor, Tensor | None]:
        points = coordinates.unflatten(2, (-1, self.channels))  # (B, T, K, C)
        made = [points[:, :, pair].mean(dim=2, keepdim=True) for pair in self.sides]
        flat = torch.cat([points, *made], dim=2).flatten(2)  # (B, T, V C)
        scaled = self.norm(flat.transpose(1, 2)).transpose(1, 2)
        x = scaled.unflatten(2, (-1, self.channels)).permute(0, 3, 1, 2)  # (B, C, T, V)
        for unit in self.units:
            x = unit(x)
        frames = x.mean(dim=3).transpose(1, 2)  # (B, T, dim)
        return frames, self.classify(frames.mean(dim=1)) if self.classify is not None else None


def joints(keypoint_set: str) -> list[str]:
    """Names of the V joints of the graph: the set's, then those that are made."""
    names = keypoint_sets.get(keypoint_set).names
    return [*names, *(made for made in _MADE if made not in names)]


def _sides(keypoint_set: str) -> list[list[int]]:
    """Of each joint that is made, the columns it lies between."""
    known = keypoint_sets.get(keypoint_set)
    pairs = {made: [f"left_{part}", f"right_{part}"] for made, part in _MADE.items() if made not in known.names}
    return [[known.index(name) for name in pair] for pair in pairs.values()]


def _rings(names: list[str], groups: str) -> list[list[int]]:
    """Joints of each group, by their places in `names`."""
    expect_one_of("groups", groups, GROUPS)
    wanted = [_both_sides(group) for group in (_FOUR if groups == "paper" else _FIVE)]
    strange = [name for name in names if not any(name in group for group in wanted)]
    if strange:
        raise InputError(f"keypoint_set: found the keypoint '{strange[0]}', expected those of mpii_16 or coco_17")
    return [[names.index(name) for name in group if name in names] for group in wanted]


def _both_sides(group: str) -> list[str]:
    return [
        name
        for word in group.split()
        for name in ((word, word.replace("left_", "right_")) if "left_" in word else (word,))
    ]


def from_official(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The released weights (`PoseNet_model`, or HD-GCN's with five layers) under our names.

    What it has level by level is joined; biases go into the means of the normalisations after them.
    """
    parts: dict[str, list[Tensor]] = {}
    for name, tensor in state.items():
        if ".conv_d." not in name:  # the last level once more
            parts.setdefault(_name(name), []).append(tensor)
    found = {name: torch.cat(tensors) if tensors[0].ndim else tensors[0] for name, tensors in parts.items()}
    normalised = {}
    for name in [name for name in found if re.search(r"\.\d\.bias$", name)]:
        before, number = name.removesuffix(".bias").rsplit(".", 1)
        following = f"{before}.{int(number) + 1}"
        if f"{following}.running_mean" in found and f"{before}.{number}.running_mean" not in found:
            normalised[f"{before}.{number}"] = following
    return without_biases(found, normalised)


def _name(key: str) -> str:
    """Ours for a name of the released code."""
    key = re.sub(r"^l(\d)\.", lambda layer: f"units.{int(layer[1]) - 1}.", key)
    for theirs, ours in _OURS.items():
        key = re.sub(theirs, ours, key)
    return key


_OURS = {
    r"^data_bn": "norm",
    r"^fc": "classify",
    r"gcn1\.aha\.conv_down": "body.attention.down",
    r"gcn1\.aha\.edge_conv\.conv": "body.attention.across.map",
    r"gcn1\.aha\.aggregate": "body.attention.up",
    r"gcn1\.PA": "body.graphs",
    r"gcn1\.conv_down\.\d": "body.down",
    r"gcn1\.conv\.\d\.3\.conv": "body.edges.map",
    r"gcn1\.conv\.\d\.\d": "body.maps",
    r"gcn1\.down": "body.beside",
    r"gcn1\.bn": "body.norm",
    r"tcn1\.branches\.0": "time.near",
    r"tcn1\.branches\.1": "time.far",
    r"tcn1\.branches\.2\.4": "time.strongest.2",
    r"tcn1\.branches\.2": "time.strongest",
    r"tcn1\.branches\.3": "time.alone",
    r"time\.(near|far|strongest)\.([01])": r"time.\1.0.\2",
    r"time\.(near|far)\.3\.bn": r"time.\1.2",
    r"time\.(near|far)\.3(\.conv)?": r"time.\1.1",
    r"residual\.conv": "beside.0",
    r"residual\.bn": "beside.1",
}
