"""The learned performance: with a small untrained network determinism, shapes, rates, rest and errors; with the
package's weights what it means (lips, blinks, heads, gaze, emotions)."""

import json
import tracemalloc
from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache
from itertools import combinations

import numpy as np
import pytest
import soundfile
import torch

from benchmarks import seams
from talkface.errors import EnvironmentFailure
from talkface.motion import generate as generate_module
from talkface.motion.conditions import AUDIO_EXTRAS, AXES, GAZE_GAIN, STEADY_EYES
from talkface.motion.controls import read_controls
from talkface.motion.denoiser import Denoiser, DenoiserConfig
from talkface.motion.emotion import emotion_offset
from talkface.motion.generate import DRAWS, OVERLAP, MotionModel, calm, liveliness
from talkface.motion.mouth import measure
from talkface.motion.windows import starts
from talkface.options import EMOTIONS
from talkface.space import DYNAMICS_AXES, MOUTH_AXES, MotionSpace
from talkface.speech.encoder import SpeechEncoder
from talkface.types import Controls, ControlTracks, MotionSequence, Speech, SpeechFeatures
from tests.test_speech_encoder import LIP_CLOSURES_S, OPEN_VOWELS_S, VOICE
from training.motion_figures import blinks, correlation
from training.teacher.rhythm import rhythm_of, smooth

PHONES = ("sil", "AA")
CONFIG = DenoiserConfig(AXES, PHONES, ("teacher", "grid_s1"), len(PHONES) + AUDIO_EXTRAS, 16, 1, 2, 2, 40, 4)

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


def test_an_emotion_asked_later_changes_nothing_before(model):
    plain = ControlTracks.constant(Controls(), 200, 25.0)
    happy = (np.arange(200) >= 150)[:, None] * np.eye(len(EMOTIONS), dtype=np.float32)[EMOTIONS.index("happy")]
    first, other = (
        model.perform(voice(8.0), tracks, 25.0, 200, 1, 2).values for tracks in (plain, replace(plain, emotion=happy))
    )
    np.testing.assert_allclose(first[: 150 - CONFIG.window - 10], other[: 150 - CONFIG.window - 10], atol=1e-5)
    assert np.abs(first - other)[160:].max() > 1e-3


def test_silence_without_amplitude_is_exactly_the_portrait(model):
    values = make(model, silent=True, amplitude=0.0).values
    assert (values[:, MotionSpace.index("headDistance")] == 1).all()
    assert not np.delete(values, MotionSpace.index("headDistance"), axis=1).any()


def test_a_first_window_is_lively_if_it_blinks_and_moves_the_head():
    departure = np.zeros((75, len(AXES)), np.float32)
    departure[:, [AXES.index(name) for name in ("headYaw", "headPitch", "headRoll")]] = np.linspace(-9, 9, 75)[:, None]
    assert liveliness(departure) == 0
    departure[30:36, [AXES.index(name) for name in ("eyeBlinkLeft", "eyeBlinkRight")]] = 1
    assert liveliness(departure) == pytest.approx(18 / np.sqrt(12), rel=0.05)
    assert liveliness(0.1 * departure) == 0
    assert liveliness(departure[:30]) > 0, "nobody misses a blink in so short a clip"


def test_a_first_window_that_was_chosen_is_not_drawn_again_unless_something_is_asked(model, monkeypatch):
    drawn, ddim = [], generate_module.ddim
    monkeypatch.setattr(generate_module, "ddim", lambda *args: drawn.append(1) or ddim(*args))
    counts = []
    for wishes in ({}, {"amplitude": 2.0}, {"gaze_yaw_deg": 9.0}):
        drawn.clear()
        make(model, 3.0, **wishes)
        counts.append(len(drawn))
    assert counts[1] == counts[0], "the network does not hear of the amplitude"
    assert counts[2] == counts[0] + 1


def test_seeds_differ_in_head_brows_lids_and_smile(model):
    first, other = (model.departures(voice(1.0), FIVE_ROWS, seed, 3).values for seed in (1, 2))
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


