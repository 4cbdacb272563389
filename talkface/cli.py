"""The command line: options in, exit codes out; nothing heavy is imported until a command needs it."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Container, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, NoReturn

import typer
from typer.core import TyperCommand

from talkface import __version__
from talkface.console import Console, mute, show
from talkface.errors import INTERRUPTED, UNREAD, TalkfaceError, UsageError
from talkface.options import RenderOptions, option_default, option_help, parse_emotion, parse_gaze

# Torch's threads wait for one another by spinning, which takes the processor from ffmpeg and from everyone else: on a
# busy machine a render took nine times as long. They, and numpy's, read these wishes once, when they are loaded.
POLITE_THREADS = {"OMP_WAIT_POLICY": "PASSIVE", "OPENBLAS_NUM_THREADS": "1"}
LIVE_LINK_FPS = 60.0
HEED_AGAIN_S = 0.05  # see `_heed`
COMPILED = frozenset({"numpy", "scipy", "torch"})  # packages whose loading is not interrupted
REPORT = "This is a bug in talkface: run again with -v and report what it prints."

app = typer.Typer(
    name="talkface",
    help="Make a portrait speak: one picture and one recording in, a talking-head video out.",
    epilog="Exit codes: 0 done, 1 rendering failed, 2 usage, 3 unusable input, 4 environment, 130 interrupted, "
    "141 result not read.",
    context_settings={"help_option_names": ["-h", "--help"]},
    invoke_without_command=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
_click_error = typer.BadParameter.__mro__[1].__mro__[1]  # ClickException: Typer ships Click under a private name


class _Command(TyperCommand):
    """A command whose usage names its arguments as its help does; Typer writes {PORTRAIT}."""

    def collect_usage_pieces(self, ctx: typer.Context) -> list[str]:
        """What follows the command's name in its usage."""
        return [piece.strip("{}") for piece in super().collect_usage_pieces(ctx)]


