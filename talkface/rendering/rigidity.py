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

from talkface.rendering.fields import blur, smoothstep

CONTRAST = 0.05  # difference of (square-rooted) colour that counts as an edge
LEAK = 0.02  # conductance that even the strongest edge keeps
FAR = 0.6  # face sizes from the head: certainly background
LEVELS = (0.3, 0.5, 0.7)  # of that probability: one outline where the picture shows an edge, a soft one elsewhere
SOFTNESS = 0.25  # face sizes around the outline over which the surroundings come to rest, so that nothing tears
BORDER_SIDES, BORDER_TOP, BORDER_BOTTOM = 0.08, 0.1, 0.025  # shares of the canvas that fade to stillness
NECK = (0.3, 0.5)  # face sizes below the chin in which the head's turn ends, before the picture does if possible
SIDE_OF_NECK = 0.4  # face sizes above the chin: from there on what is beside the jaw is more and more neck and clothes
HALF = 2


def rigidity(
    still: np.ndarray, covered: np.ndarray, chin_row: float, face_size: float, inset: bool = False
) -> tuple[np.ndarray, np.ndarray]:
    """How far every cell follows the head: 1 on head and hair, 0 on background, shoulders and the canvas's border.

    Args:
        still: (S, S, 3) uint8, the portrait on the canvas.
        covered: (G, G) bool, cells covered by the fitted head; G even.
        chin_row: row of the chin.
        face_size: side of the square with the face's area, in cells.
        inset: the canvas is a part of a larger picture, which its border must meet as it is; if not, what moves may
            slide along the border, since nothing is missing there.

    Returns:
        rigidity: (G, G, 2) float32, sideways and up or down.
        cut: (G,) bool, the columns in which the canvas's upper border cuts the head.
    """
    half = covered.shape[0] // HALF
    covered = covered.reshape(half, HALF, half, HALF).mean((1, 3)) > 0.5
    chin_row, face_size = chin_row / HALF, face_size / HALF
    y = np.arange(half, dtype=np.float32)[:, None]
    head = covered & (y < chin_row)
    distance = ndimage.distance_transform_edt(~head).astype(np.float32)
    core = ndimage.binary_erosion(head, iterations=max(1, int(face_size * 0.03)))
    background = distance > face_size * FAR
    background[0] = background[:, 0] = background[:, -1] = True
    colour = np.asarray(Image.fromarray(still).resize((half, half), Image.Resampling.BOX), np.float32)
    reached = _random_walker(np.sqrt(colour / 255), core, background & ~core)
    around = np.mean([_around(reached > level, face_size * SOFTNESS) for level in LEVELS], 0)
    neck = np.clip(half - chin_row, NECK[0] * face_size, NECK[1] * face_size)
    clothed = smoothstep((y - chin_row) / (SIDE_OF_NECK * face_size) + 1)
    around *= 1 - clothed * (1 - smoothstep(1 - (distance - face_size * 0.02) / neck))
    outline = reached[: int(chin_row)] > LEVELS[1]
    shares = _border_shares(outline, half)
    if inset:
        shares = [np.minimum(*shares)] * 2
    around = blur(around, half / 64)
    return np.stack([_enlarged(around * share) for share in shares], -1), np.repeat(outline[1], HALF)


def _enlarged(field: np.ndarray) -> np.ndarray:
    """A field (H, W) on cells HALF as large."""
    height, width = field.shape
    picture = Image.fromarray(field.astype(np.float32), mode="F")
    return np.asarray(picture.resize((width * HALF, height * HALF), Image.Resampling.BILINEAR), np.float32)


def _around(inside: np.ndarray, width: float) -> np.ndarray:
    """1 inside, and down to 0 within `width` cells around."""
    return smoothstep(1 - ndimage.distance_transform_edt(~inside) / width)


def _border_shares(head: np.ndarray, size: int) -> tuple[np.ndarray, np.ndarray]:
    """0 on the border of `size` cells a side, 1 further in: for movements sideways (1, size), up or down (size, 1).

    They are 1 where the `head` (rows above the chin, size) begins, so that not the hair is stretched but the background
    behind it, and rise gently if the border cuts the hair.
    """

    def width(seen: np.ndarray, most: float) -> float:
        gap = int(seen.argmax())
        return most if gap <= 1 else min(gap - 1, most)

    columns = head.any(0)
    left, right = (width(seen, BORDER_SIDES * size) for seen in (columns, columns[::-1]))
    top = width(head.any(1), BORDER_TOP * size)
    from_start = np.arange(size, dtype=np.float32)
    from_end = from_start[::-1]
    sideways = smoothstep(np.minimum(from_start / left, from_end / right))
    up_or_down = smoothstep(np.minimum(from_start / top, from_end / (BORDER_BOTTOM * size)))
    return sideways[None], up_or_down[:, None]


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
