"""The canvas: the square of the portrait that is drawn, and the person's geometry seen in it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PIL import Image

from talkface.rendering.fields import blur
from talkface.types import Camera, Crop, FaceFit
from talkface.warp import residual_warp

SHARPEN, SHARPEN_TEXELS = 0.5, 1.2  # makes up for what bilinear sampling blurs, see `texture`


@dataclass(frozen=True)
class Canvas:
    """A face fit expressed in canvas pixels: pixel centres at whole numbers, `size` x `size` of them.

    Attributes:
        size: side of the canvas in pixels.
        camera: the fit's camera in canvas pixels.
        landmarks: (478, 2) float32.
        points: (V, 3) float32 canvas x, y and depth (cm in front of the camera) of the mesh in the portrait's own
            pose and expression, after the residual warp.
        camera_vertices: (V, 3) float32, the same vertices in camera space (cm, before the residual warp).
        camera_dynamics: (K, V, 3) float32, the dynamics turned into camera space.
        interocular_px: distance between the eye centres.
        enlargement: canvas pixels per pixel of the portrait; above 1 the canvas is softer than it could be.
    """

    size: int
    camera: Camera
    landmarks: np.ndarray
    points: np.ndarray
    camera_vertices: np.ndarray
    camera_dynamics: np.ndarray
    interocular_px: float
    enlargement: float


def make_canvas(fit: FaceFit, crop: Crop, size: int) -> Canvas:
    """Express a fit in the pixels of a canvas that shows a square of the portrait."""
    scale = size / crop.size

    def to_canvas(xy: np.ndarray) -> np.ndarray:
        return ((xy - [crop.x0, crop.y0]) * scale - 0.5).astype(np.float32)

    centre = to_canvas(np.array([fit.camera.centre_x, fit.camera.centre_y]))
    camera = Camera(fit.camera.focal_px * scale, float(centre[0]), float(centre[1]))
    expressive = fit.mesh.neutral + np.tensordot(fit.dynamics, fit.mesh.dynamics, 1)
    vertices = expressive @ fit.rotation.T + fit.translation
    seen = np.stack([vertices[:, 0], -vertices[:, 1]], 1) * fit.camera.focal_px / -vertices[:, 2:]
    seen = seen + [fit.camera.centre_x, fit.camera.centre_y]
    points = np.concatenate([to_canvas(residual_warp(fit, seen)), -vertices[:, 2:]], 1)
    return Canvas(
        size=size,
        camera=camera,
        landmarks=to_canvas(fit.landmarks[:, :2]),
        points=points.astype(np.float32),
        camera_vertices=vertices.astype(np.float32),
        camera_dynamics=(fit.mesh.dynamics @ fit.rotation.T.astype(np.float32)).astype(np.float32),
        interocular_px=fit.interocular_px * scale,
        enlargement=scale,
    )


def still_frame(image: np.ndarray, crop: Crop, size: int) -> np.ndarray:
    """The portrait's crop at canvas size: what a performance without motion shows. (size, size, 3) uint8."""
    left, top = max(crop.x0 + 0.5, 0), max(crop.y0 + 0.5, 0)
    height, width = image.shape[:2]
    box = (left, top, min(left + crop.size, width), min(top + crop.size, height))
    return np.asarray(Image.fromarray(image).resize((size, size), Image.Resampling.LANCZOS, box=box))


def texture(still: np.ndarray) -> np.ndarray:
    """The still frame at twice its resolution, (3, 2S, 2S) float32 0-255, texel j at canvas position j / 2.

    Even texels are the still frame's pixels themselves, so a sheet at rest shows them unchanged; bilinear sampling
    of the doubled picture keeps nearly the sharpness of a Lanczos filter at a quarter of its cost; the texels between
    are sharpened a little to make up for the rest.
    """
    size = still.shape[0]
    padded = np.pad(still, ((4, 4), (4, 4), (0, 0)), mode="reflect").astype(np.float32)
    channels = []
    for channel in range(3):
        plane = Image.fromarray(padded[..., channel], mode="F")
        box = (4.25, 4.25, 4.25 + size, 4.25 + size)
        channels.append(np.asarray(plane.resize((2 * size, 2 * size), Image.Resampling.LANCZOS, box=box)))
    doubled = np.stack(channels)
    doubled += SHARPEN * (doubled - blur(doubled, SHARPEN_TEXELS))
    doubled[:, ::2, ::2] = still.transpose(2, 0, 1)
    return np.clip(doubled, 0, 255)


def unproject(xy: np.ndarray, depth: np.ndarray, camera: Camera) -> np.ndarray:
    """Canvas positions (..., 2) at a depth (...) to camera space (..., 3) in cm."""
    x = (xy[..., 0] - camera.centre_x) * depth / camera.focal_px
    y = -(xy[..., 1] - camera.centre_y) * depth / camera.focal_px
    return np.stack([x, y, -depth], -1).astype(np.float32)
