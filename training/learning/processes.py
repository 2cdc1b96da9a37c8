"""Distributed training processes, as started by torchrun; often a single one."""

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed.nn.functional import all_reduce

from training.settings import Device

_CPU = torch.device("cpu")


@dataclass(frozen=True)
class Processes:
    """This process's rank and device.

    Attributes:
        rank: number of this process, from 0.
        count: number of processes (world size).
        device: device of this process.
    """

    rank: int = 0
    count: int = 1
    device: torch.device = _CPU

    @property
    def is_first(self) -> bool:
        """Whether this is rank 0, which writes files and logs."""
        return self.rank == 0

    def mean(self, values: Tensor) -> Tensor:
        """Return the mean over all ranks; shapes must be equal."""
        if self.count == 1:
            return values
        total = values.clone()
        dist.all_reduce(total)
        return total / self.count

    def gather(self, value: object) -> list[Any]:
        """Gather the values of all ranks, in order."""
        if self.count == 1:
            return [value]
        values: list[Any] = [None] * self.count
        dist.all_gather_object(values, value)
        return values

    def copy_first(self, values: Iterable[Tensor]) -> None:
        """Broadcast the tensors of rank 0."""
        if self.count > 1:
            for tensor in values:
                dist.broadcast(tensor, 0)

    def wait(self) -> None:
        """Barrier across ranks."""
        if self.count > 1:
            dist.barrier()


@contextmanager
def join_processes(device: Device = "auto") -> Iterator[Processes]:
    """Join torchrun's process group, and leave it at the end.

    GPUs communicate through NCCL, CPUs through Gloo.

    Raises:
        ValueError: a GPU is requested but not available, or srun started several processes that
            do not know of each other.
    """
    chosen = device_of_process(device)
    count = int(os.environ.get("WORLD_SIZE", "1"))
    tasks = int(os.environ.get("SLURM_NTASKS", "1"))
    if "WORLD_SIZE" not in os.environ and "SLURM_PROCID" in os.environ and tasks > 1:
        raise ValueError(
            f"processes of one training must come from torchrun, got {tasks} from srun that would "
            "each train alone; give srun one task per node, with torchrun as its command"
        )
    if count == 1:
        yield Processes(device=chosen)
        return
    if chosen.type == "cuda":
        torch.cuda.set_device(chosen)
        dist.init_process_group("nccl", device_id=chosen)  # else barriers guess it, and warn
    else:
        dist.init_process_group("gloo")
    try:
        yield Processes(dist.get_rank(), dist.get_world_size(), chosen)
    finally:
        dist.destroy_process_group()


def device_of_process(device: Device) -> torch.device:
    """Return the device of this process.

    Raises:
        ValueError: a GPU is requested but not available.
    """
    available = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if device == "cuda" and not available:
        raise ValueError("device must be available, got cuda without a GPU; choose cpu or auto")
    if device == "cpu" or not available:
        return torch.device("cpu")
    local = int(os.environ.get("LOCAL_RANK", "0"))
    if local >= available:
        raise ValueError(
            f"each process needs a GPU, got {available} for process {local}; start fewer with "
            "--nproc-per-node"
        )
    return torch.device("cuda", local)


def choose_products(*, tf32: bool) -> None:
    """Set the precision of float32 matrix products on GPUs, for the whole process.

    Args:
        tf32: whether to round factors to 10 bits, which is several times faster. PyTorch does so
            in convolutions unless told otherwise.
    """
    torch.backends.cudnn.allow_tf32 = tf32
    torch.backends.cuda.matmul.allow_tf32 = tf32


class SharedBatchNorm(nn.BatchNorm2d):
    """Synchronised batch norm over all ranks, for CPUs.

    PyTorch's own `SyncBatchNorm` computes the same but does not support CPUs.
    """

    def forward(self, x: Tensor) -> Tensor:
        """(b, c, h, w) -> (b, c, h, w); b may differ between processes."""
        if not self.training:
            return super().forward(x)
        size = x.new_tensor([x.numel() / x.shape[1]])
        flat = x.transpose(0, 1).flatten(1)  # (c, b h w)
        sums = _sum_over_processes(torch.cat((flat.sum(1), size)))
        total = sums[-1].detach()
        mean = sums[:-1] / total
        squares = _sum_over_processes((flat - mean[:, None]).square().sum(1))
        variance = squares / total
        self._follow(mean.detach(), variance.detach() * total / (total - 1))
        scale = self.weight * torch.rsqrt(variance + self.eps)
        shift = self.bias - mean * scale
        normalised: Tensor = x * scale[:, None, None] + shift[:, None, None]
        return normalised

    @torch.no_grad()
    def _follow(self, mean: Tensor, variance: Tensor) -> None:
        if self.running_mean is None or self.running_var is None or self.momentum is None:
            raise ValueError("SharedBatchNorm keeps running statistics; convert such layers only")
        self.running_mean.lerp_(mean.to(self.running_mean.dtype), self.momentum)
        self.running_var.lerp_(variance.to(self.running_var.dtype), self.momentum)
        if self.num_batches_tracked is not None:
            self.num_batches_tracked.add_(1)


def _sum_over_processes(values: Tensor) -> Tensor:
    """Sum over all ranks; gradients flow back to all of them."""
    total: Tensor = all_reduce(values)  # type: ignore[no-untyped-call]
    return total


def share_batch_norms(module: nn.Module, device: torch.device) -> nn.Module:
    """Replace batch norms by synchronised ones."""
    if device.type == "cuda":
        converted: nn.Module = nn.SyncBatchNorm.convert_sync_batchnorm(module)  # type: ignore[no-untyped-call]
        return converted
    for name, child in module.named_children():
        if type(child) is nn.BatchNorm2d:
            shared = SharedBatchNorm(child.num_features, child.eps, child.momentum)
            shared.to(child.weight.device, child.weight.dtype).load_state_dict(child.state_dict())
            setattr(module, name, shared.train(child.training))
        else:
            share_batch_norms(child, device)
    return module
