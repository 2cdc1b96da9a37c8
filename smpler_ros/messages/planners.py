"""People for planners: poses, boxes, and `people_msgs/People` with velocities.

Message classes are passed in, as in `convert`. With the camera's pose, everything is in the fixed
frame; otherwise in the optical frame, without velocities.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.spatial.transform import Rotation

from smpler_model.array_types import Floats
from smpler_model.cameras.messages import Message
from smpler_model.frames import FoundPeople, People, WorldMotion
from smpler_model.people.world_filter import facings
from smpler_ros.messages.convert import header_message
from smpler_ros.messages.hri import PELVIS_FROM_BODY
from smpler_ros.messages.message_types import Constructor, MessageTypes

PERSON_LABEL = "person"

_BODY_MARGIN_M = 0.12  # a body extends about this far beyond its joints


@dataclass(frozen=True)
class BoxTypes:
    """Constructors of the messages of `vision_msgs` (4.0 and later) for boxes in space."""

    detection: Constructor
    detections: Constructor
    hypothesis: Constructor


@dataclass(frozen=True)
class PeopleTypes:
    """Constructors of the messages of `people_msgs`."""

    people: Constructor
    person: Constructor


def box_types(find: Callable[[str], Constructor]) -> BoxTypes:
    """Return the classes of `vision_msgs`.

    Args:
        find: returns a class by its full name, for example `message_types.import_message_class`.

    Raises:
        ImportError: they are missing (where `find` imports).
    """
    return BoxTypes(
        detection=find("vision_msgs/msg/Detection3D"),
        detections=find("vision_msgs/msg/Detection3DArray"),
        hypothesis=find("vision_msgs/msg/ObjectHypothesisWithPose"),
    )


def people_types(find: Callable[[str], Constructor]) -> PeopleTypes:
    """Return the classes of `people_msgs`; see `box_types`."""
    return PeopleTypes(
        people=find("people_msgs/msg/People"), person=find("people_msgs/msg/Person")
    )


@dataclass(frozen=True)
class PlacedPeople:
    """n people as a planner sees them.

    Attributes:
        frame_id: the fixed frame, or the optical frame if the camera's pose is unknown.
        pelvises_m: (n, 3).
        bodies: (n, 3, 3) frame from body: x forward from the belly, z to the head (REP 155); in
            the fixed frame, z is up.
        centres_m: (n, 3) centres of boxes around the bodies, with the bodies' axes.
        sizes_m: (n, 3) sizes of the boxes.
        covariances_m2: (n, 3, 3) of the pelvises.
    """

    frame_id: str
    pelvises_m: Floats
    bodies: Floats
    centres_m: Floats
    sizes_m: Floats
    covariances_m2: Floats


def place_people(result: FoundPeople) -> PlacedPeople:
    """Return a frame's people in the fixed frame, or in the optical frame without one."""
    people = result.people
    if result.pose is None or people.motion is None:
        bodies = people.rotations[:, 0] @ PELVIS_FROM_BODY
        return _place(
            result.frame_id, people.joints_m, people.joints_m[:, 0], bodies, people.covariances_m2
        )
    pose, motion = result.pose.fixed_from_camera, people.motion
    joints_m = people.joints_m @ pose[:3, :3].T + pose[:3, 3]
    return _place(
        result.pose.frame_id,
        joints_m,
        motion.positions_m,
        _upright(pose[:3, :3], people, motion),
        motion.position_covariances_m2,
    )


def _place(
    frame_id: str, joints_m: Floats, pelvises_m: Floats, bodies: Floats, covariances_m2: Floats
) -> PlacedPeople:
    local = (joints_m - joints_m[:, :1]) @ bodies
    low, high = local.min(1) - _BODY_MARGIN_M, local.max(1) + _BODY_MARGIN_M
    middle = np.einsum("nij,nj->ni", bodies, (low + high) / 2)
    return PlacedPeople(
        frame_id, pelvises_m, bodies, joints_m[:, 0] + middle, high - low, covariances_m2
    )


