"""The learned performance with a small untrained network: determinism, shapes, rates, rest, errors."""

import numpy as np
import pytest
import torch

from talkface.errors import EnvironmentFailure
from talkface.motion import generate as generate_module
from talkface.motion.conditions import AUDIO_EXTRAS, AXES
from talkface.motion.denoiser import Denoiser, DenoiserConfig
from talkface.motion.generate import OVERLAP, MotionModel, read_smoothly
from talkface.space import MotionSpace
from talkface.types import Controls, ControlTracks, MotionSequence, SpeechFeatures

PHONES = ("sil", "AA")
CONFIG = DenoiserConfig(AXES, PHONES, ("teacher", "grid_s1"), len(PHONES) + AUDIO_EXTRAS, 16, 1, 2, 2, 20, 4)

FIVE_ROWS = ControlTracks.constant(Controls(), 5, 25.0)


@pytest.fixture(scope="module")
def model() -> MotionModel:
    torch.manual_seed(0)
    net = Denoiser(CONFIG)
    for value in net.parameters():
        torch.nn.init.normal_(value, std=0.2)
    net.axis_spread.fill_(0.1)
    return MotionModel(net)


def voice(duration_s: float, silent: bool = False, names: tuple[str, ...] = PHONES) -> SpeechFeatures:
    frames = int(duration_s * 50)
    spoken = (np.arange(frames) % 25 > 8) & (not silent)
    phones = np.stack([~spoken, spoken], 1).astype(np.float16)
    level = np.where(spoken, -5.0, -60.0).astype(np.float32)
    return SpeechFeatures(phones, names, level, spoken.astype(np.float32), 120.0 * spoken.astype(np.float32), silent)


def make(model, duration_s=2.0, fps=25.0, seed=1, steps=2, silent=False, **controls) -> MotionSequence:
    frames = round(duration_s * fps)
    tracks = ControlTracks.constant(Controls(**controls), frames, fps)
    return model.perform(voice(duration_s, silent), tracks, fps, frames, seed, steps)


@pytest.mark.parametrize("duration_s", [0.04, 0.2, 1.0, 3.7])
def test_any_length(model, duration_s):
    made = make(model, duration_s)
    assert made.values.shape == (round(duration_s * 25), MotionSpace.size)
    assert made.values.dtype == np.float32
    assert np.isfinite(made.values).all()


def test_the_same_seed_gives_the_same_motion_and_another_another(model):
    first, again, other = make(model, seed=5), make(model, seed=5), make(model, seed=6)
    np.testing.assert_array_equal(first.values, again.values)
    assert not np.allclose(first.values, other.values)


def test_another_frame_rate_reads_the_same_performance(model):
    slow, fast = make(model, fps=25.0), make(model, fps=50.0)
    head = MotionSpace.columns("headYaw", "headPitch")
    np.testing.assert_allclose(fast.values[::2][:, head], slow.values[:, head], atol=1e-4)
    assert fast.fps == 50.0


def test_a_later_end_changes_nothing_before(model):
    """What is said later than a window ahead cannot move the head now: memory and delay stay bounded."""
    short, long = make(model, 2.0).values, make(model, 6.0).values
    same = CONFIG.window - OVERLAP
    np.testing.assert_allclose(short[: same - 8], long[: same - 8], atol=1e-5)


def test_silence_without_amplitude_is_exactly_the_portrait(model):
    values = make(model, silent=True, amplitude=0.0).values
    assert (values[:, MotionSpace.index("headDistance")] == 1).all()
    assert not np.delete(values, MotionSpace.index("headDistance"), axis=1).any()


def test_passes_sum_to_one_and_guide_only_what_is_asked():
    nothing, gaze = (ControlTracks.constant(Controls(yaw), 3, 25.0) for yaw in (0.0, 9.0))
    moody = ControlTracks.constant(Controls(emotions=(("sad", 0.5),)), 3, 25.0)
    for tracks, course, lips in ((nothing, [], []), (gaze, ["gaze"], []), (moody, ["emotion"], ["emotion"])):
        plans = generate_module.course_passes(tracks), generate_module.lip_passes(tracks)
        for plan, left_out in zip(plans, (course, ["audio", *lips]), strict=True):
            np.testing.assert_allclose(sum(one.weight for one in plan), 1, rtol=1e-6)
            assert [one.without for one in plan if one.without] == left_out


def test_real_lips_open_the_mouth_but_neither_press_it_nor_feel():
    calm = generate_module.lip_passes(FIVE_ROWS)[1]
    assert calm.source == "grid_s1"
    assert calm.weight[AXES.index("jawOpen")] > 0.3
    assert not calm.weight[[AXES.index(name) for name in ("mouthPressLeft", "mouthSmileLeft", "headYaw")]].any()
    moved = ControlTracks.constant(Controls(emotions=(("sad", 1.0),)), 5, 25.0)
    assert not generate_module.lip_passes(moved)[1].weight.any()


def test_seeds_differ_in_head_brows_lids_and_smile(model):
    first, other = (model.departures(voice(1.0), FIVE_ROWS, seed, 3) for seed in (1, 2))
    for name in ("headYaw", "browInnerUp", "mouthSmileLeft", "eyeBlinkLeft"):
        assert not np.allclose(first[:, AXES.index(name)], other[:, AXES.index(name)])


def test_speaking_comes_from_the_voice(model):
    assert make(model, 4.0).values[20:60, MotionSpace.speaking].min() > 0.9
    assert not make(model, 4.0, silent=True).values[:, MotionSpace.speaking].any()


def test_another_speech_encoder_is_refused(model):
    tracks = ControlTracks.constant(Controls(), 25, 25.0)
    with pytest.raises(EnvironmentFailure, match="speech encoder"):
        model.perform(voice(1.0, names=("sil", "EH")), tracks, 25.0, 25, 1, 2)


def test_weights_of_other_axes_are_refused(monkeypatch):
    from dataclasses import asdict, replace

    record = asdict(replace(CONFIG, axes=("headYaw",)))
    monkeypatch.setattr(generate_module.weights, "load", lambda name: (record, {}))
    with pytest.raises(EnvironmentFailure, match="motion axes"):
        MotionModel.load()


def test_whole_rows_are_read_unchanged_and_lines_stay_lines():
    curve = np.random.default_rng(0).normal(size=(9, 3))
    np.testing.assert_allclose(read_smoothly(curve, np.arange(9.0)), curve)
    line = np.arange(9.0)[:, None]
    np.testing.assert_allclose(read_smoothly(line, np.array([1.25, 4.5, 6.9]))[:, 0], [1.25, 4.5, 6.9])
    assert read_smoothly(line, np.array([20.0])).shape == (1, 1)
