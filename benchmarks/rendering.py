"""Images per second of rasterisers, photos, synthetic camera: `python -m benchmarks.rendering`."""

from __future__ import annotations

import argparse
import itertools
import json
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Generator, Tensor

from benchmarks.timing import name_processor
from smpler_model.atomic_files import write_text_atomically
from smpler_model.body.builtin import BUILTIN_BODY_PATH
from smpler_model.drawing.raster import rasterise
from smpler_model.drawing.shading import draw_people
from smpler_ros.camera.scene_film import make_film
from smpler_ros.camera.scene_player import Film
from smpler_ros.parameters.scene_settings import SceneSettings
from synthetic.camera.photograph import Wardrobe, photograph
from synthetic.camera.raster_batch import Fragments, rasterise_batch
from synthetic.camera.sensor import draw_sensors, expose
from synthetic.noise import make_volume
from synthetic.people.appearance import draw_outfits, make_atlas
from synthetic.world.background import render_rooms
from synthetic.world.lighting import draw_lights
from synthetic.world.rooms import draw_rooms

CROP = (224, 224)
FRAME = (640, 480)
DISTANCE_M = 4.0


@dataclass(frozen=True)
class Row:
    """One line of the table; images per second of the median run."""

    what: str
    images_per_second: float
    milliseconds_each: float


@dataclass(frozen=True)
class BatchScene:
    """b people in the built-in body's rest pose, rotated about the vertical."""

    template: Tensor
    faces: Tensor
    weights: Tensor
    joints: Tensor
    vertices_m: Tensor
    generator: Generator

    @property
    def images(self) -> int:
        """Number of people, one per image."""
        return len(self.vertices_m)

    def intrinsics(self, size: tuple[int, int]) -> Tensor:
        """Return (b, 4) intrinsics of a camera in which two metres fill the image's height."""
        focal = size[1] * DISTANCE_M / 2.0
        middle = [(size[0] - 1) / 2, (size[1] - 1) / 2]
        return torch.tensor([focal, focal, *middle]).expand(self.images, 4)


def make_scene(path: Path, images: int, device: str) -> BatchScene:
    """Load a body in SMPL's layout and place one person per image."""
    with np.load(path) as arrays:
        template, faces = torch.tensor(arrays["v_template"]), torch.tensor(arrays["f"].astype(int))
        joints = torch.tensor(arrays["J_regressor"] @ arrays["v_template"])
        weights = torch.tensor(arrays["weights"])
    generator = Generator().manual_seed(0)
    angle = torch.rand(images, generator=generator) * 2 * torch.pi
    cos, sin, zero = angle.cos(), angle.sin(), torch.zeros(images)
    # The body's y points up and the camera's down; facing the camera at angle 0.
    rows = (cos, zero, sin, zero, zero - 1, zero, sin, zero, -cos)
    turn = torch.stack(rows, 1).view(images, 3, 3)
    template = template.float()
    centred = template - (template.amax(0) + template.amin(0)) / 2
    vertices = centred @ turn.transpose(1, 2) + torch.tensor([0.0, 0.0, DISTANCE_M])
    return BatchScene(
        template=template.to(device),
        faces=faces.to(device),
        weights=weights.float().to(device),
        joints=joints.float().to(device),
        vertices_m=vertices.to(device),
        generator=generator,
    )


def measure(what: str, images: int, run: Callable[[], object], seconds: float) -> Row:
    """Time repeated calls of a function that renders this many images."""
    run()
    times: list[float] = []
    while sum(times) < seconds or len(times) < 3:
        start = time.perf_counter()
        run()
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        times.append((time.perf_counter() - start) / images)
    each = statistics.median(times)
    return Row(what, 1 / each, 1000 * each)


def measure_frames(scene: BatchScene, seconds: float) -> list[Row]:
    """Time the rasteriser for overlays, one image at a time, and that for batches beside it."""
    vertices, faces = scene.vertices_m[0].cpu().numpy(), scene.faces.cpu().numpy()
    rows = []
    for size in (CROP, FRAME, (1280, 720), (1920, 1080)):
        camera = scene.intrinsics(size)[0].cpu().numpy()

        def run(camera: np.ndarray = camera, size: tuple[int, int] = size) -> object:
            return rasterise(vertices, faces, camera, size)

        rows.append(measure(f"NumPy, {size[0]}x{size[1]}, one person", 1, run, seconds))
    one, intrinsics = scene.vertices_m[:1].cpu(), scene.intrinsics(FRAME)[:1]

    def in_torch() -> object:
        return rasterise_batch(one, scene.faces.cpu(), intrinsics, FRAME)

    rows.append(measure(f"torch, {FRAME[0]}x{FRAME[1]}, one person, cpu", 1, in_torch, seconds))
    photo = np.full((FRAME[1], FRAME[0], 3), 128, np.uint8)
    camera = scene.intrinsics(FRAME)[0].cpu().numpy()
    red = np.array([[200, 80, 60]])

    def overlay() -> object:
        return draw_people(photo, vertices[None], faces, camera, red)

    rows.append(measure("NumPy, 640x480, shaded overlay", 1, overlay, seconds))
    return rows


