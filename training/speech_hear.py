r"""Label real speech that has no text, in any language, with what a half-trained encoder hears clearly (self-training).

    python -m training.speech_hear --data ../shared/data --run training/runs/speech/run1 \
        --out training/runs/speech/corpus

The teacher hears the clean sound; frames it is unsure of are left unknown; the student then learns them under noise.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import soundfile as sf
import torch

from talkface.speech.encoder import PhoneNet, PhoneNetConfig, SpeechEncoder
from talkface.types import FEATURE_RATE_HZ, Speech
from training.speech_corpus import CorpusWriter, Utterance, read_corpus
from training.speech_phones import PHONES, UNKNOWN

FOLDERS = (
    "kerstin_de",
    "azure_9_languages",
    "ten_languages",
    "mfa_styles",
    "emotional_lines",
    "libri_samples",
    "librispeech",
)
SURE = 0.55


def segments_heard(phones: np.ndarray) -> np.ndarray:
    """Rows (M, 3) of start_s, end_s, phone from posteriors (T, P); UNKNOWN where the best is below `SURE`."""
    labels = np.where(phones.max(1) >= SURE, phones.argmax(1), UNKNOWN)
    edges = np.concatenate([[0], np.flatnonzero(np.diff(labels)) + 1, [len(labels)]])
    rows = [(a / FEATURE_RATE_HZ, b / FEATURE_RATE_HZ, labels[a]) for a, b in zip(edges[:-1], edges[1:], strict=True)]
    return np.array(rows, np.float32)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("--data", "--run", "--out"):
        parser.add_argument(name, type=Path, required=True)
    args = parser.parse_args()
    torch.set_num_threads(1)
    net = PhoneNet(PhoneNetConfig(PHONES))
    net.load_state_dict(torch.load(args.run / "last.pt", weights_only=True)["average"])
    encoder, writer = SpeechEncoder(net), CorpusWriter(args.out / "heard.npz")
    known = {u.name for path in args.out.glob("*.npz") if path.stem != "heard" for u in read_corpus(path)}
    paths = [p for folder in FOLDERS for p in sorted((args.data / "speech" / folder).glob("*.ogg"))]
    for path in [*paths, *sorted((args.data / "facegood").glob("*.ogg"))]:
        if path.stem in known:
            continue
        samples, _ = sf.read(path, dtype="int16")
        heard = encoder.encode(Speech(samples.astype(np.float32) / 32768, len(samples) / 16000, path))
        speaker = f"{path.parent.name}/{path.stem.split('_')[0]}"
        writer.add(Utterance(path.stem, speaker, samples, segments_heard(heard.phones)))
    writer.save()
    rows = np.concatenate([u.segments for u in writer.utterances])
    sure = (rows[:, 1] - rows[:, 0])[rows[:, 2] != UNKNOWN].sum() / (rows[:, 1] - rows[:, 0]).sum()
    print(f"{len(writer.utterances)} utterances, {sure:.0%} of the time sure")


if __name__ == "__main__":
    main()
