"""Exports the network as an ONNX file for other programs.

The file takes (b, s, s, 3) uint8 RGB crops, for any b, and returns the outputs that
`fast_network.OUTPUT_SHAPES` names. It is written only after its outputs have been compared with
the network's.
"""

import io
import json
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from smpler_model.atomic_files import replacing
from smpler_model.hashes import hash_parts
from smpler_model.inference.export_cache import export_once
from smpler_model.inference.fast_network import OUTPUT_SHAPES, FastSmpler
from smpler_model.inference.onnx_sessions import session_options
from smpler_model.inference.optional_packages import import_optional
from smpler_model.network.smpler import Smpler

ExportFormat = Literal["onnx", "tensorrt-ready-onnx"]

ONNX_OPSET = 17
"""The first opset with LayerNormalization; GridSample needs 16."""

TENSORRT_OPERATORS = frozenset(
    (
        *("Abs", "Add", "Cast", "Clip", "Concat", "Constant", "ConstantOfShape", "Conv", "Div"),
        *("Einsum", "Equal", "Erf", "Exp", "Expand", "Flatten", "Floor", "Gather", "Gelu", "Gemm"),
        *("GridSample", "Identity", "LayerNormalization", "Less", "Log", "MatMul", "Max", "Min"),
        *("Mul", "Neg", "Pad", "Pow", "Range", "Reciprocal", "ReduceL2", "ReduceMean"),
        *("ReduceProd", "ReduceSum", "Relu", "Reshape", "Resize", "Shape", "Sigmoid", "Slice"),
        *("Softmax", "Softplus", "Split", "Sqrt", "Squeeze", "Sub", "Tile", "Transpose"),
        *("Unsqueeze", "Where"),
    )
)
"""The operators used here that TensorRT's parser supports.

Source: `docs/operators.md` of onnx/onnx-tensorrt; GridSample needs TensorRT 8.5, uint8 crops and
LayerNormalization need 8.6.
"""

_METADATA = "smpler_model"
_TOLERANCE = 1e-3
_PEOPLE_TRIED = (1, 3)


class ExportError(ValueError):
    """A file cannot be written, or is not a valid export of the network."""


def fingerprint(model: Smpler) -> str:
    """Return a hash of a model's weights and body."""
    tensors = [*model.state_dict().items(), *model.body.named_buffers()]
    parts = ((name, values.detach().cpu().numpy()) for name, values in tensors)
    return hash_parts([model.config.name, *chain.from_iterable(parts)])


def identify(model: Smpler) -> tuple[str, str]:
    """Return what `export_cache` needs to know of a model."""
    return repr(model.config), fingerprint(model)


def exported_network(model: Smpler) -> bytes:
    """Return the fast network from crops to `OUTPUT_SHAPES` as ONNX, exported or from the disk.

    Raises:
        ValueError: the network cannot be exported.
    """
    crops = example_crops(model.config.image_size)
    return export_once(identify(model), lambda: onnx_bytes(FastSmpler(model), {"crops": crops}))


def onnx_bytes(
    network: nn.Module,
    inputs: Mapping[str, torch.Tensor],
    outputs: tuple[str, ...] = tuple(OUTPUT_SHAPES),
    free: Mapping[str, Mapping[int, str]] | None = None,
) -> bytes:
    """Export a module to ONNX, by default with a variable batch size alone.

    Args:
        network: network in evaluation mode, on the CPU.
        inputs: an example of each input by name, for at least two people.
        outputs: names of the outputs.
        free: names of the variable dimensions, by input or output and index.
    """
    stream = io.BytesIO()
    with torch.no_grad(), _quiet_exporter():
        torch.onnx.export(
            network,
            tuple(inputs.values()),
            stream,  # type: ignore[arg-type]
            dynamo=False,
            opset_version=ONNX_OPSET,
            input_names=list(inputs),
            output_names=list(outputs),
            dynamic_axes=free or {name: {0: "people"} for name in (*inputs, *outputs)},
        )
    return stream.getvalue()


def example_crops(side: int, people: int = 2) -> torch.Tensor:
    """Return seeded crops (people, side, side, 3), uint8."""
    rng = np.random.default_rng(0)
    return torch.from_numpy(rng.integers(0, 256, (people, side, side, 3), np.uint8))


def export_model(model: Smpler, path: Path, form: ExportFormat) -> str:
    """Export a model atomically, after checking that its outputs equal the model's.

    Args:
        model: model with decoupled attention.
        path: path of the file, which is replaced if it exists.
        form: `onnx`, or `tensorrt-ready-onnx`, which uses only operators that TensorRT supports
            and has no variable dimension but the batch.

    Returns:
        One sentence on what was compared and the largest difference.

    Raises:
        ExportError: the exported network differs, or the package that runs it is missing.
    """
    network = FastSmpler(model)
    metadata = {
        "model": model.config.name,
        "weights": fingerprint(model),
        "outputs": ", ".join(OUTPUT_SHAPES),
    }
    with replacing(path) as partial:
        _write_onnx(model, partial, metadata, for_tensorrt=form == "tensorrt-ready-onnx")
        gap = _compare(network, _load_onnx(partial))
    people = " and ".join(map(str, _PEOPLE_TRIED))
    return f"{path}: {form}, equal to the network within {gap:.1e} for {people} people"


