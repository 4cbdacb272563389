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
from talkface.media.audio import open_speech
from talkface.media.files import reserve
from talkface.media.image import read_portrait
from talkface.media.video import SUFFIXES, VideoSpec, encode, verify
from talkface.options import RenderOptions
from talkface.progress import Progress, Stopwatch
from talkface.types import Controls, MotionSequence, RenderResult, Speech, SpeechFeatures

if TYPE_CHECKING:
    import numpy as np
    import torch

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
    seed = draw_seed() if options.seed is None else options.seed
    clock = Stopwatch(progress or Progress())
    with ExitStack() as stack:
        part = stack.enter_context(reserve(output, SUFFIXES, force=options.force, inputs=(portrait, speech)))
        with clock.stage("portrait", "Reading the portrait"):
            picture = read_portrait(portrait)
        with clock.stage("speech", "Reading the speech"):
            voice = stack.enter_context(open_speech(speech))
        with clock.stage("start", "Starting up"):
            device = pick_device(options.device)
        with clock.stage("face", "Understanding the face"):
            analysis = analyse(picture, options, device)
        warnings = (*analysis.warnings, *voice.notes)
        for warning in warnings:
            clock.progress.warn(warning)
        with clock.stage("voice", "Listening"):
            features = listen(voice, device)
        frame_count = options.frame_count(voice.duration_s)
        with clock.stage("motion", "Moving"):
            motion = move(features, options, frame_count, seed)
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
        device=device_label(device),
        timings_s=clock.timings_s,
        face=analysis.report,
        warnings=warnings,
    )


def listen(voice: Speech, device: torch.device) -> SpeechFeatures:
    """What the speech encoder hears."""
    from talkface.speech.encoder import SpeechEncoder

    return SpeechEncoder.load(device).encode(voice)


def move(features: SpeechFeatures, options: RenderOptions, frame_count: int, seed: int) -> MotionSequence:
    """The performance: lips from the voice, life around them, as the options ask."""
    from talkface.motion.perform import perform

    controls = Controls(
        gaze_yaw_deg=options.gaze[0],
        gaze_pitch_deg=options.gaze[1],
        head_distance=options.head_distance,
        emotions=options.emotions,
        amplitude=options.amplitude,
    )
    return perform(features, controls, float(options.rate), frame_count, seed)


def draw(
    analysis: Analysis, motion: MotionSequence, options: RenderOptions, device: torch.device
) -> Iterator[np.ndarray]:
    """The frames (H, W, 3) uint8 of a performance, one after the other."""
    from talkface.rendering.renderer import Renderer

    size = int(analysis.crop.size) if options.full else options.size
    renderer = Renderer(analysis.image, analysis.fit, analysis.crop, size, device, options.head_distance)
    if options.full:
        from talkface.rendering.compose import full_frames

        return full_frames(analysis.image, renderer, analysis.crop, motion)
    return renderer.frames(motion)


def _peek(frames: Iterable[np.ndarray]) -> tuple[np.ndarray, Iterator[np.ndarray]]:
    """The first frame, and all frames."""
    frames = iter(frames)
    first = next(frames)
    return first, (frame for group in ((first,), frames) for frame in group)


def _tags(options: RenderOptions, seed: int) -> dict[str, str]:
    """What the video says about itself."""
    record = {"talkface": talkface.__version__, **asdict(options), "seed": seed, "source_type": AI_SOURCE}
    return {
        "title": "AI-generated talking portrait",
        "comment": f"AI-generated by talkface from a still picture and a recording. {json.dumps(record)}",
    }
