from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
import soundfile

from talkface.errors import InputError
from talkface.media import ffmpeg
from talkface.media.audio import open_speech
from talkface.types import SPEECH_RATE_HZ
from tests.conftest import write_tone


def peak_frequency_hz(samples: np.ndarray) -> float:
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples))))
    return float(np.argmax(spectrum) * SPEECH_RATE_HZ / len(samples))


@pytest.mark.parametrize("suffix", [".wav", ".flac", ".ogg", ".mp3", ".aiff", ".au"])
def test_usual_formats_are_read(tmp_path, suffix):
    with open_speech(write_tone(tmp_path / f"tone{suffix}", 1.5, 44_100)) as speech:
        assert speech.samples.dtype == np.float32
        assert speech.duration_s == pytest.approx(1.5, abs=0.03)
        assert peak_frequency_hz(speech.samples) == pytest.approx(220, abs=2)
        assert speech.notes == ()


@pytest.mark.parametrize("suffix", [".m4a", ".mp4", ".mkv", ".opus", ".wma"])
def test_what_only_ffmpeg_knows_is_read(tmp_path, tone, suffix):
    film = tmp_path / f"film{suffix}"
    picture = ("-f", "lavfi", "-i", "color=red:s=64x64:d=1") if suffix in (".mp4", ".mkv") else ()
    ffmpeg.run(*picture, *ffmpeg.source(tone), "-shortest", ffmpeg.url(film))
    with open_speech(film) as speech:
        assert speech.duration_s == pytest.approx(1.0, abs=0.05)
        assert peak_frequency_hz(speech.samples) == pytest.approx(220, abs=3)


def test_what_only_libsndfile_knows_is_copied_for_ffmpeg(tmp_path):
    with open_speech(write_tone(tmp_path / "tone.mat", format="MAT5")) as speech:
        assert speech.duration_s == pytest.approx(1.0)
        assert ffmpeg.probe(speech.path).audio.rate_hz == 16_000


def test_joined_mp3s_are_read_whole_and_without_a_word(tmp_path, tone, capfd):
    ffmpeg.run(*ffmpeg.source(tone), ffmpeg.url(tmp_path / "one.mp3"))
    (tmp_path / "two.mp3").write_bytes(2 * (tmp_path / "one.mp3").read_bytes())
    with open_speech(tmp_path / "two.mp3") as speech:
        assert speech.duration_s == pytest.approx(2.0, abs=0.1)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("rate_hz", [8_000, 22_050, 48_000, 192_000])
def test_any_rate_becomes_16_khz(tmp_path, rate_hz):
    with open_speech(write_tone(tmp_path / "tone.wav", 2.0, rate_hz)) as speech:
        assert speech.duration_s == 2.0
        assert abs(len(speech.samples) - 2 * SPEECH_RATE_HZ) <= 2
        assert peak_frequency_hz(speech.samples) == pytest.approx(220, abs=2)


@pytest.mark.parametrize("channels", [2, 6])
def test_channels_are_mixed(tmp_path, channels):
    with open_speech(write_tone(tmp_path / "tone.wav", channels=channels)) as speech:
        assert speech.samples.ndim == 1
        assert np.abs(speech.samples).max() == pytest.approx(0.3, abs=0.02)


def test_channels_that_cancel_out_are_still_heard(tmp_path):
    wave = 0.3 * np.sin(np.arange(16_000) / 10)
    soundfile.write(tmp_path / "anti.wav", np.stack([wave, -wave], 1), 16_000)
    with open_speech(tmp_path / "anti.wav") as speech:
        assert np.abs(speech.samples).max() > 0.25
        assert speech.notes == ()


