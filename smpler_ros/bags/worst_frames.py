"""The frames of a run with the largest errors, as pictures and as pages in 3D."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from scipy.spatial.transform import Rotation

from smpler_model.atomic_files import write_text_atomically
from smpler_model.bags.people_topics import people_from_message
from smpler_model.bags.reader import BagReader, SourceError
from smpler_model.body.skeleton import SMPL_JOINTS, SMPL_SHAPE_COUNT
from smpler_model.body.smpl import Body
from smpler_model.cameras.camera import Camera, camera_from_field_of_view
from smpler_model.cameras.messages import NS_PER_S, stamp_ns_of
from smpler_model.drawing.overlay import draw_result
from smpler_model.frames import Frame, FrameResult, People, TranslationSource
from smpler_model.inference.optional_packages import is_installed
from smpler_model.people.tracker import TrackState
from smpler_model.viewing.assumed_pose import assume_pose
from smpler_model.viewing.camera_view import shrink
from smpler_model.viewing.moments import Moment
from smpler_model.viewing.still import still_page
from smpler_model.viewing.surfaces import SkinnedSurface
from smpler_ros.bags.ground_truth import STAMP_TOLERANCE_NS
from smpler_ros.bags.inputs import Input
from smpler_ros.bags.run_files import PEOPLE
from smpler_ros.bags.tables import read_rows

MOST = 6
"""Greatest number of frames that are shown."""

WORST_PAGES = "worst_*.html"

_APART_NS = NS_PER_S // 2  # between two frames of one camera
_AROUND_NS = 2 * NS_PER_S  # recording times in which an image of a stamp is looked for
_QUALITY = 80  # of JPEG


@dataclass(frozen=True)
class WorstFrame:
    """A frame with a large error.

    Attributes:
        camera: image topic.
        frame: its number within the camera, from 0.
        stamp_ns: its stamp.
        error_mm: largest MPJPE of its people.
        person: id of that person.
        picture: JPEG of the image with its people, base64.
        page: name of the page in 3D; empty where viser is not installed.
    """

    camera: str
    frame: int
    stamp_ns: int
    error_mm: float
    person: int
    picture: str
    page: str


def show_worst_frames(
    folder: Path, source: Input, body: Body, fov_deg: float
) -> tuple[WorstFrame, ...]:
    """Write pages of the worst frames of a run, and return them with pictures.

    Frames whose image is not found where its stamp says, as after a change of the clock, are left
    out.

    Args:
        folder: folder of the run, whose tables are complete.
        source: its input.
        body: body of the people.
        fov_deg: field of view that was assumed where there is no calibration.
    """
    surface = SkinnedSurface(body.arrays()) if is_installed("viser") else None
    shown: list[WorstFrame] = []
    for rows in _choose(folder / PEOPLE):
        first = rows[0]
        camera, stamp_ns = first["camera"], int(first["stamp_ns"])
        frame = _find_image(source, camera, stamp_ns)
        if frame is None:
            continue
        height, width = frame.rgb.shape[:2]
        seen_by = frame.camera or camera_from_field_of_view(width, height, fov_deg)
        people = _people_of(rows, body, seen_by)
        page = ""
        if surface is not None:
            page = WORST_PAGES.replace("*", str(len(shown)))
            truth = _find_truth(source, camera, stamp_ns)
            world = assume_pose([(seen_by, people)])
            moment = Moment(stamp_ns, seen_by, people, world, rgb=frame.rgb, truth=truth)
            write_text_atomically(folder / page, still_page(moment, surface))
        result = FrameResult(stamp_ns, frame.frame_id, seen_by, people)
        shown.append(
            WorstFrame(
                camera,
                int(first["frame"]),
                stamp_ns,
                _error_of(first),
                int(first["id"]),
                _jpeg(draw_result(frame.rgb, result, body.faces.cpu().numpy())),
                page,
            )
        )
    return tuple(shown)


def _choose(table: Path) -> Iterator[list[Mapping[str, str]]]:
    """Give the rows of the worst frames' people, the worst person and the worst frame first."""
    errors: dict[tuple[str, int], float] = {}
    for row in read_rows(table):
        if row["mpjpe_mm"]:
            key = row["camera"], int(row["stamp_ns"])
            errors[key] = max(errors.get(key, 0.0), _error_of(row))
    chosen: dict[tuple[str, int], list[Mapping[str, str]]] = {}
    for camera, stamp_ns in sorted(errors, key=errors.__getitem__, reverse=True):
        near = (c == camera and abs(stamp_ns - s) < _APART_NS for c, s in chosen)
        if len(chosen) < MOST and not any(near):
            chosen[camera, stamp_ns] = []
    for row in read_rows(table):
        key = row["camera"], int(row["stamp_ns"])
        if key in chosen:
            chosen[key].append(row)
    for rows in chosen.values():
        yield sorted(rows, key=_error_of, reverse=True)


