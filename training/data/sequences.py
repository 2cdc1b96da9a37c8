"""Groups people into sequences by a regular expression over their keys."""

import re


def check_pattern(pattern: str) -> None:
    """Refuse a pattern that cannot name a sequence.

    Raises:
        ValueError: it is not a regular expression, or has no group.
    """
    try:
        groups = re.compile(pattern).groups
    except re.error as error:
        raise ValueError(
            f"sequence must be a regular expression, got '{pattern}', which is none: {error}"
        ) from error
    if not groups:
        raise ValueError(
            f"sequence must contain a group that names the sequence, got '{pattern}'; put "
            "parentheses around that part"
        )


def sequence_of(key: str, pattern: str) -> str:
    """Return the name of a key's sequence; the key itself if there is none."""
    found = re.search(pattern, key)
    name: str | None = found[1] if found else None
    return key if name is None else name
