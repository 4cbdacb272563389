"""The denoiser: shapes, what each input may influence, what dropping a condition means."""

import json
from dataclasses import asdict

import pytest
import torch

from talkface.motion.denoiser import (
    AUDIO_AFTER,
    AUDIO_BEFORE,
    AUDIO_ROWS_PER_FRAME,
    CONDITIONS,
    CONTROL_SIZES,
    Denoiser,
    DenoiserConfig,
    rotate,
    rotation,
)

CONFIG = DenoiserConfig(("a", "b", "c"), ("sil", "AA"), ("one", "two"), 7, 16, 2, 2, 2, window=6, context=3)
LENGTH = CONFIG.context + CONFIG.window
ROWS = AUDIO_BEFORE + AUDIO_ROWS_PER_FRAME * LENGTH + AUDIO_AFTER


@pytest.fixture
def net() -> Denoiser:
    torch.manual_seed(0)
    net = Denoiser(CONFIG)
    for value in net.parameters():
        torch.nn.init.normal_(value, std=0.3)
    return net.eval()


def inputs(batch: int = 2) -> dict:
    generator = torch.Generator().manual_seed(1)
    draw = lambda *shape: torch.randn(*shape, generator=generator)  # noqa: E731
    return {
        "audio": draw(batch, ROWS, CONFIG.audio_size),
        "controls": {name: draw(batch, LENGTH, size) for name, size in CONTROL_SIZES.items()},
        "previous": draw(batch, CONFIG.context, 3),
        "source": torch.zeros(batch, dtype=torch.long),
        "keep": torch.ones(batch, len(CONDITIONS)),
    }


def guess(net: Denoiser, given: dict, seed: int = 2) -> torch.Tensor:
    batch = len(given["audio"])
    noised = torch.randn(batch, CONFIG.window, 3, generator=torch.Generator().manual_seed(seed))
    with torch.no_grad():
        return net(noised, torch.full((batch,), 0.5), *given.values())


def test_shape(net):
    assert guess(net, inputs()).shape == (2, CONFIG.window, 3)


def test_rows_of_a_batch_are_independent(net):
    given = inputs()
    alone = {name: value[:1] for name, value in given.items() if name != "controls"}
    alone["controls"] = {name: value[:1] for name, value in given["controls"].items()}
    alone = {name: alone[name] for name in given}
    noised = torch.randn(2, CONFIG.window, 3, generator=torch.Generator().manual_seed(2))
    with torch.no_grad():
        both = net(noised, torch.full((2,), 0.5), *given.values())
        one = net(noised[:1], torch.full((1,), 0.5), *alone.values())
    torch.testing.assert_close(both[:1], one, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", CONDITIONS)
def test_a_dropped_condition_has_no_influence_and_a_kept_one_has(net, name):
    given, changed = inputs(), inputs()
    if name in CONTROL_SIZES:
        changed["controls"][name] = changed["controls"][name] + 1
    else:
        changed[name] = changed[name] + 1
    assert not torch.allclose(guess(net, given), guess(net, changed))
    for variant in (given, changed):
        variant["keep"][:, CONDITIONS.index(name)] = 0
    torch.testing.assert_close(guess(net, given), guess(net, changed))


def test_the_source_and_the_step_matter(net):
    given, other = inputs(), inputs()
    other["source"] = other["source"] + 2  # "any"
    assert not torch.allclose(guess(net, given), guess(net, other))
    noised = torch.zeros(2, CONFIG.window, 3)
    with torch.no_grad():
        early, late = (net(noised, torch.full((2,), share), *given.values()) for share in (0.1, 0.9))
    assert not torch.allclose(early, late)


def test_what_is_heard_lies_around_its_frame(net):
    """The voice of frame t is audio rows 2 t - 1 and 2 t of the features, the middle of what its token sees."""
    audio = torch.randn(1, ROWS, CONFIG.audio_size, generator=torch.Generator().manual_seed(1), requires_grad=True)
    frame = 4
    net.ear(audio)[0, frame].sum().backward()
    reached = audio.grad[0].abs().sum(1).nonzero().flatten() - AUDIO_BEFORE
    assert reached.min() == AUDIO_ROWS_PER_FRAME * frame - AUDIO_BEFORE
    assert reached.max() == AUDIO_ROWS_PER_FRAME * frame + AUDIO_AFTER + 1
    assert (reached.min() + reached.max()) / 2 == AUDIO_ROWS_PER_FRAME * frame - 0.5


def test_rotation_depends_on_distance_alone():
    query, key = torch.randn(2, 1, 1, 1, 8, generator=torch.Generator().manual_seed(0)).expand(-1, -1, -1, 12, -1)
    turn = rotation(12, 8, torch.device("cpu"))
    scores = (rotate(query, turn) @ rotate(key, turn).transpose(-1, -2))[0, 0]
    torch.testing.assert_close(scores[2, 5], scores[7, 10], rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(rotate(query, turn).norm(), query.norm())


def test_the_configuration_survives_a_weight_file():
    record = json.loads(json.dumps(asdict(CONFIG) | {"figures": {}}))
    assert DenoiserConfig.from_record(record) == CONFIG
