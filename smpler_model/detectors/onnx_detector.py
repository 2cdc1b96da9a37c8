"""Finds people with a network in an ONNX file, through ONNX Runtime.

The file itself decides how it is used: the shape of its image input gives the size and the order
of channels; the input's type says whether pixels are float32, float16 or bytes; its outputs for a
grey image show which form of `onnx_forms` they have.
"""

import importlib
import logging
import sys
from collections.abc import Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, get_args

import numpy as np
import torch
from numpy.typing import NDArray

from smpler_model.array_types import RgbImage
from smpler_model.detectors.detector import Detections
from smpler_model.detectors.learned import (
    WITHOUT_WEIGHTS,
    DetectorError,
    check_threshold,
    detections_from_edges,
)
from smpler_model.detectors.onnx_forms import SUPPORTED, Form, OnnxOutputs, identify_form
from smpler_model.detectors.onnx_images import Scaling, fit_image, scale_pixels
from smpler_model.inference.onnx_sessions import session_options
from smpler_model.network.torchvision_operators import suppress_overlaps

logger = logging.getLogger(__name__)

CPU = torch.device("cpu")
CPU_PROVIDER, CUDA_PROVIDER = "CPUExecutionProvider", "CUDAExecutionProvider"
Provider = str | tuple[str, dict[str, int]]

_MOST_CANDIDATES = 1000  # most confident boxes that enter non-maximum suppression

_DTYPES: dict[str, type[np.generic]] = {
    "tensor(float)": np.float32,
    "tensor(float16)": np.float16,
    "tensor(uint8)": np.uint8,
}
_INTEGERS: dict[str, type[np.generic]] = {"tensor(int64)": np.int64, "tensor(int32)": np.int32}


@dataclass(frozen=True)
class OnnxInput:
    """The inputs of a detector in an ONNX file.

    Attributes:
        name: name of the image input.
        size: its (height, width).
        channels_first: (1, 3, h, w) rather than (1, h, w, 3).
        dtype: data type of the input pixels.
        sizes: name and type of the input for the image's size, None where there is none.
    """

    name: str
    size: tuple[int, int]
    channels_first: bool
    dtype: type[np.generic]
    sizes: tuple[str, type[np.generic]] | None


