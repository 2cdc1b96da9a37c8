"""Every command in the README and its pages is tested, or has a reason; named files exist."""

import importlib.util
import re
import shlex
import subprocess
from pathlib import Path

import pytest

from smpler_model.commands.command_line import main as smpler_model
from smpler_ros.bags.command_line import build_parser, read_config
from smpler_ros.camera.synthetic_bag import main as synthetic_bag
from tests.project.test_launch import arguments_of
from training.configuration import load_configuration
from training.data.download import ARCHIVES
from training.data.labelling.__main__ import build_parser as build_labelling_parser
from training.detection.settings import PersonTrainSettings
from training.evaluate import EvaluateSettings
from training.settings import load_settings

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
PAGES = [
    README,
    *(
        (ROOT / "docs" / f"{name}.md").read_text()
        for name in ("bag", "official_weights", "robot", "training", "video", "workspace")
    ),
]
PATHS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
PROGRAMS = (
    "colcon ",
    "docker ",
    "make ",
    "pip ",
    "python ",
    "ros2 ",
    "rosdep ",
    "smpler ",
    "torchrun ",
)

COLCON = "--cmake-args -DPython3_EXECUTABLE=/usr/bin/python3"
MODEL, TRAIN = "smpler", "python -m training.train config/train"
EVALUATE = "python -m training.evaluate config/evaluate"
RENDER = "python -m training.data.render_crops config/train"
TWO_PROCESSES = "torchrun --nproc-per-node 2 -m training.train config/train"
STAGES = "tests/training/test_stages.py"
LABELLING = "datasets/labelling/bin/python -m training.data.labelling"
TEACHER = "--teacher datasets/package/pose_landmark_heavy.tflite"
FOLLOWED = "tests/project/test_pages.py"
WITHOUT_CONFIGURATION = {
    *("training.data.download", "training.data.labelling", "training.data.prepare_photos"),
    "training.scoring.run_table",
}

