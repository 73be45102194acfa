"""ConvISA, approximate: words of learnt motion patterns, counted, and a support vector regression on the counts.

Le, Zou, Yeung, Ng, "Learning hierarchical invariant spatio-temporal features for action recognition with independent
subspace analysis", CVPR 2011, as Pirsiavash, Vondrick, Torralba, "Assessing the Quality of Actions", ECCV 2014, set it
beside Pose+DCT. Neither how it was set up there nor any code of it was found: what follows is the descriptor as we know
it of the first paper, and the regression of Pose+DCT. Figures are to be read so.

A patch of video, whitened, goes through independent subspace analysis (ISA); the responses at the corners of a larger
block, whitened again, go through a second ISA. Both together describe the block. Blocks overlap by half and fill the
clip; k-means makes words of them, and a clip is how often each word occurs. All of this, and not only the regression,
is learnt on the training part of each fold, from blocks drawn evenly over its clips.

What we chose:

    grey levels   each patch less its mean
    descriptor    the whitened responses of the first layer, beside those of the second
    kernel        "linear", as of Pose+DCT; "chi_square", which is usual for counts, exp(-sum (x - y)^2 / (x + y))
    C             of a target with mean 0 and sd 1, as shares of words are small

Shapes: T frames, H W of a picture, N blocks, P patches in a block, F filters, V words.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import product

import numpy as np

from aqa_pipeline.batches import Clips, Facts
from aqa_pipeline.errors import InputError, expect_one_of
from aqa_pipeline.systems import _independent_subspaces as isa

needs = {"pictures"}
one_by_one = True  # the pictures of all clips are more than memory holds

KERNELS = ("linear", "chi_square")
GREY = np.array([0.299, 0.587, 0.114], np.float32) / 255  # of red, green and blue: ITU-R BT.601
AT_ONCE = 1000  # blocks that are described together

tiny = dict(patch=[2, 4, 4], block=[3, 6, 6], components=[6, 4], filters=[4, 4], blocks=40, words=3, steps=5)


def fit(
    train: Iterable[Clips],
    facts: Facts,
    *,
    patch: list[int] = [10, 16, 16],
    block: list[int] = [14, 20, 20],
    components: list[int] = [300, 300],
    filters: list[int] = [300, 200],
    group: int = 2,
    steps: int = 200,
    blocks: int = 20000,
    words: int = 3000,
    kernel: str = "linear",
    C: float = 10.0,
    nu: float = 0.5,
    seed: int = 0,
) -> dict[str, np.ndarray]:
    """Fit on all training clips, which are gone through twice: for the blocks to learn from, and to count words.

    patch, block
        Frames, height and width of what the first and the second layer see. A block's patches lie at its corners.
    components, filters
        Of both layers: values that are left of its input by whitening, and filters of the ISA.
    group
        Filters of a subspace.
    steps
        Of each ISA, at most.
    blocks, words
        Blocks to learn from, and V.
    kernel, C, nu
        Of the nu-SVR on the counts of words.
    """
    from sklearn.cluster import MiniBatchKMeans
    from sklearn.svm import NuSVR

    expect_one_of("conv_isa.kernel", kernel, KERNELS)
    _expect_fits(patch, block, components, blocks, words)
    layout = dict(patch=np.array(patch), block=np.array(block), group=np.array([group]))
    rng = np.random.default_rng(seed)
    drawn = _drawn(train, block, blocks, rng)  # (N, *block)
    corners = _patches(drawn, patch)  # (N, P, values of a patch)
    one_each = corners[np.arange(len(corners)), rng.integers(corners.shape[1], size=len(corners))]
    first = _learnt(one_each, components[0], filters[0], group, steps, seed)
    second = _learnt(_first_layer(corners, first, group), components[1], filters[1], group, steps, seed)
    weights = layout | {f"first.{k}": v for k, v in first.items()} | {f"second.{k}": v for k, v in second.items()}
    described = _described(drawn, weights)
    vocabulary = MiniBatchKMeans(words, random_state=seed, n_init=1, batch_size=1024).fit(described)
    weights["words"] = vocabulary.cluster_centers_.astype(np.float32)
    counts, target = [], []
    for clip in train:
        counts.append(_counts(clip, weights))
        target.append(float(clip.target[0]))
    counts, scale = np.stack(counts), np.array([np.mean(target), np.std(target) or 1.0])
    model = NuSVR(kernel="precomputed", C=C, nu=nu).fit(_KERNEL[kernel](counts, counts), (target - scale[0]) / scale[1])
    return weights | dict(
        vectors=counts[model.support_],
        dual=model.dual_coef_[0],
        intercept=model.intercept_,
        target=scale,
        kernel=np.array([KERNELS.index(kernel)]),
    )


def predict(weights: Mapping[str, np.ndarray], test: Iterable[Clips]) -> np.ndarray:
    """Predicted target (N,)."""
    counts = np.stack([_counts(clip, weights) for clip in test])
    inner = _KERNEL[KERNELS[int(weights["kernel"][0])]](counts, weights["vectors"])  # (N, support vectors)
    return (inner @ weights["dual"] + weights["intercept"][0]) * weights["target"][1] + weights["target"][0]


def _expect_fits(patch: list[int], block: list[int], components: list[int], blocks: int, words: int) -> None:
    if any(small > large for small, large in zip(patch, block, strict=True)):
        raise InputError(f"conv_isa.patch: found {patch}, expected {block} at most, as conv_isa.block")
    least = max(*components, words)
    if blocks < least:
        raise InputError(f"conv_isa.blocks: found {blocks}, expected {least} or more, as components and words")


def _linear(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    return one @ other.T


def _chi_square(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    from sklearn.metrics.pairwise import chi2_kernel

    return chi2_kernel(one, other)


_KERNEL = {"linear": _linear, "chi_square": _chi_square}


def _grey(clip: Clips) -> np.ndarray:
    """Grey levels (T, H, W), 0 to 1, of one clip."""
    return np.tensordot(np.asarray(clip.inputs["frames"][0]), GREY, axes=(1, 0))


def _corners(size: tuple[int, ...], block: np.ndarray | list[int]) -> list[tuple[int, ...]]:
    """First frame, row and column of blocks that overlap by half; InputError where a clip is smaller than one."""
    if any(whole < part for whole, part in zip(size, block, strict=True)):
        raise InputError(f"conv_isa.block: found {list(block)}, expected {list(size)} at most, as the pictures")
    axes = [range(0, whole - part + 1, max(1, part // 2)) for whole, part in zip(size, block, strict=True)]
    return list(product(*axes))


def _cut(grey: np.ndarray, corners: Iterable[tuple[int, ...]], block: np.ndarray | list[int]) -> np.ndarray:
    """Blocks (N, *block) of grey levels (T, H, W)."""
    return np.stack([grey[tuple(slice(a, a + n) for a, n in zip(at, block, strict=True))] for at in corners])


def _drawn(train: Iterable[Clips], block: list[int], count: int, rng: np.random.Generator) -> np.ndarray:
    """About so many blocks (N, *block), as many of each clip, anywhere in it."""
    drawn = []
    each = -(-count // len(train))
    for clip in train:
        grey = _grey(clip)
        _corners(grey.shape, block)  # a clip smaller than a block is said so
        room = [whole - part + 1 for whole, part in zip(grey.shape, block, strict=True)]
        drawn.append(_cut(grey, rng.integers(room, size=(each, 3)), block))
    return np.concatenate(drawn)


def _patches(blocks: np.ndarray, patch: np.ndarray | list[int]) -> np.ndarray:
    """The patches at the eight corners of blocks (N, *block), each less its mean, (N, 8, values of a patch)."""
    ends = [(0, whole - part) for whole, part in zip(blocks.shape[1:], patch, strict=True)]
    cut = [
        blocks[:, t : t + patch[0], y : y + patch[1], x : x + patch[2]].reshape(len(blocks), -1)
        for t, y, x in product(*ends)
    ]
    patches = np.stack(cut, axis=1)
    return patches - patches.mean(axis=2, keepdims=True)


def _learnt(
    inputs: np.ndarray, components: int, filters: int, group: int, steps: int, seed: int
) -> dict[str, np.ndarray]:
    """Whitening and ISA of inputs (N, D), as arrays."""
    from sklearn.decomposition import PCA

    if components > inputs.shape[1]:
        raise InputError(f"conv_isa.components: found {components}, expected {inputs.shape[1]} at most, as the input")
    pca = PCA(components, whiten=True, random_state=seed).fit(inputs)
    scale = np.sqrt(np.maximum(pca.explained_variance_, np.finfo(np.float32).eps))  # flat directions stay flat
    whitening = (pca.components_ / scale[:, None]).astype(np.float32)
    mean = pca.mean_.astype(np.float32)
    learnt, _ = isa.learn((inputs - mean) @ whitening.T, filters=filters, group=group, steps=steps, seed=seed)
    return dict(mean=mean, whitening=whitening, filters=learnt)


def _first_layer(patches: np.ndarray, first: Mapping[str, np.ndarray], group: int) -> np.ndarray:
    """Responses of the first layer, side by side: (N, P, values of a patch) -> (N, P F / G)."""
    white = (patches.reshape(-1, patches.shape[2]) - first["mean"]) @ first["whitening"].T
    return isa.responses(white, first["filters"], group=group).reshape(len(patches), -1)


def _described(blocks: np.ndarray, weights: Mapping[str, np.ndarray]) -> np.ndarray:
    """Descriptors of blocks (N, *block): what is left of the first layer, and the second."""
    first, second = (
        {name.removeprefix(layer): value for name, value in weights.items() if name.startswith(layer)}
        for layer in ("first.", "second.")
    )
    group = int(weights["group"][0])
    found = []
    for start in range(0, len(blocks), AT_ONCE):
        responses = _first_layer(_patches(blocks[start : start + AT_ONCE], weights["patch"]), first, group)
        white = (responses - second["mean"]) @ second["whitening"].T
        found.append(np.concatenate([white, isa.responses(white, second["filters"], group=group)], axis=1))
    return np.concatenate(found)


def _counts(clip: Clips, weights: Mapping[str, np.ndarray]) -> np.ndarray:
    """The share of each word (V,) among the blocks of a clip."""
    grey, block, words = _grey(clip), weights["block"], weights["words"]
    corners, counts = _corners(grey.shape, block), np.zeros(len(words))
    for start in range(0, len(corners), AT_ONCE):
        described = _described(_cut(grey, corners[start : start + AT_ONCE], block), weights)
        nearest = ((words**2).sum(axis=1) - 2 * described @ words.T).argmin(axis=1)
        counts += np.bincount(nearest, minlength=len(words))
    return counts / counts.sum()
