"""Words for synthetic speech: a few dozen everyday words in many languages, dealt at random into nonsense sentences.

The voice only needs the sounds of the language, not its grammar. `speech_words.json` holds the words, under the
names of espeak-ng's voices; English words come from the recogniser's dictionary.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

WORDS: dict[str, str] = json.loads(Path(__file__).with_name("speech_words.json").read_text(encoding="utf-8"))


def nonsense(words: list[str], rng: np.random.Generator) -> str:
    """A random sentence of 3 to 14 words, with a comma (a pause) now and then."""
    count = int(rng.integers(3, 15))
    picked = [words[i] for i in rng.integers(0, len(words), count)]
    for i in range(1, count - 1):
        if rng.random() < 0.1:
            picked[i] += "," if rng.random() < 0.7 else "."
    return " ".join(picked) + rng.choice([".", "!", "?", "."])
