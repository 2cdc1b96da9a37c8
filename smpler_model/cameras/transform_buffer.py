"""Transforms over time, as in tf2: where a frame was in another one when an image was taken.

`tf2_ros` needs a ROS installation, and a bag has no node; here node and bag share one
implementation, so that they place people alike. As in tf2, transforms are interpolated between the
two samples around a time and never extrapolated, static ones hold at all times, and the last ten
seconds are kept.
"""

from bisect import bisect_left
from dataclasses import dataclass, field

import numpy as np
from scipy.spatial.transform import Rotation

from smpler_model.array_types import Floats
from smpler_model.cameras.frame_tree import Link, links_of
from smpler_model.cameras.messages import NS_PER_S, Message

HISTORY_NS = 10 * NS_PER_S
"""Time for which transforms are kept, behind the newest one of the same frame."""

_FORGET_NS = 6 * HISTORY_NS  # a frame silent for this long while another one continues is gone
_REWIND_NS = NS_PER_S  # a transform this far before the last one of its frame: the clock was reset


@dataclass(frozen=True)
class Lookup:
    """The transform between two frames at a time, or why it is unknown.

    Attributes:
        target_from_source: (4, 4) metres; None if unknown.
        reason: why it is unknown, as a clause; empty if it is known.
        may_come: whether it is unknown because the time is after the last transform.
    """

    target_from_source: Floats | None
    reason: str = ""
    may_come: bool = False


@dataclass
class _History:
    """The transforms of one child frame in the order of their stamps.

    Attributes:
        advance_ns: time by which the stamps went on since the buffer last set it back, without
            jumps of the clock.
        is_updated: whether a transform came since then.
    """

    parent: str
    is_static: bool
    advance_ns: int = 0
    is_updated: bool = False
    stamps_ns: list[int] = field(default_factory=list)
    links: list[Link] = field(default_factory=list)

    def add(self, link: Link) -> None:
        step_ns = link.stamp_ns - self.stamps_ns[-1] if self.stamps_ns else 0
        self.advance_ns += step_ns if 0 < step_ns < HISTORY_NS else 0
        self.is_updated = True
        if self.is_static or (self.stamps_ns and link.stamp_ns < self.stamps_ns[-1] - _REWIND_NS):
            self.stamps_ns, self.links = [], []
        place = bisect_left(self.stamps_ns, link.stamp_ns)
        if place < len(self.stamps_ns) and self.stamps_ns[place] == link.stamp_ns:
            return  # repeated
        self.stamps_ns.insert(place, link.stamp_ns)
        self.links.insert(place, link)
        old = bisect_left(self.stamps_ns, self.stamps_ns[-1] - HISTORY_NS)
        if 2 * old > len(self.stamps_ns):  # rarely, as the rest is copied
            del self.stamps_ns[:old], self.links[:old]

    def at(self, stamp_ns: int) -> Floats | None:
        """Return (4, 4) parent_from_child; None before the first and after the last transform."""
        if self.is_static:
            return self.links[0].matrix
        after = bisect_left(self.stamps_ns, stamp_ns)
        if after == len(self.stamps_ns):
            return None
        later = self.links[after]
        if later.stamp_ns == stamp_ns:
            return later.matrix
        return _interpolate(self.links[after - 1], later, stamp_ns) if after else None


class TransformBuffer:
    """The transforms of `/tf` and `/tf_static` of the last seconds. State: the transforms."""

    def __init__(self) -> None:
        self._histories: dict[str, _History] = {}

    def add(self, message: Message, *, is_static: bool) -> None:
        """Add the transforms of a `tf2_msgs/TFMessage`.

        The history of a frame is cleared if its parent changes, or if its stamps go back by more
        than a second. A moving frame is deleted if nothing comes while another one goes on for a
        minute; stamps of different frames are not compared, as their clocks may differ.
        """
        for link in links_of(message):
            history = self._histories.get(link.child)
            if history is None or (history.parent, history.is_static) != (link.parent, is_static):
                history = _History(link.parent, is_static, self._longest_advance_ns())
                self._histories[link.child] = history
            history.add(link)
            if history.advance_ns > _FORGET_NS and not is_static:
                self._forget_silent()

    def find(self, target: str, source: str, stamp_ns: int) -> Lookup:
        """Return the transform between two frames at a time.

        Args:
            target: name of the frame whose coordinates are wanted, for example `map`.
            source: name of the frame whose coordinates are given, for example a camera's.
            stamp_ns: the time, nanoseconds.
        """
        if target == source:
            return Lookup(np.eye(4))
        up, down = self._path(source), self._path(target)
        common = next((frame for frame in up if frame in down), None)
        if common is None:
            missing = [frame for frame in (target, source) if frame not in self]
            reason = (
                f"there is no frame '{missing[0]}'"
                if missing
                else f"no transforms connect '{source}' with '{target}'"
            )
            return Lookup(None, reason)
        found = []
        for path in (up, down):
            pose = np.eye(4)
            for child in path[: path.index(common)]:
                parent_from_child = self._histories[child].at(stamp_ns)
                if parent_from_child is None:
                    return self._explain(child, stamp_ns)
                pose = parent_from_child @ pose
            found.append(pose)
        common_from_source, common_from_target = found
        return Lookup(np.linalg.inv(common_from_target) @ common_from_source)

    def __contains__(self, frame: str) -> bool:
        return frame in self._histories or any(
            history.parent == frame for history in self._histories.values()
        )

    def _longest_advance_ns(self) -> int:
        """Return the longest advance of a moving frame; a new frame starts with the same."""
        moving = (each.advance_ns for each in self._histories.values() if not each.is_static)
        return max(moving, default=0)

    def _forget_silent(self) -> None:
        """Delete the moving frames that were silent since the last call."""
        self._histories = {
            child: history
            for child, history in self._histories.items()
            if history.is_static or history.is_updated
        }
        for history in self._histories.values():
            history.advance_ns, history.is_updated = 0, False

    def _explain(self, child: str, stamp_ns: int) -> Lookup:
        history = self._histories[child]
        after_s = (stamp_ns - history.stamps_ns[-1]) / NS_PER_S
        if after_s > 0:
            reason = f"the last transform of '{child}' is older than the image"
            return Lookup(None, reason, may_come=True)
        return Lookup(None, f"the first transform of '{child}' is newer than the image")

    def _path(self, frame: str) -> list[str]:
        """Return a frame and its ancestors; a cycle ends where it closes."""
        path = [frame]
        while (
            history := self._histories.get(path[-1])
        ) is not None and history.parent not in path:
            path.append(history.parent)
        return path


def _interpolate(before: Link, after: Link, stamp_ns: int) -> Floats:
    """Return (4, 4) parent_from_child between two transforms: linear, and on the shortest arc."""
    share = (stamp_ns - before.stamp_ns) / (after.stamp_ns - before.stamp_ns)
    first = Rotation.from_quat(before.turn)
    step = (first.inv() * Rotation.from_quat(after.turn)).as_rotvec()
    pose = np.eye(4)
    pose[:3, :3] = (first * Rotation.from_rotvec(share * step)).as_matrix()
    start, end = np.array(before.place_m), np.array(after.place_m)
    pose[:3, 3] = start + share * (end - start)
    return pose
