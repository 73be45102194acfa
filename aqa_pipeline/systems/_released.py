"""Parameters of the modules that FineDiving and its successors share, from the names of their released code to ours."""

from __future__ import annotations

import re
from collections.abc import Mapping

import torch
from torch import Tensor

from aqa_pipeline.errors import InputError

Tensors = Mapping[str, Tensor]

KINETICS_CLASSES = "conv3d_0c_1x1."  # of I3D; no system here classifies


def renamed(tensors: Tensors, names: Mapping[str, str], prefix: str) -> dict[str, Tensor]:
    """Every tensor under the first of the patterns that fits the start of its name; InputError where none does."""
    found = {}
    for name, tensor in bare(tensors).items():
        for pattern, ours in names.items():
            new, count = re.subn(rf"^{pattern}\.(?=[^.]+$)", f"{ours}.", name)
            if count:
                found[f"{prefix}.{new}"] = tensor
                break
        else:
            raise InputError(f"official weights: found '{name}', which {prefix} has no place for")
    return found


def i3d(tensors: Tensors, prefix: str) -> dict[str, Tensor]:
    """The backbone without its classification layer."""
    named = {name.removeprefix("backbone."): tensor for name, tensor in bare(tensors).items()}
    return {f"{prefix}.{name}": tensor for name, tensor in named.items() if not name.startswith(KINETICS_CLASSES)}


def double_convolutions(tensors: Tensors, prefix: str, first: str, *others: str) -> dict[str, Tensor]:
    """A `DoubleConvolutions` from its modules; those after the first hold a pooling before their convolutions."""
    names = {rf"{first}\.conv\.conv\.(\d)": r"blocks.0.\1"}
    for number, name in enumerate(others, 1):
        names[rf"{name}\.(?:mpconv\.1\.)?conv\.(\d)"] = rf"blocks.{number}.\1"
    wanted = [name for name in bare(tensors) if name.split(".")[0] in (first, *others)]
    return renamed({name: bare(tensors)[name] for name in wanted}, names, prefix)


def psnet(tensors: Tensors, prefix: str) -> dict[str, Tensor]:
    """A `PSNet`; FineDiving and FineParser number its convolutions differently, in the same order."""
    first, *others = dict.fromkeys(name.split(".")[0] for name in bare(tensors) if not name.startswith("tas."))
    head = {name: tensor for name, tensor in bare(tensors).items() if name.startswith("tas.")}
    trunk = double_convolutions(tensors, f"{prefix}.trunk", first, *others)
    return trunk | renamed(head, {f"tas\\.layer{i + 1}": str(2 * i) for i in range(3)}, f"{prefix}.head")


def decoder(tensors: Tensors, prefix: str) -> dict[str, Tensor]:
    """A `Stack` of "cross_only" blocks; ours has the maps to keys and to values in one."""
    joint = dict(bare(tensors))
    for name in [name for name in joint if name.endswith("attn.k_map.weight")]:
        value = joint.pop(name.replace("k_map", "v_map"))
        joint[name.replace("k_map", "key_value")] = torch.cat([joint.pop(name), value])
    block = r"model\.(\d+)"
    return renamed(
        joint,
        {
            rf"{block}\.norm_q": r"blocks.\1.cross_norm",
            rf"{block}\.norm_v": r"blocks.\1.context_norm",
            rf"{block}\.norm2": r"blocks.\1.norm",
            rf"{block}\.attn\.q_map": r"blocks.\1.cross_attention.to_query",
            rf"{block}\.attn\.key_value": r"blocks.\1.cross_attention.to_key_value",
            rf"{block}\.attn\.proj": r"blocks.\1.cross_attention.out",
            rf"{block}\.mlp\.fc1": r"blocks.\1.mlp.0",
            rf"{block}\.mlp\.fc2": r"blocks.\1.mlp.2",
        },
        prefix,
    )


def token_head(tensors: Tensors, prefix: str) -> dict[str, Tensor]:
    """A `TokenHead`."""
    return renamed(tensors, {f"layer{i + 1}": f"maps.{2 * i}" for i in range(3)}, prefix)


def gru_segmenter(tensors: Tensors, prefix: str) -> dict[str, Tensor]:
    """A `GRUSegmenter`, which needs no bias after its last map."""
    out = r"_pred_fine\._fc_out\._fc_out"
    needed = {name: tensor for name, tensor in bare(tensors).items() if not re.fullmatch(rf"{out}\.bias", name)}
    return renamed(needed, {r"_pred_fine\._gru": "gru", out: "out"}, prefix)


def regnet_gsm(tensors: Tensors, prefix: str) -> dict[str, Tensor]:
    """RegNetY with gated shifts, by timm's names but for the shifts and what they stand before."""
    theirs = {"conv1.gsm.conv3D.": "conv1.0.gate.", "conv1.gsm.bn.": "conv1.0.norm.", "conv1.net.": "conv1.1."}
    found = {}
    for name, tensor in bare(tensors).items():
        for old, new in theirs.items():
            name = name.replace(old, new)
        found[f"{prefix}.{name.removeprefix('_features.')}"] = tensor
    return found


def pose_guided_block(tensors: Tensors, prefix: str) -> dict[str, Tensor]:
    """A `PoseGuidedBlock`; ours has the maps to keys and to values in one."""
    joint = dict(bare(tensors))
    key, value = (joint.pop(f"attn.{name}_map.weight") for name in "kv")
    joint |= {"attn.key_value.weight": torch.cat([key, value])}
    weight = joint.pop("attn.pose_weight")
    return renamed(
        joint,
        {
            "norm_q": "attention_norm",
            "norm2": "norm",
            r"attn\.q_map": "attention.to_query",
            r"attn\.key_value": "attention.to_key_value",
            r"attn\.proj": "attention.out",
            r"attn\.pose_map": "pose",
            r"mlp\.fc1": "mlp.0",
            r"mlp\.fc2": "mlp.2",
        },
        prefix,
    ) | {f"{prefix}.weight": weight}


def bare(tensors: Tensors) -> dict[str, Tensor]:
    """Without the prefix of torch's wrappers for several GPUs."""
    return {name.removeprefix("module."): tensor for name, tensor in tensors.items()}
