"""Train the face detector on composed scenes. Resumable: `python -m training.tracker_detector`.

A scene is a canvas with some background and none to three pictures laid on it, turned and scaled at random; some
of them have their face removed, so that neither the edge of a pasted picture nor a suit says "face".
"""

from __future__ import annotations

from functools import partial

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from talkface.face.tracker_nets import DetectorConfig, DetectorNet
from training import tracker_augment as augment
from training.tracker_data import Sample, frame_of, mean_shape, read_sets, shares
from training.tracker_landmarks import SET_WEIGHT, as_input
from training.tracker_learner import arguments, batches, train
from training.tracker_textures import texture

SIDE = 160
STRIDE = 8
CELLS = SIDE // STRIDE
BATCH = 32
SMALLEST_PX, LARGEST_PX = 4.5, 56.0
FACE_REACH = 1.6  # a face reaches about this many sizes from its centre


def background(samples: list[Sample], frames: list, rng: np.random.Generator) -> np.ndarray:
    """A canvas (SIDE, SIDE, 3) without faces: texture, a gradient, or part of a picture beside its face."""
    draw = rng.random()
    if draw < 0.4:
        return texture(SIDE, rng)
    if draw < 0.5:
        corners = rng.integers(0, 256, (2, 2, 3)).astype(np.uint8)
        return cv2.resize(corners, (SIDE, SIDE), interpolation=cv2.INTER_LINEAR)
    i = int(rng.integers(len(samples)))
    canvas = without_face(samples[i], frames[i], rng)
    scale = SIDE / min(canvas.shape[:2]) * np.exp(rng.uniform(0, 1.8))
    angle = rng.uniform(-0.4, 0.4)
    height, width = canvas.shape[:2]
    centre = np.array([rng.uniform(0, width), rng.uniform(0, height)])
    matrix = augment.similarity(centre, 1.0, angle, SIDE, SIDE / scale)
    return cv2.warpAffine(canvas, matrix, (SIDE, SIDE), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)


