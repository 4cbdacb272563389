"""The lips' own motion, carried across the cut between them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy import ndimage

from talkface.rendering.canvas import make_canvas, still_frame
from talkface.rendering.lips import (
    KNOTS,
    UPPER_LIP_SHARE,
    LipGap,
    LipMotion,
    _along_edge,
    lip_basis,
    lip_line,
    release_shares,
    with_own,
)
from talkface.rendering.sheet import cell_centres, make_fields
from talkface.space import DYNAMICS_AXES

SIZE = 256


@pytest.mark.parametrize("raised_px", [0.0, 4.0])
def test_one_lip_moves_as_one_wherever_the_cut_lies(analysis, raised_px):
    """Where the picture's lip line lies above the model's, cells between the two must not stay with the upper lip."""
    canvas = make_canvas(analysis.fit, analysis.crop, SIZE)
    fields = make_fields(canvas, analysis.fit.mesh, still_frame(analysis.image, analysis.crop, SIZE))
    line = lip_line(canvas.landmarks)
    line = replace(line, upper=line.upper - raised_px, lower=line.lower - raised_px)
    cells = fields.rigidity.shape[0]
    everything = slice(0, cells)
    basis = lip_basis("lower", line, fields, canvas, analysis.fit.mesh, everything, everything)
    drop = -basis[DYNAMICS_AXES.index("jawOpen"), ..., 1]
    centres = cell_centres(SIZE, cells)
    u, v = line.coordinates(np.stack(np.meshgrid(centres, centres), -1))
    below = v - line.height(line.lower, u)
    lip = drop[(np.abs(u - 0.5) < 0.25) & (below > 0) & (below < 0.2 * line.length)]
    assert lip.min() > 0.75 * lip.max() > 0


SMILE = DYNAMICS_AXES.index("mouthSmileLeft")


def smiling(strength: float) -> np.ndarray:
    """Dynamics (K,) of a portrait that smiles."""
    own = np.zeros(len(DYNAMICS_AXES), np.float32)
    own[[SMILE, DYNAMICS_AXES.index("mouthSmileRight")]] = strength
    return own


@pytest.mark.parametrize(("strength", "parted", "eased"), [(0.1, 0.0, 0.35), (0.8, 0.25, 0.52), (0.8, 0.0, 0.35)])
def test_broad_open_smiles_are_eased_most(strength, parted, eased):
    assert release_shares(smiling(strength), parted)[SMILE] == pytest.approx(eased)


def kept_smile(own: float, spoken: float, speaking: float) -> float:
    """The mouthSmile of a portrait with an open smile `own`, whose motion asks for `spoken`."""
    start, asked = torch.from_numpy(smiling(own)), torch.from_numpy(smiling(spoken))[None]
    released = torch.from_numpy(release_shares(start.numpy(), 0.25))
    return float(with_own(start, asked, torch.tensor([[speaking]]), released)[0, SMILE])


def test_a_resting_portrait_keeps_its_smile_and_a_speaking_one_half_of_it():
    assert kept_smile(0.8, 0.0, speaking=0.0) == pytest.approx(0.8)
    assert 0.35 < kept_smile(0.8, 0.0, speaking=1.0) < 0.5


def test_a_smile_on_a_smile_is_no_grimace_and_a_neutral_face_smiles_as_asked():
    assert kept_smile(0.8, 0.7, speaking=1.0) < 1.05
    assert kept_smile(0.05, 0.7, speaking=1.0) == pytest.approx(0.7 + 0.05 * 0.65, abs=0.002)


def lowered(rest_px: float, opened_px: float) -> tuple[float, float]:
    """By how much both lips of a portrait parted by `rest_px` come down in speech that parts them by `opened_px`."""
    basis = np.zeros((len(DYNAMICS_AXES), len(KNOTS)), np.float32)
    basis[DYNAMICS_AXES.index("jawOpen")] = 50
    gap = LipGap(LipMotion(np.full(len(KNOTS), rest_px, np.float32), basis))
    asked = torch.zeros(1, len(DYNAMICS_AXES))
    asked[0, DYNAMICS_AXES.index("jawOpen")] = opened_px / 50
    upper, lower = gap.corrections(asked, asked, torch.ones(1, 1))
    return float(upper[0, 4]), float(lower[0, 4])


def test_lips_that_must_meet_share_the_way():
    upper, lower = lowered(rest_px=10, opened_px=0)
    assert upper - lower == pytest.approx(10)
    assert upper == pytest.approx(10 * UPPER_LIP_SHARE)


def test_an_upper_lip_stays_above_its_teeth_where_the_mouth_is_open():
    upper, lower = lowered(rest_px=10, opened_px=12)
    assert upper == pytest.approx(0, abs=1e-5)
    assert lower == pytest.approx(-10)


def test_lips_that_touch_in_the_portrait_are_left_alone():
    assert lowered(rest_px=0, opened_px=12) == pytest.approx((0, 0), abs=1e-5)


def parted(opened_px: float) -> np.ndarray:
    """By how much (J,) lips that touch in the portrait part in speech that asks for `opened_px` everywhere."""
    basis = np.zeros((len(DYNAMICS_AXES), len(KNOTS)), np.float32)
    basis[DYNAMICS_AXES.index("jawOpen")] = 50
    gap = LipGap(LipMotion(np.zeros(len(KNOTS), np.float32), basis))
    asked = torch.zeros(1, len(DYNAMICS_AXES))
    asked[0, DYNAMICS_AXES.index("jawOpen")] = opened_px / 50
    upper, lower = gap.corrections(asked, asked, torch.ones(1, 1))
    return (opened_px + lower - upper).numpy()[0]


def test_open_lips_are_round_and_shut_ones_shut():
    """They part further beside the middle than the face model's do, on both sides alike."""
    opened = parted(20)
    assert opened[4] == pytest.approx(20)
    assert (opened[[1, 2, 6, 7]] > 22).all()
    assert opened == pytest.approx(opened[::-1])
    assert np.all(parted(0) == 0)


def test_both_ends_of_a_lip_move_alike(analysis):
    """A cell of the lip's edge moves as the edge does in its middle, not as it does at the cell's right border."""
    canvas = make_canvas(analysis.fit, analysis.crop, SIZE)
    fields = make_fields(canvas, analysis.fit.mesh, still_frame(analysis.image, analysis.crop, SIZE))
    line = lip_line(canvas.landmarks)
    cells = fields.rigidity.shape[0]
    everything = slice(0, cells)
    basis = lip_basis("lower", line, fields, canvas, analysis.fit.mesh, everything, everything)
    jaw = basis[DYNAMICS_AXES.index("jawOpen"), ..., 1]
    u = np.linspace(0.1, 0.9, 81)
    at = line.corner + np.outer(u * line.length, line.along) + np.outer(line.height(line.lower, u), line.down)
    x, y = ((at + 0.5) * cells / canvas.size - 0.5).T
    drawn = ndimage.map_coordinates(jaw, [y, x], order=1)
    meant = _along_edge(line, canvas, analysis.fit.mesh.lower_lip, u)[DYNAMICS_AXES.index("jawOpen"), :, 1]
    off = drawn - meant
    assert abs(off[u < 0.4].mean() - off[u > 0.6].mean()) < 0.02 * np.ptp(meant)