def test_heads_are_calmed_lips_a_little_lids_and_eyes_not_at_all():
    departure = np.zeros((40, len(AXES)), np.float32)
    departure[20] = 1
    calmed = dict(zip(AXES, calm(departure).T, strict=True))
    assert calmed["headPitch"][20] == pytest.approx(6 / 16)
    assert calmed["jawOpen"][20] == pytest.approx(2 / 4)
    np.testing.assert_array_equal([calmed[name] for name in ("eyeBlinkLeft", "gazeYaw")], departure.T[:2])
    for name in ("headPitch", "jawOpen"):
        assert calmed[name].sum() == pytest.approx(1)


def test_a_long_speech_takes_little_more_memory_than_its_motion(monkeypatch):
    monkeypatch.setattr(generate_module, "BLOCK_FRAMES", 1_000)
    long = MotionModel(Denoiser(replace(CONFIG, window=200)))
    used, sizes = [], []
    for minutes in (3, 9):
        tracemalloc.start()
        sizes.append(make(long, 60.0 * minutes, steps=1).values.nbytes)
        used.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert used[1] - used[0] < 6 * (sizes[1] - sizes[0])


@pytest.mark.parametrize("changes", [False, True])
def test_windows_are_made_on_the_device_and_read_back_whole(monkeypatch, changes):
    """On torch's "meta" device, which bears neither a stray CPU tensor nor a value read back by the way."""
    model, meta, reads = MotionModel(Denoiser(CONFIG)), torch.device("meta"), []
    model.device, model.net, model.kept = meta, model.net.to(meta), model.kept.to(meta)
    monkeypatch.setattr(torch.Tensor, "cpu", lambda self: reads.append(1) or torch.zeros(self.shape))
    moody = ControlTracks.constant(Controls(9.0, emotions=(("sad", 0.5),)), 75, 25.0)
    if changes:
        moody = replace(moody, emotion=moody.emotion * (np.arange(75) > 40)[:, None])
    assert model.departures(voice(3.0), moody, 1, 5).values.shape == (75, len(AXES))
    lips = 3 if changes else 1  # windows that are told two emotions are not all guessed together
    assert len(reads) <= len(starts(75, CONFIG.window, OVERLAP)) + DRAWS + lips


# What the package's weights make of real words

SEEDS = range(1, 5)
HEAD = MotionSpace.columns("headYaw", "headPitch", "headRoll")
BROWS = MotionSpace.columns("browInnerUp", "browOuterUpLeft", "browDownLeft")
LIDS = MotionSpace.columns("eyeBlinkLeft", "eyeBlinkRight")
MOUTH = MotionSpace.columns(*MOUTH_AXES)
DISTANCE = MotionSpace.index("headDistance")
SHUT_OPENING = 0.04
"""Lip opening, in inter-ocular distances, below which lips look shut."""

Perform = Callable[..., np.ndarray]


def heard(path) -> SpeechFeatures:
    samples = soundfile.read(path, dtype="float32")[0]
    return SpeechEncoder.load().encode(Speech(samples, len(samples) / 16000, path))


def performer(features: SpeechFeatures) -> Perform:
    """Motion (T, D) at 25 frames/s that the package's model makes of a voice, made once per wish."""

    frames = len(features.level_db) // 2

    @lru_cache(maxsize=32)
    def perform(seed: int = 1, steps: int = 10, **wishes) -> np.ndarray:
        return generate_module.generate(features, Controls(**wishes), 25.0, frames, seed, steps).values

    return perform


@pytest.fixture(scope="module")
def mama() -> Perform:
    """ "Mama baked a big apple pie, and Bob opened the door.", 4 seconds."""
    return performer(heard(VOICE))


@pytest.fixture(scope="module")
def example(speech) -> Perform:
    """The example's speech, 9 seconds."""
    return performer(heard(speech))


def opening(values: np.ndarray) -> np.ndarray:
    return measure(values[:, MotionSpace.dynamics].astype(np.float64))[0]


