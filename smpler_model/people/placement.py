"""Places people: metres in the camera's frame, from the crop's camera and the real one.

The network models a crop by a weak-perspective camera. Its 24 keypoints are the joints' positions
in the image; the real camera turns them into rays, including lens distortion; the body gives the
joints' positions relative to each other. Linear least squares finds the translation, in metres,
that brings the joints closest to their rays, equally well anywhere in a lens's field of view. For
a person far away on the optical axis this is the usual Tz = 2 f / (b s) with crop side b and scale
s; nearby, it also accounts for perspective within the body.
"""

from dataclasses import dataclass, fields, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from smpler_model.array_types import Floats, Integers
from smpler_model.cameras.camera import Camera
from smpler_model.frames import TranslationSource
from smpler_model.people.confidence import are_inside

HEIGHT_SPREAD = 0.06
"""Relative standard deviation of adults' heights: the error of an estimated size."""

FIELD_OF_VIEW_SPREAD = 0.2
"""Relative standard deviation of an assumed focal length."""

TRUNCATED_SPREAD, TRUNCATED_SHIFT_M = 1.0, 0.3
"""Standard deviations of the relative size, and of the position, of a body outside the image.

Both grow from 0 with the share of the joints that are outside: the visible part of a truncated
body tells little about its size, and where the rest is.
"""

FLESH = 0.07
"""How far a body extends beyond its joints, over the longer side of the joints' rectangle.

A body whose joints are nearer to the image's edge than this is cut off by it. These joints may
themselves be outside, as networks pull unseen joints into the crop.
"""

MISSING_SHARES = (0.2, 0.6)
"""Shares of a body's rectangle outside the detected box, at which none and all of it is missing:
boxes cut off hands and feet, and people whose box contains less than half are all guessed.
"""

OWN_SPREAD_PX = 4.0
"""Standard deviation of each keypoint's own error, pixels per axis."""

SHARED_SPREAD_PX = 4.0
"""Standard deviation of the error shared by all keypoints of a person, pixels per axis."""

TORSO = np.array([0, 1, 2, 3, 6, 9, 12, 16, 17])
"""Joints around whose middle people are moved by depth."""

_DEPTH_SPREAD_M = 0.05
_LIKELY_SPREADS = 3.0  # of a distance by size, which the depth is first looked for within
_WIDEST_M, _NARROWER = 0.15, (0.2, 0.15, 0.12, 0.12)  # reaches around the depth, in turn
_LEAST_AGREEING = 0.25  # share of the trunk's points within the last reach

_NEAREST_M, _FARTHEST_M = 0.1, 100.0
_LEAST_SPREAD = 1e-12  # mean squared angle between the rays; below, they are one ray
_PIXEL_STEPS = np.array([[0, 0], [0.5, 0], [-0.5, 0], [0, 0.5], [0, -0.5]])


@dataclass(frozen=True)
class Placement:
    """Positions of n people.

    Attributes:
        translations_m: (n, 3) SMPL's translation, added to every joint and vertex, optical frame;
            NaN for people who cannot be placed because fewer than two joints have a ray.
        covariances_m2: (n, 3, 3) covariances of the translations.
        from_depth: (n) bool, whether a depth image determined the distance.
        from_floor: (n) bool, whether feet on a known floor did.
        least_depths_m: (n) smallest z of the translations that keeps every visible joint in front
            of the camera.
    """

    translations_m: Floats
    covariances_m2: Floats
    from_depth: NDArray[np.bool_]
    from_floor: NDArray[np.bool_]
    least_depths_m: Floats

    def __getitem__(self, rows: NDArray[np.bool_]) -> "Placement":
        """Return the people that an (n) mask selects."""
        return Placement(*(getattr(self, field.name)[rows] for field in fields(self)))


