"""Conversion between results and messages. Message classes are passed in, not imported.

The node passes rclpy's classes and the bag writer those of `rosbags`, so both share this module
and it needs no ROS installation. Images, calibration and depth are read by
`smpler_model.cameras.messages`, people by `smpler_model.bags.people_topics`.
"""

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from smpler_model.array_types import Floats
from smpler_model.bags.person_frames import FOOTPRINT
from smpler_model.body.skeleton import SMPL_JOINTS, SMPL_PARENTS
from smpler_model.cameras.messages import NS_PER_S, Message
from smpler_model.frames import FoundPeople, People, details_of, values_or_nan
from smpler_ros.messages.message_types import MessageTypes

_JOINTS = len(SMPL_JOINTS)


def path_to_pelvis(joint: int) -> list[int]:
    """Return a joint of SMPL's kinematic tree and its ancestors, the nearest first."""
    path = [joint]
    while SMPL_PARENTS[path[-1]] >= 0:
        path.append(SMPL_PARENTS[path[-1]])
    return path


_HANGS_FROM = np.array(
    [[joint in path for path in map(path_to_pelvis, range(_JOINTS))] for joint in range(_JOINTS)]
)
"""(24, 24) whether the second joint hangs from the first, or is it."""


def time_message(types: MessageTypes, stamp_ns: int) -> Message:
    """Return a `builtin_interfaces/Time` of nanoseconds."""
    seconds, nanoseconds = divmod(stamp_ns, NS_PER_S)
    return types.time(sec=seconds, nanosec=nanoseconds)


def header_message(types: MessageTypes, stamp_ns: int, frame_id: str) -> Message:
    """Return a `std_msgs/Header`."""
    return types.header(stamp=time_message(types, stamp_ns), frame_id=frame_id)


def person_array_message(
    types: MessageTypes, header: Message, model: str, result: FoundPeople, *, vertices: bool
) -> Message:
    """Return a `smpler_msgs/SmplPersonArray`.

    Args:
        types: the message classes.
        header: the image's, or the fixed frame's.
        model: name of the model.
        result: the result of an image, or of several.
        vertices: whether to include the meshes.

    Raises:
        ValueError: meshes are requested but were not computed.
    """
    people = result.people
    if vertices and people.vertices_m is None:
        raise ValueError(
            "people must have meshes to publish them, got none; process the frame with mesh=True"
        )
    columns = _columns(types, people, vertices=vertices)
    rows = zip(*columns.values(), strict=True)
    return types.person_array(
        header=header,
        fixed_frame="" if result.pose is None else result.pose.frame_id,
        floor=values_or_nan(result.floor, 4),
        model=model,
        people=[types.person(**dict(zip(columns, row, strict=True))) for row in rows],
    )


def person_transforms(
    types: MessageTypes,
    header: Message,
    result: FoundPeople,
    prefix: str = "",
    least_confidence: float = 0.0,
) -> Message:
    """Return a `tf2_msgs/TFMessage` with the joints of a frame's people, and their footprints.

    A footprint, `<prefix>person_<id>/footprint`, is on the floor below the pelvis, with z up and x
    forward: a child of the fixed frame, or of the image's frame if the camera's pose is unknown.
    People whose footprint is unknown have none.

    Args:
        types: the message classes.
        header: the image's.
        result: the frame's result.
        prefix: prefix of all frame names.
        least_confidence: see `transforms_message`.
    """
    message = transforms_message(types, header, result.people, prefix, least_confidence)
    message.transforms += _footprints(types, header, result, prefix)
    return message


def transforms_message(
    types: MessageTypes,
    header: Message,
    people: People,
    prefix: str = "",
    least_confidence: float = 0.0,
) -> Message:
    """Return a `tf2_msgs/TFMessage` with the 24 joints of all people.

    Frames are `<prefix>person_<id>/<joint>` in SMPL's kinematic tree; the pelvis is a child of the
    image's frame. Walking up the tree from a joint gives its position in `people.joints_m`.

    Args:
        types: the message classes.
        header: the image's.
        people: the people found.
        prefix: prefix of all frame names.
        least_confidence: joints of less confidence are left out, unless a joint of more hangs from
            them; unknown confidences count as sure.
    """
    kept = _kept_joints(people, least_confidence)
    translations, rotations = parent_from_joint(people)
    quaternions = Rotation.from_matrix(rotations.reshape(-1, 3, 3)).as_quat()
    values = np.concatenate([translations.reshape(-1, 3), quaternions], 1).tolist()
    names = [f"{prefix}person_{id_}/" for id_ in people.ids.tolist()]
    transforms = []
    for index, numbers in enumerate(values):
        person, joint = divmod(index, _JOINTS)
        if not kept[person, joint]:
            continue
        parent = SMPL_PARENTS[joint]
        transform = types.transform_stamped()
        transform.header.stamp = header.stamp
        transform.header.frame_id = (
            header.frame_id if parent < 0 else names[person] + SMPL_JOINTS[parent]
        )
        transform.child_frame_id = names[person] + SMPL_JOINTS[joint]
        set_transform(transform.transform, numbers)
        transforms.append(transform)
    return types.tf_message(transforms=transforms)


def _kept_joints(people: People, least_confidence: float) -> NDArray[np.bool_]:
    """Return (n, 24) whether a joint, or one that hangs from it, is sure enough."""
    if people.joint_confidences is None or least_confidence <= 0:
        return np.ones((len(people), _JOINTS), np.bool_)
    sure = ~(people.joint_confidences < least_confidence)
    return np.asarray((sure[:, None] & _HANGS_FROM).any(2))


