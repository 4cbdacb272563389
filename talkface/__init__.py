"""talkface: one portrait and one recording in, a talking-head video out.

    import talkface
    talkface.render("portrait.png", "speech.wav", "out.mp4", talkface.RenderOptions(seed=7))

Importing this package costs nothing: numpy and torch come with the first render.
"""

from __future__ import annotations

TYPE_CHECKING = False  # typing.TYPE_CHECKING without importing typing: Ctrl-C is heeded only after this module
if TYPE_CHECKING:
    from talkface.errors import TalkfaceError
    from talkface.export import export_motion
    from talkface.options import RenderOptions
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

_HOMES = {
    "MotionResult": "talkface.types",
    "RenderOptions": "talkface.options",
    "RenderResult": "talkface.types",
    "TalkfaceError": "talkface.errors",
    "export_motion": "talkface.export",
    "render": "talkface.pipeline",
}


def __getattr__(name: str) -> object:
    """Load what is asked for when it is asked for (PEP 562)."""
    if name not in _HOMES:
        raise AttributeError(f"module 'talkface' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_HOMES[name]), name)
