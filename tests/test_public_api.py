from __future__ import annotations

import pytest

import talkface


def test_the_public_names_are_there():
    for name in talkface.__all__:
        assert getattr(talkface, name)


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="reanimate"):
        talkface.reanimate  # noqa: B018


def test_render_from_python(light, portrait, tone, tmp_path):
    result = talkface.render(
        str(portrait), str(tone), str(tmp_path / "out.mp4"), talkface.RenderOptions(size=128, seed=3)
    )
    assert isinstance(result, talkface.RenderResult)
    assert (result.frames, result.fps, result.seed) == (25, 25.0, 3)
    assert result.path.stat().st_size > 0


def test_errors_from_python_carry_a_hint_and_an_exit_code(tmp_path):
    with pytest.raises(talkface.TalkfaceError) as caught:
        talkface.render("nobody.png", "nothing.wav", tmp_path / "out.mp4")
    assert caught.value.exit_code == 3
    assert caught.value.hint


def test_render_stays_a_function_once_the_renderer_is_loaded():
    import talkface.rendering.renderer  # noqa: F401

    assert callable(talkface.render)
