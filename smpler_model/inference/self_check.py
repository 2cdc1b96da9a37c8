"""A backend checks itself before the first frame: against the plain network on a CPU, in float32.

Drivers, libraries and processors differ from the ones that a backend was tested with. So each is
given crops of drawn people when it is prepared, in every batch size that it will get; one that
fails, errs or does not fit into memory gives way to the next, and the reason is kept.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from smpler_model.inference.backends import Choice
from smpler_model.inference.cached_memory import give_back_memory
from smpler_model.inference.check_crops import load_check_crops
from smpler_model.inference.estimator import (
    Estimates,
    Estimator,
    batch_sizes,
    measure_usual_change,
)
from smpler_model.network.smpler import Smpler

MAX_DEGREES, MAX_MM = 0.5, 2.0
"""How far any joint of any crop may be from the plain network's."""

_TIMED_RUNS = 5
_TIMED_S = 0.1  # no further run is begun after this


class SelfCheckError(ValueError):
    """No backend works; the message says what became of each."""


@dataclass(frozen=True)
class Deviation:
    """How far estimates are from the plain network's, at most.

    Attributes:
        degrees: rotation of a joint.
        mm: position of a joint, in the body and across the image, and its change by the
            last block.
    """

    degrees: float
    mm: float

    @property
    def is_small(self) -> bool:
        """Whether the estimates can be used; not if something is not finite."""
        return self.degrees < MAX_DEGREES and self.mm < MAX_MM

    def __str__(self) -> str:
        """As in '0.03 degrees and 0.2 mm'."""
        return f"{self.degrees:.2g} degrees and {self.mm:.2g} mm"


@dataclass(frozen=True)
class Checked:
    """A backend that works.

    Attributes:
        estimator: the network with it, prepared for the first frames.
        deviation: how far it is from the plain network.
        one_person_ms: how long it takes for one person, crop in and arrays out.
        refused: what is wrong with each backend that was tried before.
    """

    estimator: Estimator
    deviation: Deviation
    one_person_ms: float
    refused: tuple[str, ...]

    @property
    def summary(self) -> str:
        """One sentence on what runs."""
        return (
            f"the network runs on {self.estimator.device} with {self.estimator.choice}: "
            f"{self.one_person_ms:.1f} ms for one person, within {self.deviation} of the plain "
            "network"
        )

    @property
    def warning(self) -> str:
        """One sentence on what was refused and why; empty if the first choice works."""
        if not self.refused:
            return ""
        return (
            f"{self.summary}; refused by the self-check: {'; '.join(self.refused)}; run "
            "`python -m smpler_model doctor`"
        )


def build_checked_estimator(model: Smpler, choice: Choice, people: int) -> Checked:
    """Return the network with the first backend that works, of a choice and its fallbacks.

    Args:
        model: the network, on the CPU.
        choice: what is tried first.
        people: most people in a frame; batches of up to this many are prepared and checked.

    Raises:
        SelfCheckError: none works.
    """
    crops = load_check_crops(model.config.image_size)
    expected = Estimator(model, backend="plain").estimate(crops)
    refused: list[str] = []
    for tried in (choice, *choice.fallbacks()):
        checked = _try(model, tried, people, crops, expected, refused)
        if checked is not None:
            return checked
        give_back_memory(tried.device)  # which the failed backend may still hold
    raise SelfCheckError(
        f"a backend must give the plain network's results on {choice.device}, got "
        f"{'; '.join(refused)}; set device to cpu, and report this"
    )


def measure_deviation(found: Estimates, expected: Estimates) -> Deviation:
    """Return the largest distance between estimates of the same people."""
    # Of rotations by a, the distance's Frobenius norm is sqrt(8) sin(a / 2).
    apart = np.linalg.norm(found.rotations - expected.rotations, axis=(-2, -1)) / np.sqrt(8)
    degrees = np.degrees(2 * np.arcsin(np.minimum(apart, 1)))
    scale = np.abs(expected.cameras[:, :1, None])  # of a metre, in halves of the crop
    shifts = (
        found.joints_m - expected.joints_m,
        (found.changes_m - expected.changes_m)[..., None],
        (found.keypoints - expected.keypoints) / scale,
    )
    mm = [1000 * np.linalg.norm(shift, axis=-1).max() for shift in shifts]
    return Deviation(float(degrees.max()), float(np.max(mm)))


def _try(
    model: Smpler,
    choice: Choice,
    people: int,
    crops: NDArray[np.uint8],
    expected: Estimates,
    refused: list[str],
) -> Checked | None:
    """Return a backend that works, or None and add what is wrong with it."""
    try:
        estimator = Estimator(
            model,
            choice.device,
            backend=choice.backend,
            precision="half" if choice.half else "float32",
            exported=choice.exported,
            usual_change_m=measure_usual_change([expected]),
        )
        deviation = _check(estimator, crops, expected, _sizes(choice, people))
        if deviation.is_small:
            return Checked(estimator, deviation, _time(estimator, crops[:1]), tuple(refused))
        refused.append(f"{choice} is {deviation} from the plain network")
    except Exception as error:  # whatever a library raises: the next backend may not need it
        refused.append(f"{choice} fails: {_root(error)}")
    return None


def _sizes(choice: Choice, people: int) -> Sequence[int]:
    """Return the batch sizes to check: on a GPU each has kernels of its own."""
    return batch_sizes(people) if choice.device.type == "cuda" else (min(people, 4),)


def _check(
    estimator: Estimator, crops: NDArray[np.uint8], expected: Estimates, sizes: Sequence[int]
) -> Deviation:
    found = []
    for size in sizes:
        rows = np.arange(size) % len(crops)
        found.append(measure_deviation(estimator.estimate(crops[rows]), expected[rows]))
    degrees, mm = np.max([(each.degrees, each.mm) for each in found], 0)
    return Deviation(float(degrees), float(mm))


def _time(estimator: Estimator, crop: NDArray[np.uint8]) -> float:
    """Return the median time of some runs, milliseconds."""
    taken: list[float] = []
    while not taken or (len(taken) < _TIMED_RUNS and sum(taken) < 1e3 * _TIMED_S):
        start = time.perf_counter()
        estimator.estimate(crop)
        taken.append(1e3 * (time.perf_counter() - start))
    return float(np.median(taken))


def _root(error: BaseException) -> str:
    """Return the first line of the first error: capturing a graph raises again on its way out."""
    while error.__context__ is not None and not error.__suppress_context__:
        error = error.__context__
    name = type(error).__name__
    text = str(error).strip().partition("\n")[0].rstrip(".")
    return f"{name}: {text}" if text else name
