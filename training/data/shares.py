"""Divides a number of people into integer shares."""

from collections.abc import Sequence


def share_out(people: int, weights: Sequence[float]) -> tuple[int, ...]:
    """Divide people by weights, with at least one for each.

    Raises:
        ValueError: there are fewer people than weights.
    """
    if people < len(weights):
        raise ValueError(
            f"a batch must have a person of each of {len(weights)} sources, got {people}; raise "
            "batch, and refined_crops unless it is 0"
        )
    ends = [round(sum(weights[: k + 1]) / sum(weights) * people) for k in range(len(weights))]
    counts = [end - start for start, end in zip([0, *ends], ends, strict=False)]
    while 0 in counts:
        counts[counts.index(max(counts))] -= 1
        counts[counts.index(0)] += 1
    return tuple(counts)
