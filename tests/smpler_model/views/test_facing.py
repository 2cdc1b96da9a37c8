"""Views that show people back to front."""

from dataclasses import replace

import numpy as np
from scipy.spatial.transform import Rotation

from smpler_model.body.skeleton import MIRRORED_JOINTS
from smpler_model.frames import FrameResult
from smpler_model.people.bones import chain, unchain
from smpler_model.views.facing import find_reversed
from smpler_model.views.fusion import fuse_bodies, fuse_views
from smpler_model.views.memory import ViewMemory
from smpler_model.views.sightings import Sightings, join, view_of
from tests.posed import pose_joints
from tests.smpler_model.views.test_fusion import scene

MS = 1_000_000


def sightings(results: list[FrameResult], reversed_views: tuple[int, ...]) -> list[Sightings]:
    """Return what views see who are all sure; some show everybody back to front.

    Front and back have the same outline: the body is mirrored along the camera's optical axis, and
    so that it is one again, left is right.
    """
    views = []
    for view, result in enumerate(results):
        people = replace(result.people, joint_confidences=np.full((3, 24), 0.9))
        if view in reversed_views:
            bones = chain(people.rotations)[:, MIRRORED_JOINTS]
            rotations = unchain(np.diag([1.0, 1, -1]) @ bones @ np.diag([-1.0, 1, 1]))
            joints = pose_joints(rotations, people.betas)
            joints += people.joints_m[:, :1] - joints[:, :1]
            people = replace(people, rotations=rotations, joints_m=joints)
        seen = view_of(replace(result, people=people)).people
        views.append(replace(seen, ids=10 * view + seen.ids))
    return views


def apart_m(found_m: np.ndarray, true_m: np.ndarray) -> float:
    return float(np.linalg.norm(found_m - true_m, axis=-1).mean())


def errors_m(views: list[Sightings], truth: list[Sightings], memory: ViewMemory) -> float:
    fused, true = fuse_views(views, pose_joints, memory), fuse_views(truth, pose_joints)
    np.testing.assert_array_equal(np.sort(fused.rows, 0), np.sort(true.rows, 0))
    order = [np.argsort(each.joints_m[:, 0, 1]) for each in (fused, true)]
    return apart_m(fused.joints_m[order[0]], true.joints_m[order[1]])


def test_mirrored_joints_are_those_of_the_other_side() -> None:
    mirrored = np.array(MIRRORED_JOINTS)
    np.testing.assert_array_equal(mirrored[mirrored], np.arange(24))
    assert np.count_nonzero(mirrored - np.arange(24)) == 18


def test_one_view_of_three_that_shows_people_back_to_front_is_outvoted() -> None:
    results = scene(3, 3, 0.0)
    truth, views = sightings(results, ()), sightings(results, (1,))
    indices = np.arange(9).reshape(3, 3).T
    fused, true = (fuse_bodies(join(each), indices, pose_joints) for each in (views, truth))
    assert apart_m(fused.joints_m, true.joints_m) < 0.05
    assert apart_m(views[1].joints_m, truth[1].joints_m) > 0.15


def test_of_two_views_the_one_that_shows_people_as_before_is_right() -> None:
    """Nobody turns round in 33 ms; after a while the surer view decides, whichever that is."""
    results, memory = scene(3, 2, 0.0), ViewMemory()
    truth = sightings(results, ())
    assert errors_m(truth, truth, memory.at(0)) < 1e-6
    for stamp in range(1, 5):
        wrong = (stamp % 2,)
        assert errors_m(sightings(results, wrong), truth, memory.at(33 * stamp * MS)) < 0.06


def test_two_sure_views_win_against_the_past() -> None:
    results, memory = scene(3, 2, 0.0), ViewMemory()
    both = sightings(results, (0, 1))
    errors_m(both, both, memory.at(0))
    truth = sightings(results, ())
    assert errors_m(truth, truth, memory.at(33 * MS)) < 1e-6


def test_a_view_where_somebody_is_not_seen_never_wins() -> None:
    ahead, back = np.array([1.0, 0, 0]), np.array([-1.0, 0, 0])
    facings = np.stack([ahead, back, back])[:, None]
    rays = np.tile([3.0, 1.0, 0], (3, 1, 1))
    trusts = np.array([[0.5], [0.0], [0.4]])
    found = find_reversed(facings, rays, trusts, np.zeros((1, 3)))
    np.testing.assert_array_equal(found[:, 0], [False, False, True])
    expected = find_reversed(facings, rays, trusts, 0.9 * back[None])
    np.testing.assert_array_equal(expected[:, 0], [True, False, False])


def test_a_view_with_a_wrong_pelvis_alone_keeps_its_sides() -> None:
    """The pelvis is turned by 120 degrees, the limbs are where they are."""
    truth = sightings(scene(3, 2, 0.0), ())
    turn = Rotation.from_rotvec([0, 0, np.deg2rad(120)]).as_matrix()
    bones = truth[1].bones.copy()
    bones[:, 0] = turn @ bones[:, 0]
    views = [truth[0], replace(truth[1], bones=bones)]
    indices = np.arange(6).reshape(2, 3).T
    fused, true = (fuse_bodies(join(each), indices, pose_joints) for each in (views, truth))
    assert apart_m(fused.joints_m, true.joints_m) < 0.03


def test_who_is_seen_from_the_side_is_not_taken_for_reversed() -> None:
    facings = np.array([[[0.3, 1, 0]], [[-0.3, 1, 0]]]) / np.sqrt(1.09)
    rays = np.tile([3.0, 0, 0], (2, 1, 1))
    assert not find_reversed(facings, rays, np.ones((2, 1)), np.zeros((1, 3))).any()
