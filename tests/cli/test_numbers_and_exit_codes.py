"""Numbers of command lines, and how commands end."""

import pytest
import torch

from vitron_ros.cli.exit_code import exit_code
from vitron_ros.cli.main import main
from vitron_ros.cli.numbers import number, whole
from vitron_ros.errors import ModelError, SourceError
from vitron_ros.model.device import find_device


@pytest.mark.parametrize(("text", "words"), [("-1", "at least 0"), ("nan", "nan"), ("inf", "inf"), ("x", "'x'")])
def test_a_number_that_cannot_be_meant_is_an_error_of_usage(text, words):
    with pytest.raises(ValueError, match=words):
        _read(number(0), text)


@pytest.mark.parametrize(("text", "words"), [("0", "from 1 to 8"), ("9", "from 1 to 8"), ("1.5", "whole"), ("", "''")])
def test_so_is_a_whole_one_out_of_range(text, words):
    with pytest.raises(ValueError, match=words):
        _read(whole(1, 8), text)


def _read(kind, text):
    try:
        return kind(text)
    except Exception as error:
        raise ValueError(str(error)) from error


def test_numbers_in_range_are_taken():
    assert (number(0)("0.5"), whole(1, 8)("8")) == (0.5, 8)


@pytest.mark.parametrize("name", ["", "foo", "cuda:x", "meta", "cuda:-1", "cuda:99"])
def test_a_device_that_is_not_there_is_named(name):
    with pytest.raises(ModelError, match=f"'{name}'"):
        find_device(name)


def test_the_cpu_is_there():
    assert find_device("cpu") == torch.device("cpu")


def test_errors_a_person_can_mend_are_one_line_and_bugs_are_not(capsys):
    def fail(error):
        raise error

    assert exit_code("x", lambda: fail(SourceError("no room"))) == 1
    assert capsys.readouterr().err == "x: no room\n"
    assert exit_code("x", lambda: fail(KeyboardInterrupt())) == 130
    assert capsys.readouterr().err == "x: interrupted\n"
    with pytest.raises(ZeroDivisionError):
        exit_code("x", lambda: 1 // 0)


def test_ctrl_c_while_a_command_is_imported_is_one_line(monkeypatch, capsys):
    def interrupted(name):
        raise KeyboardInterrupt

    monkeypatch.setattr("vitron_ros.cli.subcommands.importlib.import_module", interrupted)
    assert main(["track", "clip.mp4"]) == 130
    assert capsys.readouterr().err == "vitron track: interrupted\n"
