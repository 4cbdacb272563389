"""Painted mouths with a known lip line."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from talkface.landmarks import LIP_INNER_LOWER, LIP_INNER_UPPER, LIP_OUTER_LOWER, LIP_OUTER_UPPER
from talkface.rendering.lip_edges import settle
from talkface.rendering.lips import lip_line
from talkface.rendering.teeth import IVORY, mouth_light, own_teeth, shows_below, teeth_edge

SKIN, LIPS, DARK, TEETH = (200, 160, 140), (180, 90, 95), (60, 25, 25), (215, 210, 200)
LEFT, RIGHT, LINE_Y = 60.0, 160.0, 100.0


def bow(x: np.ndarray) -> np.ndarray:
    """0 at the corners of the mouth, 1 in its middle."""
    return np.clip(4 * (x - LEFT) * (RIGHT - x) / (RIGHT - LEFT) ** 2, 0, 1)


def painted(gap: float, inside: tuple[int, int, int]) -> np.ndarray:
    """A mouth of the given opening, its lips 16 pixels thick in the middle, a thin dark line where they touch."""
    y, x = np.mgrid[:200, :220].astype(float)
    centre, arch = LINE_Y, bow(x)
    picture = np.full((200, 220, 3), SKIN, np.uint8)
    picture[(np.abs(y - centre) < (16 + gap / 2) * arch) & (arch > 0)] = LIPS
    picture[(np.abs(y - centre) < gap / 2 * arch) & (arch > 0)] = inside
    picture[(np.abs(y - centre) < 1) & (arch > 0)] = DARK if gap == 0 else inside
    return picture


def landmarks(gap: float, off: float) -> np.ndarray:
    """Landmarks (478, 2) of that mouth, `off` pixels too low."""
    marks = np.zeros((478, 2), np.float32)
    x = np.linspace(LEFT, RIGHT, 11)
    for ring, height in ((LIP_INNER_UPPER, -gap / 2), (LIP_INNER_LOWER, gap / 2)):
        marks[list(ring)] = np.stack([x, LINE_Y + off * bow(x) + height * bow(x)], 1)
    for ring, side in ((LIP_OUTER_UPPER, -1), (LIP_OUTER_LOWER, 1)):
        marks[list(ring)] = np.stack([x, LINE_Y + side * (16 + gap / 2) * bow(x)], 1)
    return marks


def middle_of(line) -> tuple[float, float]:
    """Heights of both edges in the middle of the mouth, in picture rows."""
    return tuple(float(line.corner[1] + line.height(table, np.array([0.5]))[0]) for table in (line.upper, line.lower))


@pytest.mark.parametrize("claimed", [0.0, 5.0, 8.0])
def test_closed_lips_are_closed_whatever_the_landmarks_say(claimed):
    marks = landmarks(claimed, off=3)
    marks[list(LIP_OUTER_UPPER), 1] = landmarks(0, 0)[list(LIP_OUTER_UPPER), 1]
    marks[list(LIP_OUTER_LOWER), 1] = landmarks(0, 0)[list(LIP_OUTER_LOWER), 1]
    line = settle(lip_line(marks), marks, painted(0, DARK))
    assert line.gap_px == 0
    assert middle_of(line)[0] == pytest.approx(LINE_Y, abs=1)


def test_slightly_parted_dark_lips_are_found():
    line = settle(lip_line(landmarks(0, 0)), landmarks(8, 0), painted(8, DARK))
    upper, lower = middle_of(line)
    assert upper == pytest.approx(LINE_Y - 4, abs=1.5) and lower == pytest.approx(LINE_Y + 4, abs=1.5)


def test_teeth_keep_the_landmarks_opening():
    marks = landmarks(8, 0)
    assert settle(lip_line(marks), marks, painted(8, TEETH)).gap_px == pytest.approx(8, abs=1)


def thin_smile(gap: float, inside: tuple[int, int, int]) -> np.ndarray:
    """Hardly parted lips with a dark line along either edge of what is between them."""
    picture = painted(gap, inside)
    y, x = np.mgrid[:200, :220].astype(float)
    rim = np.abs(np.abs(y - LINE_Y) - gap / 2 * bow(x)) < 1
    picture[rim & (bow(x) > 0)] = DARK
    return picture


@pytest.mark.parametrize("colour", [(205, 185, 165), (130, 115, 105)])
def test_the_few_teeth_of_a_thin_smile_keep_the_lips_parted(colour):
    """Their dark edges look like the line between closed lips."""
    marks = landmarks(8, 0)
    assert settle(lip_line(marks), marks, thin_smile(8, colour)).gap_px == pytest.approx(8, abs=2)


def test_dim_teeth_are_told_from_lips_by_being_many():
    """As pale as the lips around them, but with a dark gap after every tooth."""
    marks = landmarks(8, 0)
    picture = painted(8, LIPS)
    y, x = np.mgrid[:200, :220].astype(float)
    gaps = (np.abs(y - LINE_Y) < 4 * bow(x)) & (x % 7 < 2)
    picture[gaps] = np.array(LIPS) * 3 // 4
    assert settle(lip_line(marks), marks, picture).gap_px == pytest.approx(8, abs=1)


def test_what_a_scream_shows_stays_behind_when_lips_speak():
    calm, scream = (lip_line(landmarks(gap, 0)) for gap in (40, 90))
    assert shows_below(calm.upper + 10, calm)
    assert not shows_below(scream.upper + 10, scream)


def test_lips_between_two_dark_lines_are_no_teeth():
    marks = landmarks(8, 0)
    assert settle(lip_line(marks), marks, thin_smile(8, LIPS)).gap_px == 0


def test_the_pale_inner_side_of_dark_lips_is_no_teeth():
    marks = landmarks(8, 4)
    for ring in (LIP_OUTER_UPPER, LIP_OUTER_LOWER):
        marks[list(ring)] = landmarks(0, 0)[list(ring)]
    picture = painted(0, DARK)
    y, x = np.mgrid[:200, :220].astype(float)
    below = (y - LINE_Y) / np.maximum(bow(x), 1e-6)
    picture[(below > 1) & (below < 11)] = (185, 115, 118)
    assert settle(lip_line(marks), marks, picture).gap_px == 0


def test_a_wide_open_mouth_is_left_to_the_landmarks():
    line = lip_line(landmarks(30, 2))
    settled = settle(line, landmarks(30, 2), painted(30, DARK))
    assert np.allclose(settled.upper, line.upper) and np.allclose(settled.lower, line.lower)


def with_teeth(gap: float, teeth_px: float, lower_px: float = 0, colour: tuple[int, int, int] = TEETH) -> np.ndarray:
    """A wide open mouth: upper teeth, darkness, and lower teeth in front of it."""
    picture = painted(gap, DARK)
    y, x = np.mgrid[:200, :220].astype(float)
    central = np.abs(x - (LEFT + RIGHT) / 2) < 30
    top, bottom = LINE_Y - gap / 2 * bow(x), LINE_Y + gap / 2 * bow(x)
    picture[central & (y > top) & (y < top + teeth_px)] = colour
    picture[central & (y < bottom) & (y > bottom - lower_px)] = colour
    return picture


@pytest.mark.parametrize("colour", [TEETH, (120, 115, 95)])
def test_teeth_that_landmarks_take_for_lip_are_given_back(colour):
    """White ones, and such as are no brighter than the lips but less red."""
    claimed = landmarks(40, 0)
    claimed[list(LIP_INNER_UPPER), 1] += 6 * bow(claimed[list(LIP_INNER_UPPER), 0])
    line = settle(lip_line(claimed), claimed, with_teeth(40, 10, colour=colour))
    upper, lower = middle_of(line)
    assert upper == pytest.approx(LINE_Y - 20, abs=1.5)
    assert lower == pytest.approx(LINE_Y + 20, abs=0.5)


def test_lips_without_teeth_behind_them_stay_where_the_landmarks_say():
    claimed = landmarks(40, 0)
    claimed[list(LIP_INNER_UPPER), 1] += 6 * bow(claimed[list(LIP_INNER_UPPER), 0])
    line = lip_line(claimed)
    assert np.allclose(settle(line, claimed, painted(40, DARK)).upper, line.upper)


def test_a_highlight_on_the_lower_lip_is_no_tooth():
    """Smiles lost the shining half of their lower lip."""
    marks = landmarks(14, 0)
    marks[list(LIP_INNER_LOWER), 1] += 2 * bow(marks[list(LIP_INNER_LOWER), 0])
    picture = painted(14, TEETH)
    y, x = np.mgrid[:200, :220].astype(float)
    picture[((x - 100) / 16) ** 2 + ((y - LINE_Y - 12) / 4) ** 2 < 1] = (205, 150, 150)
    line = lip_line(marks)
    assert np.abs(settle(line, marks, picture).lower - line.lower).max() < 1


def test_pale_skin_over_a_dark_lip_is_no_tooth():
    """It is as much less red than the lip as dim teeth are, but the teeth that are seen are much less so."""
    marks = landmarks(14, 0)
    picture = painted(14, TEETH)
    y, x = np.mgrid[:200, :220].astype(float)
    bump = (np.abs(x - 110) < 12) & (y < LINE_Y - 7 * bow(x)) & (y > LINE_Y - 23 * bow(x))
    picture[bump] = (150, 100, 95)
    line = lip_line(marks)
    assert np.abs(settle(line, marks, picture).upper - line.upper).max() < 2


@pytest.mark.parametrize("enlargement", [1.0, 3.0])
def test_the_rims_of_teeth_are_as_wide_as_the_portrait_is_enlarged(enlargement):
    """Left on the lip they would glow there."""
    claimed = landmarks(20, 0)
    claimed[list(LIP_INNER_UPPER), 1] += 2 * bow(claimed[list(LIP_INNER_UPPER), 0])
    picture = ndimage.gaussian_filter(with_teeth(20, 12).astype(float), (3, 3, 0))
    upper, _ = middle_of(settle(lip_line(claimed), claimed, picture, enlargement))
    assert upper == pytest.approx(LINE_Y - 10 - (3.5 if enlargement > 1 else 1.5), abs=1)


def test_dark_lips_beside_a_few_teeth_are_lips():
    claimed = landmarks(20, 0)
    claimed[list(LIP_INNER_UPPER), 1] += 3 * bow(claimed[list(LIP_INNER_UPPER), 0])
    picture = with_teeth(20, 12)
    y, x = np.mgrid[:200, :220].astype(float)
    picture[(x > 132) & (x < 152) & (y < LINE_Y - 7 * bow(x)) & (y > LINE_Y - 24 * bow(x))] = DARK
    settled, line = settle(lip_line(claimed), claimed, picture), lip_line(claimed)
    assert (line.upper - settled.upper).max() < 4


def test_upper_teeth_end_where_it_gets_dark_and_lower_teeth_are_not_theirs():
    marks = landmarks(40, 0)
    line = lip_line(marks)
    own = own_teeth(with_teeth(40, 9, lower_px=12), line)
    assert own.edge_v == pytest.approx(-20 + 9, abs=1.5)
    edge = teeth_edge(own, line)
    assert np.abs(edge[64:193] - line.upper[64:193] - 9).max() < 2.5
    assert shows_below(edge, line)


def test_teeth_under_a_warm_light_are_teeth():
    """As golden as lit, while lips are redder; what is as red as lips is no tooth."""
    warm, line = np.array([1.0, 0.8, 0.58]), lip_line(landmarks(40, 0))
    lit = (with_teeth(40, 12) * warm).astype(np.uint8)
    own = own_teeth(lit, line)
    assert own is not None
    assert own.colour * 255 == pytest.approx(np.array(TEETH) * warm, abs=8)
    assert own_teeth((with_teeth(40, 12, colour=(190, 100, 95)) * warm).astype(np.uint8), line) is None


def test_the_colour_of_teeth_in_the_lips_shadow_is_not_taken_at_its_word():
    """Of a thin smile's brown tips no brown teeth are made."""
    brown, white = (150, 130, 110), IVORY * 200 / 255
    line = lip_line(landmarks(40, 0))
    light = {
        px: mouth_light(white / IVORY, white * 0.9, 0.8, own_teeth(with_teeth(40, px, colour=brown), line), 0.0).teeth
        for px in (5, 14)
    }
    assert light[14] == pytest.approx(brown, abs=6)
    assert light[5].mean() > light[14].mean() + 30