# The test of each command, and the part of the command in that test. Inputs and sizes may differ.
TESTED = {
    "make demo": ("tests/ros/test_demo.py::run_demo", "smpler_ros.demo"),
    "make demo INPUT=video.mp4": (
        "tests/ros/test_demo.py::test_a_video_goes_through_the_node_into_bag_and_report",
        "--input",
    ),
    "make test": (".ci/run", "make test"),
    "make setup": ("tests/project/test_set_up.py::test_nothing_is_done_twice", 'make("setup"'),
    ". .ros/environment.sh": (
        "tests/project/test_readme.py::test_the_environment_is_put_on_the_path",
        ".ros/environment.sh",
    ),
    f"{MODEL} run video.mp4": (
        "tests/smpler_model/commands/test_run.py::test_a_video",
        "smpler_model",
    ),
    f"{MODEL} run video.mp4 --model models/SMPLer_3dpw.pt --output official": (
        "tests/smpler_model/commands/test_run.py::test_a_video",
        '"--model"',
    ),
    f"{MODEL} run video.mp4 --model runs/synthetic/weights.pt": (
        "tests/smpler_model/commands/test_run.py::test_a_video",
        '"--model"',
    ),
    f"{MODEL} view video.mp4": (
        "tests/smpler_model/commands/test_view.py::test_people_in_a_video_are_estimated_first",
        '"view"',
    ),
    "make demo VIEW=1": (
        "tests/ros/test_demo.py::test_a_video_goes_through_the_node_into_bag_and_report",
        "people in 3D: http://localhost:",
    ),
    f"{MODEL} view runs/demo": (
        "tests/ros/test_demo.py::test_a_video_goes_through_the_node_into_bag_and_report",
        "open_recording(out)",
    ),
    "ros2 run smpler_ros smpler_node": (
        "tests/ros/test_accuracy.py::test_people_are_estimated_within_the_expected_error",
        "smpler_ros.smpler_node",
    ),
    "ros2 run smpler_ros viewer": (
        "tests/ros/test_viewer.py::test_people_are_shown_with_subscriptions_only_while_watched",
        "smpler_ros.viewer",
    ),
    'ros2 run smpler_ros viewer --ros-args -p cameras:="[left, right]"': (
        "tests/ros/test_viewer.py::test_fused_people_are_shown_with_the_cameras_that_see_them",
        "cameras:=[left,right]",
    ),
    f"{MODEL} view video_smpler": (
        "tests/smpler_model/commands/test_view.py::test_the_command_prints_its_address",
        '"view"',
    ),
    f"{MODEL} view example_bag_evaluation": (
        "tests/smpler_ros/bags/test_recordings.py::test_an_evaluation_is_shown_with_its_input",
        "open_recording",
    ),
    "make setup LESS=1": (
        "tests/project/test_set_up.py::test_what_less_takes_is_said_before_it_is_taken",
        '"LESS=1"',
    ),
    **{
        f"{MODEL} {rest}": (f"{FOLLOWED}::test_a_video", 'follow("video")')
        for rest in (
            "run video.mp4 --overwrite --fov 78",
            "run video.mp4 --overwrite --camera-info camera.yaml",
            "run video.mp4 --overwrite --results npz --mesh glb",
        )
    },
    **{
        f"evaluate_bag example_bag {rest}": (f"{FOLLOWED}::test_a_bag", 'follow("bag")')
        for rest in ("--detector motion --output motion", "--no-smoothing --video --output raw")
    },
    f"{MODEL} view official --model models/SMPLer_3dpw.pt": (
        f"{FOLLOWED}::test_official_weights",
        'follow("official_weights")',
    ),
    f"{MODEL} info models/SMPLer_3dpw.pt": (
        "tests/smpler_model/commands/test_command_line.py::test_info_runs_as_a_command",
        '"info"',
    ),
    f"{MODEL} export --format onnx models/SMPLer_3dpw.pt": (
        "tests/smpler_model/inference/test_export.py::test_the_command_writes_beside_the_checkpoint",
        '"export"',
    ),
    f"python -m colcon build --base-paths . smpler_msgs {COLCON}": (
        "tests/project/test_packages.py::test_colcon_builds_the_package_and_the_result_works",
        '"-m", "colcon"',
    ),
    "synthetic_bag example_bag --duration 5": (
        "tests/project/test_readme.py::test_the_bag_is_written",
        "synthetic_bag",
    ),
    "evaluate_bag example_bag": (
        "tests/smpler_ros/bags/test_evaluate_bag.py::test_a_killed_run_leaves_valid_files_and_resumes",
        "smpler_ros.evaluate_bag",
    ),
    "python -m training.data.render_people config/train/synthetic_backbone.yaml": (
        f"{STAGES}::people",
        "training.data.render_people",
    ),
    f"{TRAIN}/synthetic_backbone.yaml": (f"{STAGES}::trained", "training.train"),
    f"{TRAIN}/synthetic_smpler.yaml": (f"{STAGES}::trained", "training.train"),
    f"{TRAIN}/synthetic_finetune.yaml": (f"{STAGES}::trained", "training.train"),
    f"{EVALUATE}/synthetic.yaml": (
        f"{STAGES}::test_two_processes_evaluate_everybody_once",
        "config/evaluate/synthetic.yaml",
    ),
    "python -m training.detection.train config/train/person.yaml": (
        "tests/training/detection/test_train.py::test_a_small_training",
        "train",
    ),
    "python -m training.data.download all --root datasets": (
        "tests/training/data/test_download.py::test_data_set_is_downloaded_unpacked_and_verified",
        "training.data.download",
    ),
    "python -m training.scoring.run_table runs/with runs/without": (
        "tests/training/scoring/test_run_table.py::test_the_command",
        "run_table",
    ),
    "python -m training.scoring.model_card config/train/nano.yaml "
    "--weights runs/nano/turn/weights.pt --card runs/nano/card.md": (
        "tests/training/scoring/test_model_card.py::test_card_of_a_trained_model",
        "model_card",
    ),
    f"{LABELLING} lsp datasets/lsp {TEACHER}": (
        "tests/training/data/labelling/test_command.py::test_leeds_sports_pose",
        '"lsp"',
    ),
    f"{LABELLING} ccp datasets/ccp {TEACHER} "
    "--second datasets/package/pose_landmark_full.tflite": (
        "tests/training/data/labelling/test_command.py::test_clothing_co_parsing",
        '"ccp"',
    ),
    **{
        f"python -m training.data.prepare_photos datasets/{name}/people.json "
        f"datasets/photos_{name}": (
            "tests/training/data/test_prepare_photos.py::test_the_command_prepares_both_splits",
            "training.data.prepare_photos",
        )
        for name in ("lsp", "ccp")
    },
}

