from __future__ import annotations

import errno
from pathlib import Path

import pytest

from talkface.errors import EnvironmentFailure, InputError, UsageError
from talkface.media.files import require_file, reserve

MP4 = (".mp4",)


def test_a_good_file_passes(tone):
    require_file(tone, "speech")


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda path: None, "does not exist"),
        (lambda path: path.mkdir(), "is a folder"),
        (lambda path: path.write_bytes(b""), "is empty"),
        (lambda path: path.symlink_to("/dev/zero"), "not a regular file"),
    ],
)
def test_a_bad_file_is_named(tmp_path, make, words):
    path = tmp_path / "speech.wav"
    make(path)
    with pytest.raises(InputError, match=words) as caught:
        require_file(path, "speech")
    assert "speech.wav" in caught.value.message


def test_an_address_is_no_file():
    with pytest.raises(InputError, match="does not exist") as caught:
        require_file(Path("https://example.org/speech.wav"), "speech")
    assert "Download" in caught.value.hint


def test_an_unreadable_file_is_named(tone, monkeypatch):
    def refuse(*_):
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(type(tone), "open", refuse)
    with pytest.raises(InputError, match="Permission denied"):
        require_file(tone, "speech")


def test_success_gives_the_part_its_name(tmp_path):
    with reserve(tmp_path / "out.mp4", MP4, force=False) as part:
        part.write_text("film")
        assert not (tmp_path / "out.mp4").exists()
    assert (tmp_path / "out.mp4").read_text() == "film"
    assert [path.name for path in tmp_path.iterdir()] == ["out.mp4"]


def test_a_link_stays_one_and_leads_to_the_new_file(tmp_path):
    (tmp_path / "disk").mkdir()
    (tmp_path / "out.mp4").symlink_to("disk/film.mp4")
    for text, force in (("first", False), ("second", True)):
        with reserve(tmp_path / "out.mp4", MP4, force=force) as part:
            part.write_text(text)
        assert (tmp_path / "disk" / "film.mp4").read_text() == text
    assert (tmp_path / "out.mp4").is_symlink()
    assert [path.name for path in (tmp_path / "disk").iterdir()] == ["film.mp4"]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_failure_leaves_nothing_new_and_keeps_the_old(tmp_path, error):
    (tmp_path / "out.mp4").write_text("old")
    with pytest.raises(error), reserve(tmp_path / "out.mp4", MP4, force=True) as part:
        part.write_text("half a fi")
        raise error
    assert (tmp_path / "out.mp4").read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["out.mp4"]


def test_an_existing_output_needs_force(tmp_path):
    (tmp_path / "out.mp4").write_text("old")
    with pytest.raises(UsageError, match="exists already") as caught, reserve(tmp_path / "out.mp4", MP4, force=False):
        pass
    assert "--force" in caught.value.hint


@pytest.mark.parametrize(
    ("name", "words"), [("no/out.mp4", "does not exist"), ("out.avi", "does not end in .mp4"), (".", "is a folder")]
)
def test_a_bad_output_name_is_refused(tmp_path, name, words):
    with pytest.raises(UsageError, match=words) as caught, reserve(tmp_path / name, MP4, force=False):
        pass
    assert caught.value.hint


def test_an_input_is_never_overwritten(tmp_path):
    film = tmp_path / "in.mp4"
    film.write_text("mine")
    (tmp_path / "link.mp4").symlink_to(film)
    with (
        pytest.raises(UsageError, match="also an input"),
        reserve(tmp_path / "link.mp4", MP4, force=True, inputs=(film,)),
    ):
        pass
    assert film.read_text() == "mine"


def test_a_folder_that_takes_no_files_is_refused():
    with pytest.raises(EnvironmentFailure, match="cannot be written"), reserve(Path("/proc/out.mp4"), MP4, force=False):
        pass


def test_a_name_that_is_too_long_is_no_matter_of_the_folder(tmp_path):
    with pytest.raises(EnvironmentFailure) as caught, reserve(tmp_path / f"{'a' * 300}.mp4", MP4, force=False):
        pass
    assert "shorter" in caught.value.hint


def test_a_disk_that_fills_up_is_named(tmp_path):
    with pytest.raises(EnvironmentFailure, match="disk is full"), reserve(tmp_path / "out.mp4", MP4, force=False):
        raise OSError(errno.ENOSPC, "No space left on device")
    assert not list(tmp_path.iterdir())
