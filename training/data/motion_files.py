"""Recorded motion in BVH files: positions of joints over time.

The format has no official document; the usual description is that of M. Meredith and S. Maddock,
"Motion Capture File Formats Explained", University of Sheffield, 2001. Joints are found by the
names in common skeletons: those of the public conversions of Carnegie Mellon's recordings,
Mixamo's, and names such as `LeftHip`, `LeftKnee`.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from smpler_model.array_types import Floats

_LEFT_NAMES: dict[str, tuple[str, ...]] = {
    "hip": ("LeftUpLeg", "lThigh", "LeftHip"),
    "knee": ("LeftLeg", "lShin", "LeftKnee", "LeftLowLeg"),
    "ankle": ("LeftFoot", "lFoot", "LeftAnkle"),
    "foot": ("LeftToeBase", "LeftToe", "lToe"),
    "shoulder": ("LeftArm", "lShldr", "LeftUpArm", "LeftShoulder"),
    "elbow": ("LeftForeArm", "lForeArm", "LeftElbow", "LeftLowArm"),
    "wrist": ("LeftHand", "lHand", "LeftWrist"),
    "hand": ("LeftHandMiddle1", "LeftHandIndex1", "lMid1", "LeftFingerBase"),
}
"""Names of SMPL's joints on the left side, the most common first."""

_MIDDLE_NAMES: dict[str, tuple[str, ...]] = {"neck": ("Neck", "neck"), "head": ("Head", "head")}
_AXES = "XYZ"


@dataclass(frozen=True)
class MotionRecording:
    """One recording.

    Attributes:
        names: (k,) names of the skeleton's joints.
        points: (t, k, 3) positions, in the file's unit, y up.
        frame_s: time between frames, s.
    """

    names: tuple[str, ...]
    points: Floats
    frame_s: float

    def rows(self) -> dict[str, int]:
        """Return the rows of SMPL's joints, by SMPL's names; some may be missing."""
        plain = {name.rpartition(":")[2]: row for row, name in reversed([*enumerate(self.names)])}
        wanted = dict(_MIDDLE_NAMES)
        for part, names in _LEFT_NAMES.items():
            wanted[f"left_{part}"] = names
            wanted[f"right_{part}"] = tuple(_other_side(name) for name in names)
        found = {
            joint: next((plain[name] for name in names if name in plain), None)
            for joint, names in wanted.items()
        }
        return {joint: row for joint, row in found.items() if row is not None}


@dataclass
class _Skeleton:
    """Joints in the order of their channels, with parents before children."""

    names: list[str]
    parents: list[int]
    offsets: list[list[float]]
    channels: list[list[str]]


def read_bvh(path: Path) -> MotionRecording:
    """Read a recording.

    Raises:
        ValueError: the file is not BVH, or is truncated.
    """
    hierarchy, found, motion = path.read_text(encoding="utf-8", errors="replace").partition(
        "MOTION"
    )
    try:
        if not found:
            raise ValueError("no MOTION")
        skeleton = _read_hierarchy(hierarchy.split())
        numbers, frame_s = _read_motion(motion.split(), sum(map(len, skeleton.channels)))
        points = _place(skeleton, numbers)
    except (ValueError, IndexError) as error:
        raise ValueError(
            f"{path} must be a complete BVH file, got {error}; get it again or remove it"
        ) from None
    return MotionRecording(tuple(skeleton.names), points, frame_s)


def _read_hierarchy(words: list[str]) -> _Skeleton:
    skeleton, above, at = _Skeleton([], [], [], []), [-1], 0
    while at < len(words):
        word = words[at]
        if word in ("ROOT", "JOINT"):
            skeleton.names.append(words[at + 1])
            skeleton.parents.append(above[-1])
            skeleton.channels.append([])
            above.append(len(skeleton.names) - 1)
            at += 2
        elif word == "End":
            at = words.index("}", at) + 1  # an end site, which has no channels
        elif word == "OFFSET":
            skeleton.offsets.append([float(number) for number in words[at + 1 : at + 4]])
            at += 4
        elif word == "CHANNELS":
            count = int(words[at + 1])
            skeleton.channels[-1] = words[at + 2 : at + 2 + count]
            at += 2 + count
        else:
            if word == "}":
                above.pop()
            at += 1
    if not skeleton.names or len(skeleton.offsets) != len(skeleton.names):
        raise ValueError("a hierarchy without joints or offsets")
    return skeleton


def _read_motion(words: list[str], width: int) -> tuple[Floats, float]:
    """Return the channels of all frames (t, width) and the time between frames, s."""
    count = int(words[words.index("Frames:") + 1])
    start = words.index("Time:") + 1
    numbers = np.array(words[start + 1 :], np.float64)
    if len(numbers) != count * width or not count:
        raise ValueError(f"{len(numbers)} numbers for {count} frames of {width}")
    if not np.isfinite(numbers).all():
        raise ValueError("numbers that are not finite")
    frame_s = float(words[start])
    if not frame_s > 0:
        raise ValueError(f"a frame time of {frame_s:g} s")
    return numbers.reshape(count, width), frame_s


def _place(skeleton: _Skeleton, numbers: Floats) -> Floats:
    """Return positions of joints, (t, k, 3)."""
    t, k = len(numbers), len(skeleton.names)
    points, turns = np.zeros((t, k, 3)), np.zeros((t, k, 3, 3))
    column = 0
    for joint, parent in enumerate(skeleton.parents):
        offset = np.tile(np.array(skeleton.offsets[joint]), (t, 1))
        turn = np.tile(np.eye(3), (t, 1, 1))
        for channel in skeleton.channels[joint]:
            axis = _AXES.index(channel[0].upper())
            if channel[1:].lower() == "position":
                offset[:, axis] = numbers[:, column]
            else:
                turn = turn @ _turn(axis, np.radians(numbers[:, column]))
            column += 1
        if parent < 0:
            points[:, joint], turns[:, joint] = offset, turn
        else:
            points[:, joint] = points[:, parent] + (turns[:, parent] @ offset[..., None])[..., 0]
            turns[:, joint] = turns[:, parent] @ turn
    return points


def _turn(axis: int, angle: Floats) -> Floats:
    """Return rotations (t, 3, 3) about x, y or z."""
    turns = np.tile(np.eye(3), (len(angle), 1, 1))
    first, second = (axis + 1) % 3, (axis + 2) % 3
    turns[:, first, first] = turns[:, second, second] = np.cos(angle)
    turns[:, second, first], turns[:, first, second] = np.sin(angle), -np.sin(angle)
    return turns


def _other_side(name: str) -> str:
    return name.replace("Left", "Right") if "Left" in name else "r" + name[1:]
