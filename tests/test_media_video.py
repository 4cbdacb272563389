from __future__ import annotations

import hashlib
import os
import signal
import subprocess
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import soundfile

from talkface.errors import EnvironmentFailure, RenderError
from talkface.media import ffmpeg
from talkface.media.audio import open_speech
from talkface.media.video import VideoSpec, encode, verify
from tests.conftest import write_tone

SIDE = 128


def spec(frames: int = 25, rate: Fraction = Fraction(25), crf: int = 18, **metadata: str) -> VideoSpec:
    return VideoSpec(SIDE, SIDE, rate, frames, crf, metadata)


def pictures(count: int) -> list[np.ndarray]:
    """Frames with a grey bar that moves, so that each is recognised."""
    frames = np.full((count, SIDE, SIDE, 3), (180, 120, 90), np.uint8)
    for number, frame in enumerate(frames):
        frame[:, (4 * number) % SIDE :][:, :8] = 30
    return list(frames)


def decode(path: Path, size: int = SIDE) -> np.ndarray:
    raw = ffmpeg.run(*ffmpeg.source(path), "-f", "rawvideo", "-pix_fmt", "rgb24", "-")
    return np.frombuffer(raw, np.uint8).reshape(-1, size, size, 3)


def decode_sound(path: Path) -> np.ndarray:
    return np.frombuffer(ffmpeg.run(*ffmpeg.source(path), "-ac", "1", "-ar", "16000", "-f", "f32le", "-"), np.float32)


def test_what_is_written_is_what_was_drawn(tmp_path, tone):
    frames = pictures(25)
    encode(frames, tmp_path / "a.mp4", spec(), tone)
    verify(tmp_path / "a.mp4", spec())
    seen = decode(tmp_path / "a.mp4")
    assert len(seen) == 25
    for wanted, got in zip(frames, seen, strict=True):
        assert np.abs(wanted.astype(int) - got).mean() < 3


@pytest.mark.parametrize("rate", ["24", "25", "30000/1001", "30", "50", "60"])
@pytest.mark.parametrize("duration_s", [0.2, 3.337])
def test_picture_and_sound_have_the_same_length_at_every_rate(tmp_path, rate, duration_s):
    rate = Fraction(rate)
    count = round(duration_s * rate)
    tone = write_tone(tmp_path / "tone.wav", duration_s, 44_100)
    encode(pictures(count), tmp_path / "a.mp4", spec(count, rate), tone)
    verify(tmp_path / "a.mp4", spec(count, rate))
    assert len(decode(tmp_path / "a.mp4")) == count
    assert abs(len(decode_sound(tmp_path / "a.mp4")) / 16_000 - count / rate) <= 1 / rate
    assert ffmpeg.probe(tmp_path / "a.mp4").video.fps == pytest.approx(float(rate), abs=0.01)


@pytest.mark.parametrize("suffix", [".wav", ".mp3", ".m4a", ".ogg", ".mkv"])
def test_the_lips_and_the_sound_share_their_zero(tmp_path, suffix):
    """A click is at the same place in what the lips follow and in what the video plays, whatever pads the file."""
    wave = np.zeros(32_000)
    wave[16_000:16_800] = 0.8 * np.sin(np.arange(800) / 2)
    soundfile.write(tmp_path / "sound.wav", wave, 16_000)
    sound = tmp_path / f"sound{suffix}"
    if suffix != ".wav":
        ffmpeg.run(*ffmpeg.source(tmp_path / "sound.wav"), ffmpeg.url(sound))
    with open_speech(sound) as speech:
        heard_s = onset_s(speech.samples)
        encode(pictures(50), tmp_path / "a.mp4", spec(50), speech.path)
    assert heard_s == pytest.approx(1.0, abs=0.04)
    assert onset_s(decode_sound(tmp_path / "a.mp4")) == pytest.approx(heard_s, abs=0.004)


def onset_s(samples: np.ndarray) -> float:
    return float(np.argmax(np.abs(samples) > 0.3)) / 16_000


def test_the_file_is_playable_from_the_start_and_everywhere(tmp_path, tone):
    encode(pictures(25), tmp_path / "a.mp4", spec(), tone)
    data = (tmp_path / "a.mp4").read_bytes()
    assert data.index(b"moov") < data.index(b"mdat")
    info = ffmpeg.probe(tmp_path / "a.mp4")
    assert (info.video.codec, info.audio.codec) == ("h264", "aac")


