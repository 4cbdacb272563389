"""When somebody speaks, from what the speech encoder hears, and how its clock meets that of the motion."""

from __future__ import annotations

import numpy as np

from talkface.motion.curves import reaching_kernel, runs, smooth
from talkface.types import FEATURE_RATE_HZ, SpeechFeatures

LEAD_MS = 20.0
"""How far the lips are ahead of the sound."""

PAUSE_MS = 350.0
RELAX_AFTER_MS = 3000.0


def silence_of(features: SpeechFeatures) -> np.ndarray:
    """Posterior (T,) that nobody speaks."""
    return features.phones[:, features.phone_names.index("sil")].astype(np.float64)


def pause_curve(silence: np.ndarray) -> np.ndarray:
    """(T,) 0-1: 1 in pauses of at least `PAUSE_MS`, with soft edges inside the pause."""
    quiet = smooth(silence, reaching_kernel(30, 30)) > 0.5
    rest = np.zeros(len(quiet))
    for start, stop in runs(quiet):
        at_edge = start == 0 or stop == len(quiet)
        if at_edge or (stop - start) * 1000 / FEATURE_RATE_HZ >= PAUSE_MS:
            rest[start:stop] = 1
    rest = np.minimum(rest, smooth(rest, np.ones(5) / 5))
    return smooth(rest, reaching_kernel(40, 40))


def speaking_curve(features: SpeechFeatures) -> np.ndarray:
    """(T,) at `FEATURE_RATE_HZ`: 1 from just before the first sound to just after the last, 0 in very long pauses."""
    quiet = smooth(silence_of(features), reaching_kernel(30, 30)) > 0.5
    talking = np.ones(len(quiet))
    margin = round(0.3 * FEATURE_RATE_HZ)
    for start, stop in runs(quiet):
        first = start if start == 0 else start + 2 * margin
        last = stop if stop == len(quiet) else stop - margin
        long_enough = (stop - start) * 1000 / FEATURE_RATE_HZ >= RELAX_AFTER_MS
        if (long_enough or start == 0 or stop == len(quiet)) and last > first:
            talking[first:last] = 0
    return np.clip(smooth(talking, reaching_kernel(80, 80)), 0, 1)


def sample(curve: np.ndarray, times_s: np.ndarray) -> np.ndarray:
    """Value of a feature-rate curve (T,) at the given times, the lips `LEAD_MS` ahead of the sound."""
    place = (times_s + LEAD_MS / 1000) * FEATURE_RATE_HZ - 0.5
    return np.interp(place, np.arange(len(curve)), curve)
