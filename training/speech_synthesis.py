"""Synthetic speech with exact phone times: espeak-ng in many languages and voices, flite's natural English voices.

    python -m training.speech_synthesis --out training/runs/speech/corpus --minutes 120

espeak-ng is driven through its C library, whose events carry the sample at which each phone starts; flite prints its
segment ends. Tools for training only: neither is needed at run time.
"""

from __future__ import annotations

import argparse
import ctypes
import subprocess
import tempfile
from pathlib import Path

import numpy as np
import pocketsphinx
import soundfile as sf
from scipy.signal import resample_poly

from training.speech_corpus import RATE_HZ, CorpusWriter, Utterance
from training.speech_phones import INDEX, STOPS, UNKNOWN, from_arpabet, from_ipa
from training.speech_texts import WORDS, nonsense

VARIANTS = [
    "m1", "m2", "m3", "m4", "m5", "m6", "m7", "m8", "f1", "f2", "f3", "f4", "f5", "Andy", "Annie", "Alicia", "adam",
    "anika", "belinda", "boris", "caleb", "david", "edward", "gustave", "iven", "john", "linda", "max", "michel",
    "miguel",
    "pablo", "quincy", "steph", "travis", "victor", "zac", "Mario", "Diogo", "Denis", "Gene", "Lee", "croak", "klatt",
    "klatt2", "klatt3", "klatt4", "whisper", "whisperf",
]  # fmt: skip
PHONEME_EVENT, END_EVENT = 7, 0
RATE_PARAMETER, PITCH_PARAMETER, RANGE_PARAMETER = 1, 3, 4
SILENCE = INDEX["sil"]


class _Event(ctypes.Structure):
    class _Id(ctypes.Union):
        _fields_ = [("number", ctypes.c_int), ("name", ctypes.c_char_p), ("string", ctypes.c_char * 8)]

    _fields_ = [("type", ctypes.c_int), ("unique_identifier", ctypes.c_uint), ("text_position", ctypes.c_int),
                ("length", ctypes.c_int), ("audio_position", ctypes.c_int), ("sample", ctypes.c_int),
                ("user_data", ctypes.c_void_p), ("id", _Id)]  # fmt: skip


class Espeak:
    """espeak-ng's library: text -> sound and the sample at which each phone starts."""

    def __init__(self) -> None:
        self.library = ctypes.CDLL("libespeak-ng.so.1")
        self.rate_hz = self.library.espeak_Initialize(1, 500, None, 1 | 2)
        self.chunks: list[np.ndarray] = []
        self.events: list[tuple[int, str]] = []
        kind = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.POINTER(_Event))
        self._callback = kind(self._collect)
        self.library.espeak_SetSynthCallback(self._callback)

    def _collect(self, wave, count: int, events) -> int:  # noqa: ANN001 - ctypes pointers
        if wave and count:
            self.chunks.append(np.ctypeslib.as_array(wave, (count,)).copy())
        i = 0
        while events[i].type != END_EVENT:
            if events[i].type == PHONEME_EVENT:
                self.events.append((events[i].sample, events[i].id.string.decode("utf8", "ignore")))
            i += 1
        return 0

    def say(self, voice: str, text: str, rate: int, pitch: int, pitch_range: int) -> tuple[np.ndarray, list]:
        """Sound (N,) int16 at `rate_hz` and (start sample, IPA symbol) of its phones."""
        self.chunks, self.events = [], []
        if self.library.espeak_SetVoiceByName(voice.encode()) != 0:
            raise ValueError(f"espeak-ng has no voice {voice!r}")
        for parameter, value in ((RATE_PARAMETER, rate), (PITCH_PARAMETER, pitch), (RANGE_PARAMETER, pitch_range)):
            self.library.espeak_SetParameter(parameter, value, 0)
        data = text.encode()
        self.library.espeak_Synth(data, len(data) + 1, 0, 1, 0, 1 | 0x100, None, None)
        self.library.espeak_Synchronize()
        return np.concatenate(self.chunks or [np.zeros(0, np.int16)]), self.events


def segments_of(events: list, sample_count: int, rate_hz: int) -> np.ndarray:
    """Phone rows (M, 3) from phone starts; a language switch "(en)" is learned as unknown."""
    ends = [e[0] for e in events[1:]] + [sample_count]
    rows = [(0.0, events[0][0] / rate_hz, SILENCE)] if events else []
    for (start, symbol), end in zip(events, ends, strict=True):
        phone = UNKNOWN if symbol.startswith("(") else from_ipa(symbol)
        phone = SILENCE if phone is None else phone
        if end > start:
            rows.append((start / rate_hz, end / rate_hz, phone))
    return np.array(rows, np.float32).reshape(-1, 3)


