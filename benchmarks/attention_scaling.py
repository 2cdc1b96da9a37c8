"""Cost of decoupled and full attention: `python -m benchmarks.attention_scaling`.

Compares an attention unit of SMPLer with one in which image and target tokens attend to one
another jointly, over the number of image tokens: time, peak memory and operations of a forward
pass, and of one with its gradient. Both are equal around the joints.

Source of the claim: SMPLer, section 3: O(l_F l_T + l_T^2) instead of O((l_F + l_T)^2).
"""

import argparse
import json
import platform
import statistics
import sys
import time
import weakref
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import matplotlib as mpl
import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_flatten
from torch.utils.flop_counter import FlopCounterMode

from smpler_model.atomic_files import write_text_atomically
from smpler_model.body.skeleton import SMPL_JOINTS
from smpler_model.network.attention import UNITS
from smpler_model.network.config import SMPLER_W32, AttentionKind
from smpler_model.network.sampling import Patches, sample_patches
from smpler_model.network.smpler import QUERY_COUNT

KINDS: tuple[AttentionKind, ...] = ("decoupled", "full")
SIDES = (16, 24, 32, 40, 48, 56, 72)
"""Sides of the finest map; the others are a half, a quarter and an eighth. SMPLer's is 56."""

Kernel = Literal["plain", "fused"]
_LEAST_RUNS = 3


@dataclass(frozen=True)
class Row:
    """One point of the plot.

    Attributes:
        kind: type of attention.
        side: side of the finest map.
        image_tokens: l_F, on all four maps.
        gflop: operations of a forward pass, counting a multiplication and an addition as two.
        forward_ms: median time of a forward pass.
        training_ms: median time of a forward pass and its gradient.
        forward_mb: peak memory in addition to the inputs, MB.
        training_mb: the same with the gradient.
    """

    kind: str
    side: int
    image_tokens: int
    gflop: float
    forward_ms: float
    training_ms: float
    forward_mb: float
    training_mb: float


@dataclass(frozen=True)
class Inputs:
    """Inputs of a unit for one person."""

    queries: Tensor
    tokens: list[Tensor]
    patches: Patches


