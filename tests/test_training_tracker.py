from __future__ import annotations

import numpy as np
import pytest
import torch

from talkface.face.fit import fit_face
from talkface.face.model import FaceModel
from talkface.space import DYNAMICS_AXES
from talkface.types import Crop
from tests.test_face_fit import draw_landmarks
from training import tracker_learner

pytest.importorskip("cv2", reason="the tracker's training needs OpenCV")


def batch(number: int) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(number)
    return torch.randn(4, 3, generator=generator), torch.randn(4, 2, generator=generator)


def train(stop_after: int | None, numbers) -> torch.nn.Module:
    torch.manual_seed(1)
    net = torch.nn.Linear(3, 2)
    args = tracker_learner.arguments("", samples=40).parse_args(["--report", "1000"])

    def fetch() -> tuple:
        number = next(numbers)
        if number == stop_after:
            raise KeyboardInterrupt
        return batch(number)

    tracker_learner.train("net", net, args, lambda _: fetch, lambda net, x, y: {"error": ((net(x) - y) ** 2).mean()})
    return net


def test_an_interrupted_training_ends_where_a_straight_one_does(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(tracker_learner, "RUNS", tmp_path / "straight")
    straight = train(None, iter(range(10)))
    monkeypatch.setattr(tracker_learner, "RUNS", tmp_path / "broken")
    with pytest.raises(KeyboardInterrupt):
        train(6, iter(range(10)))
    resumed = train(None, iter(range(6, 10)))
    assert torch.equal(resumed.weight, straight.weight)
    assert "seen 40" in capsys.readouterr().out


def test_pixels_and_landmarks_of_a_changed_expression_move_together():
    from training.tracker_expressions import INNER_LOWER, Expression

    marks = draw_landmarks()
    upright = (marks[:, :2] - marks[:468, :2].mean(0)) / np.linalg.norm(marks[33, :2] - marks[263, :2]) * 1.4
    jaw = next(found for seed in range(99) if (found := Expression(upright, np.random.default_rng(seed))).opening > 0.3)
    jaw.closing = 0.0
    below = [17, 84, 314, 200, *INNER_LOWER[3:8]]
    u, v, inside = jaw.source(*jaw.moved(upright)[below].T)
    assert np.abs(np.c_[u, v] - upright[below]).max() < 0.03
    assert np.all(inside[:4] == 0)


def test_marks_of_a_drawn_mouth_follow_the_model():
    from training.tracker_data import lip_gap
    from training.tracker_reenact import SIZE_PX, moved_marks

    marks = draw_landmarks()
    fit, model = fit_face(marks, (512, 512)), FaceModel.load()
    change = np.zeros(len(DYNAMICS_AXES), np.float32)
    crop = Crop(-0.5, -0.5, 512.0)
    still = moved_marks(fit, model, crop, change)
    assert np.allclose(still[:, :2] + 0.5, (marks[:, :2] + 0.5) * SIZE_PX / 512, atol=1e-3)
    change[DYNAMICS_AXES.index("jawOpen")] = 1
    wanted = draw_landmarks({"jawOpen": 1.0})
    assert lip_gap(moved_marks(fit, model, crop, change)) == pytest.approx(float(lip_gap(wanted)), abs=0.03)
