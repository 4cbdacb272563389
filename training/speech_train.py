"""Train the speech encoder on the corpora of `speech_labels` and `speech_synthesis`.

    python -m training.speech_train --corpus training/runs/speech/corpus --run training/runs/speech/run1 --minutes 50

Soft targets: each 20 ms frame carries the share of every phone in it. The learning rate follows the clock, so a run
ends well whatever the machine's load; it can be interrupted and resumed. `--further` begins from the packaged weights
instead of from scratch, at `FURTHER_FROM` of the run. `--store` writes the averaged weights.
"""

from __future__ import annotations

import argparse
import math
import time
from pathlib import Path

import numpy as np
import torch

from talkface.speech import features
from talkface.speech.encoder import WEIGHTS_NAME, PhoneNet, PhoneNetConfig, SpeechEncoder, config_record
from training.speech_augment import Surroundings
from training.speech_corpus import RATE_HZ, Utterance, read_corpus
from training.speech_phones import INDEX, PHONES, UNKNOWN
from training.store import store

CROP_FRAMES = 160
SHARES = {
    "librispeech": 0.27, "speechocean762": 0.22, "espeak": 0.25, "flite": 0.14, "grid_s1": 0.04, "heard": 0.08,
    "nothing": 0.02,
}  # fmt: skip
OTHER_SHARE = 0.02
HELD_OUT = ("librispeech/12", "speechocean762/000", "espeak/sv", "ljspeech/")
PEAK_RATE = 2e-3
AVERAGE_EVERY, AVERAGE_SPAN = 8, 300
FURTHER_FROM = 0.4
"""How much of a run counts as done when it goes on from the packaged weights."""

FURTHER_SHARE = 0.7
"""What is stored of such a run: so much of its weights, the rest of those it began with. Held-out voices are heard
better so than with either (Wortsman et al. 2022 on fine-tuned networks)."""


def targets_of(segments: np.ndarray, start_s: float, speed: float) -> np.ndarray:
    """Soft labels (CROP_FRAMES, P) of a crop from `start_s`, played `speed` times as fast; zero rows where unknown."""
    times_s = start_s + (np.arange(CROP_FRAMES * 4) + 0.5) / 200 * speed
    place = np.searchsorted(segments[:, 1], times_s, side="right")
    inside = place < len(segments)
    place = np.minimum(place, len(segments) - 1)
    inside &= segments[place, 0] <= times_s
    labels = np.where(inside, segments[place, 2], INDEX["sil"]).astype(int)
    quarter = np.zeros((CROP_FRAMES * 4, len(PHONES)), np.float32)
    known = labels != UNKNOWN
    quarter[np.flatnonzero(known), labels[known]] = 1
    soft = quarter.reshape(CROP_FRAMES, 4, -1).mean(1)
    return soft * (soft.sum(1, keepdims=True) > 0.99)


