"""Backends that run the network, selected by name; all give the same results.

| name | what runs |
|---|---|
| `plain` | `smpler.Smpler` unchanged: the reference for all others |
| `eager` | the fast network in PyTorch, operation by operation |
| `compiled` | the fast network with torch.compile; needs a C++ compiler and starts slowly |
| `onnxruntime` | the fast network in ONNX Runtime, on a CPU |
| `openvino` | the fast network in OpenVINO, on a CPU |
| `cuda_graph` | the fast network as CUDA graphs, one per batch size of `cuda_graphs.BUCKETS` |
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

import torch

from smpler_model.inference.cuda_graphs import BucketRunner, GraphCapture, call_again
from smpler_model.inference.export import (
    ExportError,
    exported_network,
    fingerprint,
    read_metadata,
)
from smpler_model.inference.fast_network import OUTPUT_SHAPES, FastSmpler, check_attention
from smpler_model.inference.optional_packages import import_optional, is_usable
from smpler_model.inference.runners import (
    OUTPUT_SIZE,
    OnnxRuntimeRunner,
    OpenVinoRunner,
    PlainNetwork,
    Runner,
    TorchRunner,
    openvino_has_bfloat16,
)
from smpler_model.network.backbone import name_stem
from smpler_model.network.config import ModelConfig
from smpler_model.network.smpler import Smpler

Backend = Literal["auto", "plain", "eager", "compiled", "onnxruntime", "openvino", "cuda_graph"]
BACKENDS: tuple[Backend, ...] = get_args(Backend)
Precision = Literal["auto", "float32", "half"]
PRECISIONS: tuple[Precision, ...] = get_args(Precision)

_ON_CPU_ONLY = ("onnxruntime", "openvino")
_IN_FLOAT32_ONLY = ("plain", "onnxruntime")
_FASTEST_ON_CPU: tuple[Backend, ...] = ("onnxruntime",)
"""OpenVINO is as fast but never chosen automatically: when one of its networks is destroyed, it
leaves the thread with a signal stack that is too small, and the next signal (Ctrl-C) kills the
process.
"""


@dataclass(frozen=True)
class Choice:
    """How a network is run.

    Attributes:
        backend: any but `auto`.
        device: device of the network.
        half: whether feature maps are in half precision: float16 on a GPU, bfloat16 on a CPU.
        exported: an ONNX file of this network for `onnxruntime`; None to export one, or take it
            from `export_cache`.
    """

    backend: Backend
    device: torch.device
    half: bool
    exported: Path | None = None

    def __str__(self) -> str:
        """Name the backend and its precision, as in 'cuda_graph in half precision'."""
        return f"{self.backend} in {'half precision' if self.half else 'float32'}"

    def fallbacks(self) -> "list[Choice]":
        """Return what else can run the network there, the fastest first.

        The same backend in float32, then `eager` in float32, then `plain`.
        """
        ways: tuple[tuple[Backend, bool], ...] = (
            *((self.backend, half) for half in (self.half, False)),
            *(("eager", False), ("plain", False)),
        )
        after = list(dict.fromkeys(ways))
        after = after[after.index((self.backend, self.half)) + 1 :]
        if self.backend == "plain":
            return []
        return [Choice(backend, self.device, half) for backend, half in after]


def runs_in_half(config: ModelConfig, backend: Backend) -> bool:
    """Return whether a backend has a way to run a model in half precision.

    OpenVINO has one for a backbone as a whole, thus none for a backbone that must stay exact, and
    only on processors with bfloat16 instructions: on others it computes in float32 without a word.
    """
    if backend == "openvino":
        return name_stem(config) is not None and openvino_has_bfloat16()
    return backend not in _IN_FLOAT32_ONLY


def choose(
    model: Smpler,
    device: torch.device,
    backend: Backend = "auto",
    precision: Precision = "auto",
    exported: Path | None = None,
) -> Choice:
    """Resolve `auto`, and refuse combinations that cannot run.

    Raises:
        ValueError: an unknown name, a missing package, a combination that cannot run, or an
            exported file of another model.
        FileNotFoundError: the exported file is not there.
    """
    _check_name("backend", backend, BACKENDS)
    _check_name("precision", precision, PRECISIONS)
    cuda = device.type == "cuda"
    if backend == "auto":
        backend = "onnxruntime" if exported else _best_backend(model, device, precision)
    if cuda and backend in _ON_CPU_ONLY:
        raise ValueError(
            f"backend '{backend}' runs on a CPU only, got device '{device}'; choose 'cuda_graph'"
        )
    if backend == "cuda_graph" and not cuda:
        raise ValueError(
            f"backend 'cuda_graph' needs a CUDA device, got '{device}'; choose 'auto'"
        )
    if backend in _ON_CPU_ONLY:
        import_optional(backend, f"backend '{backend}'")
    half = precision == "half" or (precision == "auto" and cuda)
    if half and not runs_in_half(model.config, backend):
        if precision == "half":
            raise ValueError(
                f"backend '{backend}' runs {model.config.name} on this processor in float32 only, "
                "got precision 'half'; choose 'float32'"
            )
        half = False
    if exported and backend != "onnxruntime":
        raise ValueError(
            f"an exported network needs backend 'onnxruntime', got '{backend}'; choose that "
            "backend or give no exported network"
        )
    if backend != "plain":
        check_attention(model)
    if exported:
        _check_exported(exported, model)
    return Choice(backend, device, half, exported)


def build_runner(model: Smpler, choice: Choice) -> Runner:
    """Return a runner for a model.

    Raises:
        ValueError: the backend cannot run this model.
    """
    side = model.config.image_size
    if choice.backend == "plain":
        return TorchRunner(PlainNetwork(model), choice.device)
    if choice.exported:
        return OnnxRuntimeRunner(choice.exported)
    if choice.backend == "onnxruntime":
        return OnnxRuntimeRunner(exported_network(model))
    if choice.backend == "openvino":
        return OpenVinoRunner(model, half=choice.half)
    network = FastSmpler(model)
    if choice.half:
        network.halve(torch.float16 if choice.device.type == "cuda" else torch.bfloat16)
    network.to(choice.device)
    if choice.backend == "eager":
        return TorchRunner(network, choice.device)
    if choice.backend == "compiled":
        compiled = torch.compile(network, dynamic=False)
        return BucketRunner(compiled, side, OUTPUT_SIZE, choice.device, call_again)  # type: ignore[arg-type]
    return BucketRunner(network, side, OUTPUT_SIZE, choice.device, GraphCapture(choice.device))


def _check_name(what: str, name: str, known: tuple[str, ...]) -> None:
    if name not in known:
        raise ValueError(f"{what} must be one of {', '.join(known)}, got '{name}'")


def _best_backend(model: Smpler, device: torch.device, precision: Precision) -> Backend:
    """Return the fastest installed backend, as measured by `benchmarks.inference`."""
    if model.config.attention != "decoupled":
        return "plain"
    if device.type == "cuda":
        return "cuda_graph"
    if device.type == "cpu":
        for backend in _FASTEST_ON_CPU:
            fits = precision != "half" or runs_in_half(model.config, backend)
            if fits and is_usable(backend):
                return backend
    return "eager"


def _check_exported(path: Path, model: Smpler) -> None:
    """Refuse an exported file of another network, or with other outputs.

    Raises:
        ExportError: its weights, body or outputs differ from the model's.
    """
    metadata = read_metadata(path)
    if metadata.get("outputs") != ", ".join(OUTPUT_SHAPES):
        raise ExportError(
            f"{path} must have the outputs {', '.join(OUTPUT_SHAPES)}, got a file of another "
            "version; export the checkpoint again"
        )
    if metadata["weights"] != fingerprint(model):
        raise ExportError(
            f"{path} must hold the weights and body of the chosen {model.config.name}, got "
            "others; export the checkpoint again"
        )
