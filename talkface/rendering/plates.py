"""The painted plates behind the lips: the face model's teeth, gums and tongue, in the portrait's own light."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
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
TOOTH_GAP = 0.025  # of the mouth's width: the model's teeth stand this far apart at most
INCISORS_CM = 0.8  # to either side of the middle
BEHIND_LIPS_CM = 0.15  # lips lie on the teeth; the model's stand back, and would slide behind them when the head turns
THROAT_CM = 3.0  # how far forward (z of the face model) the throat reaches; the teeth begin at 4.8
OVERBITE = 0.08  # of the mouth's width: the lower incisors reach so far up behind the upper ones of closed jaws
TONGUE_SHOWS = (0.3, 0.5)  # of the mouth's width: so high its back stands above the lower teeth, at least and at most
CORRIDOR, IN_CORNERS = (0.2, 0.5), 0.2  # from where to where, off the middle, cheeks take the light; what they leave
GROOVE, IN_GROOVE = 0.02, 0.3  # of the mouth's width: reach of the shade between tongue and teeth; the light in it
BACK_FADES = 0.035  # of the mouth's width: over which the tongue's back is lost in the dark
SHADOW, SHADED = 0.03, 0.75  # of the mouth's width: how far below the upper teeth their shadow lies; its depth
BETWEEN_TEETH = 0.85  # of a tooth's brightness
LAMP = np.array([0.0, 0.25, 0.97])
NOTHING = 255  # where no part is seen


@dataclass(frozen=True)
class Plate:
    """A painted part of the mouth that moves as one piece.

    Attributes:
        rgba: (4, h, w) float32, colours 0-255, not premultiplied, then alpha 0-1.
        shadow: (h, w) float32, 0-1, how dark it makes what is seen behind it.
        left, top: canvas position of its first texel.
        anchors: (n, 3) camera-space points of it (jaw closed), from which its motion is computed.
        anchor_dynamics: (K, n, 3) how the dynamics move them.
        offset_px: (2,) shift from the model's projection to where the portrait's mouth is.
    """

    rgba: np.ndarray
    shadow: np.ndarray
    left: float
    top: float
    anchors: np.ndarray
    anchor_dynamics: np.ndarray
    offset_px: np.ndarray


class PlateMotion(torch.nn.Module):
    """Moves a painted plate of the mouth: an affine map fitted to the motion of a few of its 3D points.

    Attributes:
        layers: (4, h, w) the plate's colours and alpha; (5, h, w) if it throws a shadow, which is the last.
    """

    def __init__(self, plate: Plate, canvas: Canvas, pivot: np.ndarray, throws_shadow: bool = False) -> None:
        super().__init__()
        self.camera = canvas.camera
        layers = [plate.rgba, plate.shadow[None]] if throws_shadow else [plate.rgba]
        self.register_buffer("layers", torch.from_numpy(np.concatenate(layers)))
        self.register_buffer("anchors", torch.from_numpy(np.asarray(plate.anchors, np.float32)))
        dynamics = np.ascontiguousarray(plate.anchor_dynamics, np.float32)
        self.register_buffer("dynamics", torch.from_numpy(dynamics).reshape(len(dynamics), -1))
        self.register_buffer("offset", torch.from_numpy(plate.offset_px))
        self.register_buffer("corner", torch.tensor([plate.left, plate.top]))
        self.register_buffer("pivot", torch.as_tensor(pivot, dtype=torch.float32))
        rest = self._project(self.anchors[None])[0]
        self.register_buffer("solve", torch.linalg.pinv(torch.cat([rest, torch.ones(len(rest), 1)], 1)))

    def _project(self, points: torch.Tensor) -> torch.Tensor:
        scale = self.camera.focal_px / -points[..., 2:]
        flipped = points[..., :2] * torch.tensor([1.0, -1.0], device=points.device)
        centre = torch.tensor([self.camera.centre_x, self.camera.centre_y], device=points.device)
        return flipped * scale + centre + self.offset

    def _back(self, target: torch.Tensor, points: torch.Tensor, rotation, shift) -> torch.Tensor:
        turned = (points - self.pivot) @ rotation.mT + (self.pivot + shift)[:, None]
        affine = self.solve @ self._project(turned)  # (B, 3, 2), rows x, y, 1
        inverse = torch.linalg.inv(affine[:, :2].mT)
        centred = target - affine[:, 2].view(-1, 2, 1, 1)
        return torch.einsum("bij,bjhw->bihw", inverse, centred)

    def texels(self, target: torch.Tensor, asked: torch.Tensor, rotation, shift) -> torch.Tensor:
        """Texel coordinates (B, 2, h, w) of canvas positions under the motion asked for."""
        points = self.anchors + (asked @ self.dynamics).view(len(asked), -1, 3)
        place = self._back(target, points, rotation, shift)
        return (place - self.corner.view(1, 2, 1, 1)) * OVERSAMPLE

    def rest_position(self, target: torch.Tensor, rotation, shift) -> torch.Tensor:
        """Portrait positions (B, 2, h, w) of canvas positions if the plate only follows the head."""
        points = self.anchors.expand(len(rotation), -1, -1)
        return self._back(target, points, rotation, shift)


def make_plates(
    fit: FaceFit, canvas: Canvas, line: LipLine, light: MouthLight, own: OwnTeeth | None
) -> tuple[Plate, Plate]:
    """Paint the lower plate (teeth, gums, tongue) and the upper plate (teeth, gums)."""
    forward = np.float32([0, 0, _behind_lips(fit.mesh) - BEHIND_LIPS_CM])
    rotation, translation = fit.rotation.T.astype(np.float32), fit.translation.astype(np.float32)
    vertices = (fit.mesh.neutral + forward) @ rotation + translation
    lips = np.concatenate([fit.mesh.upper_lip, fit.mesh.lower_lip])
    offset = canvas.points[lips, :2].mean(0) - _project(canvas.camera_vertices[lips], canvas).mean(0)
    upper_teeth, lower_teeth = (
        vertices[fit.mesh.parts == FACE_PARTS.index(name)] for name in ("teeth_upper", "teeth_lower")
    )
    lip_v = line.height(line.upper, 0.5)
    is_seen = own is not None and own.edge_v is not None
    edge_v = max(own.edge_v, lip_v + LEAST_SHOW * line.length) if is_seen else lip_v + TEETH_SHOW * line.length
    offset = offset + line.down * _lowering(_project(upper_teeth, canvas) + offset, line, edge_v)
    bite = _bite(_project(upper_teeth, canvas) + offset, _project(lower_teeth, canvas) + offset, line)
    raised = offset - line.down * bite
    tongue = fit.mesh.parts == FACE_PARTS.index("tongue")
    vertices[tongue] = _seen_tongue(vertices[tongue], lower_teeth, line, canvas)
    lower = _plate(fit, canvas, line, light, ("teeth_lower", "gums_lower", "tongue"), vertices, raised)
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
    row, column = np.mgrid[:texels, :texels] / OVERSAMPLE
    u, _ = line.coordinates(np.stack([column + left, row + top], -1))
    inside = _see(mesh, vertices, triangles, triangle, weights)
    rgba = _paint(inside, light, _corridor(u), softness, line.length * OVERSAMPLE)
    front = teeth[np.argsort(-mesh.neutral[teeth, 2])[: len(teeth) // 2]]
    anchors = front[:: max(1, len(front) // 24)]
    return Plate(
        rgba=rgba,
        shadow=_shadow(rgba[3], line.length * OVERSAMPLE),
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


def _bite(upper_xy: np.ndarray, lower_xy: np.ndarray, line: LipLine) -> float:
    """Pixels by which to raise the lower teeth (n, 2), so that they stand OVERBITE behind the upper ones (m, 2)."""
    ends = []
    for teeth_xy, percentile in ((upper_xy, 98), (lower_xy, 2)):
        u, v = line.coordinates(teeth_xy)
        incisors = np.abs(u - 0.5) < 0.15
        if not incisors.any():
            return 0.0
        ends.append(float(np.percentile(v[incisors], percentile)))
    upper_v, lower_v = ends
    return lower_v - upper_v + OVERBITE * line.length


def _seen_tongue(tongue: np.ndarray, teeth: np.ndarray, line: LipLine, canvas: Canvas) -> np.ndarray:
    """The tongue's vertices (n, 3), moved up or down behind the lower teeth (m, 3), so that as much of it is seen in a
    wide open mouth as people show: how much the model's shows depends on how the portrait's head is tilted."""
    tops = []
    for part in (tongue, teeth):
        u, v = line.coordinates(_project(part, canvas))
        middle = np.abs(u - u.mean()) < 0.15
        tops.append(float(np.percentile(v[middle], 2)))
    shows = (tops[1] - tops[0]) / line.length
    rise_px = (np.clip(shows, *TONGUE_SHOWS) - shows) * line.length
    up = np.array([-line.down[0], line.down[1], 0], np.float32) / canvas.camera.focal_px
    return tongue - tongue[:, 2:] * up * np.float32(rise_px)


def _project(vertices: np.ndarray, canvas: Canvas) -> np.ndarray:
    camera = canvas.camera
    scale = camera.focal_px / -vertices[:, 2:]
    return vertices[:, :2] * [1, -1] * scale + [camera.centre_x, camera.centre_y]


def _corridor(u: np.ndarray) -> np.ndarray:
    """Light (h, w), 0-1, that the cheeks leave at u of the lip line."""
    near, far = CORRIDOR
    return 1 - (1 - IN_CORNERS) * smoothstep((np.abs(u - 0.5) - near) / (far - near))


@dataclass(frozen=True)
class Inside:
    """The parts of the mouth as they are seen, every map (h, w).

    Attributes:
        part: index into FACE_PARTS, or NOTHING.
        diffuse: 0-1, light of a frontal lamp.
        recess: 0-1, from the back of each part to its front.
    """

    part: np.ndarray
    diffuse: np.ndarray
    recess: np.ndarray

    def shows(self, kind: str) -> np.ndarray:
        """Where (h, w) parts are seen whose names begin with `kind`."""
        return np.isin(self.part, [k for k, name in enumerate(FACE_PARTS) if name.startswith(kind)])


def _see(mesh: FaceMesh, vertices, triangles, triangle, weights) -> Inside:
    """Look at a rasterised picture of the mesh, see `rasterize`."""
    normals = vertex_normals(vertices, triangles)
    normal = interpolate(normals, triangles, triangle, weights)
    normal = normal / (np.linalg.norm(normal, axis=-1, keepdims=True) + 1e-6)
    depth = interpolate(mesh.neutral[:, 2:], triangles, triangle, weights)[..., 0]
    part = np.where(triangle >= 0, mesh.parts[triangles[np.maximum(triangle, 0), 0]], NOTHING)
    part[_palate(part)] = NOTHING
    recess = np.zeros(depth.shape, np.float32)
    for kind in ("teeth", "gums", "tongue"):
        kinds = [k for k, name in enumerate(FACE_PARTS) if name.startswith(kind)]
        mine, depths = np.isin(part, kinds), mesh.neutral[np.isin(mesh.parts, kinds), 2]
        recess[mine] = smoothstep((depth[mine] - np.percentile(depths, 10)) / (0.8 * np.ptp(depths)))
    return Inside(part, np.clip(normal @ LAMP, 0, 1), recess)


def _palate(part: np.ndarray) -> np.ndarray:
    """Where (h, w) upper gums are seen below the upper teeth: that is the palate, which lies in the dark."""
    row = np.arange(len(part))[:, None]
    lowest = np.where(part == FACE_PARTS.index("teeth_upper"), row, -1).max(0)
    return (part == FACE_PARTS.index("gums_upper")) & (row > lowest) & (lowest >= 0)


def _paint(inside: Inside, light: MouthLight, corridor: np.ndarray, softness: float, length: float) -> np.ndarray:
    """Shade as a dentist's lamp would: soft frontal light, towards the back nearer to the throat's darkness.

    Args:
        inside: what is seen, (h, w).
        light: the colours.
        corridor: (h, w) the light that cheeks leave.
        softness: of the picture, in texels.
        length: of the mouth, in texels.

    Returns:
        (4, h, w) the plate's colours and alpha.
    """
    tooth, solid = inside.shows("teeth").astype(np.float32), (inside.part != NOTHING).astype(np.float32)
    groove = 1 - (1 - IN_GROOVE) * np.clip(2 * blur(tooth, GROOVE * length), 0, 1)
    rgb = np.zeros((3, *solid.shape), np.float32)
    for kind, base, dullest, deepest, nook in (
        ("teeth", light.teeth, 0.72, 0.2, 1.0),
        ("gums", light.gums, 0.6, 0.2, 1.0),
        ("tongue", light.tongue, 0.5, 0.55, groove),
    ):
        mine = inside.shows(kind)
        shade = (dullest + (1 - dullest) * inside.diffuse) * (deepest + (1 - deepest) * inside.recess) * corridor * nook
        rgb[:, mine] = (light.throat + (base - light.throat) * shade[mine][:, None]).T
    wide = 2 * round(TOOTH_GAP * length / 2) + 1
    bridge = blur(ndimage.grey_closing(tooth, size=(1, wide)) - tooth, softness / 2)  # teeth touch
    soft = _softened(rgb, solid, softness)
    soft += (BETWEEN_TEETH * _softened(rgb, tooth, softness) - soft) * bridge
    teeth = ndimage.grey_closing(tooth, size=wide)
    alpha = blur(np.clip(blur(teeth, 0.8) * 2 - 0.6, 0, 1) * teeth, 0.85 * softness)
    flesh = np.clip(blur(solid, BACK_FADES * length) * 2 - 1, 0, 1)
    return np.concatenate([soft, np.maximum(alpha, flesh)[None]]).astype(np.float32)


def _softened(rgb: np.ndarray, share: np.ndarray, softness: float) -> np.ndarray:
    """Colours (3, h, w), blurred where `share` (h, w) is 1 and carried on where it is 0."""
    return blur(rgb * share, softness) / np.maximum(blur(share, softness), 1e-3)


def _shadow(alpha: np.ndarray, length: float) -> np.ndarray:
    """The shadow (h, w), 0-1, that a plate throws on what is behind it, softly, and a little below."""
    reach = SHADOW * length
    below = ndimage.shift(alpha, (reach, 0), order=1, mode="constant")
    return (SHADED * blur(below, reach)).astype(np.float32)