def read_metadata(path: Path) -> dict[str, str]:
    """Return the metadata of an exported ONNX file: `model`, `weights` and `outputs`.

    Raises:
        ExportError: it was not written by `export_model`.
        FileNotFoundError: there is no such file.
    """
    if not path.is_file():
        raise FileNotFoundError(
            f"exported network must be a file, got {path}; write it with `smpler export`, "
            "or leave exported empty"
        )
    onnx = import_optional("onnx", "reading an exported network")
    try:
        found = onnx.load(path)
    except Exception as error:  # protobuf's errors have no common base class
        raise ExportError(
            f"{path} must be an ONNX file, got one that cannot be read; export it again"
        ) from error
    props = {prop.key: prop.value for prop in found.metadata_props}
    if _METADATA not in props:
        raise ExportError(
            f"{path} must be an ONNX file written by `smpler export`, got another; export the "
            "checkpoint"
        )
    metadata: dict[str, str] = json.loads(props[_METADATA])
    return metadata


def _write_onnx(
    network: Smpler, path: Path, metadata: dict[str, str], *, for_tensorrt: bool
) -> None:
    onnx = import_optional("onnx", "exporting to ONNX")
    model = onnx.load_from_string(exported_network(network))
    for name, shape in OUTPUT_SHAPES.items():
        _declare_shape(model, name, shape)
    entry = model.metadata_props.add()
    entry.key, entry.value = _METADATA, json.dumps(metadata)
    onnx.checker.check_model(model)
    if for_tensorrt:
        _check_for_tensorrt(model)
    onnx.save(model, path)


def _declare_shape(model: Any, name: str, shape: tuple[int, ...]) -> None:  # noqa: ANN401
    """Set an output's dimensions; only the first is variable."""
    output = next(output for output in model.graph.output if output.name == name)
    dimensions = output.type.tensor_type.shape
    del dimensions.dim[:]
    dimensions.dim.add().dim_param = "people"
    for size in shape:
        dimensions.dim.add().dim_value = size


def _check_for_tensorrt(model: Any) -> None:  # noqa: ANN401 - onnx has no types
    others = {node.op_type for node in model.graph.node} - TENSORRT_OPERATORS
    if others:
        raise ExportError(
            f"a graph for TensorRT must consist of operators it supports, got "
            f"{', '.join(sorted(others))}; export as 'onnx'"
        )


def _load_onnx(path: Path) -> Any:  # noqa: ANN401 - as callable as a module
    onnxruntime = import_optional("onnxruntime", "verifying an ONNX file")
    options = session_options(onnxruntime, torch.get_num_threads())
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    return lambda crops: map(torch.from_numpy, session.run(None, {"crops": crops.numpy()}))


def _compare(network: FastSmpler, run: Any) -> float:  # noqa: ANN401
    """Return the largest difference over several batch sizes.

    Raises:
        ExportError: the outputs differ.
    """
    worst = 0.0
    for people in _PEOPLE_TRIED:
        crops = example_crops(network.config.image_size, people)
        with torch.inference_mode():
            pairs = zip(network(crops), run(crops), OUTPUT_SHAPES, strict=True)
            for expected, found, name in pairs:
                worst = max(worst, _gap(expected.numpy(), found.numpy(), name, people))
    return worst


def _gap(
    expected: NDArray[np.float32], found: NDArray[np.float32], name: str, people: int
) -> float:
    if found.shape != expected.shape:
        raise ExportError(
            f"the exported {name} of {people} people must have shape {expected.shape}, got "
            f"{found.shape}; nothing was written"
        )
    gap = float(np.abs(expected - found).max())
    if not gap < _TOLERANCE * max(1.0, float(np.abs(expected).max())):
        raise ExportError(
            f"the exported {name} of {people} people must equal the network's, got a difference "
            f"of {gap:.1e}; nothing was written"
        )
    return gap


@contextmanager
def _quiet_exporter() -> Iterator[None]:
    """Silence PyTorch's warnings about its TorchScript-based exporter and tracer.

    They call it deprecated. The newer exporter needs one more package, and its graphs are larger;
    every exported graph is compared with the network anyway.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        warnings.simplefilter("ignore", torch.jit.TracerWarning)  # type: ignore[attr-defined]
        warnings.filterwarnings(
            "ignore", "Constant folding", UserWarning
        )  # about how feature maps are padded
        yield
