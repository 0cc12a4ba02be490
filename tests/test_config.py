import pytest

from vitron_ros.config import LifeCycle, PerceptionConfig
from vitron_ros.errors import ConfigError


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"min_score": 1.5}, "min_score is 1.5; it must be at most 1"),
        ({"min_score": float("nan")}, "min_score is nan"),
        ({"max_targets": 0}, "at least 1"),
        ({"image_transport": "theora"}, "one of raw, compressed"),
        ({"cameras": ("left", "left")}, "once"),
    ],
)
def test_values_out_of_range_are_refused_by_name(values, says):
    with pytest.raises(ConfigError, match=says):
        PerceptionConfig(**values)


def test_inclusive_limits_are_allowed():
    assert LifeCycle(min_score=0.0).min_score == 0
    assert LifeCycle(min_score=1.0).min_score == 1
