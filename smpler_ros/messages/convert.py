"""Conversion between results and messages. Message classes are passed in, not imported.

The node passes rclpy's classes and the bag writer those of `rosbags`, so both share this module
and it needs no ROS installation. Images, calibration and depth are read by
`smpler_model.cameras.messages`, people by `smpler_model.bags.people_topics`.
"""

import re

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from smpler_model.array_types import Floats
from smpler_model.body.skeleton import SMPL_JOINTS, SMPL_PARENTS
from smpler_model.cameras.messages import NS_PER_S
from smpler_model.frames import FrameResult, People, details_of, values_or_nan
from smpler_ros.messages.message_types import Message, MessageTypes

_JOINTS = len(SMPL_JOINTS)
_JOINT_FRAME = re.compile(rf".*person_\d+/(?:{'|'.join(SMPL_JOINTS)})")


def time_message(types: MessageTypes, stamp_ns: int) -> Message:
    """Return a `builtin_interfaces/Time` of nanoseconds."""
    seconds, nanoseconds = divmod(stamp_ns, NS_PER_S)
    return types.time(sec=seconds, nanosec=nanoseconds)


def header_message(types: MessageTypes, stamp_ns: int, frame_id: str) -> Message:
    """Return a `std_msgs/Header`."""
    return types.header(stamp=time_message(types, stamp_ns), frame_id=frame_id)


def person_array_message(
    types: MessageTypes, header: Message, model: str, result: FrameResult, *, vertices: bool
) -> Message:
    """Return a `smpler_msgs/SmplPersonArray`.

    Args:
        types: the message classes.
        header: the image's.
        model: name of the model.
        result: the image's result.
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


def transforms_message(
    types: MessageTypes, header: Message, people: People, prefix: str = ""
) -> Message:
    """Return a `tf2_msgs/TFMessage` with the 24 joints of all people.

    Frames are `<prefix>person_<id>/<joint>` in SMPL's kinematic tree; the pelvis is a child of the
    image's frame. Walking up the tree from a joint gives its position in `people.joints_m`.

    Args:
        types: the message classes.
        header: the image's.
        people: the people found.
        prefix: prefix of all frame names.
    """
    translations, rotations = parent_from_joint(people)
    quaternions = Rotation.from_matrix(rotations.reshape(-1, 3, 3)).as_quat()
    values = np.concatenate([translations.reshape(-1, 3), quaternions], 1).tolist()
    names = [f"{prefix}person_{id_}/" for id_ in people.ids.tolist()]
    transforms = []
    for index, numbers in enumerate(values):
        person, joint = divmod(index, _JOINTS)
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


def is_joint_frame(name: str) -> bool:
    """Return whether a frame name is one of `transforms_message`, with any prefix."""
    return _JOINT_FRAME.fullmatch(name) is not None


def parent_from_joint(people: People) -> tuple[Floats, NDArray[np.float64]]:
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
