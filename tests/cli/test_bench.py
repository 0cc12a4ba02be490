import json

import pytest

from tests.grounding.families.tiny import grounding_dino
from vitron_ros.cli import bench

QUICK = ["model", "--frames", "2", "--tokens", "6", "--rounds", "1", "--no-compile"]


def test_the_benchmark_of_the_model_checks_its_tokens_and_ends_with_json(capsys):
    assert bench.main(QUICK) == 0
    lines = capsys.readouterr().out.splitlines()
    figures = json.loads(lines[-1])
    assert figures["tokens_equal"] is True
    assert figures["tokens"] == 6
    stages = ["encode_ms_per_frame", "select_ms_per_frame", "project_ms_per_frame", "prefill_ms_per_token"]
    for key in (*stages, "decode_generate_ms_per_token", "decode_eager_ms_per_token", "ceiling_ms_per_token"):
        assert figures[key] > 0
    ceiling = next(index for index, line in enumerate(lines) if line.startswith("ceiling"))
    assert ceiling < next(index for index, line in enumerate(lines) if line.startswith("encode"))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--profile", "huge"], "there is no model profile 'huge'; there are vitron-tiny"),
        (["--frames", "99"], "99 frames are more than the 16"),
        (["--tokens", "2000"], "exceeds the 1024 positions"),
    ],
)
def test_what_cannot_be_measured_is_said(arguments, message, capsys):
    assert bench.main([*QUICK, *arguments]) == 1
    assert message in capsys.readouterr().err


def test_a_reply_is_taken_apart_by_what_takes_its_time(tmp_path, capsys):
    words = ["reply", str(grounding_dino(tmp_path)), "--width", "320", "--height", "240", "--rounds", "2"]
    assert bench.main(words) == 0
    (figures,) = json.loads(capsys.readouterr().out.splitlines()[-1]).values()
    parts = [figures[part] for part in ("forward", "image processor", "generate", "server", "own")]
    assert figures["forward"] > 0 and figures["image processor"] > 0 and figures["own"] > 0
    assert figures["generate"] == figures["server"] == 0
    assert sum(parts) == pytest.approx(figures["all"], rel=0.5)
