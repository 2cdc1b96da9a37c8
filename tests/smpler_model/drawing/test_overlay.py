"""Drawings coincide with the camera's image."""

from dataclasses import replace

import cv2
import numpy as np
import pytest
import trimesh
from hypothesis import given
from hypothesis import strategies as st

from smpler_model.cameras.camera import Camera
from smpler_model.drawing.overlay import RenderStyle, bend, colour_of, draw_result, label_of
from smpler_model.frames import TrackState, TranslationSource
from tests.results import make_people, make_result

PINHOLE = Camera(320, 240, 250.0, 250.0, 160.0, 120.0)
BARREL = Camera(320, 240, 200.0, 205.0, 163.0, 117.0, "plumb_bob", (-0.3, 0.08, 0.001, 0, 0))
FISHEYE = Camera(320, 240, 190.0, 190.0, 158.0, 121.0, "equidistant", (0.02, -0.01, 0.0, 0.0))
CAMERAS = pytest.mark.parametrize("camera", [PINHOLE, BARREL, FISHEYE], ids=lambda c: c.lens)
GREY = np.full((240, 320, 3), 120, np.uint8)
BALL = trimesh.creation.icosphere(3, radius=0.4)
MESH_ONLY = RenderStyle(skeleton=False, boxes=False, labels=False, opacity=1.0)


def changed(image: np.ndarray) -> np.ndarray:
    return (image != GREY).any(-1)


@CAMERAS
def test_meshes_lie_where_the_lens_shows_them(camera: Camera) -> None:
    places = np.array([[-1.2, -0.8, 2.2], [1.1, 0.7, 2.0]])
    people = make_people(places, camera, vertices_m=np.asarray(BALL.vertices))
    mask = changed(draw_result(GREY, make_result(people, camera), BALL.faces, MESH_ONLY))
    truth = np.zeros((240, 320), np.uint8)
    assert people.vertices_m is not None
    for vertices in people.vertices_m:
        outline = cv2.convexHull(camera.project(vertices).astype(np.float32))
        cv2.fillConvexPoly(truth, np.rint(outline).astype(np.int32), 1)
    assert truth.sum() > 1500
    assert (mask & (truth == 1)).sum() / (mask | (truth == 1)).sum() > 0.93


@CAMERAS
@given(st.integers(0, 319), st.integers(0, 239), st.floats(0.3, 20))
def test_bent_points_project_like_through_the_lens(
    camera: Camera, u: int, v: int, depth: float
) -> None:
    point = camera.unproject([u, v]) * depth
    bent = bend(point[None], camera)[0]
    np.testing.assert_allclose(camera.rectified().project(bent), [u, v], atol=1e-3)
    assert bent[2] == point[2]


@CAMERAS
def test_points_outside_the_image_stay_outside(camera: Camera) -> None:
    angles = np.linspace(0, 2 * np.pi, 60)[:, None]
    radii = np.array([2.5, 5, 20, 200])
    points = np.stack(np.broadcast_arrays(radii * np.cos(angles), radii * np.sin(angles), 1), -1)
    pixels = camera.rectified().project(bend(points, camera))
    outside = ((pixels < 0) | (pixels >= (320, 240))).any(-1)
    assert outside.all()


def test_the_nearer_person_occludes_the_other() -> None:
    places = np.array([[0, 0, 4.0], [0, 0, 2.0]])
    people = make_people(places, PINHOLE, vertices_m=np.asarray(BALL.vertices), ids=[3, 8])
    shown = draw_result(GREY, make_result(people, PINHOLE), BALL.faces, MESH_ONLY)[120, 160]
    alike = np.dot(shown / np.linalg.norm(shown), colour_of(8)) / np.linalg.norm(colour_of(8))
    assert alike > 0.99


@CAMERAS
def test_the_skeleton_is_on_the_joints(camera: Camera) -> None:
    people = make_people(np.array([[0.3, -0.4, 3.0]]), camera)
    image = draw_result(GREY, make_result(people, camera), BALL.faces, RenderStyle(boxes=False))
    u, v = np.rint(people.keypoints_px[0]).astype(int).T
    assert changed(image)[v, u].all()
    nothing = RenderStyle(skeleton=False, boxes=False, labels=False)
    np.testing.assert_array_equal(
        draw_result(GREY, make_result(people, camera), BALL.faces, nothing), GREY
    )