@pytest.mark.parametrize("crf", [0, 1, 40])
def test_no_quality_leaves_the_profile_that_players_know(tmp_path, tone, crf):
    encode(pictures(25), tmp_path / "a.mp4", spec(crf=crf), tone)
    described = subprocess.run([ffmpeg.executable(), "-i", tmp_path / "a.mp4"], capture_output=True, text=True).stderr
    assert "h264 (High) " in described


@pytest.mark.parametrize(("rate_hz", "channels"), [(8_000, 1), (192_000, 1), (48_000, 6)])
def test_unusual_sounds_are_made_usual(tmp_path, rate_hz, channels):
    tone = write_tone(tmp_path / "tone.wav", 1.0, rate_hz, channels)
    encode(pictures(25), tmp_path / "a.mp4", spec(), tone)
    assert ffmpeg.probe(tmp_path / "a.mp4").audio.rate_hz == 48_000


def test_metadata_is_kept(tmp_path, tone):
    encode(pictures(25), tmp_path / "a.mp4", spec(comment='AI-generated; {"seed": 7}', title="a = b; 'c'"), tone)
    text = ffmpeg.run(*ffmpeg.source(tmp_path / "a.mp4"), "-f", "ffmetadata", "-").decode()
    assert '{"seed": 7}' in text
    assert "AI-generated" in text


def test_two_runs_give_the_same_bytes(tmp_path, tone):
    for name in "ab":
        encode(pictures(40), tmp_path / f"{name}.mp4", spec(40), tone)
    first, second = (hashlib.sha256((tmp_path / f"{name}.mp4").read_bytes()).digest() for name in "ab")
    assert first == second


def test_too_few_frames_are_noticed(tmp_path, tone):
    with pytest.raises(RenderError, match="Expected 25 frames, got 20"):
        encode(pictures(20), tmp_path / "a.mp4", spec(), tone)


def test_a_frame_of_another_size_is_noticed(tmp_path, tone):
    with pytest.raises(RenderError, match="128x128"):
        encode([np.zeros((64, 64, 3), np.uint8)], tmp_path / "a.mp4", spec(), tone)


@pytest.mark.parametrize("lie", [spec(24), VideoSpec(SIDE, 130, Fraction(25), 25, 18), spec(25, Fraction(24))])
def test_verification_notices_what_is_wrong(tmp_path, tone, lie):
    encode(pictures(25), tmp_path / "a.mp4", spec(), tone)
    with pytest.raises(RenderError, match="wrong"):
        verify(tmp_path / "a.mp4", lie)


def test_verification_notices_a_torn_file(tmp_path, tone):
    encode(pictures(25), tmp_path / "a.mp4", spec(), tone)
    data = (tmp_path / "a.mp4").read_bytes()
    (tmp_path / "torn.mp4").write_bytes(data[:600])
    with pytest.raises(RenderError):
        verify(tmp_path / "torn.mp4", spec())


def test_a_full_disk_is_an_environment_failure(tone):
    with pytest.raises(EnvironmentFailure, match="disk is full") as caught:
        encode(pictures(25), Path("/dev/full"), spec(), tone)
    assert caught.value.exit_code == 4


def test_a_killed_ffmpeg_is_a_render_error(tmp_path, tone):
    def frames():
        for number, picture in enumerate(pictures(25)):
            if number == 10:
                os.kill(ffmpeg_child(), signal.SIGKILL)
            yield picture

    with pytest.raises(RenderError, match="killed by signal 9") as caught:
        encode(frames(), tmp_path / "a.mp4", spec(), tone)
    assert caught.value.exit_code == 1


def test_an_interrupt_kills_ffmpeg(tmp_path, tone):
    def frames():
        yield from pictures(3)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        encode(frames(), tmp_path / "a.mp4", spec(), tone)
    assert ffmpeg_child() is None


def ffmpeg_child() -> int | None:
    found = subprocess.run(["pgrep", "-P", str(os.getpid()), "ffmpeg"], capture_output=True, text=True).stdout.split()
    return int(found[0]) if found else None
