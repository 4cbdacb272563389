from __future__ import annotations

import numpy as np

from talkface.rendering.rigidity import rigidity


def scene(hair: bool) -> tuple[np.ndarray, np.ndarray]:
    """A round face in the middle of a striped wall, with or without black hair around it; and the cells of the head,
    whose skull reaches into the hair."""
    y, x = np.mgrid[:512, :512]
    picture = np.where((x // 16 % 2 == 0)[..., None], (210, 215, 220), (190, 200, 215)).astype(np.uint8)
    radius = np.hypot(x - 256, (y - 230) / 1.2)
    if hair:
        picture[(radius < 120) & (y < 330)] = (30, 25, 20)
    picture[radius < 80] = (200, 150, 130)
    cells = radius[1::2, 1::2] < (96 if hair else 80)
    return picture, cells


def sideways(picture: np.ndarray, face: np.ndarray, chin_row: float = 163, inset: bool = False) -> np.ndarray:
    return rigidity(picture, face, chin_row, face_size=78, inset=inset)[0][..., 0]


def test_hair_moves_with_the_head_up_to_its_outline_and_the_wall_does_not():
    rigid = sideways(*scene(hair=True))
    assert rigid[115, 128] > 0.95  # face
    assert rigid[115, 128 - 57] > 0.9 and rigid[115, 128 + 57] > 0.9  # the hair's outline
    assert rigid[115, 128 - 88] < 0.1 and rigid[115, 128 + 88] < 0.1  # wall
    assert rigid[250, 128] < 0.05  # shoulders


def test_without_hair_the_wall_stays_closer_to_the_head():
    bald, haired = (sideways(*scene(hair)) for hair in (False, True))
    assert bald[115, 128 - 66] + 0.3 < haired[115, 128 - 66]


def test_beside_the_chin_are_clothes_and_not_hair():
    picture, face = scene(hair=False)
    picture[310:, 60:452] = (200, 150, 130)  # of the face's own colour: no edge tells them apart
    rigid = sideways(picture, face)
    assert rigid[158, 128] > 0.9  # chin
    assert rigid[165, 128 - 60] < 0.3 and rigid[165, 128 + 60] < 0.3


def test_smooth_enough_not_to_tear():
    rigid = sideways(*scene(True))
    assert rigid.min() >= 0 and rigid.max() <= 1.001
    assert max(np.abs(np.diff(rigid, axis=axis)).max() for axis in (0, 1)) < 0.12


def test_nothing_crosses_the_border_and_in_an_inset_nothing_slides_along_it():
    picture, face = scene(True)
    free, inset = (rigidity(picture, face, 163, 78, inset=inset)[0] for inset in (False, True))
    for edge in (free[:, 0, 0], free[:, -1, 0], free[0, :, 1], free[-1, :, 1]):
        assert edge.max() < 0.02
    for edge in (inset[0], inset[:, 0], inset[:, -1], inset[-1]):
        assert edge.max() < 0.02
    assert np.array_equal(inset[60:150, 60:190], free[60:150, 60:190])


def raised(by_px: int) -> tuple[np.ndarray, np.ndarray]:
    """The scene with hair so much higher; its top row is repeated below as wall."""
    picture, face = scene(True)
    return np.roll(picture, -by_px, 0), np.roll(face, -by_px // 2, 0)


def test_hair_near_the_border_moves_whole_and_hair_it_cuts_comes_off_gently():
    top_px = 230 - 144  # where the hair begins
    near, cut = (rigidity(*raised(top_px + by_px), 163 - (top_px + by_px) / 2, 78) for by_px in (-20, 30))
    assert not near[1].any() and near[0][12, 128, 1] > 0.85  # 20 pixels of wall above it
    assert cut[1][128] and not cut[1][[40, 210]].any()
    assert cut[0][2, 128, 0] > 0.9  # sideways it is free
    assert cut[0][2, 128, 1] < 0.1 < cut[0][10, 128, 1] < 0.6 < 0.95 < cut[0][30, 128, 1]


def test_a_neck_that_is_cut_short_turns_less_and_less_down_to_the_border():
    picture, face = scene(hair=True)
    picture, face = np.roll(picture, 126, 0), np.roll(face, 63, 0)
    picture[400:, 150:362] = (200, 150, 130)
    rigid = sideways(picture, face, chin_row=226)[:, 128]
    assert rigid[210] > 0.95
    assert np.abs(np.diff(rigid[216:])).max() < 0.055
