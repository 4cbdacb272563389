"""What the frames mean: the portrait at rest, lips and lids that move, a background that stays."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
import torch

from talkface.rendering.canvas import make_canvas
from talkface.rendering.compose import full_frames, native_crop
from talkface.rendering.eye_shapes import EYES, eye_shapes
from talkface.rendering.renderer import BATCH, Renderer
from talkface.space import DYNAMICS_AXES, MotionSpace
from talkface.types import Crop, MotionSequence


@pytest.fixture(scope="module")
def renderer(analysis) -> Renderer:
    return Renderer(analysis.image, analysis.fit, analysis.crop, size=256)


def pose(**axes: float) -> np.ndarray:
    """(1, D): the portrait with some axes set; a name without a side sets both."""
    values = np.zeros((1, MotionSpace.size), np.float32)
    values[0, MotionSpace.index("headDistance")] = 1
    for name, value in axes.items():
        names = [name] if name in MotionSpace.names else [f"{name}Left", f"{name}Right"]
        values[0, MotionSpace.columns(*names)] = value
    return values


def psnr(a: np.ndarray, b: np.ndarray) -> float:
    return float(10 * np.log10(255**2 / (((a.astype(float) - b) ** 2).mean() + 1e-9)))


def mouth_middle(renderer: Renderer) -> np.ndarray:
    """Canvas position (2,) halfway between the corners of the portrait's mouth."""
    mouth = renderer.mouth
    return (mouth.corner + mouth.axes[0] * mouth.length / 2).numpy()


