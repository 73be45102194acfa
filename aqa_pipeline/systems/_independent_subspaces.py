"""Independent subspace analysis (ISA): filters that come in groups, of which few answer to any one input.

Hyvarinen and Hoyer, Neural Computation 2000; learnt by projected gradient as in Le, Zou, Yeung, Ng, "Learning
hierarchical invariant spatio-temporal features for action recognition with independent subspace analysis", CVPR 2011.

Shapes: N inputs of D whitened values, F filters in F / G groups of G.
"""

from __future__ import annotations

import numpy as np

from aqa_pipeline.errors import InputError

TINY = 1e-8  # under the root, whose slope at 0 is infinite


def responses(inputs: np.ndarray, filters: np.ndarray, *, group: int) -> np.ndarray:
    """Length (N, F / G) of each input in each subspace; neighbouring rows of the filters (F, D) are a group."""
    answers = inputs @ filters.T
    return np.sqrt((answers.reshape(len(inputs), -1, group) ** 2).sum(axis=2) + TINY)


def learn(inputs: np.ndarray, *, filters: int, group: int, steps: int, seed: int) -> tuple[np.ndarray, list[float]]:
    """Orthonormal filters (F, D) that make the sum of the responses small, and that sum, mean over inputs, by step.

    A step goes down the gradient and then to the nearest orthonormal filters. It is halved until the sum falls, and
    lengthened after that; where no step helps any more, learning ends early.
    """
    if filters % group or not 0 < filters <= inputs.shape[1]:
        raise InputError(f"isa: found {filters} filters in groups of {group} for {inputs.shape[1]} values, expected "
                         "whole groups, and no more filters than values")  # fmt: skip
    start = np.random.default_rng(seed).normal(size=(filters, inputs.shape[1]))
    found = orthonormal(start).astype(inputs.dtype)
    value, slope = _objective(inputs, found, group)
    values, step = [value], 1.0
    for _ in range(steps):
        while step > 1e-6:
            moved = orthonormal(found - step * slope)
            value, its_slope = _objective(inputs, moved, group)
            if value < values[-1]:
                break
            step /= 2
        else:
            break
        found, slope, step = moved, its_slope, 1.5 * step
        values.append(value)
    return found, values


def orthonormal(filters: np.ndarray) -> np.ndarray:
    """The nearest filters W (F, D) with W W^T = I, which is (W W^T)^(-1/2) W."""
    left, _, right = np.linalg.svd(filters, full_matrices=False)
    return left @ right


def _objective(inputs: np.ndarray, filters: np.ndarray, group: int) -> tuple[float, np.ndarray]:
    """Sum of the responses, mean over the inputs, and its gradient (F, D)."""
    lengths = responses(inputs, filters, group=group)
    shares = (inputs @ filters.T) / lengths.repeat(group, axis=1)
    return float(lengths.sum(axis=1).mean()), shares.T @ inputs / len(inputs)