ADDRESS = "stands for an address that depends on where the repository is kept"
ADMINISTRATOR = "installs packages into the system, for which a test has no right"
INSTALLATION = (
    "needs a ROS installation, which the wheels are not; tests/project/test_launch.py reads the "
    "launch files, and tests/ros/test_launch_files.py starts one where there is launch_ros"
)
LICENSED = "needs licensed data or weights, and GPUs; its configuration is loaded here"
HOURS = "takes hours; its configuration is loaded here, its parts have tests in tests/training"
MINUTES = "takes half an hour; its configuration is loaded here, its parts have tests"
NETWORK = "fetches photos, networks or packages"
DOCKER = "needs Docker and the network, or a GPU; what the Dockerfile copies is checked here"

UNTESTABLE = {
    "git clone <address of this repository> smpler_ros && cd smpler_ros": ADDRESS,
    "sudo apt install git g++ make python3-dev python3-venv": ADMINISTRATOR,
    "git clone https://github.com/axelcarlier/lsp datasets/lsp": NETWORK,
    "git clone https://github.com/bearpaw/clothing-co-parsing datasets/ccp": NETWORK,
    "git clone --depth 1 https://github.com/una-dinosauria/cmu-mocap datasets/cmu_motion": NETWORK,
    "npm pack --pack-destination datasets @mediapipe/pose@0.5.1675469404": NETWORK,
    "tar xzf datasets/mediapipe-pose-0.5.1675469404.tgz --directory datasets": NETWORK,
    "python3 -m venv datasets/labelling": NETWORK,
    "datasets/labelling/bin/pip install ai-edge-litert 'opencv-python-headless<5' scipy tqdm": (
        NETWORK
    ),
    "sudo apt install g++ make python3-rosdep python3-venv": ADMINISTRATOR,
    "sudo apt install ros-$ROS_DISTRO-vision-msgs ros-$ROS_DISTRO-compressed-image-transport": (
        ADMINISTRATOR
    ),
    "sudo rosdep init": ADMINISTRATOR,
    "rosdep update": ADMINISTRATOR,
    "rosdep install --from-paths . smpler_msgs --ignore-src -y": ADMINISTRATOR,
    "rosdep install --from-paths src src/smpler_ros/smpler_msgs --ignore-src -y": ADMINISTRATOR,
    ". install/setup.sh": INSTALLATION,
    "export FASTDDS_DEFAULT_PROFILES_FILE=$PWD/config/fastdds.xml": INSTALLATION,
    "export FASTRTPS_DEFAULT_PROFILES_FILE=$PWD/config/fastdds.xml": INSTALLATION,
    "ros2 topic list": INSTALLATION,
    "ros2 topic hz /camera/image_raw": INSTALLATION,
    "ros2 topic echo /people --once": INSTALLATION,
    "ros2 run tf2_ros tf2_echo map person_0/pelvis": INSTALLATION,
    "ros2 bag record --output walk /camera/image_raw /camera/camera_info /tf /tf_static": (
        INSTALLATION
    ),
    ". src/smpler_ros/.ros/environment.sh": INSTALLATION,
    f"python -m colcon build --base-paths src src/smpler_ros/smpler_msgs {COLCON}": INSTALLATION,
    f"{RENDER}/nano.yaml": HOURS,
    f"{TRAIN}/nano.yaml": HOURS,
    f"{RENDER}/synthetic.yaml": MINUTES,
    f"{TWO_PROCESSES}/synthetic.yaml": MINUTES,
    **{
        f"{TWO_PROCESSES}/{stage}_w{n}.yaml": LICENSED
        for stage in ("backbone", "smpler")
        for n in (32, 48)
    },
    **{f"{TRAIN}/finetune_w{n}.yaml": LICENSED for n in (32, 48)},
    **{f"{EVALUATE}/w{n}_{data}.yaml": LICENSED for n in (32, 48) for data in ("h36m", "3dpw")},
    "docker build --tag smpler_ros .": DOCKER,
    "docker run --rm --gpus all --network host --ipc host smpler_ros ros2 launch smpler_ros "
    "demo.launch.py rviz:=false viewer:=true": DOCKER,
}


def commands_of(text: str) -> list[str]:
    """Return all commands in code blocks, and inline ones that begin with a known program.

    Comments are left out, and lines that end with a backslash are joined.
    """
    commands = []
    for _, language, block in re.findall(r"^( *)```(\w*)\n(.*?)^\1```", text, re.M | re.S):
        assert language in ("bash", "yaml"), f"a block must say bash or yaml, got '{language}'"
        if language == "bash":
            lines = re.sub(r"\\\n\s*", "", block).splitlines()
            commands += [re.sub(r"\s+#.*", "", line).strip() for line in lines]
    spans = re.findall(r"`([^`\n]+)`", re.sub(r"```.*?```", "", text, flags=re.S))
    commands += [span for span in spans if span.startswith(PROGRAMS)]
    return [command for command in commands if command and not command.startswith("#")]