def closed(values: np.ndarray) -> list[bool]:
    """Whether the lips are shut at each p, b and m."""
    return [opening(values)[round(t * 25) - 2 : round(t * 25) + 2].min() < SHUT_OPENING for t in LIP_CLOSURES_S]


@pytest.mark.parametrize("seed", SEEDS)
def test_lips_close_on_p_b_m_and_open_on_vowels(mama, seed):
    assert sum(closed(mama(seed))) >= len(LIP_CLOSURES_S) - 2
    for time_s in OPEN_VOWELS_S:
        assert opening(mama(seed))[round(time_s * 25) - 2 : round(time_s * 25) + 3].max() > 0.1


def test_lips_are_shut_before_and_after_the_words(mama):
    assert opening(mama())[:9].max() < SHUT_OPENING
    assert opening(mama())[-5:].max() < SHUT_OPENING


def test_louder_is_wider(example, speech):
    level_db = heard(speech).level_db[::2]
    wide = opening(example())[: len(level_db)]
    assert wide[level_db > -10].mean() > 3 * wide[level_db < -40].mean()
    assert 0.2 < np.percentile(wide, 95) < 0.55


def test_a_long_pause_is_a_shut_and_calm_mouth():
    words, count = heard(VOICE), 150
    quiet = np.zeros((count, len(words.phone_names)), np.float16)
    quiet[:, words.phone_names.index("sil")] = 1
    zeros = np.zeros(count, np.float32)
    parts = {"phones": quiet, "level_db": zeros - 60, "voiced": zeros, "pitch_hz": zeros}
    joined = {k: np.concatenate([getattr(words, k), pause, getattr(words, k)]) for k, pause in parts.items()}
    values = performer(replace(words, **joined))()
    first = len(words.level_db) // 2
    pause = values[first + 10 : first + 60]
    assert opening(pause).max() < SHUT_OPENING
    assert np.abs(np.diff(pause[:, MOUTH], axis=0)).max() < 0.08
    assert np.ptp(pause[:, HEAD], axis=0).max() > 0.3, "who listens is alive"


def test_silence_moves_the_head_but_not_the_lips():
    nothing = SpeechEncoder.load().encode(Speech(np.zeros(96_000, np.float32), 6.0, VOICE))
    values = performer(nothing)()
    assert not values[:, MOUTH].any()
    assert np.ptp(values[:, HEAD], axis=0).max() > 1


def test_seeds_share_the_lips_and_differ_in_head_and_brows(example):
    pairs = [(example(a), example(b)) for a, b in combinations(SEEDS, 2)]
    assert min(correlation(opening(a), opening(b)) for a, b in pairs) > 0.9
    assert np.mean([correlation(a[:, HEAD], b[:, HEAD]) for a, b in pairs]) < 0.5
    assert np.mean([correlation(a[:, BROWS], b[:, BROWS]) for a, b in pairs]) < 0.6


def test_an_emotion_leaves_the_head_of_the_seed_as_it_is(mama):
    for seed in SEEDS:
        plain, sad = mama(seed), mama(seed, emotions=(("sad", 1.0),))
        assert correlation(plain[:, HEAD], sad[:, HEAD]) > 0.8


def test_lids_blink_as_often_as_peoples_and_close(example):
    counts = [blinks(example(seed)) for seed in SEEDS]
    assert 8 <= 60 * np.mean(counts) / (len(example()) / 25) <= 45
    lids = np.concatenate([example(seed)[:, LIDS] for seed in SEEDS])
    assert lids.max(0).min() > 0.95
    assert (lids < 0.3).all(1).mean() > 0.75


def test_the_first_blink_comes_within_three_seconds(example):
    for seed in range(6):
        assert blinks(example(seed)[:75]) >= 1


