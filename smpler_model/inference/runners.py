"""Runners of a network in PyTorch, ONNX Runtime or OpenVINO, behind one protocol."""

import io
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from smpler_model.inference.cuda_graphs import PixelArray, pack
from smpler_model.inference.export import example_crops, identify, onnx_bytes
from smpler_model.inference.export_cache import export_once
from smpler_model.inference.fast_network import (
    OUTPUT_SHAPES,
    CropsToMaps,
    FastSmpler,
    MapsToOutputs,
    Outputs,
    outputs_from,
)
from smpler_model.inference.float32 import whole_float32
from smpler_model.inference.onnx_sessions import session_options
from smpler_model.inference.optional_packages import import_optional
from smpler_model.network.smpler import Smpler

OUTPUT_SIZE = sum(int(np.prod(shape)) for shape in OUTPUT_SHAPES.values())
"""Number of output values per person."""

_MAP_NAMES = ("stride_4", "stride_8", "stride_16", "stride_32")


class Runner(Protocol):
    """Runs a network."""

    def release(self) -> None:
        """Free memory that can be allocated again."""

    def run(self, crops: PixelArray) -> NDArray[np.float32]:
        """Turn (n, side, side, 3) RGB crops into (n, OUTPUT_SIZE) numbers."""


class PlainNetwork(nn.Module):
    """`smpler.Smpler` with the interface of the fast network."""

    mean: Tensor
    scale: Tensor

    def __init__(self, model: Smpler) -> None:
        super().__init__()
        self.model = model
        like = model.embedding.rotation.weight
        mean, std = (
            torch.tensor(v, dtype=torch.float64) for v in (model.config.mean, model.config.std)
        )
        self.register_buffer("mean", (255 * mean.view(3, 1, 1)).to(like))
        self.register_buffer("scale", (1 / (255 * std.view(3, 1, 1))).to(like))

    def forward(self, crops: Tensor) -> Outputs:
        """As `FastSmpler.forward`."""
        images = (crops.permute(0, 3, 1, 2) - self.mean) * self.scale
        stages, queries, observed = self.model.refine_by_blocks(self.model.backbone(images))
        aligned = self.model.align(stages[-1], queries, observed)
        return outputs_from(aligned, stages[-1], stages[-2])


class TorchRunner:
    """Calls a module with any number of people."""

    def __init__(self, network: nn.Module, device: torch.device) -> None:
        self._network, self._device = network.to(device), device

    def release(self) -> None:
        """Do nothing, as nothing is kept."""

    def run(self, crops: PixelArray) -> NDArray[np.float32]:
        """See `Runner`."""
        images = crops if isinstance(crops, Tensor) else torch.from_numpy(crops)
        with whole_float32():
            packed = pack(self._network(images.to(self._device)))
        found: NDArray[np.float32] = packed.cpu().numpy()
        return found


class OnnxRuntimeRunner:
    """Runs an ONNX model in ONNX Runtime."""

    def __init__(self, model: bytes | Path) -> None:
        onnxruntime = import_optional("onnxruntime", "backend 'onnxruntime'")
        options = session_options(onnxruntime, torch.get_num_threads(), spin=True)
        self._session = onnxruntime.InferenceSession(
            model, options, providers=["CPUExecutionProvider"]
        )

    def release(self) -> None:
        """Do nothing, as nothing is kept."""

    def run(self, crops: PixelArray) -> NDArray[np.float32]:
        """See `Runner`."""
        outputs = self._session.run(None, {"crops": np.asarray(crops)})
        return np.concatenate([values.reshape(len(crops), -1) for values in outputs], 1)


class OpenVinoRunner:
    """Runs the fast network in OpenVINO: backbone and refinement, each in its own precision."""

    def __init__(self, model: Smpler, *, half: bool) -> None:
        network, identity = FastSmpler(model), identify(model)
        crops = example_crops(model.config.image_size)
        backbone = export_once(("backbone", *identity), lambda: _export_backbone(network, crops))
        self._backbone = _compile_openvino(backbone, "bf16" if half else "f32")
        refinement = export_once(
            ("refinement", *identity), lambda: _export_refinement(network, crops)
        )
        self._refinement = _compile_openvino(refinement, "f32")

    def release(self) -> None:
        """Do nothing, as nothing is kept."""

    def run(self, crops: PixelArray) -> NDArray[np.float32]:
        """See `Runner`."""
        maps = self._backbone([np.asarray(crops)]).values()
        outputs = self._refinement(list(maps)).values()
        return np.concatenate([values.reshape(len(crops), -1) for values in outputs], 1)


def openvino_has_bfloat16() -> bool:
    """Return whether OpenVINO computes in bfloat16 on this processor.

    Raises:
        ValueError: it is not installed.
    """
    openvino = import_optional("openvino", "backend 'openvino'")
    return "BF16" in openvino.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")


def _export_backbone(network: FastSmpler, crops: Tensor) -> bytes:
    return onnx_bytes(CropsToMaps(network), {"crops": crops}, _MAP_NAMES)


def _export_refinement(network: FastSmpler, crops: Tensor) -> bytes:
    with torch.inference_mode():
        maps = dict(zip(_MAP_NAMES, CropsToMaps(network)(crops), strict=True))
    return onnx_bytes(MapsToOutputs(network), maps)


def _compile_openvino(model: bytes, precision: str) -> Any:  # noqa: ANN401
    openvino = import_optional("openvino", "backend 'openvino'")
    options = {
        "INFERENCE_PRECISION_HINT": precision,
        "INFERENCE_NUM_THREADS": torch.get_num_threads(),
        "PERFORMANCE_HINT": "LATENCY",
    }
    core = openvino.Core()
    return core.compile_model(core.read_model(io.BytesIO(model)), "CPU", options)