COMMANDS = list(dict.fromkeys(command for page in PAGES for command in commands_of(page)))
INLINE = {
    "make help": "prints the targets",
    "make clean": "named, not given",
    "python -m colcon": "part of a command above",
    "smpler run": "named, not given",
    "smpler view": "named, not given",
    "smpler doctor": "named, not given",
    "ros2 bag play": "named, not given",
    "ros2 topic hz": "named, not given",
    "python -m training.data.fit_poses": "named, not given",
    "python -m training.data.prepare_photos": "named, not given",
    "python -m training.data.render_crops": "named, not given",
}


def words_of(program: str) -> list[list[str]]:
    """Return the arguments of every command of a program."""
    found = [
        command.removeprefix(program)
        for command in COMMANDS
        if command.startswith(f"{program} ") and command not in INLINE
    ]
    return [shlex.split(rest) for rest in found]


def test_every_command_has_a_row_and_every_row_a_command() -> None:
    launches = {c for c in COMMANDS if c.startswith("ros2 launch smpler_ros ")}
    rows = set(TESTED) | set(UNTESTABLE)
    assert not set(TESTED) & set(UNTESTABLE)
    assert set(COMMANDS) - launches - set(INLINE) == rows
    assert launches, INSTALLATION


@pytest.mark.parametrize("command", TESTED)
def test_tests_of_commands_exist(command: str) -> None:
    where, held = TESTED[command]
    name, _, function = where.partition("::")
    text = (ROOT / name).read_text()
    assert held in text
    assert not function or re.search(rf"^def {function}\(", text, re.M), where


def test_make_runs_the_demonstration() -> None:
    """Tests call the module with their own folder instead of the target."""
    makefile = (ROOT / "Makefile").read_text()
    assert 'python -m smpler_ros.demo --input "$(INPUT)"' in makefile
    for target in ("demo", "help", "setup", "test"):
        assert re.search(rf"^{target}:", makefile, re.M)


@pytest.mark.slow
def test_the_environment_is_put_on_the_path() -> None:
    if not (ROOT / ".ros" / "environment.sh").is_file():
        pytest.skip("needs what `make setup` makes")
    shell = ["bash", "-c", ". .ros/environment.sh && python -c 'import torch, smpler_msgs'"]
    subprocess.run(shell, cwd=ROOT, check=True)


