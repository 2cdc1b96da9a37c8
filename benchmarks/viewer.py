"""Cost of people in a browser: `python -m benchmarks.viewer`.

People walk and wave as in the synthetic scenes. For each number of them a page gets their images
as fast as it can be prepared, and a client, in a thread, receives what a browser would:

- processor: time of this process an image, the page's own thread included; a browser's is not;
- people: kB a person and image of bones, labels and trails;
- meshes: kB a person and image of surfaces that are sent again;
- images: kB an image of the camera's own.

Then, over the same motions, the distances of vertices from the body's own: of a surface that has
only been skinned; of one with the correctives of the first pose, as for most moving people on a
page; and of one with those of a pose that is up to a second old. A page that stands still has
those of its pose.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch

from benchmarks.page_listener import Listener
from benchmarks.timing import describe_machine, format_table, write_results
from smpler_model.array_types import Floats
from smpler_model.body.builtin import load_builtin_body
from smpler_model.body.smpl import Body, blend_pose
from smpler_model.cameras.camera import camera_from_field_of_view
from smpler_model.cameras.frame_tree import level_camera
from smpler_model.frames import People
from smpler_model.people.metrics import MM_FROM_M
from smpler_model.viewing.moments import Moment
from smpler_model.viewing.page import open_page
from smpler_model.viewing.person import MESH_EVERY_S
from smpler_model.viewing.scene import Scene
from smpler_model.viewing.surfaces import SkinnedSurface
from smpler_model.viewing.trails import Trails
from synthetic.scene import SyntheticScene
from synthetic.truth import people_from_truth

RATE_HZ = 20.0
_CAMERA = camera_from_field_of_view(640, 480, 60.0)


@dataclass(frozen=True)
class Row:
    """One line of the table.

    Attributes:
        people: people in every image.
        images: images that were shown.
        processor_ms: processor time an image.
        people_kb: sent a person and image, without meshes.
        meshes_kb: sent a person and image, meshes alone.
        images_kb: sent an image, the camera's images alone.
    """

    people: int
    images: int
    processor_ms: float
    people_kb: float
    meshes_kb: float
    images_kb: float


@dataclass(frozen=True)
class VertexErrors:
    """How far vertices are from the body's own, millimetres."""

    correctives: str
    mean_mm: float
    worst_percent_mm: float
    most_mm: float


def walk(body: Body, people: int, seconds: float) -> list[Moment]:
    """Return the moments of a synthetic scene, with its images."""
    scene = SyntheticScene(body, _CAMERA, people=people, seed=0, duration_s=seconds)
    moments = []
    for index in range(round(seconds * RATE_HZ)):
        shot = scene.frame(round(index * 1e9 / RATE_HZ))
        there = people_from_truth(shot.truth)
        world = level_camera(1.2, 0.0)
        moments.append(Moment(shot.frame.stamp_ns, _CAMERA, there, world, rgb=shot.frame.rgb))
    return moments


def measure(moments: list[Moment], people: int) -> Row:
    """Show moments at their rate on a page with one client."""
    with open_page("benchmark", "localhost", 0) as page:
        scene = Scene(page.server, SkinnedSurface(load_builtin_body()))
        trails = Trails()
        listener = Listener(page.address)
        page.wait_for_watchers(30)
        scene.show(moments[0], trails.add(moments[0]))
        time.sleep(1)
        before, used_s, start_s = len(listener), time.process_time(), time.monotonic()
        for index, moment in enumerate(moments[1:]):
            wait_s = start_s + index / RATE_HZ - time.monotonic()
            time.sleep(max(wait_s, 0))
            scene.show(moment, trails.add(moment))
        time.sleep(0.5)
        used_s = time.process_time() - used_s
        listener.close()
    count, there = len(moments) - 1, sum(len(moment.people) for moment in moments[1:])
    sent = listener.sent_since(before)
    kilobytes = (sent.people / there / 1e3, sent.meshes / there / 1e3, sent.images / count / 1e3)
    return Row(people, count, 1e3 * used_s / count, *kilobytes)


def deviations(body: Body, moments: list[Moment]) -> list[VertexErrors]:
    """Return how far skinned surfaces are off over a film of one person or more."""
    by_id: dict[int, list[Floats]] = {}
    for moment in moments:
        people: People = moment.people
        with torch.inference_mode():
            rotations = torch.from_numpy(people.rotations).float()
            offsets = blend_pose(body.posedirs, rotations).double().numpy()
        for id_, offset in zip(people.ids.tolist(), offsets, strict=True):
            by_id.setdefault(id_, []).append(offset)
    step = round(MESH_EVERY_S * RATE_HZ)
    none, first, old = [], [], []
    for rows in by_id.values():
        for index, offset in enumerate(rows):
            none.append(np.linalg.norm(offset, axis=-1))
            first.append(np.linalg.norm(offset - rows[0], axis=-1))
            old.append(np.linalg.norm(offset - rows[index - index % step], axis=-1))
    return [
        _deviation("none", none),
        _deviation("of the first image", first),
        _deviation(f"up to {MESH_EVERY_S:g} s old", old),
    ]


def tabulate(rows: Iterable[Row], off: Iterable[VertexErrors]) -> str:
    """Return both tables."""
    head = ("people", "images", "processor ms", "people kB", "meshes kB", "images kB")
    costs = format_table(head, [tuple(asdict(row).values()) for row in rows])
    titles = ("correctives", "mean mm", "99 % mm", "most mm")
    cells = [(d.correctives, d.mean_mm, d.worst_percent_mm, d.most_mm) for d in off]
    return f"{costs}\n\n{format_table(titles, cells)}"


def main() -> None:
    """Measure, print tables, and write JSON if asked."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--people", type=int, nargs="+", default=[1, 2, 4])
    parser.add_argument("--seconds", type=float, default=10.0, help="duration for each line")
    parser.add_argument("--json", type=Path)
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    body = Body(load_builtin_body()).eval()
    films = {people: walk(body, people, chosen.seconds) for people in chosen.people}
    rows = [measure(film, people) for people, film in films.items()]
    off = deviations(body, films[max(films)])
    results = {
        "machine": describe_machine(torch.device("cpu")),
        "rate_hz": RATE_HZ,
        "rows": [asdict(row) for row in rows],
        "deviations": [asdict(each) for each in off],
    }
    write_results(results, tabulate(rows, off), chosen.json)


def _deviation(name: str, distances: list[Floats]) -> VertexErrors:
    all_mm = MM_FROM_M * np.concatenate(distances)
    worst = float(np.percentile(all_mm, 99))
    return VertexErrors(name, float(all_mm.mean()), worst, float(all_mm.max()))


if __name__ == "__main__":
    main()
