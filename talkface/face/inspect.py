"""Draw a fitted face over its portrait, so that a person can see whether it was understood."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageDraw

from talkface import landmarks as marks_of
from talkface import pose
from talkface.types import FACE_PARTS, Crop, FaceFit
from talkface.warp import residual_warp

WIRE = (90, 220, 255, 70)
MARK = (255, 255, 255, 200)
LIP_OUTER, LIP_INNER, LID, IRIS = (255, 90, 90, 255), (255, 210, 60, 255), (90, 255, 120, 255), (80, 160, 255, 255)
AXES = ((255, 60, 60, 255), (60, 230, 60, 255), (80, 120, 255, 255))  # x, y, z of the head
CROP = (255, 255, 255, 255)
SMALLEST_CANVAS_PX = 768
CIRCLE_STEPS = 24
_LINES = (
    (marks_of.LIP_OUTER_UPPER, LIP_OUTER), (marks_of.LIP_OUTER_LOWER, LIP_OUTER),
    (marks_of.RIGHT_LID_UPPER, LID), (marks_of.RIGHT_LID_LOWER, LID),
    (marks_of.LEFT_LID_UPPER, LID), (marks_of.LEFT_LID_LOWER, LID),
)  # fmt: skip


def draw_fit(image: np.ndarray, fit: FaceFit, crop: Crop | None = None) -> np.ndarray:
    """The picture (H, W, 3) uint8 with landmarks, mesh, lips, lids, irises, pose axes and crop drawn over it.

    Small pictures are enlarged first, so the result (H', W', 3) uint8 is at least about 768 pixels on its longer side.
    """
    height, width = image.shape[:2]
    scale = max(1, round(SMALLEST_CANVAS_PX / max(height, width)))
    base = Image.fromarray(image).resize((width * scale, height * scale), Image.Resampling.BICUBIC)
    layer = Image.new("RGBA", base.size)
    pen = _Pen(ImageDraw.Draw(layer), scale, max(1, round(max(base.size) / 800)))
    vertices = posed_vertices(fit)
    _draw_mesh(pen, fit, vertices)
    for line, colour in _LINES:
        pen.line(fit.landmarks[list(line), :2], colour)
    for edge in (fit.mesh.upper_lip, fit.mesh.lower_lip):
        pen.line(project(fit, vertices[edge]), LIP_INNER)
    _draw_eyes(pen, fit)
    for point in fit.landmarks[: marks_of.SURFACE_COUNT, :2]:
        pen.dot(point, MARK)
    _draw_axes(pen, fit)
    if crop is not None:
        far = crop.size
        pen.line(np.array([[0, 0], [far, 0], [far, far], [0, far], [0, 0]]) + [crop.x0, crop.y0], CROP)
    return np.asarray(Image.alpha_composite(base.convert("RGBA"), layer).convert("RGB"))


def posed_vertices(fit: FaceFit) -> np.ndarray:
    """(V, 3) of the person with the portrait's own expression, in the head's frame."""
    return fit.mesh.neutral + np.tensordot(fit.dynamics, fit.mesh.dynamics, 1)


def project(fit: FaceFit, points: np.ndarray) -> np.ndarray:
    """Head points (..., 3) -> pixels (..., 2) of the portrait, residual warp included."""
    seen = points @ fit.rotation.T + fit.translation
    flat = fit.camera.focal_px * seen[..., :2] / -seen[..., 2:] * [1.0, -1.0]
    return residual_warp(fit, flat + [fit.camera.centre_x, fit.camera.centre_y])


class _Pen:
    """Draws in pixels of the portrait on an enlarged canvas."""

    def __init__(self, draw: ImageDraw.ImageDraw, scale: int, width: int) -> None:
        self.draw, self.scale, self.width = draw, scale, width

    def _at(self, points: np.ndarray) -> list[tuple[float, float]]:
        moved = (np.asarray(points) + 0.5) * self.scale - 0.5
        return [tuple(point) for point in moved.tolist()]

    def line(self, points: np.ndarray, colour: tuple[int, ...], thin: bool = False) -> None:
        self.draw.line(self._at(points), fill=colour, width=1 if thin else 2 * self.width, joint="curve")

    def dot(self, point: np.ndarray, colour: tuple[int, ...]) -> None:
        x, y = self._at(point[None])[0]
        radius = 0.8 * self.width
        self.draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=colour)


def _draw_mesh(pen: _Pen, fit: FaceFit, vertices: np.ndarray) -> None:
    skin = (fit.mesh.parts[fit.mesh.triangles] <= FACE_PARTS.index("head")).all(1)
    triangles = fit.mesh.triangles[skin]
    seen = vertices @ fit.rotation.T + fit.translation
    a, b, c = (seen[triangles[:, i]] for i in range(3))
    towards = (np.cross(b - a, c - a) * a).sum(1) < 0
    flat = project(fit, vertices)
    for triangle in triangles[towards]:
        pen.line(flat[triangle], WIRE, thin=True)


def _draw_eyes(pen: _Pen, fit: FaceFit) -> None:
    turn = np.linspace(0, 2 * np.pi, CIRCLE_STEPS)
    for eye, iris in enumerate((marks_of.LEFT_IRIS, marks_of.RIGHT_IRIS)):
        centre = fit.landmarks[iris[0], :2]
        radius = np.linalg.norm(fit.landmarks[list(iris[1:]), :2] - centre, axis=1).mean()
        pen.line(centre + radius * np.column_stack([np.cos(turn), np.sin(turn)]), IRIS)
        axis = pose.direction(*fit.gaze_deg[eye])
        ball = fit.mesh.eye_centres[eye]
        pen.line(project(fit, ball + np.outer([1.0, 2.5], axis) * fit.mesh.eye_radii[eye]), IRIS)


def _draw_axes(pen: _Pen, fit: FaceFit) -> None:
    origin = fit.mesh.neutral.mean(0) * [0.0, 1.0, 0.0] + [0.0, 0.0, fit.mesh.neutral[:, 2].max()]
    for axis, colour in zip(np.eye(3), AXES, strict=True):
        seen = np.stack([origin, origin + 5.0 * axis]) @ fit.rotation.T + fit.translation
        flat = fit.camera.focal_px * seen[:, :2] / -seen[:, 2:] * [1.0, -1.0]
        pen.line(flat + [fit.camera.centre_x, fit.camera.centre_y], colour)
