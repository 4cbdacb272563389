"""The arithmetic of the benchmarks: known poses come out, known features move, published tables replace old ones."""

import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from benchmarks import devices
from benchmarks.cases import wishes_and_rest
from benchmarks.closures import Closures, Phone, lip_gap, read_phones
from benchmarks.controls import FEATURES, LIP_CORNERS, Look
from benchmarks.devices import SPEED_ROWS, Run, apart
from benchmarks.devices import report as devices_report
from benchmarks.expressions import settings, sheet
from benchmarks.performances import FIGURES, figures, likeness
from benchmarks.performers import NAMES, performers
from benchmarks.publish import publish
from benchmarks.quality import columns_of, medians, summary_table
from benchmarks.seams import LIDS, Performance, above, changes
from benchmarks.seams import report as seams_report
from benchmarks.transfer import Curves, report
from benchmarks.turns import damage
from talkface.face.model import FaceModel
from talkface.pose import rotation
from talkface.space import DYNAMICS_AXES, MotionSpace
from talkface.types import Controls, MotionSequence, SpeechFeatures
from training.life_statistics import blink_lengths_s, speed_shares, take_out_pose
from training.speech_phones import PHONES

ROOT = Path(__file__).resolve().parents[1]


def neutral_marks() -> np.ndarray:
    """Landmarks (478, 3) of the mean face in pixels, y down, z away; irises in the middle of the eyes."""
    model = FaceModel.load()
    mesh = model.mesh(np.zeros(model.identities))
    seen = (mesh.neutral[model.landmark_vertices] * model.landmark_weights[..., None]).sum(1)
    marks = np.zeros((478, 3))
    marks[: len(seen)] = seen * (20, -20, -20)
    marks[468:473] = marks[[33, 133]].mean(0)
    marks[473:] = marks[[362, 263]].mean(0)
    return marks


def test_take_out_pose_finds_the_rotation_and_leaves_the_face():
    face = neutral_marks()
    yaw_deg = np.array([0.0, 0.0, 0.0, 5.0, 12.0])
    flipped = np.diag([1.0, -1.0, -1.0])
    turned = np.stack([face @ (flipped @ rotation(yaw, 0, 0) @ flipped).T + (300, 200, 0) for yaw in yaw_deg])
    flat, angles = take_out_pose(turned)
    np.testing.assert_allclose(np.abs(angles[:, 1]), yaw_deg, atol=0.2)
    np.testing.assert_allclose(angles[:, [0, 2]], 0, atol=0.2)
    np.testing.assert_allclose(flat, np.broadcast_to(flat[0], flat.shape), atol=0.3)


def test_speed_shares_find_the_band():
    times_s = np.arange(500) / 25
    shares = speed_shares(np.stack([np.sin(2 * np.pi * 2.0 * times_s)] * 3, 1))
    assert shares[4] > 0.95
    assert shares.sum() == pytest.approx(1)


def test_blinks_are_found_with_their_length():
    flat = np.broadcast_to(neutral_marks(), (100, 478, 3)).copy()
    for upper, lower in ((159, 145), (386, 374)):
        flat[40:45, upper] = flat[40:45, lower]
    np.testing.assert_allclose(blink_lengths_s(flat), [0.2])


def test_features_follow_the_lip_corners_and_nothing_else():
    face = neutral_marks()
    smile = face.copy()
    width_px = np.linalg.norm(face[[33, 133]].mean(0) - face[[362, 263]].mean(0))
    smile[list(LIP_CORNERS), 1] -= 0.05 * width_px
    change = Look.of(smile[None]).features() - Look.of(face[None]).features()
    expected = np.array([0.05 if name == "lip corners up" else 0.0 for name in FEATURES])
    np.testing.assert_allclose(change, expected, atol=2e-3)


def test_gaze_and_distance_are_read_from_the_landmarks():
    face, aside = neutral_marks(), neutral_marks()
    aside[468:] += (0.1 * np.linalg.norm(face[33] - face[133]), 0, 0)
    assert Look.of(aside[None]).gaze_deg()[0] - Look.of(face[None]).gaze_deg()[0] == pytest.approx(13.8, abs=1.5)
    near = Look.of(1.25 * face[None]).interocular_px() / Look.of(face[None]).interocular_px()
    assert near == pytest.approx(1.25)


def test_medians_take_the_size_of_lags_and_skip_what_is_missing():
    rows = [{"env_lag_ms": -40, "env_r": 0.5}, {"env_lag_ms": 40}, {"env_lag_ms": 0, "env_r": 0.7}]
    assert medians(rows) == {"env_r": pytest.approx(0.6), "env_lag_ms": 40}
    assert "| abs env_lag_ms | 40 |" in summary_table({"ours": rows})


