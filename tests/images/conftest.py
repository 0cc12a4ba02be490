import numpy as np
import pytest


@pytest.fixture
def rgb():
    return np.random.default_rng(7).integers(0, 256, (12, 16, 3), dtype=np.uint8)
