"""talkface: one portrait and one recording in, a talking-head video out.

    import talkface
    talkface.render("portrait.png", "speech.wav", "out.mp4", talkface.RenderOptions(seed=7))

Importing this package costs nothing: numpy and torch come with the first render.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import ModuleType
from typing import TYPE_CHECKING

from talkface.errors import TalkfaceError
from talkface.options import RenderOptions

if TYPE_CHECKING:
    from talkface.types import RenderResult

__version__ = "0.1.0"
__all__ = ["RenderOptions", "RenderResult", "TalkfaceError", "__version__", "render"]


class _Package(ModuleType):
    """Loads what is heavy when it is asked for, and keeps `render` the function although a subpackage has that name."""

    @property
    def render(self) -> Callable[..., RenderResult]:
        from talkface.pipeline import render

        return render

    @render.setter
    def render(self, subpackage: ModuleType) -> None:
        """Where the import system hangs the subpackage; `from talkface.render.x import y` does not need it."""

    @property
    def RenderResult(self) -> type:  # noqa: N802 - a class
        from talkface.types import RenderResult

        return RenderResult


sys.modules[__name__].__class__ = _Package
