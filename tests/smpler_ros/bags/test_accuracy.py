"""Error metrics of people with known errors."""

from dataclasses import replace

import numpy as np
import pytest

from smpler_model.body.smpl import Body
from smpler_model.frames import People
from smpler_model.people.metrics import joint_error
from smpler_ros.bags.accuracy import FIGURES, CameraAccuracy
from tests.random_people import random_people

STEP_NS = 40_000_000


def people_of(body: Body, n: int, seed: int = 0) -> People:
    """Return n people two metres apart, placed as SMPL places them."""
    people = random_people(n, seed=seed)
    accuracy = CameraAccuracy(body, 0.5)
    left = 200.0 * np.arange(n)
    boxes = np.column_stack([left, np.zeros(n), left + 100, np.full(n, 200.0)])
    people = replace(people, boxes_xyxy=boxes, joints_m=np.full((n, 24, 3), np.nan))
    pelvises = accuracy.pelvises(people, np.arange(n))
    return replace(people, joints_m=np.repeat(pelvises[:, None], 24, 1))


def moved(people: People, by_m: tuple[float, float, float]) -> People:
    return replace(
        people, translations_m=people.translations_m + by_m, joints_m=people.joints_m + by_m
    )


def test_the_truth_itself_has_zero_errors(body: Body) -> None:
    people = people_of(body, 3)
    pairs = CameraAccuracy(body, 0.5).compare(0, people, people)
    assert pairs.found.tolist() == pairs.true.tolist() == [0, 1, 2]
    np.testing.assert_array_equal(pairs.iou, 1)
    for name in ("mpjpe_mm", "mpve_mm", "pelvis_mm"):
        np.testing.assert_array_equal(pairs.figures[name], 0)
    np.testing.assert_allclose(pairs.figures["pa_mpjpe_mm"], 0, atol=1e-6)
    np.testing.assert_array_equal(pairs.figures["pck"], 1)
    assert set(pairs.figures) == set(FIGURES)
    assert not pairs.switched.any()


def test_a_translation_changes_only_the_pelvis_error(body: Body) -> None:
    people = people_of(body, 2)
    pairs = CameraAccuracy(body, 0.5).compare(0, moved(people, (0.03, 0, 0.04)), people)
    np.testing.assert_allclose(pairs.figures["pelvis_mm"], 50)
    for name in ("mpjpe_mm", "pa_mpjpe_mm", "mpve_mm"):
        np.testing.assert_allclose(pairs.figures[name], 0, atol=1e-6)


def test_joints_and_means_agree(body: Body) -> None:
    people, truth = people_of(body, 3), people_of(body, 3, seed=1)
    accuracy = CameraAccuracy(body, 0.5)
    pairs = accuracy.compare(0, people, truth)
    np.testing.assert_allclose(pairs.joints_mm.mean(1), pairs.figures["mpjpe_mm"])
    found, _ = accuracy._regress(accuracy._surface(people, pairs.found))
    true, _ = accuracy._regress(accuracy._surface(truth, pairs.true))
    np.testing.assert_allclose(pairs.figures["mpjpe_mm"], joint_error(found, true))


def test_given_vertices_are_used(body: Body) -> None:
    people = people_of(body, 1)
    surface = CameraAccuracy(body, 0.5)._surface(people, np.array([0])).astype(np.float32)
    bent = surface.copy()
    bent[:, :, 0] += np.linspace(0, 0.1, len(bent[0]))
    pairs = CameraAccuracy(body, 0.5).compare(
        0, replace(people, vertices_m=bent), replace(people, vertices_m=surface)
    )
    assert pairs.figures["mpve_mm"][0] > 5
    # The given vertices are in single precision.
    posed = CameraAccuracy(body, 0.5).compare(0, replace(people, vertices_m=bent), people)
    np.testing.assert_allclose(pairs.figures["mpve_mm"], posed.figures["mpve_mm"], atol=1e-3)