def test_the_rules_stand_beside_the_model_and_the_recordings():
    row = {"env_r": 0.5}
    columns = columns_of(
        {"model": {"real/1": row, "vasa1/2": row}, "rules": {"real/1": row}, "reference": {"real/1": row}}
    )
    assert list(columns) == ["talkface, real", "rules, real", "recordings themselves", "talkface, vasa1"]


def test_the_rules_get_the_wishes_and_the_renderer_the_rest():
    options = [
        "--size",
        "384",
        "--gaze",
        "-5,2",
        "--emotion",
        "sad",
        "--steps",
        "20",
        "--full",
        "--emotion",
        "happy:0.1",
    ]
    wishes, rest = wishes_and_rest(options)
    assert wishes == ["--gaze", "-5,2", "--emotion", "sad", "--emotion", "happy:0.1"]
    assert rest == ["--size", "384", "--full"]


def test_model_and_rules_perform_in_one_run():
    phones, zeros = np.eye(len(PHONES), dtype=np.float16)[[5] * 60], np.zeros(60, np.float32)
    heard, found = SpeechFeatures(phones, PHONES, zeros, zeros, zeros, False), performers()
    assert tuple(found) == NAMES
    for perform in found.values():
        values = perform(heard, Controls(head_distance=1.2), 25.0, 30, 1).values
        assert values.shape == (30, MotionSpace.size)
        np.testing.assert_allclose(values[:, MotionSpace.index("headDistance")], 1.2, rtol=0.02)


def test_every_command_is_on_the_page_with_options_that_exist():
    page = (ROOT / "benchmarks" / "README.md").read_text(encoding="utf-8").replace("\\\n", "")
    shared = "".join(
        (ROOT / "benchmarks" / f"{name}.py").read_text(encoding="utf-8") for name in ("cases", "performers")
    )
    for path in (ROOT / "benchmarks").glob("*.py"):
        source = path.read_text(encoding="utf-8")
        if "__main__" not in source:
            continue
        commands = re.findall(rf"^python -m benchmarks\.{path.stem}\b(.*?)(?: #.*)?$", page, re.MULTILINE)
        assert commands, f"{path.stem} is not on the page"
        for option in re.findall(r"(?<=\s)--[a-z-]+", commands[0]):
            assert f'"{option}"' in source + shared, f"{path.stem} has no {option}"


def test_publish_replaces_only_its_own_part(tmp_path):
    readme = tmp_path / "README.md"
    readme.write_text("before\n<!-- quality -->\nold\n<!-- /quality -->\nafter\n", encoding="utf-8")
    publish(readme, "new\n", "quality")
    publish(readme, "more\n", "controls")
    text = readme.read_text(encoding="utf-8")
    assert text.startswith("before\n<!-- quality -->\nnew\n<!-- /quality -->\nafter\n")
    assert text.endswith("<!-- controls -->\nmore\n<!-- /controls -->\n")
    assert "old" not in text


def test_closures_are_counted_near_a_phone_and_frames_inside_it(tmp_path):
    (tmp_path / "phones").write_text("pau:0.2 m:0.4 ah:0.8 p:1.0 iy:1.4 b:9.0", encoding="utf-8")
    phones = read_phones(tmp_path / "phones")
    assert phones[1] == Phone(0.2, 0.4, "m")
    opening = np.full(36, 0.2)
    opening[[6, 7, 26]] = 0.01
    found = Closures.of(opening, phones, touching=0.02)
    np.testing.assert_array_equal(found.frames_near, [2, 1])
    assert found.inside.sum() == 2
    assert Closures.together([found, found]).cells().startswith("4 | 100.0% | 50.0% |")


def test_lip_gap_is_zero_on_closed_lips_and_opens_with_the_jaw():
    mouth = np.zeros((3, len(DYNAMICS_AXES)))
    mouth[1:, DYNAMICS_AXES.index("jawOpen")] = 0.3
    mouth[2, DYNAMICS_AXES.index("mouthClose")] = 0.3
    gaps = lip_gap(mouth)
    assert gaps[1] > 0.1
    assert max(gaps[0], gaps[2]) < 0.02


def test_figures_of_a_performance_and_how_alike_two_are():
    times_s = np.arange(250) / 25
    values = np.zeros((250, MotionSpace.size))
    values[:, MotionSpace.index("headYaw")] = 6 * np.sin(2 * np.pi * 0.5 * times_s)
    values[50:55, MotionSpace.columns("eyeBlinkLeft", "eyeBlinkRight")] = 1
    found = dict(zip(FIGURES, figures(values), strict=True))
    assert found["spread, deg"] == pytest.approx(6 / np.sqrt(2) / 3, rel=0.01)
    assert found["largest yaw, deg"] == pytest.approx(6, rel=0.01)
    assert (found["blinks a minute"], found["first blink, s"], found["blink, ms"]) == (6, 2, 200)
    lips, head, brows = likeness(values, values)
    assert head == pytest.approx(1)
    assert np.isnan([lips, brows]).all()


