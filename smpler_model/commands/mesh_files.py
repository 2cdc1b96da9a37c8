"""Meshes in common file formats: glTF (.glb) and Wavefront (.obj)."""

from pathlib import Path

import numpy as np
import trimesh
from numpy.typing import ArrayLike

from smpler_model.atomic_files import write_atomically
from smpler_model.drawing.overlay import colour_of
from smpler_model.frames import FrameResult

MESH_SUFFIXES = ("glb", "obj")

_VIEWER_FROM_OPTICAL = np.diag([1.0, -1.0, -1.0])
"""These formats have y up and look along -z."""


def write_meshes(path: Path, result: FrameResult, faces: ArrayLike) -> None:
    """Write the people of a frame, each as an object `person_ID`, in metres.

    The camera is at the origin and looks along -z; y is up.

    Args:
        path: path of the file, ending in .glb or .obj.
        result: result with vertices.
        faces: (f, 3) of the body.

    Raises:
        ValueError: the result has no vertices or no people, or the suffix is unknown.
        OSError: it cannot be written.
    """
    kind = path.suffix.removeprefix(".")
    if kind not in MESH_SUFFIXES:
        raise ValueError(f"meshes are written to .{' or .'.join(MESH_SUFFIXES)}, got {path}")
    people = result.people
    if people.vertices_m is None or not len(people):
        raise ValueError("a mesh needs a result with people and their vertices, got none")
    scene = trimesh.Scene()
    for track_id, vertices in zip(people.ids.tolist(), people.vertices_m, strict=True):
        scene.add_geometry(_mesh(vertices, faces, track_id, kind), geom_name=f"person_{track_id}")
    exported = scene.export(file_type=kind)  # type: ignore[no-untyped-call]
    content = exported.encode() if isinstance(exported, str) else exported
    write_atomically(path, lambda file: file.write(content), sync=False)


def _mesh(vertices: ArrayLike, faces: ArrayLike, track_id: int, kind: str) -> trimesh.Trimesh:
    places = np.asarray(vertices) @ _VIEWER_FROM_OPTICAL
    return trimesh.Trimesh(
        places,
        np.asarray(faces),
        process=False,  # vertices keep SMPL's order
        visual=_visual((*colour_of(track_id), 255), len(places), kind),
    )


def _visual(
    colour: tuple[int, ...], count: int, kind: str
) -> trimesh.visual.ColorVisuals | trimesh.visual.TextureVisuals:
    """Return a material, or colours of vertices for .obj, whose materials are a file of their own.

    Args:
        colour: RGBA, 0 to 255.
        count: number of vertices.
        kind: one of `MESH_SUFFIXES`.
    """
    if kind == "obj":
        colours = np.tile(np.array(colour, np.uint8), (count, 1))
        return trimesh.visual.ColorVisuals(vertex_colors=colours)
    material = trimesh.visual.material.PBRMaterial(  # type: ignore[no-untyped-call]
        baseColorFactor=colour, metallicFactor=0.0, roughnessFactor=0.8
    )
    return trimesh.visual.TextureVisuals(material=material)  # type: ignore[no-untyped-call]
