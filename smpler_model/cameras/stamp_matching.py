"""Which depth image or which boxes belong to which image, by their stamps."""

from collections.abc import Sequence


def partner_of(
    image_ns: int, partners_ns: Sequence[int], images_ns: Sequence[int], tolerance_ns: int
) -> int | None:
    """Return the place of the partner that belongs to an image; None where none does.

    A partner belongs to the image whose stamp is nearest to its own, the earlier of two that are
    equally far, and to no other; of several an image takes the nearest, the earlier of two.

    Args:
        image_ns: stamp of the image.
        partners_ns: stamps of what may belong to it.
        images_ns: stamps of the images around, with or without this one's.
        tolerance_ns: how far stamps of what belongs together may be apart.
    """
    near = [
        (abs(stamp_ns - image_ns), stamp_ns, place)
        for place, stamp_ns in enumerate(partners_ns)
        if abs(stamp_ns - image_ns) <= tolerance_ns
    ]
    for _, stamp_ns, place in sorted(near):
        if _nearest(stamp_ns, (image_ns, *images_ns)) == image_ns:
            return place
    return None


def _nearest(stamp_ns: int, others_ns: Sequence[int]) -> int:
    """Return the nearest of some stamps, the earlier of two."""
    return min(others_ns, key=lambda ns: (abs(ns - stamp_ns), ns))
