"""What the mouth does for each phone: a table of targets and of how firmly each phone insists on them.

Channels (0-1 unless said):

- opening: height of the gap between the lips; 1 is a wide "ah" of a normal voice;
- spread: mouth width; 1 lips spread as in "ee", -1 fully pursed as in "oo";
- funnel: lips turned out, as in "sh";
- teeth: lips drawn off the teeth, as in "ss";
- close: lips pressed together, as in "m";
- tuck: lower lip under the upper teeth, as in "f".

The insistence (dominance, Cohen and Massaro 1993) of a phone decides who wins where neighbours disagree: "k" and "h"
take the shape of the vowel beside them, "s" keeps the jaw up whatever follows.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

CHANNELS = ("opening", "spread", "funnel", "teeth", "close", "tuck")

# phone: opening, insistence, spread, insistence, funnel, teeth
_SHAPES = {
    "sil": (0.00, 0.60, 0.00, 0.30, 0.00, 0.00),
    "AA": (1.00, 1.00, 0.05, 0.40, 0.00, 0.10), "AE": (0.85, 1.00, 0.40, 0.60, 0.00, 0.35),
    "AH": (0.52, 0.70, 0.05, 0.25, 0.00, 0.15), "AO": (0.80, 1.00, -0.45, 0.80, 0.30, 0.00),
    "AW": (0.85, 0.90, -0.15, 0.50, 0.10, 0.10), "AY": (0.85, 0.90, 0.25, 0.50, 0.00, 0.20),
    "EH": (0.68, 0.90, 0.35, 0.60, 0.00, 0.30), "ER": (0.36, 0.80, -0.35, 0.70, 0.30, 0.15),
    "EY": (0.52, 0.90, 0.60, 0.80, 0.00, 0.35), "IH": (0.40, 0.80, 0.35, 0.50, 0.00, 0.25),
    "IY": (0.28, 0.90, 0.80, 1.00, 0.00, 0.40), "OW": (0.55, 0.90, -0.70, 1.00, 0.25, 0.00),
    "OY": (0.60, 0.90, -0.40, 0.80, 0.20, 0.05), "UH": (0.36, 0.80, -0.45, 0.80, 0.20, 0.00),
    "UW": (0.22, 0.90, -0.90, 1.20, 0.20, 0.00), "YX": (0.22, 0.90, -0.90, 1.20, 0.20, 0.00),
    "OE": (0.42, 0.90, -0.70, 1.10, 0.25, 0.00),
    "B": (0.00, 0.70, 0.00, 0.10, 0.00, 0.00), "P": (0.00, 0.70, 0.00, 0.10, 0.00, 0.00),
    "M": (0.00, 0.70, 0.00, 0.10, 0.00, 0.00),
    "F": (0.10, 1.10, 0.10, 0.20, 0.00, 0.20), "V": (0.10, 1.10, 0.10, 0.20, 0.00, 0.20),
    "W": (0.14, 1.00, -0.90, 1.20, 0.20, 0.00),
    "TH": (0.24, 0.80, 0.15, 0.30, 0.00, 0.30), "DH": (0.26, 0.60, 0.10, 0.25, 0.00, 0.25),
    "S": (0.12, 1.20, 0.40, 0.60, 0.00, 0.60), "Z": (0.12, 1.20, 0.35, 0.60, 0.00, 0.60),
    "SH": (0.16, 1.20, -0.35, 0.90, 0.60, 0.50), "ZH": (0.16, 1.20, -0.35, 0.90, 0.60, 0.50),
    "CH": (0.14, 1.10, -0.30, 0.80, 0.55, 0.50), "JH": (0.14, 1.10, -0.30, 0.80, 0.55, 0.50),
    "T": (0.20, 0.60, 0.15, 0.20, 0.00, 0.30), "D": (0.20, 0.60, 0.15, 0.20, 0.00, 0.30),
    "N": (0.24, 0.50, 0.10, 0.20, 0.00, 0.25), "L": (0.32, 0.50, 0.05, 0.20, 0.00, 0.20),
    "R": (0.24, 0.60, -0.35, 0.60, 0.30, 0.10), "RX": (0.30, 0.40, 0.00, 0.15, 0.00, 0.15),
    "K": (0.30, 0.30, 0.05, 0.10, 0.00, 0.10), "G": (0.30, 0.30, 0.05, 0.10, 0.00, 0.10),
    "NG": (0.30, 0.40, 0.05, 0.15, 0.00, 0.10), "XX": (0.34, 0.30, 0.00, 0.10, 0.00, 0.10),
    "HH": (0.42, 0.20, 0.00, 0.05, 0.00, 0.05), "Y": (0.24, 0.60, 0.60, 0.60, 0.00, 0.30),
}  # fmt: skip
CLOSING = frozenset({"B", "P", "M"})
TUCKING = frozenset({"F", "V"})
_NEUTRAL = (0.3, 0.3, 0.0, 0.1, 0.0, 0.1)


@lru_cache(maxsize=4)
def tables(phone_names: tuple[str, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Targets and insistences (P, len(CHANNELS)) of the given phones; an unknown phone gets a slack neutral mouth."""
    targets = np.zeros((len(phone_names), len(CHANNELS)))
    dominance = np.ones_like(targets)
    for row, name in enumerate(phone_names):
        opening, opening_weight, spread, spread_weight, funnel, teeth = _SHAPES.get(name, _NEUTRAL)
        targets[row] = (opening, spread, funnel, teeth, name in CLOSING, name in TUCKING)
        dominance[row, :2] = opening_weight, spread_weight
    return targets, dominance
