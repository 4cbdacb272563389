from __future__ import annotations

import struct
import zlib

import numpy as np
import pytest
from PIL import Image, ImageCms

from talkface.errors import InputError
from talkface.media import ffmpeg
from talkface.media.image import BACKDROP_RGB, read_portrait, shrink
from tests.conftest import write_tone


@pytest.fixture(scope="module")
def pixels() -> np.ndarray:
    """A smooth picture (96, 128, 3) with a red left and a blue bottom."""
    red = np.linspace(250, 20, 128)[None].repeat(96, 0)
    blue = np.linspace(10, 240, 96)[:, None].repeat(128, 1)
    return np.stack([red, np.full_like(red, 90), blue], -1).astype(np.uint8)


def closeness(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.abs(a.astype(int) - b.astype(int)).mean())


@pytest.mark.parametrize(
    ("suffix", "tolerance"), [(".png", 0), (".bmp", 0), (".tiff", 0), (".webp", 3), (".jpg", 3), (".gif", 12)]
)
def test_usual_formats_come_out_as_they_went_in(tmp_path, pixels, suffix, tolerance):
    path = tmp_path / f"picture{suffix}"
    Image.fromarray(pixels).save(path)
    portrait = read_portrait(path)
    assert portrait.image.dtype == np.uint8
    assert portrait.notes == ()
    assert closeness(portrait.image, pixels) <= tolerance


def test_exif_rotation_is_applied(tmp_path, pixels):
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was turned: show the picture rotated by 90 degrees clockwise
    Image.fromarray(pixels).save(tmp_path / "turned.png", exif=exif)
    assert np.array_equal(read_portrait(tmp_path / "turned.png").image, np.rot90(pixels, -1))


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P"])
def test_transparency_is_laid_on_light_grey(tmp_path, pixels, mode):
    alpha = np.full(pixels.shape[:2], 255, np.uint8)
    alpha[:, 64:] = 0
    image = Image.fromarray(np.dstack([pixels, alpha]), "RGBA")
    (image.quantize() if mode == "P" else image.convert(mode)).save(tmp_path / "hole.png")
    seen = read_portrait(tmp_path / "hole.png").image
    assert (seen[:, 70:] == BACKDROP_RGB).all()
    assert closeness(seen[:, :60], np.full((96, 60, 3), BACKDROP_RGB)) > 20


@pytest.mark.parametrize("mode", ["L", "1", "CMYK", "YCbCr"])
def test_other_modes_become_rgb(tmp_path, pixels, mode):
    path = tmp_path / "mode.tiff"
    image = Image.fromarray(pixels).convert(mode)
    image.save(path)
    assert closeness(read_portrait(path).image, np.asarray(image.convert("RGB"))) <= 1


@pytest.mark.parametrize("kind", ["png16", "tiff16", "tiff_float"])
def test_deep_greys_keep_their_brightness(tmp_path, kind):
    ramp = np.linspace(0, 1, 128, dtype=np.float32)[None].repeat(96, 0)
    path = tmp_path / ("deep.png" if kind == "png16" else "deep.tiff")
    deep = ramp if kind == "tiff_float" else (ramp * 65_535).astype(np.uint16)
    Image.fromarray(deep).save(path)
    assert closeness(read_portrait(path).image, (ramp * 255)[..., None].repeat(3, -1)) <= 1


def test_a_16_bit_colour_png_is_read(tmp_path):
    (tmp_path / "deep.png").write_bytes(png_16_bit(np.full((96, 128, 3), (65_535, 32_768, 0), np.uint16)))
    assert np.abs(read_portrait(tmp_path / "deep.png").image[5, 5].astype(int) - (255, 128, 0)).max() <= 1


def test_a_colour_profile_is_converted(tmp_path, pixels):
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))
    Image.fromarray(pixels).save(tmp_path / "profile.png", icc_profile=profile.tobytes())
    assert closeness(read_portrait(tmp_path / "profile.png").image, pixels) <= 1


def test_a_broken_colour_profile_is_ignored(tmp_path, pixels):
    Image.fromarray(pixels).save(tmp_path / "profile.png", icc_profile=b"not a profile")
    assert closeness(read_portrait(tmp_path / "profile.png").image, pixels) == 0


def test_an_animation_gives_its_first_frame_and_says_so(tmp_path, pixels):
    first, second = Image.fromarray(pixels), Image.fromarray(255 - pixels)
    first.save(tmp_path / "wave.gif", save_all=True, append_images=[second], duration=100)
    portrait = read_portrait(tmp_path / "wave.gif")
    assert closeness(portrait.image, pixels) < closeness(portrait.image, 255 - pixels)
    assert "first frame" in portrait.notes[0]


def test_a_video_gives_its_first_frame_and_says_so(tmp_path, pixels):
    film = tmp_path / "film.mp4"
    Image.fromarray(pixels).save(tmp_path / "frame.png")
    still = ("-loop", "1", "-t", "0.4", *ffmpeg.source(tmp_path / "frame.png"))
    ffmpeg.run(*still, "-pix_fmt", "yuv420p", ffmpeg.url(film))
    portrait = read_portrait(film)
    assert closeness(portrait.image, pixels) < 6
    assert "video" in portrait.notes[0]


