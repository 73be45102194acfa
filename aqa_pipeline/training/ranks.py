"""The processes that train one model together, each on a device and a part of every step's pairs.

`python -m torch.distributed.run --standalone --nproc_per_node N -m ...` starts them and tells each its rank.
"""

from __future__ import annotations

import contextlib
import ctypes
import datetime
import os
import signal
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from aqa_pipeline.errors import InputError

if TYPE_CHECKING:
    from torch import nn

T = TypeVar("T")

PARENT_DEATH_SIGNAL = 1  # PR_SET_PDEATHSIG of <linux/prctl.h>
PATIENCE = datetime.timedelta(days=1)  # the others wait while the first is judging; the launcher sees who died


@dataclass(frozen=True)
class Ranks:
    """This process among those that train together; alone it has nothing to exchange."""

    rank: int = 0
    count: int = 1

    @property
    def is_first(self) -> bool:
        """Whether this is the process that judges and writes."""
        return self.rank == 0

    def share_weights(self, model: nn.Module) -> None:
        """Give all of them the weights and buffers of the first."""
        if self.count == 1:
            return
        import torch

        for tensor in model.state_dict().values():
            torch.distributed.broadcast(tensor, src=0)

    def add_gradients(self, parameters: Sequence[nn.Parameter]) -> None:
        """Give all of them the sum of their gradients; a weight that no process used stays without one."""
        if self.count == 1:
            return
        import torch

        used = torch.tensor([float(p.grad is not None) for p in parameters], device=parameters[0].device)
        own = [torch.zeros_like(p) if p.grad is None else p.grad for p in parameters]
        flat = torch.cat([*(gradient.flatten() for gradient in own), used])  # one message
        torch.distributed.all_reduce(flat)
        *summed, used = flat.split([*(p.numel() for p in parameters), len(parameters)])
        for p, gradient, is_used in zip(parameters, summed, used.tolist(), strict=True):
            p.grad = gradient.view_as(p) if is_used else None

    def gather(self, value: T) -> list[T]:
        """What each of them has, by rank."""
        if self.count == 1:
            return [value]
        import torch

        values = [value] * self.count
        torch.distributed.all_gather_object(values, value)
        return values


ALONE = Ranks()


@contextlib.contextmanager
def joined(devices: int, *, device: str = "auto") -> Iterator[Ranks]:
    """This process among the `devices` that the launcher started; an InputError where it started another number."""
    started = int(os.environ.get("WORLD_SIZE", 1))
    if started != devices:
        launcher = (
            f"python -m torch.distributed.run --standalone --nproc_per_node {devices} -m aqa_pipeline.stages.train"
        )
        raise InputError(f"training.devices: found {devices} but {started} process(es), expected `{launcher}`")
    if devices == 1:
        yield ALONE
        return
    import torch

    _die_with_launcher()
    on_gpu = device != "cpu" and torch.cuda.is_available()
    if on_gpu:
        local, there = int(os.environ["LOCAL_RANK"]), torch.cuda.device_count()
        if local >= there:
            raise InputError(f"training.devices: found {devices}, torch sees {there}; expected at most {there}")
        torch.cuda.set_device(local)
    torch.distributed.init_process_group("nccl" if on_gpu else "gloo", timeout=PATIENCE)
    try:
        yield Ranks(torch.distributed.get_rank(), devices)
    finally:
        torch.distributed.destroy_process_group()


def _die_with_launcher() -> None:
    """It starts every process in a session of its own, where nothing would end them if it is killed itself."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PARENT_DEATH_SIGNAL, signal.SIGKILL)
