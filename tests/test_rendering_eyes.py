"""What closed and closing lids mean: skin of this face, a line where they meet, nothing moved that is not an eye's."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from talkface.rendering.canvas import texture
from talkface.rendering.drawings import Paper
from talkface.rendering.eye_plates import LASH_LENGTH, OVERSAMPLE, eye_plates
from talkface.rendering.eye_shapes import EYES, TABLE, EyeShape, eye_shape, eye_shapes, shut_if_hidden
from talkface.rendering.eyes import Eye

SIZE_PX, WIDTH_PX = 160, 60
SKIN = np.array([190, 140, 110])
BLINK, OPEN = (1.0, 0.0, 0.0), (0.0, 0.0, 0.0)


def almond() -> EyeShape:
    """A level right eye in the middle of the picture, wide open."""
    arch = np.sqrt(np.clip(1 - (2 * np.linspace(0, 1, TABLE) - 1) ** 2, 0, 1)).astype(np.float32)
    return EyeShape(
        corner=np.array([50, 80], np.float32), along=np.array([1, 0], np.float32), down=np.array([0, 1], np.float32),
        width=WIDTH_PX, upper=-12 * arch, lower=8 * arch, lid_skin=24.0, cheek_skin=24.0,
        brow=np.full(TABLE, 30, np.float32),
        iris=np.array([80, 78], np.float32), iris_radius=11.0, outer_first=True, is_closed=False,
    )  # fmt: skip


def picture(shape: EyeShape, skin: np.ndarray = SKIN, glasses: bool = False) -> np.ndarray:
    """(160, 160, 3) uint8: plain skin, a white eye with a dark iris, lashes, and perhaps the rim of glasses."""
    xy = np.stack(np.meshgrid(np.arange(SIZE_PX), np.arange(SIZE_PX)), -1).astype(np.float32)
    inside, (u, v) = shape.inside(xy), shape.coordinates(xy)
    above = np.interp(u, np.linspace(0, 1, TABLE), shape.upper) - v
    still = np.broadcast_to(skin, (*xy.shape[:2], 3)).astype(float)
    still = np.where((inside > 0)[..., None], 230.0, still)
    iris = (inside > 0) & (np.linalg.norm(xy - shape.iris, axis=-1) < shape.iris_radius)
    still = np.where(iris[..., None], 50.0, still)
    lashes = (above > 0) & (above < 5) & (u > 0.1) & (u < 0.9)
    still = np.where(lashes[..., None], 0.3 * skin, still)
    if glasses:
        still[50:54] = 30
    return still.astype(np.uint8)


def draw(still: np.ndarray, shape: EyeShape, lids=OPEN, turn=(0.0, 0.0)) -> np.ndarray:
    """The picture (160, 160, 3) float with its eye redrawn."""
    at = torch.arange(SIZE_PX, dtype=torch.float32)
    place = torch.stack(torch.meshgrid(at, at, indexing="xy"))[None]
    drawn = Eye(still, shape)._compose(
        torch.from_numpy(texture(still)), place, torch.tensor([lids]), torch.tensor([turn])
    )
    return drawn[0].permute(1, 2, 0).numpy()


def test_an_open_eye_is_the_portraits_own():
    shape = almond()
    still = picture(shape)
    inner = shape.inside(np.stack(np.meshgrid(np.arange(SIZE_PX), np.arange(SIZE_PX)), -1)) > 2
    np.testing.assert_allclose(draw(still, shape)[inner], still[inner], atol=0.01)


def test_the_first_trace_of_a_blink_is_no_visible_switch():
    shape = almond()
    still = picture(shape)
    steps = [draw(still, shape, (blink, 0.0, 0.0)) for blink in (0.0, 0.01, 0.02, 0.03)]
    for before, after in zip(steps, steps[1:], strict=False):
        assert np.abs(after - before).mean() < 0.15


def lid_edges(shape: EyeShape, turn: float) -> tuple[np.ndarray, np.ndarray]:
    """Heights (TABLE,) of both lid edges of an eye whose iris is `turn` pixels further down."""
    eye = Eye(picture(shape), shape)
    upper, lower = (torch.from_numpy(edge).view(1, 1, 1, -1) for edge in (shape.upper, shape.lower))
    edges = eye._lids(upper, lower, lower, torch.zeros(1, 3), torch.tensor([turn]))[:2]
    return tuple(edge.flatten().numpy() for edge in edges)


def test_lids_follow_an_eye_that_looks_down_and_leave_it_open():
    shape, turn = almond(), 9.0
    upper, lower = lid_edges(shape, turn)
    assert 0.6 < (upper - shape.upper).max() / turn < 0.9
    assert 0.6 < (lower - shape.lower).max() / turn < 0.9
    assert (lower - upper).max() > 0.85 * (shape.lower - shape.upper).max()


def test_a_narrow_eye_that_looks_down_is_not_shut_by_its_upper_lid():
    """Its lid hangs low already: where it went along as that of a wide eye does, nobody saw where the eye looks."""
    wide, turn = almond(), 9.0
    narrow = replace(wide, upper=0.6 * wide.upper, lower=0.6 * wide.lower)
    upper, lower = lid_edges(narrow, turn)
    assert 0 < (upper - narrow.upper).max() < 0.7 * (lid_edges(wide, turn)[0] - wide.upper).max()
    assert (lower - upper).max() > (narrow.lower - narrow.upper).max()


def test_a_raised_lid_folds_the_skin_above_it_without_a_step():
    """Under a low brow there is little skin above the lid, and the lid of an eye that looks up takes it along."""
    shape = replace(almond(), lid_skin=0.22 * WIDTH_PX)
    shades = np.clip(2.0 * np.arange(SIZE_PX), 0, 255)[:, None, None]
    still = np.broadcast_to(shades, (SIZE_PX, SIZE_PX, 3)).astype(np.uint8)
    for up in (4.0, 8.0, 12.0, 15.0):
        drawn = draw(still, shape, turn=(0.0, -up))[:, 80].mean(-1)
        edge = int(80 + lid_edges(shape, -up)[0][TABLE // 2])
        above = np.diff(drawn[20 : edge - 1])
        assert above.min() > 0
        assert above.max() < 16


def test_a_closed_lid_has_the_skins_colour_from_end_to_end():
    shape = almond()
    closed = draw(picture(shape), shape, BLINK)
    lid = closed[66:80, 46:116]
    assert np.abs(lid - SKIN).mean() < 0.06 * SKIN.mean()
    assert np.abs(np.diff(lid.mean(-1), axis=1)).max() < 12, "no hard end, no streak"


def test_where_the_iris_was_the_eye_is_as_white_as_its_lit_part():
    shape = almond()
    still = picture(shape).astype(float)
    xy = np.stack(np.meshgrid(np.arange(SIZE_PX), np.arange(SIZE_PX)), -1)
    seen = (shape.inside(xy) > 0) & (np.linalg.norm(xy - shape.iris, axis=-1) > shape.iris_radius)
    u, _ = shape.coordinates(xy)
    still[seen & (np.abs(u - 0.5) > 0.3)] = 130  # both corners lie in shadow
    plate = eye_plates(still.astype(np.uint8), shape)
    x, y = ((shape.iris - (plate.left, plate.top)) * OVERSAMPLE).astype(int)
    assert plate.white[:, y, x] == pytest.approx(230, abs=12)


def test_closed_lids_meet_in_a_line_that_is_dark_soft_and_runs_from_corner_to_corner():
    shape = almond()
    closed = draw(picture(shape), shape, BLINK).mean(-1)
    darkest = closed[80:100, 62:96].min(0)
    assert (darkest < 0.7 * SKIN.mean()).all()
    rows = closed[80:100, 62:96].argmin(0)
    assert np.abs(np.diff(rows)).max() <= 1
    assert rows[19] > rows[0], "it sags"
    steepest = np.abs(np.diff(closed[78:104, 80]))
    assert steepest.max() < 0.6 * SKIN.mean(), "anti-aliased"


def test_closed_lids_meet_in_a_line_as_dark_as_the_open_lid_ends_in():
    shape = almond()
    still = picture(shape)
    shades = {blink: draw(still, shape, (blink, 0.0, 0.0)).mean(-1) for blink in (0.0, 0.8, 0.9, 1.0)}
    darkness = {blink: 1 - shade[60:100, 66:94].min(0).mean() / SKIN.mean() for blink, shade in shades.items()}
    lashes = 1 - still[67, 70:90].mean() / SKIN.mean()
    assert darkness[1.0] > 0.85 * lashes
    assert max(darkness.values()) - darkness[1.0] < 0.2, "no line that pales as it closes"


def test_a_raised_brow_leaves_the_lashes_and_stretches_all_the_skin_below_it_alike():
    shape = almond()
    heights = np.linspace(0, 40, 401)
    middle = shape.corner + 0.5 * WIDTH_PX * shape.along
    share = shape.brow_share(middle - (heights + 12)[:, None] * shape.down)
    assert not share[heights < 5].any(), "lashes"
    np.testing.assert_allclose(share[heights >= 30], 1, err_msg="the brow keeps its shape")
    assert np.diff(share).max() / np.diff(heights)[0] < 1.35 / (30 - 6)


def test_low_brows_are_raised_less():
    """Little skin lies under them: stretched to three times its height it showed spikes and smears."""
    usual, high, low = (replace(almond(), brow=np.full(TABLE, part * WIDTH_PX)) for part in (0.5, 0.7, 0.3))
    assert usual.brow_room == high.brow_room == 1
    assert low.brow_room == pytest.approx(2 / 3)


def test_lashes_leave_the_lid_and_point_downwards_when_it_is_closed():
    shape = almond()
    still, bare = picture(shape), almond()
    closed = draw(still, shape, BLINK).mean(-1)
    still_without = still.copy()
    still_without[(still == (0.3 * SKIN).astype(np.uint8)).all(-1)] = SKIN
    without = draw(still_without, bare, BLINK).mean(-1)
    line = 80 + int(shape.lower.max())
    assert closed[line + 2 : line + 6, 70:95].mean() < without[line + 2 : line + 6, 70:95].mean() - 8
    assert np.abs(closed[64:76, 60:100] - SKIN.mean()).max() < 0.15 * SKIN.mean()


def test_lashes_have_neither_gaps_nor_abrupt_ends_where_the_portrait_hides_them():
    """Landmarks that lie in the white of an eye, or hair before it, once made blocks of them."""
    shape = almond()
    still = picture(shape)
    u, v = shape.coordinates(np.stack(np.meshgrid(np.arange(SIZE_PX), np.arange(SIZE_PX)), -1))
    above = np.interp(u, np.linspace(0, 1, TABLE), shape.upper) - v
    still[(above > 0) & (above < 5) & ((np.abs(u - 0.5) < 0.05) | (u < 0.25))] = SKIN
    lashes = eye_plates(still, shape).lashes[0]
    roots = lashes[0]
    assert np.abs(np.diff(roots)).max() < 0.15
    middle = len(roots) // 2
    assert roots[middle] > 0.6 * roots[middle + 20]
    assert roots[:35].max() < 0.1, "none are made up where there are none"
    kept = eye_plates(picture(shape), shape).lashes[0]
    np.testing.assert_allclose(lashes[:, 90:110], kept[:, 90:110], atol=0.06)


def test_glasses_stay_where_they_are():
    shape = almond()
    still = picture(shape, glasses=True)
    closed = draw(still, shape, BLINK)
    rim = np.s_[51:53, 45:115]
    assert closed[rim].mean() < 45
    lid = eye_plates(still, shape).lid
    assert lid[:3, 60 * OVERSAMPLE, 45 * OVERSAMPLE].mean() > 0.9 * SKIN.mean()


def test_a_shadow_under_the_brow_lies_on_the_closed_lid_too():
    """It has no edge, unlike glasses, and fades downwards."""
    shape = almond()
    light = np.clip((np.arange(SIZE_PX) - 45) / 50, 0.3, 1)[:, None, None]
    shaded = (picture(shape) * light).astype(np.uint8)
    lit, dim = draw(picture(shape), shape, BLINK), draw(shaded, shape, BLINK)
    lid = np.s_[64:72, 65:95]
    assert dim[lid].mean() < 0.75 * lit[lid].mean()
    assert np.abs(np.diff(dim[50:80, 80].mean(-1))).max() < 20, "no edge where the painted skin begins"


def test_a_black_and_white_eye_stays_black_and_white():
    shape = almond()
    still = picture(shape, np.array([120, 120, 120]))
    for blink in (0.3, 0.6, 1.0):
        drawn = draw(still, shape, (blink, 0.0, 0.0), (3.0, 1.0))
        assert np.ptp(drawn, axis=-1).max() < 0.01


def test_the_eye_closes_steadily():
    shape = almond()
    still = picture(shape)
    white = [(draw(still, shape, (blink, 0.0, 0.0)).min(-1) > 150).sum() for blink in (0, 0.25, 0.5, 0.75, 1)]
    assert (np.diff(white) < 0).all()
    assert white[-1] == 0


@pytest.mark.parametrize("brightness", [1, 254])
def test_pictures_without_any_contrast_can_be_drawn(brightness):
    shape = almond()
    drawn = draw(np.full((SIZE_PX, SIZE_PX, 3), brightness, np.uint8), shape, (0.7, 0.0, 0.0), (2.0, 0.0))
    assert np.isfinite(drawn).all()
    assert drawn.min() >= 0
    assert drawn.max() <= 255


def test_an_eye_seen_from_the_side_turns_back_at_its_corner_and_can_be_measured(analysis):
    landmarks = analysis.fit.landmarks[:, :2].copy()
    marks = EYES[0]
    landmarks[list(marks.upper[-3:-1])] = landmarks[marks.upper[-1]] + [[3.0, -1.0], [2.9997, -0.5]]
    shape = eye_shape(landmarks, marks)
    assert np.isfinite(shape.upper).all()
    assert (shape.lower >= shape.upper).all()


def test_eyes_are_shut_together(analysis):
    """The tracker reads shut eyes slightly open, and not always both alike."""
    landmarks = analysis.fit.landmarks[:, :2].copy()
    assert not any(shape.is_closed for shape in eye_shapes(landmarks))
    for marks, share in zip(EYES, (0.1, 0.5), strict=True):
        upper, lower = list(marks.upper), list(marks.lower)
        middle = (landmarks[upper] + landmarks[lower]) / 2
        landmarks[upper] = middle + share * (landmarks[upper] - middle)
        landmarks[lower] = middle + share * (landmarks[lower] - middle)
    assert all(shape.is_closed for shape in eye_shapes(landmarks))


def test_eyes_behind_dark_glasses_are_left_alone_and_those_of_dark_skin_blink():
    shape = almond()
    still = picture(shape)
    for skin in (SKIN, 0.3 * SKIN):
        assert not shut_if_hidden(still, [shape, shape], skin / 255)[0].is_closed
    hidden = still.copy()
    hidden[50:100, 40:120] = hidden[50:100, 40:120] * 0.2
    assert all(eye.is_closed for eye in shut_if_hidden(hidden, [shape, shape], SKIN / 255))


def test_eyes_in_the_shade_blink_where_the_skin_about_them_is_brighter():
    """Dark glasses are as dark as the eye, and reach beyond it."""
    shape = almond()
    still = picture(shape)
    xy = np.stack(np.meshgrid(np.arange(SIZE_PX), np.arange(SIZE_PX)), -1).astype(np.float32)
    still[shape.inside(xy) > -2] = 40
    assert not shut_if_hidden(still, [shape, shape], SKIN / 255)[0].is_closed


def test_a_closed_lid_in_a_line_drawing_is_bare_paper_and_in_a_hatched_shadow_no_paler_than_what_is_around():
    shape = almond()
    still = picture(shape, np.array([230, 230, 230]))
    still[40:66:3, 30:130] = 20  # strokes above the eye
    still[95:120:3, 30:130] = 20
    lid = (slice(70, 82), slice(70, 90))
    tone = [eye_plates(still, shape, page).lid[:3] for page in (None, Paper(np.full(3, 230, np.float32), 1.0))]
    at = (slice(None), *(slice(int(OVERSAMPLE * (s.start - o)), int(OVERSAMPLE * (s.stop - o)))
                         for s, o in zip(lid, (35, 35), strict=True)))  # fmt: skip
    assert tone[1][at].min() > 205 > 180
    shadow = (0.4 * still).astype(np.uint8)
    shaded = eye_plates(shadow, shape, Paper(np.full(3, 230, np.float32), 1.0)).lid[:3]
    assert shaded[at].max() < 0.4 * 230 * 1.15


def test_a_closed_eye_of_the_portrait_is_left_alone():
    shape = replace(almond(), is_closed=True)
    frame = torch.zeros(1, 3, 8, 8)
    Eye(picture(almond()), shape).draw(frame, None, None, torch.ones(1, 3), torch.ones(1, 2))
    assert not frame.any()


def test_lashes_of_no_closing_lid_reach_further_than_they_are_long():
    """Also where they point at who looks: there, their roots once covered all that is below the eye."""
    shape = almond()
    still = picture(shape)
    open_eye = draw(still, shape)
    beyond = slice(int(80 + 8 + LASH_LENGTH * WIDTH_PX), None)
    for blink in np.linspace(0.52, 0.535, 31):
        closing = draw(still, shape, (float(blink), 0.0, 0.0))
        assert np.abs(closing[beyond] - open_eye[beyond]).max() < 12


def raised_px(shape: EyeShape) -> float:
    """How far the upper lid goes up when it goes as far as it can."""
    eye, lids = Eye(picture(shape), shape), torch.tensor([[0.0, 0.0, 1.0]])
    upper, lower, meeting = (edge.view(1, 1, 1, -1) for edge in eye.edges)
    still, surprised = (eye._lids(upper, lower, meeting, w * lids, torch.zeros(1))[0] for w in (0, 1))
    return float((still - surprised).max())


def test_narrow_eyes_open_further_in_surprise_than_eyes_that_show_their_irises_already():
    wide = almond()
    narrow = replace(wide, upper=0.5 * wide.upper, lower=0.5 * wide.lower)
    bare = replace(wide, iris_radius=9.0)
    assert raised_px(narrow) > raised_px(wide) + 2
    assert raised_px(bare) == pytest.approx(raised_px(wide), rel=0.2)
    shown_px = wide.iris[1] - wide.iris_radius - (80 + wide.upper.min() - raised_px(wide))
    assert 0 < shown_px < 0.1 * WIDTH_PX


def test_a_raised_lid_bares_the_eye_and_not_its_own_skin_and_lashes():
    shape = almond()
    still = picture(shape)
    raised = draw(still, shape, (0.0, 0.0, 1.0))
    above_px = slice(int(80 - 12 - 0.6 * raised_px(shape)), 68)
    iris, white = raised[above_px, 80], raised[above_px, 66]
    assert np.abs(draw(still, shape)[above_px, 80] - still[above_px, 80]).max() < 0.6
    assert iris.max() < 0.5 * SKIN.min() or iris.min() > 100  # the iris or the white above it: no lashes, no skin
    assert np.ptp(white, axis=-1).max() < 12  # grey, as the eye's white is; the skin is not
    # and the lashes go up with the edge, which they stay above
    assert raised[int(80 - 12 - raised_px(shape)) - 3, 80].max() < 0.5 * SKIN.max()
