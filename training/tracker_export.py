"""Gather the trained networks into `weights/tracker.safetensors`: `python -m training.tracker_export`."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from pathlib import Path

import torch

from talkface.face.tracker_nets import DetectorConfig, LandmarkConfig
from training.store import WEIGHTS, store
from training.tracker_data import mean_shape, read_sets
from training.tracker_landmarks import CROP_UNITS
from training.tracker_learner import saved
from training.tracker_refine import PARTS, config_of

NOTES = {
    "about": "Face tracker: a detector for whole pictures, a network that reads 478 landmarks from an upright crop, "
    "and two that read eyes and mouth once more.",
    "data": "data/faces (generated, official, congress; every tenth file held out), labelled by MediaPipe Face Mesh; "
    "some of them drawn with other mouths by talkface itself.",
    "licence": "Apache-2.0",
}


def export(folder: Path = WEIGHTS) -> Path:
    """Write the moving averages of the networks trained so far, the mean face and the mirror permutation."""
    mean, mirror = mean_shape(read_sets(("generated",)))
    config = {"crop_units": CROP_UNITS, "detector": asdict(DetectorConfig()), "landmarks": asdict(LandmarkConfig())}
    config |= {name: asdict(config_of(name, mean)) for name in PARTS}
    tensors = {"mean_shape": torch.from_numpy(mean), "mirror": torch.from_numpy(mirror)}
    for name in ("detector", "landmarks", *PARTS):
        average = saved(name)["average"]
        tensors |= {f"{name}.{key}": value for key, value in average.items()}
    return store("tracker", config, tensors, keep_float32=("mean_shape",), folder=folder, **NOTES)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=WEIGHTS)
    print(export(parser.parse_args().folder))
