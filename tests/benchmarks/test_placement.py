"""People are placed where they are, whatever camera sees them, by a pipeline that asks it."""

from dataclasses import replace

import numpy as np
import pytest

from benchmarks.oracle import Oracle
from benchmarks.placement import CAMERAS, DISTANCES_M, OneFramePipeline, Placed, tabulate
from benchmarks.placement_field import LENSES, measure_field, tabulate_field
from smpler_model.body.builtin import load_builtin_body
from smpler_model.body.smpl import Body
from smpler_model.cameras.frame_tree import level_camera
from smpler_model.frames import CameraPose
from smpler_model.people.floor import find_soles
from tests.benchmarks.seen_person import see

every_camera = pytest.mark.parametrize("title", CAMERAS)
every_distance = pytest.mark.parametrize("distance_m", DISTANCES_M)


@pytest.fixture(scope="module")
def body() -> Body:
    return Body(load_builtin_body())


@every_camera
@every_distance
def test_with_true_joints_people_stand_where_they_are(
    body: Body, title: str, distance_m: float
) -> None:
    frame, truth = see(body, CAMERAS[title], distance_m)
    placer = OneFramePipeline(Oracle(body))
    assert placer.error_m(replace(frame, depth_m=None), CAMERAS[title], truth) < 1e-3


@every_camera
@every_distance
def test_a_pipeline_that_ignores_the_calibration_fails_that(
    body: Body, title: str, distance_m: float
) -> None:
    frame, truth = see(body, CAMERAS[title], distance_m)
    blind = replace(frame, camera=None, depth_m=None)
    assert OneFramePipeline(Oracle(body)).error_m(blind, CAMERAS[title], truth) > 0.1 * distance_m


def test_so_does_one_that_ignores_principal_point_or_lens(body: Body) -> None:
    for title in ("f 350, centre aside", "f 350, plumb_bob"):
        frame, truth = see(body, CAMERAS[title], 2.0)
        usual = replace(frame, camera=CAMERAS["f 350"], depth_m=None)
        assert OneFramePipeline(Oracle(body)).error_m(usual, CAMERAS[title], truth) > 0.03, title


@every_camera
@every_distance
def test_depth_decides_where_the_size_is_wrong(body: Body, title: str, distance_m: float) -> None:
    frame, truth = see(body, CAMERAS[title], distance_m)
    placer = OneFramePipeline(Oracle(body, of_average_size=True))
    by_size = placer.error_m(replace(frame, depth_m=None), CAMERAS[title], truth, "size")
    by_depth = placer.error_m(frame, CAMERAS[title], truth, "depth")
    assert by_size > 0.03 * distance_m
    assert by_depth < 0.06


@pytest.mark.parametrize(
    ("title", "distance_m", "left"),
    [("f 350", 2.0, 0.55), ("f 350", 4.0, 0.72), ("f 700", 4.0, 0.55)],
)
def test_so_does_a_floor_the_more_the_finer_the_feet_are_seen(
    body: Body, title: str, distance_m: float, left: float
) -> None:
    camera = CAMERAS[title]
    frame, truth = see(body, camera, distance_m)
    lowest_m = find_soles(truth.rotations, truth.joints_m)[..., 1].max()
    above = CameraPose("map", level_camera(lowest_m, 0.0))
    placer = OneFramePipeline(Oracle(body, of_average_size=True))
    by_size = placer.error_m(replace(frame, depth_m=None), camera, truth, "size")
    by_floor = placer.error_m(replace(frame, depth_m=None, pose=above), camera, truth, "floor")
    assert by_floor < left * by_size


def test_the_table_has_a_line_for_each_camera_and_distance() -> None:
    errors = np.linspace(0, 1, 101)
    table = tabulate([Placed("f 350", d, name, errors * d) for d in (2.0, 4.0) for name in "ab"])
    assert table.splitlines()[2:] == [
        "| f 350 | 2 m | 1.000 / 1.900 | 1.000 / 1.900 |",
        "| f 350 | 4 m | 2.000 / 3.800 | 2.000 / 3.800 |",
    ]


@pytest.mark.slow
def test_noise_counts_in_the_whole_field_and_lenses_that_show_nobody_say_so() -> None:
    rows = measure_field(angles_deg=(0, 85))
    medians = {(row["lens"], row["angle_deg"]): row["median_m"] for row in rows}
    for lens in ("equidistant, 180 degrees", "equidistant, bent"):
        assert 0.01 < medians[lens, 85] < 1.5 * medians[lens, 0]
    assert medians["plumb_bob that turns at 43 degrees", 85] is None
    table = tabulate_field(rows).splitlines()
    assert table[0] == "| lens | 0 degrees | 85 degrees |"
    assert len(table) == 2 + len(LENSES)
    assert "| not shown |" in table[4]
