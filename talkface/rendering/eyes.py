"""Drawing the eyes: lids that travel over an eyeball, and irises that turn.

Everything happens in portrait coordinates: the head's sheet has already said which place of the portrait a pixel shows;
here that place is moved on (lid skin) or replaced (eyeball, skin that the open lid kept folded, lashes).
"""

from __future__ import annotations

import numpy as np
import torch
from scipy.ndimage import gaussian_filter1d

from talkface.rendering.drawings import Paper
from talkface.rendering.eye_plates import LASH_BESIDE, LASH_COLUMNS, LASH_LENGTH, LASH_ROWS, OVERSAMPLE, eye_plates
from talkface.rendering.eye_shapes import TABLE, EyeShape
from talkface.rendering.sampling import Patch, read_tables, sample_plate, sample_texture

EYEBALL_SHARE = 0.42  # eyeball radius / lid opening width: 12 mm / 29 mm
LIDS_FOLLOW_UP = (0.75, 0.525)  # of the iris's way: how far the upper and the lower lid go along
LIDS_FOLLOW_DOWN = (0.65, 0.75)  # so that the eye stays whole: lids that cut the iris hide where it looks
NARROW, OPEN = 0.18, 0.33  # apertures: so far goes the lid of an open eye, and that of a slit not at all
SQUINT_LOWERS = 0.22  # of the opening: how far the upper lid comes down in a squint
WIDE_SHOWS = 0.05  # of the eye's width: how much white above the iris a lid bares that is raised as far as it goes
WIDE_RAISES = (0.08, 0.16)  # of the eye's width: how far that is at least and at most
LID_STRETCH = 0.75  # of the skin between lid and brow: how much of it a closing lid pulls down
LID_LEAST = 0.5  # of that skin: what stays of it above a raised lid
LID_SPARE = 0.045  # of the eye's width: how far from its landmarks a moving lid's edge begins
LID_RIM = 0.11  # of the eye's width: lashes and the lid's edge, which travel without being stretched
BARE_FROM, BARE_FULL = 0.02, 0.4  # closing at which painted skin and lashes begin to replace the portrait's own
LASHES_DENSE = 0.95
LASHES_TURN = 1.9  # closed lashes point downwards, a little foreshortened
LASHES_SHORTEST = 0.15  # of their length: pointing at who looks, they have some still
MEETING_SOFT = 0.05  # of the eye's width
LINE_LEAST, LINE_MOST = 0.22, 1.0  # darkness of the line where lids meet: about as measured where the open lid ends
WET_RIM = 0.12  # of the eye's width: what shines at the lower lid's edge, and is hidden when lids meet
LINE_HALF = 0.024  # of the eye's width: half its breadth
SHADOW, SHADOW_RAISED, SHADOW_REACH = 0.4, 0.3, 0.09  # of a closing and a raised lid: depth, reach in the eye's width
LID_SHADED, LID_SHADED_SOFT = 0.08, 0.06  # of the eye's width: what the resting lid darkens of the eye, fading