def _error_of(row: Mapping[str, str]) -> float:
    return float(row["mpjpe_mm"] or -1.0)


def _find_image(source: Input, camera: str, stamp_ns: int) -> Frame | None:
    topics = [each for each in source.cameras if each.image == camera]
    with suppress(SourceError):
        for _, frame in source.reader.read_frames(
            topics, start_ns=stamp_ns - _AROUND_NS, end_ns=stamp_ns + _AROUND_NS
        ):
            if frame.stamp_ns == stamp_ns:
                return frame
    return None


def _find_truth(source: Input, camera: str, stamp_ns: int) -> People | None:
    topic, reader = source.truth_names.get(camera, ""), source.reader
    return _people_near(reader, topic, stamp_ns) if topic in reader.topics else None


def _people_near(reader: BagReader, topic: str, stamp_ns: int) -> People | None:
    with suppress(SourceError):
        for each in reader.read_messages([topic], stamp_ns - _AROUND_NS, stamp_ns + _AROUND_NS):
            if abs(stamp_ns_of(each.message) - stamp_ns) <= STAMP_TOLERANCE_NS:
                return people_from_message(each.message)
    return None


def _people_of(rows: list[Mapping[str, str]], body: Body, camera: Camera) -> People:
    """Return the people of rows of `people.csv`, with their surfaces."""
    n = len(rows)

    def numbers(*names: str) -> np.ndarray:
        return np.array([[float(row[name]) for name in names] for row in rows])

    poses = numbers(*(f"pose_{index}" for index in range(3 * len(SMPL_JOINTS))))
    betas = numbers(*(f"beta_{index}" for index in range(SMPL_SHAPE_COUNT)))
    places = numbers(*(f"translation_{axis}_m" for axis in "xyz"))
    rotations = Rotation.from_rotvec(poses.reshape(-1, 3)).as_matrix().reshape(n, -1, 3, 3)
    device = body.v_template.device
    with torch.inference_mode():
        mesh = body.mesh(
            torch.from_numpy(rotations).float().to(device),
            torch.from_numpy(betas).float().to(device),
        )
    joints = mesh.joints.double().cpu().numpy() + places[:, None]
    vertices = mesh.vertices.double().cpu().numpy() + places[:, None]
    states = [TrackState[row["state"].upper()] for row in rows]
    sources = [TranslationSource[row["translation_source"].upper()] for row in rows]
    return People(
        ids=np.array([int(row["id"]) for row in rows]),
        states=np.array(states, np.uint8),
        scores=numbers("score")[:, 0],
        boxes_xyxy=numbers("left_px", "top_px", "right_px", "bottom_px"),
        rotations=rotations,
        betas=betas,
        translations_m=places,
        covariances_m2=np.full((n, 3, 3), np.nan),
        sources=np.array(sources, np.uint8),
        weak_cameras=np.full((n, 3), np.nan),
        joints_m=joints,
        keypoints_px=camera.project(joints),
        vertices_m=vertices.astype(np.float32),
    )


def _jpeg(rgb: np.ndarray) -> str:
    bgr = cv2.cvtColor(shrink(np.asarray(rgb, np.uint8)), cv2.COLOR_RGB2BGR)
    _, content = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])
    return base64.b64encode(content.tobytes()).decode()