def place(joints_m: ArrayLike, keypoints_px: ArrayLike, camera: Camera) -> Placement:
    """Place people by their keypoints.

    For a joint J with the ray r, a unit vector, (I - r r^T) (J + T) is its offset from the ray;
    the translation T minimises the sum of the squared offsets. Keypoints outside the lens's field
    of view, or not finite, have no ray and are ignored. Joints with a ray stay in front of the
    camera.

    Args:
        joints_m: (n, k, 3) posed joints before translation, in the optical frame's axes.
        keypoints_px: (n, k, 2) the same joints in the original, distorted image.
        camera: camera of the image.

    Returns:
        The placement. Its covariances assume errors of keypoints with `OWN_SPREAD_PX` and
        `SHARED_SPREAD_PX`, and of the body's size with `HEIGHT_SPREAD`, or with
        `FIELD_OF_VIEW_SPREAD` if the camera's focal length was assumed.
    """
    joints = np.asarray(joints_m, np.float64)
    rays, by_pixel = _rays(np.asarray(keypoints_px, np.float64), camera)
    seen = np.asarray(np.isfinite(rays).all(-1) & np.isfinite(joints).all(-1))  # (n, k)
    rays, joints = (np.where(seen[..., None], values, 0) for values in (rays, joints))
    beside = (np.eye(3) - rays[..., :, None] * rays[..., None, :]) * seen[..., None, None]
    normal = beside.sum(1)  # (n, 3, 3)
    enough = np.linalg.eigvalsh(normal)[:, 0] > _LEAST_SPREAD * seen.sum(1)
    inverse = np.linalg.inv(np.where(enough[:, None, None], normal, np.eye(3)))
    free = -(inverse @ np.einsum("nkij,nkj->ni", beside, joints)[..., None])[..., 0]
    # The depth of a joint on its ray at the least distance is that distance times its ray's z.
    least = np.where(seen, _NEAREST_M * rays[..., 2] - joints[..., 2], -np.inf).max(1)
    lift = np.maximum(least - free[:, 2], 0)[:, None]
    # The least squares among translations of one depth lie on this line.
    moved = lift * inverse[:, :, 2] / inverse[:, 2:, 2]
    translations = free + moved
    along = ((joints + translations[:, None]) * rays).sum(-1)  # (n, k) distances
    by_pixel = np.where(seen[..., None, None], by_pixel, 0) * along[..., None, None]
    size_spread = HEIGHT_SPREAD if camera.calibrated else FIELD_OF_VIEW_SPREAD
    covariances = (
        inverse @ _keypoint_noise(by_pixel) @ inverse
        + size_spread**2 * _outer(translations)
        + _outer(moved)
    )
    known = np.where(enough, 1.0, np.nan)
    return Placement(
        translations * known[:, None],
        covariances * known[:, None, None],
        np.zeros(len(joints), bool),
        np.zeros(len(joints), bool),
        least * known,
    )


def inflate_truncated_sizes(
    placement: Placement, keypoints_px: Floats, camera: Camera
) -> Placement:
    """Return the placement with larger covariances of truncated people.

    People placed by a depth image keep theirs: it gives their distance, whatever their size.

    Args:
        placement: placement by size, or by depth.
        keypoints_px: (n, 24, 2) the joints in the image.
        camera: camera of the image.
    """
    outside = 1 - are_inside(keypoints_px, camera).mean(1)
    spreads = np.where(placement.from_depth, 0.0, TRUNCATED_SPREAD * outside)
    doubt = spreads[:, None, None] ** 2 * _outer(placement.translations_m)
    return replace(placement, covariances_m2=placement.covariances_m2 + doubt)


def inflate_truncated_places(
    placement: Placement, keypoints_px: Floats, boxes_xyxy: Floats, camera: Camera
) -> Placement:
    """Return the placement, by any source, with larger covariances of truncated people.

    Neither a depth image nor the floor shows where the rest of the body is; see
    `inflate_truncated_sizes`. How much is missing follows from the joints or from the box,
    whichever gives more, as networks pull unseen joints into the crop.

    Args:
        placement: the placement.
        keypoints_px: (n, 24, 2) the joints in the image.
        boxes_xyxy: (n, 4) the boxes in which people were detected, pixels.
        camera: camera of the image.
    """
    size = (camera.width - 1, camera.height - 1)
    heights = np.nan_to_num(np.ptp(keypoints_px, axis=1).max(-1))
    inset = FLESH * heights[:, None, None]
    well_inside = ((keypoints_px >= inset) & (keypoints_px <= size - inset)).all(-1)
    missing = np.maximum(1 - well_inside.mean(1), missing_by_boxes(keypoints_px, boxes_xyxy))
    doubt = (TRUNCATED_SHIFT_M * missing)[:, None, None] ** 2 * np.eye(3)
    return replace(placement, covariances_m2=placement.covariances_m2 + doubt)