def without_face(sample: Sample, frame: tuple, rng: np.random.Generator) -> np.ndarray:
    """The picture with its face covered by a flat colour, a texture, a smear or shuffled blocks."""
    image = sample.image.copy()
    centre, size, roll = frame
    mask = np.zeros(image.shape[:2], np.uint8)
    middle = tuple(int(v) for v in centre)
    cv2.ellipse(mask, middle, (int(size * 1.5) + 1, int(size * 1.8) + 1), float(np.degrees(roll)), 0, 360, 255, -1)
    draw = rng.random()
    if draw < 0.3:
        cover = np.broadcast_to(image[mask > 0].mean(0).astype(np.uint8), image.shape)
    elif draw < 0.55:
        cover = cv2.resize(texture(SIDE, rng), image.shape[1::-1])
    elif draw < 0.75:
        cover = cv2.blur(image, (int(size * 2.5) | 1, int(size * 2.5) | 1))
    else:
        cover = np.roll(image[::-1], int(rng.integers(0, image.shape[0])), axis=0)
        cover = np.roll(cover, image.shape[1] // 2, axis=1)
    image[mask > 0] = cover[mask > 0]
    return image


def scene(samples: list[Sample], frames: list, share: np.ndarray, rng: np.random.Generator) -> tuple:
    """A canvas (SIDE, SIDE, 3) uint8 and its faces [(x, y, size, roll)] in pixels."""
    canvas, faces, taken = background(samples, frames, rng), [], []
    for _ in range(int(rng.choice([0, 1, 1, 1, 1, 1, 2, 3]))):
        i = int(rng.choice(len(samples), p=share))
        sample, (centre, size, roll) = samples[i], frames[i]
        wanted = np.exp(rng.uniform(np.log(SMALLEST_PX), np.log(LARGEST_PX)))
        reach = FACE_REACH * wanted
        margin = min(reach * 0.75, SIDE / 2 - 1)
        spot = rng.uniform(margin, SIDE - margin, 2)
        if any(np.hypot(*(spot - other)) < (reach + far) * 1.05 for *other, far in taken):
            continue
        angle = rng.normal(0, 0.2) if rng.random() < 0.6 else rng.uniform(-1.0, 1.0)
        flip = rng.random() < 0.5
        image = sample.image
        faceless = rng.random() < 0.15
        if faceless:
            image = without_face(sample, (centre, size, roll), rng)
        if flip:
            image, centre, roll = image[:, ::-1], np.array([image.shape[1] - 1 - centre[0], centre[1]]), -roll
        units = SIDE / wanted
        matrix = augment.similarity(centre, size, roll - angle, SIDE, units)
        matrix[:, 2] += spot - (SIDE - 1) / 2
        canvas = lay(canvas, np.ascontiguousarray(image), matrix, (*spot, reach), taken, rng)
        taken.append((*spot, reach))
        if not faceless:
            faces.append((*spot, wanted, angle))
    return augment.damage(canvas, rng) if rng.random() < 0.8 else canvas, faces


def lay(canvas: np.ndarray, image: np.ndarray, matrix: np.ndarray, place: tuple, taken: list, rng) -> np.ndarray:
    """The picture over the canvas: to its own edges, or faded out around the face; sometimes it fills the canvas.

    `place` (x, y, reach) is where its face comes to lie; faces already there, `taken`, stay uncovered.
    """
    x, y, reach = place
    scale = float(np.sqrt(abs(np.linalg.det(matrix[:, :2]))))
    if scale < 0.6:
        factor = max(2, int(np.ceil(0.6 / scale)))
        height, width = image.shape[0] // factor, image.shape[1] // factor
        image = cv2.resize(image[: height * factor, : width * factor], (width, height), interpolation=cv2.INTER_AREA)
        shift = (factor - 1) / 2
        matrix = augment.compose(np.array([[factor, 0, shift], [0, factor, shift]]), matrix)
    size = (SIDE, SIDE)
    draw = rng.random()
    if draw < 0.25 and not taken:
        return cv2.warpAffine(image, matrix, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    laid = cv2.warpAffine(image, matrix, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    mask = cv2.warpAffine(np.full(image.shape[:2], 255, np.uint8), matrix, size, flags=cv2.INTER_LINEAR)
    if draw < 0.6 or taken:
        soft = np.zeros(size, np.uint8)
        axes = (int(reach * rng.uniform(1.1, 1.6)) + 1, int(reach * rng.uniform(1.3, 2.0)) + 1)
        cv2.ellipse(soft, (int(x), int(y)), axes, 0, 0, 360, 255, -1)
        mask = cv2.min(mask, cv2.GaussianBlur(soft, (0, 0), 0.5 + reach * rng.uniform(0.02, 0.25)))
    for other_x, other_y, far in taken:
        cv2.circle(mask, (int(other_x), int(other_y)), int(far) + 1, 0, -1)
    weight = mask[..., None].astype(np.float32) / 255
    return (laid * weight + canvas * (1 - weight)).astype(np.uint8)


def targets(faces: list) -> np.ndarray:
    """(7, CELLS, CELLS): heat, regression weight, offset x, y, log size, cosine and sine of the roll."""
    out = np.zeros((7, CELLS, CELLS), np.float32)
    grid = (np.arange(CELLS) + 0.5) * STRIDE - 0.5
    for x, y, size, roll in faces:
        dx, dy = (x - grid)[None, :], (y - grid)[:, None]
        spread = max(0.22 * size, 0.45 * STRIDE)
        heat = np.exp(-(dx**2 + dy**2) / (2 * spread**2)) * np.ones((CELLS, CELLS))
        nearest = np.unravel_index(np.argmax(heat), heat.shape)
        heat[nearest] = 1
        inside = (heat > 0.5) & (heat > out[0])
        out[0] = np.maximum(out[0], heat)
        values = (dx / STRIDE + 0 * dy, dy / STRIDE + 0 * dx, np.log(size / STRIDE), np.cos(roll), np.sin(roll))
        out[1][inside] = heat[inside]
        for channel, value in enumerate(values, start=2):
            out[channel][inside] = np.broadcast_to(value, heat.shape)[inside]
    return out


def produce(queue, samples: list[Sample], frames: list, seed: int) -> None:
    """Worker: batches of scenes (B, SIDE, SIDE, 3) uint8 and targets (B, 7, CELLS, CELLS), for ever."""
    cv2.setNumThreads(1)
    rng = np.random.default_rng(seed)
    share = shares(samples, SET_WEIGHT)
    while True:
        made = [scene(samples, frames, share, rng) for _ in range(BATCH)]
        queue.put((np.array([canvas for canvas, _ in made]), np.array([targets(faces) for _, faces in made])))


def losses(net: DetectorNet, canvases: np.ndarray, wanted: np.ndarray) -> dict[str, Tensor]:
    """Penalty-reduced focal loss of the heat (CornerNet, Law & Deng 2018, eq. 1) and L1 of the rest at the faces."""
    target = torch.from_numpy(wanted)
    with torch.autocast("cpu", torch.bfloat16):
        answer = net(as_input(canvases))
    heat, weight = target[:, 0], target[:, 1]
    logit = answer[:, 0]
    p = torch.sigmoid(logit)
    positive = (heat == 1).float()
    on = F.logsigmoid(logit) * (1 - p) ** 2 * positive
    off = F.logsigmoid(-logit) * p**2 * (1 - heat) ** 4 * (1 - positive)
    count = positive.sum().clamp(min=1)
    scale = torch.tensor([0.5, 0.5, 2.0, 1.0, 1.0])[None, :, None, None]
    error = ((answer[:, 1:] - target[:, 2:]).abs() * scale * weight[:, None]).sum() / weight.sum().clamp(min=1)
    return {"heat": -(on + off).sum() / count, "rest": error}


def main() -> None:
    """Train it; the numbers printed are running training losses."""
    args = arguments(__doc__, samples=76_000).parse_args()
    samples = read_sets(("generated", "official", "congress"))
    mean, _ = mean_shape(samples)
    samples = [s for s in samples if not s.held_out]
    net = DetectorNet(DetectorConfig())
    net.smooth[-1].bias.data[0] = -4
    train("detector", net, args, partial(batches, produce, samples, [frame_of(s.marks, mean) for s in samples]), losses)


if __name__ == "__main__":
    main()
