"""The lips' own motion, carried across the cut between them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from talkface.rendering.canvas import make_canvas, still_frame
from talkface.rendering.lips import lip_basis, lip_line
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