def test_a_changed_id_is_one_switch(body: Body) -> None:
    people, accuracy = people_of(body, 2), CameraAccuracy(body, 0.5)
    ids = [[5, 6], [5, 6], [6, 5], [6, 5]]
    switched = [
        accuracy.compare(k * STEP_NS, replace(people, ids=np.array(two)), people).switched.tolist()
        for k, two in enumerate(ids)
    ]
    assert switched == [[False] * 2, [False] * 2, [True] * 2, [False] * 2]


def accelerations(
    accuracy: CameraAccuracy, people: People, turned: People, steps: list[int]
) -> list[float]:
    """Return the accelerations' errors if people are found exactly except in the last image."""
    return [
        float(
            accuracy.compare(k * STEP_NS, turned if k == steps[-1] else people, people).figures[
                "acceleration_mm_s2"
            ][0]
        )
        for k in steps
    ]


def test_accelerations_need_three_steady_images(body: Body) -> None:
    people = people_of(body, 1)
    turned = replace(people, rotations=people_of(body, 1, seed=1).rotations)
    accuracy = CameraAccuracy(body, 0.5)
    error = accuracy.compare(0, turned, people).figures["mpjpe_mm"][0]
    got = accelerations(CameraAccuracy(body, 0.5), people, turned, [0, 1, 2])
    assert np.isnan(got[:2]).all()
    # Joints jump by their error within one step.
    np.testing.assert_allclose(got[2], error / 0.04**2)
    uneven = accelerations(CameraAccuracy(body, 0.5), people, turned, [0, 1, 5])
    assert np.isnan(uneven).all()


def test_a_missed_person_interrupts_accelerations(body: Body) -> None:
    people = people_of(body, 1)
    nobody = random_people(0)
    accuracy = CameraAccuracy(body, 0.5)
    for k in range(2):
        accuracy.compare(k * STEP_NS, people, people)
    accuracy.compare(2 * STEP_NS, nobody, people)
    got = [
        accuracy.compare(k * STEP_NS, people, people).figures["acceleration_mm_s2"][0]
        for k in (3, 4, 5)
    ]
    assert np.isnan(got).tolist() == [True, True, False]


def test_a_restored_state_continues(body: Body) -> None:
    people, truth = people_of(body, 2), people_of(body, 2, seed=1)
    first = CameraAccuracy(body, 0.5)
    for k in range(3):
        first.compare(k * STEP_NS, people, truth)
    second = CameraAccuracy(body, 0.5)
    second.restore(first.snapshot())
    swapped = replace(people, ids=people.ids[::-1].copy())
    expected = first.compare(3 * STEP_NS, swapped, truth)
    got = second.compare(3 * STEP_NS, swapped, truth)
    for name in FIGURES:
        np.testing.assert_array_equal(got.figures[name], expected.figures[name])
    np.testing.assert_array_equal(got.switched, expected.switched)


def test_a_body_without_regressor_is_refused(body: Body) -> None:
    bare = Body(replace(body.arrays(), J_regressor_h36m=None))
    with pytest.raises(ValueError, match="errors need a body with a"):
        CameraAccuracy(bare, 0.5)


@pytest.mark.parametrize("field", ["rotations", "betas", "translations_m", "boxes_xyxy"])
@pytest.mark.parametrize("value", [np.nan, np.inf, -1e30])
def test_invalid_truth_leaves_other_people_measured(body: Body, field: str, value: float) -> None:
    people = people_of(body, 3)
    values = getattr(people, field).copy()
    values[1].flat[0] = value
    pairs = CameraAccuracy(body, 0.5).compare(0, people, replace(people, **{field: values}))
    assert pairs.true_ids.tolist() == people.ids[[0, 2]].tolist()
    assert pairs.refused == {1}
    np.testing.assert_array_equal(pairs.figures["mpjpe_mm"], 0)
    # A person without a box matches nobody; one overlapping the others is not a false positive.
    assert pairs.beside == (field != "boxes_xyxy")