class Eye(torch.nn.Module):
    """One eye, ready to move."""

    def __init__(self, still: np.ndarray, shape: EyeShape, paper: Paper | None = None) -> None:
        super().__init__()
        self.width = shape.width
        self.iris_radius = shape.iris_radius
        self.is_closed = shape.is_closed
        self.lid_skin, self.cheek_skin = LID_STRETCH * shape.lid_skin, shape.cheek_skin
        self.eyeball_px = EYEBALL_SHARE * shape.width
        self.half_width = int(np.ceil(0.75 * shape.width))
        self.half_height = int(np.ceil(0.85 * shape.width))
        self.opening_px = max(shape.aperture * shape.width, 1.0)
        raises_px = np.clip(shape.iris_covered_px + WIDE_SHOWS * shape.width, *(np.array(WIDE_RAISES) * shape.width))
        self.raises = float(raises_px) / self.opening_px
        upper_down, lower_down = LIDS_FOLLOW_DOWN
        self.follow_down = upper_down * float(np.clip((shape.aperture - NARROW) / (OPEN - NARROW), 0, 1)), lower_down
        centre = shape.corner + shape.along * shape.width / 2
        self.register_buffer("centre", torch.from_numpy(np.asarray(centre, np.float32)))
        self.register_buffer("origin", torch.from_numpy(np.asarray(shape.corner, np.float32)))
        self.register_buffer("axes", torch.from_numpy(np.stack([shape.along, shape.down]).astype(np.float32)))
        self.register_buffer("edges", torch.from_numpy(np.stack([shape.upper, shape.lower, _meeting(shape)])))
        plates = eye_plates(still, shape, paper)
        for name in ("white", "iris", "lid", "lashes", "line"):
            self.register_buffer(name, torch.from_numpy(getattr(plates, name)))
        self.register_buffer("plate_corner", torch.tensor([plates.left, plates.top]))

    def draw(self, frames, scene, texture, lids, gaze_deg) -> None:
        """Redraw this eye in frames (B, H, W, 3) uint8, in place.

        Args:
            scene: the geometry of these frames.
            texture: (3, 2S, 2S) the portrait.
            lids: (B, 3) blink, squint, wide of this eye, 0-1.
            gaze_deg: (B, 2) yaw and pitch relative to the portrait.
        """
        if self.is_closed:
            return
        centre = scene.follow(self.centre)
        half_width, half_height = (int(np.ceil(half / scene.nearest)) for half in (self.half_width, self.half_height))
        left, top = centre[:, 0].round().long() - half_width, centre[:, 1].round().long() - half_height
        patch = Patch(scene.area, left, top, 2 * half_height, 2 * half_width)
        place = scene.places(patch.rows, patch.columns)
        patch.write(frames, self._compose(texture, place, lids, self._iris_shift(gaze_deg)))

    def _iris_shift(self, gaze_deg: torch.Tensor) -> torch.Tensor:
        """Pixels (B, 2) by which the iris moves on the picture."""
        angle = torch.deg2rad(gaze_deg.clamp(-40, 40))
        return torch.stack([torch.sin(angle[:, 0]), -torch.sin(angle[:, 1])], 1) * self.eyeball_px

    def _compose(self, texture, place, lids, turn) -> torch.Tensor:
        offset = place - self.origin.view(1, 2, 1, 1)
        down = self.axes[1].view(1, 2, 1, 1)
        u = (offset * self.axes[0].view(1, 2, 1, 1)).sum(1, keepdim=True) / self.width
        v = (offset * down).sum(1, keepdim=True)
        upper, lower, meeting = read_tables(self.edges, u * (TABLE - 1))  # at rest, held beyond the corners
        upper_now, lower_now, closing = self._lids(upper, lower, meeting, lids, (turn * self.axes[1]).sum(1))
        above, below = self._skin(v, upper, lower, upper_now, lower_now, closing)
        texels = (place - self.plate_corner.view(1, 2, 1, 1)) * OVERSAMPLE
        bare = sample_plate(self.lid, texels)
        share = smooth_ramp((closing - BARE_FROM) / (BARE_FULL - BARE_FROM))
        lid = torch.lerp(sample_texture(texture, place + down * (above - v)), bare[:, :3], bare[:, 3:] * share)
        cheek = sample_texture(texture, place + down * (below - v))
        wet = smooth_ramp(1 - (v - lower_now) / (WET_RIM * self.width)) * closing**2
        cheek = torch.lerp(cheek, bare[:, :3], bare[:, 3:] * share * wet)
        skin = torch.lerp(lid, cheek, (v - (upper_now + lower_now) / 2 + 0.5).clamp(0, 1))
        show = torch.minimum(v - upper_now, lower_now - v) + 0.5
        show = torch.where((u > 0) & (u < 1), show, 0.0).clamp(0, 1)
        raised_px = (upper - upper_now).clamp_min(0)
        ball = self._eyeball(texture, place, texels, turn, self._bared(v - upper, raised_px))
        dark = torch.maximum(SHADOW * closing, SHADOW_RAISED * (raised_px / (SHADOW_REACH * self.width)).clamp(max=1))
        shadow = dark * torch.exp((upper_now - v).clamp(max=0) / (SHADOW_REACH * self.width))
        colour = torch.lerp(skin, ball * (1 - shadow), show)
        return colour * (1 - share * self._lashes(u, v - upper_now, closing))

    def _lashes(self, u, below, closing) -> torch.Tensor:
        """Darkness (B, 1, h, w), 0-1, of the upper lid's edge and its lashes, `below` pixels under that edge.

        Lashes point upwards at rest, forwards when the eye is half closed, and downwards when it is closed.
        """
        length = 1 - LASHES_TURN * closing
        seen = length.abs().clamp_min(LASHES_SHORTEST)
        outwards = torch.where(length < 0, below, -below) / seen
        column = (u + LASH_BESIDE) / (1 + 2 * LASH_BESIDE) * (LASH_COLUMNS - 1)
        row = outwards / (LASH_LENGTH * self.width) * (LASH_ROWS - 1)
        lashes = sample_plate(self.lashes, torch.cat([column, row], 1))
        (edge,) = read_tables(self.line[None], column)
        half = max(LINE_HALF * self.width, 0.7)
        ends = smooth_ramp((torch.minimum(u, 1 - u) + 0.05) / 0.2)
        line = torch.exp(-((below / half) ** 2)) * (LINE_LEAST + (LINE_MOST - LINE_LEAST) * edge) * ends
        return torch.maximum(LASHES_DENSE * lashes, line)

    def _lids(self, upper, lower, meeting, lids, turn_down) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Heights of the lid edges now: they meet a little above the lower lid's rest, and follow the gaze.

        And how far the upper lid has come down, (B, 1, 1, 1), 0-1.
        """
        blink, squint, wide = (lids[:, k].view(-1, 1, 1, 1) for k in range(3))
        opening = lower - upper
        profile = (opening / opening.amax().clamp_min(1e-3)).clamp(0, 1)
        turn_down = turn_down.view(-1, 1, 1, 1)
        upper_most, lower_most = (
            turn_down * torch.where(turn_down > 0, down, up)
            for up, down in zip(LIDS_FOLLOW_UP, self.follow_down, strict=True)
        )
        asked = SQUINT_LOWERS * squint - self.raises * wide
        upper_open = upper + upper_most * profile + opening * asked
        lower_open = lower + lower_most * profile - opening * 0.30 * squint
        upper_now = torch.lerp(upper_open, meeting + 0.6, blink)
        lower_now = torch.lerp(lower_open, meeting, blink)
        held = upper_most / self.opening_px + asked
        closing = torch.lerp(held, torch.ones_like(held), blink).clamp(0, 1)
        return upper_now, torch.maximum(lower_now, torch.minimum(upper_now, meeting)), closing

    def _skin(self, v, upper, lower, upper_now, lower_now, closing) -> tuple[torch.Tensor, torch.Tensor]:
        """Heights that the skin above and below comes from: edges keep their shape, the rest stretches."""
        # A lid that is raised high takes what lies above it along, and folds its own edge last.
        top = torch.minimum(upper - self.lid_skin, upper_now - LID_LEAST * self.lid_skin)
        rim = ((upper_now - top) / 2).clamp(max=LID_RIM * self.width)
        bottom = lower + self.cheek_skin
        # A lid edge that was placed a little too far into the eye would drag some of the eyeball along.
        spare = closing * LID_SPARE * self.width
        above = ((v - top) / (upper_now - rim - top).clamp_min(1e-3)).clamp(0, 1)
        below = ((bottom - v) / (bottom - lower_now).clamp_min(1e-3)).clamp(0, 1)
        lifted = v - (upper_now - upper) * _ease(above)
        lowered = v - (lower_now - lower) * _ease(below)
        return torch.minimum(lifted, upper - spare), torch.maximum(lowered, lower + spare)

    def _bared(self, below, raised_px) -> torch.Tensor:
        """How much (B, 1, h, w), 0-1, of what lies `below` pixels under the resting upper lid's edge was its skin,
        lashes and shadow, and is bared when it is raised."""
        return smooth_ramp((LID_SHADED - below / self.width) / LID_SHADED_SOFT) * raised_px.clamp(max=1)

    def _eyeball(self, texture, place, texels, turn, bared) -> torch.Tensor:
        white = sample_plate(self.white, texels)
        shift = turn.view(-1, 2, 1, 1) * OVERSAMPLE
        iris = sample_plate(self.iris, texels - shift)
        painted = torch.lerp(white, iris[:, :3], iris[:, 3:])
        rest = sample_texture(texture, place)
        moves = turn.norm(dim=1).view(-1, 1, 1, 1).clamp(0, 1)
        return torch.lerp(rest, painted, torch.maximum(moves, bared))


def _meeting(shape: EyeShape) -> np.ndarray:
    """Height (TABLE,) at which lids meet: a little above the lower one's rest, in a gentler curve."""
    return gaussian_filter1d(shape.lower - 0.12 * (shape.lower - shape.upper), MEETING_SOFT * TABLE, mode="nearest")


def smooth_ramp(x: torch.Tensor) -> torch.Tensor:
    """0 below 0, 1 above 1, smooth between."""
    x = x.clamp(0, 1)
    return x * x * (3 - 2 * x)


def _ease(x: torch.Tensor) -> torch.Tensor:
    """0 to 1, flattening towards the end, so that the stretch fades out before the lid's edge."""
    return 1 - (1 - x).clamp(0, 1) ** 1.3
