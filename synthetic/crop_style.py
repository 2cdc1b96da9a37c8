"""What drawn crops show. Needs nothing, so that settings can be checked at once."""

from dataclasses import dataclass


@dataclass(frozen=True)
class CropStyle:
    """What people do in crops, and how hard it is to see them.

    The held-out people have the defaults but for `everyday`; shares that are 0 there draw nothing
    at random, so that those people stay what they are.

    Attributes:
        everyday: share of people who do what those of the synthetic scenes do; the others take any
            pose of `poses.draw_poses`, which are harder.
        recorded: share of people who take a recorded pose instead, of either kind.
        bare: share of people dressed for sport or summer, as for `appearance.draw_outfits`.
        companions: share of batches that show a second person.
        close: share of cameras that are close, look down and are rolled, as for
            `cameras.draw_cameras`.
        photographed: share of batches with photos behind the people.
        cluttered: share of the other batches with clutter behind the people.
        abstract: share of the remaining batches without a room.
        hidden: probability of each of three things that may stand before the person.
        truncated: probability of each side that the crop reaches beyond the photo there.
        cut_below: probability that the window ends above the feet.
        cut_aside: probability that it leaves out a side.
        sensor_strength: strength of sensor imperfections, as for `sensor.draw_sensors`.
        harsh: share of crops with a fault that such sensors do not have: too dark or too bright,
            out of focus, shaken, without colours, badly compressed.
        least_seen: share of the crop that shows the person; others are not kept.
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
