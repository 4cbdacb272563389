"""Signal processing before the speech encoder: log-mel spectrum, loudness, pitch and voicing of 16 kHz sound.

Two clocks: mel frames at 100 Hz and feature frames at 50 Hz (`types.FEATURE_RATE_HZ`), each frame centred on
(i + .5) / rate seconds. All of it works on a stretch cut out of a longer sound with `STRETCH_PAD` samples of context on
either side, so that a long recording gives the same numbers whatever the chunk length.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch

from talkface.types import FEATURE_RATE_HZ, SPEECH_RATE_HZ

MEL_RATE_HZ = 100
MEL_BANDS = 80
MEL_TOP_HZ = 7600.0
HOP = SPEECH_RATE_HZ // MEL_RATE_HZ
WINDOW = 400  # samples: 25 ms
FFT = 512
FRAME = SPEECH_RATE_HZ // FEATURE_RATE_HZ

LOUD_RMS = 0.08  # to which the loud parts of every recording are brought
SILENT_RMS = 10 ** (-62 / 20)
MEL_FLOOR = 1e-5  # added to the power of each band, so that silence has a logarithm

PITCH_WINDOW = 800  # samples: 50 ms, three periods of the lowest pitch
PITCH_LOWEST_HZ = 65.0
PITCH_HIGHEST_HZ = 500.0
STRETCH_PAD = PITCH_WINDOW


@dataclass(frozen=True)
class Loudness:
    """How loud a whole recording is.

    Attributes:
        loud_rms: root mean square of its loud frames (95th percentile over the frames that hold any sound), within +-1.
        is_silent: nothing in it rises above -62 dB of full scale.
    """

    loud_rms: float
    is_silent: bool

    @property
    def gain(self) -> float:
        """Factor that brings the loud frames to `LOUD_RMS`."""
        return LOUD_RMS / max(self.loud_rms, SILENT_RMS)


def frame_count(sample_count: int) -> int:
    """Number of feature frames that cover `sample_count` samples (at least one)."""
    return max(1, -(-sample_count // FRAME))


def measure_loudness(samples: np.ndarray, block_frames: int = 60_000) -> Loudness:
    """First pass over a recording (N,), block by block: its loudness, from a histogram of frame levels."""
    edges = np.arange(-100.0, 10.01, 0.25)
    counts = np.zeros(len(edges) - 1)
    for start in range(0, len(samples), block_frames * FRAME):
        block = np.asarray(samples[start : start + block_frames * FRAME], np.float32)
        frames = np.pad(block, (0, -len(block) % FRAME)).reshape(-1, FRAME)
        level_db = 10 * np.log10((frames * frames).mean(1) + 1e-12)
        counts += np.histogram(np.clip(level_db, -99.9, 9.9), edges)[0]
    heard = np.where(edges[:-1] > 20 * np.log10(SILENT_RMS), counts, 0.0)
    if heard.sum() < 2:
        return Loudness(SILENT_RMS, True)
    quiet_limit = edges[_percentile_bin(heard, 0.99)] - 40.0
    heard = np.where(edges[:-1] >= quiet_limit, heard, 0.0)
    return Loudness(float(10 ** ((edges[_percentile_bin(heard, 0.95)] + 0.125) / 20)), False)


def _percentile_bin(counts: np.ndarray, share: float) -> int:
    return int(np.searchsorted(np.cumsum(counts), share * counts.sum()))


def cut(samples: np.ndarray, start: int, stop: int) -> torch.Tensor:
    """Samples start to stop as (stop - start,) float32, zeros beyond either end of the recording."""
    inside = np.array(samples[max(0, start) : max(0, min(stop, len(samples)))], np.float32)
    left = min(max(0, -start), stop - start)
    return torch.from_numpy(np.pad(inside, (left, stop - start - left - len(inside))))


@lru_cache(maxsize=4)
def mel_filters(device: str = "cpu") -> torch.Tensor:
    """Triangular filters (FFT / 2 + 1, MEL_BANDS), evenly spaced on the mel scale from 0 Hz to `MEL_TOP_HZ`."""
    top_mel = 2595 * np.log10(1 + MEL_TOP_HZ / 700)
    centres_hz = 700 * (10 ** (np.linspace(0, top_mel, MEL_BANDS + 2) / 2595) - 1)
    bins_hz = np.arange(FFT // 2 + 1) * SPEECH_RATE_HZ / FFT
    low, centre, high = centres_hz[:-2, None], centres_hz[1:-1, None], centres_hz[2:, None]
    rising, falling = (bins_hz - low) / (centre - low), (high - bins_hz) / (high - centre)
    weights = np.clip(np.minimum(rising, falling), 0, None)
    weights[weights.sum(1) < 0.3, :] += (np.abs(bins_hz - centre) < SPEECH_RATE_HZ / FFT / 2)[weights.sum(1) < 0.3, :]
    return torch.from_numpy((weights / weights.sum(1, keepdims=True)).T.astype(np.float32)).to(device)


def log_mel(stretch: torch.Tensor, gain: float | torch.Tensor) -> torch.Tensor:
    """Log-mel spectrum of (..., 2 * STRETCH_PAD + n * HOP) samples: (..., n, MEL_BANDS), roughly -3 to 3."""
    offset = STRETCH_PAD + HOP // 2 - WINDOW // 2
    count = (stretch.shape[-1] - 2 * STRETCH_PAD) // HOP
    frames = stretch[..., offset : offset + (count - 1) * HOP + WINDOW].unfold(-1, WINDOW, HOP) * gain
    window = torch.hann_window(WINDOW, device=stretch.device)
    spectrum = torch.view_as_real(torch.fft.rfft(frames * window, FFT))
    power = spectrum.square().sum(-1)
    bands = power @ mel_filters(str(stretch.device))
    return (torch.log(bands + MEL_FLOOR) + 4.0) / 4.0


def frame_level_db(stretch: torch.Tensor, gain: float) -> torch.Tensor:
    """Level of each feature frame (n,) in dB relative to the loud parts, over a 30 ms window, not below -80."""
    squares = torch.nn.functional.avg_pool1d(
        (stretch[None, None, STRETCH_PAD - FRAME // 4 : -STRETCH_PAD + FRAME // 4] * gain).square(),
        FRAME * 3 // 2,
        FRAME,
    )
    return (10 * torch.log10(squares[0, 0] / LOUD_RMS**2 + 1e-8)).float()


def pitch(stretch: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Pitch of each feature frame by normalised autocorrelation (Boersma 1993): (n,) in Hz, and (n,) voicing 0-1.

    The frame's autocorrelation divided by that of its Hann window has a peak near 1 at the period of a periodic sound;
    the shortest period whose peak comes within 10 % of the best is taken, which avoids octave errors downwards.
    """
    count = (stretch.shape[-1] - 2 * STRETCH_PAD) // FRAME
    offset = STRETCH_PAD + FRAME // 2 - PITCH_WINDOW // 2
    frames = stretch[offset : offset + (count - 1) * FRAME + PITCH_WINDOW].unfold(0, PITCH_WINDOW, FRAME)
    window = torch.hann_window(PITCH_WINDOW, device=stretch.device)
    frames = (frames - frames.mean(1, keepdim=True)) * window
    own = _autocorrelation(frames)
    shape = _autocorrelation(window[None])
    ratio = own / own[:, :1].clamp_min(1e-7) / (shape / shape[:, :1]).clamp_min(0.05)
    first, last = int(SPEECH_RATE_HZ / PITCH_HIGHEST_HZ), int(SPEECH_RATE_HZ / PITCH_LOWEST_HZ)
    lags = ratio[:, first : last + 1]
    best = lags.max(1, keepdim=True).values
    is_peak = torch.zeros_like(lags, dtype=torch.bool)
    is_peak[:, 1:-1] = (lags[:, 1:-1] >= lags[:, :-2]) & (lags[:, 1:-1] >= lags[:, 2:])
    good = is_peak & (lags >= 0.9 * best)
    place = torch.where(good.any(1), good.float().argmax(1), lags.argmax(1))
    strength = lags.gather(1, place[:, None])[:, 0].clamp(0, 1)
    loud_enough = own[:, 0] / PITCH_WINDOW > 1e-8
    voicing = ((strength - 0.35) / 0.3).clamp(0, 1) * loud_enough
    return SPEECH_RATE_HZ / (place + first).float(), voicing


def _autocorrelation(frames: torch.Tensor) -> torch.Tensor:
    size = 2 * PITCH_WINDOW
    return torch.fft.irfft(torch.fft.rfft(frames, size).abs().square(), size)[:, :PITCH_WINDOW]