class OnnxDetector:
    """Finds people with a user's YOLOX, DETR, RT-DETR or RTMDet file.

    It remembers nothing between images.

    Attributes:
        input: the file's inputs.
        form: the form of its outputs.
    """

    def __init__(
        self,
        path: str | Path,
        *,
        score_threshold: float = 0.5,
        overlap_threshold: float = 0.45,
        person_class: int | None = None,
        scaling: Scaling | None = None,
        open_size: tuple[int, int] = (640, 640),
        device: torch.device = CPU,
        threads: int = 0,
    ) -> None:
        """Load the file and run it once on a grey image.

        Args:
            path: path of the ONNX file.
            score_threshold: detections of lower confidence are dropped, 0 to 1.
            overlap_threshold: for networks that find a person several times (YOLOX), a box is
                dropped when its intersection over union with a more confident one is larger.
            person_class: index of the class person. If None, that of COCO: 1 for a DETR with 91
                classes, such as RF-DETR; else 0.
            scaling: scaling of the pixels, if a file differs from its output format's default.
            open_size: (height, width) to use where the file leaves them open, pixels.
            device: device to run on; a GPU needs the package onnxruntime-gpu.
            threads: threads per operator; 0 lets ONNX Runtime choose.

        Raises:
            DetectorError: onnxruntime or the file is missing, or the form of its inputs or outputs
                is unknown.
        """
        check_threshold("score_threshold", score_threshold)
        check_threshold("overlap_threshold", overlap_threshold)
        self._path = Path(path)
        self._session = _open_session(self._path, device, threads)
        self.input = read_input(self._session, open_size, self._path)
        self.form = self._identify()
        self._scaling = self._choose_scaling(scaling)
        self._person_class = self._choose_class(person_class)
        self._score_threshold = score_threshold
        self._overlap_threshold = overlap_threshold

    def detect(self, rgb: RgbImage) -> Detections:
        """Return the people in an (h, w, 3) uint8 RGB image, the most confident first."""
        height, width = rgb.shape[:2]
        fitted, factors = fit_image(rgb, self.input.size, letterboxed=self.form.letterboxed)
        outputs = self._run(fitted, self._scaling)
        scores = self.form.score(outputs, self._person_class)
        chosen = np.flatnonzero(scores >= self._score_threshold)
        chosen = chosen[np.argsort(-scores[chosen], kind="stable")][:_MOST_CANDIDATES]
        edges = self.form.locate(outputs, chosen) / np.tile(factors, 2)
        scores = scores[chosen].clip(0, 1)
        if self.form.overlapping:
            stays = suppress_overlaps(
                torch.from_numpy(edges), torch.from_numpy(scores), self._overlap_threshold
            ).numpy()
            edges, scores = edges[stays], scores[stays]
        return detections_from_edges(edges, scores, width, height)

    def reset(self) -> None:
        """Do nothing: this detector has no state."""

    def _run(self, rgb: RgbImage, scaling: Scaling) -> OnnxOutputs:
        pixels: NDArray[Any]
        if self.input.dtype is np.uint8:  # such a file scales the pixels itself
            pixels = rgb[..., ::-1] if scaling.startswith("bgr") else rgb
        else:
            pixels = scale_pixels(rgb, scaling)
        if self.input.channels_first:
            pixels = pixels.transpose(2, 0, 1)
        feed = {self.input.name: np.ascontiguousarray(pixels[None], self.input.dtype)}
        if self.input.sizes:
            name, dtype = self.input.sizes
            feed[name] = np.array([self.input.size[::-1]], dtype)  # (width, height), as RT-DETR
        names = [output.name for output in self._session.get_outputs()]
        try:
            answers = self._session.run(names, feed)
        except Exception as error:  # ONNX Runtime does not publish its error classes
            height, width = self.input.size
            raise DetectorError(
                f"{self._path} does not run on an image of {width}x{height} ({_brief(error)}); "
                "export it for that size, or give its own as open_size"
            ) from error
        named = zip(names, answers, strict=True)
        return {name: answer for name, answer in named if isinstance(answer, np.ndarray)}

    def _identify(self) -> Form:
        outputs = self._run(np.full((*self.input.size, 3), 128, np.uint8), "rgb_unit")
        form = identify_form(outputs, self.input.size, takes_sizes=self.input.sizes is not None)
        if form is None:
            found = ", ".join(f"{n} {a.shape} {a.dtype}" for n, a in outputs.items()) or "none"
            raise DetectorError(
                f"the outputs of {self._path} must be {SUPPORTED}; got {found}; export the "
                "network in one of these forms"
            )
        return form

    def _choose_class(self, wanted: int | None) -> int:
        person_class = self.form.person_class if wanted is None else wanted
        classes = self.form.classes
        if person_class < 0 or (classes is not None and person_class >= classes):
            raise DetectorError(
                f"person_class must be the index of one of the {classes or 'known'} classes of "
                f"{self._path}, got {person_class}; COCO's person is 0, or 1 of 91"
            )
        return person_class

    def _choose_scaling(self, wanted: Scaling | None) -> Scaling:
        scaling = self.form.scaling if wanted is None else wanted
        if scaling not in get_args(Scaling):
            raise DetectorError(
                f"scaling must be one of {', '.join(get_args(Scaling))}, got '{scaling}'"
            )
        return scaling