def test_the_head_moves_as_much_as_real_heads_and_is_not_jittery(example):
    change = np.mean([np.abs(np.diff(example(seed)[:, HEAD], axis=0)).mean() for seed in SEEDS])
    spread = np.mean([example(seed)[:, HEAD].std(0).mean() for seed in SEEDS])
    assert 0.25 < change < 0.65
    assert 2.5 < spread < 6.5
    speed = np.diff(example()[:, HEAD], axis=0)
    power = (np.abs(np.fft.rfft(speed - speed.mean(0), axis=0)) ** 2).sum(1)
    assert power[np.fft.rfftfreq(len(speed), 1 / 25) > 6].sum() < 0.15 * power.sum()


def test_windows_join_without_a_seam(speech):
    features, model = heard(speech), seams.Noting.load()
    for seed in SEEDS:
        made = seams.perform(model, features, seed)
        assert len(made.joins) >= 2
        assert len(made.lip_joins) >= 4
        for group in ("head", "brows", "all but the lips"):
            assert seams.above(seams.changes(made.values, group), made.joins)[0] == 0
        assert seams.above(seams.changes(made.values, "lips"), made.lip_joins)[0] == 0


def test_the_chin_dips_on_stresses(example, speech):
    features = heard(speech)
    accents = rhythm_of(features, len(example()) / 25)
    stress = np.zeros(len(example()))
    for at_s, strength in zip(accents.accent_s, accents.accent_strength, strict=True):
        stress += strength * np.exp(-0.5 * ((np.arange(len(stress)) / 25 - at_s - 0.04) / 0.12) ** 2)
    pitch = np.mean([example(seed)[:, MotionSpace.index("headPitch")] for seed in SEEDS], axis=0)
    quick = [curve - smooth(curve, 0.5, 25) for curve in (-pitch, stress)]
    assert correlation(*quick) > 0.2


def test_the_portrait_is_the_first_frame(example):
    first = example()[0]
    assert not first[[*HEAD, *LIDS, *BROWS]].any()
    assert first[DISTANCE] == 1


def test_no_amplitude_moves_the_lips_only(mama):
    still, lively = mama(amplitude=0.0), mama()
    np.testing.assert_array_equal(opening(still), opening(lively))
    moved = {MotionSpace.names[i] for i in np.flatnonzero(np.ptp(still, axis=0))}
    assert moved <= {*MOUTH_AXES, "speaking"}


@pytest.mark.parametrize("gaze_deg", [(15.0, 0.0), (-18.0, 6.0), (0.0, -8.0)])
def test_the_eyes_look_where_they_are_asked_to(example, gaze_deg):
    """In the room, head and eye together, around the asked direction."""
    values = example(gaze_yaw_deg=gaze_deg[0], gaze_pitch_deg=gaze_deg[1], amplitude=0.5)
    held = values[:, MotionSpace.gaze] + STEADY_EYES * values[:, HEAD[:2]]
    np.testing.assert_allclose(np.median(held[25:], axis=0), GAZE_GAIN * gaze_deg, atol=3)
    still = example(gaze_yaw_deg=gaze_deg[0], gaze_pitch_deg=gaze_deg[1], amplitude=0.0)
    np.testing.assert_allclose(still[25:, MotionSpace.gaze], np.tile(GAZE_GAIN * gaze_deg, (len(still) - 25, 1)))


def test_the_head_turns_with_a_gaze_far_aside_and_never_away_from_it(example):
    left, right = (example(gaze_yaw_deg=yaw)[25:, MotionSpace.index("headYaw")].mean() for yaw in (-30.0, 30.0))
    assert right - left > 6


@pytest.mark.parametrize("distance", [0.7, 1.0, 1.5])
def test_the_head_is_as_far_as_asked(mama, distance):
    np.testing.assert_allclose(mama(head_distance=distance)[:, DISTANCE], distance, rtol=0.01)