@pytest.mark.parametrize(("sides", "is_whole"), [((512, 512), True), ((512, 300), False)])
def test_of_a_heic_picture_all_of_it_is_read_or_nothing(tmp_path, portrait, monkeypatch, sides, is_whole):
    """Older ffmpegs give the first tile of a telephone's picture as if it were all of it."""
    (tmp_path / "photo.heic").write_bytes(b"no format that Pillow knows")
    stream = ffmpeg.VideoStream("Tile", *sides, fps=0.0, is_cover=False)
    monkeypatch.setattr(ffmpeg, "probe", lambda _: ffmpeg.MediaInfo("heif", 0.0, stream, None))
    monkeypatch.setattr(ffmpeg, "run", lambda *_: portrait.read_bytes())
    if is_whole:
        assert read_portrait(tmp_path / "photo.heic").notes == ()
    else:
        refused(tmp_path / "photo.heic", "not a picture")


@pytest.mark.parametrize("cut", [0, 10, 2000])
def test_a_heic_picture_has_the_colours_of_its_profile(tmp_path, pixels, monkeypatch, cut):
    """ffmpeg gives joined tiles without it; a torn one counts or does not, as the colour engine likes."""
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    profile = profile.replace(b"rXYZ", b"....").replace(b"gXYZ", b"rXYZ").replace(b"....", b"gXYZ")
    Image.fromarray(pixels).save(tmp_path / "plain.png")
    Image.fromarray(pixels).save(tmp_path / "profile.png", icc_profile=profile)
    box = (len(profile) + 12).to_bytes(4, "big") + b"colrprof" + profile
    (tmp_path / "photo.heic").write_bytes(b"boxes before it" + box[: len(box) - cut] + b"pixels" * (not cut))
    stream = ffmpeg.VideoStream("hevc", 128, 96, fps=0.0, is_cover=False)
    monkeypatch.setattr(ffmpeg, "probe", lambda _: ffmpeg.MediaInfo("heif", 0.0, stream, None))
    monkeypatch.setattr(ffmpeg, "run", lambda *_: (tmp_path / "plain.png").read_bytes())
    seen, meant = (read_portrait(tmp_path / name).image for name in ("photo.heic", "profile.png"))
    assert closeness(meant, pixels) > 20
    assert any(np.array_equal(seen, wanted) for wanted in ((meant, pixels) if cut else (meant,)))


def test_fifty_megapixels_are_read(tmp_path):
    Image.new("RGB", (8192, 6144), (200, 100, 50)).save(tmp_path / "large.jpg")
    assert read_portrait(tmp_path / "large.jpg").image.shape == (6144, 8192, 3)


@pytest.mark.parametrize("side", [9_000, 15_000, 60_000])
def test_a_decompression_bomb_is_refused_before_it_is_unpacked(tmp_path, side):
    (tmp_path / "bomb.png").write_bytes(png(side, side, b""))
    refused(tmp_path / "bomb.png", "million pixels")


def test_a_truncated_jpeg_is_refused(tmp_path):
    noise = np.random.default_rng(0).integers(0, 255, (200, 200, 3), dtype=np.uint8)
    Image.fromarray(noise).save(tmp_path / "whole.jpg")
    data = (tmp_path / "whole.jpg").read_bytes()
    (tmp_path / "half.jpg").write_bytes(data[: len(data) // 2])
    refused(tmp_path / "half.jpg", "damaged")


@pytest.mark.parametrize("cut", [60, 300, 2000])
def test_a_truncated_png_is_refused(tmp_path, portrait, cut):
    (tmp_path / "half.png").write_bytes(portrait.read_bytes()[:cut])
    refused(tmp_path / "half.png", "damaged|not a picture")


def test_text_called_png_is_refused(tmp_path):
    (tmp_path / "letter.png").write_text("Dear portrait,\n" * 20)
    refused(tmp_path / "letter.png", "not a picture")


def test_an_eps_program_is_not_run(tmp_path):
    (tmp_path / "program.eps").write_text("%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 100 100\nshowpage\n")
    refused(tmp_path / "program.eps", "damaged")


def test_a_sound_as_portrait_hints_at_the_swap(tmp_path):
    write_tone(tmp_path / "speech.wav")
    assert "swapped" in refused(tmp_path / "speech.wav", "is a sound").hint


def test_a_postage_stamp_is_refused(tmp_path):
    Image.new("RGB", (40, 400)).save(tmp_path / "stamp.png")
    refused(tmp_path / "stamp.png", "only 40x400")


def test_shrinking_keeps_proportions_and_leaves_small_pictures_alone(pixels):
    assert shrink(pixels, 64).shape == (48, 64, 3)
    assert shrink(pixels, 128) is pixels


def refused(path, words: str) -> InputError:
    with pytest.raises(InputError, match=words) as caught:
        read_portrait(path)
    assert path.name in caught.value.message
    assert caught.value.hint
    return caught.value


def png(width: int, height: int, rows: bytes, depth: int = 8) -> bytes:
    """A PNG file whose header may promise more than it holds."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, depth, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def png_16_bit(pixels: np.ndarray) -> bytes:
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in pixels)
    return png(pixels.shape[1], pixels.shape[0], rows, depth=16)
