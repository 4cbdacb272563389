"""The small network that makes what is drawn behind the lips look photographed.

It sees the mouth in a crop of fixed size that follows the lips, with what was painted there, and answers with a
correction that is added to the frame: teeth as bright as this portrait's light makes them, softer shadows, wet edges.
The crop is about half as fine as a frame, so the grain of the picture stays the renderer's own, and the correction ends
a pixel or two past what was painted: it never touches the face.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import nn

from talkface import weights
from talkface.rendering.sampling import box_mean

CROP_PX = (48, 64)  # rows, columns
CROP_REACH = (1.125, 1.5)  # height and width of the crop, of the mouth's width
CROP_RISE = 0.35  # of the mouth's width: how far above the corners the crop begins
PICTURE_CHANNELS, MASK_CHANNELS = 3, 3
GREY = (0.005, 0.015)  # mean distance from grey, of -1 to 1, of pictures without colour and with
BORDER_PX = 3  # the outermost positions of a patch are not evenly spaced
WEIGHTS_NAME = "refiner"


@dataclass(frozen=True)
class RefinerConfig:
    """Architecture of `Refiner`, saved with its weights: channels at full, half and quarter resolution."""

    widths: tuple[int, int, int] = (16, 32, 48)


class Refiner(nn.Module):
    """A U-Net on three scales with one look at the whole mouth in the middle."""

    def __init__(self, config: RefinerConfig | None = None) -> None:
        super().__init__()
        self.config = config or RefinerConfig()
        fine, middle, coarse = self.config.widths
        self.enter = _convolution(PICTURE_CHANNELS + MASK_CHANNELS, fine)
        self.down = nn.Sequential(_convolution(fine, middle, stride=2), _convolution(middle, middle))
        self.deep = nn.Sequential(_convolution(middle, coarse, stride=2), _convolution(coarse, coarse))
        self.whole = _convolution(2 * coarse, coarse)
        self.up = _convolution(coarse + middle, middle)
        self.leave = _convolution(middle + fine, fine)
        self.out = nn.Conv2d(fine, PICTURE_CHANNELS, 3, padding=1)
        nn.init.zeros_(self.out.weight)
        nn.init.zeros_(self.out.bias)

    @classmethod
    def load(cls) -> Refiner:
        """The trained network. Raises EnvironmentFailure when its weights are missing or altered."""
        config, tensors = weights.load(WEIGHTS_NAME)
        net = weights.restore(cls(RefinerConfig(tuple(config["widths"]))), tensors, WEIGHTS_NAME)
        return net.to(memory_format=torch.channels_last)  # a quarter faster on CPUs

    def forward(self, picture: torch.Tensor, masks: torch.Tensor) -> torch.Tensor:
        """Correction (B, 3, 48, 64) of pictures (B, 3, 48, 64), -1 to 1, whose masks (B, 3, 48, 64) say what was
        painted there: anything, upper teeth and gums, lower teeth and tongue, 0-1."""
        fine = self.enter(torch.cat([picture, masks], 1))
        middle = self.down(fine)
        coarse = self.deep(middle)
        coarse = self.whole(torch.cat([coarse, coarse.mean((2, 3), keepdim=True).expand_as(coarse)], 1))
        middle = self.up(torch.cat([F.interpolate(coarse, scale_factor=2), middle], 1))
        fine = self.leave(torch.cat([F.interpolate(middle, scale_factor=2), fine], 1))
        return self.out(fine) * reach(masks)


def reach(masks: torch.Tensor) -> torch.Tensor:
    """How far (B, 1, h, w), 0-1, the correction may go: where something is painted, and one pixel around it."""
    near = F.max_pool2d(masks[:, :1], 3, 1, 1)
    return F.avg_pool2d(F.pad(near, (1, 1, 1, 1), mode="replicate"), 3, 1)


def _convolution(inputs: int, outputs: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(inputs, outputs, 3, stride, 1), nn.LeakyReLU(0.1, inplace=True))


@dataclass(frozen=True)
class CropFrame:
    """Where the crops of a batch lie on the canvas: mouths `length` pixels wide from `corner` (B, 2) in direction
    `along` (B, 2)."""

    corner: torch.Tensor
    along: torch.Tensor
    length: float

    @property
    def down(self) -> torch.Tensor:
        """(B, 2), at right angles to `along`."""
        return torch.stack([-self.along[:, 1], self.along[:, 0]], 1)

    def places(self) -> torch.Tensor:
        """Canvas positions (B, 2, 48, 64) of the crop's pixels."""
        v, u = ((torch.arange(n, device=self.corner.device) + 0.5) / n for n in CROP_PX)
        v = (v * CROP_REACH[0] - CROP_RISE) * self.length
        u = (0.5 + (u - 0.5) * CROP_REACH[1]) * self.length
        along, down, corner = (axis[:, :, None, None] for axis in (self.along, self.down, self.corner))
        return corner + along * u + down * v[:, None]

    def grid(self, target: torch.Tensor) -> torch.Tensor:
        """Where canvas positions (B, 2, h, w) lie in the crop: (B, h, w, 2), -1 to 1 from edge to edge."""
        offset = (target - self.corner[:, :, None, None]) / self.length
        u, v = ((offset * axis[:, :, None, None]).sum(1) for axis in (self.along, self.down))
        return torch.stack([(u - 0.5) / CROP_REACH[1] * 2, (v + CROP_RISE) / CROP_REACH[0] * 2 - 1], -1)


def refine(net: Refiner, colour: torch.Tensor, painted: torch.Tensor, target, frame: CropFrame) -> torch.Tensor:
    """Correct drawn mouths (B, 3, h, w), 0-255.

    Args:
        net: the network.
        colour: the drawn mouths.
        painted: (B, 3, h, w) what was painted where, see `Refiner.forward`.
        target: (B, 2, h, w) canvas positions of the pixels, evenly spaced.
        frame: where the crops lie.
    """
    drawn = torch.cat([colour / 127.5 - 1, painted], 1)
    drawn = box_mean(box_mean(drawn, 2, 2), 2, 3)  # frames are about twice as fine
    height, width = drawn.shape[-2:]
    first, last = (
        target[:, :, y : y + 2, x : x + 2].mean((2, 3), keepdim=True)
        for y, x in ((BORDER_PX, BORDER_PX), (height - 1 - BORDER_PX, width - 1 - BORDER_PX))
    )
    size = torch.tensor([width, height], device=target.device).view(1, 2, 1, 1)
    pixel = BORDER_PX + (frame.places() - first) / (last - first) * (size - 1 - 2 * BORDER_PX)
    grid = (pixel / (size - 1) * 2 - 1).movedim(1, -1)
    seen = F.grid_sample(drawn, grid, padding_mode="border", align_corners=True)
    picture, masks = seen[:, :PICTURE_CHANNELS], seen[:, PICTURE_CHANNELS:]
    correction = _as_colourful(net(picture, masks) * 127.5, picture)
    return (colour + F.grid_sample(correction, frame.grid(target), align_corners=False)).clamp(0, 255)


def _as_colourful(correction: torch.Tensor, picture: torch.Tensor) -> torch.Tensor:
    """The correction (B, 3, h, w) without a tint where the picture (B, 3, h, w) is black and white."""
    none, enough = GREY
    colour = (picture - picture.mean(1, keepdim=True)).abs().mean((1, 2, 3)).view(-1, 1, 1, 1)
    share = ((colour - none) / (enough - none)).clamp(0, 1)
    return torch.lerp(correction.mean(1, keepdim=True).expand_as(correction), correction, share)
