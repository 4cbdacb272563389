"""Tables in Markdown files, between marks, so that a command can write them anew."""

from __future__ import annotations

import re
from pathlib import Path


def publish(readme: Path, text: str, name: str) -> None:
    """Replace what stands between `<!-- NAME -->` and `<!-- /NAME -->` in a Markdown file, or add it at the end."""
    begin, end = f"<!-- {name} -->", f"<!-- /{name} -->"
    old = readme.read_text(encoding="utf-8") if readme.exists() else ""
    block = f"{begin}\n{text}{end}"
    if begin in old:
        new = re.sub(re.escape(begin) + ".*?" + re.escape(end), lambda _: block, old, flags=re.DOTALL)
    else:
        new = f"{old}\n{block}\n"
    readme.write_text(new, encoding="utf-8")
