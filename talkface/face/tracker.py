"""The face tracker: a picture -> every face in it, 478 landmarks each (MediaPipe's topology, irises included).

A detector looks at the whole picture at several sizes and says where faces are, how large and how rolled. Each face is then
cut out upright and a second network reads its landmarks; the crop is taken again around what it found, and the last
reading is averaged over small changes of the crop and its mirror image. Weights: `weights/tracker.safetensors`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from talkface import weights
from talkface.face.tracker_crops import FaceFrame, cut, frame_of, letterbox, to_image
from talkface.face.tracker_nets import DetectorConfig, DetectorNet, LandmarkConfig, LandmarkNet

LEVELS_PX = (112, 192, 384, 768)
LAST_RESORT_PX = 1536
MOST_ENLARGED = 3.0
PEAK_AT_LEAST = 0.25
FACE_AT_LEAST = 0.5
SIZES_PX = (3.5, 64.0)
SAME_FACE = 0.9
MOST_FACES = 24
CHANGES = (
    {},
    {"scale": 1.05, "turn": 0.04, "dx": 0.03},
    {"scale": 0.95, "turn": -0.04, "dy": 0.03},
)


@dataclass(frozen=True)
class TrackedFace:
    """One face of a picture.

    Attributes:
        landmarks: (478, 3) float32, pixels of the picture; z in the same scale, towards the viewer negative.
        score: 0-1, how sure it is that this is a face.
        box: (left, top, right, bottom) of the landmarks, pixels.
    """

    landmarks: np.ndarray
    score: float
    box: tuple[float, float, float, float]


class FaceTracker:
    """Finds faces and their landmarks. Make one with `FaceTracker.load`."""

    def __init__(self, config: dict, tensors: dict[str, Tensor], device: torch.device | str = "cpu") -> None:
        self.device = torch.device(device)
        self.units = float(config["crop_units"])
        self.side = int(config["landmarks"]["side"])
        self.mean_shape = tensors["mean_shape"].numpy()
        self.mirror = tensors["mirror"].numpy()
        detector = DetectorNet(DetectorConfig(**_tuples(config["detector"])))
        landmarks = LandmarkNet(LandmarkConfig(**_tuples(config["landmarks"])))
        self.detector = self._ready(detector, tensors, "detector.")
        self.landmarks = self._ready(landmarks, tensors, "landmarks.")

    @classmethod
    def load(cls, device: torch.device | str = "cpu") -> FaceTracker:
        """The tracker with the weights of this version; EnvironmentFailure when they are missing or altered."""
        config, tensors = weights.load("tracker")
        return cls(config, tensors, device)

    def _ready(self, net: torch.nn.Module, tensors: dict[str, Tensor], prefix: str) -> torch.nn.Module:
        own = {key.removeprefix(prefix): value for key, value in tensors.items() if key.startswith(prefix)}
        net = weights.restore(net, own, "tracker").requires_grad_(False)
        return net.to(self.device, memory_format=torch.channels_last)

    def __call__(self, image: np.ndarray) -> tuple[TrackedFace, ...]:
        """All faces of a picture (H, W, 3) uint8 RGB, largest first; empty when there is none."""
        frames = self.detect(image)
        if not frames:
            return ()
        points, logits = self._read(image, frames)
        likely = [k for k in np.argsort(-logits) if logits[k] > -1]
        frames = _distinct([frame_of(points[k], self.mean_shape) for k in likely])
        if not frames:
            return ()
        faces = self._finish(image, frames)
        return tuple(sorted(faces, key=lambda face: -frame_of(face.landmarks, self.mean_shape).size))

    def track(self, image: np.ndarray, previous: np.ndarray) -> TrackedFace | None:
        """The face of the next picture of a video, from its landmarks (478, 3) in the picture before; None when lost.

        Skips the detector, so it follows a face that moves by less than about a fifth of its size per picture.
        """
        found = self._finish(image, [frame_of(previous, self.mean_shape)])
        return found[0] if found else None

    @torch.inference_mode()
    def detect(self, image: np.ndarray) -> list[FaceFrame]:
        """Frames of what may be faces in a picture (H, W, 3) uint8 RGB, surest first, at most 24."""
        longest = max(image.shape[:2])
        levels = [level for level in LEVELS_PX if level <= MOST_ENLARGED * longest]
        found = [peak for level in levels or LEVELS_PX[:1] for peak in self._peaks(image, level)]
        if not found and longest >= LAST_RESORT_PX:
            found = self._peaks(image, LAST_RESORT_PX)
        found.sort(key=lambda peak: -peak[0])
        return _distinct([frame for _, frame in found])[:MOST_FACES]

    def _peaks(self, image: np.ndarray, level_px: int) -> list[tuple[float, FaceFrame]]:
        """(probability, frame) of every peak of the detector's map at one size of the picture."""
        picture, scale = letterbox(image, level_px, 32)
        answer = self.detector(picture.to(self.device, memory_format=torch.channels_last))[0].cpu()
        heat = torch.sigmoid(answer[0])
        highest = torch.nn.functional.max_pool2d(heat[None], 3, 1, 1)[0]
        stride, peaks = self.detector.config.stride, []
        for row, column in torch.nonzero((heat == highest) & (heat > PEAK_AT_LEAST)).tolist():
            dx, dy, log_size, cosine, sine = answer[1:, row, column].tolist()
            size = stride * math.exp(min(log_size, 5.0))
            if not SIZES_PX[0] <= size <= SIZES_PX[1]:
                continue
            x = ((column + 0.5 + dx) * stride - 0.5 + 0.5) / scale - 0.5
            y = ((row + 0.5 + dy) * stride - 0.5 + 0.5) / scale - 0.5
            peaks.append((heat[row, column].item(), FaceFrame(x, y, size / scale, math.atan2(sine, cosine))))
        return peaks

    @torch.inference_mode()
    def _read(self, image: np.ndarray, frames: list[FaceFrame]) -> tuple[np.ndarray, np.ndarray]:
        """Landmarks (F, 478, 3) in pixels and face logits (F,), each the mean of a crop and its mirror image."""
        crops = cut(image, frames, self.side, self.units).to(self.device)
        batch = torch.cat([crops, crops.flip(-1)]).contiguous(memory_format=torch.channels_last)
        points, logits = (answer.float().cpu().numpy() for answer in self.landmarks(batch))
        plain, mirrored = np.split(points, 2)
        mirrored = (mirrored * np.array([-1, 1, 1], np.float32))[:, self.mirror]
        means = (plain + mirrored) / 2
        placed = [to_image(mean, frame, self.side, self.units) for mean, frame in zip(means, frames, strict=True)]
        return np.array(placed), logits.reshape(2, -1).mean(0)

    def _finish(self, image: np.ndarray, frames: list[FaceFrame]) -> list[TrackedFace]:
        """Landmarks read again around the first reading, averaged over small changes of the crop."""
        points, _ = self._read(image, frames)
        frames = [frame_of(p, self.mean_shape) for p in points]
        readings = [self._read(image, [frame.moved(**change) for frame in frames]) for change in CHANGES]
        points = np.mean([p for p, _ in readings], 0)
        logits = np.mean([logit for _, logit in readings], 0)
        faces = []
        for marks, logit in zip(points, logits, strict=True):
            score = 1 / (1 + math.exp(-float(np.clip(logit, -30, 30))))
            if score >= FACE_AT_LEAST:
                box = (*marks[:, :2].min(0).tolist(), *marks[:, :2].max(0).tolist())
                faces.append(TrackedFace(marks.astype(np.float32), score, box))
        return faces


def _distinct(frames: list[FaceFrame]) -> list[FaceFrame]:
    """The frames without those that sit on an earlier one."""
    kept: list[FaceFrame] = []
    for frame in frames:
        near = (math.hypot(frame.x - k.x, frame.y - k.y) < SAME_FACE * max(frame.size, k.size) for k in kept)
        if not any(near):
            kept.append(frame)
    return kept


def _tuples(record: dict) -> dict:
    """A configuration read from JSON with its lists as tuples."""
    return {key: tuple(value) if isinstance(value, list) else value for key, value in record.items()}
