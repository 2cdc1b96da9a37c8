"""The floor, estimated over time from people's feet, where no transform gives it.

People who walk through the room put their feet on the floor. The distance of a foot follows from
an assumed body size and is off by some percent, but the errors of people of different sizes
partly cancel: the floor from several people is better than the floor from each, and gives the
distance of the next one. All samples of one person weigh as much as one, and a person is placed by
the floor from the others alone, so as not to serve as evidence for themselves.

A camera whose pose in a fixed frame is known has its vertical from there, and may move. One
without a pose must stand still; the vertical then follows from the feet and from upright bodies.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from smpler_model.array_types import Floats, Integers
from smpler_model.body.skeleton import SMPL_JOINTS
from smpler_model.people.bones import chain
from smpler_model.people.floor import FOOT_SPREAD_M, find_soles
from smpler_model.people.foot_motion import FootMotion
from smpler_model.people.placement import HEIGHT_SPREAD

UPRIGHT_SPREAD_RAD = 0.10
"""Standard deviation of the direction in which a person stands against the vertical, per axis."""

MOST_SAMPLES = 256
"""Number of samples to keep; beyond it, the person with most of them loses the oldest."""

LARGEST_SPREAD_M = 0.15
"""A floor whose height is less certain than this is not used."""

_STEP_S = 0.5  # between two samples of a person
_PLANTED_M_S = 0.6  # a lower foot that is slower stands
_LEAST_COSINE = 0.8  # of the angle between a person and the vertical
_SURE_TILT_RAD, _ANY_HEIGHT_M = 1e-4, 10.0  # spreads before any sample
_OUTLIER = 2.0  # standard deviations from which on a sample loses weight
_ROUNDS = 6
_NECK = SMPL_JOINTS.index("neck")
_FEET = "feet_"


@dataclass(frozen=True)
class FloorEstimate:
    """The floor as n people need it: each from the feet of the others.

    Attributes:
        plane: (4) from the feet of all people, in the optical frame; None if it is too uncertain.
        planes: (n, 4) from the feet of the others.
        spreads_m: (n) standard deviations of their heights below each person; infinite where no
            floor is known, or beyond `LARGEST_SPREAD_M`.
    """

    plane: Floats | None
    planes: Floats
    spreads_m: Floats


@dataclass(frozen=True)
class _Samples:
    """k planted feet: whose, when, where, which way the person stands, and the covariances."""

    ids: Integers
    stamps_ns: Integers
    feet_m: Floats  # (k, 3)
    ups: Floats  # (k, 3)
    covariances_m2: Floats  # (k, 3, 3)

    def __len__(self) -> int:
        return len(self.ids)


class FloorFromFeet:
    """Collects the feet in one camera's images. `reset` forgets them."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Forget all feet."""
        self._motion = FootMotion()
        self._samples = _nothing()
        self._is_fixed = False

    def snapshot(self) -> dict[str, NDArray[np.generic]]:
        """Return the state as arrays, for `restore`."""
        motion = {f"{_FEET}{name}": values for name, values in self._motion.snapshot().items()}
        return vars(self._samples) | motion | {"is_fixed": np.array(self._is_fixed)}

    def restore(self, arrays: Mapping[str, NDArray[np.generic]]) -> None:
        """Restore the state that `snapshot` returned."""
        self._samples = _Samples(**{name: arrays[name] for name in vars(self._samples)})  # type: ignore[arg-type]
        self._is_fixed = bool(arrays["is_fixed"])
        motion = {name: arrays[name] for name in arrays if name.startswith(_FEET)}
        self._motion.restore({name.removeprefix(_FEET): motion[name] for name in motion})

    def watch(
        self,
        stamp_ns: int,
        ids: Integers,
        rotations: Floats,
        joints_m: Floats,
        noise_m2: Floats,
        centres_m: Floats,
        fixed_from_camera: Floats | None,
    ) -> None:
        """Add the planted feet of people in an image, who are placed without the floor.

        Args:
            stamp_ns: timestamp of the image.
            ids: (n) track ids.
            rotations: (n, 24, 3, 3), the pelvises' in the optical frame.
            joints_m: (n, 24, 3) in the optical frame.
            noise_m2: (n, 3, 3) covariances of their places, without the error of their size.
            centres_m: (n, 3) what does not move if their size is wrong: the camera for people who
                are placed by size, the pelvis for those placed by depth.
            fixed_from_camera: (4, 4) the camera's pose; None if it is not known.
        """
        if not self._follow_reference(fixed_from_camera):
            return
        turn, place_m = _reference(fixed_from_camera)
        soles = find_soles(rotations, joints_m).mean(2) @ turn.T + place_m  # (n, side, 3)
        speeds = self._motion.speeds(stamp_ns, ids, soles)
        ups = joints_m[:, _NECK] - find_soles(rotations, joints_m).mean((1, 2))
        ups = ups @ turn.T / np.linalg.norm(ups, axis=1, keepdims=True)
        side, rows = (soles * ups[:, None]).sum(-1).argmin(1), np.arange(len(ids))
        same = (ids[:, None] == self._samples.ids) & (
            stamp_ns - self._samples.stamps_ns < _STEP_S * 1e9
        )
        spine = chain(rotations)[:, 0, :, 1] @ turn.T
        used = (speeds[rows, side] < _PLANTED_M_S) & ((spine * ups).sum(1) > _LEAST_COSINE)
        used &= ~same.any(1)
        if self._is_fixed:
            used &= ups[:, 2] > _LEAST_COSINE
        arms_m = soles[rows, side] - centres_m @ turn.T - place_m
        by_size = HEIGHT_SPREAD**2 * arms_m[:, :, None] * arms_m[:, None, :]
        new = _Samples(
            ids[used],
            np.full(int(used.sum()), stamp_ns, np.int64),
            soles[rows, side][used],
            ups[used],
            (turn @ noise_m2 @ turn.T + by_size)[used],
        )
        self._samples = _join(self._samples, new)

    def estimate(
        self, ids: Integers, pelvises_m: Floats, fixed_from_camera: Floats | None
    ) -> FloorEstimate:
        """Return the floor, for the people with the given ids and pelvises (n, 3) as well."""
        n = len(ids)
        unknown = FloorEstimate(None, np.tile((0.0, -1.0, 0.0, 0.0), (n, 1)), np.full(n, np.inf))
        if len(self._samples) == 0 or self._is_fixed != (fixed_from_camera is not None):
            return unknown
        turn, place_m = _reference(fixed_from_camera)
        axes, tilt_rad = self._axes()
        forms, sides, owners = self._solve(axes, tilt_rad)
        prior = _prior(tilt_rad)
        mine = (ids[:, None] == owners)[..., None, None]
        totals = np.concatenate(
            [forms.sum(0)[None], forms.sum(0) - np.where(mine, forms, 0).sum(1)]
        )
        right = np.concatenate(
            [sides.sum(0)[None], sides.sum(0) - np.where(mine[..., 0], sides, 0).sum(1)]
        )
        inverses = np.linalg.inv(totals + prior)
        solved = (inverses @ right[..., None])[..., 0]  # (1 + n, 3)
        normals = axes[2] + solved[:, :2] @ axes[:2]
        lengths = np.linalg.norm(normals, axis=1)
        heights = solved[:, 2] / lengths
        normals /= lengths[:, None]
        # From the reference to the optical frame: normal (R x + t) + height = 0.
        planes = np.concatenate([normals @ turn, (heights + normals @ place_m)[:, None]], 1)
        middle = self._samples.feet_m.mean(0)
        places = np.concatenate([middle[None], pelvises_m @ turn.T + place_m])
        slopes = np.concatenate([places @ axes[:2].T, np.ones((n + 1, 1))], 1)
        spreads = np.sqrt(np.einsum("ni,nij,nj->n", slopes, inverses, slopes))
        spreads[spreads > LARGEST_SPREAD_M] = np.inf
        return FloorEstimate(
            planes[0] if np.isfinite(spreads[0]) else None, planes[1:], spreads[1:]
        )

    def _follow_reference(self, fixed_from_camera: Floats | None) -> bool:
        """Return whether feet can be added; a first pose begins anew, an image without waits."""
        is_fixed = fixed_from_camera is not None
        if is_fixed and not self._is_fixed:
            self.reset()
            self._is_fixed = True
        return is_fixed == self._is_fixed

    def _axes(self) -> tuple[Floats, float]:
        """Return two horizontal axes and the vertical (3, 3), and how much it may be tilted."""
        if self._is_fixed:
            return np.eye(3), _SURE_TILT_RAD
        owners = np.unique(self._samples.ids)
        each = np.stack([np.median(self._samples.ups[self._samples.ids == o], 0) for o in owners])
        up = np.median(each, 0)
        up /= np.linalg.norm(up)
        right = np.cross(up, (0.0, 0.0, 1.0) if abs(up[2]) < _LEAST_COSINE else (0.0, 1.0, 0.0))
        right /= np.linalg.norm(right)
        tilt_rad = UPRIGHT_SPREAD_RAD / np.sqrt(len(owners))
        return np.stack([right, np.cross(up, right), up]), float(tilt_rad)

    def _solve(self, axes: Floats, tilt_rad: float) -> tuple[Floats, Floats, Integers]:
        """Return the normal equations of each person, (p, 3, 3) and (p, 3), and their ids (p).

        Feet that stand elsewhere than on the floor of most lose weight (iteratively reweighted
        least squares with Cauchy's weights).
        """
        samples = self._samples
        owners, owner, counts = np.unique(samples.ids, return_inverse=True, return_counts=True)
        up = axes[2]
        variances = np.einsum("i,kij,j->k", up, samples.covariances_m2, up) + FOOT_SPREAD_M**2
        heights = samples.feet_m @ up
        slopes = np.concatenate([samples.feet_m @ axes[:2].T, np.ones((len(samples), 1))], 1)
        prior = _prior(tilt_rad)
        solved = np.array([0.0, 0.0, -np.median(heights)])
        for _ in range(_ROUNDS):
            errors2 = (heights + slopes @ solved) ** 2 / variances
            weights = 1 / (1 + errors2 / _OUTLIER**2) / variances / counts[owner]
            weighted = weights[:, None] * slopes
            form = weighted.T @ slopes + prior
            solved = np.linalg.solve(form, -(weighted.T @ heights))
        forms = np.zeros((len(owners), 3, 3))
        sides = np.zeros((len(owners), 3))
        np.add.at(forms, owner, weighted[:, :, None] * slopes[:, None])
        np.add.at(sides, owner, -weighted * heights[:, None])
        return forms, sides, owners