def test_limbs_that_are_not_sure_are_faint() -> None:
    skeleton = RenderStyle(mesh=False, boxes=False, labels=False)
    camera = Camera(1280, 960, 1000.0, 1000.0, 640.0, 480.0)  # wide lines
    grey = np.full((960, 1280, 3), 120, np.uint8)
    people = make_people(np.array([[0.0, 0, 2]]), camera)
    sure = replace(people, joint_confidences=np.ones((1, 24)))
    halves = np.where(np.arange(24) < 12, 1.0, 0.1)[None]  # of the column, from above
    unknown, firm, faint = (
        draw_result(grey, make_result(each, camera), BALL.faces, skeleton)
        for each in (people, sure, replace(people, joint_confidences=halves))
    )
    np.testing.assert_array_equal(unknown, firm)
    below = int(people.keypoints_px[0, 12, 1]) + 15
    assert (firm[below:] < 60).any()  # a dark outline
    assert (faint[:below] < 60).any()
    assert not (faint[below:] < 60).any()
    assert (faint != grey)[below:].any()


def test_the_image_is_not_modified() -> None:
    people = make_people(np.array([[0, 0, 2.0]]), PINHOLE)
    image = GREY.copy()
    image.setflags(write=False)
    assert changed(draw_result(image, make_result(people, PINHOLE), BALL.faces)).any()
    nobody = make_people(np.empty((0, 3)), PINHOLE, vertices_m=np.empty((0, 3)))
    empty = draw_result(image, make_result(nobody, PINHOLE), BALL.faces)
    np.testing.assert_array_equal(empty, GREY)
    assert empty.flags.writeable


def test_people_partly_behind_the_camera_or_far_away_are_drawn() -> None:
    places = np.array([[0, -0.2, 0.1], [300.0, 0, 0.5]])
    people = make_people(places, BARREL, vertices_m=np.asarray(BALL.vertices))
    keypoints = people.keypoints_px.copy()
    keypoints[0, :5] = np.nan
    boxes = np.array([[-1e9, -5, 1e9, 500], [1e7, 0, 2e7, 10]])
    people = replace(people, keypoints_px=keypoints, boxes_xyxy=boxes)
    assert draw_result(GREY, make_result(people, BARREL), BALL.faces).shape == GREY.shape


@pytest.mark.parametrize(
    ("source", "state", "text"),
    [
        (TranslationSource.BODY_SIZE, TrackState.CONFIRMED, "7: 5.0 m"),
        (TranslationSource.FIELD_OF_VIEW, TrackState.CONFIRMED, "7: ~5.0 m"),
        (TranslationSource.DEPTH, TrackState.COASTING, "7: 5.0 m hidden"),
    ],
)
def test_labels_show_id_and_distance(
    source: TranslationSource, state: TrackState, text: str
) -> None:
    place = np.array([[3.0, 0, 4.0]])
    people = make_people(place, PINHOLE, ids=[7], source=source, state=state)
    assert label_of(people, 0) == text


def test_labels_stay_inside_the_image() -> None:
    people = make_people(np.array([[0, 0, 2.0]]), PINHOLE)
    labels = RenderStyle(mesh=False, skeleton=False, boxes=False)
    for box in ([-40, -30, 30, 60], [300, -9, 330, 50], [310, 239, 340, 400]):
        placed = replace(people, boxes_xyxy=np.array([box], float))
        image = draw_result(GREY, make_result(placed, PINHOLE), BALL.faces, labels)
        columns = np.flatnonzero(changed(image).any(0))
        assert len(columns) > 40, box


def test_neighbouring_ids_have_different_colours() -> None:
    colours = np.array([colour_of(i) for i in range(8)], float)
    apart = np.linalg.norm(colours[:, None] - colours, axis=-1) + 1e3 * np.eye(8)
    assert apart.min() > 40
    assert colour_of(5) == colour_of(5)
