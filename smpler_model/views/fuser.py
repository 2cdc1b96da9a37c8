"""The people of several cameras over time: fused, each with one id."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from smpler_model.frames import FrameResult
from smpler_model.views.fusion import FusedPeople, Pose, fuse_views
from smpler_model.views.identity import CommonIds


class ViewFuser:
    """Fuses the views of one moment after the other.

    State: the ids that tracks have in common. It is reset when time runs backwards (a rewound
    bag) and by `reset`.
    """

    def __init__(self, pose: Pose) -> None:
        """Start without people.

        Args:
            pose: poses bodies, as `Estimator.joints`.
        """
        self._pose = pose
        self._ids = CommonIds()

    def reset(self) -> None:
        """Forget all tracks."""
        self._ids.reset()

    def fuse(self, results: Mapping[str, FrameResult]) -> tuple[NDArray[np.int64], FusedPeople]:
        """Return the ids (n) and bodies of the people in images taken at the same time.

        Args:
            results: results by camera, with the cameras' poses in one frame; their tracks' ids
                are unique over all cameras, as those of one pipeline are.

        Raises:
            ValueError: no result, a result without a pose, or poses in different frames.
        """
        people = fuse_views(list(results.values()), self._pose)
        groups = [
            {
                name: int(result.people.ids[row])
                for (name, result), row in zip(results.items(), rows, strict=True)
                if row >= 0
            }
            for rows in people.rows.tolist()
        ]
        stamp_ns = max(result.stamp_ns for result in results.values())
        return np.array(self._ids.name(stamp_ns, groups), np.int64), people