@pytest.mark.parametrize(("skin", "darkest", "black"), [
    (np.full(3, 0.6), 0.3, 0.24),
    (np.full(3, 0.6), 0.08, 0.0),
    (np.array([0.8, 0.6, 0.5]), 0.3, 0.0),
])  # fmt: skip
def test_a_faded_print_has_no_black_mouth(skin, darkest, black):
    """Nor has it anything else as black; photographs in colour have, wherever they are hazy."""
    light = mouth_light(None, skin, 0.8, None, darkest)
    assert light.black == pytest.approx(black * 255, abs=1)
    assert light.throat.mean() == pytest.approx(max(black, 0.13 * 0.8) * 255, rel=0.1)
    assert light.teeth.mean() > 0.7 * 255


def test_of_two_rows_of_teeth_the_upper_ends_where_they_meet():
    """Else its gums were painted where its teeth are."""
    picture = painted(26, TEETH)
    y, x = np.mgrid[:200, :220].astype(float)
    picture[(np.abs(y - (LINE_Y - 13 * bow(x) + 13)) < 1) & (bow(x) > 0.6)] = (170, 160, 150)
    own = own_teeth(picture, lip_line(landmarks(26, 0)))
    assert own.edge_v == pytest.approx(-13 + 13, abs=1)


def test_a_smile_is_all_teeth():
    line = lip_line(landmarks(14, 0))
    edge = teeth_edge(own_teeth(painted(14, TEETH), line), line)
    assert not shows_below(edge, line)


def test_a_wide_open_mouth_without_teeth_goes_with_the_lower_lip():
    line = lip_line(landmarks(40, 0))
    own = own_teeth(painted(40, DARK), line)
    assert own is None
    assert np.array_equal(teeth_edge(own, line), line.upper)


def test_teeth_too_dark_to_be_found_stay_with_the_head():
    line = lip_line(landmarks(25, 0))
    assert np.array_equal(teeth_edge(own_teeth(painted(25, DARK), line), line), line.lower)
