"""How far a head may turn: frontal portraits as far as they are asked, turned ones as far as the picture shows them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from talkface.analysis import analyse
from talkface.options import RenderOptions
from talkface.rendering.reach import EYE_WIDTH, LEAST_DEG, MOST_SUNK, Reach
from talkface.rendering.renderer import Renderer
from talkface.space import LARGEST_TURN_DEG, MotionSpace
from talkface.types import Portrait
from tests.test_rendering_renderer import pose

YAW, GAZE, Y = MotionSpace.columns("headYaw", "gazeYaw", "headY")
PIVOT = np.array([0.0, -5.0, -100.0])
UNCUT = np.empty((0, 3)), PIVOT, 6.0


@pytest.fixture(scope="module")
def frontal(analysis) -> Renderer:
    return Renderer(analysis.image, analysis.fit, analysis.crop, size=512)


@pytest.fixture(scope="module")
def turned(frontal) -> Renderer:
    """The example's head turned to the image's right, taken for a portrait."""
    picture = frontal.draw(pose(headYaw=16))[0]
    seen = analyse(Portrait(picture, Path("turned.png")), RenderOptions(), torch.device("cpu"))
    assert seen.fit.yaw_deg > 10
    return Renderer(seen.image, seen.fit, seen.crop, size=256)


def test_a_frontal_head_turns_as_far_as_it_is_asked(frontal):
    asked = np.concatenate([pose(headYaw=yaw, gazeYaw=3) for yaw in (-LARGEST_TURN_DEG[0], 0, 12)])
    assert np.array_equal(frontal.reach.within(asked), asked)


def test_a_turned_head_turns_less_further_away(turned):
    right = turned.reach.right_deg
    assert LEAST_DEG <= right < LARGEST_TURN_DEG[0]
    small, large = turned.reach.within(np.concatenate([pose(headYaw=2), pose(headYaw=17)]))[:, YAW]
    assert small == 2 and 0.6 * right < large <= right


def test_no_eye_becomes_a_slit_or_a_smear(turned):
    for reach in (-turned.reach.left_deg, turned.reach.right_deg):
        turn, shift = turned.head_motion(pose(headYaw=float(np.clip(reach, -17, 17))))
        flow = turned.head.flow(torch.zeros(1, MotionSpace.size - MotionSpace.speaking - 1), turn, shift)
        for eye in turned.eyes:
            corners = torch.stack([eye.origin, eye.origin + eye.axes[0] * eye.width], 1).view(1, 2, 1, 2)
            moved = corners + turned.head.sample(flow, corners)
            width = float(moved[0, 0, 0, 1] - moved[0, 0, 0, 0]) / eye.width
            assert EYE_WIDTH[0] - 0.06 < width < EYE_WIDTH[1] + 0.06


def test_the_eyes_go_on_looking_where_they_looked():
    asked = np.concatenate([pose(headYaw=15, gazeYaw=-9), pose(headYaw=-15), pose(headYaw=1)])
    drawn = Reach(np.inf, 7.0, *UNCUT).within(asked)
    assert 6 < drawn[0, YAW] <= 7
    assert np.array_equal(drawn[1:], asked[1:])
    assert np.allclose(drawn[:, YAW] + drawn[:, GAZE], asked[:, YAW] + asked[:, GAZE])


def test_a_crown_that_the_border_cuts_is_held_there_while_the_head_nods():
    crown = np.array([[-4.0, 16.0, 7.0], [0.0, 16.0, 7.0], [4.0, 16.0, 7.0]])
    held = Reach(np.inf, np.inf, crown, PIVOT, unit_cm=6.0)
    asked = np.concatenate([pose(headPitch=-10), pose(headPitch=-10, headRoll=8), pose(headY=0.5), pose(headPitch=6)])
    drawn = held.within(asked)
    assert np.array_equal(np.delete(drawn, Y, 1), np.delete(asked, Y, 1))
    for nod in (0, 2):
        y, z = crown[1, 1:]
        turn = np.radians(asked[nod, MotionSpace.index("headPitch")])
        height, depth = y * np.cos(turn) + z * np.sin(turn) - 5, z * np.cos(turn) - y * np.sin(turn) - 100
        sunk = drawn[nod, Y] + (y - 5 - height * (z - 100) / depth) / 6
        assert MOST_SUNK / 2 < sunk < MOST_SUNK
    assert drawn[1, Y] < drawn[0, Y] - 0.03  # one of its ends comes down further
    assert drawn[3, Y] == 0  # chins rise as they like


def test_a_whole_head_nods_as_it_is_asked():
    asked = np.concatenate([pose(headPitch=-10), pose(headY=0.3)])
    assert np.array_equal(Reach(np.inf, np.inf, *UNCUT).within(asked), asked)
