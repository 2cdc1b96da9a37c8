"""Matches depth images and boxes with images by their timestamps."""

from collections.abc import Sequence


def partner_of(
    image_ns: int, partners_ns: Sequence[int], images_ns: Sequence[int], tolerance_ns: int
) -> int | None:
    """Return the index of the partner that belongs to an image; None if there is none.

    A partner belongs to the image with the nearest timestamp, the earlier of two equally near
    ones, and to no other. Of several partners, an image takes the nearest, the earlier of two.

    Args:
        image_ns: timestamp of the image.
        partners_ns: timestamps of the possible partners.
        images_ns: timestamps of the neighbouring images, with or without this one's.
        tolerance_ns: largest difference between the timestamps of an image and its partner.
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
    """Return the nearest of several timestamps, the earlier of two."""
    return min(others_ns, key=lambda ns: (abs(ns - stamp_ns), ns))