def _upright(turn: Floats, people: People, motion: WorldMotion) -> Floats:
    """Return (n, 3, 3) rotations about z: facing, or to where the head is for people who lie."""
    heads = turn @ people.rotations[:, 0] @ np.array([[1.0, 0, 0], [0, 0, 1], [0, 1, 0]])
    yaws = np.where(np.isfinite(motion.facings_rad), motion.facings_rad, facings(heads))
    return np.asarray(Rotation.from_rotvec(yaws[:, None] * (0, 0, 1)).as_matrix(), np.float64)


def poses_message(
    types: MessageTypes, stamp_ns: int, placed: PlacedPeople, pose_array: Constructor
) -> Message:
    """Return a `geometry_msgs/PoseArray`: pelvises, with x forward.

    Args:
        types: the message classes.
        stamp_ns: the image's timestamp.
        placed: the people.
        pose_array: the class.
    """
    poses = [types.pose() for _ in placed.pelvises_m]
    for pose, numbers in zip(poses, _numbers(placed.pelvises_m, placed.bodies), strict=True):
        _set_pose(pose, numbers)
    return pose_array(header=header_message(types, stamp_ns, placed.frame_id), poses=poses)


def boxes_message(
    types: MessageTypes, boxes: BoxTypes, stamp_ns: int, placed: PlacedPeople, people: People
) -> Message:
    """Return a `vision_msgs/Detection3DArray`: a box around each body, and the pelvis's pose.

    The covariance of the pose is that of the position; that of the rotation is zero, not known.
    """
    header = header_message(types, stamp_ns, placed.frame_id)
    made = []
    centres = _numbers(placed.centres_m, placed.bodies)
    pelvises = _numbers(placed.pelvises_m, placed.bodies)
    for row, id_ in enumerate(people.ids.tolist()):
        result = boxes.hypothesis()
        result.hypothesis.class_id = PERSON_LABEL
        result.hypothesis.score = float(people.scores[row])
        _set_pose(result.pose.pose, pelvises[row])
        covariance = np.zeros((6, 6))
        covariance[:3, :3] = placed.covariances_m2[row]
        result.pose.covariance = covariance.ravel()
        detection = boxes.detection(header=header, results=[result], id=str(id_))
        _set_pose(detection.bbox.center, centres[row])
        size = detection.bbox.size
        size.x, size.y, size.z = placed.sizes_m[row].tolist()
        made.append(detection)
    return boxes.detections(header=header, detections=made)


def people_message(
    types: MessageTypes,
    kinds: PeopleTypes,
    stamp_ns: int,
    placed: PlacedPeople,
    people: People,
    motion: WorldMotion,
) -> Message:
    """Return a `people_msgs/People`: pelvises and velocities; the score is the reliability."""
    rows = zip(
        people.ids.tolist(),
        placed.pelvises_m.tolist(),
        motion.velocities_m_s.tolist(),
        people.scores.tolist(),
        strict=True,
    )
    made = []
    for id_, place, velocity_m_s, score in rows:
        position, velocity = (types.point(x=x, y=y, z=z) for x, y, z in (place, velocity_m_s))
        made.append(
            kinds.person(name=str(id_), position=position, velocity=velocity, reliability=score)
        )
    return kinds.people(header=header_message(types, stamp_ns, placed.frame_id), people=made)


def _numbers(places_m: Floats, rotations: Floats) -> list[list[float]]:
    """Return x, y, z and a quaternion x, y, z, w per person."""
    if not len(places_m):
        return []
    quaternions = Rotation.from_matrix(rotations).as_quat()
    listed: list[list[float]] = np.concatenate([places_m, quaternions], 1).tolist()
    return listed


def _set_pose(pose: Message, numbers: list[float]) -> None:
    place, turn = pose.position, pose.orientation
    place.x, place.y, place.z, turn.x, turn.y, turn.z, turn.w = numbers
