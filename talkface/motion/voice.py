"""When somebody speaks and when lips must touch, from what the speech encoder hears, and how its clock meets that of
the motion."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from talkface.motion.curves import reaching_kernel, runs, smooth
from talkface.types import FEATURE_RATE_HZ, SpeechFeatures

LEAD_MS = 20.0
"""How far the lips are ahead of the sound."""

RELAX_AFTER_MS = 3000.0

CLOSING = frozenset({"B", "P", "M"})
TUCKING = frozenset({"F", "V"})


@dataclass(frozen=True)
class Contact:
    """When lips or teeth must touch.

    Attributes:
        phones: that ask for it.
        heard: their posterior at which the contact begins, and at which it is whole.
        hold_ms: how long it is held ahead of and after the phone.
    """

    phones: frozenset[str]
    heard: tuple[float, float]
    hold_ms: tuple[float, float]


CONTACTS = {
    "close": Contact(CLOSING, heard=(0.06, 0.18), hold_ms=(20, 20)),
    "tuck": Contact(TUCKING, heard=(0.12, 0.40), hold_ms=(20, 20)),
}


def contact_curve(phones: np.ndarray, names: tuple[str, ...], contact: str) -> np.ndarray:
    """(T,) 0-1: 1 wherever the lips must touch ("close") or the lower one lie under the teeth ("tuck").

    A recogniser hears a quick p as a little p and much t; the eye wants the lips to meet all the same. So little
    evidence is enough for a whole contact, and a contact lasts long enough to be seen.
    """
    rule = CONTACTS[contact]
    evidence = expectation(phones, np.isin(names, list(rule.phones)).astype(np.float32))
    none, enough = rule.heard
    due = np.clip((smooth(evidence, np.array([0.25, 0.5, 0.25])) - none) / (enough - none), 0, 1)
    ahead, on = (round(ms * FEATURE_RATE_HZ / 1000) for ms in rule.hold_ms)
    return np.lib.stride_tricks.sliding_window_view(np.pad(due, (on, ahead)), ahead + on + 1).max(1)


def expectation(phones: np.ndarray, table: np.ndarray, block: int = 20_000) -> np.ndarray:
    """Mean of a table (P, C) over the phones (T, P) heard in each frame: (T, C), without a float copy of them all."""
    parts = [phones[i : i + block].astype(np.float32) @ table for i in range(0, len(phones), block)]
    return np.concatenate(parts)


def silence_of(features: SpeechFeatures) -> np.ndarray:
    """Posterior (T,) that nobody speaks."""
    return features.phones[:, features.phone_names.index("sil")].astype(np.float64)


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
