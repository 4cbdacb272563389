"""The edges of both lips as they lie in each frame: what each lip covers, and where it is open between them."""

from __future__ import annotations

import torch
import torch.nn.functional as F

from talkface.rendering.lips import KNOTS
from talkface.rendering.refiner import CropFrame

SHUT = 0.018  # of the mouth's width: lips that are less apart shut softly
MOST_ROUND, CORNER = 0.3, 0.15  # of the mouth's width: radius of corners that do not meet; where both lips are one


class MovedEdges:
    """Both edges of the lips in one batch of frames, as heights over the line between the moved corners.

    Args:
        upper, lower: positions (B, 2, n) on the canvas, from `Mouth._move_edge`.

    Attributes:
        top_middle: (B, 2) canvas position above the middle of the mouth, as high as the upper lip's edge reaches.
    """

    def __init__(self, upper: torch.Tensor, lower: torch.Tensor) -> None:
        self.corner = (upper[:, :, 0] + lower[:, :, 0]) / 2
        last = (upper[:, :, -1] + lower[:, :, -1]) / 2
        self.top_middle = torch.stack([(self.corner + last)[:, 0] / 2, upper[:, 1].amin(1)], 1)
        self.length = (last - self.corner).norm(dim=1)
        self.along = (last - self.corner) / self.length[:, None]
        self.down = torch.stack([-self.along[:, 1], self.along[:, 0]], 1)
        heights = torch.stack([self._heights(upper), self._heights(lower)], 1)
        middle = heights.mean(1, keepdim=True)
        crossed = heights[:, :1] > heights[:, 1:]
        heights = self._rounded(torch.where(crossed, middle, heights))
        self.heights = _shut(heights, SHUT * self.length[:, None, None])

    def frame(self, length: float) -> CropFrame:
        """Where a mouth `length` pixels wide, centred between the corners, is seen by the refiner."""
        return CropFrame(self.corner + self.along * (self.length[:, None] - length) / 2, self.along, length)

    def _coordinates(self, places: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """u (0-1 between the corners) and v (pixels) of positions (B, 2, n)."""
        offset = places - self.corner[:, :, None]
        u = (offset * self.along[:, :, None]).sum(1) / self.length[:, None]
        return u, (offset * self.down[:, :, None]).sum(1)

    def _heights(self, moved: torch.Tensor) -> torch.Tensor:
        """v (B, n) of an edge at evenly spaced u."""
        u, v = self._coordinates(moved)
        u = torch.cummax(u, dim=1).values
        count = u.shape[1]
        at = torch.linspace(0, 1, count, device=u.device).expand(len(u), count).contiguous()
        right = torch.searchsorted(u.contiguous(), at).clamp(1, count - 1)
        u0, u1, v0, v1 = u.gather(1, right - 1), u.gather(1, right), v.gather(1, right - 1), v.gather(1, right)
        return torch.lerp(v0, v1, ((at - u0) / (u1 - u0).clamp_min(1e-5)).clamp(0, 1))

    def _rounded(self, heights: torch.Tensor) -> torch.Tensor:
        """Heights (B, 2, n) of edges that meet in the corners, as quarter circles where the flow took them apart there.

        The far corner of a turned head opens wide with the jaw, and its cut would end in a straight wall; and with lips
        that are shut it shuts.
        """
        half = (heights[:, 1] - heights[:, 0]) / 2
        count = half.shape[1]
        within = round(float(KNOTS[0]) * (count - 1))  # nothing keeps the opening true beyond
        nearest = torch.arange(count, device=half.device).clamp(within, count - 1 - within)
        half = torch.minimum(half, half[:, nearest])
        u = torch.linspace(0, 1, count, device=half.device)
        missing = torch.zeros_like(half)
        for end, inwards in ((half[:, :1], u), (half[:, -1:], 1 - u)):
            radius = (end / self.length[:, None]).clamp(1e-4, MOST_ROUND)
            past = (1 - inwards / radius).clamp_min(0)
            missing = missing + end * (1 - (1 - past * past).sqrt())
        half = (half - missing).clamp_min(0)
        return heights.mean(1, keepdim=True) + torch.stack([-half, half], 1)

    def _upright(self) -> torch.Tensor:
        """(B, 2, n) distances across the edges to those along the mouth's vertical."""
        ends = torch.cat([self.heights[..., :1], self.heights, self.heights[..., -1:]], -1)
        step = self.length[:, None, None] / (self.heights.shape[-1] - 1)
        slope = (ends[..., 2:] - ends[..., :-2]) / (2 * step)
        return (1 + slope * slope).rsqrt()

    def shows(self, target: torch.Tensor, line_px: float) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """How far the upper and the lower lip's side covers canvas positions (B, 2, h, w), and how near these are to
        where both meet, within `line_px`: three (B, 1, h, w), 0-1.

        Beyond the corners both sides cover, gradually, since a far corner's two sides may not move alike.
        """
        batch, _, height, width = target.shape
        u, v = (x.view(batch, 1, height, width) for x in self._coordinates(target.flatten(2)))
        grid = torch.stack([u[:, 0] * 2 - 1, torch.zeros_like(u[:, 0])], -1)
        shapes = torch.cat([self.heights, self._upright()], 1)[:, :, None]
        shapes = F.grid_sample(shapes, grid, padding_mode="border", align_corners=True)
        upper, lower = (v - shapes[:, :2]).mul_(shapes[:, 2:]).split(1, 1)  # across the edge, where it is steep
        beyond = (torch.maximum(-u, u - 1) / CORNER).clamp(0, 1)
        near = (1 - (upper + lower).abs() / (2 * line_px)).clamp_min(0)
        meet = near * (1 - (upper - lower) / line_px).clamp_min(0) * (1 - beyond)
        upper, lower = (0.5 - upper).clamp(0, 1), (0.5 + lower).clamp(0, 1)
        one = torch.ones_like(upper)
        return torch.lerp(upper, one, beyond), torch.lerp(lower, one, beyond), meet


def _shut(heights: torch.Tensor, least_px: torch.Tensor) -> torch.Tensor:
    """Heights (B, 2, n) of edges that touch where they are hardly apart: of lips that meet, no dark line is left."""
    half = (heights[:, 1:] - heights[:, :1]) / 2
    apart = half * (2 * half / least_px).clamp(0, 1)
    return heights.mean(1, keepdim=True) + torch.cat([-apart, apart], 1)
