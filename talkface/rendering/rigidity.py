"""What moves with the head: the head itself and its hair, as far as the picture shows an edge; not the background.

A random walker (Grady 2006, "Random walks for image segmentation") started anywhere between the head and the far
background reaches one of them first; it crosses the picture's edges reluctantly. The probability of reaching the head
is near 1 in the hair and drops at its outline, and is smooth where there is no outline to be found.
"""

from __future__ import annotations

import numpy as np
from PIL import Image
from scipy import ndimage
from scipy.sparse import coo_matrix, diags
from scipy.sparse.linalg import spsolve

from talkface.rendering.fields import blur, nearest_fill, smoothstep

CONTRAST = 0.05  # difference of (square-rooted) colour that counts as an edge
LEAK = 0.02  # conductance that even the strongest edge keeps
FAR = 0.6  # face sizes from the head: certainly background
SOFTNESS = 0.07  # face sizes over which the outline is softened, so that nothing tears
BORDER_SIDES, BORDER_TOP = 0.08, 0.05  # shares of the canvas that fade to stillness
NECK = (0.3, 0.5)  # face sizes below the chin in which the head's turn ends, before the picture does if possible
HALF = 2


def rigidity(still: np.ndarray, covered: np.ndarray, chin_row: float, face_size: float) -> np.ndarray:
    """How far every cell follows the head: 1 on head and hair, 0 on background, shoulders and the canvas's border.

    Args:
        still: (S, S, 3) uint8, the portrait on the canvas.
        covered: (G, G) bool, cells covered by the fitted head; G even.
        chin_row: row of the chin.
        face_size: side of the square with the face's area, in cells.

    Returns:
        (G, G) float32.
    """
    half = covered.shape[0] // HALF
    covered = covered.reshape(half, HALF, half, HALF).mean((1, 3)) > 0.5
    chin_row, face_size = chin_row / HALF, face_size / HALF
    y, x = np.mgrid[:half, :half].astype(np.float32)
    head = covered & (y < chin_row)
    _, distance = nearest_fill(np.zeros_like(y), head)
    core = ndimage.binary_erosion(head, iterations=max(1, int(face_size * 0.03)))
    background = distance > face_size * FAR
    background[0] = background[:, 0] = background[:, -1] = True
    colour = np.asarray(Image.fromarray(still).resize((half, half), Image.Resampling.BOX), np.float32)
    reached = _random_walker(np.sqrt(colour / 255), core, background & ~core)
    soft = blur(smoothstep((reached - 0.15) / 0.6), face_size * SOFTNESS)
    neck = np.clip(half - chin_row, NECK[0] * face_size, NECK[1] * face_size)
    down = smoothstep(1 - (y - chin_row + face_size * 0.02) / neck)
    sides = np.minimum(x, half - 1 - x) / (half * BORDER_SIDES)
    ends = np.minimum(y, 2 * (half - 1 - y)) / (half * BORDER_TOP)
    border = np.minimum(sides, ends)
    rigid = blur(np.minimum(soft, down) * smoothstep(border), half / 64) * smoothstep(border * 4)
    large = Image.fromarray(rigid.astype(np.float32), mode="F").resize((half * HALF,) * 2, Image.Resampling.BILINEAR)
    return np.asarray(large, np.float32)


def _random_walker(colour: np.ndarray, ones: np.ndarray, zeros: np.ndarray) -> np.ndarray:
    """Probability (H, W) of reaching `ones` before `zeros` by steps that avoid differences of colour (H, W, 3)."""
    size = ones.size
    index = np.arange(size).reshape(ones.shape)
    starts, ends, weights = [], [], []
    for near, far in ((np.s_[:, :-1], np.s_[:, 1:]), (np.s_[:-1], np.s_[1:])):
        difference = ((colour[near] - colour[far]) ** 2).sum(-1)
        starts.append(index[near].ravel())
        ends.append(index[far].ravel())
        weights.append((np.exp(-difference / (2 * CONTRAST**2)) + LEAK).ravel())
    start, end, weight = (np.concatenate(parts) for parts in (starts, ends, weights))
    links = coo_matrix((np.tile(weight, 2), (np.r_[start, end], np.r_[end, start])), shape=(size, size)).tocsr()
    laplacian = diags(np.asarray(links.sum(1)).ravel()) - links
    fixed = (ones | zeros).ravel()
    answer = ones.ravel().astype(np.float64)
    free = np.flatnonzero(~fixed)
    if len(free) and fixed.any():
        pull = links[free][:, fixed] @ answer[fixed]
        answer[free] = spsolve(laplacian.tocsr()[free][:, free].tocsc(), pull)
    return answer.reshape(ones.shape)
