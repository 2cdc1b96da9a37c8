"""The current tree of frames, built from transforms, and poses of cameras in it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import radians

import numpy as np
from scipy.spatial.transform import Rotation

from smpler_model.array_types import Floats
from smpler_model.cameras.messages import Message, stamp_ns_of

LINK_FROM_OPTICAL: Floats = np.array([[0.0, 0, 1, 0], [-1, 0, 0, 0], [0, -1, 0, 0], [0, 0, 0, 1]])
"""(4, 4) rotation from a camera's optical frame to its body frame (x forward, y left, z up)."""


FLOORS = ("map", "odom", "world", "earth", "base_footprint")
"""Frames whose z is up from the floor (REP 105)."""


def level_camera(height_m: float, pitch_deg: float) -> Floats:
    """Return the pose of a camera above the origin of a frame with z up, looking along x.

    Args:
        height_m: height above the floor at z = 0.
        pitch_deg: angle by which it looks down.

    Returns:
        (4, 4) transform from the optical frame to the world, metres.
    """
    world_from_link = np.eye(4)
    world_from_link[:3, :3] = Rotation.from_rotvec([0.0, radians(pitch_deg), 0.0]).as_matrix()
    world_from_link[2, 3] = height_m
    placed: Floats = world_from_link @ LINK_FROM_OPTICAL
    return placed


@dataclass(frozen=True)
class Link:
    """A transform of a `tf2_msgs/TFMessage`.

    Attributes:
        parent: name of the parent frame, without a leading slash.
        child: name of the child frame, likewise.
        stamp_ns: timestamp, nanoseconds.
        place_m: (3) position of the child in the parent.
        turn: (4) quaternion x, y, z, w of the child in the parent, not normalised.
    """

    parent: str
    child: str
    stamp_ns: int
    place_m: tuple[float, float, float]
    turn: tuple[float, float, float, float]

    @property
    def matrix(self) -> Floats:
        """(4, 4) transform from the child to the parent, metres."""
        pose = np.eye(4)
        pose[:3, :3] = Rotation.from_quat(self.turn).as_matrix()
        pose[:3, 3] = self.place_m
        return pose


def links_of(message: Message) -> Iterator[Link]:
    """Yield the valid transforms of a `tf2_msgs/TFMessage`; tf2 ignores the others as well."""
    for each in message.transforms:
        place, turn = each.transform.translation, each.transform.rotation
        numbers = (turn.x, turn.y, turn.z, turn.w)
        where = (place.x, place.y, place.z)
        if any(numbers) and np.isfinite((*numbers, *where)).all():
            parent, child = _name(each.header.frame_id), _name(each.child_frame_id)
            yield Link(parent, child, stamp_ns_of(each), where, numbers)


class FrameTree:
    """Frames and their parents; each transform replaces an earlier one of the same frame."""

    def __init__(self) -> None:
        self._parents: dict[str, str] = {}
        self._poses: dict[str, Floats] = {}

    def add(self, message: Message) -> None:
        """Add the transforms of a `tf2_msgs/TFMessage`."""
        for link in links_of(message):
            self.set(link)

    def set(self, link: Link) -> None:
        """Set the parent and the pose of a frame."""
        self._parents[link.child], self._poses[link.child] = link.parent, link.matrix

    def __contains__(self, frame: str) -> bool:
        return frame in self._parents or frame in self._parents.values()

    def parent_of(self, frame: str) -> str:
        """Return the parent of a frame; empty if it has none."""
        return self._parents.get(frame, "")

    def path_to_root(self, frame: str) -> list[str]:
        """Return a frame and its ancestors, the nearest first; a cycle ends where it closes."""
        path = [frame]
        while (parent := self._parents.get(path[-1])) is not None and parent not in path:
            path.append(parent)
        return path

    def root_from(self, frame: str) -> Floats:
        """Return the (4, 4) transform from a frame to the last of `path_to_root`, metres."""
        return self._chain(self.path_to_root(frame)[:-1])

    def world_from(self, frame: str, fixed_frame: str = "") -> Floats | None:
        """Return (4, 4): a frame with z up from a frame, metres; None if no transform leads there.

        Args:
            frame: the lower frame.
            fixed_frame: the upper frame; where no transform leads to it, the root is, if it is
                one of `FLOORS`.
        """
        path = self.path_to_root(frame)
        if fixed_frame in path:
            return self._chain(path[: path.index(fixed_frame)])
        return self._chain(path[:-1]) if path[-1] in FLOORS else None

    def _chain(self, frames: Sequence[str]) -> Floats:
        """Return the (4, 4) transform from the first of the frames to the last one's parent."""
        pose = np.eye(4)
        for frame in frames:
            pose = self._poses[frame] @ pose
        return pose


def _name(frame: str) -> str:
    return frame.removeprefix("/")
