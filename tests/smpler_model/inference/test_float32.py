from collections.abc import Iterator

import pytest
import torch

from smpler_model.inference.float32 import whole_float32

cudnn, matmul = torch.backends.cudnn, torch.backends.cuda.matmul


def read() -> dict[str, object]:
    """Return all switches; those that PyTorch refuses to read as None."""
    readers = {
        "global": lambda: torch.backends.fp32_precision,
        "cudnn": lambda: cudnn.allow_tf32,
        "conv": lambda: cudnn.conv.fp32_precision,
        "rnn": lambda: cudnn.rnn.fp32_precision,
        "matmul": lambda: matmul.fp32_precision,
        "products": torch.get_float32_matmul_precision,
    }
    found: dict[str, object] = {}
    for name, reader in readers.items():
        try:
            found[name] = reader()
        except RuntimeError:
            found[name] = None
    return found


@pytest.fixture(autouse=True)
def usual_switches() -> Iterator[None]:
    yield
    torch.backends.fp32_precision = "none"
    cudnn.allow_tf32 = True
    torch.set_float32_matmul_precision("highest")
    matmul.fp32_precision = "none"


def allow_by_older_switches() -> None:
    cudnn.allow_tf32 = matmul.allow_tf32 = True


def allow_by_newer_switches() -> None:
    cudnn.conv.fp32_precision = matmul.fp32_precision = "tf32"


def allow_everywhere() -> None:
    torch.backends.fp32_precision = "tf32"


def allow_bfloat16() -> None:
    torch.set_float32_matmul_precision("medium")


def forbid() -> None:
    cudnn.allow_tf32 = matmul.allow_tf32 = False


def leave() -> None:
    """Nothing is chosen: PyTorch's convolutions round."""


@pytest.mark.skipif(not hasattr(cudnn, "conv"), reason="this PyTorch has the older switches only")
@pytest.mark.parametrize(
    "choose",
    [
        *(leave, forbid, allow_by_older_switches, allow_by_newer_switches),
        *(allow_everywhere, allow_bfloat16),
    ],
)
def test_products_are_whole_and_switches_stay(choose: object) -> None:
    assert callable(choose)
    choose()
    before = read()
    with whole_float32():
        inside = read()
    assert inside["conv"] == inside["matmul"] == "ieee"
    assert inside["products"] in ("highest", None)
    assert read() == before


def test_switches_stay_after_an_error() -> None:
    before = read()
    with pytest.raises(ZeroDivisionError), whole_float32():
        raise ZeroDivisionError
    assert read() == before
