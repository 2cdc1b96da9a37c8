# smpler_ros on a ROS 2 image, with a GPU through the NVIDIA Container Toolkit of the host.
# Not built in CI and never tested. The host needs a driver for CUDA 13 (580 or newer), because the
# PyTorch version in constraints.txt is built for CUDA 13.
#   docker build --tag smpler_ros .
#   docker run --rm --gpus all --network host --ipc host smpler_ros
# --network and --ipc let Fast DDS reach nodes on the host through the network and shared memory.
ARG ROS_DISTRO=jazzy
FROM ros:${ROS_DISTRO}-perception

SHELL ["/bin/bash", "-c"]
ENV NVIDIA_VISIBLE_DEVICES=all \
    NVIDIA_DRIVER_CAPABILITIES=compute,utility \
    PIP_NO_CACHE_DIR=1 \
    PYTHONUNBUFFERED=1
WORKDIR /opt/smpler_ros

RUN apt-get update \
    && apt-get install --yes --no-install-recommends g++ make python3-venv \
    && rm -rf /var/lib/apt/lists/*

# The dependencies in package.xml, without RViz, which needs a screen.
COPY package.xml ./
COPY smpler_msgs smpler_msgs
RUN apt-get update \
    && rosdep update --rosdistro "$ROS_DISTRO" \
    && rosdep install --from-paths . smpler_msgs --ignore-src --skip-keys rviz2 -y \
    && rm -rf /var/lib/apt/lists/*

# .venv with --system-site-packages on top of the installation: PyTorch for CUDA, the rest, and
# this package's commands.
COPY Makefile pyproject.toml constraints.txt setup.py setup.cfg LICENSE ./
COPY tools tools
COPY resource resource
COPY launch launch
COPY config config
COPY smpler_model smpler_model
COPY smpler_ros smpler_ros
COPY synthetic synthetic
COPY training training
RUN . "/opt/ros/$ROS_DISTRO/setup.bash" \
    && { make setup PYTHON=/usr/bin/python3 || { cat .ros/set_up.log; exit 1; }; }

# The messages are built with the distribution's Python, which has matching generators; programs use .venv's.
RUN . "/opt/ros/$ROS_DISTRO/setup.bash" \
    && . .ros/environment.sh \
    && python -m colcon build --base-paths . smpler_msgs \
        --cmake-args -DPython3_EXECUTABLE=/usr/bin/python3 -DBUILD_TESTING=OFF

ENTRYPOINT ["/bin/bash", "-c", ". /opt/ros/$ROS_DISTRO/setup.bash && . /opt/smpler_ros/.ros/environment.sh && . /opt/smpler_ros/install/setup.bash && exec \"$@\"", "smpler_ros"]
CMD ["ros2", "launch", "smpler_ros", "camera.launch.py"]