def _option(name: str, *flags: str, **settings: object) -> object:
    return typer.Option(*flags, help=option_help(name), **settings)


Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print nothing but the result and errors.")]
Verbose = Annotated[
    bool, typer.Option("--verbose", "-v", help="Print stages line by line, and tracebacks of failures.")
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout.")]
PortraitPath = Annotated[Path, typer.Argument(metavar="PORTRAIT", help="Picture of a face.", show_default=False)]
SpeechPath = Annotated[Path, typer.Argument(metavar="SPEECH", help="Recording of a voice.", show_default=False)]
Device = Annotated[str, _option("device", "--device")]
Gaze = Annotated[str, _option("gaze", "--gaze", metavar="YAW,PITCH")]
HeadDistance = Annotated[float, _option("head_distance", "--head-distance")]
Emotions = Annotated[list[str] | None, _option("emotions", "--emotion", metavar="NAME[:STRENGTH]", show_default=False)]
Amplitude = Annotated[float, _option("amplitude", "--amplitude")]
ControlsFile = Annotated[Path | None, _option("controls", "--controls", metavar="FILE", show_default=False)]
MotionFile = Annotated[Path | None, _option("motion", "--motion", metavar="FILE", show_default=False)]
Steps = Annotated[int, _option("steps", "--steps")]
Seed = Annotated[int | None, _option("seed", "--seed", show_default=False)]
Force = Annotated[bool, _option("force", "--force")]


@app.command(cls=_Command)
def render(
    portrait: PortraitPath,
    speech: SpeechPath,
    output: Annotated[Path, typer.Option("--output", "-o", help="Video to write (.mp4).", show_default=False)],
    size: Annotated[int, _option("size", "--size")] = option_default("size"),
    fps: Annotated[float, _option("fps", "--fps")] = option_default("fps"),
    crf: Annotated[int, _option("crf", "--crf")] = option_default("crf"),
    gaze: Gaze = "0,0",
    head_distance: HeadDistance = option_default("head_distance"),
    emotion: Emotions = None,
    amplitude: Amplitude = option_default("amplitude"),
    controls: ControlsFile = option_default("controls"),
    motion: MotionFile = option_default("motion"),
    seed: Seed = option_default("seed"),
    steps: Steps = option_default("steps"),
    device: Device = option_default("device"),
    full: Annotated[bool, _option("full", "--full")] = option_default("full"),
    face: Annotated[int, _option("face", "--face")] = option_default("face"),
    force: Force = option_default("force"),
    as_json: Json = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Make PORTRAIT say SPEECH. Prints the path of the video."""
    with _console(quiet, verbose) as console:
        options = RenderOptions(
            size=size,
            fps=fps,
            crf=crf,
            gaze=parse_gaze(gaze),
            head_distance=head_distance,
            emotions=tuple(parse_emotion(text) for text in emotion or ()),
            amplitude=amplitude,
            controls=controls,
            motion=motion,
            seed=seed,
            steps=steps,
            device=device,
            full=full,
            face=face,
            force=force,
        )
        from talkface.pipeline import render as run

        result = run(portrait, speech, output, options, console)
        console.result(asdict(result) if as_json else result.path)


@app.command(cls=_Command)
def motion(
    speech: SpeechPath,
    output: Annotated[Path, typer.Option("--output", "-o", help="File to write (.npz or .csv).", show_default=False)],
    kind: Annotated[
        str | None,
        typer.Option(
            "--format",
            metavar="npz|csv|livelink",
            help="npz or csv, as the name says, or livelink: ARKit's blendshapes as Live Link Face records them.",
            show_default=False,
        ),
    ] = None,
    fps: Annotated[
        float | None,
        _option("fps", "--fps", show_default=f"{option_default('fps'):g}; {LIVE_LINK_FPS:g} for livelink"),
    ] = None,
    gaze: Gaze = "0,0",
    head_distance: HeadDistance = option_default("head_distance"),
    emotion: Emotions = None,
    amplitude: Amplitude = option_default("amplitude"),
    controls: ControlsFile = option_default("controls"),
    seed: Seed = option_default("seed"),
    steps: Steps = option_default("steps"),
    device: Device = option_default("device"),
    force: Force = option_default("force"),
    as_json: Json = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Write the motion that speaks SPEECH, without a face.

    For `talkface render --motion` and for other programs. Prints the path of the file.
    """
    with _console(quiet, verbose) as console:
        options = RenderOptions(
            fps=fps if fps is not None else LIVE_LINK_FPS if kind == "livelink" else option_default("fps"),
            gaze=parse_gaze(gaze),
            head_distance=head_distance,
            emotions=tuple(parse_emotion(text) for text in emotion or ()),
            amplitude=amplitude,
            controls=controls,
            seed=seed,
            steps=steps,
            device=device,
            force=force,
        )
        from talkface.export import export_motion as run

        result = run(speech, output, options, kind, console)
        console.result(asdict(result) if as_json else result.path)


@app.command(cls=_Command)
def inspect(
    portrait: PortraitPath,
    output: Annotated[Path, typer.Option("--output", "-o", help="Picture to write (.png).", show_default=False)],
    face: Annotated[int, _option("face", "--face")] = option_default("face"),
    device: Device = option_default("device"),
    force: Force = option_default("force"),
    as_json: Json = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Draw what talkface sees in PORTRAIT.

    The face found and fitted, the crop, and ten test poses on one sheet. Prints its path.
    """
    with _console(quiet, verbose) as console:
        options = RenderOptions(face=face, device=device, force=force)
        from talkface.inspection import inspect as run

        report = run(portrait, output, options, console)
        console.result(report if as_json else output)


@app.command(cls=_Command)
def bench(
    portrait: Annotated[
        Path | None, typer.Argument(metavar="PORTRAIT", help="Picture; the example's when absent.")
    ] = None,
    speech: Annotated[
        Path | None, typer.Argument(metavar="SPEECH", help="Recording; the example's when absent.")
    ] = None,
    device: Device = option_default("device"),
    as_json: Json = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Measure the speed of every stage here.

    Reference operations of the same machine stand beside them.
    """
    with _console(quiet, verbose) as console:
        options = RenderOptions(device=device)
        from talkface import bench as benchmark

        report = benchmark.measure(portrait, speech, options, console)
        console.result(asdict(report) if as_json else benchmark.table(report))


@app.command()
def doctor(as_json: Json = False, verbose: Verbose = False) -> None:
    """Check that the installation is whole.

    Looks at versions, device, ffmpeg, and the weights and their hashes. Exits with 4 if anything is wrong.
    """
    with _console(quiet=False, verbose=verbose) as console:
        from talkface import doctor as checks

        findings = checks.examine()
        console.result(checks.as_dict(findings) if as_json else checks.table(findings))
        checks.require_healthy(findings)


def _version(wanted: bool) -> None:
    if wanted:
        show(f"talkface {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    context: typer.Context,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    if context.invoked_subcommand is None:
        show(context.get_help())
        raise typer.Exit(UsageError.exit_code)


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the command line and exit with its code. Raises KeyboardInterrupt when the user interrupts."""
    for name, value in POLITE_THREADS.items():
        os.environ.setdefault(name, value)
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:  # closed: a file opened later must not be taken for it
            setattr(sys, name, open(os.devnull, "w"))  # noqa: SIM115 - for as long as the program runs
    for name in ("SIGINT", "SIGTERM", "SIGALRM"):  # being told to stop cleans up as Ctrl-C does; SIGALRM: see `_heed`
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), _heed)
    if hasattr(signal, "SIGHUP") and signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # `nohup` goes on
        signal.signal(signal.SIGHUP, _heed)
    try:
        code = app(args=arguments, prog_name="talkface", standalone_mode=False)
    except _click_error as error:
        message = error.format_message()
        message += "" if message.endswith((".", "?")) else "."
        Console().fail(UsageError(message, f"See: {_command_path(error)} --help"))
        code = UsageError.exit_code
    except typer.Abort:
        code = INTERRUPTED
    except SystemExit:  # Typer leaves so when nobody reads its help
        mute(sys.stdout)
        code = UNREAD
    if code == INTERRUPTED:
        raise KeyboardInterrupt
    sys.exit(code)


def _heed(_number: int, _frame: object) -> None:
    """Interrupt; but while something compiled is being loaded, which at exceptions aborts or says that it is broken, a
    little later."""
    if _is_loading(COMPILED) and hasattr(signal, "setitimer"):
        signal.setitimer(signal.ITIMER_REAL, HEED_AGAIN_S)
    else:
        raise KeyboardInterrupt


def _is_loading(packages: Container[str]) -> bool:
    """Whether a module of these packages is just being imported."""
    return any(
        name.partition(".")[0] in packages and getattr(getattr(module, "__spec__", None), "_initializing", False)
        for name, module in list(sys.modules.items())
    )


def _command_path(error: Exception) -> str:
    context = getattr(error, "ctx", None)
    return context.command_path if context else "talkface"


@contextmanager
def _console(quiet: bool, verbose: bool) -> Iterator[Console]:
    """A console for one command; every failure inside the block becomes one sentence and an exit code."""
    console = Console(quiet=quiet, verbose=verbose)
    try:
        with console:
            yield console
    except BrokenPipeError:
        raise typer.Exit(UNREAD) from None
    except TalkfaceError as error:
        failure = error
    except MemoryError:
        failure = TalkfaceError("The computer has too little memory for this.", "Use a smaller picture or --size.")
    except Exception as error:
        failure = TalkfaceError(f"{type(error).__name__}: {error}", REPORT)
        failure.__cause__ = error
    else:
        return
    console.fail(failure)
    raise typer.Exit(failure.exit_code)