def include_closures(segments: np.ndarray, samples: np.ndarray) -> np.ndarray:
    """Move the start of each stop back over the quiet stretch before its burst (at most 90 ms): espeak-ng reports the
    release, and the closure before it belongs to the stop."""
    hop = RATE_HZ // 200
    frames = samples[: len(samples) // hop * hop].reshape(-1, hop).astype(np.float32)
    level = 20 * np.log10(np.sqrt((frames**2).mean(1)) + 1)
    quiet = level < np.percentile(level, 90) - 22
    out = segments.copy()
    for i in range(1, len(out)):
        if int(out[i, 2]) not in STOPS or int(out[i - 1, 2]) == SILENCE:
            continue
        start = int(out[i, 0] * 200)
        floor = max(int(out[i - 1, 0] * 200) + 4, start - 18)
        first = start
        while first > floor and first <= len(quiet) and quiet[first - 1]:
            first -= 1
        out[i, 0] = out[i - 1, 1] = first / 200 if first < start else out[i, 0]
    return out[out[:, 1] > out[:, 0]]


def to_corpus_rate(samples: np.ndarray, rate_hz: int) -> np.ndarray:
    """Resample int16 to the corpus rate."""
    step = int(np.gcd(rate_hz, RATE_HZ))
    wave = resample_poly(samples.astype(np.float32), RATE_HZ // step, rate_hz // step)
    return np.clip(wave, -32767, 32767).astype(np.int16)


def english_words() -> list[str]:
    """Plain words of the recogniser's dictionary."""
    path = Path(pocketsphinx.get_model_path("en-us")) / "cmudict-en-us.dict"
    words = [line.split()[0] for line in path.read_text().splitlines() if line.strip()]
    return [w for w in words if w.isalpha() and 2 <= len(w) <= 9]


def espeak_corpus(out: Path, minutes: float, rng: np.random.Generator) -> None:
    """Write the many-language corpus."""
    engine, writer, total_s, unknown = Espeak(), CorpusWriter(out / "espeak.npz"), 0.0, 0
    words = {language: text.split() for language, text in WORDS.items()}
    words |= dict.fromkeys(("en-us", "en", "en-gb-scotland", "en-029"), english_words())
    languages = sorted(words)
    while total_s < minutes * 60:
        language, variant = str(rng.choice(languages)), str(rng.choice(VARIANTS))
        wave, events = engine.say(f"{language}+{variant}", nonsense(words[language], rng), int(rng.integers(120, 260)),
                                  int(rng.integers(20, 85)), int(rng.integers(20, 80)))  # fmt: skip
        if len(wave) < engine.rate_hz or not events:
            continue
        samples = to_corpus_rate(wave, engine.rate_hz)
        segments = include_closures(segments_of(events, len(wave), engine.rate_hz), samples)
        unknown += int((segments[:, 2] == UNKNOWN).sum())
        writer.add(Utterance(f"{language}+{variant}", f"espeak/{language}+{variant}", samples, segments))
        total_s += len(samples) / RATE_HZ
    writer.save()
    print(f"espeak: {len(writer.utterances)} utterances, {total_s / 60:.0f} min, {unknown} unknown phones", flush=True)


def flite_corpus(out: Path, minutes: float, rng: np.random.Generator) -> None:
    """Write the natural English corpus."""
    writer, total_s, words = CorpusWriter(out / "flite.npz"), 0.0, english_words()
    with tempfile.TemporaryDirectory() as folder:
        wav = Path(folder) / "a.wav"
        while total_s < minutes * 60:
            voice = str(rng.choice(["awb", "rms", "slt", "kal16"], p=[0.3, 0.3, 0.3, 0.1]))
            command = ["flite", "-voice", voice, "--setf", f"duration_stretch={rng.uniform(0.75, 1.35):.2f}", "-psdur",
                       "-t", nonsense(words, rng), "-o", str(wav)]  # fmt: skip
            text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
            rows, start = [], 0.0
            for item in text.split():
                phone, end = item.rsplit(":", 1)
                if float(end) > start:
                    rows.append((start, float(end), from_arpabet(phone)))
                start = float(end)
            wave, rate_hz = sf.read(wav, dtype="int16")
            samples = to_corpus_rate(wave, rate_hz)
            writer.add(Utterance(voice, f"flite/{voice}", samples, np.array(rows, np.float32)))
            total_s += len(samples) / RATE_HZ
    writer.save()
    print(f"flite: {len(writer.utterances)} utterances, {total_s / 60:.0f} min", flush=True)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--minutes", type=float, default=120)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(args.seed)
    espeak_corpus(args.out, args.minutes, rng)
    flite_corpus(args.out, args.minutes / 2, rng)


if __name__ == "__main__":
    main()
