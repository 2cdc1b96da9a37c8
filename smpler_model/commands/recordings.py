"""Opens recordings for `smpler view`: a run's results, a bag with people, or their folder."""

import json
from contextlib import ExitStack
from pathlib import Path

from smpler_model.bags.reader import is_bag, open_bag
from smpler_model.commands.run_record import read_run_record
from smpler_model.source import SourceError
from smpler_model.sources import open_source
from smpler_model.viewing.bag_recording import Advance, find_fused, has_people, read_bag
from smpler_model.viewing.fused_recording import read_fused
from smpler_model.viewing.recording import Playable, Recording
from smpler_model.viewing.result_files import find_results, read_results
from smpler_model.viewing.stored_images import StoredImages

_BAG, _SUMMARY = "bag", "summary.json"  # of evaluate_bag
_RECORDED = "recorded"  # of the demonstration
_OVERLAYS = ("overlay.mp4", "overlay.png", "overlay")


def holds_people(path: Path) -> bool:
    """Return whether a path contains estimated people, which can be shown."""
    if find_results(path) or _is_evaluation(path) or _is_demo(path):
        return True
    if not path.exists() or not is_bag(path):
        return False
    with open_bag(path) as reader:
        return has_people(reader)


def open_recording(
    path: Path, images: str = "", image_topic: str = "", advance: Advance = lambda: None
) -> Playable:
    """Read a recording.

    Of a bag with the fused people of several cameras, those are shown, unless one is chosen.

    Args:
        path: results of `smpler run`, their folder, a folder of `evaluate_bag` or of `make demo`,
            or a bag with people.
        images: input that the people were estimated from, for its images; if empty, a bag's own,
            or the overlays beside the results.
        image_topic: image topic of a bag; if empty, all where people are fused, or the only one.
        advance: called after each image.

    Raises:
        SourceError: there is nothing to show.
        OSError: a file that cannot be read.
    """
    if _is_demo(path):
        path = path / _RECORDED
    results = find_results(path)
    if results is not None:
        return _open_results(results, images, image_topic, advance)
    people = path / _BAG if _is_evaluation(path) else path
    with ExitStack() as stack:
        people_bag = stack.enter_context(open_bag(people))
        source = images or (_input_of(path) if _is_evaluation(path) else "")
        image_bag = stack.enter_context(open_bag(source)) if source else people_bag
        fused = "" if image_topic else find_fused(people_bag)
        recording: Playable = (
            read_fused(people_bag, image_bag, fused, advance)
            if fused
            else read_bag(people_bag, image_bag, image_topic, advance)
        )
        recording.title = path.resolve().name
        return recording


def _open_results(results: Path, images: str, image_topic: str, advance: Advance) -> Recording:
    frames = read_results(results)
    source, record = images or _overlay_beside(results), read_run_record(results.parent)
    try:
        stored = _store_images(source, image_topic, advance)
    except SourceError as error:
        if images:
            raise
        raise SourceError(
            f"{error}, or, if its run was killed, give the run's input with --images"
        ) from None
    if images or record is None or record.is_live:
        stored.match([frame.stamp_ns for frame in frames], own_clock=not images)
    else:  # a picture for every image of the run's input, also where it has no result
        stored.match_numbers([frame.index for frame in frames])
    title = results.resolve().parent.name
    return Recording(title, frames, stored if len(stored) else None)


def _store_images(images: str, image_topic: str, advance: Advance) -> StoredImages:
    stored = StoredImages()
    if images:
        with open_source(images, image_topic=image_topic) as source:
            for frame in source.frames:
                stored.add(frame.stamp_ns, frame.rgb)
                advance()
    return stored


def _overlay_beside(results: Path) -> str:
    paths = (results.parent / name for name in _OVERLAYS)
    return next((str(path) for path in paths if path.exists()), "")


def _is_evaluation(path: Path) -> bool:
    return (path / _SUMMARY).is_file() and (path / _BAG).is_dir()


def _is_demo(path: Path) -> bool:
    return (path / _RECORDED).is_dir() and is_bag(path / _RECORDED)


def _input_of(evaluation: Path) -> str:
    """Return the bag that was evaluated; empty if it is gone, and only people can be shown."""
    summary = json.loads((evaluation / _SUMMARY).read_text())
    bag = Path(summary["bag"])
    places = (bag, evaluation.parent / bag.name)
    return next((str(place) for place in places if place.exists() and is_bag(place)), "")
