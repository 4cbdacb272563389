"""Life: right speed and size, never jittery, never frozen, tied to the voice."""

import numpy as np
import pytest

from talkface.types import FEATURE_RATE_HZ, SpeechFeatures
from tests.test_motion_emotion import strengths
from training.teacher import eyes
from training.teacher.life import Style, band_noise, breathing, brows, head_angles, head_shift, stream, warmth
from training.teacher.moods import emotion_style
from training.teacher.rhythm import GRID_HZ, rhythm_of

SEEDS = range(8)


def voice(duration_s: float = 10.0, silent: bool = False) -> SpeechFeatures:
    """A made-up voice: syllables at 4 Hz in phrases of 2.5 s with pauses of half a second, stresses now and then."""
    frames = int(duration_s * FEATURE_RATE_HZ)
    times_s = (np.arange(frames) + 0.5) / FEATURE_RATE_HZ
    talking = (times_s % 3.0) < 2.5
    stress = 4 * np.sin(2 * np.pi * 1.3 * times_s)
    level_db = np.where(talking, -9 + 7 * np.sin(2 * np.pi * 4 * times_s) + stress, -60).astype(np.float32)
    voiced = (level_db > -12).astype(np.float32)
    pitch_hz = np.where(voiced > 0, 120 + 20 * np.sin(2 * np.pi * 0.7 * times_s), 0).astype(np.float32)
    if silent:
        level_db, voiced, pitch_hz = np.full(frames, -80, np.float32), 0 * voiced, 0 * pitch_hz
    silence = (level_db < -40).astype(np.float16)[:, None]
    return SpeechFeatures(silence, ("sil",), level_db, voiced, pitch_hz, silent)


