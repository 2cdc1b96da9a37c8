"""The summary of a run, for JSON."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

from smpler_model.cameras.messages import NS_PER_S
from smpler_model.hashes import hash_each, hash_files
from smpler_ros.bags.accuracy import CONVENTIONS
from smpler_ros.bags.engine import Engine
from smpler_ros.bags.evaluation import Evaluation
from smpler_ros.bags.inputs import Input
from smpler_ros.bags.run_statistics import RunStatistics
from smpler_ros.bags.settings import EvaluationSettings

_PACKAGES = ("numpy", "rosbags", "torch", "trackers")


def describe_missed(figures: Mapping[str, Any]) -> str:
    """Return how many visible people were missed, and how many of all who are labelled.

    Args:
        figures: of `ErrorSums.summary`.
    """
    return (
        f"{figures['visible_missed']} of {figures['visible_people']} visible people missed "
        f"({figures['missed']} of {figures['true_people']} labelled)"
    )


def summarise(
    evaluation: Evaluation,
    source: Input,
    engine: Engine,
    config: EvaluationSettings,
    *,
    complete: bool,
) -> dict[str, Any]:
    """Return the summary of a run.

    Args:
        evaluation: the run.
        source: the run's bag.
        engine: the run's network and detector.
        config: settings of the run.
        complete: whether the end of the bag was reached.
    """
    tally, wall_s = evaluation.tally, evaluation.checkpoint.wall_s
    frames = sum(tally.frames.values())
    return {
        "bag": str(source.reader.path),
        "complete": complete,
        "damage": evaluation.damage,
        "frames": frames,
        "people": sum(track.frames for track in tally.tracks.values()),
        "tracks": len(tally.tracks),
        "wall_s": wall_s,
        "rate_hz": frames / wall_s if wall_s else None,
        "latency_ms": tally.latencies(),
        "cameras": {
            camera.image: _camera(tally, camera.image) | _topics(camera)
            for camera in source.cameras
        },
        "videos": {},
        "left_out": _list_faults(tally.left_out),
        "people_left_out": _list_faults(tally.people_left_out),
        "images_without_pose": _list_faults(tally.without_pose),
        "fused": _fused(tally, source) if config.fusion_tolerance else None,
        "notes": [{"topic": topic, "note": note} for topic, note in tally.notes],
        "accuracy": _accuracy(tally, source, config),
        "configuration": describe_configuration(config),
        "sha256": hash_inputs(engine, config)
        | ({"bag": hash_each(source.reader.path)} if complete and config.hash_bag else {}),
        "versions": {name: version(name) for name in _PACKAGES}
        | {"python": platform.python_version()},
    }


def describe_configuration(config: EvaluationSettings) -> dict[str, Any]:
    """Return all settings."""
    return asdict(config)


def hash_inputs(engine: Engine, config: EvaluationSettings) -> dict[str, Any]:
    """Return the SHA-256 of the files that affect the results, and of the body's arrays."""
    hashes = dict(engine.hashes)
    for purpose, path in (
        ("detector", config.detector_weights),
        ("truth", config.truth),
    ):
        if path and Path(str(path)).is_file():
            hashes[purpose] = hash_files([Path(str(path))])
    return hashes


def _camera(tally: RunStatistics, camera: str) -> dict[str, Any]:
    tracks = {id_: track for id_, track in tally.tracks.items() if track.camera == camera}
    frames = tally.frames[camera]
    span_s = (tally.last_ns.get(camera, 0) - tally.first_ns.get(camera, 0)) / NS_PER_S
    return {
        "frames": frames,
        "duration_s": span_s,
        "image_rate_hz": (frames - 1) / span_s if span_s > 0 else None,
        "labelled_frames": tally.labelled[camera],
        "left_out": sum(n for (topic, _), n in tally.left_out.items() if topic == camera),
        "people": sum(track.frames for track in tracks.values()),
        "tracks": [
            {
                "id": id_,
                "frames": track.frames,
                "drop_outs": track.last_frame - track.first_frame + 1 - track.frames,
                "first_ns": track.first_ns,
                "last_ns": track.last_ns,
            }
            for id_, track in tracks.items()
        ],
    }


def _fused(tally: RunStatistics, source: Input) -> dict[str, Any]:
    return {
        "moments": tally.moments,
        "people": tally.fused_people,
        "ids": len(tally.fused_ids),
        "moments_with": {camera.image: tally.views[camera.image] for camera in source.cameras},
        "accuracy": _fused_accuracy(tally),
    }


def _fused_accuracy(tally: RunStatistics) -> dict[str, Any] | None:
    """Return the errors of people seen by several cameras, beside those of the single views."""
    if not tally.fused_errors:
        return None
    joins = tally.joins
    return {
        "all": tally.fused_errors[()].summary(),
        "cameras": {key[0]: sums.summary() for key, sums in tally.fused_errors.items() if key},
        "same_people": None if joins is None else joins.same,
        "joined": None if joins is None else joins.joined,
        "wrong_joins": None if joins is None else joins.wrong,
    }


def _list_faults(faults: Mapping[tuple[str, str], int]) -> list[dict[str, Any]]:
    return [
        {"topic": topic, "reason": reason, "count": count}
        for (topic, reason), count in faults.items()
    ]


def _topics(camera: Any) -> dict[str, Any]:  # noqa: ANN401
    return {"info": camera.info, "depth": camera.depth, "rectified": camera.rectified}


def _accuracy(
    tally: RunStatistics, source: Input, config: EvaluationSettings
) -> dict[str, Any] | None:
    if not tally.errors:
        return None
    people: dict[str, dict[str, Any]] = {}
    for key, sums in sorted(tally.errors.items(), key=lambda item: tuple(map(str, item[0]))):
        if len(key) == 2:
            people.setdefault(str(key[0]), {})[str(key[1])] = sums.summary()
    return {
        "conventions": CONVENTIONS
        | {
            "boxes": f"from the {config.boxes}",
            "least overlap of a pair": config.match_iou,
            "truth": dict(source.truth_names),
        },
        "all": tally.errors[()].summary(),
        "cameras": {
            str(key[0]): sums.summary() for key, sums in tally.errors.items() if len(key) == 1
        },
        "people": people,
    }
