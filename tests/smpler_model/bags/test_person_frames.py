"""Which frames are people's."""

from types import SimpleNamespace

import pytest

from smpler_model.bags.person_frames import FOOTPRINT, is_person_frame, without_people
from smpler_model.body.skeleton import SMPL_JOINTS

OTHERS = ("base_link", "person_3", "person_x/pelvis", "lamp/pelvis", "person_3/wing", "body_left")
BODIES = ("body_p7", "/body_p12")


@pytest.mark.parametrize("prefix", ["", "/", "a/b_"])
def test_joints_and_footprints_with_any_prefix(prefix: str) -> None:
    for joint in (*SMPL_JOINTS, FOOTPRINT):
        assert is_person_frame(f"{prefix}person_12/{joint}")


def test_bodies_are_people_and_other_frames_are_not() -> None:
    assert all(map(is_person_frame, BODIES))
    assert not any(map(is_person_frame, (*OTHERS, "somebody_p7")))


def test_the_other_transforms_of_a_message_stay_in_order() -> None:
    names = ("person_0/head", OTHERS[0], *BODIES, OTHERS[1])
    message = SimpleNamespace(transforms=[SimpleNamespace(child_frame_id=name) for name in names])
    left = without_people(message).transforms
    assert [each.child_frame_id for each in left] == [OTHERS[0], OTHERS[1]]
