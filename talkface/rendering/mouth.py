"""Drawing the mouth of each frame: the two lips move apart, and what is behind them shows."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F

from talkface.rendering.canvas import Canvas
from talkface.rendering.lips import TABLE, LipGap, LipLine, lip_basis, lip_motion
from talkface.rendering.moved_edges import MovedEdges
from talkface.rendering.plates import Plate, PlateMotion
from talkface.rendering.refiner import Refiner, refine
from talkface.rendering.sampling import Patch, box_mean, read_tables, sample_plate, sample_texture
from talkface.rendering.sheet import Fields, Sheet
from talkface.rendering.teeth import MouthLight, shows_below
from talkface.types import FaceFit

COARSE_PX = 2
FADE_PX = 8  # at the border of the mouth's patch
GROWING = (0.2, 0.4, 0.6, 0.8, 1.0, 1.0, 1.0, 1.0)  # shares of the motion, see `Sheet.invert`
MISSED_PX, AROUND = 2.0, 9  # so far off is not where a position was looked for; positions a side that mend it
EDGE_STRIDE = 4
OWN_MARGIN_PX = 2.0  # of the own mouth, left out where the lower lip has gone elsewhere; at rest it reaches behind it
ON_LIP_PX = 2.0  # from its edge on, the portrait's lip is clear of what shows between its lips
OFF_LIP_PX, OFF_WIDE_LIP = 6.0, 0.5  # past its edge, and of the portrait's opening: so far a lip is misplaced at most
AT_CORNERS = 0.03  # of the mouth's width
OWN_REACH_PX = 6.0  # how far it is continued, mirrored, behind the upper lip
FAR_PX = 99.0
LINE, PARTED = 0.03, 0.08  # of the mouth's width: half of the line between closed lips, and the gap at which it is gone
MEETING = 0.33  # how dark the line is where lips meet that the portrait shows parted
HARDLY = 0.3  # what is painted less than this, at the edges of the portrait's own mouth, counts as not painted
SHADOW = 0.04  # of the mouth's width: half the reach of the lips' shadows on what is behind them
UNDER_LIP, RIM = 0.6, 0.65  # the light in the shadow of the upper, and at the edge of the lower lip
SLIT, IN_SLIT = 0.12, 0.45  # of the mouth's width: openings below this are slits; the light within them


class Mouth(torch.nn.Module):
    """Everything about one portrait's mouth.

    Args:
        fit, canvas, fields: the portrait.
        line: the cut between the lips.
        plates: the lower and the upper painted plate.
        teeth_edge: (TABLE,) v down to which the portrait shows upper teeth, see `teeth_edge`.
        light: the colours behind them, of which the darkness is shown.
        pivot: (3,) about which the head turns.
        refiner: the network that corrects what is drawn.
    """

    def __init__(
        self,
        fit: FaceFit,
        canvas: Canvas,
        fields: Fields,
        line: LipLine,
        plates: tuple[Plate, Plate],
        teeth_edge: np.ndarray,
        light: MouthLight,
        pivot: np.ndarray,
        refiner: Refiner,
    ) -> None:
        super().__init__()
        self.refiner = refiner
        rows, columns = _rectangle(line, canvas, fields.rigidity.shape[0])
        sheets = []
        for side in ("upper", "lower"):
            basis = lip_basis(side, line, fields, canvas, fit.mesh, rows, columns)
            sheets.append(Sheet(fields, basis, rows, columns, canvas, pivot))
        self.upper, self.lower = sheets
        self.gap = LipGap(lip_motion(line, canvas, fit.mesh))
        self.lower_plate = PlateMotion(plates[0], canvas, pivot)
        self.upper_plate = PlateMotion(plates[1], canvas, pivot, throws_shadow=True)
        self.half_width, self.rise, self.drop = 0.75 * line.length, 0.3 * line.length, 1.25 * line.length + line.gap_px
        self.length = line.length
        self.off_lip_px = OFF_LIP_PX + OFF_WIDE_LIP * line.gap_px
        self.is_shut = line.gap_px == 0
        self.shows_inside = not self.is_shut
        self.shows_below = shows_below(teeth_edge, line)
        self.register_buffer("corner", torch.from_numpy(np.asarray(line.corner, np.float32)))
        self.register_buffer("axes", torch.from_numpy(np.stack([line.along, line.down]).astype(np.float32)))
        self.register_buffer("edges", torch.from_numpy(np.stack([line.upper, line.lower])))
        self.register_buffer("teeth_edge", torch.from_numpy(teeth_edge))
        self.register_buffer("throat", torch.from_numpy(light.throat))
        self.register_buffer("black", torch.from_numpy(light.black).view(1, 3, 1, 1))
        self.register_buffer("flush", torch.from_numpy(light.flush).view(1, 3, 1, 1))

    def draw(self, frames, scene, texture, change, asked, spoken, speaking, rotation, shift) -> None:
        """Draw the mouth into frames (B, H, W, 3) uint8, in place.

        Args:
            scene: the geometry of these frames.
            texture: (3, 2S, 2S) the portrait.
            change, asked, spoken: (B, K) dynamics relative to the portrait's, absolute, and those of the motion alone.
            speaking: (B, 1) how far the motion alone decides the opening of the lips.
            rotation, shift: (B, 3, 3), (B, 3) head motion.
        """
        lowered_upper, lowered_lower = self.gap.corrections(change, spoken, speaking)
        flow_upper = self.upper.flow(torch.cat([change, lowered_upper], 1), rotation, shift)
        flow_lower = self.lower.flow(torch.cat([change, lowered_lower], 1), rotation, shift)
        edges = MovedEdges(self._move_edge(self.upper, flow_upper, 0), self._move_edge(self.lower, flow_lower, 1))
        top_middle = scene.in_frame(edges.top_middle)
        half_width, rise, drop = (
            int(np.ceil(reach / scene.nearest / COARSE_PX)) for reach in (self.half_width, self.rise, self.drop)
        )
        height, width = scene.area.height, scene.area.width
        rows, columns = min(rise + drop, height // COARSE_PX), min(2 * half_width, width // COARSE_PX)
        left = _within(top_middle[:, 0] - half_width * COARSE_PX, scene.area.left, width - columns * COARSE_PX)
        top = _within(top_middle[:, 1] - rise * COARSE_PX, scene.area.top, height - rows * COARSE_PX)
        coarse = scene.target(_steps(left, columns, COARSE_PX), _steps(top, rows, COARSE_PX))
        place_upper, place_lower = (
            _mended(sheet, flow, sheet.invert(flow, coarse, coarse, GROWING), coarse)
            for sheet, flow in ((self.upper, flow_upper), (self.lower, flow_lower))
        )
        if self.is_shut:
            gap = edges.heights[:, 1] - edges.heights[:, 0]
            on_upper, on_lower = self._off_line(place_upper, gap, 0), self._off_line(place_lower, gap, 1)
        else:
            on_upper, on_lower = self._on_lip(place_upper, speaking, 0), self._on_lip(place_lower, speaking, 1)
        known = self._fine((self.lower.depth_inside(place_lower) / FADE_PX).clamp(0, 1))
        on_upper, on_lower, target = self._fine(on_upper), self._fine(on_lower), self._fine(coarse)
        show_upper, show_lower, meet = edges.shows(target, LINE * self.length)
        hole = (1 - show_upper - show_lower).clamp_min(0)
        share = show_upper / (show_upper + show_lower).clamp_min(1e-4)
        upper, lower = sample_texture(texture, on_upper), sample_texture(texture, on_lower)
        below = self._fine(place_lower) if self.shows_below else None
        inside, painted = self._inside(texture, hole, below, target, asked, speaking, rotation, shift)
        colour = torch.lerp(lower, upper, share)
        if self.shows_inside:
            colour = colour * (1 - MEETING * meet * speaking.view(-1, 1, 1, 1)) ** self.flush
        colour = torch.lerp(colour, inside, hole)
        colour = refine(self.refiner, colour, painted, target, edges.frame(self.length))
        patch = Patch(scene.area, left, top, *colour.shape[-2:])
        shown = _faded(*colour.shape[-2:], colour.device) * known
        patch.write(frames, torch.lerp(patch.read(frames), colour, shown))

    def _move_edge(self, sheet: Sheet, flow: torch.Tensor, edge: int) -> torch.Tensor:
        """Where the flow takes an edge of the lips: (B, 2, n)."""
        heights = self.edges[edge, ::EDGE_STRIDE]
        u = torch.linspace(0, 1, len(heights), device=heights.device)
        rest = self.corner[:, None] + self.axes[0, :, None] * u * self.length + self.axes[1, :, None] * heights
        return rest + sheet.sample(flow, rest[None, :, None].expand(len(flow), -1, -1, -1))[:, :, 0]

    def _off_line(self, place: torch.Tensor, gap: torch.Tensor, edge: int) -> torch.Tensor:
        """Portrait positions (B, 2, h, w) of a lip, moved off the dark line where closed lips touch.

        As the lips part by `gap` (B, n) pixels, the lip's skin next to its edge stretches over that line; left there it
        would frame the open mouth.
        """
        sign = 2 * edge - 1
        offset = place - self.corner.view(1, 2, 1, 1)
        u = (offset * self.axes[0].view(1, 2, 1, 1)).sum(1, keepdim=True) / self.length
        v = (offset * self.axes[1].view(1, 2, 1, 1)).sum(1, keepdim=True)
        position = (u * (TABLE - 1)).clamp(0, TABLE - 1).long()
        inwards = sign * (v - self.edges[edge][position])
        open_share = (gap / (PARTED * self.length)).clamp(0, 1)
        column = (u[:, 0] * (gap.shape[1] - 1)).clamp(0, gap.shape[1] - 1).long()
        width = open_share.gather(1, column.flatten(1)).view_as(u) * LINE * self.length
        width = torch.where((u > 0) & (u < 1), width, 0.0)
        near = (1 - inwards / (2 * width).clamp_min(1e-3)).clamp(0, 1)
        return place + self.axes[1].view(1, 2, 1, 1) * (sign * width * near * near)

    def _on_lip(self, place: torch.Tensor, speaking: torch.Tensor, edge: int) -> torch.Tensor:
        """Portrait positions (B, 2, h, w) of a lip that was parted, kept on its own side of its edge while it speaks:
        the rim of teeth that touch it would stay there as a bright line."""
        sign = 2 * edge - 1
        offset = place - self.corner.view(1, 2, 1, 1)
        u = (offset * self.axes[0].view(1, 2, 1, 1)).sum(1, keepdim=True) / self.length
        v = (offset * self.axes[1].view(1, 2, 1, 1)).sum(1, keepdim=True)
        (height,) = read_tables(self.edges[edge : edge + 1], u * (TABLE - 1))
        past = (ON_LIP_PX - sign * (v - height)).clamp_min(0)
        near = (2 - past / self.off_lip_px).clamp(0, 1)  # what lies further past the edge is not seen
        within = (torch.minimum(u, 1 - u) / AT_CORNERS).clamp(0, 1)
        moved = past * near * within * speaking.view(-1, 1, 1, 1)
        return place + self.axes[1].view(1, 2, 1, 1) * (sign * moved)

    def _fine(self, place: torch.Tensor) -> torch.Tensor:
        return F.interpolate(place, scale_factor=COARSE_PX, mode="bilinear", align_corners=False)

    def _past(self, place: torch.Tensor, *tables: torch.Tensor) -> list[torch.Tensor]:
        """Pixels by which portrait positions (B, 2, h, w) lie below edges (TABLE,): a (B, 1, h, w) for each.

        Beyond the corners they lie far below every edge.
        """
        offset = place - self.corner.view(1, 2, 1, 1)
        u = (offset * self.axes[0].view(1, 2, 1, 1)).sum(1, keepdim=True) / self.length
        v = (offset * self.axes[1].view(1, 2, 1, 1)).sum(1, keepdim=True)
        away = (u < 0) | (u > 1)
        heights = read_tables(torch.stack(tables), u * (TABLE - 1))
        return [torch.where(away, FAR_PX, v - height) for height in heights]

    def _inside(self, texture, hole, below, target, asked, speaking, rotation, shift):
        """What is behind the lips (B, 3, h, w), and how much of it (anything, upper, lower plate) is painted, 0-1.

        `below` (B, 2, h, w) is where the lower lip's side lies in the portrait, if what it has there moves with it.
        """
        lower, upper = (
            sample_plate(plate.layers, plate.texels(target, asked, rotation, shift))
            for plate in (self.lower_plate, self.upper_plate)
        )
        light = self._light(hole) ** self.flush
        behind = torch.lerp(self.throat.view(1, 3, 1, 1), lower[:, :3], lower[:, 3:])
        colour = torch.lerp(self.black, behind, light * (1 - upper[:, 4:]))
        teeth = torch.lerp(self.black, upper[:, :3], light)
        if not self.shows_inside:
            colour = torch.lerp(colour, teeth, upper[:, 3:4])
            return colour, _painted(hole, upper[:, 3:4], lower[:, 3:])
        own, share, bare = self._own_upper(texture, target, speaking, rotation, shift)
        covered = upper[:, 3:4]
        if self.shows_below:
            low_share = self._own_lower(below, speaking)
            covered = covered * bare
            colour = torch.lerp(colour, sample_texture(texture, below), low_share)
        colour = torch.lerp(colour, teeth, covered)
        colour = torch.lerp(colour, own, share)
        if self.shows_below:
            share = torch.maximum(share, low_share * (1 - covered))
        painted = ((hole * (1 - share) - HARDLY) / (1 - HARDLY)).clamp_min(0)
        return colour, _painted(painted, covered, lower[:, 3:])

    def _own_upper(self, texture, target, speaking, rotation, shift) -> tuple[torch.Tensor, ...]:
        """What the portrait shows between its own lips (B, 3, h, w), following the head, and where to show it, 0-1.

        While the mouth rests, that is all of it, and it reaches behind both lips. While it speaks, only the upper teeth
        stay with the head, and what lay in the upper lip's shadow or on the lower lip's edge is left to the plates.

        Returns:
            The picture, its share (B, 1, h, w), and where a painted upper tooth does not contradict the portrait.
        """
        place = self.upper_plate.rest_position(target, rotation, shift)
        past_upper, past_teeth, past_lower = self._past(place, self.edges[0], self.teeth_edge, self.edges[1])
        speaks = speaking.view(-1, 1, 1, 1)
        above = past_upper + OWN_REACH_PX - (OWN_REACH_PX + 2 * SHADOW * self.length) * speaks
        end = past_lower + (2 * speaks - 1) * OWN_MARGIN_PX
        end = torch.lerp(end, torch.maximum(end, past_teeth), speaks)
        mirrored = place - self.axes[1].view(1, 2, 1, 1) * 2 * past_upper.clamp(-OWN_REACH_PX, 0)
        share = ((torch.minimum(above, -end) + 0.5) / (1 + speaks * OWN_MARGIN_PX)).clamp(0, 1)
        bare = (0.5 - torch.minimum(past_teeth, -past_lower) * speaks).clamp(0, 1)
        return sample_texture(texture, mirrored), share, bare

    def _own_lower(self, place: torch.Tensor, speaking: torch.Tensor) -> torch.Tensor:
        """Where (B, 1, h, w) the lower lip's portrait positions show what the portrait has below its upper teeth, 0-1.

        The tongue and the lower teeth of an open mouth go with the lower lip while it speaks.
        """
        past_teeth, past_lower = self._past(place, self.teeth_edge, self.edges[1])
        inside = torch.minimum(past_teeth / (2 * SHADOW * self.length), ON_LIP_PX + 0.5 - past_lower)
        return inside.clamp(0, 1) * speaking.view(-1, 1, 1, 1)

    def _light(self, hole: torch.Tensor) -> torch.Tensor:
        """Light (B, 1, h, w) behind the lips: the upper one throws a shadow downwards, the lower one a fainter rim, and
        little of it falls through lips that are hardly parted."""
        reach = 2 * max(1, round(SHADOW * self.length)) + 1
        half = reach // 2
        around = F.pad(hole, (half, half, reach - 1, reach - 1), mode="replicate")
        near = box_mean(box_mean(around, reach, 3), reach, 2)
        below_upper, above_lower = near[:, :, : 1 - reach], near[:, :, reach - 1 :]
        tall = max(1, round(SLIT * self.length))
        opened = box_mean(F.pad(hole, (0, 0, tall, tall)), 2 * tall + 1, 2)
        rims = (UNDER_LIP + (1 - UNDER_LIP) * (1.7 * below_upper).clamp(0, 1)) * (
            RIM + (1 - RIM) * (2 * above_lower).clamp(0, 1)
        )
        return rims * (IN_SLIT + (1 - IN_SLIT) * (2 * opened).clamp(0, 1))


def _painted(where: torch.Tensor, upper: torch.Tensor, lower: torch.Tensor) -> torch.Tensor:
    """Of what is painted (B, 1, h, w): anything, the upper plate, the lower plate behind it, (B, 3, h, w)."""
    return torch.cat([where, where * upper, where * (1 - upper) * lower], 1)


def _mended(sheet: Sheet, flow: torch.Tensor, place: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """Portrait positions (B, 2, h, w) as `Sheet.invert` found them, or, where its search did not arrive, as those
    around say: skin that a wide mouth stretches most would be speckled there."""
    missed = place + sheet.sample(flow, place) - target
    trust = 1 / (1 + (missed.square().sum(1, keepdim=True) / MISSED_PX**2).square())
    moved = place - target
    around = F.avg_pool2d(torch.cat([moved * trust, trust], 1), AROUND, 1, AROUND // 2, count_include_pad=False)
    return target + torch.lerp(around[:, :2] / around[:, 2:].clamp_min(1e-6), moved, trust)


def _steps(first: torch.Tensor, count: int, step: int) -> torch.Tensor:
    """Centres (B, count) of blocks of `step` pixels that begin at `first` (B,)."""
    offset = torch.arange(count, device=first.device) * step + (step - 1) / 2
    return first[:, None] + offset


def _within(first: torch.Tensor, low: int, room: int) -> torch.Tensor:
    """Whole pixels (B,) nearest to `first` at which a patch may begin, `room` pixels from `low` on."""
    return first.round().long().clamp(low, low + room)


def _faded(height: int, width: int, device: torch.device) -> torch.Tensor:
    """How far (height, width), 0-1, a patch covers what is below: its border fades."""
    vertical, horizontal = (torch.arange(size, device=device) for size in (height, width))
    down, along = (torch.minimum(k, k.flip(0)).div(FADE_PX).clamp(max=1) for k in (vertical, horizontal))
    return down[:, None] * along


def _rectangle(line: LipLine, canvas: Canvas, cells: int) -> tuple[slice, slice]:
    """Field cells around the mouth, wide enough for everything that the lips pull on."""
    middle = (line.corner + line.along * line.length / 2 + 0.5) * cells / canvas.size
    reach, gap = line.length * cells / canvas.size, line.gap_px * cells / canvas.size
    x0, x1 = np.clip([middle[0] - 1.0 * reach, middle[0] + 1.0 * reach], 0, cells).astype(int)
    y0, y1 = np.clip([middle[1] - 0.85 * reach - 0.6 * gap, middle[1] + 1.1 * reach + gap], 0, cells).astype(int)
    return slice(y0, y1), slice(x0, x1)
