"""The painted plates behind the lips: the face model's teeth, gums and tongue, in the portrait's own light."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from talkface.rendering.canvas import Canvas
from talkface.rendering.fields import blur, smoothstep
from talkface.rendering.lips import LipLine
from talkface.rendering.raster import interpolate, rasterize, vertex_normals
from talkface.rendering.teeth import MouthLight, OwnTeeth
from talkface.types import FACE_PARTS, FaceFit, FaceMesh

OVERSAMPLE = 2
SOFTNESS = 0.7  # pixels; the plates are as soft as an enlarged portrait
TEETH_SHOW = 0.105  # of the mouth's width: how far the upper incisors reach below the upper lip of a mouth at rest
LEAST_SHOW = 0.08  # the same where a smile shows their tips alone: a lip that comes down in speech would hide all
MOST_SHIFT = 0.2  # of the mouth's width, by which the model's teeth are moved at most
TOOTH_GAP = 0.015  # of the mouth's width: the model's teeth stand this far apart at most
INCISORS_CM = 0.8  # to either side of the middle
BEHIND_LIPS_CM = 0.15  # lips lie on the teeth; the model's stand back, and would slide behind them when the head turns
THROAT_CM = 3.0  # how far forward (z of the face model) the throat reaches; the teeth begin at 4.8
LAMP = np.array([0.0, 0.25, 0.97])


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
