"""Names of people's frames in transforms, which a node publishes beside those of the robot.

They say nothing about where cameras are, and in a crowd they make up most of `/tf`. Code that
looks up a camera's pose, live or in a bag, ignores them.
"""

import re

from smpler_model.body.skeleton import SMPL_JOINTS
from smpler_model.cameras.messages import Message

FOOTPRINT = "footprint"
"""Name, below `person_<id>/`, of the frame on the floor."""

_PERSON_FRAME = re.compile(
    rf".*person_\d+/(?:{'|'.join((*SMPL_JOINTS, FOOTPRINT))})"  # with any prefix
    r"|/?body_p\d+"  # of REP 155
)


def is_person_frame(name: str) -> bool:
    """Return whether a frame is a person's joint, footprint or body."""
    return _PERSON_FRAME.fullmatch(name) is not None


def without_people(message: Message) -> Message:
    """Remove the frames of people from a `tf2_msgs/TFMessage`, and return it."""
    message.transforms = [
        each for each in message.transforms if not is_person_frame(each.child_frame_id)
    ]
    return message
