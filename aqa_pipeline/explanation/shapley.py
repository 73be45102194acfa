"""Exact Shapley values from the worth of every coalition.

Shapley, "A value for n-person games", 1953; as explanations of a prediction: Lundberg and Lee, NeurIPS 2017.
"""

from __future__ import annotations

from math import factorial

import numpy as np


def coalitions(n: int) -> np.ndarray:
    """Members (2^n, n) bool of all coalitions of n players; the first is empty, the last has everybody."""
    return (np.arange(2**n)[:, None] >> np.arange(n)) % 2 == 1


def values(worth: np.ndarray) -> np.ndarray:
    """What each player contributes, (n, ...), from the worth (2^n, ...) of `coalitions(n)`.

    They sum to `worth[-1] - worth[0]`: a player's value is the mean of what its joining adds, over all orders.
    """
    n = len(worth).bit_length() - 1
    members = coalitions(n)
    size = members.sum(axis=1)
    found = []
    for player in range(n):
        without = np.flatnonzero(~members[:, player])
        weight = np.array([factorial(s) * factorial(n - s - 1) / factorial(n) for s in size[without]])
        gain = worth[without + 2**player] - worth[without]
        found.append(np.tensordot(weight, gain, axes=1))
    return np.stack(found)
