"""Own videos as training data: what is cut and left out, and the whole way from a video to weights that learn."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile

from talkface import RenderOptions, pipeline
from talkface.face.tracker import FaceTracker
from talkface.landmarks import COUNT
from talkface.space import MotionSpace
from talkface.speech.encoder import SpeechEncoder
from tests.test_training_motion_teacher import NoSurroundings
from training import motion_train
from training.motion_data import FPS, read_folder
from training.motion_teacher import Teacher
from training.motion_videos import Report, Workshop, find_videos, objection, synchrony, work_share
from training.video_takes import Limits, Sight, cut_into_takes, jumps, read_frames, read_takes, save_takes, sharpness

FACE = np.load(Path(__file__).parent / "data" / "astronaut_landmarks.npy").astype(np.float32) / 8
SIZE_PX = 192


def sight(**changes) -> Sight:
    return Sight(**{"marks": FACE, "score": 0.9, "sharpness": 0.1, "change": 0.01, "crowded": False} | changes)


def takes_of(*sights: Sight) -> list[tuple[int, int]]:
    """(first, length) of the takes; at least 4 frames long."""
    return [(t.first, len(t.marks)) for t in cut_into_takes(iter(sights), Limits(seconds=4 / FPS)).kept]


def test_a_clean_stretch_is_one_take():
    assert takes_of(*10 * [sight()]) == [(0, 10)]


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        ({"marks": None, "score": 0.0}, "no face"),
        ({"score": 0.3}, "no face"),
        ({"crowded": True}, "several faces"),
        ({"marks": FACE * 0.2}, "small face"),
        ({"sharpness": 0.01}, "blurred"),
    ],
)
def test_bad_frames_end_a_take_and_are_counted(bad: dict, reason: str):
    sights = [*5 * [sight()], sight(**bad), *6 * [sight()], sight(**bad), *2 * [sight()]]
    found = cut_into_takes(iter(sights), Limits(seconds=4 / FPS))
    assert [(t.first, len(t.marks)) for t in found.kept] == [(0, 5), (6, 6)]
    assert found.dropped == {reason: 2, "too short": 2}
    assert found.frames == 15


def test_a_cut_in_the_picture_or_a_jump_of_the_face_starts_a_new_take():
    assert takes_of(*5 * [sight()], sight(change=0.5), *4 * [sight()]) == [(0, 5), (5, 5)]
    aside = FACE + np.array([60, 0, 0], np.float32)
    assert jumps(FACE, aside)
    assert not jumps(FACE, FACE + np.array([3, 2, 0], np.float32))
    assert jumps(FACE, FACE * 1.4)
    assert takes_of(*5 * [sight()], *5 * [sight(marks=aside)]) == [(0, 5), (5, 5)]


def test_takes_come_back_as_they_were(tmp_path: Path):
    found = cut_into_takes(iter([*5 * [sight()], sight(crowded=True), *6 * [sight()]]), Limits(seconds=4 / FPS))
    save_takes(tmp_path / "a.npz", found)
    again = read_takes(tmp_path / "a.npz")
    assert (again.frames, again.dropped) == (found.frames, found.dropped)
    for before, after in zip(found.kept, again.kept, strict=True):
        assert before.first == after.first
        np.testing.assert_array_equal(before.marks, after.marks)


def test_a_blurred_face_is_less_sharp():
    from PIL import Image, ImageFilter

    picture = Image.open(Path(__file__).parents[1] / "examples" / "portrait.png").convert("RGB")
    blurred = picture.filter(ImageFilter.GaussianBlur(6))
    assert sharpness(np.asarray(picture), FACE) > Limits.sharpness > sharpness(np.asarray(blurred), FACE)


def test_processes_share_the_work(monkeypatch):
    videos = [Path(str(k)) for k in range(7)]
    parts = []
    for rank in range(3):
        monkeypatch.setenv("RANK", str(rank))
        monkeypatch.setenv("WORLD_SIZE", "3")
        parts.append(work_share(videos))
    assert sorted(sum(parts, [])) == videos
    assert max(map(len, parts)) == 3


@pytest.fixture(scope="module")
def folder(portrait, tmp_path_factory) -> Path:
    """A folder of one talking video, made by talkface itself, and of files that are none."""
    folder = tmp_path_factory.mktemp("my videos")
    samples, rate_hz = soundfile.read(Path(__file__).parents[1] / "examples" / "speech.flac")
    words = folder / "words.wav"
    soundfile.write(words, samples[: int(1.4 * rate_hz)], rate_hz)
    pipeline.render(portrait, words, folder / "talk.mp4", RenderOptions(size=SIZE_PX, seed=4))
    (folder / "notes.txt").write_text("nothing to see")
    return folder


@pytest.fixture(scope="module")
def workshop(tmp_path_factory) -> Workshop:
    base = tmp_path_factory.mktemp("work")
    work, out = base / "work", base / "out"
    work.mkdir()
    out.mkdir()
    teacher = Teacher(SpeechEncoder.load("cpu"), NoSurroundings())
    return Workshop(work, out, Limits(seconds=1.0, interocular_px=20), FaceTracker.load("cpu"), teacher)


@pytest.fixture(scope="module")
def clips(folder, workshop):
    """What the video became."""
    workshop.run(find_videos(folder))
    return [c for held_out in (False, True) for c in read_folder(workshop.out, held_out=held_out)]


def test_only_talking_videos_are_found(folder):
    assert [path.name for path in find_videos(folder)] == ["talk.mp4"]


def test_frames_are_read_at_25_per_second(folder):
    frames = list(read_frames(folder / "talk.mp4"))
    assert len(frames) == 35
    assert frames[0].shape == (SIZE_PX, SIZE_PX, 3)


def test_the_video_becomes_clips_in_time(clips, workshop):
    assert {clip.source for clip in clips} == {"yours"}
    assert len(clips[0].motion) == 35
    agreement, lag_s = synchrony(clips[0].motion.astype(np.float32), clips[0].features)
    assert agreement > 0.6
    assert abs(lag_s) <= 0.08
    opening = clips[0].motion[:, MotionSpace.index("jawOpen")]
    assert opening.max() > 0.1
    assert not clips[0].known[MotionSpace.speaking]
    report = Report(**json.loads((workshop.work / "report.jsonl").read_text().splitlines()[0]))
    assert report.kept_s == pytest.approx(1.4)
    assert report.residual_percent < 3


def test_the_motion_model_learns_from_the_clips_and_resumes(clips, workshop, tmp_path, monkeypatch, capsys):
    def learn(windows: int) -> list[str]:
        options = ["--data", workshop.out, "--run", tmp_path, "--windows", windows, "--batch", 4, "--width", 32]
        monkeypatch.setattr("sys.argv", ["motion_train", *map(str, options), "--depth", "1"])
        motion_train.main()
        return (tmp_path / "log.csv").read_text().splitlines()

    assert learn(8)[-1].split(",")[1:3] == ["2", "8"]
    rows = learn(12)
    assert rows[-1].split(",")[1:3] == ["3", "12"], "it went on where it was"
    assert len(rows) == 3
    *losses, left_out = rows[-1].split(",")[3:]
    assert all(float(value) > 0 for value in losses if value)
    assert left_out == "0"


def test_a_second_run_does_nothing_again(clips, folder, workshop):
    lines = (workshop.work / "report.jsonl").read_text()
    workshop.run(find_videos(folder))
    assert (workshop.work / "report.jsonl").read_text() == lines


def test_sound_of_another_speech_is_objected_to(clips, workshop):
    from training.motion_tracks import Moved

    clip = clips[0]
    motion = clip.motion.astype(np.float32)
    fine = Moved("a", "b", False, np.zeros(0), motion, clip.known)
    assert objection(fine, clip.features) == ""
    frozen = Moved("a", "b", False, np.zeros(0), np.zeros_like(motion), clip.known)
    assert objection(frozen, clip.features) == "lips and sound do not agree"
    silent = workshop.teacher.hear(np.zeros(22_400, np.float32))
    assert objection(fine, silent) == "no speech"


def test_a_video_that_cannot_be_read_is_reported(workshop, tmp_path):
    (tmp_path / "broken.mp4").write_bytes(b"no video at all" * 100)
    workshop.run([tmp_path / "broken.mp4"])
    report = json.loads((workshop.work / "report.jsonl").read_text().splitlines()[-1])
    assert report["video"] == "broken.mp4"
    assert report["error"]


def test_landmarks_are_those_of_the_tracker():
    assert FACE.shape[0] == COUNT
