"""Adam and AdamW in a few lines.

`torch.optim` imports torch's compiler, which takes about as long as torch itself; a table starts dozens of small runs.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
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

    def step(self, lr: float | Sequence[float]) -> None:
        """One step, after which no gradient is left; a weight without one stays.

        lr
            One learning rate for all, or one for each of `parameters`.
        """
        import torch

        self._steps += 1
        of_rate: dict[float, list[int]] = {}
        for i, p in enumerate(self.parameters):
            if p.grad is not None:
                of_rate.setdefault(lr[i] if isinstance(lr, Sequence) else lr, []).append(i)
        with torch.no_grad():
            for rate, moved in of_rate.items():
                weights = [self.parameters[i] for i in moved]
                gradients = [p.grad for p in weights]
                self._decay(weights, gradients, rate)
                self._move(weights, gradients, [self._means[i] for i in moved], [self._squares[i] for i in moved], rate)
        self.clear()

    def clear(self) -> None:
        """Forget the gradients."""
        for p in self.parameters:
            p.grad = None

    @property
    def param_groups(self) -> list[dict[str, list[nn.Parameter]]]:
        """As torch's optimisers name them, which is how its gradient scaler finds the gradients."""
        return [{"params": self.parameters}]

    def state(self) -> dict[str, Tensor]:
        """The running means, by name."""
        import torch

        named = (("mean", self._means), ("square", self._squares))
        moments = {f"{name}.{i}": tensor for name, tensors in named for i, tensor in enumerate(tensors)}
        return {"steps": torch.tensor(self._steps), **moments}

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Go on from a `state`."""
        self._steps = int(state["steps"])
        for name, tensors in (("mean", self._means), ("square", self._squares)):
            for i, tensor in enumerate(tensors):
                tensor.copy_(state[f"{name}.{i}"])

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
