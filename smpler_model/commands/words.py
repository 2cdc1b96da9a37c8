"""Numbers with their nouns."""


def counted(count: int, one: str, many: str = "") -> str:
    """Return a number with its noun: 1 image, 2 images, 0 people.

    Args:
        count: the number.
        one: the noun of one.
        many: plural of the noun; if empty, the noun with an s.
    """
    return f"{count} {one if count == 1 else many or one + 's'}"
