"""What the mouth does for each phone: a table of targets and of how firmly each phone insists on them.

Channels (0-1 unless said):

- opening: height of the gap between the lips; 1 is a wide "ah" of a normal voice;
- spread: mouth width; 1 lips spread as in "ee", -1 fully pursed as in "oo";
- funnel: lips turned out, as in "sh";
- teeth: lips drawn off the teeth, as in "ss".

Which phones press the lips together or lay the lower one under the upper teeth stands in `talkface.motion.voice`.

The insistence (dominance, Cohen and Massaro 1993) of a phone decides who wins where neighbours disagree: "k" and "h"
take the shape of the vowel beside them, "s" keeps the jaw up whatever follows.

The vowels' openings (`BY_PHONETICS`) follow phonetics: the jaw as low as the tongue, which the first formant tells
(Peterson and Barney 1952: "ee" 270 Hz, "ah" 730 Hz), the gap half of that where lips are rounded. The other openings
and the spreads were written by hand, then fitted to tracked mouths (`training/speech_mouth.py`). A target below 0 pulls
harder than a mouth can follow.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

CHANNELS = ("opening", "spread", "funnel", "teeth")

# phone: opening, insistence, spread, insistence, funnel, teeth
_SHAPES = {
    "sil": (0.10, 0.61, 0.00, 0.50, 0.00, 0.00),
    "AA": (1.00, 0.90, 0.09, 0.43, 0.00, 0.10), "AE": (0.91, 1.00, 0.12, 0.71, 0.00, 0.35),
    "AH": (0.48, 0.60, 0.07, 0.28, 0.00, 0.15), "AO": (0.38, 0.68, -0.65, 1.18, 0.30, 0.00),
    "AW": (0.80, 0.71, 0.31, 0.43, 0.10, 0.10), "AY": (0.85, 0.83, 0.23, 0.41, 0.00, 0.20),
    "EH": (0.70, 0.94, 0.24, 0.46, 0.00, 0.30), "ER": (0.30, 0.74, -0.33, 0.71, 0.30, 0.15),
    "EY": (0.52, 0.94, 0.67, 0.59, 0.00, 0.35), "IH": (0.38, 0.73, 0.01, 0.70, 0.00, 0.25),
    "IY": (0.28, 0.89, 0.32, 0.68, 0.00, 0.40), "OW": (0.30, 0.82, -0.54, 0.76, 0.25, 0.00),
    "OY": (0.40, 0.81, -0.33, 0.67, 0.20, 0.05), "UH": (0.34, 0.78, -0.55, 0.88, 0.20, 0.00),
    "UW": (0.04, 0.98, -0.67, 0.73, 0.20, 0.00), "YX": (0.22, 0.90, -0.96, 1.62, 0.20, 0.00),
    "OE": (0.41, 0.89, -0.70, 1.06, 0.25, 0.00), "B": (-0.30, 1.09, -0.23, 0.15, 0.00, 0.00),
    "P": (-0.01, 0.76, -0.20, 0.13, 0.00, 0.00), "M": (-0.12, 0.79, 0.04, 0.10, 0.00, 0.00),
    "F": (-0.05, 1.20, 0.24, 0.24, 0.00, 0.20), "V": (-0.05, 1.21, 0.17, 0.18, 0.00, 0.20),
    "W": (-0.16, 1.17, -1.01, 0.78, 0.20, 0.00), "TH": (0.22, 0.79, 0.15, 0.29, 0.00, 0.30),
    "DH": (0.16, 0.63, -0.04, 0.28, 0.00, 0.25), "S": (0.25, 1.26, 0.38, 0.93, 0.00, 0.60),
    "Z": (0.25, 1.08, 0.46, 0.63, 0.00, 0.60), "SH": (0.18, 1.17, -0.10, 0.89, 0.60, 0.50),
    "ZH": (0.16, 1.18, -0.34, 0.91, 0.60, 0.50), "CH": (0.23, 1.07, -0.21, 0.71, 0.55, 0.50),
    "JH": (0.21, 1.10, -0.22, 0.76, 0.55, 0.50), "T": (0.29, 0.57, 0.35, 0.21, 0.00, 0.30),
    "D": (0.12, 0.60, 0.11, 0.18, 0.00, 0.30), "N": (0.06, 0.33, 0.38, 0.25, 0.00, 0.25),
    "L": (0.20, 0.55, -0.20, 0.21, 0.00, 0.20), "R": (-0.23, 1.10, -0.59, 0.52, 0.30, 0.10),
    "RX": (0.28, 0.40, -0.01, 0.15, 0.00, 0.15), "K": (0.32, 0.31, 0.22, 0.10, 0.00, 0.10),
    "G": (0.26, 0.30, 0.16, 0.08, 0.00, 0.10), "NG": (0.36, 0.39, 0.09, 0.15, 0.00, 0.10),
    "XX": (0.33, 0.30, 0.00, 0.10, 0.00, 0.10), "HH": (0.50, 0.20, -0.03, 0.05, 0.00, 0.05),
    "Y": (0.29, 0.59, 0.25, 0.44, 0.00, 0.30),
}  # fmt: skip
BY_PHONETICS = ("AA", "AE", "AH", "AO", "AW", "AY", "EH", "ER", "EY", "IH", "IY", "OW", "OY", "UH", "UW", "L")
"""Whose openings are not fitted: with two speakers to fit to, they were those speakers' habits."""

_NEUTRAL = (0.3, 0.3, 0.0, 0.1, 0.0, 0.1)


@lru_cache(maxsize=4)
def tables(phone_names: tuple[str, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Targets and insistences (P, len(CHANNELS)) of the given phones; an unknown phone gets a slack neutral mouth."""
    targets = np.zeros((len(phone_names), len(CHANNELS)))
    dominance = np.ones_like(targets)
    for row, name in enumerate(phone_names):
        opening, opening_weight, spread, spread_weight, funnel, teeth = _SHAPES.get(name, _NEUTRAL)
        targets[row] = opening, spread, funnel, teeth
        dominance[row, :2] = opening_weight, spread_weight
    return targets, dominance