def test_faces_that_move_alike_correlate_whatever_their_size():
    face, wider = neutral_marks(), neutral_marks() * (1.2, 1, 1)
    opening = np.abs(np.sin(np.arange(20)))[:, None]
    noise = np.random.default_rng(0).normal(size=(2, 20, 478, 3)) * 1e-3
    moved = [np.repeat(marks[None], 20, 0) + shake for marks, shake in zip((face, wider), noise, strict=True)]
    for marks in moved:
        marks[:, 14, 1] += 10 * opening[:, 0]
    rows = report([Curves.of(marks) for marks in moved]).splitlines()
    assert next(row for row in rows if "lip opening" in row).startswith("| lip opening | 1.000 | 1.000 |")


def test_every_emotion_and_gaze_direction_has_its_sheet():
    assert {"emotion_happy", "emotion_contempt", "gaze_left", "gaze_up"} <= set(settings())
    tiles = [[Image.new("RGB", (40, 40), "red")] * 3, [Image.new("RGB", (60, 60), "blue")] * 3]
    picture = sheet("emotion: happy", tiles, 32)
    assert picture.size == (96, 82)
    assert picture.getpixel((80, 70)) == (0, 0, 255)


def test_a_jump_at_a_border_is_found_and_blinks_are_no_jumps():
    values = np.cumsum(np.random.default_rng(0).normal(size=(400, MotionSpace.size)), axis=0) / 30
    values[:, LIDS] = 0
    values[100:105, LIDS] = 1
    joins = [66, 100, 132]
    assert np.isnan(changes(values, "eyes")[[0, 99, 100, 104]]).all()
    assert above(changes(values, "head"), joins) == (0, 3)
    values[132:, MotionSpace.columns("headYaw", "headPitch", "headRoll")] += 3
    assert above(changes(values, "head"), joins) == (1, 3)
    row = next(r for r in seams_report([Performance(values, joins, [40])], 80).splitlines() if r.startswith("| head"))
    assert row.startswith("| head | 3 | 1 |")


def test_drawing_is_timed_from_its_beginning(monkeypatch):
    """Frames are drawn ahead: those that were ready before the clock started would cost nothing."""
    drawn = []

    def draw(_analysis, motion, *_rest):
        drawn.append(0)
        for frame in np.zeros((len(motion.values), 4, 4, 3), np.uint8):
            drawn[-1] += 1
            yield frame

    monkeypatch.setattr(devices.pipeline, "draw", draw)
    frame_s, kept = devices._drawn(None, MotionSequence(np.zeros((300, MotionSpace.size)), 25.0), None, None)
    assert frame_s > 0
    assert drawn == [len(kept), 300]


def test_what_two_devices_made_is_compared_axis_by_axis_and_frame_by_frame():
    values = np.zeros((3, MotionSpace.size), np.float32)
    moved = values.copy()
    moved[1, MotionSpace.index("headPitch")] = -0.25
    frames = np.full((2, 4, 4, 3), 100, np.uint8)
    noisy = frames.copy()
    noisy[1] += 10
    speed = tuple(range(len(SPEED_ROWS)))
    one, other = (Run(n, speed, MotionSequence(v, 25.0), f) for n, v, f in (("a", values, frames), ("b", moved, noisy)))
    assert "0.2500 (headPitch)" in apart(one, other)
    assert "28.1 dB" in apart(one, other), "255 / 10 is 28.1 dB, and the worst frame counts"
    assert apart(one, other) in devices_report([one, other])


def test_folds_and_smears_are_counted_by_what_there_is_to_see():
    x, y = np.meshgrid(np.arange(0.0, 400, 4), np.arange(0.0, 400, 4))
    still, shifted = np.zeros((2, *x.shape)), np.stack([np.full_like(x, 7), np.full_like(x, -3)])
    folded = np.stack([np.where(y < 100, -2 * (x - 200), 0), 0 * x])  # the upper quarter is mirrored
    stretched = np.stack([0 * x, np.where(x < 200, 1.5 * y, 0)])
    found = damage(np.stack([still, shifted, folded, stretched]), 4.0, np.ones_like(x))
    assert np.allclose(found.folded, [0, 0, 25, 0], atol=2)
    assert np.allclose(found.smeared[[0, 1, 3]], [0, 0, 50], atol=2)
    plain_above = damage(folded[None], 4.0, np.where(y < 110, 0.0, 1.0))
    assert plain_above.folded[0] == 0