def missing_by_boxes(keypoints_px: Floats, boxes_xyxy: Floats) -> Floats:
    """Return the unseen share of each body according to its box, (n), 0 to 1.

    The box of a fully visible body contains all of it but a margin. It ends where the image ends,
    or where something hides the rest.

    Args:
        keypoints_px: (n, 24, 2) the joints in the image.
        boxes_xyxy: (n, 4) the boxes in which people were detected, pixels.
    """
    shown = np.isfinite(keypoints_px)
    low = np.where(shown, keypoints_px, np.inf).min(1)
    high = np.where(shown, keypoints_px, -np.inf).max(1)
    low, high = np.where(high >= low, (low, high), 0.0)
    flesh = FLESH * (high - low).max(1, keepdims=True)
    low, high = low - flesh, high + flesh
    common = np.minimum(high, boxes_xyxy[:, 2:]) - np.maximum(low, boxes_xyxy[:, :2])
    seen = np.maximum(common, 0).prod(1) / np.maximum((high - low).prod(1), 1.0)
    few, many = MISSING_SHARES
    return np.asarray(np.clip((1 - seen - few) / (many - few), 0, 1))


def place_by_depth(
    placement: Placement,
    joints_m: ArrayLike,
    front_m: Floats,
    depth_m: NDArray[np.float32],
    camera: Camera,
) -> Placement:
    """Move people along their rays to the distance in an aligned depth image.

    The depth is read at many points of the trunk. It differs from theirs by the same amount
    wherever the trunk is seen, and by other amounts where an arm or somebody else is in front of
    it, or beside its outline. The amount that most points agree on is the distance. People keep
    their distance if fewer than a quarter of the points agree, and are never moved so near that a
    visible joint is behind the camera.

    Args:
        placement: placement without depth.
        joints_m: (n, 24, 3) posed joints before translation.
        front_m: (n, p, 3) points of the trunks that face the camera, as the people are placed;
            NaN in place of others, see `TrunkSurface.front`.
        depth_m: (h, w) metres along the optical axis, aligned with the image; 0, NaN or infinity
            where unknown.
        camera: camera of the image.
    """
    before = placement.translations_m
    measured = _look_up(depth_m, camera.project(front_m))  # (n, p)
    likely = _LIKELY_SPREADS * np.sqrt(np.nan_to_num(placement.covariances_m2[:, 2, 2]))
    differences = measured - front_m[..., 2]
    behind = differences > (likely + _WIDEST_M)[:, None]  # nobody is so tall; a child is small
    steps, agreeing = _agree(np.where(behind, np.nan, differences), likely + _WIDEST_M)
    known = agreeing >= np.maximum(np.isfinite(front_m).all(-1).sum(1) * _LEAST_AGREEING, 1)
    # The torso moves along its ray; SMPL's origin is a forearm's length beside it.
    torso = np.asarray(joints_m, np.float64)[:, TORSO].mean(1) + before
    torso = np.where(known[:, None], torso, (0.0, 0.0, 1.0))
    least = placement.least_depths_m - before[:, 2]
    lift = np.where(known, np.maximum(least - steps, 0), 0)
    steps = np.where(known, steps, 0)
    by_depth = torso / torso[:, 2:]
    translations = before + (steps + lift)[:, None] * by_depth
    # T' = T - torso + depth * torso / torso_z: derivatives by T and by the depth.
    ratios = 1 + steps / torso[:, 2]
    by_place = ratios[:, None, None] * (np.eye(3) - by_depth[:, :, None] * np.eye(3)[2])
    covariances = (
        by_place @ placement.covariances_m2 @ by_place.swapaxes(1, 2)
        + _DEPTH_SPREAD_M**2 * _outer(by_depth)
        + _outer(lift[:, None] * by_depth)
    )
    covariances = np.where(known[:, None, None], covariances, placement.covariances_m2)
    return replace(
        placement, translations_m=translations, covariances_m2=covariances, from_depth=known
    )


def sources_of(placement: Placement, camera: Camera) -> NDArray[np.uint8]:
    """Return the `TranslationSource` (n) of each person."""
    size = TranslationSource.BODY_SIZE if camera.calibrated else TranslationSource.FIELD_OF_VIEW
    known = np.where(placement.from_floor, TranslationSource.FLOOR, size)
    return np.where(placement.from_depth, TranslationSource.DEPTH, known).astype(np.uint8)