def _reference(fixed_from_camera: Floats | None) -> tuple[Floats, Floats]:
    """Return the rotation (3, 3) and the place (3) of the camera; its own frame if it has none."""
    if fixed_from_camera is None:
        return np.eye(3), np.zeros(3)
    return fixed_from_camera[:3, :3], fixed_from_camera[:3, 3]


def _prior(tilt_rad: float) -> Floats:
    """Return the information (3, 3) on tilts and height before any sample."""
    return np.diag(np.array([tilt_rad, tilt_rad, _ANY_HEIGHT_M]) ** -2.0)


def _nothing() -> _Samples:
    none = np.empty(0, np.int64)
    return _Samples(none, none, np.empty((0, 3)), np.empty((0, 3)), np.empty((0, 3, 3)))


def _join(before: _Samples, new: _Samples) -> _Samples:
    joined = {
        name: np.concatenate([old, getattr(new, name)]) for name, old in vars(before).items()
    }
    kept = _choose(joined["ids"])
    return _Samples(**{name: values[kept] for name, values in joined.items()})


def _choose(ids: Integers) -> NDArray[np.intp]:
    """Return the rows of the samples that are kept, in order.

    Args:
        ids: (k) whose they are, the oldest first.
    """
    rows = np.arange(len(ids), dtype=np.intp)
    if len(ids) <= MOST_SAMPLES:
        return rows
    newer = np.triu(ids[:, None] == ids, 1).sum(1)  # samples of the same person
    return np.sort(rows[np.lexsort((-rows, newer))[:MOST_SAMPLES]])
