import re
import subprocess
import sys
from pathlib import Path

import pytest

from smpler_model.commands import doctor
from smpler_model.commands.command_line import main
from smpler_model.inference import self_check
from smpler_model.machine.finding import Finding, shown
from smpler_model.settings.pipeline import PipelineSettings

CAMERA_FILE = Path(__file__).parents[3] / "config" / "camera.yaml"
QUICK = ("--backend", "eager", "--device", "cpu")


def lines_of(capsys: pytest.CaptureFixture[str]) -> dict[str, str]:
    """Return what was printed by name, with the advice below it."""
    found: dict[str, str] = {}
    name = ""
    for line in capsys.readouterr().out.splitlines():
        match = re.match(r"(?:ok|FAIL) +(.+?)  +", line)
        name = match[1] if match else name
        found[name] = found.get(name, "") + line
    return found


@pytest.mark.slow
def test_a_machine_on_which_all_is_well(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", *QUICK]) == 0
    found = lines_of(capsys)
    assert {"Python", "PyTorch", "GPU", "ONNX Runtime", "shared memory", "model"} <= found.keys()
    assert re.search(r"with eager in float32: [\d.]+ ms for one person", found["network"])
    assert found["network"].endswith("no problem found")


@pytest.mark.parametrize(
    ("flags", "name", "words"),
    [
        (["--model", "lost.pt"], "model", "model must be smpler_nano or a checkpoint's path"),
        (["--body", "lost.npz"], "model", "lost.npz"),
        (["--device", "cuda:9"], "network", "device 'cuda:9' needs a GPU"),
        (["--exported", "lost.onnx", "--backend", "auto"], "network", "must be a file"),
    ],
)
def test_what_is_wrong_has_a_remedy(
    flags: list[str], name: str, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["doctor", *QUICK, *flags]) == 1
    found = lines_of(capsys)
    assert found[name].startswith("FAIL")
    assert words in found[name]
    assert "; " in found[name].rpartition("-> ")[2]  # what to do
    assert "1 problem" in "".join(found.values())


@pytest.mark.slow
def test_a_backend_that_is_refused(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(self_check, "MAX_MM", 1e-9)
    assert main(["doctor", *QUICK]) == 1
    (network,) = [line for name, line in lines_of(capsys).items() if name == "network"]
    assert "eager in float32 is" in network


@pytest.mark.slow
def test_without_pytorch(tmp_path: Path) -> None:
    """The program itself needs none."""
    (tmp_path / "torch.py").write_text("raise ImportError('no such library')")
    code = (
        f"import sys; sys.path.insert(0, {str(tmp_path)!r})\n"
        "from smpler_model.commands.command_line import main\n"
        "sys.exit(main(['doctor']))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert "FAIL PyTorch" in done.stdout
    assert "does not import: no such library" in done.stdout
    assert "make setup" in done.stdout
    assert done.stderr == ""


@pytest.mark.parametrize("content", [CAMERA_FILE.read_text(), "detector: topic"])
def test_the_file_of_a_node_is_taken(
    content: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found: list[PipelineSettings] = []

    def note(settings: PipelineSettings) -> list[Finding]:
        found.append(settings)
        return []

    monkeypatch.setattr(doctor, "examine", note)
    path = tmp_path / "node.yaml"
    path.write_text(content)
    assert main(["doctor", "--params", str(path), "--threads", "3"]) == 0
    assert [settings.threads for settings in found] == [3]


def test_a_detector_that_no_node_has_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "node.yaml"
    path.write_text("detector: topics")
    assert main(["doctor", "--params", str(path)]) == 1
    assert "got 'topics'; did you mean 'topic'?" in capsys.readouterr().err


def test_findings_are_lined_up() -> None:
    findings = [Finding("a", "one", "do this"), Finding("bcd", "two", hint="or that")]
    assert shown(findings).splitlines() == [
        "FAIL a    one",
        "          -> do this",
        "ok   bcd  two",
        "          -> or that",
    ]
