"""NL-Net: TSA-Net without a tube, a plain non-local block over all positions of I3D's maps.

What Wang et al., ACM MM 2021, hold their tube against; its code was not released. Block, place, heads and open points
are those of `tsa_net`. Ten snippets of 224 pixels have 7840 positions after "pool_4a".
"""

from __future__ import annotations

from collections.abc import Sequence

from aqa_pipeline.batches import Facts
from aqa_pipeline.systems import i3d_mlp, tsa_net, usdl

needs = {"draws", "pictures"}
raw_target = True  # bins are points

tiny = tsa_net.tiny


def build(
    facts: Facts,
    *,
    head: str = "distribution",
    position: str = "pool_4a",
    hidden: Sequence[int] = (256, 128),
    pooling: str = "features",
    bins: int = 101,
    sigma: float = 5.0,
    bottom: float | None = 0.0,
    top: float | None = None,
    decode: str = "argmax",
    reduction: str = "sum",
    starts: Sequence[int] = usdl.STARTS,
    width: float = 1.0,
    weights: str = "",
    freeze_batch_norm: bool = False,
    eps: float = 1e-3,
    momentum: float = 0.01,
    pixels: str = "imagenet",
) -> usdl.USDL | i3d_mlp.I3DMLP:
    """The model for clips of `facts`; options as in `tsa_net`."""
    encoder = tsa_net.attended(
        "nl_net",
        facts,
        everywhere=True,
        position=position,
        starts=starts,
        width=width,
        weights=weights,
        freeze_batch_norm=freeze_batch_norm,
        eps=eps,
        momentum=momentum,
        pixels=pixels,
    )
    of_bins = dict(bins=bins, sigma=sigma, decode=decode, reduction=reduction)
    return tsa_net.scored(
        "nl_net", encoder, head=head, hidden=hidden, pooling=pooling, bottom=bottom, top=top, **of_bins
    )
