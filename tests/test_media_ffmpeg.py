from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from talkface.errors import EnvironmentFailure
from talkface.media import ffmpeg
from tests.conftest import write_tone

VIDEO_REPORT = """
Input #0, mov,mp4,m4a,3gp,3g2,mj2, from 'a, b.mp4':
  Duration: 01:02:03.50, start: 0.000000, bitrate: 468 kb/s
  Stream #0:0[0x1](und): Video: h264 (High) (avc1 / 0x31637661), yuv420p(tv, progressive), 512x288, 25 fps, 25 tbr
  Stream #0:1[0x2](und): Audio: aac (LC) (mp4a / 0x6134706D), 44100 Hz, stereo, fltp, 159 kb/s (default)
"""
COVER_REPORT = """
Input #0, mp3, from 'song.mp3':
  Duration: N/A, start: 0.025057, bitrate: 128 kb/s
  Stream #0:0: Audio: mp3 (mp3float), 22050 Hz, mono, fltp, 64 kb/s
  Stream #0:1: Video: png, rgb24(pc), 300x300, 90k tbr, 90k tbn (attached pic)
"""
HEIC_REPORT = """
Input #0, mov,mp4,m4a,3gp,3g2,mj2, from 'IMG_0001.HEIC':
  Metadata:
    major_brand     : heic
    compatible_brands: mif1heicmiaf
  Duration: N/A, start: 0.000000, bitrate: N/A
  {stream}
    Side data:
      Display Matrix: rotation of -90.00 degrees
"""
STILL = "Stream #0:0[0x1]: Video: hevc (Main Still Picture) (hvc1 / 0x31637668), yuvj420p(pc), 1200x900, 1 fps"
GRID = "Stream group #0:0[0x31]: Tile Grid: hevc (Main Still Picture) (hvc1 / 0x31637668), yuvj420p(pc), 1200x900"


def test_a_video_report_is_understood():
    info = ffmpeg.parse_info(VIDEO_REPORT)
    assert info.format_name.startswith("mov")
    assert info.duration_s == 3723.5
    assert info.video == ffmpeg.VideoStream("h264", 512, 288, 25.0, is_cover=False)
    assert info.audio == ffmpeg.AudioStream("aac", 44_100)


def test_a_cover_picture_is_told_from_a_video():
    info = ffmpeg.parse_info(COVER_REPORT)
    assert info.video.is_cover
    assert info.duration_s == 0.0
    assert info.audio.rate_hz == 22_050


@pytest.mark.parametrize("stream", [STILL, GRID], ids=["one picture", "a grid of tiles, as telephones write"])
def test_a_heic_picture_is_no_video(stream):
    info = ffmpeg.parse_info(HEIC_REPORT.format(stream=stream))
    assert info.is_still_picture
    assert (info.video.width, info.video.height) == (1200, 900)


@pytest.mark.parametrize("text", ["", "a.png: Invalid data found when processing input"])
def test_nonsense_has_no_info(text):
    assert ffmpeg.parse_info(text) is None


def test_text_files_are_not_videos(tmp_path):
    (tmp_path / "notes.txt").write_text("only words\n" * 50)
    assert ffmpeg.probe(tmp_path / "notes.txt") is None


def test_a_still_picture_is_told_from_a_video(portrait):
    assert ffmpeg.probe(portrait).is_still_picture


@pytest.mark.parametrize("name", ["two words.wav", "-dash.wav", "a:b.wav", "50%20.wav", 'it\'s "q".wav', "héé 声.wav"])
def test_any_name_can_be_read(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    write_tone(tmp_path / name)
    assert ffmpeg.probe(Path(name)).audio.rate_hz == 16_000


def test_a_failing_run_says_what_ffmpeg_said_last():
    with pytest.raises(ffmpeg.FfmpegError, match="No such file or directory"):
        ffmpeg.run("-i", "file:/nowhere.wav", "-f", "null", "-")


def test_a_reader_that_fails_leaves_no_process():
    arguments = ("-f", "lavfi", "-i", "sine", "-f", "f32le", "-")
    with pytest.raises(KeyboardInterrupt), ffmpeg.open_pipe(*arguments, reads=True) as stream:
        stream.read(100)
        raise KeyboardInterrupt
    assert not _children()


def test_a_playlist_cannot_reach_the_network(tmp_path):
    (tmp_path / "list.m3u8").write_text("#EXTM3U\n#EXTINF:1,\nhttp://127.0.0.1:9/a.ts\n#EXT-X-ENDLIST\n")
    assert ffmpeg.probe(tmp_path / "list.m3u8") is None


@pytest.mark.parametrize("program", ["/nowhere/ffmpeg", "/etc/passwd"])
@pytest.mark.parametrize("chosen", [False, True])
@pytest.mark.parametrize("start", [ffmpeg.version, lambda: ffmpeg.probe(Path("a.wav")), lambda: ffmpeg.run("-version")])
def test_a_program_that_does_not_run_is_an_environment_failure(monkeypatch, program, chosen, start):
    if chosen:
        monkeypatch.setenv(ffmpeg.CHOICE, program)
    else:
        monkeypatch.delenv(ffmpeg.CHOICE, raising=False)
        monkeypatch.setattr(ffmpeg, "executable", lambda: program)
    with pytest.raises(EnvironmentFailure, match="does not run") as caught:
        start()
    assert (ffmpeg.CHOICE if chosen else "pip install") in caught.value.hint


def test_a_missing_file_that_a_writer_needs_is_no_missing_program():
    with pytest.raises(FileNotFoundError), ffmpeg.open_pipe("-i", "-", "-f", "null", "-", reads=False):
        raise FileNotFoundError


def _children() -> list[str]:
    return subprocess.run(["pgrep", "-P", str(os.getpid()), "ffmpeg"], capture_output=True, text=True).stdout.split()
