"""Python and the packages that the network needs."""

import importlib
import platform
import sys
from importlib.metadata import PackageNotFoundError, version

from smpler_model.machine.finding import Finding

LEAST_PYTHON = (3, 10)
LEAST_TORCH = (2, 4)


def check_python(found: tuple[int, ...] = tuple(sys.version_info[:2])) -> Finding:
    """Return whether this Python is new enough.

    Args:
        found: major and minor version.
    """
    problem = ""
    if found < LEAST_PYTHON:
        problem = "Python 3.10 or newer is needed; install it and create the environment again"
    return Finding("Python", f"{platform.python_version()}, {sys.executable}", problem)


def check_torch() -> Finding:
    """Return whether PyTorch imports and is new enough."""
    try:
        torch = importlib.import_module("torch")
    except Exception as error:  # a missing library raises OSError, a broken build anything
        return Finding(
            "PyTorch",
            f"does not import: {_first_line(error)}",
            "run `make setup` in the clone and `. .ros/environment.sh` in this shell, or `pip "
            "install torch` into this Python",
        )
    text: str = torch.__version__
    problem = ""
    if tuple(map(int, text.split(".")[:2])) < LEAST_TORCH:
        problem = "PyTorch 2.4 or newer is needed; `pip install --upgrade torch torchvision`"
    build = f"for CUDA {torch.version.cuda}" if torch.version.cuda else "for the CPU only"
    return Finding("PyTorch", f"{text}, {build}", problem)


def check_onnxruntime(*, on_gpu: bool) -> Finding:
    """Return which ONNX Runtime there is.

    Args:
        on_gpu: whether the network runs on a GPU.
    """
    name = "ONNX Runtime"
    try:
        runtime = importlib.import_module("onnxruntime")
    except ModuleNotFoundError:
        hint = "" if on_gpu else "`pip install onnx onnxruntime`: twice as fast as PyTorch"
        return Finding(name, "is not installed", hint=hint)
    except Exception as error:  # compiled for another NumPy, for instance
        advice = "`pip install --upgrade --force-reinstall onnxruntime`, or remove it"
        return Finding(name, f"does not import: {_first_line(error)}", advice)
    providers = [
        each.removesuffix("ExecutionProvider") for each in runtime.get_available_providers()
    ]
    hint = ""
    if on_gpu and "CUDA" not in providers:
        hint = "the detector onnx runs on the CPU; for the GPU install onnxruntime-gpu instead"
    return Finding(name, f"{runtime.__version__}, {', '.join(providers)}", hint=hint)


def version_of(package: str) -> str | None:
    """Return the version of an installed package, without importing it."""
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0] or type(error).__name__
