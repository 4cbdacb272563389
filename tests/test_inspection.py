from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from talkface.errors import InputError, UsageError
from talkface.inspection import CLOSE_UP_PX, POSE_SIZE_PX, POSES_PER_ROW, TEST_POSES, compose_sheet, inspect
from talkface.options import RenderOptions
from talkface.space import MotionSpace


def test_the_sheet_shows_the_face_and_every_pose(portrait, tmp_path):
    report = inspect(portrait, tmp_path / "sheet.png", RenderOptions(device="cpu"))
    sheet = np.asarray(Image.open(tmp_path / "sheet.png")).astype(int)
    assert sheet.shape == (CLOSE_UP_PX + 2 * POSE_SIZE_PX, POSES_PER_ROW * POSE_SIZE_PX, 3)
    assert report["faces"] == 1
    assert report["path"] == tmp_path / "sheet.png"
    assert [text for text in report["warnings"] if "is small (109 pixels)" in text]
    tiles = [sheet[CLOSE_UP_PX + row * 256 :, column * 256 :][:256, :256] for row in range(2) for column in range(5)]
    for name, tile in list(zip(TEST_POSES, tiles, strict=True))[1:]:
        assert np.abs(tile[30:] - tiles[0][30:]).mean() > 0.05, f"{name} looks like the portrait"


def test_every_axis_of_the_poses_exists():
    for pose in TEST_POSES.values():
        for axis in pose:
            MotionSpace.index(axis)


def test_poses_are_laid_out_in_rows():
    tile = Image.new("RGB", (POSE_SIZE_PX, POSE_SIZE_PX), "red")
    close_up = Image.new("RGB", (CLOSE_UP_PX, CLOSE_UP_PX), "blue")
    sheet = np.asarray(compose_sheet(Image.new("RGB", (100, 100)), close_up, [("", tile)] * 6))
    assert tuple(sheet[CLOSE_UP_PX - 1, -1]) == (0, 0, 255)
    assert tuple(sheet[CLOSE_UP_PX + POSE_SIZE_PX + 9, 9]) == (255, 0, 0)
    assert tuple(sheet[CLOSE_UP_PX + POSE_SIZE_PX + 9, POSE_SIZE_PX + 9]) != (255, 0, 0)


def test_bad_names_and_pictures_are_refused_before_anything_else(portrait, tone, tmp_path):
    with pytest.raises(UsageError, match="does not end in"):
        inspect(portrait, tmp_path / "sheet.txt", RenderOptions())
    with pytest.raises(InputError, match="is a sound"):
        inspect(tone, tmp_path / "sheet.png", RenderOptions())
    assert [path.name for path in tmp_path.iterdir()] == ["tone.wav"]
