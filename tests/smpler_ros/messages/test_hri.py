"""REP 155 messages, with rosbags' classes for the definitions below."""

from functools import partial
from importlib.util import find_spec

import numpy as np
import pytest
from rosbags.typesys import Stores, get_types_from_msg, get_typestore
from scipy.spatial.transform import Rotation

from smpler_model.body.skeleton import SMPL_JOINTS
from smpler_model.cameras.messages import Message
from smpler_ros.messages.bag_types import (
    bag_constructor,
    message_types_from_rosbags,
    register_smpler_msgs,
)
from smpler_ros.messages.convert import header_message
from smpler_ros.messages.hri import (
    SKELETON_JOINTS,
    body_ids,
    body_transforms,
    hri_types,
    region_messages,
    skeleton_messages,
    tracked_message,
)
from smpler_ros.messages.message_types import import_message_class
from tests.random_people import CAMERA, random_people

# The fields of hri_msgs 2.0.
DEFINITIONS = {
    "IdsList": "std_msgs/Header header\nstring[] ids",
    "NormalizedPointOfInterest2D": "float32 x\nfloat32 y\nfloat32 c",
    "NormalizedRegionOfInterest2D": (
        "std_msgs/Header header\nfloat32 xmin\nfloat32 ymin\nfloat32 xmax\nfloat32 ymax\nfloat32 c"
    ),
    "Skeleton2D": (
        "std_msgs/Header header\nuint8 NOSE=0\nuint8 NECK=1\nuint8 RIGHT_SHOULDER=2\n"
        "uint8 RIGHT_ELBOW=3\nuint8 RIGHT_WRIST=4\nuint8 LEFT_SHOULDER=5\nuint8 LEFT_ELBOW=6\n"
        "uint8 LEFT_WRIST=7\nuint8 RIGHT_HIP=8\nuint8 RIGHT_KNEE=9\nuint8 RIGHT_ANKLE=10\n"
        "uint8 LEFT_HIP=11\nuint8 LEFT_KNEE=12\nuint8 LEFT_ANKLE=13\nuint8 LEFT_EYE=14\n"
        "uint8 RIGHT_EYE=15\nuint8 LEFT_EAR=16\nuint8 RIGHT_EAR=17\n"
        "hri_msgs/NormalizedPointOfInterest2D[18] skeleton"
    ),
}

STORE = get_typestore(Stores.ROS2_JAZZY)
register_smpler_msgs(STORE)
for _name, _text in DEFINITIONS.items():
    STORE.register(get_types_from_msg(_text, f"hri_msgs/msg/{_name}"))
TYPES = message_types_from_rosbags(STORE)
HRI = hri_types(partial(bag_constructor, STORE))
HEADER = header_message(TYPES, 17_000_000_005, "camera")


def there_and_back(message: Message) -> Message:
    return STORE.deserialize_cdr(TYPES.serialize(message), message.__msgtype__)


def test_tracked_ids() -> None:
    people = random_people(2)
    message = there_and_back(tracked_message(HRI, HEADER, people))
    assert message.ids == body_ids(people) == ["p100", "p107"]
    assert message.header.stamp.sec == 17
    assert tracked_message(HRI, HEADER, random_people(0)).ids == []


def test_regions_are_fractions_of_the_image() -> None:
    people = random_people(2)
    people.boxes_xyxy[:] = [[-0.5, 119.5, 319.5, 239.5], [600, 400, 700, 500]]
    first, second = map(there_and_back, region_messages(HRI, HEADER, people, CAMERA))
    assert (first.xmin, first.ymin, first.xmax, first.ymax) == (0, 0.25, 0.5, 0.5)
    assert first.c == pytest.approx(people.scores[0])
    assert (second.xmax, second.ymax) == (1, 1)
    assert second.xmin == pytest.approx(600.5 / 640)


def test_skeletons_are_smpl_s_joints() -> None:
    people = random_people(2)
    people.keypoints_px[:] = np.random.default_rng(0).uniform(0, 400, (2, 24, 2))
    for row, message in enumerate(skeleton_messages(HRI, HEADER, people, CAMERA)):
        skeleton = there_and_back(message).skeleton
        for index, joint in enumerate(SKELETON_JOINTS):
            point = skeleton[index]
            if joint is None:
                assert (point.x, point.y, point.c) == (0, 0, 0)
                continue
            assert getattr(message, joint.upper()) == index
            x, y = people.keypoints_px[row, SMPL_JOINTS.index(joint)]
            assert point.x == pytest.approx((x + 0.5) / 640)
            assert point.y == pytest.approx((y + 0.5) / 480)
            assert point.c == pytest.approx(people.scores[row])


@pytest.mark.parametrize("pixel", [(np.nan, np.nan), (-3, 5), (5, 481)])
def test_invisible_points_have_no_confidence(pixel: tuple[float, float]) -> None:
    people = random_people(1)
    people.keypoints_px[0, SMPL_JOINTS.index("neck")] = pixel
    neck = there_and_back(skeleton_messages(HRI, HEADER, people, CAMERA)[0]).skeleton[1]
    assert (neck.x, neck.y, neck.c) == (0, 0, 0)


def test_body_frames() -> None:
    """A person stands upright and faces the camera."""
    people = random_people(1)
    people.rotations[0, 0] = Rotation.from_euler("x", 180, degrees=True).as_matrix()
    people.joints_m[0, SMPL_JOINTS.index("left_hip")] = 0.1, 0.2, 3.0
    people.joints_m[0, SMPL_JOINTS.index("right_hip")] = -0.1, 0.2, 3.2
    (transform,) = there_and_back(body_transforms(TYPES, HEADER, people)).transforms
    assert (transform.header.frame_id, transform.child_frame_id) == ("camera", "body_p100")
    origin, turn = transform.transform.translation, transform.transform.rotation
    np.testing.assert_allclose((origin.x, origin.y, origin.z), (0, 0.2, 3.1), atol=1e-12)
    camera_from_body = Rotation.from_quat([turn.x, turn.y, turn.z, turn.w]).as_matrix()
    np.testing.assert_allclose(camera_from_body[:, 0], (0, 0, -1), atol=1e-12)  # to the camera
    np.testing.assert_allclose(camera_from_body[:, 1], (1, 0, 0), atol=1e-12)  # the body's left
    np.testing.assert_allclose(camera_from_body[:, 2], (0, -1, 0), atol=1e-12)  # up


def test_nobody() -> None:
    nobody = random_people(0)
    assert region_messages(HRI, HEADER, nobody, CAMERA) == []
    assert skeleton_messages(HRI, HEADER, nobody, CAMERA) == []
    assert body_transforms(TYPES, HEADER, nobody).transforms == []


@pytest.mark.skipif(find_spec("hri_msgs") is not None, reason="hri_msgs is installed")
def test_missing_hri_msgs_is_reported() -> None:
    with pytest.raises(ImportError, match="hri_msgs"):
        hri_types(import_message_class)