def at_25_fps(curve: np.ndarray) -> np.ndarray:
    return curve[:: GRID_HZ // 25]


def speed_share_above(curve: np.ndarray, low_hz: float, rate_hz: float) -> float:
    speed = np.diff(curve, axis=0)
    energy = (np.abs(np.fft.rfft((speed - speed.mean(0)) * np.hanning(len(speed))[:, None], axis=0)) ** 2).sum(1)
    return float(energy[np.fft.rfftfreq(len(speed), 1 / rate_hz) > low_hz].sum() / energy.sum())


def test_rhythm_finds_phrases_pauses_and_stresses():
    rhythm = rhythm_of(voice(9.0), 9.0)
    np.testing.assert_allclose(rhythm.phrase_s, [[0, 2.5], [3, 5.5], [6, 8.5]], atol=0.12)
    assert rhythm.activity[GRID_HZ] > 0.95
    assert rhythm.activity[int(2.75 * GRID_HZ)] < 0.35
    assert 4 <= len(rhythm.accent_s) <= 25
    assert (np.diff(rhythm.accent_s) >= 0.27).all()
    level_db = np.interp(rhythm.accent_s, (np.arange(450) + 0.5) / FEATURE_RATE_HZ, voice(9.0).level_db)
    assert level_db.mean() > -5, "stresses fall on loud syllables"


@pytest.mark.parametrize("features", [voice(4, silent=True), voice(0.0), voice(0.02)])
def test_rhythm_of_nothing_is_quiet(features):
    rhythm = rhythm_of(features, 4.0)
    assert len(rhythm.activity) == 4 * GRID_HZ + 1
    assert len(rhythm.accent_s) == 0
    assert np.isfinite(rhythm.activity).all()


def test_rhythm_cuts_endless_speech_into_phrases():
    frames = 60 * FEATURE_RATE_HZ
    features = SpeechFeatures(
        np.zeros((frames, 1), np.float16), ("sil",), np.zeros(frames, np.float32), np.ones(frames, np.float32),
        np.full(frames, 120, np.float32), False,
    )  # fmt: skip
    lengths_s = np.diff(rhythm_of(features, 60.0).phrase_s, axis=1)
    assert lengths_s.max() <= 4.0
    assert lengths_s.min() >= 0.4


@pytest.mark.parametrize("duration_s", [3.0, 5.0, 8.0, 15.0, 60.0])
def test_head_moves_as_much_as_real_heads_and_not_more(duration_s):
    steps, spreads = [], []
    for seed in SEEDS:
        angles = head_angles(rhythm_of(voice(duration_s), duration_s), seed, Style())
        steps.append(np.abs(np.diff(at_25_fps(angles), axis=0)).mean())
        spreads.append(angles.std(0).mean())
        assert (np.abs(angles).max(0) <= [16, 10, 10]).all()
    assert 0.36 <= np.mean(steps) <= 0.53
    assert 3.3 <= np.mean(spreads) <= 5.5
    assert np.percentile(spreads, 10) >= 2.6


def test_head_is_smooth_and_never_frozen():
    for seed in SEEDS:
        angles = head_angles(rhythm_of(voice(), 10.0), seed, Style())
        assert speed_share_above(angles, 6.0, GRID_HZ) < 0.02
        assert speed_share_above(angles, 2.5, GRID_HZ) < 0.35
        moved = np.abs(np.diff(at_25_fps(angles), axis=0)).sum(1)
        assert np.convolve(moved, np.ones(25), "valid").min() > 0.5, "less than half a degree in some second"


def test_head_starts_at_the_portrait_and_softly():
    for seed in SEEDS:
        rhythm = rhythm_of(voice(), 10.0)
        angles = head_angles(rhythm, seed, Style(pitch_deg=-3))
        shift = head_shift(angles, rhythm, seed)
        assert not angles[0].any()
        assert not shift[0].any()
        assert np.abs(angles[: GRID_HZ // 10]).max() < 0.3
        assert np.abs(shift).max() < 0.15


def test_head_calms_in_silence_but_lives_and_breathes():
    loud, quiet = rhythm_of(voice(20.0), 20.0), rhythm_of(voice(20.0, silent=True), 20.0)
    steps = [
        np.mean([np.abs(np.diff(at_25_fps(head_angles(r, seed, Style())), axis=0)).mean() for seed in SEEDS])
        for r in (loud, quiet)
    ]
    assert 0.12 < steps[1] < 0.6 * steps[0]
    breath = breathing(quiet, 3)
    crossings = (np.diff(np.sign(breath - 0.5)) > 0).sum()
    assert 0.15 <= crossings / 20 <= 0.35
    assert breath[0] == 0


def test_head_does_not_drift_away_in_long_speech():
    angles = head_angles(rhythm_of(voice(120.0), 120.0), 5, Style())
    assert (np.abs(angles.mean(0)) < 2.0).all()
    assert (np.abs(angles[-10 * GRID_HZ :].mean(0)) < 6.0).all()


def test_nods_follow_the_stresses_of_the_voice():
    """The chin is lower just after a stress than around it, on average."""
    dips = []
    for seed in range(30):
        rhythm = rhythm_of(voice(10.0), 10.0)
        pitch = head_angles(rhythm, seed, Style())[:, 1]
        at = (rhythm.accent_s[(rhythm.accent_s > 1) & (rhythm.accent_s < 9)] * GRID_HZ).astype(int)
        dips += [pitch[i + 8] - (pitch[i - 35] + pitch[i + 50]) / 2 for i in at]
    assert np.mean(dips) < -0.3


def test_seed_decides_and_parts_are_independent():
    rhythm = rhythm_of(voice(), 10.0)
    first, again, other = (head_angles(rhythm, seed, Style()) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert np.abs(first - other).max() > 2
    assert stream(1, "head").random() != stream(1, "gaze").random()
    assert stream(2**40 + 1, "head").random() != stream(1, "head").random()


def test_band_noise_keeps_to_its_band():
    noise = band_noise(np.random.default_rng(0), 60 * GRID_HZ, 0.2, 0.8)[:, None]
    assert speed_share_above(noise, 1.2, GRID_HZ) < 0.05


def test_brows_rise_with_the_voice_and_not_in_silence():
    loud, quiet = rhythm_of(voice(30.0), 30.0), rhythm_of(voice(30.0, silent=True), 30.0)
    inner, outer, down = brows(loud, 4, Style())
    assert max(inner.max(), outer.max()) > 0.15
    assert inner[0] == outer[0] == down[0] == 0
    assert max(c.max() for c in brows(quiet, 4, Style())) < 0.15


def test_the_angry_do_not_smile_and_the_happy_smile_more():
    rhythm = rhythm_of(voice(60.0), 60.0)
    smiles = {name: warmth(rhythm, 4, emotion_style(strengths(**{name: 1.0}))).mean() for name in ("angry", "happy")}
    assert smiles["angry"] == 0 < warmth(rhythm, 4, Style()).mean() < smiles["happy"]


@pytest.mark.parametrize("duration_s", [5.0, 10.0, 60.0])
def test_blinks_come_at_a_human_rate_and_the_first_within_three_seconds(duration_s):
    rates = []
    for seed in range(40):
        rhythm = rhythm_of(voice(duration_s), duration_s)
        events = eyes.blinks(rhythm, eyes.fixations(rhythm, seed), seed, Style())
        assert 0.3 < events[0].shut_s < 3.0
        assert all(b.shut_s - a.shut_s >= 0.42 for a, b in zip(events, events[1:], strict=False))
        rates.append(len(events) * 60 / duration_s)
    assert 15 <= np.mean(rates) <= 30


def test_even_a_short_clip_has_a_blink():
    for seed in range(40):
        rhythm = rhythm_of(voice(1.4), 1.4)
        assert len(eyes.blinks(rhythm, eyes.fixations(rhythm, seed), seed, Style())) == 1


@pytest.mark.parametrize("fps", [24, 25, 30, 50])
def test_every_blink_closes_fully_whatever_the_frame_rate(fps):
    rhythm = rhythm_of(voice(60.0), 60.0)
    events = eyes.blinks(rhythm, eyes.fixations(rhythm, 7), 7, Style())
    times_s = np.arange(60 * fps) / fps
    lids = eyes.lid_curve(events, times_s)
    for blink in events:
        near = np.abs(times_s - blink.shut_s) < 0.1
        assert (lids[near].max(0) >= 0.99).all()
    fine_s = np.arange(60_000) / 1000
    shut = eyes.lid_curve(events, fine_s)[:, 0] > 0.1
    length_s = shut.sum() / 1000 / len(events)
    assert 0.15 <= length_s <= 0.30
    assert eyes.lid_curve([], times_s).max() == 0


def test_some_blinks_come_in_pairs_and_some_are_long():
    rhythm = rhythm_of(voice(300.0), 300.0)
    events = eyes.blinks(rhythm, eyes.fixations(rhythm, 3), 3, Style())
    gaps_s = np.diff([blink.shut_s for blink in events])
    long = np.array([blink.held_s > 0.1 for blink in events])
    assert 0.05 < (gaps_s < 0.61).mean() < 0.3
    assert 0.03 < long.mean() < 0.25
    lids = eyes.lid_curve(events, np.arange(30_000) / 100)[:, 0] > 0.98
    held = next(blink for blink in events if blink.held_s > 0.1)
    assert lids[round(held.shut_s * 100) + 2 : round((held.shut_s + held.held_s) * 100) - 2].all()


def lid_heights(style: Style, silent: bool = False) -> np.ndarray:
    """Of eight performances (8, N)."""
    rhythm = rhythm_of(voice(30.0, silent=silent), 30.0)
    drawn = [eyes.blinks(rhythm, eyes.fixations(rhythm, seed), seed, style) for seed in SEEDS]
    heights = [eyes.lid_height(rhythm, events, seed, style) for seed, events in enumerate(drawn)]
    return eyes.lid_limit(np.stack(heights))


def test_lids_hang_differently_from_blink_to_blink_and_not_too_low():
    heights = lid_heights(Style())
    assert 0.07 < heights.std() < 0.2
    assert 0.0 < heights.mean() < 0.15
    assert np.abs(heights).max() <= 0.3
    assert not heights[:, 0].any()
    assert np.abs(np.diff(heights, axis=1)).max() < 0.08
    assert lid_heights(Style(lids=0.2)).std() < 0.05


def test_gaze_rests_and_jumps():
    rhythm = rhythm_of(voice(60.0), 60.0)
    holds, sizes = [], []
    for seed in SEEDS:
        fixed = eyes.fixations(rhythm, seed)
        holds += np.diff(fixed.start_s).tolist()
        sizes += np.hypot(*fixed.target_deg.T).tolist()
        curve = eyes.gaze_curve(fixed, np.arange(6000) / 100, seed)
        speed = np.hypot(*np.diff(curve, axis=0).T)
        assert np.mean(speed < 0.02) > 0.8, "the eyes rest most of the time"
        assert (curve[0] == 0).all()
        assert (np.abs(curve.mean(0)) < 1.5).all()
    assert 1.0 <= np.mean(holds) <= 4.0
    assert np.mean(np.array(sizes) < 4) > 0.75
    assert max(sizes) <= 8.5
