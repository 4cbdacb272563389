from __future__ import annotations

import numpy as np

from talkface.rendering.rigidity import rigidity


def scene(hair: bool) -> tuple[np.ndarray, np.ndarray]:
    """A round face in the middle of a striped wall, with or without black hair around it; and the cells of the face."""
    y, x = np.mgrid[:512, :512]
    picture = np.where((x // 16 % 2 == 0)[..., None], (210, 215, 220), (190, 200, 215)).astype(np.uint8)
    radius = np.hypot(x - 256, (y - 230) / 1.2)
    if hair:
        picture[(radius < 120) & (y < 330)] = (30, 25, 20)
    picture[radius < 80] = (200, 150, 130)
    cells = radius[1::2, 1::2] < 80
    return picture, cells


def test_hair_moves_with_the_head_and_the_wall_does_not():
    picture, face = scene(hair=True)
    rigid = rigidity(picture, face, chin_row=163, face_size=78)
    assert rigid[115, 128] > 0.95  # face
    assert rigid[115, 128 - 45] > 0.6 and rigid[115, 128 + 45] > 0.6  # hair
    assert rigid[115, 128 - 80] < 0.15 and rigid[115, 128 + 80] < 0.15  # wall
    assert rigid[250, 128] < 0.05  # shoulders


def test_without_hair_the_wall_stays_closer_to_the_head():
    bald, haired = (rigidity(*scene(hair), chin_row=163, face_size=78) for hair in (False, True))
    assert bald[115, 128 - 50] + 0.2 < haired[115, 128 - 50]


def test_smooth_enough_not_to_tear_and_still_at_the_border():
    rigid = rigidity(*scene(True), chin_row=163, face_size=78)
    assert rigid.min() >= 0 and rigid.max() <= 1.001
    assert max(np.abs(np.diff(rigid, axis=axis)).max() for axis in (0, 1)) < 0.12
    for edge in (rigid[0], rigid[:, 0], rigid[:, -1], rigid[-1]):
        assert edge.max() < 0.02


def test_a_neck_that_is_cut_short_turns_less_and_less_down_to_the_border():
    picture, face = scene(hair=True)
    picture, face = np.roll(picture, 126, 0), np.roll(face, 63, 0)
    picture[400:, 150:362] = (200, 150, 130)
    rigid = rigidity(picture, face, chin_row=226, face_size=78)[:, 128]
    assert rigid[210] > 0.95
    assert np.abs(np.diff(rigid[216:])).max() < 0.055
