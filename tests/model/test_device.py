"""A device that is not there is one line, and what to use instead."""

import pytest
import torch

from tests.refusals import assert_refused
from vitron_ros.errors import ModelError
from vitron_ros.model.device import dtype_on, find_device


@pytest.mark.parametrize("name", ["foo", "", "cuda:x", "cuda:-1", "cuda:99999999999", "meta", "mps", "cpu:1", "CPU"])
def test_what_is_no_device_is_named(name):
    with assert_refused(ModelError, rf"device '{name}'.* use cpu, cuda or cuda:N|is not there: "):
        find_device(name)


def test_a_gpu_that_is_not_there(monkeypatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    with pytest.raises(ModelError, match="this torch sees no GPU; use cpu"):
        find_device("cuda")
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    monkeypatch.setattr("torch.cuda.device_count", lambda: 2)
    assert find_device("cuda:1") == torch.device("cuda:1")
    with pytest.raises(ModelError, match="the last GPU is cuda:1"):
        find_device("cuda:2")


def test_weights_are_widened_on_a_cpu_alone():
    assert dtype_on(find_device("cpu")) is torch.float32 and dtype_on(torch.device("cuda")) is None
