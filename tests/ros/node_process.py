"""Nodes as processes of their own."""

from tests.forked import ForkedProgram


class NodeProcess(ForkedProgram):
    """A node of the package as its own process.

    Starts as users start nodes are in `test_process`, `test_signals`, `test_demo` and
    `test_launch_files`.
    """

    def __init__(self, module: str, *ros_arguments: str) -> None:
        super().__init__(module, ["--ros-args", *ros_arguments] if ros_arguments else [])
