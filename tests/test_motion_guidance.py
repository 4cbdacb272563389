"""Guidance: the blended guesses sum to one, and each condition guides what it should and nothing else."""

import numpy as np

from talkface.motion.conditions import AXES
from talkface.motion.guidance import course_passes, lip_passes
from talkface.types import Controls, ControlTracks


def asked(**controls) -> ControlTracks:
    return ControlTracks.constant(Controls(**controls), 5, 25.0)


def test_passes_sum_to_one_and_guide_only_what_is_asked():
    nothing, gaze = (asked(gaze_yaw_deg=yaw) for yaw in (0.0, 9.0))
    moody = asked(emotions=(("sad", 0.5),))
    for tracks, course, lips in ((nothing, [], []), (gaze, [], []), (moody, ["emotion"], ["emotion"])):
        plans = [course_passes(tracks, nodding=nodding) for nodding in (True, False)]
        plans.append(lip_passes(tracks))
        for plan, left_out in zip(plans, (["audio", *course], course, ["audio", *lips]), strict=True):
            np.testing.assert_allclose(sum(one.weight for one in plan), 1, rtol=1e-6)
            assert [one.without for one in plan if one.without] == left_out


def test_the_voice_guides_the_head_alone():
    _, guiding = course_passes(asked(), nodding=True)
    guided = {AXES[i] for i in np.flatnonzero(guiding.weight)}
    assert guided == {"headYaw", "headPitch", "headRoll"}


def test_real_lips_open_the_mouth_but_neither_press_it_nor_feel():
    calm = lip_passes(asked())[1]
    assert calm.source == "grid_s1"
    assert calm.weight[AXES.index("jawOpen")] > 0.3
    assert not calm.weight[[AXES.index(name) for name in ("mouthPressLeft", "mouthSmileLeft", "headYaw")]].any()
    moved = asked(emotions=(("sad", 1.0),))
    assert not lip_passes(moved)[1].weight.any()
