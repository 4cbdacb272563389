"""What is behind the lips: teeth, gums and tongue of the face model, painted once per portrait in its own light."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from talkface.rendering.canvas import Canvas
from talkface.rendering.fields import blur, smoothstep
from talkface.rendering.lip_edges import darkest_path
from talkface.rendering.lips import TABLE, LipLine
from talkface.rendering.raster import interpolate, rasterize, vertex_normals
from talkface.types import FACE_PARTS, FaceFit, FaceMesh

OVERSAMPLE = 2
SOFTNESS = 0.7  # pixels; the plates are as soft as an enlarged portrait
TEETH_SHOW = 0.105  # of the mouth's width: how far the upper incisors reach below the upper lip of a mouth at rest
LEAST_SHOW = 0.08  # the same where a smile shows their tips alone: a lip that comes down in speech would hide all
MOST_SHIFT = 0.2  # of the mouth's width, by which the model's teeth are moved at most
IVORY = np.array([1.08, 1.03, 0.95])
GUM = np.array([0.78, 0.47, 0.45])
TONGUE = np.array([0.94, 0.62, 0.60])
SKIN = np.array([0.80, 0.61, 0.52])  # under white light; tells the light's colour where no white of an eye is seen
THROAT = np.array([0.30, 0.13, 0.12])
TEETH_OVER_WHITE = 1.08  # teeth against the mean of highlights and eye whites; 550 smiles are within 6 % of it
TALLEST_TEETH = 0.3  # of the mouth's width, below the upper lip; further down is tongue
FIRST_TEETH = 0.12  # of the mouth's width: teeth that show begin within this under the upper lip
GAP_BELOW = 0.03  # of the mouth's width: what is darker or redder for longer than this ends them
WIDE_OPEN = 0.35  # of the mouth's width, between the lips
LITTLE_BELOW = 0.16  # of the mouth's width: a strip below the upper teeth that is not worth a motion of its own
TWO_ROWS = 0.16  # of the mouth's width: teeth that reach further are two rows, and meet at the darkest line from
SEAM = 0.07  # on; no upper tooth is shorter
TOOTH_SHARE, MORE_COLOUR = 0.65, 0.13  # of their brightness, and saturation over theirs: what counts as tooth
SHADED, UNSHADED = 0.04, 0.12  # of the mouth's width: teeth seen so far below the lip lie in its shadow; out of it
SHADOW_PX, TOOTH_STEP_PX = 1.5, 0.5  # left out along the lips; step of the search
TOOTH_GAP = 0.015  # of the mouth's width: the model's teeth stand this far apart at most
INCISORS_CM = 0.8  # to either side of the middle
BEHIND_LIPS_CM = 0.15  # lips lie on the teeth; the model's stand back, and would slide behind them when the head turns
THROAT_CM = 3.0  # how far forward (z of the face model) the throat reaches; the teeth begin at 4.8
LAMP = np.array([0.0, 0.25, 0.97])


@dataclass(frozen=True)
class MouthLight:
    """Colours of the mouth's inside under the portrait's light: each (3,) 0-255."""

    teeth: np.ndarray
    gums: np.ndarray
    tongue: np.ndarray
    throat: np.ndarray


@dataclass(frozen=True)
class OwnTeeth:
    """The portrait's own upper teeth.

    Attributes:
        colour: (3,) 0-1.
        reach: (TABLE,) pixels by which they are seen below the upper lip, 0 where they are not.
        edge_v: v of the lip line down to which they reach in the middle of the mouth, None if that is not seen.
        lit: 0-1, how much of them the lip's shadow leaves free, so that their colour can be told.
    """

    colour: np.ndarray
    reach: np.ndarray
    edge_v: float | None
    lit: float = 1.0


@dataclass(frozen=True)
class Plate:
    """A painted part of the mouth that moves as one piece.

    Attributes:
        rgba: (4, h, w) float32, colours 0-255, not premultiplied, then alpha 0-1.
        left, top: canvas position of its first texel.
        anchors: (n, 3) camera-space points of it (jaw closed), from which its motion is computed.
        anchor_dynamics: (K, n, 3) how the dynamics move them.
        offset_px: (2,) shift from the model's projection to where the portrait's mouth is.
    """

    rgba: np.ndarray
    left: float
    top: float
    anchors: np.ndarray
    anchor_dynamics: np.ndarray
    offset_px: np.ndarray


def mouth_light(sclera: np.ndarray | None, skin: np.ndarray, highlight: float, own: OwnTeeth | None) -> MouthLight:
    """Choose the colours of the inside.

    Args:
        sclera: (3,) 0-1 colour of the whites of the eyes, None where they are not seen.
        skin: (3,) 0-1 median colour of the cheeks; grey portraits get grey mouths.
        highlight: 0-1 brightness of the face's brightest parts, which tells how the picture is exposed.
        own: the teeth that the portrait shows, None if it shows none.
    """
    white = highlight if sclera is None else float(sclera.mean())
    level = float(np.clip(np.sqrt(highlight * white) * (1.0 if sclera is None else TEETH_OVER_WHITE), 0.3, 0.95))
    saturation = float(np.clip((skin.max() - skin.min()) / (skin.max() + 1e-6) / 0.3, 0, 1))
    tint = 1 + (skin / (skin.mean() + 1e-6) - 1) * 0.35 * (1 - saturation)
    lamp = skin / SKIN * SKIN.mean() / (skin.mean() + 1e-6) if sclera is None else sclera / (sclera.mean() + 1e-6)
    lamp = np.clip(lamp, 0.75, 1.3) ** 0.7

    def lit(colour: np.ndarray) -> np.ndarray:
        grey = colour.mean() * tint
        seen = (grey + (colour - colour.mean()) * saturation) * (1 + (lamp - 1) * saturation)
        return np.clip(seen * level * 255, 0, 255).astype(np.float32)

    teeth = lit(IVORY)
    if own is not None:
        teeth += own.lit * (own.colour * 255 - teeth).astype(np.float32)
    return MouthLight(teeth, lit(GUM), lit(TONGUE), lit(THROAT))


def own_teeth(still: np.ndarray, line: LipLine) -> OwnTeeth | None:
    """The upper teeth between the portrait's parted lips, None where none are seen."""
    if line.gap_px < 0.05 * line.length:
        return None
    u = np.linspace(0, 1, TABLE)
    below = np.arange(SHADOW_PX, TALLEST_TEETH * line.length, TOOTH_STEP_PX)
    heights = line.upper[:, None] + below
    pixels = _read(still, line, u, heights)
    light, chroma = pixels.mean(-1), np.ptp(pixels, axis=-1) / (pixels.max(-1) + 1e-6)
    between = heights < line.lower[:, None] - SHADOW_PX
    first = between & (below < FIRST_TEETH * line.length) & (np.abs(u - 0.5) < 0.35)[:, None]
    if first.sum() < 20:
        return None
    bright = first & (light >= np.percentile(light[first], 65))
    colour, pale = pixels[bright].mean(0), np.median(chroma[bright])
    if colour.mean() < 0.3 or np.ptp(colour) > 0.38 * colour.max():
        return None
    is_tooth = between & (light > TOOTH_SHARE * colour.mean()) & (chroma < pale + MORE_COLOUR)
    ends = _first_run(np.where(is_tooth, 1.0, -1.0), GAP_BELOW * line.length / TOOTH_STEP_PX)
    reach = ndimage.median_filter(np.where(ends > 0, SHADOW_PX + ends * TOOTH_STEP_PX, 0.0), TABLE // 24)
    reach = ndimage.grey_closing(reach, TABLE // 6)  # dark gaps between teeth do not end them
    middle = np.abs(u - 0.5) < 0.12
    if np.median(reach[middle]) > TWO_ROWS * line.length:
        reach = np.minimum(reach, _upper_row(light, below, reach, line.length))
    seen = np.median(reach[middle]) > 2 * SHADOW_PX
    edge_v = float(np.median((line.upper + reach)[middle])) if seen else None
    shown = float(np.median(reach[middle])) / line.length if seen else UNSHADED  # not found is not hidden
    return OwnTeeth(colour, reach, edge_v, float(np.clip((shown - SHADED) / (UNSHADED - SHADED), 0, 1)))


def _upper_row(light: np.ndarray, below: np.ndarray, reach: np.ndarray, length: float) -> np.ndarray:
    """How far (TABLE,) the upper of two rows of teeth reaches that show `light` (TABLE, m) at `below` (m,) pixels."""
    inside = (below > SEAM * length) & (below < np.maximum(reach, 1.5 * SEAM * length)[:, None])
    seam = darkest_path(np.where(inside, light, light.max() + 1))
    return ndimage.gaussian_filter1d(below[seam], TABLE / 48)


def _read(still: np.ndarray, line: LipLine, u: np.ndarray, heights: np.ndarray) -> np.ndarray:
    """Colours (n, m, 3) 0-1 of the still frame at u (n,) and v (n, m) of the lip line."""
    places = line.corner + (u * line.length)[:, None, None] * line.along + heights[..., None] * line.down
    at = [places[..., 1], places[..., 0]]
    return np.stack([ndimage.map_coordinates(still[..., c] / 255.0, at, order=1, mode="nearest") for c in range(3)], -1)


def teeth_edge(own: OwnTeeth | None, line: LipLine) -> np.ndarray:
    """v (TABLE,) of where the portrait's own upper teeth end: at the lower lip's edge if none are found, but at the
    upper lip's in a mouth so wide open that they would be seen.

    Teeth in the corners' shadow are taken to reach as far as the last that are seen.
    """
    gap = line.lower - line.upper
    if own is None or not own.reach.any():
        return line.upper if gap.max() > WIDE_OPEN * line.length else line.lower
    seen, inwards = np.flatnonzero(own.reach), TABLE // 24
    nearest = np.clip(np.arange(TABLE), seen[0] + inwards, max(seen[-1] - inwards, seen[0] + inwards))
    reach = ndimage.gaussian_filter1d(own.reach[nearest], TABLE / 48)
    return (line.upper + np.minimum(reach, gap)).astype(np.float32)


def shows_below(edge: np.ndarray, line: LipLine) -> bool:
    """Whether so much is seen between the upper teeth's `edge` (TABLE,) and the lower lip that it moves by itself."""
    return bool((line.lower - edge).max() > LITTLE_BELOW * line.length)


def _first_run(score: np.ndarray, patience: float) -> np.ndarray:
    """End of the first run with a positive sum in every row, over after a fall of `patience`; 0 where there is none."""
    rows = len(score)
    total, best, end, goes_on = np.zeros(rows), np.zeros(rows), np.zeros(rows, int), np.ones(rows, bool)
    for k in range(score.shape[1]):
        total = np.maximum(total, 0) + score[:, k]
        goes_on &= (best - total < patience) & ((best > 0) | (k < 2 * patience))
        better = goes_on & (total > best)
        best, end = np.where(better, total, best), np.where(better, k + 1, end)
    return end


def make_plates(
    fit: FaceFit, canvas: Canvas, line: LipLine, light: MouthLight, own: OwnTeeth | None
) -> tuple[Plate, Plate]:
    """Paint the lower plate (teeth, gums, tongue) and the upper plate (teeth, gums)."""
    forward = np.float32([0, 0, _behind_lips(fit.mesh) - BEHIND_LIPS_CM])
    rotation, translation = fit.rotation.T.astype(np.float32), fit.translation.astype(np.float32)
    vertices = (fit.mesh.neutral + forward) @ rotation + translation
    lips = np.concatenate([fit.mesh.upper_lip, fit.mesh.lower_lip])
    offset = canvas.points[lips, :2].mean(0) - _project(canvas.camera_vertices[lips], canvas).mean(0)
    upper_teeth = vertices[fit.mesh.parts == FACE_PARTS.index("teeth_upper")]
    lip_v = line.height(line.upper, 0.5)
    is_seen = own is not None and own.edge_v is not None
    edge_v = max(own.edge_v, lip_v + LEAST_SHOW * line.length) if is_seen else lip_v + TEETH_SHOW * line.length
    offset = offset + line.down * _lowering(_project(upper_teeth, canvas) + offset, line, edge_v)
    lower = _plate(fit, canvas, line, light, ("teeth_lower", "gums_lower", "tongue"), vertices, offset)
    upper = _plate(fit, canvas, line, light, ("teeth_upper", "gums_upper"), vertices, offset)
    return lower, upper


def _plate(fit, canvas: Canvas, line: LipLine, light: MouthLight, names: tuple[str, ...], vertices, offset) -> Plate:
    """Paint the parts `names` of the mesh, its vertices (V, 3) in camera space projected and moved by `offset` (2,)."""
    mesh = fit.mesh
    chosen = np.isin(mesh.parts, [FACE_PARTS.index(name) for name in names])
    chosen &= mesh.neutral[:, 2] > THROAT_CM  # the walls of the throat belong to the darkness behind the plates
    triangles = mesh.triangles[chosen[mesh.triangles].all(1)]
    seen = _project(vertices, canvas)
    teeth = np.flatnonzero(mesh.parts == FACE_PARTS.index(names[0]))
    margin = 0.45 * line.length
    middle = line.corner + line.along * line.length / 2
    left, top = np.floor(middle - [line.length * 0.5 + margin, line.length * 0.5 + margin])
    texels = int(2 * OVERSAMPLE * np.ceil(line.length * 0.5 + margin))
    points = np.concatenate([(seen + offset - [left, top]) * OVERSAMPLE, -vertices[:, 2:]], 1)
    triangle, weights = rasterize(points, triangles, texels, texels)
    softness = SOFTNESS * OVERSAMPLE * max(1.0, canvas.enlargement)
    gap_texels = 2 * round(TOOTH_GAP * line.length * OVERSAMPLE / 2) + 1
    rgba = _paint(mesh, vertices, triangles, triangle, weights, light, softness, gap_texels)
    front = teeth[np.argsort(-mesh.neutral[teeth, 2])[: len(teeth) // 2]]
    anchors = front[:: max(1, len(front) // 24)]
    return Plate(
        rgba=rgba,
        left=float(left),
        top=float(top),
        anchors=vertices[anchors],
        anchor_dynamics=canvas.camera_dynamics[:, anchors],
        offset_px=offset.astype(np.float32),
    )


def _behind_lips(mesh: FaceMesh) -> float:
    """How far behind the upper lip's inner edge the model's incisors stand, in cm."""
    teeth = mesh.neutral[mesh.parts == FACE_PARTS.index("teeth_upper")]
    lip = mesh.neutral[mesh.upper_lip]
    front, edge = (points[np.abs(points[:, 0]) < INCISORS_CM, 2] for points in (teeth, lip))
    return float(edge.mean() - np.percentile(front, 95))


def _lowering(teeth_xy: np.ndarray, line: LipLine, edge_v: float) -> float:
    """Pixels by which to lower the plates, so that the upper incisors (n, 2) end at `edge_v`; within reason."""
    u, v = line.coordinates(teeth_xy)
    incisors = np.abs(u - 0.5) < 0.15
    if not incisors.any():
        return 0.0
    usual, most = TEETH_SHOW * line.length, MOST_SHIFT * line.length
    return float(np.clip(edge_v - np.percentile(v[incisors], 98), usual - most, usual + most))


def _project(vertices: np.ndarray, canvas: Canvas) -> np.ndarray:
    camera = canvas.camera
    scale = camera.focal_px / -vertices[:, 2:]
    return vertices[:, :2] * [1, -1] * scale + [camera.centre_x, camera.centre_y]


def _paint(mesh, vertices, triangles, triangle, weights, light: MouthLight, softness, gap_texels) -> np.ndarray:
    """Shade as a dentist's lamp would: soft frontal light, towards the back nearer to the throat's darkness."""
    normals = vertex_normals(vertices, triangles)
    normal = interpolate(normals, triangles, triangle, weights)
    normal = normal / (np.linalg.norm(normal, axis=-1, keepdims=True) + 1e-6)
    diffuse = np.clip(normal @ LAMP, 0, 1)
    back = interpolate(mesh.neutral[:, 2:], triangles, triangle, weights)[..., 0]
    part = mesh.parts[triangles[np.maximum(triangle, 0), 0]]
    rgb = np.zeros((*triangle.shape, 3), np.float32)
    for name, base, dullest in (("teeth", light.teeth, 0.72), ("gums", light.gums, 0.6), ("tongue", light.tongue, 0.4)):
        kinds = [k for k, full in enumerate(FACE_PARTS) if full.startswith(name)]
        mine, depths = np.isin(part, kinds), mesh.neutral[np.isin(mesh.parts, kinds), 2]
        recess = smoothstep((back[mine] - np.percentile(depths, 10)) / (0.8 * np.ptp(depths)))
        shade = (dullest + (1 - dullest) * diffuse[mine]) * (0.2 + 0.8 * recess)
        rgb[mine] = light.throat + (base - light.throat) * shade[:, None]
    solid = (triangle >= 0).astype(np.float32)
    soft = blur(np.moveaxis(rgb * solid[..., None], -1, 0), softness) / np.maximum(blur(solid, softness), 1e-3)
    solid = ndimage.grey_closing(solid, size=gap_texels)  # teeth touch
    alpha = np.clip(blur(solid, 0.8) * 2 - 0.6, 0, 1) * solid
    return np.concatenate([soft, blur(alpha, 0.85 * softness)[None]]).astype(np.float32)
