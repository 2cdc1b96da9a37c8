"""Contents of rendered crops. Imports nothing, so that settings can be checked at once."""

from dataclasses import dataclass


@dataclass(frozen=True)
class CropStyle:
    """What people do in crops, and how hard they are to see.

    Held-out people have the defaults except for `everyday`; fractions that are 0 there make no
    random draws, so that those people never change.

    Attributes:
        everyday: fraction of people with motions as in the synthetic scenes; the others have
            arbitrary poses of `poses.draw_poses`, which are harder.
        recorded: fraction of people, of both kinds, who have a recorded pose instead.
        bare: fraction of people dressed for sport or summer, see `appearance.draw_outfits`.
        companions: fraction of batches with a second person.
        close: fraction of cameras that are close, look down and are rolled, see
            `cameras.draw_cameras`.
        photographed: fraction of batches with photos as backgrounds and, in these, on occluders.
        cluttered: fraction of the other batches with clutter as background.
        abstract: fraction of the remaining batches without a room.
        hidden: probability of each of three objects that may occlude the person.
        truncated: probability, for each side, that the crop extends beyond the photo.
        cut_below: probability that the window ends above the feet.
        cut_aside: probability that it leaves out a side.
        sensor_strength: strength of sensor imperfections, see `sensor.draw_sensors`.
        harsh: fraction of crops with an imperfection beyond these: too dark or too bright, out of
            focus, shaken, without colours, or badly compressed.
        least_seen: minimum fraction of the crop that shows the person; others are discarded.
    """

    everyday: float = 0.75
    recorded: float = 0.0
    bare: float = 0.0
    companions: float = 0.15
    close: float = 0.0
    photographed: float = 0.0
    cluttered: float = 0.0
    abstract: float = 0.2
    hidden: float = 0.07
    truncated: float = 0.04
    cut_below: float = 0.08
    cut_aside: float = 0.03
    sensor_strength: float = 0.7
    harsh: float = 0.0
    least_seen: float = 0.05
