"""talkface: one portrait and one recording in, a talking-head video out.

    import talkface
    talkface.render("portrait.png", "speech.wav", "out.mp4", talkface.RenderOptions(seed=7))

Importing this package costs nothing: numpy and torch come with the first render.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from talkface.errors import TalkfaceError
from talkface.options import RenderOptions

if TYPE_CHECKING:
    from talkface.export import export_motion
    from talkface.pipeline import render
    from talkface.types import MotionResult, RenderResult

__version__ = "0.1.0"
__all__ = [
    "MotionResult",
    "RenderOptions",
    "RenderResult",
    "TalkfaceError",
    "__version__",
    "export_motion",
    "render",
]

_HEAVY = {
    "render": "talkface.pipeline",
    "export_motion": "talkface.export",
    "MotionResult": "talkface.types",
    "RenderResult": "talkface.types",
}


def __getattr__(name: str) -> object:
    """Load what is heavy when it is asked for (PEP 562)."""
    if name not in _HEAVY:
        raise AttributeError(f"module 'talkface' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_HEAVY[name]), name)
