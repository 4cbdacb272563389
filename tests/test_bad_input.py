"""Bad input, item by item: one clear sentence, a hint, the right exit code, and no file.

Whatever has nothing to do with the networks runs without them (`light`).
"""

from __future__ import annotations

import errno
import os
import signal
import subprocess
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from PIL import Image

from talkface import weights
from talkface.__main__ import main
from talkface.face.model import FaceModel
from talkface.media import ffmpeg
from talkface.media.files import part_of
from talkface.motion.conditions import AUDIO_EXTRAS, AXES
from talkface.motion.denoiser import Denoiser, DenoiserConfig
from tests.conftest import write_tone
from tests.light import light_analysis
from tests.test_media_image import png
from training.motion_data import SOURCES
from training.speech_phones import PHONES
from training.store import store

OK, FAILED, USAGE, INPUT, ENVIRONMENT = 0, 1, 2, 3, 4


@pytest.fixture
def output(tmp_path: Path) -> Path:
    (tmp_path / "results").mkdir()
    return tmp_path / "results" / "out.mp4"


@pytest.fixture
def attempt(output, capsys):
    """Run `talkface render`; check that it ends with the code, one sentence holding the words, a hint, and no file."""

    def call(code: int, words: str, portrait: object, speech: object, *arguments: object, to: object = output) -> None:
        before = sorted(output.parent.iterdir())
        assert run("render", portrait, speech, "-o", to, "--size", 128, *arguments) == code
        captured = capsys.readouterr()
        lines = [line for line in captured.err.splitlines() if not line.startswith("warning: ")]
        assert captured.out == ""
        assert [line.split(":")[0] for line in lines] == ["error", "hint"], captured.err
        assert words in lines[0]
        assert sorted(output.parent.iterdir()) == before

    return call


def run(*arguments: object) -> int:
    with pytest.raises(SystemExit) as caught:
        main([str(item) for item in arguments])
    return caught.value.code or 0


def renders(capsys, *arguments: object) -> str:
    """Run a render that must work, and return its warnings."""
    assert run("render", *arguments, "--size", 128, "--seed", 1) == OK
    return capsys.readouterr().err


# Portraits


def test_missing_file(attempt, portrait, tone):
    attempt(INPUT, "does not exist", "nobody.png", tone)
    attempt(INPUT, "does not exist", portrait, "nothing.wav")


def test_folder(attempt, portrait, tone, tmp_path):
    attempt(INPUT, "is a folder", tmp_path, tone)
    attempt(INPUT, "is a folder", portrait, tmp_path)


def test_empty_file(attempt, portrait, tone, tmp_path):
    for name in ("empty.png", "empty.wav"):
        (tmp_path / name).touch()
    attempt(INPUT, "is empty", tmp_path / "empty.png", tone)
    attempt(INPUT, "is empty", portrait, tmp_path / "empty.wav")


def test_text_renamed_png(attempt, tone, tmp_path):
    (tmp_path / "letter.png").write_text("Dear portrait,\n" * 20)
    attempt(INPUT, "is not a picture", tmp_path / "letter.png", tone)


def test_truncated_jpeg(attempt, portrait, tone, tmp_path):
    Image.open(portrait).save(tmp_path / "whole.jpg")
    (tmp_path / "half.jpg").write_bytes((tmp_path / "whole.jpg").read_bytes()[:9_000])
    attempt(INPUT, "is damaged", tmp_path / "half.jpg", tone)


def test_decompression_bomb(attempt, tone, tmp_path):
    (tmp_path / "bomb.png").write_bytes(png(60_000, 60_000, b""))
    attempt(INPUT, "million pixels", tmp_path / "bomb.png", tone)


def test_picture_without_a_face(attempt, portrait, tone, tmp_path):
    Image.open(portrait).crop((0, 230, 512, 512)).save(tmp_path / "suit.png")
    attempt(INPUT, "No face was found", tmp_path / "suit.png", tone)


def test_face_under_128_pixels_warns(capsys, portrait, tone, output):
    assert "The face is small" in renders(capsys, portrait, tone, "-o", output)
    assert output.stat().st_size > 0


def test_face_under_64_pixels_is_refused(attempt, portrait, tone, tmp_path):
    Image.open(portrait).resize((256, 256)).save(tmp_path / "small.png")
    attempt(INPUT, "at least 64 are needed", tmp_path / "small.png", tone)


