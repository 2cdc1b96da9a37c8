"""The table at the end of a demonstration, from real bags and summaries."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from smpler_model.cameras.camera import camera_from_field_of_view
from smpler_ros.bags.bag_run import Summary, evaluate_bag
from smpler_ros.bags.bag_writer import BagWriter
from smpler_ros.bags.engine import Engine
from smpler_ros.bags.settings import EvaluationSettings
from smpler_ros.demo.demo_table import (
    LiveFigures,
    format_paths,
    format_table,
    measure_live,
    table_rows,
)
from smpler_ros.messages.convert import header_message, person_array_message
from tests.results import make_people, make_result
from tests.smpler_ros.conftest import SMALL

PEOPLE, KIND = "/people", "smpler_msgs/msg/SmplPersonArray"
MS_NS = 1_000_000
START_NS = 1_700_000_000_000_000_000
LIVE = LiveFigures(9.87, 73.6)


def write_people(path: Path, ages_ms: list[int], step_ms: int) -> Path:
    """Write messages that arrive at a steady rate with given ages."""
    camera = camera_from_field_of_view(640, 480, 60.0)
    result = make_result(make_people(np.array([[0.0, 0.0, 4.0]]), camera), camera)
    with BagWriter(path) as writer:
        for index, age_ms in enumerate(ages_ms):
            arrival_ns = START_NS + index * step_ms * MS_NS
            header = header_message(writer.types, arrival_ns - age_ms * MS_NS, "camera")
            message = person_array_message(writer.types, header, "nano", result, vertices=False)
            writer.write(PEOPLE, KIND, arrival_ns, message)
    return path


def evaluated(bag: Path, folder: Path, config: EvaluationSettings, engine: Engine) -> Summary:
    evaluate_bag(bag, folder, config, engine)
    summary: Summary = json.loads((folder / "summary.json").read_text())
    return summary


@pytest.mark.parametrize(
    ("ages_ms", "rate_hz", "latency_ms"),
    [([70, 90, 400], 8.0, 90.0), ([70], None, 70.0), ([], None, None)],
    ids=["several", "one", "none"],
)
def test_rate_and_latency_follow_the_messages(
    ages_ms: list[int], rate_hz: float | None, latency_ms: float | None, tmp_path: Path
) -> None:
    live = measure_live(write_people(tmp_path / "bag", ages_ms, step_ms=125), PEOPLE)
    assert live.rate_hz == (rate_hz and pytest.approx(rate_hz))
    assert live.latency_ms == (latency_ms and pytest.approx(latency_ms))


@pytest.mark.slow
def test_errors_are_shown_with_ground_truth(
    small_bag: Path, config: EvaluationSettings, engine: Engine, tmp_path: Path
) -> None:
    config = replace(config, outputs=())
    summary = evaluated(small_bag, tmp_path / "out", config, engine)
    errors = summary["accuracy"]["all"]
    rows = {row[0]: row[1:] for row in table_rows(LIVE, summary)}
    assert rows["people messages"][:2] == ("9.9", "Hz")
    assert rows["median latency"][:2] == ("74", "ms")
    assert rows["people seen"] == (str(errors["pairs"]), "", f"in {SMALL.frames} images")
    assert rows["tracks"][0] == str(summary["tracks"])
    assert rows["MPJPE"][:2] == (f"{errors['mpjpe_mm']:.1f}", "mm")
    assert f"over {errors['pairs']} of {errors['true_people']} true people" in rows["MPJPE"][2]
    share = 100 * errors["visible_missed"] / errors["visible_people"]
    assert rows["missed"][:2] == (f"{share:.1f}", "%")
    visible = f"{errors['visible_missed']} of {errors['visible_people']} visible people missed"
    labelled = f"({errors['missed']} of {errors['true_people']} labelled)"
    assert rows["missed"][2] == f"{visible} {labelled}"
    assert rows["placed pelvis"][:2] == (f"{errors['pelvis_mm'] / 1000:.3f}", "m")


def test_without_ground_truth_there_are_no_errors(
    small_bag: Path, config: EvaluationSettings, tmp_path: Path
) -> None:
    config = replace(config, outputs=(), boxes="detector", truth="none", detector="full_image")
    summary = evaluated(small_bag, tmp_path / "out", config, Engine(config))
    titles = [row[0] for row in table_rows(LIVE, summary)]
    assert titles == ["people messages", "median latency", "people seen", "tracks"]


def test_unknown_figures_are_dashes() -> None:
    errors = {"mpjpe_mm": None, "pelvis_mm": None, "pairs": 0, "true_people": 8, "missed": 8}
    errors |= {"visible_people": 0, "visible_missed": 0}
    summary = {"people": 0, "tracks": 0, "frames": 4, "accuracy": {"all": errors}}
    rows = table_rows(LiveFigures(None, None), summary)
    assert [row[1] for row in rows] == ["-", "-", "0", "0", "-", "-", "-"]
    assert "over 0 of 8 true people" in rows[4][3]


def test_columns_are_aligned() -> None:
    text = format_table([("rate", "9.9", "Hz", "live"), ("latency", "74", "ms", "of an image")])
    assert text == "rate     9.9 Hz  live\nlatency   74 ms  of an image"
    text = format_paths({"report": Path("a/b.html"), "bag": Path("a/bag")})
    assert text == "report  a/b.html\nbag     a/bag"
