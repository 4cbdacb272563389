"""The face tracker: a picture -> every face in it, 478 landmarks each (MediaPipe's topology, irises included).

A detector looks at the whole picture at several sizes and says where faces are, how large and how rolled. Each face
is then cut out upright and a second network reads its landmarks; the crop is taken again around what it found, and the
last reading is averaged over small changes of the crop and its mirror image. Two small networks then read the eyes and
the mouth once more, from patches of about the picture's own resolution. Weights: `weights/tracker.safetensors`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from talkface import weights
from talkface.face.tracker_crops import FaceFrame, cut, frame_of, letterbox, reduced, to_image
from talkface.face.tracker_nets import (
    DetectorConfig,
    DetectorNet,
    LandmarkConfig,
    LandmarkNet,
    RefineConfig,
    RefineNet,
)

LEVELS_PX = (112, 192, 384, 768)  # lengths of the longer side at which the detector looks
LAST_RESORT_PX = {112: 192, 192: 384, 384: 768, 768: 1536}  # finest level -> one more, where nothing was found
MOST_ENLARGED = 1.2  # how far a picture is enlarged to reach a level
PEAK_AT_LEAST = 0.3  # the detector's probability
FAINT_PEAK = 0.08  # the same where nothing was found
FACE_AT_LEAST = 0.5  # a face's score
COMPANION_AT_LEAST = 0.75  # the same beside a surer face
LIKELY_LOGIT = 0.0  # of the landmark network: rather a face than none
SIZES_PX = (3.5, 64.0)  # inter-ocular distances that the detector tells at one level
SAME_FACE = 0.9  # distance in face sizes
SAME_SIZE = 1.6  # ratio
MOST_FACES = 24  # looked at more closely
FOLLOWED = 0.8  # stands for the detector's probability where it was not asked
# Small changes of a crop; what is read from each is averaged.
CHANGES = (
    {},
    {"scale": 1.05, "turn": 0.04, "dx": 0.03},
    {"scale": 0.95, "turn": -0.04, "dy": 0.03},
)
PATCH_CHANGES = (
    {"dx": 0.015, "turn": 0.03},
    {"dy": 0.015, "turn": -0.03, "scale": 1.04},
)
CORE_SHARE, RIM_SHARE = 1.0, 0.75  # how far a part's own network is believed, in its middle and around it


@contextmanager
def _one_thread() -> Iterator[None]:
    """Keep torch to one thread: the work is too small to share; on a busy machine sharing makes it ten times slower."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