def measure_batches(scene: BatchScene, seconds: float) -> list[Row]:
    """Time the batched rasteriser and all steps of a training image."""
    device, n = scene.vertices_m.device, scene.images
    intrinsics = scene.intrinsics(CROP).to(device)
    volume = make_volume(scene.generator).to(device)
    atlas = make_atlas(scene.template.cpu(), scene.weights.cpu(), scene.joints.cpu())
    wardrobe = Wardrobe(scene.faces, type(atlas)(atlas.coordinates.to(device)), volume)
    outfits = draw_outfits(n, scene.generator).to(device)
    lights = draw_lights(torch.tensor([[0.0, -1, 0]]).expand(n, 3), scene.generator).to(device)
    rooms, sensors = draw_rooms(n, scene.generator).to(device), draw_sensors(n, scene.generator)
    sensors = sensors.to(device)
    level = [[0.0, 0, 1, 0], [-1, 0, 0, 0], [0, -1, 0, 1], [0, 0, 0, 1]]
    pose = torch.tensor(level, device=device).expand(n, 4, 4)
    noise = Generator(device).manual_seed(0)

    def raster() -> Fragments:
        return rasterise_batch(scene.vertices_m, scene.faces, intrinsics, CROP)

    def room() -> Tensor:
        return render_rooms(rooms, lights, intrinsics, pose, CROP, volume, shrink=2).colour

    backdrop = room()

    def photo() -> Tensor:
        people = scene.vertices_m[:, None]
        return photograph(wardrobe, people, outfits, lights, intrinsics, backdrop).image

    images = photo()
    batch = f"torch, {CROP[0]}x{CROP[1]}, batch {n}, {device.type}"
    return [
        measure(f"{batch}: rasterise", n, raster, seconds),
        measure(f"{batch}: dressed and lit photo", n, photo, seconds),
        measure(f"{batch}: room behind, half size", n, room, seconds),
        measure(f"{batch}: sensor", n, lambda: expose(images, sensors, noise), seconds),
    ]


def measure_camera(seconds: float) -> list[Row]:
    """Time the synthetic camera's images, including ground truth and depth."""
    settings = SceneSettings(loop=30.0, rendering="live")
    rows = []
    for size in (FRAME, (1280, 720)):
        for motion in ("still", "pan"):
            film = make_film(
                replace(settings, width=size[0], height=size[1], camera_motion=motion)
            )
            # Over the whole loop: people come and go.
            places = itertools.cycle(range(0, film.length, 15))
            what = f"synthetic camera, {size[0]}x{size[1]}, {motion}, three people"

            def render(film: Film = film, places: Iterator[int] = places) -> object:
                return film.shot(next(places))

            rows.append(measure(what, 1, render, seconds))
    return rows


def compare(scene: BatchScene) -> dict[str, float]:
    """Return how well both rasterisers agree on the scene."""
    intrinsics = scene.intrinsics(CROP)
    seen = rasterise_batch(
        scene.vertices_m, scene.faces, intrinsics.to(scene.vertices_m.device), CROP
    )
    depths = seen.to_images(seen.depth, torch.inf)[:, 0].cpu().numpy()
    overlaps, gaps = [], []
    for vertices, depth in zip(scene.vertices_m.cpu().numpy(), depths, strict=True):
        other = rasterise(vertices, scene.faces.cpu().numpy(), intrinsics[0].numpy(), CROP)
        mask, depth_other = np.isfinite(depth), other.depth_map()
        both = mask & other.mask()
        overlaps.append(both.sum() / (mask | other.mask()).sum())
        gaps.append(np.abs(depth[both] - depth_other[both]).max())
    return {"mask_iou_min": float(min(overlaps)), "depth_gap_max_m": float(max(gaps))}


def main() -> None:
    """Measure, print a table, and optionally save it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--body", type=Path, default=BUILTIN_BODY_PATH, help="a body in SMPL's layout"
    )
    parser.add_argument("--images", type=int, default=8, help="number of images in a batch")
    parser.add_argument("--threads", type=int, default=1, help="number of PyTorch's threads")
    parser.add_argument("--device", default="cpu", help="for the batched renderer: cpu or cuda")
    parser.add_argument("--seconds", type=float, default=3.0, help="time for each row")
    parser.add_argument("--output", type=Path, help="write the results here as JSON")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    scene = make_scene(options.body, options.images, options.device)
    rows = measure_frames(scene, options.seconds) + measure_batches(scene, options.seconds)
    rows += measure_camera(options.seconds)
    agreement = compare(scene)
    machine = {"processor": name_processor(), "torch_threads": options.threads}
    if options.device.startswith("cuda"):
        machine["device"] = torch.cuda.get_device_name()
    lines = [f"{machine}, body of {len(scene.faces)} triangles, medians"]
    lines += [
        f"{r.what:58} {r.images_per_second:9.1f}/s {r.milliseconds_each:8.2f} ms" for r in rows
    ]
    lines.append(f"agreement of both rasterisers: {agreement}")
    sys.stdout.write("\n".join(lines) + "\n")
    if options.output:
        results = {"machine": machine, "agreement": agreement, "rows": [asdict(r) for r in rows]}
        write_text_atomically(options.output, json.dumps(results, indent=2) + "\n")


if __name__ == "__main__":
    main()
