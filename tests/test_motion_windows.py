"""Windows: all frames covered, each goes on from the one before, borders do not show."""

import numpy as np
import pytest

from talkface.motion.windows import RETURN_FRAMES, average, calmest, roll_out, starts, taken_over, usual_step

REST = np.zeros(2, np.float32)


@pytest.mark.parametrize("frames", [1, 5, 6, 20, 21, 34, 35, 36, 500])
def test_every_frame_is_covered_and_neighbours_overlap(frames):
    window, overlap = 20, 6
    firsts = starts(frames, window, overlap)
    assert firsts[0] == 0
    assert firsts[-1] + window >= frames
    assert all(b - a == window - overlap for a, b in zip(firsts[:-1], firsts[1:], strict=True))
    assert len(firsts) == 1 or firsts[-2] + window < frames + overlap


def test_a_window_hears_of_the_frames_before_it():
    told = []

    def sample(start: int, previous: np.ndarray) -> np.ndarray:
        told.append((start, previous.copy()))
        return np.arange(start, start + 20, dtype=np.float32)[:, None] + np.zeros(2, np.float32)

    motion, joins = roll_out(50, REST - 1, 4, 20, 6, sample)
    np.testing.assert_allclose(motion[:, 0], np.arange(50), rtol=1e-6)
    assert len(joins) == len(told) - 1
    assert (told[0][1] == -1).all()
    for start, previous in told[1:]:
        np.testing.assert_allclose(previous[:, 0], np.arange(start - 4, start), rtol=1e-6)


def test_a_window_takes_over_where_every_part_is_calm_in_both():
    made = np.zeros((14, 2), np.float32)
    made[2:, 0], made[11:, 1] = 1, 1
    assert 4 <= calmest(made, made, ([0], [1])) <= 7
    assert calmest(made, made, ([1],)) < 4


def test_a_slow_axis_is_not_joined_in_its_liveliest_moment_for_being_slow():
    """Eyelids move less than a head does in the units of the network, and are seen as well."""
    steps = np.tile(np.array([1.0, 0.02], np.float32), (60, 1))
    steps[10:22, 1] = 0.3
    steps[12:15, 0] = 0.9
    course = np.cumsum(steps, axis=0)
    columns = ([0], [1])
    joins = roll_out(50, REST, 4, 40, 30, lambda start, previous: course[start : start + 40], columns)[1]
    assert joins[0] > 23
    assert calmest(course[10:40], course[10:40], columns) < 6, "without it, the calmest moment of the head"


def test_an_axis_at_rest_does_not_decide_where_a_window_takes_over():
    steps = usual_step(np.cumsum(np.ones((9, 2), np.float32) * (1, 0), axis=0), np.zeros((3, 2), np.float32))
    assert steps[0] == pytest.approx(0.8)
    assert 0 < steps[1] < steps[0]
    assert (usual_step(np.zeros((4, 2), np.float32)) > 0).all()


def test_a_window_takes_over_where_it_agrees():
    before, after = np.zeros((14, 1), np.float32), np.linspace(0.9, -0.4, 14, dtype=np.float32)[:, None]
    assert calmest(before, after, ([0],)) in (8, 9)


def test_a_window_goes_on_with_the_place_and_the_speed_of_the_one_before():
    time = np.arange(80, dtype=np.float32)[:, None]
    before, made, last = 0.1 * time[:14] + 2, np.sin(time / 9), 6
    motion = np.concatenate([before[: last + 1], taken_over(before, made, last)])
    assert motion.shape == made.shape
    assert np.abs(np.diff(motion, 2, axis=0)).max() < 0.1
    np.testing.assert_allclose(motion[last + 1], before[last + 1], atol=0.05)
    np.testing.assert_allclose(motion[last + RETURN_FRAMES :], made[last + RETURN_FRAMES :], atol=1e-5)


def test_windows_that_disagree_are_joined_without_a_jump():
    levels = iter([0.0, 7.0])
    sample = lambda start, previous: np.full((20, 2), next(levels), np.float32)  # noqa: E731
    motion, (join,) = roll_out(34, REST, 4, 20, 6, sample)
    assert 14 < join < 20
    assert (motion[:join] == 0).all()
    assert 0 < np.diff(motion[:, 0])[join - 1 :].max() < 1.1
    np.testing.assert_allclose(motion[-1], 7, rtol=1e-5)


def test_a_short_speech_is_one_window_cut_off():
    motion, joins = roll_out(3, REST, 4, 20, 6, lambda start, previous: np.ones((20, 2), np.float32))
    assert motion.shape == (3, 2)
    assert not joins


def waving(start: int, count: int = 20) -> np.ndarray:
    """A window that rests in frames 100, 112, 124 ... and moves most between them."""
    return np.sin((np.arange(start, start + count) - 100) * np.pi / 12)[:, None].astype(np.float32) ** 3


def test_windows_that_agree_average_to_what_they_say():
    truth = np.random.default_rng(0).normal(size=(70, 3)).astype(np.float32)
    padded = np.concatenate([np.full((10, 3), 9.0, np.float32), truth, np.full((30, 3), 9.0, np.float32)])
    guesses = [(start, padded[start + 10 : start + 30]) for start in range(-7, 70, 7)]
    motion, joins = average(70, 20, 6, guesses, slice(None))
    np.testing.assert_allclose(motion, truth, atol=1e-5)
    assert all(join - start in range(8, 14) for join, (start, _) in zip(joins, guesses, strict=False))


def test_an_average_goes_over_from_one_window_to_the_next():
    guesses = [(start, np.full((20, 1), start, np.float32)) for start in range(-6, 40, 7)]
    motion = average(40, 20, 6, guesses, slice(None))[0][:, 0]
    assert (np.diff(motion) >= 0).all()
    assert np.diff(motion).max() < 1.1


def test_averaged_windows_begin_to_count_where_they_and_their_neighbours_are_calm():
    guesses = [(start, waving(start, 40) + start) for start in range(-12, 100, 12)]
    joins = average(100, 40, 16, guesses, slice(None))[1]
    steps = np.abs(np.diff(waving(0, 101)[:, 0]))
    assert len(joins) >= 7
    assert max(steps[join - 1] for join in joins) < 0.1 * steps.max()


def test_only_the_columns_asked_decide_where_an_average_goes_over():
    restless = np.random.default_rng(0).normal(size=(240, 1)).astype(np.float32)

    def joins(beside: np.ndarray) -> list[int]:
        guesses = [(s, np.hstack([waving(s, 40), beside[s + 50 : s + 90]])) for s in range(-12, 100, 12)]
        return average(100, 40, 16, guesses, np.array([0]))[1]

    assert joins(0 * restless) == joins(restless)


def test_a_short_speech_is_what_its_window_says():
    guesses = [(-6, np.arange(-6, 14, dtype=np.float32)[:, None])]
    motion, joins = average(3, 20, 6, guesses, slice(None))
    np.testing.assert_array_equal(motion[:, 0], [0, 1, 2])
    assert not joins
