"""Train the detector `person`: `python -m training.detection.train config/train/person.yaml`.

`field=value` after the file changes its settings. The layers of MobileNetV2 are frozen, so their
features are computed once; the pyramid and the heads are trained. Photos show real people;
synthetic rooms, hidden people and people at the border; windows of photos without people, what is
not a person. Held-out images of each kind are scored before and after.
"""

import argparse
import json
import logging
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

import torch
from tqdm import tqdm

from smpler_model.atomic_files import write_text_atomically
from smpler_model.detectors.person_detector import PersonDetector
from smpler_model.detectors.person_network import PersonNetwork
from smpler_model.detectors.person_weights import (
    SHIPPED,
    load_person_network,
    save_person_network,
)
from smpler_model.settings.pipeline import PipelineSettings
from training.configuration import load_configuration, write_configuration
from training.data.photo_files import SPLITS
from training.data.prepare_photos import read_labels, split_of
from training.detection.empty_examples import draw_empty_examples, find_scenery
from training.detection.examples import Example
from training.detection.features import Features, see_examples
from training.detection.learner import learn
from training.detection.photo_examples import UNSURE, draw_photo_examples
from training.detection.scene_examples import draw_scene_examples
from training.detection.scoring import Found, score_network
from training.detection.settings import PersonTrainSettings

WEIGHTS, FIGURES, CONFIGURATION = "person_detector.npz", "figures.json", "configuration.yaml"
ROOMS, HELD_OUT_ROOMS = "rooms", "held-out rooms"
PHOTOS, HELD_OUT_PHOTOS = "photos", "held-out photos"
EMPTY, HELD_OUT_EMPTY = "photos without people", "held-out photos without people"
SCORES = (PipelineSettings().keep_score, PipelineSettings().detection_score)
"""Least scores of detections that continue and begin tracks."""

_HELD_OUT_SHARE = 0.05  # of the photos

logger = logging.getLogger(__name__)


def draw_examples(settings: PersonTrainSettings) -> Mapping[str, list[Example]]:
    """Return the examples by kind: for training, and held out.

    Raises:
        FileNotFoundError: labels or photos are missing.
        ValueError: labels of another format.
    """
    photos = [photo for path in settings.photos for photo in read_labels(path)]
    middle = settings.first_seed + settings.scenes
    rooms = {
        ROOMS: range(settings.first_seed, middle),
        HELD_OUT_ROOMS: range(middle, middle + settings.held_out_scenes),
    }
    drawn = {}
    for title, seeds in rooms.items():
        images = settings.images_per_scene
        examples = draw_scene_examples(seeds, images, settings.empty_share, settings.seed)
        drawn[title] = list(tqdm(examples, desc=title, total=len(seeds) * images))
    detector = PersonDetector(settings.initial, score_threshold=UNSURE, threads=settings.threads)
    wanted = {PHOTOS: settings.photo_images, HELD_OUT_PHOTOS: settings.held_out_photos}
    for (title, count), split in zip(wanted.items(), SPLITS, strict=True):
        part = [each for each in photos if split_of(each.image.name, _HELD_OUT_SHARE) == split]
        windows = draw_photo_examples(part, count, detector, settings.photo_weight, settings.seed)
        drawn[title] = list(tqdm(windows, desc=title, total=min(count, len(part))))
    scenery = find_scenery(photos, settings.empty_photos)
    wanted = {EMPTY: settings.empty_images, HELD_OUT_EMPTY: settings.held_out_empty}
    for (title, count), split in zip(wanted.items(), SPLITS, strict=True):
        chosen = [each for each in scenery if split_of(each.image.name, _HELD_OUT_SHARE) == split]
        empty = draw_empty_examples(chosen, count, detector, settings.photo_weight, settings.seed)
        drawn[title] = list(tqdm(empty, desc=title, total=min(count, len(chosen))))
    return drawn


def judge(
    network: PersonNetwork, held_out: Mapping[str, tuple[list[Example], Features]]
) -> Mapping[str, Found]:
    """Score a network on held-out images at each of the pipeline's score thresholds."""
    return {
        f"{title}, score {score:g}": score_network(network, features, examples, score)
        for title, (examples, features) in held_out.items()
        for score in SCORES
    }


def train(settings: PersonTrainSettings) -> Iterator[str]:
    """Train and write the weights; yield lines with the scores before and after.

    Raises:
        FileNotFoundError: weights, labels or photos are missing.
        ValueError: files of another format.
        OSError: the folder cannot be written.
    """
    torch.set_num_threads(settings.threads)
    torch.manual_seed(settings.seed)
    settings.output.mkdir(parents=True, exist_ok=True)
    write_configuration(settings, settings.output / CONFIGURATION)
    network = load_person_network(settings.initial or SHIPPED)
    drawn = draw_examples(settings)
    held_out = {
        title: (drawn[title], see_examples(network, drawn[title]))
        for title in (HELD_OUT_ROOMS, HELD_OUT_PHOTOS, HELD_OUT_EMPTY)
        if drawn[title]
    }
    features = see_examples(network, drawn[ROOMS] + drawn[PHOTOS] + drawn[EMPTY])
    results = {"before": judge(network, held_out)}
    yield from (found.line(f"before, {name}") for name, found in results["before"].items())
    learn(network, features, settings)
    save_person_network(network, settings.output / WEIGHTS)
    stored = load_person_network(settings.output / WEIGHTS)  # as bytes
    results["after"] = judge(stored, held_out)
    yield from (found.line(f"after, {name}") for name, found in results["after"].items())
    write_figures(results, settings.output / FIGURES)


def write_figures(results: Mapping[str, Mapping[str, Found]], path: Path) -> None:
    """Write the scores as JSON.

    Raises:
        OSError: it cannot be written.
    """
    plain = {
        time: {name: asdict(found) for name, found in each.items()}
        for time, each in results.items()
    }
    write_text_atomically(path, json.dumps(plain, indent=1) + "\n")


def main(arguments: Sequence[str] | None = None) -> int:
    """Train as the command line says; return 1 after an error, which is one sentence."""
    parser = argparse.ArgumentParser(description="Train the detector person.")
    parser.add_argument("configuration", type=Path, help="YAML of a PersonTrainSettings")
    parser.add_argument("overrides", nargs="*", help="field=value")
    chosen = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    try:
        settings = load_configuration(PersonTrainSettings, chosen.configuration, chosen.overrides)
        for line in train(settings):
            logger.info("%s", line)
    except (ValueError, OSError) as error:
        sys.stderr.write(f"error: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
