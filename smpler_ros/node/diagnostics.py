"""The node's status as `diagnostic_msgs`, once a second."""

from collections.abc import Mapping

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from std_msgs.msg import Header

from smpler_ros.inputs.reception import LEAST_SHARE
from smpler_ros.node.statistics import CameraReport


def diagnostic_array(
    header: Header,
    node: str,
    reports: Mapping[str, CameraReport],
    fixed: Mapping[str, str],
    warning: str = "",
) -> DiagnosticArray:
    """Return one status per camera.

    Args:
        header: header with the current time.
        node: full name of the node.
        reports: statistics by camera.
        fixed: constant values by name, such as model and detector.
        warning: what is wrong with the node as a whole; empty if nothing is.
    """
    return DiagnosticArray(
        header=header,
        status=[_status(node, name, report, fixed, warning) for name, report in reports.items()],
    )


def judge(report: CameraReport, warning: str = "") -> tuple[bytes, str]:
    """Return the level and the message of a camera's status.

    Args:
        report: statistics of the camera.
        warning: what is wrong with the node as a whole; it counts where nothing worse is.
    """
    if report.is_new_error:
        return DiagnosticStatus.ERROR, report.last_error
    if report.is_silent:
        return DiagnosticStatus.STALE, "no images"
    if report.received and report.without_detections == report.received:
        return DiagnosticStatus.WARN, "no detections match an image: images are dropped"
    if report.depth_share is not None and report.depth_share < LEAST_SHARE:
        share = f"{100 * report.depth_share:.0f} % of images"
        return DiagnosticStatus.WARN, f"usable depth is available for {share}: distances jump"
    if report.without_pose:
        share = f"{report.without_pose} of {report.received} images"
        return DiagnosticStatus.WARN, f"the camera's pose in fixed_frame is unknown for {share}"
    if report.people_left_out:
        left_out = f"{report.people_left_out} people were seen and left out; the log says why"
        return DiagnosticStatus.WARN, left_out
    if warning:
        return DiagnosticStatus.WARN, warning
    return DiagnosticStatus.OK, f"{report.people} people at {report.rate_hz:.1f} Hz"


def _status(
    node: str, camera: str, report: CameraReport, fixed: Mapping[str, str], warning: str
) -> DiagnosticStatus:
    level, message = judge(report, warning)
    values = {
        "rate (Hz)": f"{report.rate_hz:.2f}",
        "images received": str(report.received),
        "images dropped": str(report.dropped),
        "images failed": str(report.failed),
        "images without detections": str(report.without_detections),
        "images without depth": str(report.without_depth),
        "images without pose": str(report.without_pose),
        "images with depth (%)": (
            "" if report.depth_share is None else f"{100 * report.depth_share:.0f}"
        ),
        "boxes left out": str(report.boxes_left_out),
        "people": str(report.people),
        "people left out": str(report.people_left_out),
        "age of people (ms)": f"{report.age_ms:.1f}",
        **{f"{step} (ms)": f"{ms:.2f}" for step, ms in report.steps_ms.items()},
        "last error": report.last_error,
        **fixed,
    }
    return DiagnosticStatus(
        level=level,
        name=f"{node}: {camera or 'camera'}",
        message=message,
        hardware_id=camera,
        values=[KeyValue(key=key, value=value) for key, value in values.items()],
    )