@dataclass(frozen=True)
class TrackedFace:
    """One face of a picture.

    Attributes:
        landmarks: (478, 3) float32, pixels of the picture; z in the same scale, towards the viewer negative.
        score: 0-1, how sure it is that this is a face.
        likeness: 0-1, the same without regard to how small it is beside the picture.
        box: (left, top, right, bottom) of the landmarks, pixels.
    """

    landmarks: np.ndarray
    score: float
    likeness: float
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
        self.parts = tuple(
            self._ready(RefineNet(RefineConfig(**_tuples(config[name]))), tensors, f"{name}.")
            for name in ("eye", "mouth")
        )

    @classmethod
    def load(cls, device: torch.device | str = "cpu") -> FaceTracker:
        """The tracker with the weights of this version; EnvironmentFailure when they are missing or altered."""
        config, tensors = weights.load("tracker")
        return cls(config, tensors, device)

    def _ready(self, net: torch.nn.Module, tensors: dict[str, Tensor], prefix: str) -> torch.nn.Module:
        own = {key.removeprefix(prefix): value for key, value in tensors.items() if key.startswith(prefix)}
        net = weights.restore(net, own, "tracker").requires_grad_(False)
        return net.to(self.device, memory_format=torch.channels_last)

    @_one_thread()
    def __call__(self, image: np.ndarray) -> tuple[TrackedFace, ...]:
        """All faces of a picture (H, W, 3) uint8 RGB, largest first; empty when there is none."""
        longest = max(image.shape[:2])
        levels = [level for level in LEVELS_PX if level <= MOST_ENLARGED * longest] or LEVELS_PX[:1]
        finer = LAST_RESORT_PX[levels[-1]]
        attempts = ((levels, PEAK_AT_LEAST), ([finer], PEAK_AT_LEAST), ([*levels, finer], FAINT_PEAK))
        faces = next((found for look in attempts if (found := self._look(image, *look))), [])
        return tuple(sorted(faces, key=lambda face: -frame_of(face.landmarks, self.mean_shape).size))

    @_one_thread()
    def track(self, image: np.ndarray, previous: np.ndarray) -> TrackedFace | None:
        """The face of the next picture of a video, from its landmarks (478, 3) in the picture before; None when lost.

        Skips the detector, so it follows a face that moves by less than about a fifth of its size per picture.
        """
        better, _ = self._first(image, [frame_of(previous, self.mean_shape)])
        faces = self._finish(image, [(FOLLOWED, better[0])])
        return faces[0] if faces else None

    def _look(self, image: np.ndarray, levels_px: Sequence[int], least: float) -> list[TrackedFace]:
        """The faces seen with the picture's longer side at `levels_px` where the detector gives at least `least`."""
        candidates = self.detect(image, levels_px, least)
        if not candidates:
            return []
        better, logits = self._first(image, [frame for _, frame in candidates])
        surest = [k for k in np.argsort(-logits) if logits[k] > LIKELY_LOGIT]
        return self._finish(image, _distinct([(candidates[k][0], better[k]) for k in surest], math.inf))

    @torch.inference_mode()
    def detect(
        self, image: np.ndarray, levels_px: Sequence[int] = LEVELS_PX, least: float = PEAK_AT_LEAST
    ) -> list[tuple[float, FaceFrame]]:
        """(probability, frame) of what may be faces in a picture (H, W, 3) uint8 RGB, surest first, at most 24."""
        factor = max(1, max(image.shape[:2]) // max(LAST_RESORT_PX.values()))
        image, found = reduced(image, factor), []
        for level_px in levels_px:
            largest_px = SIZES_PX[1] if level_px == levels_px[0] else SIZES_PX[1] / 2  # those a coarser level has seen
            found += [peak for peak in self._peaks(image, level_px, largest_px) if peak[0] >= least]
        found.sort(key=lambda peak: -peak[0])
        found = [(probability, frame.enlarged(factor)) for probability, frame in found]
        return _distinct(found, SAME_SIZE)[:MOST_FACES]

    def _peaks(self, image: np.ndarray, level_px: int, largest_px: float) -> list[tuple[float, FaceFrame]]:
        """(probability, frame) of every peak of the detector's map at one size of the picture."""
        picture, scale = letterbox(image, level_px, 32)
        answer = self.detector(picture.to(self.device, memory_format=torch.channels_last))[0].cpu()
        heat = torch.sigmoid(answer[0])
        highest = torch.nn.functional.max_pool2d(heat[None], 3, 1, 1)[0]
        stride, peaks = self.detector.config.stride, []
        for row, column in torch.nonzero((heat == highest) & (heat > FAINT_PEAK)).tolist():
            dx, dy, log_size, cosine, sine = answer[1:, row, column].tolist()
            size = stride * math.exp(min(log_size, 5.0))
            if not SIZES_PX[0] <= size <= largest_px:
                continue
            x, y = (column + 0.5 + dx) * stride - 0.5, (row + 0.5 + dy) * stride - 0.5
            frame = FaceFrame(x, y, size, math.atan2(sine, cosine))
            peaks.append((heat[row, column].item(), frame.enlarged(1 / scale)))
        return peaks

    @torch.inference_mode()
    def _first(self, image: np.ndarray, frames: list[FaceFrame]) -> tuple[list[FaceFrame], np.ndarray]:
        """Better frames, from the landmarks in the crops of `frames`, and the face logits (F,)."""
        crops = cut(image, frames, self.side, self.units).to(self.device, memory_format=torch.channels_last)
        points, logits = (answer.float().cpu().numpy() for answer in self.landmarks(crops))
        placed = (to_image(marks, frame, self.side, self.units) for marks, frame in zip(points, frames, strict=True))
        return [frame_of(marks, self.mean_shape) for marks in placed], logits

    @torch.inference_mode()
    def _read(self, image: np.ndarray, frames: list[FaceFrame]) -> _Reading:
        """What the landmark network reads in the crops of `frames`, each the mean of a crop and its mirror image."""
        crops = cut(image, frames, self.side, self.units).to(self.device)
        batch = torch.cat([crops, crops.flip(-1)]).contiguous(memory_format=torch.channels_last)
        points, logits = (answer.float().cpu().numpy() for answer in self.landmarks(batch))
        plain, mirrored = np.split(points, 2)
        mirrored = (mirrored * np.array([-1, 1, 1], np.float32))[:, self.mirror]
        means = (plain + mirrored) / 2
        placed = [to_image(mean, frame, self.side, self.units) for mean, frame in zip(means, frames, strict=True)]
        spreads = np.linalg.norm(plain - mirrored, axis=-1).mean(1) * self.units / 2
        return _Reading(np.array(placed), logits.reshape(2, -1).mean(0), spreads)

    def _finish(self, image: np.ndarray, candidates: list[tuple[float, FaceFrame]]) -> list[TrackedFace]:
        """Landmarks averaged over small changes of the crops, parts sharpened; what is no face is dropped."""
        if not candidates:
            return []
        frames = [frame for _, frame in candidates]
        readings = [self._read(image, [frame.moved(**change) for frame in frames]) for change in CHANGES]
        points = np.mean([reading.points for reading in readings], 0)
        logits = np.mean([reading.logits for reading in readings], 0)
        spreads = np.mean([reading.spreads for reading in readings], 0)
        shares = [frame.size / max(image.shape[:2]) for frame in frames]
        evidence = [_evidence(c[0], *more) for c, *more in zip(candidates, logits, spreads, strict=True)]
        scores = [_score(each, share) for each, share in zip(evidence, shares, strict=True)]
        least = COMPANION_AT_LEAST if max(scores) > COMPANION_AT_LEAST else FACE_AT_LEAST
        faces = []
        for score, each, marks in zip(scores, evidence, points, strict=True):
            if score >= least:
                marks = self._sharpened(image, marks)
                box = (*marks[:, :2].min(0).tolist(), *marks[:, :2].max(0).tolist())
                faces.append(TrackedFace(marks, score, _score(each), box))
        return faces

    def _sharpened(self, image: np.ndarray, marks: np.ndarray) -> np.ndarray:
        """The landmarks (478, 3) with eyes and mouth read again, the mouth also in the mirror."""
        eye, mouth = self.parts
        for _ in range(2):  # the second time from better placed patches
            for mirrored in (False, True):
                marks = self._sharpen(image, marks, eye, mirrored=mirrored)
            marks = np.mean([self._sharpen(image, marks, mouth, mirrored=mirrored) for mirrored in (False, True)], 0)
        return marks.astype(np.float32)

    @torch.inference_mode()
    def _sharpen(self, image: np.ndarray, marks: np.ndarray, net: RefineNet, *, mirrored: bool) -> np.ndarray:
        """The landmarks (478, 3) with those of one part moved towards what its network reads."""
        config = net.config
        points, corners, core = (np.array(part) for part in (config.points, config.corners, config.core))
        if mirrored:
            points, corners, core = self.mirror[points], self.mirror[corners], self.mirror[core]
        face = frame_of(marks, self.mean_shape)
        x, y = marks[corners, :2].mean(0) + config.below * face.size * np.array(
            [-math.sin(face.roll), math.cos(face.roll)]
        )
        middle = FaceFrame(float(x), float(y), face.size, face.roll)
        frames = [middle.moved(**change) for change in PATCH_CHANGES]
        patches = cut(image, frames, config.side, config.units).to(self.device)
        patches = patches.flip(-1) if mirrored else patches
        found = net(patches.contiguous(memory_format=torch.channels_last)).cpu().numpy()
        if mirrored:
            found = found * np.array([-1, 1], np.float32)
        flat = [np.c_[f, np.zeros(len(f))] for f in found]
        placed = [to_image(f, frame, config.side, config.units)[:, :2] for f, frame in zip(flat, frames, strict=True)]
        share = np.where(np.isin(points, core), CORE_SHARE, RIM_SHARE)[:, None]
        sharp = marks.copy()
        sharp[points, :2] += share * (np.mean(placed, 0) - marks[points, :2])
        return sharp


@dataclass(frozen=True)
class _Reading:
    """Landmarks (F, 478, 3) in pixels, face logits (F,), disagreement of crop and mirror image in face sizes (F,)."""

    points: np.ndarray
    logits: np.ndarray
    spreads: np.ndarray


def _evidence(probability: float, logit: float, spread: float) -> float:
    """The detector, the landmark network and its agreement with itself, in one number for `_score`."""
    return 6.7 * (probability - 0.5) + 1.2 * (logit - 5.5) - 30 * (spread - 0.05) + 1.1  # logistic fit


def _score(evidence: float, share: float = 1.0) -> float:
    """How sure it is that this is a face, 0-1; one that is tiny beside the picture (`share` of its longer side) has to
    be surer."""
    evidence -= 2 * float(np.clip((0.08 - share) / 0.04, 0, 1))
    return 1 / (1 + math.exp(-float(np.clip(evidence, -30, 30))))


def _distinct(candidates: list[tuple[float, FaceFrame]], ratio: float) -> list[tuple[float, FaceFrame]]:
    """The candidates without those that sit on an earlier one of the same size, give or take a factor of `ratio`."""
    kept: list[tuple[float, FaceFrame]] = []
    for probability, frame in candidates:
        near = (
            math.hypot(frame.x - k.x, frame.y - k.y) < SAME_FACE * max(frame.size, k.size)
            and max(frame.size, k.size) < ratio * min(frame.size, k.size)
            for _, k in kept
        )
        if not any(near):
            kept.append((probability, frame))
    return kept


def _tuples(record: dict) -> dict:
    """A configuration read from JSON with its lists as tuples."""
    return {key: tuple(value) if isinstance(value, list) else value for key, value in record.items()}
