"""Training the motion model, in small: windows cut right, losses that mean what they say, a run that can go on."""

import csv
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

from talkface.motion.conditions import AUDIO_EXTRAS, AXES, COLUMNS, to_departure
from talkface.motion.denoiser import AUDIO_BEFORE, CONDITIONS, Denoiser, DenoiserConfig
from talkface.motion.schedule import alphas_cumprod
from talkface.space import MotionSpace
from training.motion_batches import Stream, Windows, spread_of
from training.motion_data import SOURCES, MotionClip, read_clips, read_folder, save_clips
from training.motion_losses import TERMS, closure, functional, losses, measure_spreads
from training.motion_train import Goal, Run, blended, report, train
from training.speech_phones import PHONES

CONFIG = DenoiserConfig(AXES, PHONES, SOURCES, len(PHONES) + AUDIO_EXTRAS, 16, 1, 2, 2, 20, 4)
FRAMES = 50


def clip(seed: int, **changes) -> MotionClip:
    """Two seconds of a voice that grows louder, and of a face that moves at random, from rest."""
    rng = np.random.default_rng(seed)
    phones = rng.dirichlet(np.full(len(PHONES), 0.1), 2 * FRAMES).astype(np.float16)
    motion = rng.uniform(0, 0.5, (FRAMES, MotionSpace.size)).astype(np.float16)
    motion[0] = 0
    level = np.linspace(-40, 0, 2 * FRAMES).astype(np.float32)
    values = {
        "name": f"clip{seed}", "source": "teacher", "speaker": "corpus/person", "held_out": False, "phones": phones,
        "level_db": level, "voiced": 0 * level + 1, "pitch_hz": 0 * level + 120, "is_silent": False, "motion": motion,
        "known": np.ones(MotionSpace.size, bool), "gaze_deg": np.array([10, 0], np.float32), "head_distance": 1.25,
        "emotion": np.zeros(8, np.float32), "opening": True,
    }  # fmt: skip
    return MotionClip(**values | changes)


@pytest.fixture
def clips() -> list[MotionClip]:
    known = np.ones(MotionSpace.size, bool)
    known[MotionSpace.pose] = False
    return [clip(0), clip(1), clip(2, source="grid_s1", known=known, opening=False)]


def windows_of(clips: list[MotionClip]) -> Windows:
    return Windows(clips, CONFIG, *spread_of(clips))


def test_shards_round_trip(tmp_path, clips):
    save_clips(tmp_path / "shard.npz", [*clips, clip(3, held_out=True)])
    back = read_clips(tmp_path / "shard.npz")
    assert [c.name for c in back] == ["clip0", "clip1", "clip2", "clip3"]
    np.testing.assert_array_equal(back[1].motion, clips[1].motion)
    assert [c.name for c in read_folder(tmp_path, held_out=True)] == ["clip3"]


def test_a_window_holds_the_motion_and_the_sound_of_the_same_time():
    windows = windows_of([replace(clip(0), opening=False)])
    batch = windows.batch(8, np.random.default_rng(0), whole=True)
    truth = (to_departure(clip(0).motion) - windows.mean) / windows.spread
    for row in range(8):
        first = int(np.abs(truth - batch.clean[row, 0].numpy()).sum(1).argmin())
        np.testing.assert_allclose(batch.clean[row, 0], truth[first], atol=2e-3)
        level = batch.audio[row, AUDIO_BEFORE + 2 * CONFIG.context, len(PHONES)]
        assert float(level) == pytest.approx(np.linspace(-40, 0, 2 * FRAMES)[2 * first] / 20 + 1, abs=2e-3)


def test_before_a_portrait_at_rest_there_is_rest(clips):
    windows = windows_of(clips[:1])
    made = windows._window(windows.material[0], np.random.default_rng(0), whole=True)
    assert made[6].shape == (CONFIG.context, len(AXES))
    rest = windows._previous(windows.material[0], 0) * windows.spread + windows.mean
    np.testing.assert_allclose(rest, 0, atol=1e-3)
    assert windows_of(clips[2:])._previous(windows_of(clips[2:]).material[0], 0) is None


def test_conditions_are_dropped_at_random_but_not_when_checking(clips):
    windows, rng = windows_of(clips[:2]), np.random.default_rng(0)
    assert windows.batch(64, rng, whole=True).keep.all()
    keep = windows.batch(400, rng).keep
    dropped = 1 - keep.float().mean(0)
    assert dropped[CONDITIONS.index("audio")] == pytest.approx(0.1, abs=0.05)
    assert dropped[CONDITIONS.index("previous")] == pytest.approx(0.3, abs=0.08)


