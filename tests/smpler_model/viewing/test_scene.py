"""The messages that a page gets, and the surfaces that follow from them."""

import time
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from smpler_model.array_types import Floats
from smpler_model.body.arrays import BodyArrays
from smpler_model.body.smpl import Body
from smpler_model.cameras.frame_tree import level_camera
from smpler_model.drawing.palette import colours_of
from smpler_model.frames import People
from smpler_model.people.common_frame import move_people
from smpler_model.viewing import mesh_removal, person
from smpler_model.viewing.moments import Moment, Shot
from smpler_model.viewing.page import Page
from smpler_model.viewing.scene import Scene, depths_of, viewpoint
from smpler_model.viewing.surfaces import SkinnedSurface
from smpler_model.viewing.trails import Trails
from tests.smpler_model.viewing.conftest import CAMERA, moment_of, posed_people

pytest.importorskip("viser", reason="needs the group `viewer`: run `make setup`")

from tests.smpler_model.viewing.watcher import Watcher

EXACT_M = 1e-4


@pytest.fixture(scope="module")
def body(builtin: BodyArrays) -> Body:
    return Body(builtin).eval()


@pytest.fixture
def scene(page: Page, builtin: BodyArrays) -> Scene:
    return Scene(page.server, SkinnedSurface(builtin))


def test_surfaces_on_the_page_equal_the_body_s(page: Page, scene: Scene, body: Body) -> None:
    watcher = Watcher(page.address)
    people = posed_people(body, 2)
    scene.show(moment_of(people), {}, exact=True)
    watcher.wait(lambda: len(watcher.surfaces()) == 2)
    watcher.take(0.5)
    assert people.vertices_m is not None
    for row, name in enumerate(watcher.surfaces()):
        assert str(people.ids[row]) in name
        np.testing.assert_allclose(watcher.surface(name), people.vertices_m[row], atol=EXACT_M)
        colour = colours_of([people.ids[row]])[0]
        assert tuple(watcher.nodes[name]["color"]) == tuple(colour.tolist())
    watcher.close()


def test_a_mesh_is_sent_once_and_then_only_bones(page: Page, scene: Scene, body: Body) -> None:
    watcher = Watcher(page.address)
    first = posed_people(body, 2)
    scene.show(moment_of(first), {})
    watcher.wait(lambda: len(watcher.surfaces()) == 2)
    watcher.take(0.5)
    names, sent = watcher.surfaces(), watcher.bytes
    turned = Rotation.from_euler("y", 0.2).as_matrix()
    rotations = first.rotations.copy()
    rotations[:, 0] = turned @ rotations[:, 0]
    turn = replace(first, rotations=rotations, joints_m=first.joints_m @ turned.T)
    scene.show(moment_of(turn, 1), {})
    watcher.take(1.0)
    assert watcher.surfaces() == names
    per_person = (watcher.bytes - sent) / len(first)
    assert per_person < 1_000, per_person  # 1 MB as markers
    assert first.vertices_m is not None
    pelvis = first.joints_m[:, :1]
    expected = (first.vertices_m - pelvis) @ turned.T + pelvis @ turned.T
    for row, name in enumerate(names):
        np.testing.assert_allclose(watcher.surface(name), expected[row], atol=EXACT_M)
    watcher.close()