def test_face_in_profile(attempt, portrait, tone, monkeypatch):
    turned = turned_landmarks(portrait, 75.0)
    face = SimpleFace(turned)
    monkeypatch.setattr("talkface.face.tracker.FaceTracker.load", lambda device: lambda image: (face,))
    attempt(INPUT, "in profile", portrait, tone)


def test_ten_faces(capsys, portrait, tone, tmp_path, output):
    face = Image.open(portrait).crop((120, 0, 330, 210))
    crowd = Image.new("RGB", (1320, 640), (120, 120, 120))
    for number in range(10):
        side = 250 if number == 6 else 210
        crowd.paste(face.resize((side, side)), (number % 5 * 262, number // 5 * 320))
    crowd.save(tmp_path / "crowd.png")
    assert "faces; the largest speaks" in renders(capsys, tmp_path / "crowd.png", tone, "-o", output)


def test_video_as_portrait(light, capsys, portrait, tone, tmp_path, output, monkeypatch):
    film = tmp_path / "film.mp4"
    ffmpeg.run("-loop", "1", "-t", "0.2", *ffmpeg.source(portrait), "-pix_fmt", "yuv420p", ffmpeg.url(film))
    monkeypatch.setattr("talkface.pipeline.analyse", lambda picture, *_: light_analysis(*picture.notes))
    assert "first frame" in renders(capsys, film, tone, "-o", output)


# Speech


@pytest.mark.parametrize("duration_s", [0.0, 0.05])
def test_audio_too_short(attempt, portrait, tmp_path, duration_s):
    attempt(INPUT, "at least 0.2 s", portrait, write_tone(tmp_path / "blip.wav", duration_s))


def test_audio_silent(light, capsys, portrait, tmp_path, output):
    soundfile.write(tmp_path / "silence.wav", np.zeros(16_000), 16_000)
    assert "silent" in renders(capsys, portrait, tmp_path / "silence.wav", "-o", output)


def test_audio_clipped(light, capsys, portrait, tmp_path, output):
    soundfile.write(tmp_path / "loud.wav", np.clip(4 * np.sin(np.arange(16_000) / 9), -1, 1), 16_000)
    assert "clipped" in renders(capsys, portrait, tmp_path / "loud.wav", "-o", output)


def test_audio_with_nan_samples(light, capsys, portrait, tmp_path, output):
    wave = (0.3 * np.sin(np.arange(16_000) / 10)).astype(np.float32)
    wave[5_000:6_000] = np.nan
    soundfile.write(tmp_path / "holes.wav", wave, 16_000, subtype="FLOAT")
    assert "not numbers" in renders(capsys, portrait, tmp_path / "holes.wav", "-o", output)
    assert ffmpeg.probe(output).audio.codec == "aac"


@pytest.mark.parametrize(("rate_hz", "channels"), [(8_000, 1), (192_000, 1), (48_000, 6)])
def test_audio_of_unusual_shape(light, capsys, portrait, tmp_path, output, rate_hz, channels):
    tone = write_tone(tmp_path / "odd.wav", 1.0, rate_hz, channels)
    renders(capsys, portrait, tone, "-o", output, "--seed", 1)
    assert ffmpeg.count_frames(output) == 25


def test_audio_with_a_corrupt_header(attempt, portrait, tone):
    data = bytearray(tone.read_bytes())
    data[16:36] = bytes(range(200, 220))
    tone.write_bytes(data)
    attempt(INPUT, "cannot be read as sound", portrait, tone)


def test_portrait_and_speech_swapped(attempt, portrait, tone, capsys):
    attempt(INPUT, "is a sound, not a picture", tone, portrait)
    run("render", tone, portrait, "-o", "never.mp4")
    assert "swapped" in capsys.readouterr().err


# Output


def test_output_folder_missing(attempt, portrait, tone, output):
    attempt(USAGE, "does not exist", portrait, tone, to=output.parent / "no" / "out.mp4")


def test_output_folder_read_only(attempt, portrait, tone, monkeypatch, output):
    attempt(ENVIRONMENT, "cannot be written", portrait, tone, to="/proc/out.mp4")
    opened = Path.open

    def refuse(self: Path, mode: str = "r", *rest: object):
        if self.suffix == ".part":  # tests may run as root, whom no folder refuses
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        return opened(self, mode, *rest)

    monkeypatch.setattr(Path, "open", refuse)
    attempt(ENVIRONMENT, "Permission denied", portrait, tone)


def test_output_exists_without_force(light, attempt, capsys, portrait, tone, output):
    output.write_text("precious")
    attempt(USAGE, "exists already", portrait, tone)
    assert output.read_text() == "precious"
    renders(capsys, portrait, tone, "-o", output, "--force")
    assert output.stat().st_size > 1_000


def test_disk_full_while_encoding(light, attempt, portrait, tone, tmp_path):
    part = part_of(tmp_path / "out.mp4")
    part.symlink_to("/dev/full")
    attempt(ENVIRONMENT, "The disk is full", portrait, tone, to=tmp_path / "out.mp4")
    assert not part.is_symlink()


def test_temporary_folder_full(light, attempt, portrait, tone, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("talkface.media.audio._decode", full)
    attempt(ENVIRONMENT, "folder for temporary files", portrait, tone)


@pytest.mark.parametrize("name", ["two words.mp4", 'it\'s "q".mp4', "-dash.mp4", "a:b.mp4", "héé 声.mp4"])
def test_output_name(light, capsys, portrait, tone, output, monkeypatch, name):
    monkeypatch.chdir(output.parent)
    renders(capsys, portrait, tone, "-o", name)
    assert [path.name for path in output.parent.iterdir()] == [name]


# Options and surroundings


def test_unknown_emotion(attempt, portrait, tone):
    attempt(USAGE, "no emotion called 'joyful'", portrait, tone, "--emotion", "joyful")


def test_gaze_out_of_range(attempt, portrait, tone):
    attempt(USAGE, "gaze's yaw must be between", portrait, tone, "--gaze", "-80,0")


def test_controls_file(light, attempt, portrait, tone, tmp_path):
    """What can be wrong inside it is in test_motion_controls."""
    attempt(INPUT, "controls file nothing.json does not exist", portrait, tone, "--controls", "nothing.json")
    attempt(INPUT, "is a folder", portrait, tone, "--controls", tmp_path)
    keys = tmp_path / "keys.json"
    for text, words in (
        ("", "is empty"),
        ("{", "is not JSON"),
        ('{"keyframes": [{"time": 0, "gase": [0, 0]}]}', "keyframe 1 has an unknown key 'gase'"),
        ('{"keyframes": [{"time": -1}]}', "time must be 0 or more"),
        ('{"keyframes": [{"time": 2}, {"time": 1}]}', "does not come after 2 s"),
        ('{"keyframes": [{"time": 0, "gaze": [90, 0]}]}', "gaze_yaw must be between"),
    ):
        keys.write_text(text)
        attempt(INPUT, words, portrait, tone, "--controls", keys)
    keys.write_text('{"keyframes": [{"time": 0, "head_distance": 1.2}]}')
    attempt(USAGE, "inside the whole picture", portrait, tone, "--controls", keys, "--full")
    attempt(USAGE, "does not end in .mp4", portrait, tone, "--controls", keys, "--force", to=keys)


def test_controls_beyond_the_speech_warn(light, capsys, portrait, tone, tmp_path, output):
    (tmp_path / "keys.csv").write_text("time,amplitude\n0,1\n5,0\n")
    assert "speech ends at 1.00 s" in renders(capsys, portrait, tone, "-o", output, "--controls", tmp_path / "keys.csv")


def test_motion_file(light, attempt, portrait, tone, tmp_path):
    """What can be wrong inside it is in test_media_motion_file."""
    attempt(INPUT, "motion file nothing.npz does not exist", portrait, tone, "--motion", "nothing.npz")
    attempt(INPUT, "is not a motion", portrait, tone, "--motion", portrait)
    np.savez(tmp_path / "m.npz", format="talkface motion", version=9)
    attempt(INPUT, "has format version 9", portrait, tone, "--motion", tmp_path / "m.npz")
    np.savez(tmp_path / "m.npz", format="talkface motion", version=1, axes=["jawOpen"], values=np.zeros(5), fps=25.0)
    attempt(INPUT, "must be numbers (frames, 1), got shape (5,)", portrait, tone, "--motion", tmp_path / "m.npz")
    (tmp_path / "m.csv").write_text("time_s,jawOpen\n0,0\n0.04,nan\n")
    attempt(INPUT, "not a number", portrait, tone, "--motion", tmp_path / "m.csv")
    attempt(USAGE, "gaze, seed cannot change it", portrait, tone, "--motion", "m.npz", "--gaze", "5,0", "--seed", 1)


def test_motion_of_another_rate_and_length_warns(light, capsys, portrait, tone, tmp_path, output):
    (tmp_path / "m.csv").write_text("time_s,jawOpen\n0,0\n0.02,1\n0.04,0\n")
    assert run("render", portrait, tone, "-o", output, "--size", 128, "--motion", tmp_path / "m.csv") == OK
    said = capsys.readouterr().err
    assert "has 50 frames per second and is resampled to 25" in said
    assert "lasts 0.06 s and the speech 1.00 s" in said
    assert ffmpeg.count_frames(output) == 25


def test_cuda_without_cuda(attempt, portrait, tone, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    attempt(ENVIRONMENT, "no CUDA device", portrait, tone, "--device", "cuda")


@pytest.mark.parametrize("name", ["tracker", "face_model", "speech_encoder", "motion_denoiser"])
@pytest.mark.parametrize("harm", ["missing", "altered"])
def test_weights_missing_or_altered(attempt, portrait, tone, tmp_path, monkeypatch, harm, name):
    broken = own_weights(tmp_path)
    victim = broken / weights.manifest()[name]["file"]
    data = bytearray(victim.read_bytes())
    victim.unlink()
    if harm == "altered":
        data[len(data) // 2] ^= 1
        victim.write_bytes(data)
    monkeypatch.setattr(weights, "folder", lambda: broken)
    FaceModel.load.cache_clear()
    attempt(ENVIRONMENT, victim.name, portrait, tone)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"depth": None}, "are of another architecture: their configuration has no 'depth'"),
        ({"depth": 2}, "do not fit this version of talkface (missing: layers.1"),
        ({"width": 32}, "do not fit this version of talkface (wrong shape: "),
        ({"axes": ["headYaw"]}, "make other motion axes"),
        ({"phone_names": ["sil", "AA"]}, "were trained with another speech encoder"),
        ({"sources": ["nobody"]}, "have not learned from"),
    ],
)
def test_motion_weights_that_do_not_fit(attempt, portrait, tone, tmp_path, monkeypatch, change, words):
    small = DenoiserConfig(AXES, PHONES, SOURCES, len(PHONES) + AUDIO_EXTRAS, 16, 1, 2, 2, 20, 4)
    shaped = {name: change[name] for name in change if name in ("axes", "phone_names", "sources")}
    net = Denoiser(replace(small, **{name: tuple(value) for name, value in shaped.items()}))
    record = {name: value for name, value in (asdict(small) | change).items() if value is not None}
    other = own_weights(tmp_path)
    store("motion_denoiser", record, net.state_dict(), about="", data="", licence="", folder=other)
    monkeypatch.setattr(weights, "folder", lambda: other)
    monkeypatch.setattr("talkface.pipeline.analyse", lambda *_: light_analysis())
    attempt(ENVIRONMENT, words, portrait, tone)


def own_weights(folder: Path) -> Path:
    """A folder of weights that can be spoiled: links to the package's."""
    copy = folder / "weights"
    copy.mkdir()
    for path in weights.folder().iterdir():
        (copy / path.name).symlink_to(path)
    return copy


def test_killed_ffmpeg(light, attempt, portrait, tone, monkeypatch):
    def draw(analysis, motion, options, device):
        for number in range(len(motion.values)):
            if number == 10:
                mine = subprocess.run(["pgrep", "-P", str(os.getpid()), "ffmpeg"], capture_output=True, text=True)
                os.kill(int(mine.stdout), signal.SIGKILL)
            yield np.zeros((options.size, options.size, 3), np.uint8)

    monkeypatch.setattr("talkface.pipeline.draw", draw)
    attempt(FAILED, "killed by signal 9", portrait, tone)


def test_interrupted(light, capsys, portrait, tone, output, monkeypatch):
    def draw(*_):
        yield np.zeros((128, 128, 3), np.uint8)
        signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr("talkface.pipeline.draw", draw)
    assert run("render", portrait, tone, "-o", output, "--size", 128) == 130
    assert "Traceback" not in capsys.readouterr().err
    assert list(output.parent.iterdir()) == []


class SimpleFace:
    """What a tracker returns."""

    score, box = 1.0, (0.0, 0.0, 1.0, 1.0)

    def __init__(self, landmarks: np.ndarray) -> None:
        self.landmarks = landmarks


def turned_landmarks(portrait: Path, yaw_deg: float) -> np.ndarray:
    """Landmarks (478, 3) of the portrait's face, turned in space."""
    from talkface.face.tracker import FaceTracker
    from talkface.media.image import read_portrait
    from talkface.pose import rotation

    marks = FaceTracker.load("cpu")(read_portrait(portrait).image)[0].landmarks.astype(np.float64)
    centre = marks[:468].mean(0)
    upright = (marks - centre) * [1, -1, -1]
    return (upright @ rotation(yaw_deg, 0.0, 0.0).T * [1, -1, -1] + centre).astype(np.float32)
