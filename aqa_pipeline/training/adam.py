"""Adam and AdamW in a few lines.

`torch.optim` imports torch's compiler, which takes about as long as torch itself; a table starts dozens of small runs.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor, nn

BETAS, EPSILON = (0.9, 0.999), 1e-8


class Adam:
    """Steps the weights of a model by their gradients; equal to torch.optim.Adam or, `decoupled`, to AdamW."""

    def __init__(self, parameters: Iterable[nn.Parameter], *, weight_decay: float, decoupled: bool) -> None:
        import torch

        self.parameters = [p for p in parameters if p.requires_grad]
        self._weight_decay, self._decoupled, self._steps = weight_decay, decoupled, 0
        self._means = [torch.zeros_like(p) for p in self.parameters]
        self._squares = [torch.zeros_like(p) for p in self.parameters]

    def step(self, lr: float) -> None:
        """One step at this learning rate, after which no gradient is left; a weight without one stays."""
        import torch

        self._steps += 1
        with torch.no_grad():
            moved = [i for i, p in enumerate(self.parameters) if p.grad is not None]
            weights = [self.parameters[i] for i in moved]
            gradients = [p.grad for p in weights]
            self._decay(weights, gradients, lr)
            self._move(weights, gradients, [self._means[i] for i in moved], [self._squares[i] for i in moved], lr)
        for p in weights:
            p.grad = None

    def _decay(self, weights: list[Tensor], gradients: list[Tensor], lr: float) -> None:
        """Matrices alone: shrinking biases and norms does not regularise."""
        matrices = [i for i, p in enumerate(weights) if p.ndim > 1]
        for i in matrices if self._weight_decay else ():
            if self._decoupled:
                weights[i].mul_(1 - lr * self._weight_decay)
            else:
                gradients[i].add_(weights[i], alpha=self._weight_decay)

    def _move(
        self, weights: list[Tensor], gradients: list[Tensor], means: list[Tensor], squares: list[Tensor], lr: float
    ) -> None:
        """Against the running mean of the gradient, over the root of that of its square; one call for all weights."""
        import torch

        first, second = (1 - beta**self._steps for beta in BETAS)  # the running means start at zero
        torch._foreach_lerp_(means, gradients, 1 - BETAS[0])
        torch._foreach_mul_(squares, BETAS[1])
        torch._foreach_addcmul_(squares, gradients, gradients, value=1 - BETAS[1])
        roots = torch._foreach_sqrt(torch._foreach_div(squares, second))
        torch._foreach_add_(roots, EPSILON)
        torch._foreach_addcdiv_(weights, means, roots, value=-lr / first)
