"""The real thing, networks and all, on the example."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
from PIL import Image, ImageOps

from talkface import RenderOptions, pipeline
from talkface.analysis import analyse
from talkface.device import pick_device
from talkface.export import export_motion
from talkface.face.tracker import FaceTracker
from talkface.media.audio import open_speech
from talkface.media.image import read_portrait
from talkface.space import MotionSpace
from talkface.types import MotionSequence, Portrait
from tests.test_media_video import decode
from tests.test_speech_encoder import LIP_CLOSURES_S, OPEN_VOWELS_S, VOICE

SIZE = 256


@pytest.fixture(scope="module")
def words(tmp_path_factory) -> Path:
    """The first 1.6 seconds of the example's speech."""
    samples, rate_hz = soundfile.read(Path(__file__).parents[1] / "examples" / "speech.flac")
    path = tmp_path_factory.mktemp("words") / "words.wav"
    soundfile.write(path, samples[: int(1.6 * rate_hz)], rate_hz)
    return path


@pytest.fixture(scope="module")
def render(portrait, words, tmp_path_factory):
    """Frames (T, H, W, 3) of a render of the example with the given options."""
    folder = tmp_path_factory.mktemp("videos")

    def call(speech: Path = words, **options) -> np.ndarray:
        path = folder / "out.mp4"
        pipeline.render(portrait, speech, path, RenderOptions(size=SIZE, crf=10, force=True, **options))
        return decode(path, SIZE if not options.get("full") else 512)

    return call


@pytest.fixture(scope="module")
def performance(render) -> np.ndarray:
    return render(seed=1)


def psnr_db(a: np.ndarray, b: np.ndarray) -> float:
    return float(-10 * np.log10(np.mean((a.astype(np.float64) - b) ** 2) / 255**2 + 1e-12))


def test_the_face_speaks(performance):
    assert len(performance) == 40
    mouth = performance[:, 130:200, 90:160].astype(int)
    assert np.abs(np.diff(mouth, axis=0)).mean() > 1.0


def test_the_same_seed_gives_the_same_frames(render, performance):
    assert np.array_equal(render(seed=1), performance)


def test_another_seed_gives_another_performance(render, performance):
    assert np.abs(render(seed=2).astype(int) - performance).mean() > 0.5


def test_silence_with_no_amplitude_is_the_portrait(render, portrait, tmp_path):
    soundfile.write(tmp_path / "silence.wav", np.zeros(16_000), 16_000)
    frames = render(tmp_path / "silence.wav", amplitude=0.0)
    analysis = analyse(read_portrait(portrait), RenderOptions(), pick_device("cpu"))
    crop = analysis.crop
    box = (crop.x0 + 0.5, crop.y0 + 0.5, crop.x0 + 0.5 + crop.size, crop.y0 + 0.5 + crop.size)
    still = np.asarray(Image.open(portrait).resize((SIZE, SIZE), Image.Resampling.LANCZOS, box))
    assert min(psnr_db(frame, still) for frame in frames) >= 38


def test_the_whole_picture_keeps_its_size_and_everything_but_the_person(render, portrait):
    frames = render(seed=1, full=True)
    still = np.asarray(Image.open(portrait))
    assert frames.shape[1:] == still.shape
    assert np.abs(frames[:, 300:].astype(int) - still[300:]).mean() < 3  # below the crop: suit and helmet


@pytest.fixture(scope="module")
def look(portrait):
    """Landmarks (478, 2) that the tracker reads in the frames `at` of a performance of flite's words; only these are
    drawn. Distances between the eyes: 1."""
    device, tracker = pick_device("cpu"), FaceTracker.load("cpu")
    analysis = analyse(read_portrait(portrait), RenderOptions(), device)
    with open_speech(VOICE) as voice:
        features, frames = pipeline.listen(voice, device), RenderOptions().frame_count(voice.duration_s)

    def call(at: list[int], **wishes) -> np.ndarray:
        options = RenderOptions(size=SIZE, seed=1, **wishes)
        motion = pipeline.move(features, options, frames, 1, device)
        chosen = MotionSequence(motion.values[at], motion.fps)
        marks = np.stack([tracker(f)[0].landmarks[:, :2] for f in pipeline.draw(analysis, chosen, options, device)])
        return marks / np.linalg.norm(marks[:, 33] - marks[:, 263], axis=1)[:, None, None]

    return call