def _footprints(
    types: MessageTypes, header: Message, result: FoundPeople, prefix: str
) -> list[Message]:
    people, floor = result.people, result.floor
    if people.footprints_m is None or floor is None:
        return []
    ahead = people.rotations[:, 0, :, 2]  # SMPL's z points forward from the belly
    ahead = ahead - (ahead @ floor[:3])[:, None] * floor[:3]
    length = np.linalg.norm(ahead, axis=1)
    known = np.isfinite(people.footprints_m).all(1) & (length > 0)
    parent, place = header.frame_id, np.eye(4)
    if result.pose is not None:
        parent, place = result.pose.frame_id, result.pose.fixed_from_camera
    stamped = types.header(stamp=header.stamp, frame_id=parent)
    transforms = []
    for row in np.flatnonzero(known).tolist():
        camera_from_footprint = np.eye(4)
        forward = ahead[row] / length[row]
        axes = (forward, np.cross(floor[:3], forward), floor[:3])
        camera_from_footprint[:3, :3] = np.column_stack(axes)
        camera_from_footprint[:3, 3] = people.footprints_m[row]
        name = f"{prefix}person_{people.ids[row]}/{FOOTPRINT}"
        transforms.append(transform_message(types, stamped, name, place @ camera_from_footprint))
    return transforms


def parent_from_joint(people: People) -> tuple[Floats, Floats]:
    """Return the transforms of SMPL's kinematic tree; those of the pelvis in the optical frame.

    Returns:
        (n, 24, 3) translations in metres and (n, 24, 3, 3) rotations.
    """
    parents = np.array(SMPL_PARENTS[1:])
    camera_from_parent = camera_from_joint(people.rotations)[:, parents]
    bones = people.joints_m[:, 1:] - people.joints_m[:, parents]  # in the optical frame
    translations = people.joints_m.copy()
    translations[:, 1:] = np.einsum("njik,nji->njk", camera_from_parent, bones)
    return translations, people.rotations


def camera_from_joint(rotations: Floats) -> Floats:
    """Multiply rotations along the kinematic tree.

    Args:
        rotations: (n, 24, 3, 3) each joint's in its parent's frame.

    Returns:
        (n, 24, 3, 3) each joint's in the optical frame.
    """
    above = np.array([_JOINTS if parent < 0 else parent for parent in SMPL_PARENTS] + [_JOINTS])
    # A fixed root joint is added above the pelvis. Each round doubles the number of levels.
    chain = np.concatenate(
        [rotations, np.broadcast_to(np.eye(3), (len(rotations), 1, 3, 3))], axis=1
    )
    while (above != _JOINTS).any():
        chain = chain[:, above] @ chain
        above = above[above]
    return chain[:, :_JOINTS]


def frame_prefix(given: str, namespace: str = "") -> str:
    """Return the prefix of frame names: `a/` for `a`, and nothing for `/`.

    Args:
        given: the user's prefix.
        namespace: namespace of the node, used if no prefix is given, so that nodes in different
            namespaces do not publish the same frames.
    """
    prefix = (given or namespace).strip("/")
    return f"{prefix}/" if prefix else ""


def transform_message(
    types: MessageTypes, header: Message, child: str, parent_from_child: Floats
) -> Message:
    """Return a `geometry_msgs/TransformStamped`.

    Args:
        types: the message classes.
        header: header with the parent's frame.
        child: name of the child frame.
        parent_from_child: (4, 4), metres.
    """
    message = types.transform_stamped(header=header)
    message.child_frame_id = child
    turn = Rotation.from_matrix(parent_from_child[:3, :3]).as_quat()
    set_transform(message.transform, [*parent_from_child[:3, 3].tolist(), *turn.tolist()])
    return message


def set_transform(transform: Message, numbers: list[float]) -> None:
    """Set a `geometry_msgs/Transform` from x, y, z and a quaternion x, y, z, w."""
    position, turn = transform.translation, transform.rotation
    position.x, position.y, position.z, turn.x, turn.y, turn.z, turn.w = numbers


def _columns(types: MessageTypes, people: People, *, vertices: bool) -> dict[str, list[object]]:
    """Return the fields of `smpler_msgs/SmplPerson`, each with a value for every person."""
    n = len(people)

    def rows(values: NDArray[np.generic], kind: type[np.floating]) -> list[object]:
        return list(np.ascontiguousarray(values.reshape(n, -1), kind)) if n else []

    poses = Rotation.from_matrix(people.rotations.reshape(-1, 3, 3)).as_rotvec()
    meshes = people.vertices_m if vertices else None
    if meshes is None:
        meshes = np.empty((n, 0), np.float32)
    details = details_of(people)
    return {
        "id": people.ids.tolist(),
        "tracking_state": people.states.tolist(),
        "score": people.scores.tolist(),
        "box_xyxy": rows(people.boxes_xyxy, np.float32),
        "betas": rows(people.betas, np.float32),
        "pose": rows(poses, np.float32),
        "translation": rows(people.translations_m, np.float64),
        "translation_covariance": rows(people.covariances_m2, np.float64),
        "translation_source": people.sources.tolist(),
        "weak_camera": rows(people.weak_cameras, np.float32),
        "joints": rows(people.joints_m, np.float32),
        "keypoints": rows(people.keypoints_px, np.float32),
        "joint_confidence": rows(details["joint_confidences"], np.float32),
        "foot_contact": rows(details["foot_contacts"], np.float32),
        "footprint": rows(details["footprints_m"], np.float64),
        "position": rows(details["positions_m"], np.float64),
        "position_covariance": rows(details["position_covariances_m2"], np.float64),
        "velocity": rows(details["velocities_m_s"], np.float64),
        "velocity_covariance": rows(details["velocity_covariances_m2_s2"], np.float64),
        "facing": details["facings_rad"].tolist(),
        "vertices": [types.sequence(mesh.ravel()) for mesh in meshes],
    }
