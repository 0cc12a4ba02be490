"""`vitron models verify` and `show` on tiny directories of the families, in both layouts."""

import pytest

from tests.grounding.families import tiny, tiny_text_models
from vitron_ros.cli.main import main
from vitron_ros.model.zoo import zoo

KINDS = {
    "grounding-dino": tiny.grounding_dino,
    "mm-grounding-dino": tiny.grounding_dino,
    "owlv2": tiny.owl,
    **dict.fromkeys(("qwen2_5_vl", "qwen3_vl", "qwen3_5"), tiny_text_models.qwen),
    "florence2": lambda directory, kind: tiny_text_models.florence2(directory),
}


@pytest.mark.parametrize("is_split", [False, True], ids=["nested", "split"])
@pytest.mark.parametrize("kind", KINDS)
def test_a_family_is_verified_and_shown(tmp_path, capsys, kind, is_split):
    directory = KINDS[kind](tmp_path, kind=kind)
    if is_split:
        tiny.split_processor(directory)
    assert main(["models", "verify", str(directory)]) == 0
    assert main(["models", "show", str(directory)]) == 0
    assert f"{kind}, " in (shown := capsys.readouterr().out) and "; can find" in shown


def test_no_id_stands_twice_in_the_zoo():
    assert len({model.id for model in zoo()}) == len(zoo())
