"""Which people belong together, by a regular expression over their keys."""

import re


def check_pattern(pattern: str) -> None:
    """Refuse a pattern that names no sequence.

    Raises:
        ValueError: it is no regular expression, or has no group.
    """
    try:
        groups = re.compile(pattern).groups
    except re.error as error:
        raise ValueError(
            f"sequence must be a regular expression, got '{pattern}', in which there is: {error}; "
            "correct it"
        ) from error
    if not groups:
        raise ValueError(
            f"sequence must hold a group, which names the sequence, got '{pattern}'; put "
            "parentheses around that part"
        )


def sequence_of(key: str, pattern: str) -> str:
    """Return the name of the sequence that a key belongs to; the key itself where none is."""
    found = re.search(pattern, key)
    name: str | None = found[1] if found else None
    return key if name is None else name
