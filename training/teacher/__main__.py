"""Write the rules' performance of a speech as a motion file, to be drawn with `talkface render --motion`.

    python -m training.teacher examples/speech.flac -o rules.npz --seed 7
    talkface render examples/portrait.png examples/speech.flac -o rules.mp4 --motion rules.npz

The options are those of `talkface motion`; an existing file is replaced.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from talkface.cli import Amplitude, ControlsFile, Emotions, Gaze, HeadDistance, SpeechPath
from talkface.device import pick_device
from talkface.given import control_tracks, read_given
from talkface.media.audio import open_speech
from talkface.media.motion_file import write_motion
from talkface.options import RenderOptions, option_default, parse_emotion, parse_gaze
from talkface.pipeline import listen
from talkface.types import MotionSequence
from training.teacher.perform import perform

KINDS = {".npz": "npz", ".csv": "csv"}
app = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)


def teach(speech: Path, options: RenderOptions, seed: int) -> MotionSequence:
    """The rules' performance of a speech, under the same controls as the motion model's."""
    given = read_given(options)
    with open_speech(speech) as voice:
        frames = options.frame_count(voice.duration_s)
        features = listen(voice, pick_device(options.device))
    tracks = control_tracks(options, frames, given.timeline)
    return perform(features, tracks, float(options.rate), frames, seed)


@app.command()
def write(
    speech: SpeechPath,
    output: Annotated[Path, typer.Option("--output", "-o", help="File to write (.npz or .csv).", show_default=False)],
    seed: int = 0,
    fps: float = option_default("fps"),
    gaze: Gaze = "0,0",
    head_distance: HeadDistance = option_default("head_distance"),
    emotion: Emotions = None,
    amplitude: Amplitude = option_default("amplitude"),
    controls: ControlsFile = option_default("controls"),
) -> None:
    """Write the motion that the rules make of SPEECH. Prints the path of the file."""
    if output.suffix not in KINDS:
        raise typer.BadParameter(f"{output.name} does not end in {' or '.join(KINDS)}", param_hint="--output")
    options = RenderOptions(
        fps=fps,
        gaze=parse_gaze(gaze),
        head_distance=head_distance,
        emotions=tuple(parse_emotion(text) for text in emotion or ()),
        amplitude=amplitude,
        controls=controls,
    )
    write_motion(output, teach(speech, options, seed), KINDS[output.suffix], seed)
    print(output)


if __name__ == "__main__":
    app()
