"""The learned performance: voice and controls -> motion, by the diffusion model.

1. The voice becomes rows of what is heard, the controls rows of what is asked (`conditions`).
2. The lips, which the voice determines, are the guess from pure noise: the mean of all that fits the voice. Windows
   that overlap are guessed side by side and averaged, one giving way to the next from calm moment to calm moment, so
   lips have no seams and are the same for every seed.
3. Window after window, DDIM turns noise from the seed into the rest, as departures from rest (`windows`, `sampler`);
   the voice guides the head's nods and turns, and a window takes over from the one before in a calm moment.
4. Departures become motion: amplitude scales head and expression, asked gaze and distance are put back exactly.

Everything is made at 25 frames/s and then read at the wanted rate, so that the same seed gives the same performance at
every frame rate; the noise comes from a CPU generator, so that it does on every device.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch

from talkface import weights
from talkface.errors import EnvironmentFailure
from talkface.motion import conditions
from talkface.motion.conditions import axis_names
from talkface.motion.curves import read_smoothly
from talkface.motion.denoiser import (
    CONDITIONS,
    MOTION_RATE_HZ,
    Denoiser,
    DenoiserConfig,
)
from talkface.motion.guidance import (
    HEAD_DECIDED,
    LIPS,
    OPENING,
    REAL,
    TEACHER,
    Plan,
    course_passes,
    lip_passes,
)
from talkface.motion.inputs import Inputs, Told
from talkface.motion.sampler import Denoise, ddim, guided, in_turn, mixed
from talkface.motion.schedule import DIFFUSION_STEPS, alphas_cumprod
from talkface.motion.voice import contact_curve, sample, speaking_curve
from talkface.motion.windows import average, roll_out
from talkface.options import DEFAULT_STEPS
from talkface.space import ANGLE_AXES, POSE_AXES, UPPER_AXES, MotionSpace
from talkface.types import Controls, ControlTracks, MotionSequence, SpeechFeatures

Draw = Callable[[torch.Tensor], np.ndarray]
"""Noise (1, W, M) -> the window (W, M) it becomes."""

WEIGHTS_NAME, LIPS_WEIGHTS_NAME = "motion_denoiser", "motion_lips"

HEAD_GAIN = {"headYaw": 1.15, "headPitch": 1.25, "headX": 1.2, "headY": 1.1}
"""The weights draw heads that move a tenth less than those they learned from (`training.motion_figures`) and that turn,
for how much they tilt, less than VASA-1's and real speakers' do."""

EARLY_S, DRAWS = 3.0, 4
"""A face that neither blinks nor stirs soon looks dead: the first window is drawn until one does, at most so often."""

LIVELY_DEG = 4.0
"""Spread of the head's angles in these first seconds: about every sixth draw has it."""

SMOOTHING = {
    axis_names(*POSE_AXES, *UPPER_AXES): np.array([1, 4, 6, 4, 1], np.float32) / 16,
    OPENING: np.array([1, 2, 1], np.float32) / 4,
}
"""How much of their neighbours frames take: heads and brows hardly move faster than 6 Hz."""

OVERLAP = 14
"""Frames that a window shares with the one before it."""

PARTS = tuple(
    np.array([i for i, name in enumerate(conditions.AXES) if name.startswith(part)])
    for part in (ANGLE_AXES, "gaze", "eye", "brow")
)
"""Columns of what moves together; a window takes over from the one before when all of them are calm."""

LIP_COLUMNS = np.isin(conditions.AXES, LIPS)

MARGIN_FRAMES = 4
"""Made beyond the end, so that neither smoothing nor reading between frames sees it."""

BLOCK_FRAMES = 10_000
"""Frames that departures are made motion at a time, so that an hour takes little more memory than its motion."""


@dataclass(frozen=True)
class Departures:
    """Departures (T, M) from rest at 25 frames/s before amplitude, and the frames at which a window takes over: of
    what is drawn (`joins`), and of the lips (`lip_joins`), from where the next one counts little by little."""

    values: np.ndarray
    joins: list[int]
    lip_joins: list[int]


