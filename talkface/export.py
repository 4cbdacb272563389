"""`talkface motion`: the performance alone, in a file that other faces and other programs can use."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

from talkface import pipeline
from talkface.device import device_label, draw_seed, pick_device
from talkface.errors import UsageError
from talkface.given import read_given
from talkface.media.audio import open_speech
from talkface.media.files import reserve
from talkface.media.motion_file import SUFFIXES, require_format, write_motion
from talkface.options import RenderOptions
from talkface.progress import Progress, Stopwatch
from talkface.types import MotionResult


def export_motion(
    speech: str | Path,
    output: str | Path,
    options: RenderOptions | None = None,
    kind: str | None = None,
    progress: Progress | None = None,
) -> MotionResult:
    """Make the motion that speaks `speech` and write it to `output` as "npz", "csv" or "livelink".

    Without a `kind` the name decides between npz and csv. Raises TalkfaceError as `render` does.
    """
    speech, output = Path(speech), Path(output)
    options = options or RenderOptions()
    kind = kind or _kind_of(output)
    require_format(kind, float(options.rate))
    seed = draw_seed() if options.seed is None else options.seed
    clock = Stopwatch(progress or Progress())
    with ExitStack() as stack:
        inputs = (speech, *options.files.values())
        part = stack.enter_context(reserve(output, (SUFFIXES[kind],), force=options.force, inputs=inputs))
        given = read_given(options)
        with clock.stage("speech", "Reading the speech"):
            voice = stack.enter_context(open_speech(speech))
        warnings = (*voice.notes, *given.notes(options, voice.duration_s))
        for warning in warnings:
            clock.progress.warn(warning)
        with clock.stage("start", "Starting up"):
            device = pick_device(options.device)
        with clock.stage("voice", "Listening"):
            features = pipeline.listen(voice, device)
        with clock.stage("motion", "Moving"):
            frame_count = options.frame_count(voice.duration_s)
            motion = pipeline.move(features, options, frame_count, seed, device, given.timeline)
        write_motion(part, motion, kind, seed)
    return MotionResult(
        path=output,
        format=kind,
        frames=len(motion.values),
        fps=float(options.rate),
        duration_s=len(motion.values) / float(options.rate),
        seed=seed,
        steps=options.steps,
        device=device_label(device),
        timings_s=clock.timings_s,
        warnings=warnings,
    )


def _kind_of(output: Path) -> str:
    """The kind of file that a name asks for. Raises UsageError when it asks for none."""
    kind = output.suffix.lower().removeprefix(".")
    if kind not in ("npz", "csv"):
        raise UsageError(f"The output {output.name!r} does not end in .npz or .csv.", "Name it like -o motion.npz")
    return kind
