"""The command line as a user types it, with the networks left out (`light`)."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from talkface import __version__
from talkface.__main__ import main
from talkface.media import ffmpeg

ROOT = Path(__file__).resolve().parents[1]
LIGHT_WARNING = "warning: The light is made of paper.\n"


def run(*arguments: object) -> int:
    with pytest.raises(SystemExit) as caught:
        main([str(item) for item in arguments])
    return caught.value.code or 0


@pytest.fixture
def render(light, portrait, tone, tmp_path):
    """Call `talkface render` on the example's portrait and a tone, small; returns the exit code."""

    def call(*arguments: object, output: object = tmp_path / "out.mp4") -> int:
        return run("render", portrait, tone, "-o", output, "--size", 128, *arguments)

    return call


def test_the_path_is_the_only_thing_on_stdout(render, tmp_path, capsys):
    assert render() == 0
    captured = capsys.readouterr()
    assert captured.out == f"{tmp_path / 'out.mp4'}\n"
    assert captured.err == "warning: The light is made of paper.\n"


def test_json_has_everything(render, tmp_path, capsys):
    assert render("--json", "--seed", 11, "--fps", 29.97, "-q") == 0
    captured = capsys.readouterr()
    result = json.loads(captured.out)
    assert captured.err == ""
    assert result["path"] == str(tmp_path / "out.mp4")
    assert (result["frames"], result["seed"], result["steps"], result["device"]) == (30, 11, 10, "cpu")
    assert result["fps"] == pytest.approx(29.97, abs=1e-4)
    assert result["duration_s"] == pytest.approx(1.0, abs=0.02)
    assert set(result["timings_s"]) == {"portrait", "speech", "start", "face", "voice", "motion", "video", "check"}
    assert captured.out.count("The light is made of paper.") == 1
    assert result["warnings"] == ["The light is made of paper."]


def test_a_drawn_seed_is_reported(render, capsys):
    seeds = set()
    for _ in range(2):
        assert render("--json", "--force") == 0
        seeds.add(json.loads(capsys.readouterr().out)["seed"])
    assert len(seeds) == 2


def test_the_video_says_what_it_is(render, tmp_path):
    assert render("--seed", 5, "--steps", 20, "--gaze", "-10,5", "--emotion", "happy:0.5", "--emotion", "sad:0.1") == 0
    text = ffmpeg.run(*ffmpeg.source(tmp_path / "out.mp4"), "-f", "ffmetadata", "-").decode().replace("\\", "")
    for words in (
        "AI-generated",
        __version__,
        '"seed": 5',
        '"steps": 20',
        '"gaze": [-10.0, 5.0]',
        '["happy", 0.5]',
        "trainedAlgorithmic",
    ):
        assert words in text


@pytest.mark.parametrize("name", ["two words.mp4", 'it\'s "q".mp4', "a:b.mp4", "héé 声.mp4", "50%20.mp4", "UPPER.MP4"])
def test_any_output_name_works(render, tmp_path, name):
    assert render(output=tmp_path / name) == 0
    assert ffmpeg.probe(tmp_path / name).video.codec == "h264"


@pytest.mark.parametrize(
    "spelling", [["-o", "-dash.mp4"], ["-o-dash.mp4"], ["--output=-dash.mp4"], ["-o", "./-dash.mp4"]]
)
def test_a_leading_dash_is_only_a_name(light, portrait, tone, tmp_path, monkeypatch, spelling):
    monkeypatch.chdir(tmp_path)
    assert run("render", portrait, tone, *spelling, "--size", 128) == 0
    assert (tmp_path / "-dash.mp4").is_file()


def test_inputs_with_a_leading_dash_follow_two_dashes(light, portrait, tone, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "-p.png").write_bytes(portrait.read_bytes())
    (tmp_path / "-s.wav").write_bytes(tone.read_bytes())
    assert run("render", "-o", "out.mp4", "--size", 128, "--", "-p.png", "-s.wav") == 0


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--gaze", "50,0"], "gaze's yaw must be between -30 and 30"),
        (["--gaze", "left"], "not two numbers"),
        (["--emotion", "joyful"], "no emotion called 'joyful'"),
        (["--emotion", "happy:7"], "strength of 'happy'"),
        (["--head-distance", "3"], "head distance must be between 0.7 and 1.5"),
        (["--amplitude", "-1"], "amplitude must be between"),
        (["--fps", "23"], "frame rate must be one of 24, 25, 29.97"),
        (["--size", "333"], "even number"),
        (["--device", "tpu"], "no device called 'tpu'"),
        (["--steps", "0"], "sampling steps must be a whole number from 1 to 50"),
        (["--steps", "51"], "sampling steps must be a whole number from 1 to 50"),
        (["--seed", "tree"], "Invalid value for '--seed'"),
        (["--sise", "256"], "No such option"),
    ],
)
def test_a_wrong_option_is_a_usage_error(render, tmp_path, capsys, arguments, words):
    assert render(*arguments) == 2
    complain(capsys, words)
    assert not (tmp_path / "out.mp4").exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [(["render", "a.png"], "Missing"), (["render", "a", "b"], "Missing option"), (["paint"], "No such command")],
)
def test_a_wrong_command_is_a_usage_error(capsys, arguments, words):
    assert run(*arguments) == 2
    complain(capsys, words)


