"""What the stages hand to one another: frozen records, with shapes and units written down once.

Letters: T frames, N samples, K dynamics axes, D motion axes, V vertices, F triangles. Pixels have x right and y down;
pixel (0, 0) has its *centre* at (0, 0). Pictures are uint8 RGB outside the networks.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from talkface.options import EMOTIONS

SPEECH_RATE_HZ = 16_000
FEATURE_RATE_HZ = 50


@dataclass(frozen=True)
class Portrait:
    """A still picture of a face.

    Attributes:
        image: (H, W, 3) uint8 RGB, upright, transparency composited.
        path: where it came from.
        notes: what reading it had to decide, one sentence each ("took the first frame of a video").
    """

    image: np.ndarray
    path: Path
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Speech:
    """The voice.

    Attributes:
        samples: (N,) float32 mono at 16 kHz, finite, within +-1; may be a memory map.
        duration_s: length of the original sound.
        path: the original file, from which the video's sound is taken.
        notes: what reading it had to decide.
    """

    samples: np.ndarray
    duration_s: float
    path: Path
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class SpeechFeatures:
    """What the speech encoder hears, at FEATURE_RATE_HZ (frame i is centred on (i + .5) / rate seconds).

    Attributes:
        phones: (T, P) float16 posteriors over `phone_names`, each row sums to 1.
        phone_names: the P phone classes, "sil" among them.
        level_db: (T,) float32 loudness of the frame, dB relative to the loud parts (95th percentile) of this speech.
        voiced: (T,) float32 0-1 probability of voicing.
        pitch_hz: (T,) float32 fundamental frequency, 0 where unvoiced.
        is_silent: the whole recording holds no voice.
    """

    phones: np.ndarray
    phone_names: tuple[str, ...]
    level_db: np.ndarray
    voiced: np.ndarray
    pitch_hz: np.ndarray
    is_silent: bool


@dataclass(frozen=True)
class Camera:
    """Pinhole camera at the origin looking along -z (y up): x_px = centre_x - focal_px * X / Z,
    y_px = centre_y + focal_px * Y / Z for a point (X, Y, Z) in centimetres with Z < 0."""

    focal_px: float
    centre_x: float
    centre_y: float


@dataclass(frozen=True)
class FaceMesh:
    """The face model of one person: x to the image's right (the subject's left), y up, z towards the viewer, cm.

    Attributes:
        neutral: (V, 3) float32 vertices at rest (identity applied, all dynamics zero, lips closed, eyes open).
        dynamics: (K, V, 3) float32 displacement per unit of each axis of `space.DYNAMICS_AXES`.
        triangles: (F, 3) int64.
        parts: (V,) uint8, index into `FACE_PARTS`.
        upper_lip, lower_lip: (M,) int64 vertices along the inner lip edges, image left to right, corners included.
        eye_centres, eye_radii: (2, 3) and (2,) float32 of the eyeballs, subject's left first.
    """

    neutral: np.ndarray
    dynamics: np.ndarray
    triangles: np.ndarray
    parts: np.ndarray
    upper_lip: np.ndarray
    lower_lip: np.ndarray
    eye_centres: np.ndarray
    eye_radii: np.ndarray


FACE_PARTS = ("face", "head", "socket", "gums_upper", "gums_lower", "tongue", "teeth_upper", "teeth_lower",
              "eye_left", "eye_right")  # fmt: skip


@dataclass(frozen=True)
class FaceFit:
    """A portrait understood: landmarks, and the face model laid over them, all in pixels of the portrait.

    A model point X is seen at camera(rotation @ X + translation), then moved by the residual warp, which makes the
    landmarks land exactly.

    Attributes:
        landmarks: (478, 3) float32, MediaPipe's topology, irises 468-477; z in the same scale, negative towards the
            viewer.
        mesh: the person's face model.
        dynamics: (K,) float32, the portrait's own expression.
        camera, rotation (3, 3), translation (3,): where the head is.
        residual_from, residual_to: (R, 2) float32 control points of the residual warp (projected -> wanted).
        yaw_deg, pitch_deg, roll_deg: head pose (see `talkface.pose`).
        interocular_px: distance between the eye centres.
        error_px: rms distance of the projected model to the landmarks before the residual warp.
        warnings: what a person should know about this picture, one sentence each.
        gaze_deg: (2, 2) float32 (yaw, pitch) of the eyeballs relative to the head, subject's left eye first: the pupil
            of eye i lies at mesh.eye_centres[i] + mesh.eye_radii[i] * pose.direction(*gaze_deg[i]).
    """

    landmarks: np.ndarray
    mesh: FaceMesh
    dynamics: np.ndarray
    camera: Camera
    rotation: np.ndarray
    translation: np.ndarray
    residual_from: np.ndarray
    residual_to: np.ndarray
    yaw_deg: float
    pitch_deg: float
    roll_deg: float
    interocular_px: float
    error_px: float
    warnings: tuple[str, ...] = ()
    gaze_deg: np.ndarray = field(default_factory=lambda: np.zeros((2, 2), np.float32))


@dataclass(frozen=True)
class Crop:
    """A square of the portrait, in its pixels: `x0`, `y0` are the outer edges of its left and top (-0.5 is the
    picture's border, since pixel 0 has its centre at 0), `size` its side."""

    x0: float
    y0: float
    size: float


@dataclass(frozen=True)
class Controls:
    """What the user steers; the defaults mean "as the voice and the portrait suggest".

    Attributes:
        gaze_yaw_deg, gaze_pitch_deg: main gaze direction relative to the portrait's (+yaw image right, +pitch up).
        head_distance: 1 = as in the portrait.
        emotions: (name, strength 0-1) offsets, added up.
        amplitude: scale of head and expression motion; 0 = lips only.
    """

    gaze_yaw_deg: float = 0.0
    gaze_pitch_deg: float = 0.0
    head_distance: float = 1.0
    emotions: tuple[tuple[str, float], ...] = ()
    amplitude: float = 1.0


@dataclass(frozen=True)
class ControlTracks:
    """The user's controls over time: row t belongs to second t / rate_hz, as in the motion it steers.

    Attributes:
        gaze_deg: (T, 2) float32 main gaze direction, yaw and pitch relative to the portrait's (+yaw image right,
            +pitch up).
        head_distance: (T,) float32, 1 = as in the portrait.
        emotion: (T, 8) float32 strengths 0-1 in the order of `options.EMOTIONS`, offsets to what the voice carries,
            added up.
        amplitude: (T,) float32 scale of head and expression motion; 0 = lips only.
        head_deg: (T, 3) float32 yaw, pitch and roll of a fixed head pose relative to the portrait's, which replaces
            the generated one; None = the head moves with the voice.
        rate_hz: rows per second.
    """

    gaze_deg: np.ndarray
    head_distance: np.ndarray
    emotion: np.ndarray
    amplitude: np.ndarray
    head_deg: np.ndarray | None
    rate_hz: float

    @classmethod
    def constant(cls, controls: Controls, frames: int, rate_hz: float) -> ControlTracks:
        """Tracks of `frames` rows that hold the same controls throughout; an emotion named twice adds up, to 1."""
        strengths = np.zeros(len(EMOTIONS))
        for name, strength in controls.emotions:
            strengths[EMOTIONS.index(name)] += strength
        gaze_deg = (controls.gaze_yaw_deg, controls.gaze_pitch_deg)
        rows = [np.array(value, np.float32) for value in (gaze_deg, controls.head_distance, strengths.clip(0, 1))]
        gaze, distance, emotion = (np.broadcast_to(row, (frames, *row.shape)) for row in rows)
        return cls(gaze, distance, emotion, np.full(frames, controls.amplitude, np.float32), None, rate_hz)

    def __len__(self) -> int:
        return len(self.amplitude)


@dataclass(frozen=True)
class MotionSequence:
    """Motion of the whole performance.

    Attributes:
        values: (T, D) float32 in the axes of `space.MotionSpace`, frame t at t / fps.
        fps: frames per second.
        notes: what reading it from a file had to decide, one sentence each.
    """

    values: np.ndarray
    fps: float
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class RenderResult:
    """What `talkface.render` made; `seed` and `steps` are None where a stored motion was drawn."""

    path: Path
    frames: int
    fps: float
    duration_s: float
    seed: int | None
    steps: int | None
    device: str
    timings_s: dict[str, float] = field(default_factory=dict)
    face: dict[str, object] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class MotionResult:
    """What `talkface.export_motion` wrote."""

    path: Path
    format: str
    frames: int
    fps: float
    duration_s: float
    seed: int
    steps: int
    device: str
    timings_s: dict[str, float] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
