from __future__ import annotations

import pytest

from talkface.tables import with_commas


@pytest.mark.parametrize("text", ["time,gaze_yaw\n0,1.5\n", "time,emotion\n0,a;b\n", "", "time\n1\n"])
def test_commas_stay(text):
    assert with_commas(text) == text


def test_semicolons_become_commas_and_decimal_commas_points():
    assert with_commas("time;amplitude\r\n0;1,5\r\n") == "time,amplitude\r\n0,1.5\r\n"
