"""The denoiser: a transformer encoder that guesses clean motion from noised motion, voice and controls.

As in VASA-1 (Xu et al. 2024, sec. 3.2) the sequence is [the last frames of the previous window; the window], one token
per frame of `MOTION_RATE_HZ`. A token is the sum of the frame's (noised) motion, the voice around it and the controls;
the diffusion step and the kind of recording to imitate modulate every layer (adaLN, Peebles and Xie 2023, one
modulation shared by the layers as in PixArt-alpha). Positions enter by rotation (Su et al. 2021).

Letters: B batch, K frames of the previous window, W frames of the window, L = K + W, M axes, A values per audio row.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields

import torch
from torch import nn

from talkface.options import EMOTIONS

MOTION_RATE_HZ = 25
AUDIO_ROWS_PER_FRAME = 2
AUDIO_BEFORE, AUDIO_AFTER = 8, 6
"""Rows of voice that the tokens see before their first and after their last row: 160 ms, so lips can anticipate."""

CONDITIONS = ("audio", "gaze", "distance", "emotion", "previous")
"""What can be left out, in the order of the `keep` flags."""

CONTROL_SIZES = {"gaze": 2, "distance": 1, "emotion": len(EMOTIONS)}


@dataclass(frozen=True)
class DenoiserConfig:
    """Architecture of `Denoiser`, saved with its weights.

    Attributes:
        axes: names of the M motion axes it makes.
        phone_names: the phones of the speech encoder it listens with.
        sources: kinds of recordings it can imitate; one more embedding means "any".
        audio_size: A.
        window, context: W and K.
    """

    axes: tuple[str, ...]
    phone_names: tuple[str, ...]
    sources: tuple[str, ...]
    audio_size: int
    width: int = 192
    depth: int = 6
    heads: int = 4
    widening: int = 3
    window: int = 80
    context: int = 10

    @classmethod
    def from_record(cls, record: dict) -> DenoiserConfig:
        """The configuration as read from a weight file's header, whatever else that says."""
        values = {field.name: record[field.name] for field in fields(cls)}
        return cls(**{name: tuple(value) if isinstance(value, list) else value for name, value in values.items()})


@dataclass(frozen=True)
class Context:
    """Everything but the noised motion, embedded once per window: tokens (B, L, width), style (B, width)."""

    tokens: torch.Tensor
    style: torch.Tensor


def rotation(length: int, size: int, device: torch.device) -> tuple[torch.Tensor, torch.Tensor]:
    """Cosines and sines (length, size / 2) of the rotary position embedding."""
    speed = 10_000 ** (-torch.arange(0, size, 2, device=device) / size)
    angle = torch.arange(length, device=device)[:, None] * speed
    return angle.cos(), angle.sin()


def rotate(x: torch.Tensor, turn: tuple[torch.Tensor, torch.Tensor]) -> torch.Tensor:
    """Turn the pairs (first half, second half) of (B, H, L, size) by the angles of their positions."""
    cos, sin = (part.to(x.dtype) for part in turn)
    first, second = x.chunk(2, -1)
    return torch.cat([first * cos - second * sin, first * sin + second * cos], -1)


