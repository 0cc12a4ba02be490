import pytest

from vitron_ros.module_registry import Module
from vitron_ros.modules.instructions import read_instructions
from vitron_ros.modules.module import BadJob, Unsupported


@pytest.mark.parametrize(
    ("module", "said", "action", "text"),
    [
        (Module.IMAGE_EDITING, ["recolour: the red ring to blue"], "recolour", "the red ring to blue"),
        (Module.IMAGE_EDITING, ["Recolor : ring to blue "], "recolour", "ring to blue"),
        (Module.IMAGE_EDITING, ["remove: ring", " ", "remove: star"], "remove", "ring; star"),
        (Module.IMAGE_SEGMENTATION, ["segmentation: zebra"], "segment", "zebra"),
        (Module.IMAGE_SEGMENTATION, ["the zebra"], "segment", "the zebra"),
        (Module.VIDEO_GENERATION, ["a: b"], "generate", "a: b"),
    ],
)
def test_an_instruction_is_an_action_and_its_words(module, said, action, text):
    assert read_instructions(int(module), said) == (module, action, text)


@pytest.mark.parametrize(
    ("module", "said", "error", "reason"),
    [
        (0, ["x"], Unsupported, "module 0"),
        (99, ["x"], Unsupported, "module 99"),
        (3, [], BadJob, "not told what to do"),
        (3, ["make it nice"], BadJob, "begin with one of background, "),
        (3, ["remove: ring", "style: sketch"], BadJob, "asks for remove, style"),
        (3, ["generate: ring"], Unsupported, "cannot generate"),
        (3, ["remove: " + "x" * 3000], BadJob, "2,000 characters"),
    ],
)
def test_what_cannot_be_read_is_refused(module, said, error, reason):
    with pytest.raises(error, match=reason):
        read_instructions(module, said)