def test_no_command_shows_the_help(capsys):
    assert run() == 2
    assert "render" in capsys.readouterr().out


def test_the_version(capsys):
    assert run("--version") == 0
    assert capsys.readouterr().out == f"talkface {__version__}\n"


def test_help_names_every_exit_code_and_comes_at_once():
    start_s = os.times().children_user
    done = subprocess.run(
        [sys.executable, "-m", "talkface", "--help"], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert os.times().children_user - start_s < 1.0  # of the processor; torch alone takes more
    assert all(str(code) in done.stdout for code in (0, 1, 2, 3, 4, 130))


@pytest.mark.parametrize(
    ("command", "usage"),
    [("render", "PORTRAIT SPEECH"), ("motion", "SPEECH"), ("inspect", "PORTRAIT"), ("bench", "[PORTRAIT] [SPEECH]")],
)
def test_the_usage_names_arguments_as_the_help_does(capsys, command, usage):
    assert run(command, "--help") == 0
    assert capsys.readouterr().out.startswith(f"Usage: talkface {command} [OPTIONS] {usage}\n")


@pytest.mark.parametrize("command", ["--help", "--version", "doctor", "render"])
def test_a_result_that_nobody_reads_ends_quietly(portrait, tone, tmp_path, command):
    """`talkface ... | head -0`: as any program that writes to a closed pipe, and the video is there."""
    done = piped(command, portrait, tone, tmp_path, stdout=closed_pipe())
    assert (done.returncode, done.stderr.replace(LIGHT_WARNING, "")) == (141, "")
    assert (tmp_path / "out.mp4").exists() == (command == "render")


def test_two_at_once_do_not_spoil_each_others_output(portrait, tone, tmp_path):
    command = [sys.executable, "-m", "tests.light", "render", portrait, tone, "--size", "128"]
    command += ["-o", tmp_path / "out.mp4", "--force"]
    environment = {**os.environ, "PAUSE_S": "0.05"}
    both = [subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE) for _ in range(2)]
    wait_for(lambda: len(list(tmp_path.glob("*.part"))) == 2)
    for process in both:
        process.communicate(timeout=60)
        assert process.returncode == 0
    assert ffmpeg.count_frames(tmp_path / "out.mp4") == 25
    assert not list(tmp_path.glob("*.part"))


def test_words_that_nobody_reads_stop_nothing(portrait, tone, tmp_path):
    assert piped("render", portrait, tone, tmp_path, stderr=closed_pipe()).returncode == 0
    assert (tmp_path / "out.mp4").stat().st_size > 0


@pytest.mark.parametrize("number", [1, 2])
def test_closed_streams_stop_nothing(portrait, tone, tmp_path, number):
    done = piped("render", portrait, tone, tmp_path, preexec_fn=lambda: os.close(number))
    assert done.returncode == 0
    assert "error" not in done.stdout + done.stderr


def test_a_result_that_finds_no_room_is_an_error(portrait, tone, tmp_path):
    with open("/dev/full", "w") as full:
        done = piped("render", portrait, tone, tmp_path, stdout=full)
    assert done.returncode == 4
    assert "error: The result cannot be printed (No space left on device)." in done.stderr
    assert "Traceback" not in done.stderr


def test_a_name_of_any_bytes_is_printed_as_it_came(portrait, tone, tmp_path):
    name = os.fsdecode(os.fsencode(tmp_path) + b"/\xff.mp4")
    command = [sys.executable, "-m", "tests.light", "render", portrait, tone, "--size", "128", "-o", name]
    assert subprocess.run(command, cwd=ROOT, capture_output=True, check=True).stdout == os.fsencode(name) + b"\n"


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_a_name_that_the_wanted_encoding_lacks_is_printed_as_the_system_writes_it(portrait, tone, tmp_path, encoding):
    name = tmp_path / "für 声.mp4"
    command = [sys.executable, "-m", "tests.light", "render", portrait, tone, "--size", "128", "-o", name]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, env={**os.environ, "PYTHONIOENCODING": encoding})
    assert (done.returncode, done.stdout) == (0, os.fsencode(name) + b"\n")


def test_an_unexpected_failure_has_no_traceback_unless_asked(render, capsys, monkeypatch):
    def fall(*_):
        raise ZeroDivisionError("oops")

    monkeypatch.setattr("talkface.pipeline.listen", fall)
    assert render() == 1
    assert complain(capsys, "ZeroDivisionError: oops").count("Traceback") == 0
    assert render("-v") == 1
    assert "Traceback" in capsys.readouterr().err


