"""Guidance: the blended guesses sum to one, and each condition guides what it should and nothing else."""

import numpy as np

from talkface.motion.conditions import AXES
from talkface.motion.guidance import EMOTION_GUIDANCE, course_passes, lip_passes
from talkface.options import EMOTIONS

CALM = np.zeros((1, len(EMOTIONS)), np.float32)
SAD = 0.5 * np.eye(len(EMOTIONS), dtype=np.float32)[[EMOTIONS.index("sad")]]


def test_passes_sum_to_one_and_guide_only_what_is_asked():
    for emotions, guided in ((CALM, []), (SAD, ["emotion"]), (np.concatenate([CALM, SAD]), ["emotion"])):
        plans = [course_passes(emotions, nodding=nodding) for nodding in (True, False)]
        plans.append(lip_passes(emotions))
        for plan, left_out in zip(plans, (["audio", *guided], guided, ["audio", *guided]), strict=True):
            np.testing.assert_allclose(sum(one.weight for one in plan), np.ones((len(emotions), len(AXES))), rtol=1e-6)
            assert [one.without for one in plan if one.without] == left_out


def test_every_sequence_is_guided_as_if_it_were_alone():
    for make in (lambda emotions: course_passes(emotions, nodding=True), lip_passes):
        (*calm,), (*sad,), (*both,) = make(CALM), make(SAD), make(np.concatenate([CALM, SAD]))
        for one, alone in zip(both, sad, strict=True):
            np.testing.assert_array_equal(one.weight[1:], alone.weight)
        for one, alone in zip(both[:-1], calm, strict=True):
            np.testing.assert_array_equal(one.weight[:1], alone.weight)
        np.testing.assert_allclose(both[-1].weight, [[0] * len(AXES), [-EMOTION_GUIDANCE] * len(AXES)])


def test_the_voice_guides_the_head_alone():
    _, guiding = course_passes(CALM, nodding=True)
    guided = {AXES[i] for i in np.flatnonzero(guiding.weight[0])}
    assert guided == {"headYaw", "headPitch", "headRoll"}


def test_real_lips_open_the_mouth_but_neither_press_it_nor_feel():
    calm = lip_passes(CALM)[1]
    assert calm.source == "grid_s1"
    assert calm.weight[0, AXES.index("jawOpen")] > 0.3
    assert not calm.weight[0, [AXES.index(name) for name in ("mouthPressLeft", "mouthSmileLeft", "headYaw")]].any()
    assert not lip_passes(2 * SAD)[1].weight.any()
