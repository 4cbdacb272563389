"""Pictures in: anything Pillow reads, or the first frame of a video, as one upright RGB array."""

from __future__ import annotations

import io
import warnings
from pathlib import Path

import numpy as np
from PIL import Image, ImageCms, ImageOps

from talkface.errors import InputError
from talkface.media import ffmpeg
from talkface.media.files import require_file
from talkface.types import Portrait

MAX_PIXELS = 64_000_000
MIN_SIDE_PX = 64
BACKDROP_RGB = (236, 236, 236)
_SWAPPED = "The portrait and the speech look swapped: talkface render PORTRAIT SPEECH -o OUT.mp4"
_HEADER_BYTES = 1 << 20
# Whatever Pillow's decoders raise for a damaged file
_DAMAGED = (OSError, SyntaxError, ValueError, EOFError, KeyError, IndexError, TypeError, OverflowError)


def read_portrait(path: Path) -> Portrait:
    """The picture at `path`: EXIF rotation applied, colour profile converted to sRGB, transparency laid on light grey.

    16-bit, CMYK, grey and palette pictures become 8-bit RGB; of an animation or a video the first frame is taken, with
    a note. Raises InputError when there is no usable picture (missing, empty, damaged, too large, not a picture).
    """
    path = Path(path)
    require_file(path, "portrait")
    notes = []
    try:
        image = _open(path)
    except Image.UnidentifiedImageError:
        image, is_video = _through_ffmpeg(path)
        if is_video:
            notes.append("The portrait is a video; its first frame was taken.")
    with image:
        if getattr(image, "n_frames", 1) > 1 and image.format in ("GIF", "PNG", "WEBP"):
            notes.append("The portrait is an animation; its first frame was taken.")
        pixels = _decode(image, path)
    if min(pixels.shape[:2]) < MIN_SIDE_PX:
        size = f"{pixels.shape[1]}x{pixels.shape[0]}"
        raise InputError(
            f"The portrait {path.name} is only {size} pixels.",
            f"Use a picture of at least {MIN_SIDE_PX} pixels each way.",
        )
    return Portrait(pixels, path, tuple(notes))


def shrink(image: np.ndarray, long_side_px: int) -> np.ndarray:
    """(H, W, 3) uint8 reduced so that its longer side is at most `long_side_px`; unchanged when it already is."""
    height, width = image.shape[:2]
    scale = long_side_px / max(height, width)
    if scale >= 1:
        return image
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return np.asarray(Image.fromarray(image).resize(size, Image.Resampling.LANCZOS, reducing_gap=3.0))


def _open(path: Path) -> Image.Image:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        try:
            image = Image.open(path)
        except (Image.DecompressionBombWarning, Image.DecompressionBombError):
            raise _too_large(path) from None
        except Image.UnidentifiedImageError:
            raise
        except _DAMAGED as error:
            raise _damaged(path, error) from error
    if image.width * image.height > MAX_PIXELS:
        image.close()
        raise _too_large(path)
    return image


def _through_ffmpeg(path: Path) -> tuple[Image.Image, bool]:
    """First frame of a video, turned as the file asks, or a picture only ffmpeg knows; and whether it is a video."""
    info = ffmpeg.probe(path)
    if info and info.audio and (not info.video or info.video.is_cover):
        raise InputError(f"The portrait {path.name} is a sound, not a picture.", _SWAPPED)
    if not info or not info.video:
        raise _not_a_picture(path)
    if info.video.width * info.video.height > MAX_PIXELS:
        raise _too_large(path)
    try:
        png = ffmpeg.run(*ffmpeg.source(path), "-frames:v", "1", "-f", "image2pipe", "-c:v", "png", "-")
        image = Image.open(io.BytesIO(png))
    except (ffmpeg.FfmpegError, Image.UnidentifiedImageError) as error:
        raise _not_a_picture(path) from error
    if info.is_still_picture and sorted(image.size) != sorted((info.video.width, info.video.height)):
        raise _not_a_picture(path)  # ffmpeg before 8 gives the first tile of a grid
    if info.is_still_picture and (profile := _heif_profile(path)):
        image.info.setdefault("icc_profile", profile)
    return image, not info.is_still_picture


def _heif_profile(path: Path) -> bytes:
    """The colour profile of a HEIF picture, which ffmpeg loses where it joins tiles; empty when there is none.

    It fills a box of a size (4 bytes), "colr", "prof" and the profile (ISO 14496-12, 12.1.5), in the file's header.
    """
    with path.open("rb") as stream:
        header = stream.read(_HEADER_BYTES)
    start = header.find(b"colrprof")
    end = start - 4 + int.from_bytes(header[start - 4 : start]) if start >= 4 else 0
    return header[start + 8 : end]


def _decode(image: Image.Image, path: Path) -> np.ndarray:
    """(H, W, 3) uint8 of an opened picture."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            if image.format == "EPS":  # Pillow would start Ghostscript
                raise ValueError("EPS is a program, not a picture")
            image.load()
            return np.asarray(_flatten(_to_srgb(ImageOps.exif_transpose(image))))
        except _DAMAGED as error:
            raise _damaged(path, error) from error


def _to_srgb(image: Image.Image) -> Image.Image:
    """Apply the embedded colour profile, where there is a usable one."""
    profile = image.info.get("icc_profile")
    if not profile or image.mode not in ("RGB", "RGBA", "CMYK", "L"):
        return image
    mode = "RGBA" if image.mode == "RGBA" else "RGB"
    try:
        return ImageCms.profileToProfile(image, io.BytesIO(profile), ImageCms.createProfile("sRGB"), outputMode=mode)
    except (ImageCms.PyCMSError, OSError, ValueError):
        return image


def _flatten(image: Image.Image) -> Image.Image:
    """Any mode to 8-bit RGB, transparency laid on the backdrop."""
    if image.mode.startswith("I") or image.mode == "F":
        return Image.fromarray(_to_8_bit(np.asarray(image))).convert("RGB")
    if not image.has_transparency_data:
        return image.convert("RGB")
    layer = image.convert("RGBA")
    backdrop = Image.new("RGBA", layer.size, (*BACKDROP_RGB, 255))
    return Image.alpha_composite(backdrop, layer).convert("RGB")


def _to_8_bit(grey: np.ndarray) -> np.ndarray:
    """(H, W) integers or floats of more than 8 bits to uint8, by the smallest usual range that holds them."""
    grey = np.nan_to_num(grey.astype(np.float32))
    peak = float(grey.max())
    top = next((limit for limit in (1.0, 255.0, 65_535.0) if peak <= limit), peak)
    return (np.clip(grey / top, 0.0, 1.0) * 255.0 + 0.5).astype(np.uint8)


def _not_a_picture(path: Path) -> InputError:
    return InputError(f"The portrait {path.name} is not a picture.", "Use a PNG, JPEG or WebP picture of a face.")


def _too_large(path: Path) -> InputError:
    return InputError(
        f"The portrait {path.name} has more than {MAX_PIXELS // 1_000_000} million pixels.",
        "Save it at a smaller size.",
    )


def _damaged(path: Path, error: Exception) -> InputError:
    return InputError(
        f"The portrait {path.name} is damaged ({error}).", "Open it in a picture viewer and save it again."
    )
