"""The registry agrees with what the messages, the parser and the lexicon say of the modules."""

import re
from pathlib import Path

import pytest

from vitron_ros.model.parsing import parse_reply
from vitron_ros.module_registry import INSTRUCTION_VERBS, REGISTRY, Module

INVOCATION = Path(__file__).parents[1] / "msg" / "Invocation.msg"


def test_the_message_has_the_same_modules():
    constants = dict(re.findall(r"^uint8 (\w+)=(\d+)", INVOCATION.read_text(), re.MULTILINE))
    assert constants == {module.name: str(int(module)) for module in Module}
    assert set(REGISTRY) == set(Module) - {Module.TEXT}


@pytest.mark.parametrize("entry", REGISTRY.values(), ids=lambda entry: entry.name)
def test_a_reply_calls_a_module_by_its_name_and_by_its_letter(entry):
    for called in (entry.name, entry.letter):
        reply = parse_reply(f"Sure. <module>{called}</module> <instruction>x</instruction>")
        assert reply.invocation is not None and reply.invocation.module is entry.module


def test_every_verb_of_an_instruction_is_some_modules_action():
    assert set(INSTRUCTION_VERBS.values()) <= {action for entry in REGISTRY.values() for action in entry.actions}


def test_what_changes_pictures_needs_some():
    assert all(entry.input != "none" for entry in REGISTRY.values() if entry.changes_pictures)