def step_embedding(step: torch.Tensor, size: int) -> torch.Tensor:
    """Sines and cosines (B, size) of diffusion steps (B,) in 0-1."""
    speed = torch.exp(torch.linspace(0, math.log(1000), size // 2, device=step.device))
    angle = step[:, None] * speed
    return torch.cat([angle.sin(), angle.cos()], 1)


def choose(kept: torch.Tensor, told: torch.Tensor, untold: torch.Tensor) -> torch.Tensor:
    """`told` (B, L, width) where `kept` (B, 1, 1) is 1, the learned stand-in `untold` (width,) where it is 0."""
    return kept * told + (1 - kept) * untold


class Ear(nn.Module):
    """Audio rows (B, AUDIO_BEFORE + 2 L + AUDIO_AFTER, A) -> tokens (B, L, width)."""

    def __init__(self, audio_size: int, width: int) -> None:
        super().__init__()
        self.wide = nn.Conv1d(audio_size, width, 5)
        self.halve = nn.Conv1d(width, width, 4, stride=AUDIO_ROWS_PER_FRAME)
        self.join = nn.Conv1d(width, width, 5)

    def forward(self, audio: torch.Tensor) -> torch.Tensor:
        """(B, AUDIO_BEFORE + 2 L + AUDIO_AFTER, A) -> (B, L, width)."""
        x = nn.functional.gelu(self.wide(audio.transpose(1, 2)))
        x = nn.functional.gelu(self.halve(x))
        return self.join(x).transpose(1, 2)


class Layer(nn.Module):
    """Attention and a two-layer perceptron, both modulated by the style."""

    def __init__(self, config: DenoiserConfig) -> None:
        super().__init__()
        width = config.width
        self.heads = config.heads
        self.norm = nn.LayerNorm(width, elementwise_affine=False)
        self.mix = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)
        self.up = nn.Linear(width, config.widening * width)
        self.down = nn.Linear(config.widening * width, width)
        self.offset = nn.Parameter(torch.zeros(6, width))

    def forward(self, x: torch.Tensor, style: torch.Tensor, turn: tuple[torch.Tensor, torch.Tensor]) -> torch.Tensor:
        """(B, L, width), style (B, 6, width) -> (B, L, width)."""
        shift, scale, gate, shift2, scale2, gate2 = (style + self.offset).unsqueeze(2).unbind(1)
        x = x + gate * self._attend(self.norm(x) * (1 + scale) + shift, turn)
        hidden = nn.functional.gelu(self.up(self.norm(x) * (1 + scale2) + shift2))
        return x + gate2 * self.down(hidden)

    def _attend(self, x: torch.Tensor, turn: tuple[torch.Tensor, torch.Tensor]) -> torch.Tensor:
        """Plain attention: at this length its gradient is twice as fast on a CPU as that of torch's fused one."""
        batch, length, width = x.shape
        heads = self.mix(x).view(batch, length, 3, self.heads, width // self.heads)
        query, key, value = heads.permute(2, 0, 3, 1, 4)
        query, key = rotate(query, turn), rotate(key, turn)
        share = (query @ key.transpose(-1, -2) * query.shape[-1] ** -0.5).softmax(-1)
        mixed = share.to(value.dtype) @ value
        return self.out(mixed.transpose(1, 2).reshape(batch, length, width))


class Denoiser(nn.Module):
    """Noised motion (B, W, M) of `axes`, each divided by its spread -> clean motion (B, W, M) in the same units.

    `axis_mean` and `axis_spread` (M,) belong to the weights: they turn motion into those units.
    """

    def __init__(self, config: DenoiserConfig) -> None:
        super().__init__()
        self.config = config
        width, axes = config.width, len(config.axes)
        self.register_buffer("axis_mean", torch.zeros(axes))
        self.register_buffer("axis_spread", torch.ones(axes))
        self.ear = Ear(config.audio_size, width)
        self.no_audio = nn.Parameter(torch.zeros(width))
        self.motion = nn.Linear(axes, width)
        self.previous = nn.Linear(axes, width)
        self.no_previous = nn.Parameter(torch.zeros(width))
        self.controls = nn.ModuleDict({name: nn.Linear(size, width) for name, size in CONTROL_SIZES.items()})
        self.no_control = nn.ParameterDict({name: nn.Parameter(torch.zeros(width)) for name in CONTROL_SIZES})
        self.source = nn.Embedding(len(config.sources) + 1, width)
        self.step = nn.Sequential(nn.Linear(width, width), nn.SiLU(), nn.Linear(width, width))
        self.modulate = nn.Sequential(nn.SiLU(), nn.Linear(width, 6 * width))
        self.layers = nn.ModuleList(Layer(config) for _ in range(config.depth))
        self.norm = nn.LayerNorm(width)
        self.read = nn.Linear(width, axes)
        for layer in self.layers:
            nn.init.zeros_(layer.out.weight)
            nn.init.zeros_(layer.down.weight)
            nn.init.constant_(layer.offset[[2, 5]], 1.0)
        nn.init.zeros_(self.modulate[1].weight)

    def embed(
        self,
        audio: torch.Tensor,
        controls: dict[str, torch.Tensor],
        previous: torch.Tensor,
        source: torch.Tensor,
        keep: torch.Tensor,
    ) -> Context:
        """Everything that stays the same during the steps of one window.

        Args:
            audio: (B, AUDIO_BEFORE + 2 L + AUDIO_AFTER, A) rows of `conditions.audio_rows`.
            controls: per name of `CONTROL_SIZES`, (B, L, size).
            previous: (B, K, M) clean motion of the frames before the window.
            source: (B,) index into `config.sources`, len(sources) = any.
            keep: (B, len(CONDITIONS)) 1 or 0: which conditions to look at.
        """
        kept = dict(zip(CONDITIONS, keep.to(audio.dtype).unbind(1), strict=True))
        kept = {name: flag.view(-1, 1, 1) for name, flag in kept.items()}
        tokens = choose(kept["audio"], self.ear(audio), self.no_audio)
        for name, layer in self.controls.items():
            tokens = tokens + choose(kept[name], layer(controls[name]), self.no_control[name])
        past = choose(kept["previous"], self.previous(previous), self.no_previous)
        count = self.config.context
        tokens = torch.cat([tokens[:, :count] + past, tokens[:, count:]], 1)
        return Context(tokens, self.source(source))

    def forward(self, noised: torch.Tensor, step: torch.Tensor, *conditions) -> torch.Tensor:
        """`guess` with the conditions of `embed`, in one call, as training needs it."""
        return self.guess(noised, step, self.embed(*conditions))

    def guess(self, noised: torch.Tensor, step: torch.Tensor, context: Context) -> torch.Tensor:
        """Clean motion (B, W, M) from noised motion (B, W, M) at steps (B,) in 0-1."""
        count = self.config.context
        tokens = context.tokens
        x = torch.cat([tokens[:, :count], tokens[:, count:] + self.motion(noised)], 1)
        style = context.style + self.step(step_embedding(step, self.config.width))
        style = self.modulate(style).view(len(x), 6, -1)
        turn = rotation(x.shape[1], self.config.width // self.config.heads, x.device)
        for layer in self.layers:
            x = layer(x, style, turn)
        return self.read(self.norm(x[:, count:]))