class Noise:
    """Noise for window after window, the same where two overlap, so that they hardly disagree there."""

    def __init__(self, window: int, axes: int, generator: torch.Generator) -> None:
        self.size, self.generator = (window - OVERLAP, axes), generator
        self.shared = torch.randn(OVERLAP, axes, generator=generator)

    def following(self) -> torch.Tensor:
        """(1, window, axes) standard normal, on the CPU."""
        fresh = torch.randn(*self.size, generator=self.generator)
        noise = torch.cat([self.shared, fresh])[None]
        self.used(noise)
        return noise

    def used(self, noise: torch.Tensor) -> None:
        """The next window goes on from this one's noise, not from that of the last draw."""
        self.shared = noise[0, -OVERLAP:]


def load_denoiser(name: str) -> Denoiser:
    """A network with the package's weights; EnvironmentFailure when they are missing, altered or do not fit."""
    record, tensors = weights.load(name)
    try:
        config = DenoiserConfig.from_record(record)
    except KeyError as missing:
        raise EnvironmentFailure(
            f"The weights {name!r} are of another architecture: their configuration has no {missing}.",
            weights.REINSTALL,
        ) from None
    if config.axes != conditions.AXES:
        raise EnvironmentFailure(
            f"The weights {name!r} make other motion axes than this version of talkface has.", weights.REINSTALL
        )
    if unknown := {TEACHER, REAL} - set(config.sources):
        raise EnvironmentFailure(
            f"The weights {name!r} have not learned from {' and '.join(sorted(unknown))}.", weights.REINSTALL
        )
    return weights.restore(Denoiser(config), tensors, name)


