"""The tree of frames that transforms make, as it is now, and cameras in it."""

from math import radians

import numpy as np
from scipy.spatial.transform import Rotation

from smpler_model.array_types import Floats
from smpler_model.cameras.messages import Message

LINK_FROM_OPTICAL: Floats = np.array([[0.0, 0, 1, 0], [-1, 0, 0, 0], [0, -1, 0, 0], [0, 0, 0, 1]])
"""(4, 4): a camera's body frame (x forward, y left, z up) from its optical one (REP 103)."""


def level_camera(height_m: float, pitch_deg: float) -> Floats:
    """Return where a camera is that looks along x, above the origin of a frame whose z is up.

    Args:
        height_m: above the floor at z = 0.
        pitch_deg: how far it looks down from the horizon.

    Returns:
        (4, 4): world from the optical frame, metres.
    """
    world_from_link = np.eye(4)
    world_from_link[:3, :3] = Rotation.from_rotvec([0.0, radians(pitch_deg), 0.0]).as_matrix()
    world_from_link[2, 3] = height_m
    placed: Floats = world_from_link @ LINK_FROM_OPTICAL
    return placed


class FrameTree:
    """Frames and their parents; of each transform the last one that was added."""

    def __init__(self) -> None:
        self._parents: dict[str, str] = {}
        self._poses: dict[str, Floats] = {}

    def add(self, message: Message) -> None:
        """Take over the transforms of a `tf2_msgs/TFMessage`."""
        for each in message.transforms:
            place, turn = each.transform.translation, each.transform.rotation
            numbers = [turn.x, turn.y, turn.z, turn.w]
            if not any(numbers):  # what tf2 refuses, too
                continue
            pose = np.eye(4)
            pose[:3, :3] = Rotation.from_quat(numbers).as_matrix()
            pose[:3, 3] = place.x, place.y, place.z
            child = _name(each.child_frame_id)
            self._parents[child], self._poses[child] = _name(each.header.frame_id), pose

    def __contains__(self, frame: str) -> bool:
        return frame in self._parents or frame in self._parents.values()

    def parent_of(self, frame: str) -> str:
        """Return the parent of a frame; empty where it has none."""
        return self._parents.get(frame, "")

    def path_to_root(self, frame: str) -> list[str]:
        """Return a frame and those above it, the nearest first. A circle ends where it closes."""
        path = [frame]
        while (parent := self._parents.get(path[-1])) is not None and parent not in path:
            path.append(parent)
        return path

    def root_from(self, frame: str) -> Floats:
        """Return (4, 4): the last frame of `path_to_root` from a frame, metres."""
        pose = np.eye(4)
        for child in self.path_to_root(frame)[:-1]:
            pose = self._poses[child] @ pose
        return pose


def _name(frame: str) -> str:
    return frame.removeprefix("/")