def read_input(session: Any, open_size: tuple[int, int], path: Path) -> OnnxInput:  # noqa: ANN401
    """Read a detector's inputs from an ONNX Runtime session.

    Args:
        session: ONNX Runtime session of the file.
        open_size: (height, width) to use where the file leaves them open.
        path: path of the file, for errors.

    Raises:
        DetectorError: the inputs are not one image and at most one size.
    """
    if min(open_size) < 1:
        raise DetectorError(f"open_size must be positive pixels, got {open_size}; use (640, 640)")
    images = [item for item in session.get_inputs() if len(item.shape) == 4]
    others = [item for item in session.get_inputs() if len(item.shape) != 4]
    found = ", ".join(f"{item.name} {item.shape} {item.type}" for item in session.get_inputs())
    refusal = DetectorError(
        f"the inputs of {path} must be one image (1, 3, h, w) or (1, h, w, 3) of float32, float16 "
        f"or uint8, and at most sizes (1, 2) of integers, got {found}; export it with such inputs"
    )
    if len(images) != 1 or len(others) > 1 or images[0].type not in _DTYPES:
        raise refusal
    if others and (others[0].type not in _INTEGERS or others[0].shape[-1:] != [2]):
        raise refusal
    batch, *shape = images[0].shape
    if 3 not in (shape[0], shape[2]) or (isinstance(batch, int) and batch != 1):
        raise refusal
    channels_first = shape[0] == 3
    sides = shape[1:] if channels_first else shape[:2]
    height, width = (
        side if isinstance(side, int) else other
        for side, other in zip(sides, open_size, strict=True)
    )
    sizes = (others[0].name, _INTEGERS[others[0].type]) if others else None
    dtype = _DTYPES[images[0].type]
    return OnnxInput(images[0].name, (height, width), channels_first, dtype, sizes)


def choose_providers(device: torch.device, available: Sequence[str]) -> list[Provider]:
    """Return ONNX Runtime's execution providers for a device, the preferred first.

    If none supports the GPU, a warning names the package that does. On a GPU, products are float32
    as on the CPU: the provider would round their factors (TF32).

    Args:
        device: a CPU, or a GPU of this machine.
        available: names of the providers of the installed ONNX Runtime.
    """
    if device.type == "cpu":
        return [CPU_PROVIDER]
    if CUDA_PROVIDER in available:
        return [(CUDA_PROVIDER, {"device_id": device.index or 0, "use_tf32": 0}), CPU_PROVIDER]
    logger.warning(
        "the detector onnx runs on the CPU although device is %s: this onnxruntime has no CUDA; "
        "install onnxruntime-gpu in its place",
        device,
    )
    return [CPU_PROVIDER]


def _open_session(path: Path, device: torch.device, threads: int) -> Any:  # noqa: ANN401
    runtime = _import_onnxruntime()
    if not path.is_file():
        raise DetectorError(
            f"the detector must be an ONNX file, got {path}; give the absolute path of an "
            f"existing one; {WITHOUT_WEIGHTS}"
        )
    providers = choose_providers(device, runtime.get_available_providers())
    if len(providers) > 1:
        _load_cuda(runtime)
    options = session_options(runtime, threads)
    options.log_severity_level = 3  # errors only, which are raised as well
    try:
        session = runtime.InferenceSession(str(path), options, providers=providers)
    except Exception as error:  # ONNX Runtime does not publish its error classes
        raise DetectorError(
            f"{path} is not an ONNX file that ONNX Runtime {runtime.__version__} can load "
            f"({_brief(error)}); export it again"
        ) from error
    # A provider whose libraries are missing gives way to the next without an error.
    if len(providers) > len(session.get_providers()):
        logger.warning(
            "the detector onnx runs on the CPU although device is %s: CUDA does not load in "
            "ONNX Runtime %s; install the CUDA and cuDNN that it was built for",
            device,
            runtime.__version__,
        )
    return session


def _load_cuda(runtime: ModuleType) -> None:
    """Load CUDA and cuDNN from pip's packages, where ONNX Runtime itself does not look for them.

    What it prints about libraries that are missing does not belong among results.
    """
    if hasattr(runtime, "preload_dlls"):  # from ONNX Runtime 1.21 on
        with redirect_stdout(sys.stderr):
            runtime.preload_dlls()


def _import_onnxruntime() -> ModuleType:
    try:
        return importlib.import_module("onnxruntime")
    except ImportError as error:
        raise DetectorError(
            f"the 'onnx' detector needs the package onnxruntime, which does not import ({error}); "
            f"run `pip install onnxruntime`; {WITHOUT_WEIGHTS}"
        ) from error


def _brief(error: Exception) -> str:
    """Return an error's first line, without the full stop."""
    return str(error).strip().partition("\n")[0].rstrip(".")[:200]