def test_the_drawn_lips_close_on_p_b_m_and_open_on_vowels(look):
    near = [[round(t * 25) + k for k in (-1, 0, 1)] for t in (*LIP_CLOSURES_S, *OPEN_VOWELS_S)]
    marks = look([4, *np.ravel(near)])
    rest, *openings = np.linalg.norm(marks[:, 13] - marks[:, 14], axis=1)
    openings = np.reshape(openings, (-1, 3))
    count = len(LIP_CLOSURES_S)
    assert (openings[:count].min(1) < rest + 0.025).sum() >= count - 2
    assert openings[count:].max(1).min() > rest + 0.05


def test_the_drawn_eyes_look_where_they_are_asked_to(look):
    at = [50]
    irises = []
    for yaw_deg in (-15.0, 15.0):
        marks = look(at, gaze=(yaw_deg, 0.0), amplitude=0.0)
        irises.append((marks[:, 468, 0] - marks[:, [33, 133], 0].mean(1)).mean())
    assert irises[1] - irises[0] > 0.03


def test_one_motion_moves_the_lips_of_two_faces_alike(portrait):
    """The second face is the first, mirrored and narrower; the tracker looks at the frames of both."""
    values = np.zeros((5, MotionSpace.size), np.float32)
    values[:, MotionSpace.index("headDistance")] = values[:, MotionSpace.speaking] = 1
    values[:, MotionSpace.index("jawOpen")] = 0.0, 0.2, 0.45, 0.6, 0.1
    values[:, MotionSpace.index("mouthPucker")] = 0.0, 0.5, 0.0, 0.2, 0.0
    one = read_portrait(portrait)
    other = ImageOps.mirror(Image.fromarray(one.image).resize((420, 512), Image.Resampling.LANCZOS))
    options, device, openings = RenderOptions(size=SIZE), pick_device("cpu"), []
    for picture in (one, Portrait(np.asarray(other), portrait)):
        frames = pipeline.draw(analyse(picture, options, device), MotionSequence(values, 25.0), options, device)
        marks = [FaceTracker.load("cpu")(frame)[0].landmarks[:, :2] for frame in frames]
        openings.append([np.linalg.norm(m[13] - m[14]) / np.linalg.norm(m[33] - m[263]) for m in marks])
    assert np.ptp(openings[0]) > 0.15
    assert np.corrcoef(*openings)[0, 1] > 0.97


def test_a_stored_motion_of_another_rate_is_resampled_and_said(portrait, words, tmp_path):
    (tmp_path / "k.json").write_text('{"keyframes": [{"time": 0, "amplitude": 1}, {"time": 9, "amplitude": 0}]}')
    written = export_motion(words, tmp_path / "m.npz", RenderOptions(seed=1, fps=50, controls=tmp_path / "k.json"))
    assert any("keyframes up to 9 s, but the speech ends at 1.60 s" in text for text in written.warnings)
    options = RenderOptions(size=128, motion=tmp_path / "m.npz")
    drawn = pipeline.render(portrait, words, tmp_path / "out.mp4", options)
    assert (written.frames, drawn.frames, drawn.seed) == (80, 40, None)
    assert any("has 50 frames per second and is resampled to 25" in text for text in drawn.warnings)


def test_memory_does_not_grow_with_the_length(portrait, words, tmp_path):
    samples, rate_hz = soundfile.read(words)
    peaks_mb = []
    for repeats in (2, 12):
        speech = tmp_path / f"{repeats}.wav"
        soundfile.write(speech, np.tile(samples, repeats), rate_hz)
        peaks_mb.append(_peak_mb(portrait, speech, tmp_path / f"{repeats}.mp4"))
    assert max(peaks_mb) < 1_500
    assert peaks_mb[1] - peaks_mb[0] < 60


def _peak_mb(portrait: Path, speech: Path, output: Path) -> float:
    code = (
        "import sys, resource; from talkface.pipeline import render; from talkface import RenderOptions; "
        "render(*sys.argv[1:], RenderOptions(size=128)); print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)"
    )
    command = [sys.executable, "-c", code, str(portrait), str(speech), str(output)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    return int(done.stdout) / 1024
