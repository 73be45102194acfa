"""Adam and AdamW in thirty lines.

`torch.optim` imports torch's compiler, which takes about as long as torch itself; a table starts dozens of small runs.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import nn

BETAS, EPSILON = (0.9, 0.999), 1e-8


class Adam:
    """Steps the weights of a model by their gradients; equal to torch.optim.Adam or, `decoupled`, to AdamW.

    Weight decay acts on matrices only: shrinking biases and norms does not regularise.
    """

    def __init__(self, parameters: Iterable[nn.Parameter], *, weight_decay: float, decoupled: bool) -> None:
        import torch

        self.parameters = [p for p in parameters if p.requires_grad]
        self._decay = [weight_decay if p.ndim > 1 else 0.0 for p in self.parameters]
        self._decoupled, self._steps = decoupled, 0
        self._mean = [torch.zeros_like(p) for p in self.parameters]
        self._square = [torch.zeros_like(p) for p in self.parameters]

    def step(self, lr: float) -> None:
        """One step at this learning rate, after which no gradient is left; a weight without one stays."""
        import torch

        self._steps += 1
        first, second = (1 - beta**self._steps for beta in BETAS)  # the running means start at zero
        with torch.no_grad():
            for p, decay, mean, square in zip(self.parameters, self._decay, self._mean, self._square, strict=True):
                if p.grad is None:
                    continue
                if self._decoupled:
                    p.mul_(1 - lr * decay)
                    gradient = p.grad
                else:
                    gradient = p.grad.add(p, alpha=decay) if decay else p.grad
                mean.lerp_(gradient, 1 - BETAS[0])
                square.mul_(BETAS[1]).addcmul_(gradient, gradient, value=1 - BETAS[1])
                p.addcdiv_(mean, (square / second).sqrt_().add_(EPSILON), value=-lr / first)
                p.grad = None
