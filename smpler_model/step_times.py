"""Durations of steps, and their averages."""

import time
from collections.abc import Iterator, Mapping, MutableMapping
from contextlib import contextmanager


@contextmanager
def measure(timings_ms: MutableMapping[str, float], step: str) -> Iterator[None]:
    """Add the time that the body of the `with` statement takes, even if it raises.

    Args:
        timings_ms: milliseconds by step, to which the time is added.
        step: name of the step.
    """
    start = time.perf_counter()
    try:
        yield
    finally:
        timings_ms[step] = timings_ms.get(step, 0.0) + 1e3 * (time.perf_counter() - start)


class StepTimes:
    """Total times of steps, in the order of their first occurrence."""

    def __init__(self) -> None:
        self._sums_ms: dict[str, float] = {}
        self.frames = 0

    def add(self, timings_ms: Mapping[str, float]) -> None:
        """Add the times of steps, milliseconds."""
        for step, milliseconds in timings_ms.items():
            self._sums_ms[step] = self._sums_ms.get(step, 0.0) + milliseconds

    @contextmanager
    def measure(self, step: str) -> Iterator[None]:
        """Measure the body of the `with` statement as a step."""
        with measure(self._sums_ms, step):
            yield

    def means_ms(self) -> dict[str, float]:
        """Return each step's mean over the frames, milliseconds."""
        return {step: total / max(self.frames, 1) for step, total in self._sums_ms.items()}

    def table(self) -> str:
        """Return a table of the means, one step per line, the sum last."""
        means = self.means_ms()
        total = sum(means.values())
        rate = f"  ({1e3 / total:.1f} frames/s)" if total else ""
        width = max(map(len, [*means, "together"]))
        lines = [f"{step:<{width}} {mean:9.2f} ms" for step, mean in means.items()]
        return "\n".join([*lines, f"{'together':<{width}} {total:9.2f} ms{rate}"])