class MotionModel:
    """Voice and controls in, `MotionSequence` out.

    Two sets of weights of one network: `net` learned for long and draws head, eyes, lids, brows and smiles; `lips` is
    younger, from before it knew the few real speakers by heart, and so guesses the lips of strangers better.
    """

    def __init__(self, net: Denoiser, lips: Denoiser | None = None, device: str | torch.device = "cpu") -> None:
        self.device = torch.device(device)
        self.net, self.lips = (part.to(self.device).eval() for part in (net, lips or net))
        self.kept = alphas_cumprod().to(self.device)
        self.mean, self.spread = (part.cpu().numpy() for part in (net.axis_mean, net.axis_spread))
        lips_mean, lips_spread = (part.cpu().numpy() for part in (self.lips.axis_mean, self.lips.axis_spread))
        self.lips_gain, self.lips_shift = lips_spread / self.spread, (lips_mean - self.mean) / self.spread

    @classmethod
    def load(cls, device: str | torch.device = "cpu") -> MotionModel:
        """The model with the package's weights; EnvironmentFailure when they are missing, altered or do not fit."""
        return cls(load_denoiser(WEIGHTS_NAME), load_denoiser(LIPS_WEIGHTS_NAME), device)

    @torch.inference_mode()
    def departures(self, features: SpeechFeatures, tracks: ControlTracks, seed: int, steps: int) -> Departures:
        """What the model makes of a voice, for controls of T rows at 25 frames/s."""
        config, generator = self.net.config, torch.Generator().manual_seed(seed)
        if features.phone_names != config.phone_names:
            raise EnvironmentFailure(
                f"The weights {WEIGHTS_NAME!r} were trained with another speech encoder "
                f"({len(config.phone_names)} phones, not {len(features.phone_names)}, or others).",
                weights.REINSTALL,
            )
        inputs, noise = Inputs(features, tracks, config), Noise(config.window, len(config.axes), generator)
        lips, lip_joins = self._lips(inputs)

        def window(start: int, previous: np.ndarray) -> np.ndarray:
            draw = self._draw(inputs, start, previous, steps)
            drawn = draw(noise.following()) if start else self._lively(inputs, draw, noise, previous, steps)
            known = lips[start : start + config.window]
            drawn[: len(known), LIP_COLUMNS] = known[:, LIP_COLUMNS]
            return drawn

        rest = -self.mean / self.spread
        made, joins = roll_out(len(tracks), rest, config.context, config.window, OVERLAP, window, PARTS)
        return Departures(calm(self._real(made)), joins, lip_joins)

    def _draw(self, inputs: Inputs, start: int, previous: np.ndarray, steps: int) -> Draw:
        """What noise becomes in the window from frame `start` on, after `previous` (K, M)."""
        windows = {start: inputs.told(start)}
        plans = (partial(course_passes, nodding=nodding) for nodding in (True, False))
        guesses = (self._denoise(self.net, inputs, windows, plan, previous) for plan in plans)
        course = in_turn(*guesses, HEAD_DECIDED)
        return lambda noise: ddim(course, noise.to(self.device), self.kept, steps)[0].cpu().numpy()

    def _lively(self, inputs: Inputs, draw: Draw, noise: Noise, previous: np.ndarray, steps: int) -> np.ndarray:
        """A first window that is lively; its noise is chosen without any control, so that it is the same under all."""
        plain = inputs.unasked()
        draw_plain = draw if plain is inputs else self._draw(plain, 0, previous, steps)
        early, draws = min(len(inputs.tracks), round(EARLY_S * MOTION_RATE_HZ)), []
        while len(draws) < DRAWS and (not draws or draws[-1][0] < LIVELY_DEG):
            chance = noise.following()
            drawn = draw_plain(chance)
            draws.append((liveliness(self._real(drawn)[:early]), chance, drawn))
        _, chance, drawn = max(draws, key=lambda each: each[0])
        noise.used(chance)
        return drawn if plain is inputs else draw(chance)

    def _real(self, made: np.ndarray) -> np.ndarray:
        """What the denoiser made (T, M), in the units of the motion."""
        gain = np.array([HEAD_GAIN.get(name, 1.0) for name in self.net.config.axes], np.float32)
        return (made * self.spread + self.mean) * gain

    def _lips(self, inputs: Inputs) -> tuple[np.ndarray, list[int]]:
        """The mean of all motions (T, M) that fit the voice, in the units of `net`; its lips are used. Where windows
        meet."""
        config, last = self.lips.config, len(self.kept) - 1
        begins = range(-(config.window // 3), len(inputs.tracks), (config.window - OVERLAP) // 2)

        def guesses() -> Iterator[tuple[int, np.ndarray]]:
            for windows in inputs.in_batches(begins):
                nothing = torch.zeros(len(windows), config.window, len(config.axes), device=self.device)
                made = self._denoise(self.lips, inputs, windows, lip_passes)(nothing, last)
                yield from zip(windows, made.cpu().numpy(), strict=True)

        mean, joins = average(len(inputs.tracks), config.window, OVERLAP, guesses(), LIP_COLUMNS)
        return mean * self.lips_gain + self.lips_shift, joins

    def _denoise(
        self,
        net: Denoiser,
        inputs: Inputs,
        windows: dict[int, list[Told]],
        plan: Plan,
        previous: np.ndarray | None = None,
    ) -> Denoise:
        """The blended guesses for the `windows` by their first frames, after `previous` (K, M) if that is known.

        The network learned from clips of one emotion each and lets one that is yet to come show at once: so a window in
        which it changes is guessed under each emotion, as if that had been asked throughout, and the guesses are mixed
        frame by frame.
        """
        config = net.config
        told = [(i, start, way) for i, (start, ways) in enumerate(windows.items()) for way in ways]
        owners, begins, ways = zip(*told, strict=True)
        passes = plan(np.stack([way.rows["emotion"][0] for way in ways]))
        keep = torch.ones(len(passes), len(CONDITIONS))
        keep[:, CONDITIONS.index("previous")] = previous is not None
        for row, one in enumerate(passes):
            if one.without:
                keep[row, CONDITIONS.index(one.without)] = 0
        source = torch.tensor([config.sources.index(one.source) for one in passes])
        known = np.zeros((config.context, len(config.axes)), np.float32) if previous is None else previous

        def batch(rows: list[np.ndarray]) -> torch.Tensor:
            return torch.from_numpy(np.stack(rows)).to(self.device).repeat(len(passes), 1, 1)

        controls = {name: batch([way.rows[name] for way in ways]) for name in ways[0].rows}
        heard = batch([inputs.heard(start) for start in begins])
        apart = torch.from_numpy(np.stack([way.apart for way in ways])).to(self.device) / net.axis_spread
        past = torch.from_numpy(known).to(self.device) + apart[:, : config.context]
        flags = (part.repeat_interleave(len(ways), 0).to(self.device) for part in (source, keep))
        context = net.embed(heard, controls, past.repeat(len(passes), 1, 1), *flags)

        def guess(x: torch.Tensor, step: int) -> torch.Tensor:
            share = torch.full((len(x),), (step + 1) / DIFFUSION_STEPS, device=self.device)
            return net.guess(x, share, context)

        blend = torch.from_numpy(np.stack([one.weight for one in passes])).to(self.device)
        if not any(way.apart[config.context :].any() for way in ways):
            return guided(guess, blend)
        shares = torch.from_numpy(np.stack([way.share for way in ways])).to(self.device)
        owner = torch.tensor(owners, device=self.device)
        return mixed(guided(guess, blend), owner, shares, apart[:, config.context :], self.kept)

    def perform(
        self, features: SpeechFeatures, tracks: ControlTracks, fps: float, frames: int, seed: int, steps: int
    ) -> MotionSequence:
        """The performance of `frames` frames at `fps`, for controls of as many rows."""
        tracks, times_s = conditions.unhurried(tracks), np.arange(frames) / fps
        grid_s = np.arange(int(np.ceil(frames / fps * MOTION_RATE_HZ)) + MARGIN_FRAMES) / MOTION_RATE_HZ
        asked = conditions.tracks_at(tracks, grid_s, MOTION_RATE_HZ)
        departures = self.departures(features, asked, seed, steps).values
        closing = sample(contact_curve(features.phones, features.phone_names, "close"), times_s)
        values = np.empty((frames, MotionSpace.size), np.float32)
        for first in range(0, frames, BLOCK_FRAMES):
            rows = slice(first, min(first + BLOCK_FRAMES, frames))
            departure = read_smoothly(departures, times_s[rows] * MOTION_RATE_HZ)
            part = conditions.rows_of(tracks, rows)
            values[rows] = conditions.from_departure(
                departure, part, times_s[rows], silent=features.is_silent, closing=closing[rows]
            )
        if not features.is_silent:
            values[:, MotionSpace.speaking] = sample(speaking_curve(features), times_s)
        return MotionSequence(values, fps)


def generate(
    features: SpeechFeatures,
    controls: Controls | ControlTracks,
    fps: float,
    frames: int,
    seed: int,
    steps: int = DEFAULT_STEPS,
    device: str | torch.device = "cpu",
) -> MotionSequence:
    """Make the whole performance, relative to the portrait: all zeros (distance 1) is the portrait itself.

    Args:
        features: the voice.
        controls: what the user steers, over time (T rows at `fps`) or throughout.
        fps: frames per second of the result.
        frames: T, how many.
        seed: chooses among equally natural performances.
        steps: sampling steps, 1-1000; more is slower and finer.
        device: where to compute.

    Returns:
        (T, D) motion; frame t belongs to second t / fps.

    Raises:
        EnvironmentFailure: weights missing, altered, or of another speech encoder.
    """
    tracks = controls if isinstance(controls, ControlTracks) else ControlTracks.constant(controls, frames, fps)
    return MotionModel.load(device).perform(features, tracks, fps, frames, seed, steps)


def liveliness(departure: np.ndarray) -> float:
    """Spread of the head's angles in departures (T, M) of the first seconds, in degrees; 0 if they do not blink."""
    head = departure[:, [conditions.AXES.index(name) for name in ANGLE_AXES]]
    return float(head.std(0).mean()) if conditions.blinks(departure) else 0.0


def calm(departure: np.ndarray) -> np.ndarray:
    """Departures (T, M) without what sampling and guessing leave of noise; lids and eyes stay as quick as they are."""
    out = departure.copy()
    for axes, kernel in SMOOTHING.items():
        reach, columns = len(kernel) // 2, np.isin(conditions.AXES, axes)
        padded = np.pad(departure[:, columns], ((reach, reach), (0, 0)), mode="edge")
        out[:, columns] = sum(share * padded[i : i + len(departure)] for i, share in enumerate(kernel))
    return out