class Corpus:
    """Draws augmented crops at random from all corpora, in fixed shares."""

    def __init__(self, folder: Path, *, held_out: bool) -> None:
        self.parts: dict[str, list[Utterance]] = {}
        for path in sorted(folder.glob("*.npz")):
            keep = [
                u for u in read_corpus(path) if u.speaker.startswith(HELD_OUT) == held_out and len(u.samples) > 8000
            ]
            if keep:
                self.parts[path.stem] = keep
        names = list(self.parts)
        self.names = [*names, "nothing"]
        shares = np.array([SHARES.get(n, OTHER_SHARE) for n in self.names])
        self.shares = shares / shares.sum()
        voices = [u.samples for part in self.parts.values() for u in part if len(u.samples) > 16000 * 4]
        count = CROP_FRAMES * features.FRAME + 2 * features.STRETCH_PAD
        self.surroundings = Surroundings(count, voices, np.random.default_rng(len(voices)))

    def draw(self, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, float]:
        """One crop: samples (2 * STRETCH_PAD + CROP_FRAMES * FRAME,), targets, and its gain."""
        name = str(rng.choice(self.names, p=self.shares))
        count = CROP_FRAMES * features.FRAME + 2 * features.STRETCH_PAD
        if name == "nothing":
            sound, labels = self.surroundings.bed(rng), np.zeros((CROP_FRAMES, len(PHONES)), np.float32)
            labels[:, INDEX["sil"]] = 1
        else:
            part = self.parts[name]
            utterance = part[rng.integers(len(part))]
            speed = float(rng.uniform(0.8, 1.28)) if rng.random() < 0.6 else 1.0
            sound, labels = crop(utterance, count, speed, rng)
            sound = self.surroundings.augment(sound, rng)
        frames = sound[: len(sound) // features.FRAME * features.FRAME].reshape(-1, features.FRAME)
        loud = np.percentile(np.sqrt((frames**2).mean(1)), 95) + 1e-6
        return sound, labels, features.LOUD_RMS / loud * 10 ** (rng.normal(0, 3) / 20)

    def batch(self, size: int, rng: np.random.Generator) -> tuple[torch.Tensor, torch.Tensor]:
        """Mel (size, 2 * CROP_FRAMES, MEL_BANDS), equalised and masked at random; targets (size, CROP_FRAMES, P)."""
        rows = [self.draw(rng) for _ in range(size)]
        sound = torch.from_numpy(np.stack([r[0] * np.float32(r[2]) for r in rows]))
        mel = features.log_mel(sound, 1.0)
        knots = torch.from_numpy(rng.normal(0, 0.22, (size, 1, 6)).astype(np.float32))
        mel = mel + torch.nn.functional.interpolate(knots, features.MEL_BANDS, mode="linear", align_corners=True)
        for i in range(size):
            if rng.random() < 0.3:
                low = rng.integers(features.MEL_BANDS - 10)
                mel[i, :, low : low + rng.integers(2, 11)] = mel[i].mean()
            if rng.random() < 0.2:
                first = rng.integers(2 * CROP_FRAMES - 12)
                mel[i, first : first + rng.integers(2, 11)] = mel[i].min()
        return mel, torch.from_numpy(np.stack([r[1] for r in rows]))


def crop(utterance: Utterance, count: int, speed: float, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """A random stretch of an utterance, `speed` times as fast: sound (count,), zeros beyond its ends, and targets."""
    length = len(utterance.samples)
    span = int(count * speed) + 2
    slack = max(length - span, 0)
    start = int(rng.integers(-4000, slack + 4000))
    source = np.zeros(span, np.float32)
    first, last = max(start, 0), min(start + span, length)
    source[first - start : last - start] = utterance.samples[first:last]
    sound = (
        np.interp(np.arange(count) * speed, np.arange(span), source).astype(np.float32)
        if speed != 1
        else source[:count]
    )
    start_s = (start + features.STRETCH_PAD * speed) / RATE_HZ
    return sound, targets_of(utterance.segments, start_s, speed)


def loss_of(logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """Cross entropy with soft targets, smoothed by 2 %, over the frames that are known."""
    known = targets.sum(-1)
    smooth = targets * 0.98 + 0.02 / targets.shape[-1]
    return -((smooth * logits.float().log_softmax(-1)).sum(-1) * known).sum() / known.sum().clamp_min(1)


@torch.inference_mode()
def accuracy(net: PhoneNet, corpus: Corpus, batches: int = 12) -> dict[str, float]:
    """Share of frames whose most likely phone is the label's, per corpus of the held-out speakers (augmented)."""
    net.eval()
    rng, found = np.random.default_rng(7), {}
    for name in corpus.parts:
        corpus.shares = np.array([n == name for n in corpus.names], float)
        hits = total = 0.0
        for _ in range(batches):
            mel, targets = corpus.batch(8, rng)
            sure = (targets.amax(-1) > 0.9) & (targets.argmax(-1) != INDEX["sil"])
            hits += float((net(mel).argmax(-1) == targets.argmax(-1))[sure].sum())
            total += float(sure.sum())
        found[name] = round(hits / max(total, 1), 3)
    net.train()
    return found


class Run:
    """One training run: network, optimiser, averaged weights, on disk."""

    def __init__(self, folder: Path, config: PhoneNetConfig) -> None:
        self.path = folder / "last.pt"
        folder.mkdir(parents=True, exist_ok=True)
        self.net = PhoneNet(config)
        self.average = {k: v.clone() for k, v in self.net.state_dict().items()}
        self.optimiser = torch.optim.AdamW(self.net.parameters(), PEAK_RATE, betas=(0.9, 0.98), weight_decay=0.02)
        self.step, self.spent_s = 0, 0.0
        self.began: dict[str, torch.Tensor] = {}
        if self.path.exists():
            state = torch.load(self.path, weights_only=True)
            self.net.load_state_dict(state["net"])
            self.optimiser.load_state_dict(state["optimiser"])
            self.average, self.began = state["average"], state["began"]
            self.step, self.spent_s = state["step"], state["spent_s"]

    def begin_further(self, minutes: float) -> None:
        """Begin from the packaged weights, late in a run of so many minutes; a run that has begun goes on."""
        if self.step == 0:
            self.net.load_state_dict(SpeechEncoder.load().net.state_dict())
            self.average = {k: v.clone() for k, v in self.net.state_dict().items()}
            self.began = {k: v.clone() for k, v in self.average.items()}
            self.spent_s = FURTHER_FROM * minutes * 60

    def save(self) -> None:
        """Write the checkpoint, whole or not at all."""
        part = self.path.with_suffix(".part")
        state = {"net": self.net.state_dict(), "optimiser": self.optimiser.state_dict(), "average": self.average}
        torch.save(state | {"began": self.began, "step": self.step, "spent_s": self.spent_s}, part)
        part.rename(self.path)

    def learned(self) -> dict[str, torch.Tensor]:
        """The weights to be stored: the average, or if the run went further from others, a mean with those."""
        if not self.began:
            return self.average
        return {key: value.lerp(self.average[key], FURTHER_SHARE) for key, value in self.began.items()}

    def update(self, mel: torch.Tensor, targets: torch.Tensor, progress: float) -> float:
        """One step at `progress` 0-1 of the run; returns the loss."""
        warm = min(1.0, self.step / 300)
        for group in self.optimiser.param_groups:
            group["lr"] = PEAK_RATE * warm * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * min(progress, 1))))
        with torch.autocast("cpu", torch.bfloat16):
            logits = self.net(mel)
        loss = loss_of(logits, targets)
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.net.parameters(), 1.0)
        self.optimiser.step()
        self.step += 1
        if self.step % AVERAGE_EVERY == 0:
            share = max(1 / AVERAGE_SPAN, min(1.0, 10 / self.step)) * AVERAGE_EVERY
            for key, value in self.net.state_dict().items():
                self.average[key].lerp_(value, min(share, 1.0))
        return float(loss.detach())


