"""From a picture and a recording to a video: the story in seven steps."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import talkface
from talkface.analysis import Analysis, analyse
from talkface.device import device_label, draw_seed, pick_device
from talkface.given import control_tracks, read_given
from talkface.media.audio import open_speech
from talkface.media.files import reserve
from talkface.media.image import read_portrait
from talkface.media.motion_file import resample
from talkface.media.video import SUFFIXES, VideoSpec, encode, verify
from talkface.options import RenderOptions
from talkface.progress import Progress, Stopwatch
from talkface.space import MotionSpace
from talkface.types import MotionSequence, RenderResult, Speech, SpeechFeatures

if TYPE_CHECKING:
    import numpy as np
    import torch

    from talkface.motion.controls import Timeline

AI_SOURCE = "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"


def render(
    portrait: str | Path,
    speech: str | Path,
    output: str | Path,
    options: RenderOptions | None = None,
    progress: Progress | None = None,
) -> RenderResult:
    """Make the face in `portrait` say `speech`, and write the video to `output` (.mp4).

    `progress` hears about stages, frames and warnings. Raises TalkfaceError: UsageError, InputError, EnvironmentFailure
    or RenderError; nothing is left behind then.
    """
    portrait, speech, output = Path(portrait), Path(speech), Path(output)
    options = options or RenderOptions()
    seed = draw_seed() if options.seed is None and options.motion is None else options.seed
    clock = Stopwatch(progress or Progress())
    with ExitStack() as stack:
        inputs = (portrait, speech, *options.files.values())
        part = stack.enter_context(reserve(output, SUFFIXES, force=options.force, inputs=inputs))
        given = read_given(options)
        with clock.stage("portrait", "Reading the portrait"):
            picture = read_portrait(portrait)
        with clock.stage("speech", "Reading the speech"):
            voice = stack.enter_context(open_speech(speech))
        with clock.stage("start", "Starting up"):
            device = pick_device(options.device)
        with clock.stage("face", "Understanding the face"):
            analysis = analyse(picture, options, device)
        warnings = (*analysis.notes(given.farthest(options)), *voice.notes, *given.notes(options, voice.duration_s))
        for warning in warnings:
            clock.progress.warn(warning)
        frame_count = options.frame_count(voice.duration_s)
        if given.motion:
            motion = resample(given.motion, float(options.rate), frame_count)
        else:
            with clock.stage("voice", "Listening"):
                features = listen(voice, device)
            with clock.stage("motion", "Moving"):
                motion = move(features, options, frame_count, seed, device, given.timeline)
        with clock.stage("video", "Drawing", frame_count):
            frames = draw(analysis, motion, options, device)
            first, frames = _peek(frames)
            spec = VideoSpec(
                first.shape[1], first.shape[0], options.rate, frame_count, options.crf, _tags(options, seed)
            )
            encode(clock.counted(frames), part, spec, voice.path)
        with clock.stage("check", "Checking the video"):
            verify(part, spec)
    return RenderResult(
        path=output,
        frames=frame_count,
        fps=float(options.rate),
        duration_s=spec.duration_s,
        seed=seed,
        steps=None if given.motion else options.steps,
        device=device_label(device),
        timings_s=clock.timings_s,
        face=analysis.report,
        warnings=warnings,
    )


def listen(voice: Speech, device: torch.device) -> SpeechFeatures:
    """What the speech encoder hears."""
    from talkface.speech.encoder import SpeechEncoder

    return SpeechEncoder.load(device).encode(voice)


def move(
    features: SpeechFeatures,
    options: RenderOptions,
    frame_count: int,
    seed: int,
    device: torch.device,
    timeline: Timeline | None = None,
) -> MotionSequence:
    """The performance that the motion model makes of the voice, as the options and the keyframes ask."""
    from talkface.motion.generate import generate

    tracks = control_tracks(options, frame_count, timeline)
    return generate(features, tracks, float(options.rate), frame_count, seed, options.steps, device)


def draw(
    analysis: Analysis, motion: MotionSequence, options: RenderOptions, device: torch.device
) -> Iterator[np.ndarray]:
    """The frames (H, W, 3) uint8 of a performance, one after the other."""
    from talkface.rendering.renderer import Renderer

    size = int(analysis.crop.size) if options.full else options.size
    farthest = float(motion.values[:, MotionSpace.index("headDistance")].max())
    renderer = Renderer(analysis.image, analysis.fit, analysis.crop, size, device, farthest, inset=options.full)
    if options.full:
        from talkface.rendering.compose import full_frames

        return full_frames(analysis.image, renderer, analysis.crop, motion)
    return renderer.frames(motion)


def _peek(frames: Iterable[np.ndarray]) -> tuple[np.ndarray, Iterator[np.ndarray]]:
    """The first frame, and all frames."""
    frames = iter(frames)
    first = next(frames)
    return first, (frame for group in ((first,), frames) for frame in group)


def _tags(options: RenderOptions, seed: int | None) -> dict[str, str]:
    """What the video says about itself; of files their names, not where this computer keeps them."""
    record = {"talkface": talkface.__version__, **asdict(options), "seed": seed, "source_type": AI_SOURCE}
    record |= {name: path.name for name, path in options.files.items()}
    return {
        "title": "AI-generated talking portrait",
        "comment": f"AI-generated by talkface from a still picture and a recording. {json.dumps(record)}",
    }
