"""What blendshapes do to the mouth, against the face model itself."""

import numpy as np
import pytest

from talkface.face.model import FaceModel
from talkface.motion.mouth import OPENING_PER_UNIT, WIDTH_PER_UNIT, measure
from talkface.space import DYNAMICS_AXES


def test_a_closed_jaw_and_a_jaw_closed_by_the_lips_are_closed():
    mouth = np.zeros((3, len(DYNAMICS_AXES)))
    mouth[1:, DYNAMICS_AXES.index("jawOpen")] = 0.4
    mouth[2, DYNAMICS_AXES.index("mouthClose")] = 0.4
    np.testing.assert_allclose(measure(mouth)[0], [0, 0.4 * OPENING_PER_UNIT["jawOpen"], 0], atol=1e-12)


def test_pursed_lips_are_narrow_and_stretched_ones_wide():
    mouth = np.zeros((2, len(DYNAMICS_AXES)))
    mouth[0, DYNAMICS_AXES.index("mouthPucker")] = 1
    mouth[1, [DYNAMICS_AXES.index(name) for name in ("mouthStretchLeft", "mouthStretchRight")]] = 1
    np.testing.assert_allclose(measure(mouth)[1], [WIDTH_PER_UNIT["mouthPucker"], WIDTH_PER_UNIT["mouthStretch"]])


def test_constants_are_the_face_models():
    mean, _, moves = FaceModel.load().landmark_basis()
    apart_cm = np.linalg.norm(mean[[33, 133]].mean(0) - mean[[263, 362]].mean(0))

    def effect(name: str, measured) -> float:
        sides = [name] if name in DYNAMICS_AXES else [name + "Left", name + "Right"]
        moved = mean + sum(moves[DYNAMICS_AXES.index(side)] for side in sides)
        return (measured(moved) - measured(mean)) / apart_cm

    for name, per_unit in OPENING_PER_UNIT.items():
        assert effect(name, lambda p: p[13, 1] - p[14, 1]) == pytest.approx(per_unit, abs=0.07), name
    for name, per_unit in WIDTH_PER_UNIT.items():
        assert effect(name, lambda p: np.linalg.norm(p[61] - p[291])) == pytest.approx(per_unit, abs=0.07), name
