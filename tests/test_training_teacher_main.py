"""The rules' motion as a file: the rules' performance under the same options and keyframes, read back."""

import numpy as np
from typer.testing import CliRunner

from talkface.media.motion_file import read_motion
from talkface.space import MotionSpace
from tests.test_speech_encoder import VOICE
from training.teacher.__main__ import app


def test_the_file_is_the_rules_performance(tmp_path):
    (tmp_path / "k.json").write_text('{"keyframes": [{"time": 0, "head_distance": 1.2}]}')
    choices = ["--seed", "3", "--gaze", "-10,4", "--emotion", "sad:0.5", "--fps", "50"]
    path = tmp_path / "m.npz"
    said = CliRunner().invoke(app, [str(VOICE), "-o", str(path), "--controls", str(tmp_path / "k.json"), *choices])
    assert said.output == f"{path}\n", said.exception
    motion = read_motion(path)
    assert motion.fps == 50
    np.testing.assert_allclose(motion.values[:, MotionSpace.index("headDistance")], 1.2)
    assert motion.values[50:, MotionSpace.index("gazeYaw")].mean() < -10
    assert motion.values[50:, MotionSpace.index("mouthFrownLeft")].mean() > 0.25
    assert np.ptp(motion.values[:, MotionSpace.index("jawOpen")]) > 0.2
    assert np.load(path)["seed"] == 3


def test_another_ending_is_refused(tmp_path):
    said = CliRunner().invoke(app, [str(VOICE), "-o", str(tmp_path / "m.mp4")])
    assert said.exit_code == 2
    assert "does not end in" in said.output