class PeakMemory(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Counts the bytes of all tensors that operators create, during their lifetimes."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.held = self.peak = 0
        self._seen: set[int] = set()

    def __torch_dispatch__(
        self,
        func: Callable[..., object],
        types: Sequence[type],
        args: tuple[object, ...] = (),
        kwargs: Mapping[str, object] | None = None,
    ) -> object:
        """Run an operator and count its results."""
        out = func(*args, **(kwargs or {}))
        for value in tree_flatten(out)[0]:
            if isinstance(value, Tensor):
                self._count(value.untyped_storage())
        return out

    def _count(self, storage: Any) -> None:  # noqa: ANN401 - torch leaves it untyped
        key = storage._cdata
        if key in self._seen:
            return
        size = storage.nbytes()
        self._seen.add(key)
        self.held += size
        self.peak = max(self.peak, self.held)
        weakref.finalize(storage, self._release, key, size)

    def _release(self, key: int, size: int) -> None:
        self._seen.discard(key)
        self.held -= size


def make_inputs(side: int, device: torch.device) -> Inputs:
    """Draw queries, the pixels of four maps, and the patches around the joints."""
    c = SMPLER_W32.width
    generator = torch.Generator().manual_seed(side)

    def draw(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator).to(device)

    tokens = [draw(1, (side >> scale) ** 2, c) for scale in range(len(SMPLER_W32.channels))]
    positions = draw(1, len(SMPL_JOINTS), 2).clamp(-0.9, 0.9)
    patches = sample_patches(tokens[0].reshape(1, side, side, c), positions)
    return Inputs(draw(1, QUERY_COUNT, c), tokens, patches)


def measure(kind: AttentionKind, side: int, seconds: float, device: torch.device) -> Row:
    """Measure one unit at one feature length."""
    torch.manual_seed(0)
    unit: nn.Module = UNITS[kind](SMPLER_W32).to(device).eval()
    inputs = make_inputs(side, device)

    def forward() -> None:
        with torch.no_grad():
            unit(inputs.queries, inputs.tokens, inputs.patches)

    def train() -> None:
        tokens = [values.detach().requires_grad_() for values in inputs.tokens]
        queries = inputs.queries.detach().requires_grad_()
        updated, attended = unit(queries, tokens, inputs.patches)
        # The next block reads the queries only; where tokens change, the next unit reads them.
        loss = updated.sum() + sum(t.sum() for t in attended if t.grad_fn is not None)
        torch.autograd.grad(loss, [queries, *tokens], allow_unused=True)

    with FlopCounterMode(display=False) as counter, sdpa_kernel(SDPBackend.MATH):
        forward()
    return Row(
        kind=kind,
        side=side,
        image_tokens=sum(values.shape[1] for values in inputs.tokens),
        gflop=counter.get_total_flops() / 1e9,
        forward_ms=1e3 * time_calls(forward, seconds, device),
        training_ms=1e3 * time_calls(train, seconds, device),
        forward_mb=count_memory(forward, device) / 1e6,
        training_mb=count_memory(train, device) / 1e6,
    )


def time_calls(call: Callable[[], None], seconds: float, device: torch.device) -> float:
    """Return the median time of a call, seconds."""
    call()
    times: list[float] = []
    while len(times) < _LEAST_RUNS or sum(times) < seconds:
        _wait(device)
        start = time.perf_counter()
        call()
        _wait(device)
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def count_memory(call: Callable[[], None], device: torch.device) -> int:
    """Return the peak memory of a call, bytes."""
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
        before = torch.cuda.memory_allocated(device)
        call()
        return int(torch.cuda.max_memory_allocated(device)) - before
    memory = PeakMemory()
    with memory:
        call()
    return memory.peak


def choose_kernel(kernel: Kernel) -> AbstractContextManager[None]:
    """Return a context in which PyTorch chooses the attention kernel, or uses the plain one."""
    return nullcontext() if kernel == "fused" else sdpa_kernel(SDPBackend.MATH)


def format_table(rows: list[Row]) -> str:
    """Return the measurements as Markdown, with the growth of each kind over the length."""
    lines = [
        "| attention | l_F | GFLOP | forward ms | training ms | forward MB | training MB |",
        "|---|---|---|---|---|---|---|",
    ]
    lines += [
        f"| {r.kind} | {r.image_tokens} | {r.gflop:.3f} | {r.forward_ms:.2f} | "
        f"{r.training_ms:.2f} | {r.forward_mb:.1f} | {r.training_mb:.1f} |"
        for r in rows
    ]
    return "\n".join(lines)


def plot(rows: list[Row], path: Path, title: str) -> None:
    """Plot operations, time and memory over the number of image tokens."""
    mpl.use("Agg")
    from matplotlib import pyplot, ticker

    panels = (
        ("operations, forward", "GFLOP", ("gflop",)),
        ("time", "ms", ("forward_ms", "training_ms")),
        ("peak memory", "MB", ("forward_mb", "training_mb")),
    )
    figure, axes = pyplot.subplots(1, len(panels), figsize=(12, 4), layout="constrained")
    colours = {"decoupled": "tab:blue", "full": "tab:red"}
    for axis, (name, unit, fields) in zip(axes, panels, strict=True):
        for kind in KINDS:
            chosen = [row for row in rows if row.kind == kind]
            for field, style in zip(fields, ("o-", "o--"), strict=False):
                part = field.partition("_")[0] if len(fields) > 1 else ""
                axis.plot(
                    [row.image_tokens for row in chosen],
                    [getattr(row, field) for row in chosen],
                    style,
                    color=colours[kind],
                    label=f"{kind} {part}".strip(),
                )
        axis.set(title=name, xlabel="image tokens", ylabel=unit, xscale="log", yscale="log")
        axis.set_xticks([row.image_tokens for row in rows if row.kind == KINDS[0]], minor=False)
        axis.xaxis.set_major_formatter(ticker.ScalarFormatter())
        axis.xaxis.set_minor_formatter(ticker.NullFormatter())
        axis.grid(visible=True, which="both", alpha=0.3)
        axis.legend()
    figure.suptitle(title)
    figure.savefig(path, dpi=120)
    pyplot.close(figure)


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def main() -> None:
    """Measure, print a table, draw the plot, and optionally save the results."""
    parser = argparse.ArgumentParser(description="Cost of decoupled and full attention.")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--kernel", choices=("plain", "fused"), default="fused")
    parser.add_argument("--seconds", type=float, default=0.5, help="time for each figure")
    parser.add_argument("--sides", type=int, nargs="+", default=SIDES)
    parser.add_argument("--plot", type=Path, default=Path("attention_scaling.png"))
    parser.add_argument("--output", type=Path, help="write the results here as JSON")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    device = torch.device(options.device)
    with choose_kernel(options.kernel):
        rows = [
            measure(kind, side, options.seconds, device)
            for kind in KINDS
            for side in options.sides
        ]
    where = torch.cuda.get_device_name(device) if device.type == "cuda" else platform.machine()
    title = f"one unit, one person, {options.kernel} attention, {where}, float32"
    plot(rows, options.plot, title)
    sys.stdout.write(f"{title}\n{format_table(rows)}\nplot: {options.plot}\n")
    if options.output:
        results = {"title": title, "rows": [asdict(row) for row in rows]}
        write_text_atomically(options.output, json.dumps(results, indent=2) + "\n")


if __name__ == "__main__":
    main()