@pytest.mark.parametrize("words", words_of(MODEL), ids=" ".join)
def test_commands_of_the_model_are_parsed(
    words: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Unknown flags would exit with 2; a missing file is one sentence."""
    monkeypatch.chdir(tmp_path)
    assert smpler_model(words) == 1
    message = capsys.readouterr().err
    assert message.startswith("error: ")
    assert any(word in message for word in words[1:])


def test_the_bag_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (words,) = words_of("synthetic_bag")
    small = ["0.2" if word == "5" else word for word in words]
    assert synthetic_bag([*small, "--width", "64", "--height", "48", "--quiet"]) == 0
    assert (tmp_path / words[0] / "metadata.yaml").is_file()


def test_flags_of_the_evaluator_are_parsed() -> None:
    for words in words_of("evaluate_bag"):
        chosen = build_parser().parse_args(words)
        assert read_config(chosen).detector in ("person", *words)


def test_training_commands_name_modules_and_configurations() -> None:
    named = set()
    for command in COMMANDS:
        found = re.search(r"-m (training(?:\.\w+)+) (.*)", command)
        if not found:
            continue
        assert importlib.util.find_spec(found[1]) is not None
        if found[1] in WITHOUT_CONFIGURATION:
            continue
        path = found[2].split()[0]
        if found[1] == "training.evaluate":
            load_configuration(EvaluateSettings, ROOT / path)
        elif found[1] == "training.detection.train":
            load_configuration(PersonTrainSettings, ROOT / path)
        else:
            load_settings(ROOT / path)
        named.add(path)
    there = {str(path.relative_to(ROOT)) for path in (ROOT / "config").glob("*/*.yaml")}
    assert named == there, "docs/training.md has a command for every configuration"
    for words in words_of("python -m training.data.download"):
        assert words[0] in (*ARCHIVES, "all")
    for words in words_of(LABELLING):
        assert build_labelling_parser().parse_args(words).data == words[0]


def test_launch_files_declare_the_arguments() -> None:
    shared = {name for name, _ in arguments_of(ROOT / "launch" / "camera.launch.py")}
    for command in COMMANDS:
        found = re.search(r"ros2 launch smpler_ros (\S+)(.*)", command)
        if found:
            file = ROOT / "launch" / found[1]
            given = {word.split(":=")[0] for word in found[2].split() if word != "--show-args"}
            assert given <= shared | {name for name, _ in arguments_of(file)}, command


def test_the_dockerfile_copies_existing_files() -> None:
    ignored = (ROOT / ".dockerignore").read_text().split()
    lines = re.findall(r"^COPY (.+)$", (ROOT / "Dockerfile").read_text(), re.M)
    sources = [word for line in lines for word in line.split()[:-1]]
    assert sources
    for source in sources:
        assert (ROOT / source).exists(), source
        assert source not in ignored


@pytest.mark.parametrize("page", PATHS, ids=lambda page: page.name)
def test_links_lead_to_files(page: Path) -> None:
    targets = re.findall(r"\]\(([^)#\s]+)", page.read_text())
    missing = [
        target
        for target in targets
        if not target.startswith("http") and not (page.parent / target).exists()
    ]
    assert not missing


def headings_of(page: Path) -> set[str]:
    """Return the names by which links lead to a page's headings."""
    titles = re.findall(r"^#+ (.+)$", page.read_text(), re.M)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("page", PATHS, ids=lambda page: page.name)
def test_links_lead_to_headings(page: Path) -> None:
    links = re.findall(r"\]\(([^)#\s:]*)#([^)\s]+)\)", page.read_text())
    missing = [
        f"{target}#{name}"
        for target, name in links
        if name not in headings_of(page.parent / target if target else page)
    ]
    assert not missing


@pytest.mark.parametrize(
    "page", ["README.md", "CONTRIBUTING.md", "docs/architecture.md", "docs/design.md"]
)
def test_named_files_exist(page: str) -> None:
    folders = (
        *("benchmarks", "config", "docs", "launch", "smpler_model", "smpler_msgs/msg"),
        *("smpler_ros", "synthetic", "tests", "tools", "training"),
    )
    name = rf"`((?:{'|'.join(folders)})/[\w./-]*|[\w-]+\.(?:rst|toml|txt|xml))`"
    names = set(re.findall(name, (ROOT / page).read_text()))
    assert names
    assert [name for name in names if not (ROOT / name).exists()] == []


def test_the_architecture_has_a_row_for_each_room_and_names_what_is_in_it() -> None:
    page = (ROOT / "docs" / "architecture.md").read_text()
    rows = dict(re.findall(r"^\| `([\w/]+)` \| (.*) \|$", page, re.M))
    packages = [*ROOT.glob("smpler_model/*/__init__.py"), *ROOT.glob("smpler_ros/*/__init__.py")]
    assert {str(each.parent.relative_to(ROOT)) for each in packages} <= rows.keys()
    programs = {"doctor", "make demo", "person", "smpler run", "viewer"}
    for folder, contents in rows.items():
        for name in set(re.findall(r"`([\w ]+)`", contents)) - programs:
            endings = ("", ".py", ".msg")
            assert any((ROOT / folder / (name + end)).exists() for end in endings), (folder, name)


def test_stated_speeds_equal_the_measurements() -> None:
    """The README's figures are rows of docs/performance.md, and the fastest ones."""
    page = (ROOT / "docs" / "performance.md").read_text()
    machine = re.search(r"network alone, (.*?):\n", README)
    assert machine
    for model in ("smpler_nano", "smpler_w32", "smpler_w48"):
        table = page.split(f"<!-- inference_{model} -->")[1].split("<!-- end -->")[0]
        assert machine[1] in table
        cells = [line.strip("| ").split(" | ") for line in table.splitlines()]
        times = {row[1]: float(row[2]) for row in cells if row[0] == "1" and len(row) > 4}
        # Lists: of two equally fast ones, the first is named.
        halves = [way for way in times if way.endswith(" half")]
        floats = [way for way in times if way not in halves and way != "reference"]
        single, half = (min(ways, key=times.__getitem__) for ways in (floats, halves))
        plain = f"{times['plain']:g}"
        expected = (
            f"| `{model}` | {plain} | {times[single]:g} ({single}) | {times[half]:g} ({half}) |"
        )
        assert expected in README