def test_samples_that_are_not_numbers_are_silenced_and_noted(tmp_path):
    wave = (0.3 * np.sin(np.arange(16_000) / 10)).astype(np.float32)
    wave[4_000:4_100], wave[9_000], wave[9_001] = np.nan, np.inf, -np.inf
    soundfile.write(tmp_path / "holes.wav", wave, 16_000, subtype="FLOAT")
    with open_speech(tmp_path / "holes.wav") as speech:
        assert np.isfinite(speech.samples).all()
        assert np.abs(speech.samples[4_020:4_080]).max() == 0
        assert np.allclose(speech.samples[5_000:6_000], wave[5_000:6_000], atol=1e-3)
        assert "not numbers" in speech.notes[0]
        assert np.isfinite(soundfile.read(speech.path)[0]).all()  # the video's sound


def test_silence_is_noted(tmp_path):
    soundfile.write(tmp_path / "silence.wav", np.zeros(16_000), 16_000)
    with open_speech(tmp_path / "silence.wav") as speech:
        assert "silent" in speech.notes[0]
        assert speech.duration_s == 1.0


def test_clipping_is_noted(tmp_path):
    wave = np.clip(4 * np.sin(np.arange(32_000) / 10), -1, 1)
    soundfile.write(tmp_path / "loud.wav", wave, 16_000)
    with open_speech(tmp_path / "loud.wav") as speech:
        assert "clipped" in speech.notes[0]
        assert np.abs(speech.samples).max() <= 1


@pytest.mark.parametrize("duration_s", [0.0, 0.05, 0.19])
def test_a_sound_too_short_is_refused(tmp_path, duration_s):
    refused(write_tone(tmp_path / "blip.wav", duration_s), "at least 0.2 s")


def test_the_shortest_sound_is_accepted(tmp_path):
    with open_speech(write_tone(tmp_path / "blip.wav", 0.2, 44_100)) as speech:
        assert speech.duration_s == pytest.approx(0.2)


def test_a_corrupt_header_is_refused(tmp_path, tone):
    data = bytearray(tone.read_bytes())
    data[16:36] = bytes(range(200, 220))
    (tmp_path / "corrupt.wav").write_bytes(data)
    refused(tmp_path / "corrupt.wav", "cannot be read as sound")


def test_text_called_wav_is_refused(tmp_path):
    (tmp_path / "letter.wav").write_text("Dear voice,\n" * 20)
    refused(tmp_path / "letter.wav", "cannot be read as sound")


def test_a_header_that_promises_too_much_gives_what_is_there(tmp_path, tone):
    data = tone.read_bytes()
    (tmp_path / "cut.wav").write_bytes(data[: len(data) // 2])
    with open_speech(tmp_path / "cut.wav") as speech:
        assert speech.duration_s == pytest.approx(0.5, abs=0.01)


def test_a_picture_as_speech_hints_at_the_swap(portrait):
    assert "swapped" in refused(portrait, "is a picture").hint


def test_a_video_without_sound_is_refused(tmp_path):
    ffmpeg.run("-f", "lavfi", "-i", "color=red:s=64x64:d=1", ffmpeg.url(tmp_path / "mute.mp4"))
    refused(tmp_path / "mute.mp4", "has no sound")


def test_the_samples_go_away_with_the_block(tone):
    with open_speech(tone) as speech:
        place = speech.samples.filename
        assert place.exists()
    assert not place.exists()


def test_a_long_speech_costs_no_memory(tmp_path):
    quiet = np.full(16_000 * 60, 0.1, np.float32)
    with soundfile.SoundFile(tmp_path / "long.flac", "w", 16_000, 1) as file:
        for _ in range(20):
            file.write(quiet)
    code = f"""
import resource
from talkface.media.audio import open_speech
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
with open_speech({str(tmp_path / "long.flac")!r}) as speech:
    print(speech.duration_s, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    duration_s, grown_kb = map(float, done.stdout.split())
    assert duration_s == 1_200.0
    assert grown_kb < 30_000  # all samples would be 77,000


def refused(path, words: str) -> InputError:
    with pytest.raises(InputError, match=words) as caught, open_speech(path):
        pass
    assert path.name in caught.value.message
    assert caught.value.hint
    return caught.value
