from dataclasses import replace

import pytest
import torch

from smpler_model.people.metrics import joint_error
from training.learning.losses import Counts, Labels, LossWeights, Posed, compare, full_labels


def random_people(seed: int, b: int = 3) -> Posed:
    g = torch.Generator().manual_seed(seed)
    shapes = ((b, 24, 3, 3), (b, 7, 3), (b, 3), (b, 14, 3), (b, 24, 2))
    return Posed(*(torch.randn(*shape, generator=g) for shape in shapes))


def test_the_truth_has_zero_loss() -> None:
    people = random_people(0)
    losses = compare(people, people, full_labels(3, 24))
    assert all(value == 0 for value in losses.terms().values())


def test_terms_equal_manual_results() -> None:
    """One number differs in each field, so that each mean can be computed by hand."""
    target = Posed(*(torch.zeros_like(v) for v in vars(random_people(0, 1)).values()))
    rotations, vertices = target.rotations.clone(), target.vertices.clone()
    joints, keypoints = target.joints.clone(), target.keypoints.clone()
    rotations[0, 0, 0, 0], vertices[0, 0, 0], keypoints[0, 0, 0] = 0.5, 0.3, 0.2
    joints[0, 0, 0] = 0.1  # not a hip
    predicted = Posed(rotations, vertices, target.pelvis, joints, keypoints)
    losses = compare(predicted, target, full_labels(1, 24))
    assert losses.rotations.item() == pytest.approx(50 * 0.5 / (24 * 9))
    assert losses.vertices.item() == pytest.approx(100 * 0.3 / (7 * 3))
    assert losses.keypoints.item() == pytest.approx(100 * 0.2**2 / (24 * 2))
    assert losses.joints.item() == pytest.approx(1000 * 0.1**2 / (14 * 3))
    parts = losses.vertices + losses.keypoints + losses.joints + losses.rotations
    assert losses.total == parts
    only_distances = LossWeights(0, 0, 0, 0, distances=100)
    distances = compare(predicted, target, full_labels(1, 24), only_distances)
    assert distances.total.item() == pytest.approx(100 * 0.1 / 14)
    only_shifts = LossWeights(0, 0, 0, 0, keypoint_distances=60)
    shifts = compare(predicted, target, full_labels(1, 24), only_shifts)
    assert shifts.total.item() == pytest.approx(60 * 0.2 / 24)


def test_distances_equal_mpjpe() -> None:
    predicted, target = random_people(0), random_people(1)
    only_distances = LossWeights(0, 0, 0, 0, distances=1)
    found = compare(predicted, target, full_labels(3, 24), only_distances)
    wanted = joint_error(predicted.joints, target.joints).mean() / 1000  # mm to m
    torch.testing.assert_close(found.total, wanted)


def test_exact_joints_have_finite_gradients() -> None:
    people = random_people(0)
    joints = people.joints.clone().requires_grad_()
    same = replace(people, joints=joints)
    compare(same, people, full_labels(3, 24), LossWeights(distances=100)).total.backward()
    assert torch.equal(joints.grad, torch.zeros_like(joints))


def test_translations_in_space_do_not_matter() -> None:
    people = random_people(0)
    shift = torch.tensor([0.3, -0.2, 1.0])
    moved = replace(
        people,
        vertices=people.vertices + shift,
        pelvis=people.pelvis + shift,
        joints=people.joints + 2 * shift,
    )
    assert compare(moved, people, full_labels(3, 24)).total < 1e-4


def test_people_without_labels_do_not_count() -> None:
    predicted, target = random_people(0), random_people(1)
    labels = Labels(
        torch.tensor([1.0, 0, 0]), torch.tensor([0.0, 1, 0]), torch.ones(3, 14), torch.ones(3, 24)
    )
    losses = compare(predicted, target, labels)

    def alone(row: int) -> Posed:
        return Posed(*(values[row : row + 1] for values in vars(predicted).values()))

    def truth(row: int) -> Posed:
        return Posed(*(values[row : row + 1] for values in vars(target).values()))

    first = compare(alone(0), truth(0), full_labels(1, 24))
    second = compare(alone(1), truth(1), full_labels(1, 24))
    torch.testing.assert_close(losses.rotations, first.rotations)
    torch.testing.assert_close(losses.vertices, first.vertices)
    torch.testing.assert_close(losses.joints, second.joints)


def test_terms_without_people_are_zero() -> None:
    nobody = Labels(torch.zeros(3), torch.zeros(3), torch.zeros(3, 14), torch.zeros(3, 24))
    assert compare(random_people(0), random_people(1), nobody).total == 0


def test_weights_scale_their_terms() -> None:
    predicted, target = random_people(0), random_people(1)
    labels = full_labels(3, 24)
    once = compare(predicted, target, labels, LossWeights(1, 1, 1, 1))
    usual = compare(predicted, target, labels)
    torch.testing.assert_close(usual.joints, 1000 * once.joints)
    torch.testing.assert_close(usual.rotations, 50 * once.rotations)


def test_global_counts_make_parts_add_up() -> None:
    """With the mean counts of two halves, the mean of their losses equals the whole's."""
    predicted, target = random_people(0, 6), random_people(1, 6)
    labels = Labels(
        torch.tensor([1.0, 0, 0, 1, 1, 1]),
        torch.tensor([0.0, 1, 0, 0, 0, 0]),
        torch.rand(6, 14, generator=torch.Generator().manual_seed(2)),
        torch.ones(6, 24),
    )
    whole = compare(predicted, target, labels)
    shared = Counts(torch.tensor(3.0), labels.has_smpl.sum() / 2, labels.has_joints.sum() / 2)
    halves = []
    for rows in (slice(0, 2), slice(2, 6)):
        cut = [type(v)(*(t[rows] for t in vars(v).values())) for v in (predicted, target, labels)]
        halves.append(compare(*cut, counts=shared))
    for name, value in whole.terms().items():
        torch.testing.assert_close((halves[0].terms()[name] + halves[1].terms()[name]) / 2, value)
