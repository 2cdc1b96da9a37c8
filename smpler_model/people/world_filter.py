"""People in the fixed frame: smoothed there, with positions, velocities and facings.

Values filtered in the frame of a turning camera lag behind the turn. So rotations, positions and
velocities are filtered in the fixed frame here, and transformed back to the camera's.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from smpler_model.array_types import Floats, Integers
from smpler_model.frames import CameraPose, WorldMotion
from smpler_model.people.position_filter import PositionFilter
from smpler_model.people.smoothing import Bodies, Smoother, SmoothingConfig

_LEAST_LEVEL = 0.2  # horizontal part of the forward axis, below which people face up or down
_POSITIONS = "position_"


@dataclass(frozen=True)
class MeasuredPelvises:
    """Measured pelvises of n people in one image, in the optical frame.

    Attributes:
        positions_m: (n, 3).
        noise_m2: (n, 3, 3) covariances of what differs from image to image.
        lasting_m2: (n, 3, 3) covariances of what lasts, which no averaging reduces.
        are_seen: (n) whether a person is in the image, and not only assumed there.
    """

    positions_m: Floats
    noise_m2: Floats
    lasting_m2: Floats
    are_seen: NDArray[np.bool_]


class WorldFilter:
    """The filters of all people in one camera, in the fixed frame.

    State is kept per track id; `reset` clears it.

    Attributes:
        smoother: filters of rotations and shapes; its configuration may be replaced at any time.
    """

    def __init__(self, config: SmoothingConfig | None = None) -> None:
        self.smoother = Smoother(config)
        self._positions = PositionFilter()

    def reset(self) -> None:
        """Reset the filters of all people."""
        self.smoother.reset()
        self._positions.reset()

    def snapshot(self) -> dict[str, NDArray[np.generic]]:
        """Return the state as arrays, for `restore`."""
        positions = self._positions.snapshot()
        return self.smoother.snapshot() | {
            f"{_POSITIONS}{name}": values for name, values in positions.items()
        }

    def restore(self, arrays: Mapping[str, NDArray[np.generic]]) -> None:
        """Restore the state that `snapshot` returned."""
        self.smoother.restore(arrays)
        ours = {name: values for name, values in arrays.items() if name.startswith(_POSITIONS)}
        self._positions.restore({name.removeprefix(_POSITIONS): ours[name] for name in ours})

    def smooth(self, stamp_ns: int, ids: Integers, bodies: Bodies, pose: CameraPose) -> Bodies:
        """Filter rotations and shapes; the translations are those given.

        Args:
            stamp_ns: timestamp of the image, nanoseconds.
            ids: (n) track ids.
            bodies: people in the optical frame, as estimated.
            pose: pose of the camera.
        """
        turn = pose.fixed_from_camera[:3, :3]
        turned = Bodies(_turn(turn, bodies.rotations), bodies.betas, bodies.translations_m)
        smooth = self.smoother.smooth(stamp_ns, ids, turned)
        return Bodies(_turn(turn.T, smooth.rotations), smooth.betas, bodies.translations_m)

    def follow(
        self,
        stamp_ns: int,
        ids: Integers,
        measured: MeasuredPelvises,
        pelvis_rotations: Floats,
        pose: CameraPose,
    ) -> WorldMotion:
        """Filter positions and velocities.

        Args:
            stamp_ns: timestamp of the image, nanoseconds.
            ids: (n) track ids.
            measured: their pelvises.
            pelvis_rotations: (n, 3, 3) of the pelvises in the optical frame.
            pose: pose of the camera.
        """
        turn, place_m = pose.fixed_from_camera[:3, :3], pose.fixed_from_camera[:3, 3]
        estimates = self._positions.update(
            stamp_ns,
            ids,
            measured.positions_m @ turn.T + place_m,
            turn @ measured.noise_m2 @ turn.T,
            measured.are_seen,
        )
        return WorldMotion(
            positions_m=estimates.positions_m,
            position_covariances_m2=(
                estimates.position_covariances_m2 + turn @ measured.lasting_m2 @ turn.T
            ),
            velocities_m_s=estimates.velocities_m_s,
            velocity_covariances_m2_s2=estimates.velocity_covariances_m2_s2,
            facings_rad=facings(turn @ pelvis_rotations),
        )


def facings(rotations: Floats) -> Floats:
    """Return yaws (n) of pelvises' forward axes about z, -pi to pi; NaN if they face up or down.

    Args:
        rotations: (n, 3, 3) of the pelvises in a frame with z up.
    """
    ahead = rotations[:, :2, 2]  # SMPL's z points forward from the belly
    yaws = np.arctan2(ahead[:, 1], ahead[:, 0])
    level = np.linalg.norm(ahead, axis=1) >= _LEAST_LEVEL
    return np.asarray(np.where(level, yaws, np.nan))


def pelvises_in_camera(motion: WorldMotion, pose: CameraPose) -> Floats:
    """Return the positions (n, 3) of people's pelvises in the optical frame, metres."""
    turn, place_m = pose.fixed_from_camera[:3, :3], pose.fixed_from_camera[:3, 3]
    return np.asarray((motion.positions_m - place_m) @ turn)


def _turn(turn: Floats, rotations: Floats) -> Floats:
    """Return rotations (n, 24, 3, 3) with the pelvises rotated."""
    turned = rotations.copy()
    turned[:, 0] = turn @ rotations[:, 0]
    return turned
