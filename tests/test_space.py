"""The motion vector's axes: every name has one place, and the groups tile the vector."""

import pytest

from talkface.space import DYNAMICS_AXES, GAZE_AXES, POSE_AXES, MotionSpace


def test_names_are_unique_and_fill_the_vector():
    assert len(set(MotionSpace.names)) == len(MotionSpace.names) == MotionSpace.size


def test_groups_tile_the_vector_in_order():
    names = list(MotionSpace.names)
    assert tuple(names[MotionSpace.pose]) == POSE_AXES
    assert tuple(names[MotionSpace.gaze]) == GAZE_AXES
    assert names[MotionSpace.speaking] == "speaking"
    assert tuple(names[MotionSpace.dynamics]) == DYNAMICS_AXES
    assert MotionSpace.dynamics.stop == MotionSpace.size


def test_index_finds_each_name_and_columns_keep_the_order_asked():
    assert [MotionSpace.names[MotionSpace.index(name)] for name in MotionSpace.names] == list(MotionSpace.names)
    assert MotionSpace.columns("jawOpen", "headYaw") == [MotionSpace.index("jawOpen"), 0]


def test_an_unknown_axis_is_named_in_the_error():
    with pytest.raises(KeyError, match="earWiggle"):
        MotionSpace.index("earWiggle")


def test_every_sided_axis_has_its_other_side():
    for name in DYNAMICS_AXES:
        if name.endswith("Left"):
            assert name.removesuffix("Left") + "Right" in DYNAMICS_AXES
