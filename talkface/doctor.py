"""Is everything here that talkface needs? Versions, device, ffmpeg, the weights and their hashes."""

from __future__ import annotations

import platform
import tempfile
from collections.abc import Callable
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path

from talkface import __version__, weights
from talkface.device import device_label, pick_device
from talkface.errors import EnvironmentFailure, TalkfaceError
from talkface.media import ffmpeg

PACKAGES = ("torch", "numpy", "scipy", "soundfile", "imageio-ffmpeg", "safetensors", "Pillow", "typer", "rich")
MEND = "The lines marked !! say what. Installing again mends most, in talkface's repository: pip install ."
_MEGABYTE = 1e6


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at: `problem` is empty when it is as it should be."""

    name: str
    value: str
    problem: str = ""


def examine() -> list[Finding]:
    """Look at everything; never raises for what is broken, but says so in a finding."""
    findings = [
        Finding("talkface", __version__),
        Finding("python", f"{platform.python_version()} on {platform.platform()}"),
    ]
    findings += [_look(package, lambda package=package: metadata.version(package)) for package in PACKAGES]
    findings.append(_look("device", lambda: device_label(pick_device("auto"))))
    findings.append(_look("ffmpeg", ffmpeg.version))
    findings.append(_look("temporary folder", _temporary_folder))
    return findings + _weights()


def require_healthy(findings: list[Finding]) -> None:
    """Raise EnvironmentFailure when anything is broken."""
    broken = [finding for finding in findings if finding.problem]
    if broken:
        names = ", ".join(finding.name for finding in broken)
        raise EnvironmentFailure(f"Something is wrong with: {names}.", MEND)


def table(findings: list[Finding]) -> str:
    """The findings as lines of text."""
    width = max(len(finding.name) for finding in findings)
    return "\n".join(
        f"{'!!' if finding.problem else 'ok'}  {finding.name:<{width}}  {finding.problem or finding.value}"
        for finding in findings
    )


def as_dict(findings: list[Finding]) -> dict[str, object]:
    """The findings for `--json`."""
    return {"healthy": not any(f.problem for f in findings), "findings": [asdict(f) for f in findings]}


def _look(name: str, look: Callable[[], str]) -> Finding:
    try:
        return Finding(name, look())
    except TalkfaceError as error:
        return Finding(name, "", f"{error.message} {error.hint}")
    except Exception as error:  # whatever is broken is what the doctor is there to tell
        return Finding(name, "", f"{type(error).__name__}: {error}")


def _temporary_folder() -> str:
    with tempfile.TemporaryFile() as file:
        file.write(b"0")
    return str(Path(tempfile.gettempdir()))


def _weights() -> list[Finding]:
    try:
        return [
            Finding(
                f"weights: {status.name}", f"{status.size_bytes / _MEGABYTE:.1f} MB, sha256 as listed", status.problem
            )
            for status in weights.check()
        ]
    except EnvironmentFailure as failure:
        return [Finding("weights", "", failure.message)]