def mouth_box(renderer: Renderer, frame: np.ndarray) -> np.ndarray:
    x, y = mouth_middle(renderer).astype(int)
    reach = int(renderer.mouth.length / 2)
    return frame[y - reach // 2 : y + reach, x - reach : x + reach].astype(float)


def eye_box(renderer: Renderer, frame: np.ndarray, side: int) -> np.ndarray:
    eye = renderer.eyes[side]
    x, y = eye.centre.numpy().astype(int)
    reach = int(eye.width / 2)
    return frame[y - reach // 2 : y + reach // 2, x - reach : x + reach].astype(float)


def test_a_still_motion_is_the_portrait(renderer):
    assert psnr(renderer.draw(pose())[0], renderer.still) >= 42


def test_batches_and_single_frames_agree(renderer):
    poses = np.concatenate([pose(), pose(jawOpen=0.4, speaking=1), pose(headYaw=8, eyeBlink=1)])
    together = renderer.draw(poses).astype(int)
    alone = np.concatenate([renderer.draw(p[None]) for p in poses]).astype(int)
    assert np.abs(together - alone).max() <= 1


def test_a_chin_that_rises_does_not_bring_the_border_of_the_picture_along(analysis):
    chin_row = int(analysis.fit.landmarks[152, 1])
    size = min(chin_row, analysis.image.shape[1])
    left = int(np.clip(analysis.fit.landmarks[:, 0].mean() - size / 2, 0, analysis.image.shape[1] - size))
    cut = Renderer(analysis.image[:chin_row], analysis.fit, Crop(left, chin_row - size, size), size=256)
    raised = cut.draw(pose(jawOpen=-1.2))[0]
    before, after = (np.abs(np.diff(rows[-12:].astype(int), axis=0)).mean() for rows in (cut.still, raised))
    assert psnr(raised[128:], cut.still[128:]) < 30
    assert after > 0.6 * before  # rows that repeat the border would be alike


@pytest.fixture(params=[1, 2])
def cores(request) -> Iterator[int]:
    """As on a machine with so many cores."""
    before = torch.get_num_threads()
    torch.set_num_threads(request.param)
    yield request.param
    torch.set_num_threads(before)


def nods(frames: int) -> MotionSequence:
    values = np.concatenate([pose(headPitch=k % 7 - 3, jawOpen=k % 5 / 10, speaking=1) for k in range(frames)])
    return MotionSequence(values, fps=25.0)


def test_threads_draw_what_one_batch_after_another_is(renderer, cores):
    size, motion = BATCH["cpu"], nods(3 * BATCH["cpu"] + 1)
    side_by_side = list(renderer.frames(motion))
    assert torch.get_num_threads() == cores
    one_by_one = [renderer.draw(motion.values[first : first + size]) for first in range(0, len(motion.values), size)]
    np.testing.assert_array_equal(side_by_side, np.concatenate(one_by_one))


def test_nobody_draws_on_when_no_more_frames_are_wanted(renderer, cores):
    frames = renderer.frames(nods(100))
    next(frames)
    assert any(thread.name.startswith("draw") for thread in threading.enumerate())
    frames.close()
    assert torch.get_num_threads() == cores
    assert not any(thread.name.startswith("draw") for thread in threading.enumerate())


def test_what_goes_wrong_in_a_thread_is_heard(renderer, cores):
    with pytest.raises((IndexError, ValueError)):
        list(renderer.frames(MotionSequence(np.zeros((20, 3), np.float32), fps=25.0)))


def test_every_step_of_a_frame_runs_on_the_device(analysis):
    """Nothing is read back, nothing is left on the CPU: torch's "meta" device has no values and tolerates neither."""
    there = Renderer(analysis.image, analysis.fit, analysis.crop, 128, "meta", farthest=1.3)
    for values in (pose(headYaw=8, jawOpen=0.4, speaking=1), pose(headDistance=1.25, gazePitch=9, eyeBlink=0.5)):
        assert there.paint(values).shape == (1, 128, 128, 3)


def test_the_background_does_not_move_with_the_head(renderer):
    turned = renderer.draw(pose(headYaw=12, headPitch=5))[0]
    area = renderer.stage.window.area
    outside = np.ones(turned.shape[:2], bool)
    outside[area.top : area.top + area.height, area.left : area.left + area.width] = False
    assert outside.any()
    np.testing.assert_array_equal(turned[outside], renderer.still[outside])
    border = np.s_[:, [0, -1]]
    assert np.abs(turned[border].astype(int) - renderer.still[border]).max() <= 3


def test_the_head_turns_the_way_it_is_asked(renderer):
    """The nose's highlight moves right for +yaw, up for +pitch: found by matching the nose's patch."""
    x, y = mouth_middle(renderer).astype(int)
    y -= int(renderer.mouth.length * 0.75)

    def shift(frame: np.ndarray) -> tuple[int, int]:
        patch = renderer.still[y - 8 : y + 8, x - 12 : x + 12].astype(float)
        errors = {
            (dx, dy): np.abs(frame[y + dy - 8 : y + dy + 8, x + dx - 12 : x + dx + 12] - patch).mean()
            for dx in range(-14, 15)
            for dy in range(-14, 15)
        }
        return min(errors, key=errors.get)

    assert shift(renderer.draw(pose(headYaw=8))[0])[0] >= 3
    assert shift(renderer.draw(pose(headYaw=-8))[0])[0] <= -3
    assert shift(renderer.draw(pose(headPitch=8))[0])[1] <= -2
    assert shift(renderer.draw(pose(headPitch=-8))[0])[1] >= 2


@pytest.mark.parametrize("pitch", [-10, -12])
def test_a_lowered_chin_is_seen_once(renderer, pitch):
    """Below it there is only the black collar, at 256 pixels in these rows and columns."""
    frame = renderer.draw(pose(headPitch=pitch, headY=0.03))[0]
    assert renderer.still[192:206, 105:160].max() < 70
    assert frame[192:206, 105:160].max() < 70


def hole_of(renderer: Renderer, **axes: float) -> torch.Tensor:
    """How far (h, w) each pixel of the mouth's patch shows what is behind the lips, 0-1."""
    seen = []
    inside = renderer.mouth._inside

    def spy(texture, hole, *rest):
        seen.append(hole[0, 0])
        return inside(texture, hole, *rest)

    renderer.mouth._inside = spy
    try:
        renderer.draw(pose(**axes))
    finally:
        renderer.mouth._inside = inside
    return seen[0]


def hole_share(renderer: Renderer, **axes: float) -> float:
    """How much of the mouth's patch shows what is behind the lips."""
    return float(hole_of(renderer, **axes).mean())


@pytest.mark.parametrize("jaw", [0.0, 0.5, 1.0])
def test_the_mouths_patch_reaches_past_the_opening_however_wide(renderer, jaw):
    """Its border fades into the head's own sheet, which knows no opening: there the upper lip would be seen twice."""
    hole = hole_of(renderer, speaking=1, jawOpen=jaw, mouthUpperUp=0.3)
    assert hole.max() > 0.9
    assert max(hole[:8].max(), hole[-8:].max(), hole[:, :8].max(), hole[:, -8:].max()) == 0


def test_speaking_lips_close_fully_on_a_portrait_with_parted_lips(renderer):
    assert renderer.mouth.shows_inside, "the astronaut smiles with open lips"
    shut = hole_share(renderer, speaking=1)
    assert shut < 0.1 * hole_share(renderer)
    assert hole_share(renderer, speaking=1, jawOpen=0.3, mouthClose=0.3) < 0.02


def test_the_mouth_opens_with_the_jaw(renderer):
    shares = [hole_share(renderer, speaking=1, jawOpen=jaw) for jaw in (0.0, 0.15, 0.3, 0.5, 0.7)]
    assert (np.diff(shares) > 0.005).all()


def test_rounding_narrows_and_spreading_widens_the_lips(renderer):
    """Measured on the flow itself: the distance that the mouth's corners travel apart."""
    mouth = renderer.mouth
    corners = torch.stack([mouth.corner, mouth.corner + mouth.axes[0] * mouth.length])

    def width(**axes: float) -> float:
        change = torch.from_numpy(pose(**axes)[:, MotionSpace.dynamics])
        flow = renderer.head.flow(change, torch.eye(3)[None], torch.zeros(1, 3))
        moved = corners + renderer.head.sample(flow, corners.T.view(1, 2, 2, 1))[0, :, :, 0].T
        return float((moved[1] - moved[0]).norm())

    assert width(mouthPucker=0.8) < 0.9 * width() < 0.98 * width(mouthSmile=0.6)


def test_a_blink_hides_the_eyeball_and_brings_skin(renderer):
    open_eye, closed = renderer.draw(pose())[0], renderer.draw(pose(eyeBlink=1))[0]
    for side in range(len(EYES)):
        before, after = eye_box(renderer, open_eye, side), eye_box(renderer, closed, side)
        middle = np.s_[before.shape[0] // 3 : -before.shape[0] // 3, before.shape[1] // 3 : -before.shape[1] // 3]
        assert np.abs(before[middle] - after[middle]).mean() > 12
        assert after[middle].std() < before[middle].std()


@pytest.mark.parametrize("yaw", [-15, 15])
def test_gaze_moves_both_irises_the_way_it_is_asked(renderer, yaw):
    ahead, aside = renderer.draw(pose())[0], renderer.draw(pose(gazeYaw=yaw))[0]
    for side in range(len(EYES)):
        dark = [255 - eye_box(renderer, frame, side).mean(-1) for frame in (ahead, aside)]
        change = dark[1] - dark[0]
        columns = np.arange(change.shape[1]) - change.shape[1] / 2
        assert np.sign((change * columns).sum()) == np.sign(yaw)


@pytest.mark.parametrize("distance", [0.7, 1.3])
def test_head_distance_scales_the_face(analysis, distance):
    far = Renderer(analysis.image, analysis.fit, analysis.crop, size=256, farthest=distance)
    values = pose()
    values[0, MotionSpace.index("headDistance")] = distance
    frame = far.draw(values)[0]
    scene = [far.stage.view.to_frame(eye.centre[None], np.array([distance]))[0] for eye in far.eyes]
    apart = float((scene[1] - scene[0]).norm())
    rest = float((far.eyes[1].centre - far.eyes[0].centre).norm())
    assert apart * distance == pytest.approx(rest, rel=0.03)
    for place, eye in zip(scene, far.eyes, strict=True):
        x, y = place.numpy().round().astype(int)
        reach = round(eye.width / distance)
        seen = frame[y - reach : y + reach, x - reach : x + reach].mean()
        x, y = eye.centre.numpy().round().astype(int)
        reach = round(eye.width)
        assert seen == pytest.approx(far.still[y - reach : y + reach, x - reach : x + reach].mean(), rel=0.06)


def test_frames_are_identical_from_run_to_run(analysis, renderer):
    again = Renderer(analysis.image, analysis.fit, analysis.crop, size=256)
    values = pose(headYaw=5, jawOpen=0.3, speaking=1, eyeBlink=0.4, gazeYaw=5)
    np.testing.assert_array_equal(renderer.draw(values), again.draw(values))


def test_the_whole_picture_has_no_seam(analysis):
    height, width = analysis.image.shape[:2]
    crop = native_crop(Crop(analysis.crop.x0 + 0.3, analysis.crop.y0, analysis.crop.size * 0.97), (height, width))
    assert crop.size % 8 == 0 and (crop.x0 + 0.5) % 1 == 0
    renderer = Renderer(analysis.image, analysis.fit, crop, size=int(crop.size), inset=True)
    motion = MotionSequence(np.concatenate([pose(), pose(headYaw=10, jawOpen=0.4, speaking=1)]), 25.0)
    still, moved = full_frames(analysis.image, renderer, crop, motion)
    even = analysis.image[: height // 2 * 2, : width // 2 * 2]
    assert psnr(still, even) > 42
    x0, y0, x1, y1 = (int(v + 0.5) for v in (crop.x0, crop.y0, crop.x0 + crop.size, crop.y0 + crop.size))
    ring = moved[y0:y1, x0:x1].astype(int) - even[y0:y1, x0:x1]
    for edge in (ring[0], ring[-1], ring[:, 0], ring[:, -1]):
        assert np.abs(edge).max() <= 6
    assert np.abs(ring).max() > 40


def test_a_brow_that_lies_low_is_raised_less_and_lowered_as_any(analysis, renderer, monkeypatch):
    shapes = eye_shapes(make_canvas(analysis.fit, analysis.crop, 256).landmarks)
    halved = [replace(shape, brow=np.full_like(shape.brow, 0.25 * shape.width)) for shape in shapes]
    monkeypatch.setattr("talkface.rendering.renderer.eye_shapes", lambda landmarks: halved)
    low = Renderer(analysis.image, analysis.fit, analysis.crop, size=256)
    raised, lowered = (DYNAMICS_AXES.index(name) for name in ("browInnerUp", "browDownLeft"))
    most = [[float(sheet.basis[axis].abs().max()) for axis in (raised, lowered)] for sheet in (low.head, renderer.head)]
    assert 0.4 * most[1][0] < most[0][0] < 0.7 * most[1][0]
    assert most[0][1] == pytest.approx(most[1][1], rel=0.1)