def test_a_perfect_guess_costs_nothing_and_the_unknown_does_not_count(clips):
    windows = windows_of(clips)
    batch = windows.batch(8, np.random.default_rng(0), whole=True)
    net = Denoiser(CONFIG)
    spreads = measure_spreads(batch, net)
    assert all(float(v) == 0 for v in losses(batch.clean, batch.clean, batch.weight, spreads).values())
    elsewhere = batch.clean + (1 - batch.weight) * torch.randn_like(batch.clean)
    found = losses(elsewhere, batch.clean, batch.weight, spreads)
    assert float(found["value"]) == 0
    wrong = losses(batch.clean + 1, batch.clean, batch.weight, spreads)
    assert float(wrong["value"]) == pytest.approx(1, rel=1e-4)
    assert float(wrong["velocity"]) == pytest.approx(0, abs=1e-6)
    assert set(wrong) == set(TERMS)


def test_opening_is_a_sum_of_axes_and_closures_are_found():
    amounts = functional({"jawOpen": 0.5, "mouthUpperUp": 0.1})
    motion = torch.zeros(1, 1, len(AXES))
    for name in ("jawOpen", "mouthUpperUpLeft", "mouthUpperUpRight"):
        motion[..., AXES.index(name)] = 1
    assert float(motion @ amounts) == pytest.approx(0.6)
    assert float(closure(motion)) == 0
    motion[..., AXES.index("mouthPressLeft")] = 0.35
    assert float(closure(motion)) == pytest.approx(1)


def test_the_spread_ignores_what_is_unknown(clips):
    hidden = np.zeros(MotionSpace.size, bool)
    wild = replace(clips[0], motion=100 * clips[0].motion, known=hidden)
    for found, expected in zip(spread_of([clips[0], wild]), spread_of(clips[:1]), strict=True):
        np.testing.assert_allclose(found, expected)
    assert len(COLUMNS) == len(AXES)


def test_batches_prepared_by_other_processes_differ_and_can_be_had_again(clips):
    stream = Stream(windows_of(clips), 4, (0, 0))

    def first_batches() -> list[torch.Tensor]:
        loader = DataLoader(stream, batch_size=None, num_workers=2)
        return [batch.clean for batch, _ in zip(loader, range(3), strict=False)]

    drawn = first_batches()
    assert not torch.equal(drawn[0], drawn[1]), "two processes must not draw the same"
    for batch, again in zip(drawn, first_batches(), strict=True):
        torch.testing.assert_close(batch, again)


def test_a_run_learns_logs_and_goes_on_where_it_stopped(tmp_path, clips):
    torch.manual_seed(0)
    windows, device = windows_of(clips), torch.device("cpu")
    held_out = [windows.batch(4, np.random.default_rng(1), whole=True)]
    run = Run(tmp_path, Denoiser(CONFIG), device)
    spreads = measure_spreads(held_out[0], run.net)
    train(run, iter(Stream(windows, 4, (0, 0))), held_out, spreads, Goal(1.0, windows=12))
    assert run.step == 3
    again = Run(tmp_path, Denoiser(CONFIG), device)
    assert (again.step, again.windows) == (3, 12)
    for name, value in again.net.state_dict().items():
        torch.testing.assert_close(value, run.net.state_dict()[name])
    train(again, iter(Stream(windows, 4, (3, 0))), held_out, spreads, Goal(1.0, windows=20))
    lines = (tmp_path / "log.csv").read_text().splitlines()
    assert lines[0].startswith("minutes,step,windows,value")
    assert [line.split(",")[1] for line in lines[1:]] == ["3", "5"]
    kept = Run(tmp_path, Denoiser(CONFIG), device)
    for name, value in blended(kept.early, kept.average).items():
        torch.testing.assert_close(value, (kept.early[name] + kept.average[name]) / 2)


def test_a_run_too_short_for_early_weights_stores_its_last():
    late = {"weight": torch.ones(2)}
    assert blended({}, late) is late


def test_no_clips_is_an_error():
    with pytest.raises(ValueError, match="no clips"):
        windows_of([])


def test_a_batch_that_is_not_finite_leaves_the_network_as_it_was(tmp_path, clips):
    windows = windows_of(clips)
    batch = windows.batch(4, np.random.default_rng(1), whole=True)
    run = Run(tmp_path, Denoiser(CONFIG), torch.device("cpu"))
    spreads, before = measure_spreads(batch, run.net), {k: v.clone() for k, v in run.net.state_dict().items()}
    spoiled = replace(batch, audio=torch.full_like(batch.audio, torch.nan))
    left_out = run.update(spoiled, alphas_cumprod(), spreads, 0.0)
    for name, value in run.net.state_dict().items():
        torch.testing.assert_close(value, before[name])
    used = run.update(batch, alphas_cumprod(), spreads, 0.0)
    assert any(not torch.equal(value, before[name]) for name, value in run.net.state_dict().items())
    report(run, [left_out, used, left_out], {})
    (row,) = csv.DictReader((tmp_path / "log.csv").read_text().splitlines())
    assert row["left_out"] == "2"
    assert float(row["value"]) == pytest.approx(used["value"], abs=1e-4)
