"""Tables in text, as spreadsheets write them."""

from __future__ import annotations


def with_commas(text: str) -> str:
    """A table with commas between its cells; spreadsheets write semicolons where their numbers have decimal commas."""
    head = text.partition("\n")[0]
    if ";" not in head or "," in head:
        return text
    return text.replace(",", ".").replace(";", ",")