@pytest.mark.parametrize("name", EMOTIONS[1:])
def test_an_emotion_moves_its_features_and_lets_the_lips_close(mama, name):
    strengths = np.eye(len(EMOTIONS))[EMOTIONS.index(name)]
    asked = emotion_offset(strengths)
    felt, plain = mama(emotions=((name, 1.0),)), mama()
    seen, unmoved = (values[25:, MotionSpace.dynamics].mean(0) for values in (felt, plain))
    telling = np.flatnonzero(asked >= 0.3)
    assert len(telling) >= 2
    for axis in telling:
        assert seen[axis] > 0.6 * asked[axis], DYNAMICS_AXES[axis]
        assert seen[axis] - unmoved[axis] > 0.25 * asked[axis], DYNAMICS_AXES[axis]  # a plain face is warm at times
    assert sum(closed(felt)) >= len(LIP_CLOSURES_S) - 3


def test_more_steps_keep_the_lips_and_the_liveliness(mama):
    few, many = mama(steps=10), mama(steps=40)
    assert correlation(opening(few), opening(many)) > 0.9
    assert 0.5 < many[:, HEAD].std() / few[:, HEAD].std() < 2


def test_the_performance_follows_the_keyframes(tmp_path, mama):
    rows = [
        {"time": 0, "gaze": [0, 0], "emotion": "neutral", "head_distance": 1, "head": [0, 0, 0]},
        {"time": 1.5, "gaze": [0, 0], "emotion": "neutral", "head": [10, -5, 3]},
        {"time": 2, "gaze": [20, 0], "emotion": "happy", "head_distance": 1.3},
    ]
    (tmp_path / "k.json").write_text(json.dumps({"keyframes": rows}), encoding="utf-8")
    tracks = read_controls(tmp_path / "k.json").tracks(Controls(), len(mama()), 25.0)
    values = generate_module.generate(heard(VOICE), tracks, 25.0, len(tracks), 1).values
    np.testing.assert_allclose(values[38:, HEAD], np.tile([10, -5, 3], (len(values) - 38, 1)))
    np.testing.assert_allclose(values[50:, DISTANCE], 1.3, rtol=0.01)
    held = values[:, MotionSpace.gaze] + STEADY_EYES * values[:, HEAD[:2]]
    assert abs(np.median(held[5:25, 0])) < 3
    assert np.median(held[60:, 0]) == pytest.approx(20 * GAZE_GAIN[0], abs=4)
    more = (values - mama())[:, MotionSpace.index("mouthSmileLeft")]
    assert more[60:].mean() > 0.2, "the smile of the emotion comes with it"
    assert abs(more[:35].mean()) < 0.08, "and not before"


@pytest.mark.parametrize("at", [66, 80])  # the beginning of the second window, and a moment within it
def test_an_emotion_that_ends_is_over(mama, at):
    happy = np.eye(len(EMOTIONS), dtype=np.float32)[EMOTIONS.index("happy")]
    gone = np.clip((np.arange(len(mama())) - at) / 10 + 1, 0, 1)[:, None]
    tracks = replace(
        ControlTracks.constant(Controls(), len(gone), 25.0), emotion=((1 - gone) * happy).astype(np.float32)
    )
    values = generate_module.generate(heard(VOICE), tracks, 25.0, len(tracks), 1).values
    more = (values - mama())[:, MotionSpace.index("mouthSmileLeft")]
    assert more[15 : at - 15].mean() > 0.3
    assert abs(more[at + 8 :].mean()) < 0.05, "not even a little of the smile is left to who is told of it"


def test_an_emotion_asked_at_once_comes_as_faces_do(mama):
    sad = np.eye(len(EMOTIONS), dtype=np.float32)[EMOTIONS.index("sad")]
    at = (np.arange(len(mama())) >= 40)[:, None]
    tracks = replace(ControlTracks.constant(Controls(), len(at), 25.0), emotion=at * sad)
    values = generate_module.generate(heard(VOICE), tracks, 25.0, len(tracks), 1).values
    frown = values[:, MotionSpace.index("mouthFrownLeft")]
    assert frown[:33].max() < 0.1
    assert frown[47:].min() > 0.6
    assert np.abs(np.diff(frown)).max() < 0.25
