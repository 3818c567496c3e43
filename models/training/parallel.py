"""Training in several processes, as `torchrun` starts them: every process trains on its share of each batch.

``torchrun --nproc_per_node=4 -m signflow.models.training RECIPE`` runs four, on one machine or (``--nnodes``) on
several that share a file system. Gradients are averaged by PyTorch's DistributedDataParallel, over NCCL on GPUs and
Gloo on CPUs, so for a network without batch statistics a step is that of one process on the whole batch, but for the
order of floating-point sums. Batch statistics are those of each process' share, and the running ones are the first
process'.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, distributed, nn
from torch.nn.parallel import DistributedDataParallel


@dataclass(frozen=True)
class Workers:
    """This process among ``size``, counted from 0, and the device it computes on. The first one writes files."""

    rank: int
    size: int
    device: torch.device

    @property
    def first(self) -> bool:
        """Whether this process writes files and speaks."""
        return self.rank == 0

    def share(self, items: Tensor) -> Tensor:
        """This process' part of ``items`` along dimension 0: contiguous, of equal length where ``size`` divides it."""
        return items.tensor_split(self.size)[self.rank]

    def wrap(self, net: nn.Module) -> nn.Module:
        """``net``, in a module that averages gradients over all processes when there are several."""
        if self.size == 1:
            return net
        return DistributedDataParallel(net, device_ids=[self.device.index] if self.device.type == "cuda" else None)

    def agree(self, net: nn.Module) -> None:
        """Give every process the first one's buffers (running statistics): gradients agree anyway, these do not."""
        if self.size > 1:
            for buffer in net.buffers():
                distributed.broadcast(buffer, 0)

    def same(self, value: int) -> bool:
        """Whether all processes have the same ``value``; every process learns the same answer."""
        extremes = torch.tensor([value, -value], device=self.device)
        if self.size > 1:
            distributed.all_reduce(extremes, distributed.ReduceOp.MAX)
        return extremes[0].item() == -extremes[1].item()

    def total(self, value: Tensor) -> Tensor:
        """Sum of ``value`` over all processes (in place)."""
        if self.size > 1:
            distributed.all_reduce(value)
        return value


ALONE = Workers(0, 1, torch.device("cpu"))
"""One process on the CPU."""


@contextmanager
def workers() -> Iterator[Workers]:
    """The processes that `torchrun` announces in the environment; without it this one alone.

    Inside another `workers` the connection is shared: a second one under the same `torchrun` would find the addresses
    of the first.
    """
    size, cuda = int(os.environ.get("WORLD_SIZE", "1")), torch.cuda.is_available()
    device = torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0"))) if cuda else torch.device("cpu")
    if size == 1 or distributed.is_initialized():
        yield Workers(distributed.get_rank() if size > 1 else 0, size, device)
        return
    if cuda:
        torch.cuda.set_device(device)
    distributed.init_process_group("nccl" if cuda else "gloo")
    try:
        yield Workers(distributed.get_rank(), size, device)
    finally:
        distributed.destroy_process_group()