def train(run: Run, corpus: Corpus, held_out: Corpus, minutes: float, batch_size: int) -> None:
    """Train until `minutes` have been spent on the run, reporting and saving every two minutes."""
    rng, losses = np.random.default_rng(run.step), []
    saved, clock = run.spent_s, time.monotonic()
    while run.spent_s < minutes * 60:
        losses.append(run.update(*corpus.batch(batch_size, rng), run.spent_s / (minutes * 60)))
        run.spent_s += time.monotonic() - clock
        clock = time.monotonic()
        if run.spent_s - saved > 120:
            run.save()
            print(f"{run.spent_s / 60:.1f} min step {run.step} loss {np.mean(losses):.4f}", flush=True)
            saved, losses = run.spent_s, []
    run.save()
    run.net.load_state_dict(run.learned())
    print("held out:", accuracy(run.net, held_out), flush=True)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--corpus", type=Path, required=True)
    parser.add_argument("--run", type=Path, required=True)
    parser.add_argument("--minutes", type=float, default=50)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--width", type=int, default=256)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--further", action="store_true", help="begin from the packaged weights")
    parser.add_argument("--store", action="store_true", help="only write the averaged weights of the run")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    torch.manual_seed(0)
    config = PhoneNetConfig(PHONES, width=args.width)
    run = Run(args.run, config)
    if args.store:
        store(
            WEIGHTS_NAME,
            config_record(config),
            run.learned(),
            about="Speech encoder: log-mel frames to phone posteriors.",
            data="LibriSpeech, speechocean762, GRID speaker 1, small open corpora, espeak-ng and flite speech",
            licence="Apache-2.0; sources CC BY 4.0, CC0, MIT, Apache-2.0 and free for commercial use",
        )
        return
    if args.further:
        run.begin_further(args.minutes)
    train(run, Corpus(args.corpus, held_out=False), Corpus(args.corpus, held_out=True), args.minutes, args.batch)


if __name__ == "__main__":
    main()
