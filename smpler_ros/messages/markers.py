"""Meshes and skeletons for RViz, as the bytes of `visualization_msgs/MarkerArray`.

All people of a frame are in one message: RViz displays it as a whole, so that it never mixes
people of two frames, and a lost message drops a whole frame. Each marker has a single colour,
because colours per vertex disable RViz's lighting, a lifetime, so that no markers remain if the
node dies, and the same topology in every frame.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from smpler_model.array_types import AnyFloats
from smpler_model.body.skeleton import SMPL_PARENTS
from smpler_model.cameras.messages import NS_PER_S, Message
from smpler_model.drawing.palette import colours_of
from smpler_model.frames import People
from smpler_ros.messages.cdr import PointMarker, serialize_markers
from smpler_ros.messages.message_types import MessageTypes

# visualization_msgs/Marker
LINE_LIST = 5
SPHERE_LIST = 7
TRIANGLE_LIST = 11
ADD = 0
DELETE = 2
DELETEALL = 3

DEFAULT_LIFETIME_S = 0.5
_BONE_WIDTH_M = 0.025
_JOINT_WIDTH_M = 0.05
_NO_POINTS = np.empty((0, 3))


class PersonMarkers:
    """Markers whose ids are the people's, in one or several namespaces.

    State: the displayed ids, so that markers of people who left are deleted. `serialize_clear`
    resets it.

    Attributes:
        shown: the displayed ids; set them to continue from another object.
    """

    def __init__(
        self,
        types: MessageTypes,
        namespaces: tuple[str, ...],
        *,
        lifetime_s: float,
        alpha: float,
    ) -> None:
        """Create markers without people.

        Args:
            types: the message classes.
            namespaces: namespaces of the markers; markers of people who left are deleted in all of
                them.
            lifetime_s: time after which RViz removes a marker that was not updated, seconds.
            alpha: opacity, 0 to 1.
        """
        self._types = types
        self._namespaces = namespaces
        self._lifetime_s = lifetime_s
        self._alpha = alpha
        self.shown: set[int] = set()

    def serialize(self, header: Message, people: People) -> bytes:
        """Return a message that displays exactly these people.

        Args:
            header: the image's.
            people: people to display.
        """
        ids = people.ids.tolist()
        gone = sorted(self.shown - set(ids))
        self.shown = set(ids)
        deleted = [
            PointMarker(self._marker(header, namespace, id_, DELETE), _NO_POINTS)
            for namespace in self._namespaces
            for id_ in gone
        ]
        return serialize_markers(self._types, [*deleted, *self._shapes(header, people)])

    def serialize_clear(self, header: Message) -> bytes:
        """Return a message that deletes all displayed markers."""
        self.shown = set()
        markers = [
            PointMarker(self._marker(header, namespace, 0, DELETEALL), _NO_POINTS)
            for namespace in self._namespaces
        ]
        return serialize_markers(self._types, markers)

    def _shapes(self, header: Message, people: People) -> Iterator[PointMarker]:
        """Yield the markers of all people."""
        raise NotImplementedError

    def _marker(self, header: Message, namespace: str, id_: int, action: int) -> Message:
        """Return a marker with an identity pose."""
        marker = self._types.marker(header=header, ns=namespace, id=id_, action=action)
        marker.pose.orientation.w = 1.0
        return marker

    def _shape(
        self,
        header: Message,
        namespace: str,
        kind: int,
        id_: int,
        scale_m: tuple[float, float, float],
        points: AnyFloats,
    ) -> PointMarker:
        marker = self._marker(header, namespace, id_, ADD)
        marker.type = kind
        marker.scale.x, marker.scale.y, marker.scale.z = scale_m
        red, green, blue = (colours_of([id_])[0] / 255).tolist()
        color = marker.color
        color.r, color.g, color.b, color.a = red, green, blue, self._alpha
        seconds, nanoseconds = divmod(round(self._lifetime_s * NS_PER_S), NS_PER_S)
        marker.lifetime.sec, marker.lifetime.nanosec = seconds, nanoseconds
        return PointMarker(marker, points)


class MeshMarkers(PersonMarkers):
    """One triangle list per person.

    The corners of all triangles are gathered into a reused buffer: allocating memory would take
    longer than the gathering.
    """

    def __init__(
        self,
        types: MessageTypes,
        faces: NDArray[np.integer],
        *,
        namespace: str = "mesh",
        lifetime_s: float = DEFAULT_LIFETIME_S,
        alpha: float = 1.0,
    ) -> None:
        """Create markers without people.

        Args:
            types: the message classes.
            faces: (f, 3) of the body.
            namespace: namespace of the markers.
            lifetime_s: time after which RViz removes a marker that was not updated, seconds.
            alpha: opacity, 0 to 1.
        """
        super().__init__(types, (namespace,), lifetime_s=lifetime_s, alpha=alpha)
        self._corners = np.ascontiguousarray(faces, np.intp).ravel()
        self._points = np.empty((0, len(self._corners), 3))

    def _shapes(self, header: Message, people: People) -> Iterator[PointMarker]:
        if people.vertices_m is None:
            if len(people):
                raise ValueError(
                    "people must have meshes to display them, got none; process the frame with "
                    "mesh=True"
                )
            return
        if len(people) > len(self._points):
            self._points = np.empty((len(people), *self._points.shape[1:]))
        rows = zip(people.ids.tolist(), people.vertices_m, self._points, strict=False)
        for id_, vertices, points in rows:
            # mode="clip" has no effect here, but saves a temporary copy in NumPy.
            np.take(vertices.astype(np.float64), self._corners, 0, points, mode="clip")
            yield self._shape(
                header, self._namespaces[0], TRIANGLE_LIST, id_, (1.0, 1.0, 1.0), points
            )


class SkeletonMarkers(PersonMarkers):
    """One line list of bones and one sphere list of joints per person."""

    def __init__(
        self,
        types: MessageTypes,
        *,
        namespace: str = "skeleton",
        lifetime_s: float = DEFAULT_LIFETIME_S,
        alpha: float = 1.0,
    ) -> None:
        """Create markers without people.

        Args:
            types: the message classes.
            namespace: namespace of the bone markers; that of the joints is `<namespace>_joints`.
            lifetime_s: time after which RViz removes a marker that was not updated, seconds.
            alpha: opacity, 0 to 1.
        """
        namespaces = (namespace, f"{namespace}_joints")
        super().__init__(types, namespaces, lifetime_s=lifetime_s, alpha=alpha)
        ends = [(parent, joint) for joint, parent in enumerate(SMPL_PARENTS) if parent >= 0]
        self._bone_ends = np.array(ends).ravel()

    def _shapes(self, header: Message, people: People) -> Iterator[PointMarker]:
        bones, joints = self._namespaces
        line, ball = (_BONE_WIDTH_M, 0.0, 0.0), (_JOINT_WIDTH_M,) * 3
        for id_, joints_m in zip(people.ids.tolist(), people.joints_m, strict=True):
            yield self._shape(header, bones, LINE_LIST, id_, line, joints_m[self._bone_ends])
            yield self._shape(header, joints, SPHERE_LIST, id_, ball, joints_m)
