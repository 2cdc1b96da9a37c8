"""People in bags: their topics, and results from `smpler_msgs/SmplPersonArray`."""

import numpy as np
from scipy.spatial.transform import Rotation

from smpler_model.array_types import Floats
from smpler_model.bags.cameras import shared_parts
from smpler_model.bags.reader import BagReader
from smpler_model.body.skeleton import SMPL_JOINTS
from smpler_model.cameras.messages import Message
from smpler_model.frames import People, details_from
from smpler_model.source import SourceError

PEOPLE_TYPE = "smpler_msgs/msg/SmplPersonArray"

_JOINTS = len(SMPL_JOINTS)
_DETAILS = {
    "joint_confidence": "joint_confidences",
    "foot_contact": "foot_contacts",
    "footprint": "footprints_m",
    "position": "positions_m",
    "position_covariance": "position_covariances_m2",
    "velocity": "velocities_m_s",
    "velocity_covariance": "velocity_covariances_m2_s2",
    "facing": "facings_rad",
}
"""Attributes of people by the fields that they are in, which the first definitions lacked."""


def people_from_message(message: Message) -> People:
    """Return the people in a `smpler_msgs/SmplPersonArray`: results or ground truth in a bag.

    The message has single precision except for the translation and its covariance, and contains
    neither the camera nor the timings of the result; timestamp and frame are in its header. If one
    person lacks a mesh, all people have none. Fields that recordings of earlier definitions lack
    count as unknown.
    """
    people = message.people
    n = len(people)

    def rows(name: str) -> Floats:
        return np.array([np.asarray(getattr(each, name), np.float64) for each in people])

    def stack(name: str, *shape: int) -> Floats:
        return rows(name).reshape(n, *shape)

    details = {
        attribute: rows(field)
        for field, attribute in _DETAILS.items()
        if n and all(hasattr(person, field) for person in people)
    }
    meshes = [np.asarray(person.vertices, np.float32) for person in people]
    return People(
        ids=stack("id").astype(np.int64),
        states=stack("tracking_state").astype(np.uint8),
        scores=stack("score"),
        boxes_xyxy=stack("box_xyxy", 4),
        rotations=_rotations_from_vectors(stack("pose", _JOINTS, 3)),
        betas=stack("betas", 10),
        translations_m=stack("translation", 3),
        covariances_m2=stack("translation_covariance", 3, 3),
        sources=stack("translation_source").astype(np.uint8),
        weak_cameras=stack("weak_camera", 3),
        joints_m=stack("joints", _JOINTS, 3),
        keypoints_px=stack("keypoints", _JOINTS, 2),
        vertices_m=np.stack(meshes).reshape(n, -1, 3) if n and all(map(len, meshes)) else None,
        **details_from(n, details),
    )


def find_truth_topics(reader: BagReader, cameras: list[str], wanted: str) -> dict[str, str]:
    """Return the ground-truth topic for each image topic.

    Args:
        reader: reader of the bag.
        cameras: image topics.
        wanted: topics, separated by commas; if empty, those of the type with `truth` in their
            names, as others may be a node's outputs. Each is assigned to the camera whose topic
            has the most similar name.

    Raises:
        SourceError: a missing topic, or cameras that share one.
    """
    topics = {name for name, topic in reader.topics.items() if topic.type == PEOPLE_TYPE}
    chosen = {name.strip() for name in wanted.split(",") if name.strip()}
    if missing := chosen - topics:
        listed = ", ".join(sorted(topics)) or "none"
        raise SourceError(
            f"the truth must be a topic of {PEOPLE_TYPE} in {reader.path}, which has {listed}, "
            f"got '{min(missing)}'; name one of these topics or a .npz file"
        )
    if not chosen:
        chosen = {name for name in topics if "truth" in name}
    found: dict[str, str] = {}
    for topic in sorted(chosen):
        shared = {camera: shared_parts(camera, topic) for camera in cameras}
        best = [camera for camera in cameras if shared[camera] == max(shared.values())]
        if len(best) != 1 or best[0] in found:
            raise SourceError(
                f"each topic of the truth must share its name with one camera, got {topic} beside "
                f"{', '.join(best)}; name one topic of the truth for each camera, or evaluate the "
                "cameras one by one"
            )
        found[best[0]] = topic
    return found


def _rotations_from_vectors(vectors: Floats) -> Floats:
    n, k, _ = vectors.shape
    matrices = Rotation.from_rotvec(vectors.reshape(-1, 3)).as_matrix()
    return np.asarray(matrices, np.float64).reshape(n, k, 3, 3)
