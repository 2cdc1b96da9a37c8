"""People as bodies of REP 155 (ROS4HRI), if `hri_msgs` is installed.

Topics: `/humans/bodies/tracked` (`IdsList`), and for every body `/humans/bodies/<id>/roi`
(`NormalizedRegionOfInterest2D`) and `/humans/bodies/<id>/skeleton2d` (`Skeleton2D`). Frames:
`body_<id>`. Message classes are passed in.

Differences: the image of a body (`cropped`) and its joint states are not published; the REP's
angles about fixed axes cannot represent SMPL's rotations.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.spatial.transform import Rotation

from smpler_model.array_types import Floats
from smpler_model.body.skeleton import SMPL_JOINTS
from smpler_model.cameras.camera import Camera
from smpler_model.cameras.messages import Message
from smpler_model.frames import People
from smpler_ros.messages.convert import set_transform
from smpler_ros.messages.message_types import Constructor, MessageTypes

SKELETON_JOINTS = (
    *(None, "neck", "right_shoulder", "right_elbow", "right_wrist"),
    *("left_shoulder", "left_elbow", "left_wrist", "right_hip", "right_knee", "right_ankle"),
    *("left_hip", "left_knee", "left_ankle", None, None, None, None),
)
"""SMPL's joint for each of the 18 points of `hri_msgs/Skeleton2D`; None for points of the face."""

# REP 155: x points forward from the belly, z to the head. SMPL's pelvis: x left, y up, z forward.
PELVIS_FROM_BODY = np.array([[0.0, 1, 0], [0, 0, 1], [1, 0, 0]])
_HIPS = [SMPL_JOINTS.index("left_hip"), SMPL_JOINTS.index("right_hip")]


@dataclass(frozen=True)
class HriTypes:
    """Constructors of the messages of `hri_msgs` (2.0 and later)."""

    ids_list: Constructor
    point: Constructor
    region: Constructor
    skeleton: Constructor


def hri_types(find: Callable[[str], Constructor]) -> HriTypes:
    """Return the classes of `hri_msgs`.

    Args:
        find: returns a class by its full name, for example `message_types.import_message_class`.

    Raises:
        ImportError: `hri_msgs` is missing (where `find` imports).
    """
    return HriTypes(
        ids_list=find("hri_msgs/msg/IdsList"),
        point=find("hri_msgs/msg/NormalizedPointOfInterest2D"),
        region=find("hri_msgs/msg/NormalizedRegionOfInterest2D"),
        skeleton=find("hri_msgs/msg/Skeleton2D"),
    )


def body_ids(people: People) -> list[str]:
    """Return ids for the REP, which start with a letter because they are parts of topic names."""
    return [f"p{id_}" for id_ in people.ids.tolist()]


def tracked_message(hri: HriTypes, header: Message, people: People) -> Message:
    """Return the `hri_msgs/IdsList` for `/humans/bodies/tracked`."""
    return hri.ids_list(header=header, ids=body_ids(people))


def region_messages(
    hri: HriTypes, header: Message, people: People, camera: Camera
) -> list[Message]:
    """Return an `hri_msgs/NormalizedRegionOfInterest2D` per person, in the order of `people`."""
    corners = _normalize(people.boxes_xyxy.reshape(-1, 2, 2), camera).clip(0, 1)
    boxes = corners.reshape(-1, 4).tolist()
    return [
        hri.region(header=header, xmin=left, ymin=top, xmax=right, ymax=bottom, c=score)
        for (left, top, right, bottom), score in zip(boxes, people.scores.tolist(), strict=True)
    ]


def skeleton_messages(
    hri: HriTypes, header: Message, people: People, camera: Camera
) -> list[Message]:
    """Return an `hri_msgs/Skeleton2D` per person, in the order of `people`.

    Points that are unknown (nose, eyes and ears), behind the camera or outside the image have
    confidence 0; all other points have the confidence of the person.
    """
    rows = [SMPL_JOINTS.index(joint or "head") for joint in SKELETON_JOINTS]
    known = np.array([joint is not None for joint in SKELETON_JOINTS])
    points = _normalize(people.keypoints_px[:, rows], camera)  # (n, 18, 2)
    with np.errstate(invalid="ignore"):
        seen = known & ((points >= 0) & (points <= 1)).all(2)
    confidences = np.where(seen, people.scores[:, None], 0)
    points = np.where(seen[..., None], points, 0)
    triples = np.concatenate([points, confidences[..., None]], 2).tolist()
    return [
        hri.skeleton(header=header, skeleton=[hri.point(x=x, y=y, c=c) for x, y, c in person])
        for person in triples
    ]


def body_transforms(types: MessageTypes, header: Message, people: People) -> Message:
    """Return the `tf2_msgs/TFMessage` of the frames `body_<id>`, children of the image's frame.

    The origin is between the hips; x points forward from the belly and z to the head.
    """
    origins = people.joints_m[:, _HIPS].mean(1)
    camera_from_body = people.rotations[:, 0] @ PELVIS_FROM_BODY
    quaternions = Rotation.from_matrix(camera_from_body).as_quat()
    transforms = []
    numbers = np.concatenate([origins, quaternions], 1).tolist()
    for body, values in zip(body_ids(people), numbers, strict=True):
        transform = types.transform_stamped()
        transform.header = header
        transform.child_frame_id = f"body_{body}"
        set_transform(transform.transform, values)
        transforms.append(transform)
    return types.tf_message(transforms=transforms)


def _normalize(pixels: Floats, camera: Camera) -> Floats:
    """Return pixels (..., 2) as fractions of the image's size, from its outer corner."""
    return (pixels + 0.5) / (camera.width, camera.height)
