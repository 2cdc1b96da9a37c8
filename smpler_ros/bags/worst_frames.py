"""The frames of a run with the largest errors, as pictures and as pages in 3D."""

from __future__ import annotations

import base64
from collections.abc import Container, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from scipy.spatial.transform import Rotation

from smpler_model.atomic_files import write_text_atomically
from smpler_model.bags.people_topics import people_from_message
from smpler_model.bags.reader import SourceError
from smpler_model.body.skeleton import SMPL_JOINTS, SMPL_SHAPE_COUNT
from smpler_model.body.smpl import Body
from smpler_model.cameras.camera import Camera, camera_from_field_of_view
from smpler_model.cameras.messages import NS_PER_S, stamp_ns_of
from smpler_model.drawing.overlay import draw_result
from smpler_model.frames import Frame, FrameResult, People, TrackState, TranslationSource
from smpler_model.inference.optional_packages import is_installed
from smpler_model.viewing.assumed_pose import assume_pose
from smpler_model.viewing.camera_view import shrink
from smpler_model.viewing.moments import Moment
from smpler_model.viewing.still import still_page
from smpler_model.viewing.surfaces import SkinnedSurface
from smpler_ros.bags.ground_truth import STAMP_TOLERANCE_NS
from smpler_ros.bags.inputs import Input
from smpler_ros.bags.run_files import FRAMES, PEOPLE
from smpler_ros.bags.tables import read_rows

MOST = 6
"""Greatest number of frames that are shown."""

WORST_PAGES = "worst_*.html"

_APART_NS = NS_PER_S // 2  # between two frames of one camera
_AROUND_NS = 2 * NS_PER_S  # an image's calibration and truth are recorded that near to it
_QUALITY = 80  # of JPEG

_Key = tuple[str, int, int]
"""A frame's camera, number and stamp."""


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

    Frames whose image cannot be read again are left out.

    Args:
        folder: folder of the run, whose tables are complete.
        source: its input.
        body: body of the people.
        fov_deg: field of view that was assumed where there is no calibration.
    """
    surface = SkinnedSurface(body.arrays()) if is_installed("viser") else None
    shown: list[WorstFrame] = []
    chosen = _choose(folder / PEOPLE)
    times_ns = _recording_times(folder / FRAMES, chosen)
    for key, rows in chosen.items():
        camera, number, stamp_ns = key
        first, recorded_ns = rows[0], times_ns[key]
        frame = _find_image(source, camera, stamp_ns, recorded_ns)
        if frame is None:
            continue
        height, width = frame.rgb.shape[:2]
        seen_by = frame.camera or camera_from_field_of_view(width, height, fov_deg)
        people = _people_of(rows, body, seen_by)
        page = ""
        if surface is not None:
            page = WORST_PAGES.replace("*", str(len(shown)))
            truth = _find_truth(source, camera, stamp_ns, recorded_ns)
            world = assume_pose([(seen_by, people)])
            moment = Moment(stamp_ns, seen_by, people, world, rgb=frame.rgb, truth=truth)
            write_text_atomically(folder / page, still_page(moment, surface))
        result = FrameResult(stamp_ns, frame.frame_id, seen_by, people)
        shown.append(
            WorstFrame(
                camera,
                number,
                stamp_ns,
                _error_of(first),
                int(first["id"]),
                _jpeg(draw_result(frame.rgb, result, body.faces.cpu().numpy())),
                page,
            )
        )
    return tuple(shown)


def _choose(table: Path) -> dict[_Key, list[Mapping[str, str]]]:
    """Return the rows of the worst frames' people, the worst person and the worst frame first."""
    errors: dict[_Key, float] = {}
    for row in read_rows(table):
        if row["mpjpe_mm"]:
            key = _key_of(row)
            errors[key] = max(errors.get(key, 0.0), _error_of(row))
    chosen: dict[_Key, list[Mapping[str, str]]] = {}
    for camera, number, stamp_ns in sorted(errors, key=errors.__getitem__, reverse=True):
        near = (c == camera and abs(stamp_ns - s) < _APART_NS for c, _, s in chosen)
        if len(chosen) < MOST and not any(near):
            chosen[camera, number, stamp_ns] = []
    for row in read_rows(table):
        key = _key_of(row)
        if key in chosen:
            chosen[key].append(row)
    return {key: sorted(rows, key=_error_of, reverse=True) for key, rows in chosen.items()}


def _recording_times(table: Path, frames: Container[_Key]) -> dict[_Key, int]:
    """Return when images were recorded, nanoseconds."""
    rows = ((_key_of(row), row) for row in read_rows(table))
    return {key: int(row["recorded_ns"]) for key, row in rows if key in frames}


def _key_of(row: Mapping[str, str]) -> _Key:
    return row["camera"], int(row["frame"]), int(row["stamp_ns"])


def _error_of(row: Mapping[str, str]) -> float:
    return float(row["mpjpe_mm"] or -1.0)


def _find_image(source: Input, camera: str, stamp_ns: int, recorded_ns: int) -> Frame | None:
    topics = [each for each in source.cameras if each.image == camera]
    with suppress(SourceError):
        for _, frame in source.reader.read_frames(
            topics, start_ns=recorded_ns - _AROUND_NS, end_ns=recorded_ns + _AROUND_NS
        ):
            if frame.stamp_ns == stamp_ns:
                return frame
    return None


def _find_truth(source: Input, camera: str, stamp_ns: int, recorded_ns: int) -> People | None:
    topic, reader = source.truth_names.get(camera, ""), source.reader
    if topic not in reader.topics:
        return None
    begin_ns, end_ns = recorded_ns - _AROUND_NS, recorded_ns + _AROUND_NS
    with suppress(SourceError):
        for each in reader.read_messages([topic], begin_ns, end_ns):
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
