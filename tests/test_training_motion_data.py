from __future__ import annotations

from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest

from talkface.options import EMOTIONS
from talkface.space import MotionSpace
from training.motion_data import MotionClip, read_clips, read_folder, save_clips
from training.speech_phones import PHONES


def make_clip(name: str, frames: int, *, held_out: bool = False) -> MotionClip:
    rng = np.random.default_rng(frames)
    count = 2 * frames
    return MotionClip(
        name=name,
        source="teacher",
        speaker="nobody/1",
        held_out=held_out,
        phones=rng.random((count, len(PHONES))).astype(np.float16),
        level_db=rng.normal(size=count).astype(np.float32),
        voiced=rng.random(count).astype(np.float32),
        pitch_hz=rng.random(count).astype(np.float32),
        is_silent=False,
        motion=rng.random((frames, MotionSpace.size)).astype(np.float16),
        known=np.arange(MotionSpace.size) % 2 == 0,
        gaze_deg=np.array([3.0, -4.0], np.float32),
        head_distance=1.25,
        emotion=np.eye(len(EMOTIONS), dtype=np.float32)[1] * 0.5,
        opening=True,
    )


def test_clips_come_back_as_they_were(tmp_path: Path):
    clips = [make_clip("a", 50), make_clip("b", 31, held_out=True)]
    save_clips(tmp_path / "x.npz", clips)
    for before, after in zip(clips, read_clips(tmp_path / "x.npz"), strict=True):
        for item in fields(MotionClip):
            np.testing.assert_array_equal(getattr(before, item.name), getattr(after, item.name), err_msg=item.name)
        assert after.controls.emotions == (("happy", 0.5),)


def test_the_split_is_kept(tmp_path: Path):
    save_clips(tmp_path / "x.npz", [make_clip("a", 50), make_clip("b", 30, held_out=True)])
    assert [c.name for c in read_folder(tmp_path, held_out=False)] == ["a"]
    assert [c.name for c in read_folder(tmp_path, held_out=True)] == ["b"]


def test_a_shard_of_other_axes_is_refused(tmp_path: Path):
    save_clips(tmp_path / "x.npz", [make_clip("a", 50)])
    with np.load(tmp_path / "x.npz") as data:
        arrays = dict(data)
    np.savez(tmp_path / "x.npz", **arrays | {"axes": arrays["axes"][::-1]})
    with pytest.raises(ValueError, match="axes"):
        read_clips(tmp_path / "x.npz")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"motion": np.zeros((50, 3))}, "motion of shape"),
        ({"source": "somewhere"}, "somewhere"),
        ({"motion": np.zeros((80, MotionSpace.size))}, "80 motion frames"),
    ],
)
def test_a_clip_that_does_not_fit_together_is_refused(change: dict, message: str):
    with pytest.raises(ValueError, match=message):
        replace(make_clip("a", 50), **change)