def lasting_covariances(placement: Placement, camera: Camera) -> Floats:
    """Return the part (n, 3, 3) of the covariances that no averaging over time reduces.

    It is the error of the assumed size or field of view: a person who is thought to be too large
    is too far away in every image.
    """
    by_size = ~(placement.from_depth | placement.from_floor)
    spread = HEIGHT_SPREAD if camera.calibrated else FIELD_OF_VIEW_SPREAD
    return np.where(by_size, spread, 0.0)[:, None, None] ** 2 * _outer(placement.translations_m)


def _rays(pixels: Floats, camera: Camera) -> tuple[Floats, Floats]:
    """Return unit rays (..., 3) of pixels (..., 2), and their derivatives (..., 3, 2).

    At the edge of the lens's field of view, differences are one-sided.
    """
    points = camera.unproject(pixels[..., None, :] + _PIXEL_STEPS)  # (..., 5, 3)
    units = points / np.linalg.norm(points, axis=-1, keepdims=True)
    steps = _PIXEL_STEPS.sum(-1)[1:, None]
    slopes = (units[..., 1:, :] - units[..., :1, :]) / steps  # right, left, down, up
    slopes = slopes.reshape(*pixels.shape[:-1], 2, 2, 3)
    shown = np.isfinite(slopes)
    means = np.where(shown, slopes, 0).sum(-2) / np.maximum(shown.sum(-2), 1)
    return units[..., 0, :], means.swapaxes(-1, -2)


def _keypoint_noise(by_pixel: Floats) -> Floats:
    """Return the covariance (n, 3, 3) that the keypoints' errors add to the normal equations.

    Args:
        by_pixel: (n, k, 3, 2) displacement of a joint by its keypoint, metres per pixel.
    """
    own = np.einsum("nkiu,nkju->nij", by_pixel, by_pixel)
    together = by_pixel.sum(1)
    shared = together @ together.swapaxes(1, 2)
    return np.asarray(OWN_SPREAD_PX**2 * own + SHARED_SPREAD_PX**2 * shared)


def _look_up(depth_m: NDArray[np.float32], pixels: Floats) -> Floats:
    """Return the depths (...) of an image at pixels (..., 2); NaN where there is none."""
    whole = np.nan_to_num(pixels, nan=-1.0, posinf=-1.0, neginf=-1.0).round()
    height, width = depth_m.shape
    inside = np.asarray(((whole >= 0) & (whole < (width, height))).all(-1))
    u, v = np.moveaxis(np.where(inside[..., None], whole, 0).astype(np.int64), -1, 0)
    depths = depth_m[v, u].astype(np.float64)
    usable = inside & (depths > _NEAREST_M) & (depths < _FARTHEST_M)
    return np.where(usable, depths, np.nan)


def _agree(differences_m: Floats, likely_m: Floats) -> tuple[Floats, NDArray[np.intp]]:
    """Return the difference (n) that most of (n, p) agree on, and how many do (n).

    It is the median of those within a reach of the median before, and the reach gets smaller. The
    first is that within `likely_m` (n) of zero where there are enough, or else of all.
    """
    ordered = np.sort(differences_m, axis=1)  # NaN at the end
    rows, present = np.arange(len(ordered)), np.isfinite(ordered).sum(1)

    def median_within(centres_m: Floats, reaches_m: Floats | float) -> tuple[Floats, Integers]:
        low = (ordered < (centres_m - reaches_m)[:, None]).sum(1)
        high = (ordered <= (centres_m + reaches_m)[:, None]).sum(1)
        middle = np.clip((low + high - 1) // 2, 0, ordered.shape[1] - 1)
        return ordered[rows, middle], high - low

    centres, count = median_within(np.zeros(len(ordered)), likely_m)
    everywhere, _ = median_within(np.zeros(len(ordered)), np.inf)
    centres = np.where(count >= _LEAST_AGREEING * present, centres, everywhere)
    for reach_m in _NARROWER:
        centres, count = median_within(centres, reach_m)
    return centres, count


def _outer(vectors: Floats) -> Floats:
    return vectors[:, :, None] * vectors[:, None, :]
