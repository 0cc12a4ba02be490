"""What answers at once, without the seconds that torch and transformers take to import."""

import json
import subprocess
import sys

HEAVY = ("diffusers", "rclpy", "torch", "transformers")
PROGRAM = f"""
import contextlib, io, json, sys
from vitron_ros.cli import eval, main, models

commands = [[name] for name in main.COMMANDS]
commands += [["eval", name] for name in eval.ACTIONS] + [["models", name] for name in models.ACTIONS]
brought = {{}}
for words in [*([*command, "--help"] for command in commands), ["models", "list"]]:
    with contextlib.suppress(SystemExit), contextlib.redirect_stdout(io.StringIO()):
        main.main(words)
    brought[" ".join(words)] = [name for name in {HEAVY} if name in sys.modules]
print(json.dumps(brought))
"""


def test_help_of_all_commands_and_the_list_of_models_bring_neither_torch_nor_ros():
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)
    brought = json.loads(done.stdout)
    assert {"track --help", "eval run --help", "models convert --help", "models list"} <= brought.keys()
    assert {words: names for words, names in brought.items() if names} == {}
