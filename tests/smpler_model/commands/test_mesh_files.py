from pathlib import Path

import numpy as np
import pytest
import trimesh

from smpler_model.cameras.camera import Camera
from smpler_model.commands.mesh_files import write_meshes
from smpler_model.drawing.overlay import colour_of
from tests.results import make_people, make_result

CAMERA = Camera(320, 240, 250.0, 251.0, 160.0, 120.0)
BALL = trimesh.creation.icosphere(1, radius=0.5)
PLACES = np.array([[-1.0, 0.5, 4.0], [1.0, 0.0, 5.0]])


@pytest.mark.parametrize("suffix", ["glb", "obj"])
def test_people_are_separate_objects_in_viewer_axes(tmp_path: Path, suffix: str) -> None:
    people = make_people(PLACES, CAMERA, ids=[3, 7], vertices_m=np.asarray(BALL.vertices))
    path = tmp_path / f"mesh.{suffix}"
    write_meshes(path, make_result(people, CAMERA), BALL.faces)
    scene = trimesh.load(
        path, process=False, **({} if suffix == "glb" else {"split_objects": True})
    )
    meshes = [scene.geometry[name] for name in sorted(scene.geometry)]
    assert [len(mesh.vertices) for mesh in meshes] == [len(BALL.vertices)] * 2
    centres = sorted(mesh.vertices.mean(0).round(4).tolist() for mesh in meshes)
    np.testing.assert_allclose(centres, [[-1, -0.5, -4], [1, 0, -5]], atol=1e-4)
    assert all(mesh.volume > 0 for mesh in meshes)  # turned, not mirrored
    assert sorted(scene.geometry) == ["person_3", "person_7"]


def test_an_obj_file_alone_shows_the_colours_of_people(tmp_path: Path) -> None:
    people = make_people(PLACES, CAMERA, ids=[3, 7], vertices_m=np.asarray(BALL.vertices))
    path = tmp_path / "mesh.obj"
    write_meshes(path, make_result(people, CAMERA), BALL.faces)
    assert "mtllib" not in path.read_text()
    assert "usemtl" not in path.read_text()
    scene = trimesh.load(path, process=False, split_objects=True)
    for id_ in (3, 7):
        colours = scene.geometry[f"person_{id_}"].visual.vertex_colors
        assert np.unique(colours, axis=0).tolist() == [[*colour_of(id_), 255]]


def test_results_that_cannot_be_written(tmp_path: Path) -> None:
    people = make_people(PLACES, CAMERA)
    with pytest.raises(ValueError, match="people and their vertices"):
        write_meshes(tmp_path / "mesh.glb", make_result(people, CAMERA), BALL.faces)
    with pytest.raises(ValueError, match=r"\.glb or \.obj"):
        write_meshes(tmp_path / "mesh.stl", make_result(people, CAMERA), BALL.faces)