def test_a_terminal_that_closes_does_not_stop_what_nohup_started(portrait, tone, tmp_path):
    command = [sys.executable, "-m", "tests.light", "render", portrait, tone, "--size", "128", "-o", tmp_path / "o.mp4"]
    process = subprocess.Popen(
        command,
        cwd=ROOT,
        env={**os.environ, "PAUSE_S": "0.02"},
        preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN),
    )
    wait_for(lambda: children(process.pid))
    process.send_signal(signal.SIGHUP)
    assert process.wait(timeout=30) == 0
    assert (tmp_path / "o.mp4").exists()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_being_interrupted_leaves_nothing_behind(portrait, speech, tmp_path, number):
    command = [sys.executable, "-m", "tests.light", "render", str(portrait), str(speech), "--size", "128"]
    command += ["-o", str(tmp_path / "out.mp4")]
    environment = {**os.environ, "PAUSE_S": "0.05", "TMPDIR": str(tmp_path / "tmp")}
    (tmp_path / "tmp").mkdir()
    process = subprocess.Popen(
        command,
        cwd=ROOT,
        env=environment,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(number, signal.SIG_DFL),  # the tests may run under nohup
    )
    part = tmp_path / f"out.mp4.{process.pid}.part"
    wait_for(lambda: part.exists() and children(process.pid))
    started = children(process.pid)
    process.send_signal(number)
    _, stderr = process.communicate(timeout=20)
    assert process.returncode == 130
    assert "Traceback" not in stderr
    assert [path.name for path in tmp_path.rglob("*")] == ["tmp"]
    wait_for(lambda: not any(Path(f"/proc/{child}").exists() for child in started))


@pytest.mark.parametrize("delay_s", [0.0, 0.03])
@pytest.mark.parametrize("module", ["talkface.errors", "dataclasses", "numpy.linalg", "torch.types"])
def test_being_interrupted_while_loading_is_no_different(portrait, tone, tmp_path, module, delay_s):
    """Python tells on stderr what it has just imported; at that moment, or a little later, comes Ctrl-C."""
    command = [sys.executable, "-X", "importtime", "-m", "talkface", "render", str(portrait), str(tone)]
    process = subprocess.Popen([*command, "-o", str(tmp_path / "out.mp4")], cwd=ROOT, stderr=subprocess.PIPE, text=True)
    while not process.stderr.readline().rstrip().endswith(f" {module}"):
        assert process.poll() is None, "never imported"
    time.sleep(delay_s)
    process.send_signal(signal.SIGINT)
    _, stderr = process.communicate(timeout=30)
    assert process.returncode == 130
    said = [line for line in stderr.splitlines() if not line.startswith("import time:")]
    assert said == ["interrupted"]
    assert [path.name for path in tmp_path.iterdir()] == [tone.name]


@pytest.mark.parametrize("module", ["torch", "numpy", "scipy.linalg"])
def test_an_interrupt_waits_until_compiled_code_is_loaded(render, tmp_path, monkeypatch, module):
    """An exception inside the start of compiled code would abort the program, or become some other error."""
    loading = SimpleNamespace(__spec__=SimpleNamespace(_initializing=True))
    seen = []

    def load(*_):
        monkeypatch.setitem(sys.modules, module, loading)
        signal.raise_signal(signal.SIGINT)
        seen.append("still loading")
        loading.__spec__._initializing = False
        time.sleep(5)

    monkeypatch.setattr("talkface.pipeline.pick_device", load)
    assert render() == 130
    assert seen == ["still loading"]
    assert not list(tmp_path.glob("out.mp4*"))


def piped(command: str, portrait: Path, tone: Path, folder: Path, **streams) -> subprocess.CompletedProcess:
    """The command as a process of its own, the networks left out; what is not given in `streams` is captured."""
    render = [portrait, tone, "--size", "128", "-o", folder / "out.mp4"] if command == "render" else []
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE} | streams
    return subprocess.run([sys.executable, "-m", "tests.light", command, *render], cwd=ROOT, text=True, **streams)


def closed_pipe() -> int:
    """The writing end of a pipe that nobody reads."""
    reading, writing = os.pipe()
    os.close(reading)
    return writing


def complain(capsys, words: str) -> str:
    """The one sentence and the hint on stderr, nothing on stdout."""
    captured = capsys.readouterr()
    assert captured.out == ""
    lines = [line for line in captured.err.splitlines() if not line.startswith("warning: ")]
    assert [line.split(":")[0] for line in lines] == ["error", "hint"]
    assert words in lines[0]
    return captured.err


def children(pid: int) -> list[str]:
    return subprocess.run(["pgrep", "-P", str(pid)], capture_output=True, text=True).stdout.split()


def wait_for(condition) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline, "waited too long"
        time.sleep(0.02)
