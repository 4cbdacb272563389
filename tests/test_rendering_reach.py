"""How far a head may turn: frontal portraits as far as they are asked, turned ones as far as the picture shows them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from talkface.analysis import analyse
from talkface.options import RenderOptions
from talkface.rendering.reach import EYE_WIDTH, LEAST_DEG, YawReach
from talkface.rendering.renderer import Renderer
from talkface.space import LARGEST_TURN_DEG, MotionSpace
from talkface.types import Portrait
from tests.test_rendering_renderer import pose

YAW, GAZE = MotionSpace.columns("headYaw", "gazeYaw")


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
        turn, shift = turned._head_motion(pose(headYaw=float(np.clip(reach, -17, 17))))
        flow = turned.head.flow(torch.zeros(1, MotionSpace.size - MotionSpace.speaking - 1), turn, shift)
        for eye in turned.eyes:
            corners = torch.stack([eye.origin, eye.origin + eye.axes[0] * eye.width], 1).view(1, 2, 1, 2)
            moved = corners + turned.head.sample(flow, corners)
            width = float(moved[0, 0, 0, 1] - moved[0, 0, 0, 0]) / eye.width
            assert EYE_WIDTH[0] - 0.06 < width < EYE_WIDTH[1] + 0.06


def test_the_eyes_go_on_looking_where_they_looked():
    asked = np.concatenate([pose(headYaw=15, gazeYaw=-9), pose(headYaw=-15), pose(headYaw=1)])
    drawn = YawReach(np.inf, 7.0).within(asked)
    assert 6 < drawn[0, YAW] <= 7
    assert np.array_equal(drawn[1:], asked[1:])
    assert np.allclose(drawn[:, YAW] + drawn[:, GAZE], asked[:, YAW] + asked[:, GAZE])
