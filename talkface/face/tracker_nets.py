"""The tracker's networks: plain 3x3 residual convolutions, which train and run fast in bfloat16 on a CPU.

They know tensors only; `tracker` decides what to cut out of a picture and how to read the answers. Each network is
described by a frozen configuration that is saved with its weights.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from talkface import landmarks


@dataclass(frozen=True)
class LandmarkConfig:
    """A landmark network: input side in pixels, channels and residual blocks per stage, size of its shape code."""

    side: int = 128
    channels: tuple[int, ...] = (64, 128, 192, 256)
    blocks: tuple[int, ...] = (2, 3, 3, 1)
    squeeze: int = 64
    code: int = 160
    points: int = landmarks.COUNT


class Residual(nn.Module):
    """Two 3x3 convolutions beside a shortcut: (B, C_in, H, W) -> (B, C_out, H / stride, W / stride)."""

    def __init__(self, inputs: int, outputs: int, stride: int = 1) -> None:
        super().__init__()
        self.first = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.first_norm = nn.BatchNorm2d(outputs)
        self.second = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.second_norm = nn.BatchNorm2d(outputs)
        changes = stride > 1 or inputs != outputs
        self.shortcut = _projection(inputs, outputs, stride) if changes else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        """The block's output, rectified."""
        y = torch.relu(self.first_norm(self.first(x)))
        return torch.relu(self.shortcut(x) + self.second_norm(self.second(y)))


def _projection(inputs: int, outputs: int, stride: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))


def _stages(channels: tuple[int, ...], blocks: tuple[int, ...]) -> nn.Sequential:
    """Residual stages; each but the first halves the resolution."""
    layers: list[nn.Module] = []
    width = channels[0]
    for stage, (outputs, count) in enumerate(zip(channels, blocks, strict=True)):
        for block in range(count):
            layers.append(Residual(width, outputs, 2 if stage > 0 and block == 0 else 1))
            width = outputs
    return nn.Sequential(*layers)


class LandmarkNet(nn.Module):
    """Aligned crops -> landmarks and the confidence that the crop holds a face.

    Input (B, 3, S, S) RGB in -1..1. Output: points (B, P, 3) in units of the crop's half side, origin at its centre
    (x right, y down, z away from the viewer), and face logits (B,).
    """

    def __init__(self, config: LandmarkConfig) -> None:
        super().__init__()
        self.config = config
        first, last = config.channels[0], config.channels[-1]
        cells = (config.side // 4 // 2 ** (len(config.channels) - 1)) ** 2
        self.stem = nn.Sequential(nn.Conv2d(3, first, 6, 4, 1, bias=False), nn.BatchNorm2d(first), nn.ReLU())
        self.body = _stages(config.channels, config.blocks)
        self.squeeze = nn.Sequential(nn.Conv2d(last, config.squeeze, 1), nn.ReLU(), nn.Flatten())
        self.encode = nn.Linear(config.squeeze * cells, config.code)
        self.decode = nn.Linear(config.code, config.points * 3)
        self.face = nn.Linear(config.squeeze * cells, 1)

    def forward(self, crops: Tensor) -> tuple[Tensor, Tensor]:
        """Landmarks (B, P, 3) and face logits (B,)."""
        features = self.squeeze(self.body(self.stem(crops))).float()
        with torch.autocast(crops.device.type, enabled=False):  # bfloat16 would round by an eighth of a pixel
            points = self.decode(self.encode(features))
            return points.view(-1, self.config.points, 3), self.face(features).view(-1)


@dataclass(frozen=True)
class DetectorConfig:
    """A face detector: channels at strides 2, 4, 8, 16 and 32, and of the merged map at stride 8."""

    channels: tuple[int, ...] = (16, 32, 64, 96, 128)
    merged: int = 64
    stride: int = 8


class DetectorNet(nn.Module):
    """A picture -> for every cell of stride 8: is a face centred here, where exactly, how large, how rolled.

    Input (B, 3, H, W) RGB in -1..1, sides multiples of 32. Output (B, 6, H / 8, W / 8): face logit, offset x and y
    of the face's centre from the cell's in cells, natural logarithm of its size in cells, cosine and sine of its roll.
    """

    def __init__(self, config: DetectorConfig) -> None:
        super().__init__()
        self.config = config
        first, *rest = config.channels
        self.stem = nn.Sequential(nn.Conv2d(3, first, 3, 2, 1, bias=False), nn.BatchNorm2d(first), nn.ReLU())
        widths = zip(config.channels, rest, strict=False)
        self.down = nn.ModuleList(Residual(inputs, outputs, 2) for inputs, outputs in widths)
        self.lateral = nn.ModuleList(nn.Conv2d(width, config.merged, 1) for width in rest[1:])
        self.smooth = nn.Sequential(Residual(config.merged, config.merged), nn.Conv2d(config.merged, 6, 1))

    def forward(self, pictures: Tensor) -> Tensor:
        """The cells' answers (B, 6, H / 8, W / 8)."""
        x = self.stem(pictures)
        maps = []
        for block in self.down:
            x = block(x)
            maps.append(x)
        merged = self.lateral[-1](maps[-1])
        for lateral, features in zip(reversed(self.lateral[:-1]), reversed(maps[1:-1]), strict=True):
            merged = lateral(features) + nn.functional.interpolate(merged, scale_factor=2.0, mode="nearest")
        return self.smooth(merged).float()


@dataclass(frozen=True)
class RefineConfig:
    """A network for one part of the face.

    Attributes:
        side: of the patch in pixels; units: of the patch in face sizes.
        corners, below: the patch is centred that many face sizes below the middle of these two landmarks.
        points: the landmarks it reads; core: those among them that it knows best.
        stem, channels, blocks, squeeze, code: size of the network.
    """

    side: int
    units: float
    corners: tuple[int, ...]
    below: float
    points: tuple[int, ...]
    core: tuple[int, ...]
    stem: int = 32
    channels: tuple[int, ...] = (48, 96, 128)
    blocks: tuple[int, ...] = (1, 2, 1)
    squeeze: int = 48
    code: int = 96


class RefineNet(nn.Module):
    """Upright patches of an eye or the mouth (B, 3, S, S) in -1..1 -> its landmarks (B, P, 2) in half sides."""

    def __init__(self, config: RefineConfig) -> None:
        super().__init__()
        self.config = config
        cells = (config.side // 2 // 2 ** len(config.channels)) ** 2
        self.stem = nn.Sequential(
            nn.Conv2d(3, config.stem, 5, 2, 2, bias=False), nn.BatchNorm2d(config.stem), nn.ReLU()
        )
        self.body = _stages((config.stem, *config.channels), (0, *config.blocks))
        self.squeeze = nn.Sequential(nn.Conv2d(config.channels[-1], config.squeeze, 1), nn.ReLU(), nn.Flatten())
        self.encode = nn.Linear(config.squeeze * cells, config.code)
        self.decode = nn.Linear(config.code, len(config.points) * 2)

    def forward(self, patches: Tensor) -> Tensor:
        """Landmarks (B, P, 2)."""
        features = self.squeeze(self.body(self.stem(patches))).float()
        with torch.autocast(patches.device.type, enabled=False):
            return self.decode(self.encode(features)).view(-1, len(self.config.points), 2)
