"""What is taken for a line drawing, and what is not."""

from __future__ import annotations

import numpy as np
import pytest

from talkface.rendering.canvas import make_canvas, still_frame
from talkface.rendering.drawings import Paper, paper

MARKS = np.array([[40.0, 20.0], [216.0, 236.0]] * 239)  # a face from there to there


def lines(paper_colour: tuple[int, int, int], ink: int = 20) -> np.ndarray:
    """(256, 256, 3) uint8: pen strokes on paper, a third of it."""
    still = np.broadcast_to(np.array(paper_colour, np.uint8), (256, 256, 3)).copy()
    for top in range(0, 256, 9):
        still[top : top + 3] = ink
    return still


def test_strokes_on_paper_are_a_drawing_on_paper_of_that_colour():
    found = paper(lines((216, 214, 200)), MARKS)
    assert found.share > 0.9
    assert found.colour == pytest.approx([216, 214, 200], abs=6)


def test_bare_paper_and_shades_and_coloured_skin_are_none():
    plain = np.full((256, 256, 3), 200, np.uint8)
    shaded = np.broadcast_to(np.linspace(60, 230, 256).astype(np.uint8)[None, :, None], plain.shape)
    for still in (plain, shaded, lines((240, 190, 150)), np.zeros_like(plain)):
        assert paper(still, MARKS).share < 0.05


def test_a_photograph_is_no_drawing(analysis):
    canvas = make_canvas(analysis.fit, analysis.crop, 256)
    assert paper(still_frame(analysis.image, analysis.crop, 256), canvas.landmarks).share == 0


def test_the_size_of_the_picture_does_not_matter():
    small, large = lines((230, 230, 230)), lines((230, 230, 230)).repeat(2, 0).repeat(2, 1)
    found: list[Paper] = [paper(small, MARKS), paper(large, 2 * MARKS)]
    assert found[0].share == pytest.approx(found[1].share, abs=0.15)
