"""The speech encoder: which phone is being said in each 20 ms, for any voice and language.

A residual convolutional network (about 3 M values) over log-mel frames, trained on real and synthetic speech with phone
times (`training/speech_train.py`). Its view reaches `PhoneNet.reach_frames` feature frames to either side; long sounds
are encoded in chunks with that much context, so the result does not depend on where the chunks lie.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np
import torch
from torch import nn

from talkface import weights
from talkface.speech import features
from talkface.types import FEATURE_RATE_HZ, Speech, SpeechFeatures

WEIGHTS_NAME = "speech_encoder"
CHUNK_FRAMES = 1500  # half a minute
SHORTEST_VOICE_FRAMES = 3  # 60 ms: what is shorter is a click
SILENCE = "sil"


@dataclass(frozen=True)
class PhoneNetConfig:
    """Architecture of `PhoneNet`, saved with its weights."""

    phone_names: tuple[str, ...]
    width: int = 256
    dilations: tuple[int, ...] = (1, 2, 4, 8, 4, 2)
    kernel: int = 5


class ChannelNorm(nn.Module):
    """Divide each frame of (B, C, T) by its root mean square over the channels: nothing depends on other frames."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(width, 1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(B, C, T) -> (B, C, T)."""
        power = x.square().mean(1, keepdim=True, dtype=torch.float32)
        return x * torch.rsqrt(power + 1e-5).to(x.dtype) * self.scale.to(x.dtype)


class ResidualBlock(nn.Module):
    """x + pointwise(gelu(dilated convolution(norm(x))))."""

    def __init__(self, width: int, kernel: int, dilation: int, dropout: float) -> None:
        super().__init__()
        self.norm = ChannelNorm(width)
        self.wide = nn.Conv1d(width, width, kernel, padding=dilation * (kernel // 2), dilation=dilation)
        self.point = nn.Conv1d(width, width, 1)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(B, C, T) -> (B, C, T)."""
        return x + self.point(self.dropout(nn.functional.gelu(self.wide(self.norm(x)))))


class PhoneNet(nn.Module):
    """Log-mel (B, 2 T, MEL_BANDS) at 100 Hz -> phone logits (B, T, P) at 50 Hz."""

    def __init__(self, config: PhoneNetConfig, dropout: float = 0.0) -> None:
        super().__init__()
        self.config = config
        width, kernel = config.width, config.kernel
        self.listen = nn.Conv1d(features.MEL_BANDS, width, kernel, padding=kernel // 2)
        self.halve = nn.Conv1d(width, width, 4, stride=2, padding=1)
        self.blocks = nn.Sequential(*(ResidualBlock(width, kernel, d, dropout) for d in config.dilations))
        self.norm = ChannelNorm(width)
        self.classify = nn.Conv1d(width, len(config.phone_names), 1)

    @property
    def reach_frames(self) -> int:
        """Feature frames to either side that can influence an output frame."""
        return sum(self.config.dilations) * (self.config.kernel // 2) + 2

    def forward(self, mel: torch.Tensor) -> torch.Tensor:
        """(B, 2 T, MEL_BANDS) -> (B, T, P)."""
        x = nn.functional.gelu(self.listen(mel.transpose(1, 2)))
        x = self.blocks(self.halve(x))
        return self.classify(self.norm(x)).transpose(1, 2)


class SpeechEncoder:
    """Sound in, `SpeechFeatures` out."""

    def __init__(self, net: PhoneNet, device: str | torch.device = "cpu") -> None:
        self.device = torch.device(device)
        self.net = net.to(self.device).eval()

    @classmethod
    def load(cls, device: str | torch.device = "cpu") -> SpeechEncoder:
        """The encoder with the package's weights; EnvironmentFailure when they are missing or altered."""
        config, tensors = weights.load(WEIGHTS_NAME)
        shape = PhoneNetConfig(
            tuple(config["phone_names"]), config["width"], tuple(config["dilations"]), config["kernel"]
        )
        return cls(weights.restore(PhoneNet(shape), tensors, WEIGHTS_NAME), device)

    def encode(self, speech: Speech, chunk_frames: int = CHUNK_FRAMES) -> SpeechFeatures:
        """Features of the whole recording at `FEATURE_RATE_HZ`, chunk by chunk (only the result grows)."""
        loudness = features.measure_loudness(speech.samples)
        total = features.frame_count(len(speech.samples))
        names = self.net.config.phone_names
        phones = np.zeros((total, len(names)), np.float16)
        level_db = np.full(total, -80.0, np.float32)
        voiced, pitch_hz = np.zeros(total, np.float32), np.zeros(total, np.float32)
        if loudness.is_silent:
            phones[:, names.index(SILENCE)] = 1
            return SpeechFeatures(phones, names, level_db, voiced, pitch_hz, True)
        for start in range(0, total, chunk_frames):
            stop = min(total, start + chunk_frames)
            chunk = self._encode_chunk(speech.samples, start, stop, loudness.gain)
            phones[start:stop], level_db[start:stop], voiced[start:stop], pitch_hz[start:stop] = chunk
        return SpeechFeatures(
            phones, names, level_db, voiced, pitch_hz, not _holds_voice(phones[:, names.index(SILENCE)])
        )

    @torch.inference_mode()
    def _encode_chunk(self, samples: np.ndarray, start: int, stop: int, gain: float) -> tuple[np.ndarray, ...]:
        """Phones, level, voicing and pitch of feature frames start to stop."""
        reach, pad = self.net.reach_frames, features.STRETCH_PAD
        first, last = start - reach, stop + reach
        stretch = features.cut(samples, first * features.FRAME - pad, last * features.FRAME + pad).to(self.device)
        mel = features.log_mel(stretch, gain)
        phones = self.net(mel[None])[0, reach:-reach].softmax(-1)
        inner = stretch[reach * features.FRAME : stretch.shape[0] - reach * features.FRAME]
        level_db = features.frame_level_db(inner, gain)
        pitch_hz, voicing = features.pitch(inner)
        silence = phones[:, self.net.config.phone_names.index(SILENCE)]
        voicing = voicing * (1 - silence)
        pitch_hz = torch.where(voicing > 0.5, pitch_hz, torch.zeros_like(pitch_hz))
        return tuple(x.float().cpu().numpy() for x in (phones, level_db, voicing, pitch_hz))


def _holds_voice(silence: np.ndarray) -> bool:
    """Whether anything but silence lasts `SHORTEST_VOICE_FRAMES` somewhere, given the posterior (T,) of silence."""
    size = min(SHORTEST_VOICE_FRAMES, len(silence))
    return bool(np.convolve(silence < 0.5, np.ones(size), mode="valid").max() >= size)


def config_record(config: PhoneNetConfig) -> dict:
    """The architecture as plain JSON values, for the header of the weight file."""
    return {**asdict(config), "feature_rate_hz": FEATURE_RATE_HZ, "mel_bands": features.MEL_BANDS}