def test_who_moves_costs_less_than_1_kb_an_image(
    page: Page, scene: Scene, body: Body, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every bone, label and trail changes; correctives that are a little off send no mesh."""
    watcher = Watcher(page.address)
    trails, images, n = Trails(), 20, 2
    monkeypatch.setattr(person, "MESH_EVERY_S", 0.0)
    monkeypatch.setattr(person, "MOVING_DEVIATION_M", 0.1)
    for index in range(images):
        people = posed_people(body, n, seed=index)
        walked = np.array([0.0, 0.0, 0.07 * index])
        people = replace(people, joints_m=people.joints_m + walked, betas=0 * people.betas)
        scene.show(moment_of(people, index * 50_000_000), trails.add(moment_of(people, index)))
        if index == 0:
            watcher.wait(lambda: len(watcher.surfaces()) == n)
            watcher.take(0.5)
            sent, meshes = watcher.bytes, watcher.counts["SkinnedMeshMessage"]
        watcher.take(0.1)  # one image, one window
    assert watcher.counts["SkinnedMeshMessage"] == meshes
    assert watcher.counts["SetBonePositionMessage"] >= 23 * n * (images - 1)
    per_person = (watcher.bytes - sent) / (images - 1) / n
    assert per_person < 1_000, per_person
    watcher.close()


def test_a_mesh_is_sent_again_where_it_is_far_off_or_stands_still(
    page: Page, scene: Scene, body: Body, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(person, "MESH_EVERY_S", 0.0)  # and so twice as long
    watcher = Watcher(page.address)
    first = replace(posed_people(body, 1), betas=np.zeros((1, 10)))
    scene.show(moment_of(first), {})
    watcher.wait(lambda: watcher.counts["SkinnedMeshMessage"] == 1)
    stouter = replace(first, betas=np.array([[0, 0.4, *[0.0] * 8]]))  # off by 5 mm to 2 cm
    for stamp_ns in range(1, 4):
        scene.show(moment_of(stouter, stamp_ns), {})
        watcher.take(0.3)
        assert watcher.counts["SkinnedMeshMessage"] == 1
    scene.show(moment_of(stouter, 4), {})
    watcher.wait(lambda: watcher.counts["SkinnedMeshMessage"] == 2)
    scene.show(moment_of(replace(first, betas=np.array([[0, 3.0, *[0.0] * 8]])), 5), {})
    watcher.wait(lambda: watcher.counts["SkinnedMeshMessage"] == 3)
    watcher.close()


def test_each_mesh_of_a_person_waits_longer_than_the_last(
    page: Page, scene: Scene, body: Body, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Shapes that go on jittering by some centimetres; then one that is off by a decimetre."""
    clock_s = 100.0
    monkeypatch.setattr(person, "time", SimpleNamespace(monotonic=lambda: clock_s))
    watcher = Watcher(page.address)
    first = replace(posed_people(body, 1), betas=np.zeros((1, 10)))
    sent_s: list[float] = []
    for second in range(40):
        clock_s = 100.0 + second
        shape = np.array([[0, 1.2 * (second % 2), *[0.0] * 8]])
        before = scene._people[3]._meshes if scene._people else 0
        scene.show(moment_of(replace(first, betas=shape), second), {})
        if scene._people[3]._meshes > before:
            sent_s.append(second)
    waits = np.diff(sent_s)
    assert (waits >= np.minimum(2 ** np.arange(len(waits)), 16)).all()
    assert len(waits) >= 4
    clock_s += 1
    stout = replace(first, betas=np.array([[0, 8.0, *[0.0] * 8]]))
    before = scene._people[3]._meshes
    scene.show(moment_of(stout, 41), {})
    assert scene._people[3]._meshes == before + 1
    watcher.close()


def test_a_change_of_height_needs_no_new_mesh(
    page: Page, scene: Scene, body: Body, builtin: BodyArrays, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Bones move with the joints, and the page's surface stays within what is seen."""
    monkeypatch.setattr(person, "MESH_EVERY_S", 0.0)
    watcher = Watcher(page.address)
    first = posed_people(body, 1)
    taller = _with_shape(body, first, first.betas + np.eye(1, 10) * 0.8)
    change_m = (
        SkinnedSurface(builtin).rest(taller).vertices_m
        - SkinnedSurface(builtin).rest(first).vertices_m
    )
    assert np.abs(change_m).max() > person.MOVING_DEVIATION_M
    scene.show(moment_of(first), {})
    watcher.wait(lambda: watcher.counts["SkinnedMeshMessage"] == 1)
    scene.show(moment_of(taller, 1), {})
    watcher.take(0.5)
    assert watcher.counts["SkinnedMeshMessage"] == 1
    assert taller.vertices_m is not None
    shown = watcher.surface(watcher.surfaces()[0])
    np.testing.assert_allclose(shown, taller.vertices_m[0], atol=person.MOVING_DEVIATION_M)
    watcher.close()


def test_browsers_that_connect_later_show_the_same(page: Page, scene: Scene, body: Body) -> None:
    people = posed_people(body, 1)
    scene.show(moment_of(people), {}, exact=True)
    scene.show(moment_of(posed_people(body, 1, seed=1), 1), {}, exact=True)
    watcher, other = Watcher(page.address), Watcher(page.address)
    for each in (watcher, other):
        each.wait(lambda each=each: len(each.surfaces()) == 1)  # type: ignore[misc]
        each.take(0.5)
    assert watcher.surfaces() == other.surfaces()
    expected = posed_people(body, 1, seed=1).vertices_m
    assert expected is not None
    for each in (watcher, other):
        np.testing.assert_allclose(each.surface(each.surfaces()[0]), expected[0], atol=EXACT_M)
        each.close()


def test_people_who_left_are_gone_and_truth_is_white(page: Page, scene: Scene, body: Body) -> None:
    watcher = Watcher(page.address)
    people = posed_people(body, 2)
    scene.show(moment_of(people, truth=people), {})
    watcher.wait(lambda: len(watcher.surfaces()) == 4)
    white = [name for name in watcher.surfaces() if "truth" in name]
    assert [tuple(watcher.nodes[name]["color"]) for name in white] == [(240, 240, 240)] * 2
    scene.show(moment_of(_rows(people, 1), 1), {})
    watcher.wait(lambda: len(watcher.surfaces()) == 1)
    assert f"person_{people.ids[0]}" in watcher.surfaces()[0]
    scene.choices.bodies = False
    scene.refresh()
    watcher.wait(lambda: not watcher.shown.get(watcher.surfaces()[0], True))
    watcher.close()


def test_several_cameras_are_shown_where_they_are_and_looked_through(
    page: Page, scene: Scene, body: Body
) -> None:
    """Fused people are in the world's frame; of a camera without a shot, nothing is shown."""
    watcher = Watcher(page.address)
    rgb = np.full((48, 64, 3), 90, np.uint8)
    poses = {"left": level_camera(1.5, 10.0), "front/right": level_camera(0.7, 0.0)}
    shots = [Shot(name, CAMERA, pose, rgb) for name, pose in poses.items()]
    people = move_people(posed_people(body, 1), level_camera(1.2, 0.0))
    moment = Moment(0, None, people, np.eye(4), shots=tuple(shots))
    scene.show(moment, {})
    paths = {"left": "/cameras/left", "front/right": "/cameras/front_right"}
    watcher.wait(lambda: all(f"{path}/view" in watcher.nodes for path in paths.values()))
    watcher.take(0.5)
    assert "/camera/view" not in watcher.nodes
    for name, path in paths.items():
        np.testing.assert_allclose(watcher.places[path]["position"], poses[name][:3, 3])
    assert people.vertices_m is not None
    shown = watcher.surface(watcher.surfaces()[0])
    np.testing.assert_allclose(shown, people.vertices_m[0], atol=EXACT_M)
    label = watcher.nodes[f"/camera/person_{people.ids[0]}/label"]["text"]
    assert label == str(people.ids[0])  # no distance from nowhere
    depth_m = float(depths_of(moment, poses["left"]).max())
    [client] = page.server.get_clients().values()
    before = watcher.nodes["/cameras/left/view"]["scale"]
    scene.look_through(client, "left")
    watcher.wait(lambda: watcher.nodes["/cameras/left/view"]["scale"] > (depth_m + 0.9) * before)
    scene.show(replace(moment, shots=(shots[0],)), {})
    watcher.wait(lambda: not watcher.shown.get("/cameras/front_right/view", True))
    watcher.close()


def test_a_page_that_waited_for_the_first_image_looks_at_it(
    page: Page, scene: Scene, body: Body
) -> None:
    """A live view subscribes once a page is open, so that the page is there before any image."""
    watcher = Watcher(page.address)
    watcher.wait(lambda: len(page.server.get_clients()) == 1)
    moment = moment_of(posed_people(body, 1))
    for _ in range(2):
        scene.show(moment, {})
    watcher.wait(lambda: len(watcher.views) > 0)
    watcher.take(0.3)
    [eye] = watcher.views
    np.testing.assert_allclose(eye, viewpoint(moment)[0], atol=1e-6)
    watcher.close()


def test_the_overview_shows_all_cameras_and_people(body: Body) -> None:
    people = move_people(posed_people(body, 2), level_camera(1.2, 0.0))
    across = np.eye(4)
    across[:2, :2], across[:2, 3] = [[0, -1], [1, 0]], (3.0, -5.0)
    poses = [level_camera(1.5, 10.0), across @ level_camera(1.0, 0.0)]
    every = [Shot(str(k), CAMERA, pose) for k, pose in enumerate(poses)]
    for shots in (every, every[:1], []):
        eye, target = viewpoint(Moment(0, None, people, np.eye(4), shots=tuple(shots)))
        ahead = (target - eye) / np.linalg.norm(target - eye)
        points = [*(shot.world_from_camera[:3, 3] for shot in shots), *people.joints_m[:, 0]]
        rays = (np.array(points) - eye) / np.linalg.norm(points - eye, axis=-1, keepdims=True)
        assert np.degrees(np.arccos(rays @ ahead)).max() < 55 / 2
        assert ahead[2] < 0
        assert eye[2] > 1.5


def test_meshes_leave_in_two_steps(
    page: Page, scene: Scene, body: Body, monkeypatch: pytest.MonkeyPatch
) -> None:
    """viser's page fails where a skinned mesh is removed with nothing in its place."""
    watcher = Watcher(page.address)
    people = posed_people(body, 2)
    scene.show(moment_of(people), {})
    watcher.wait(lambda: len(watcher.surfaces()) == 2)
    meshes = set(watcher.surfaces())
    scene.show(moment_of(_rows(people, 1), 1), {})
    watcher.wait(lambda: len(watcher.surfaces()) == 1)
    (gone,) = meshes - set(watcher.surfaces())
    assert "axes_length" in watcher.nodes[gone]
    scene.show(moment_of(people, 2), {})
    watcher.wait(lambda: len(watcher.surfaces()) == 2)
    scene.show(moment_of(_rows(people, 1), 3), {})
    watcher.wait(lambda: len(watcher.surfaces()) == 1)
    monkeypatch.setattr(mesh_removal, "PLACEHOLDER_S", 0.0)
    scene.show(moment_of(_rows(people, 1), 4), {})
    watcher.wait(lambda: gone not in watcher.nodes)
    watcher.close()


def test_uncertainty_is_the_ellipsoid_of_the_covariance(
    page: Page, scene: Scene, body: Body
) -> None:
    watcher = Watcher(page.address)
    people = posed_people(body, 1)
    turned = Rotation.from_euler("xyz", (0.3, 0.5, 0.7)).as_matrix()
    radii = np.array([0.1, 0.2, 0.4])
    covariance = turned @ np.diag((radii / 2.796) ** 2) @ turned.T
    people = replace(people, covariances_m2=covariance[None])
    scene.choices.uncertainty = True
    scene.show(moment_of(people), {})
    name = f"/camera/person_{people.ids[0]}/uncertainty"
    watcher.wait(lambda: "wxyz" in watcher.places.get(name, {}))
    watcher.take(0.5)
    np.testing.assert_allclose(np.sort(watcher.nodes[name]["scale"]), radii, rtol=1e-3)
    shown = Rotation.from_quat(np.roll(watcher.places[name]["wxyz"], -1)).as_matrix()
    scaled = shown @ np.diag(np.array(watcher.nodes[name]["scale"]) / 2.796) ** 2 @ shown.T
    np.testing.assert_allclose(scaled, covariance, atol=1e-6)
    np.testing.assert_allclose(
        watcher.places[name]["position"], people.joints_m[0, 0], atol=EXACT_M
    )
    watcher.close()


@pytest.mark.slow
def test_the_state_of_a_page_does_not_grow(page: Page, scene: Scene, body: Body) -> None:
    """Measured on viser's buffer of messages: ten minutes of images would take minutes."""
    buffer = page.server._websock_server._broadcast_buffer
    watcher = Watcher(page.address)
    trails, sizes = Trails(), []
    for index in range(60):
        moment = moment_of(posed_people(body, 2, seed=index), index * 50_000_000)
        scene.show(moment, trails.add(moment), exact=index % 10 == 0)
        watcher.take(0.01)
        sizes.append(len(buffer.message_from_id))
    assert max(sizes[30:]) <= max(sizes[:30])
    watcher.close()


def test_closed_browsers_are_not_counted(page: Page) -> None:
    assert not page.is_watched
    first, second = Watcher(page.address), Watcher(page.address)
    assert page.wait_for_watchers(10)
    first.close()
    time.sleep(0.5)
    assert page.is_watched
    second.close()
    deadline = time.monotonic() + 10
    while page.is_watched:
        assert time.monotonic() < deadline
        time.sleep(0.05)


def _with_shape(body: Body, people: People, betas: Floats) -> People:
    """Return people with other shapes, in the same poses and places."""
    with torch.inference_mode():
        rotations = torch.from_numpy(people.rotations).float()
        mesh = body.mesh(rotations, torch.from_numpy(betas).float())
    places = people.translations_m[:, None]
    return replace(
        people,
        betas=betas,
        joints_m=mesh.joints.double().numpy() + places,
        vertices_m=mesh.vertices.numpy() + places.astype(np.float32),
    )


def _rows(people: People, count: int) -> People:
    arrays = {
        name: None if array is None else array[:count] for name, array in vars(people).items()
    }
    return People(**arrays)
