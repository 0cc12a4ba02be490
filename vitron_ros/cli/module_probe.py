"""What can be found of Python modules, in a process of its own: what is broken may end the process that imports it."""

import importlib
import importlib.metadata
import importlib.util
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field
from typing import Any

from vitron_ros.doctor import Package

TIMEOUT_S = 120.0
COLOUR = re.compile(r"\x1b\[[0-9;]*m")


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A module, and what was asked of it where it works: see FACTS."""

    package: Package
    facts: dict[str, str] = field(default_factory=dict)


def find_modules(names: Iterable[str]) -> dict[str, Found]:
    """Each module as it was found by another process; after one that ends the process, a new one takes the rest."""
    left, found = list(names), {}
    while left:
        lines, ending = _probe(left)
        for line in lines:
            values = json.loads(line)
            found[left.pop(0)] = Found(package=Package(**values["package"]), facts=values["facts"])
        if left:
            name = left.pop(0)
            found[name] = Found(package=Package(name=name, version=_version(name), error=ending))
    return found


def _probe(names: list[str]) -> tuple[list[str], str]:
    """The lines of `main` in another process, and how it came to its end."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path or "." for path in sys.path)}
    command = [sys.executable, "-m", "vitron_ros.cli.module_probe", *names]
    try:
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
        output, errors, ending = done.stdout, done.stderr, f"it ends the process with {done.returncode}"
    except subprocess.TimeoutExpired as error:
        output, errors, ending = (error.stdout or b"").decode(), "", f"nothing happens within {TIMEOUT_S:g} s"
    said = [line.strip() for line in COLOUR.sub("", errors).splitlines() if line.strip()]
    return [line for line in output.splitlines() if line.startswith('{"package"')], ": ".join([ending, *said[-1:]])


def find_module(name: str) -> Found:
    """What is known of a module, which is imported where it can be."""
    if importlib.util.find_spec(name) is None:
        return Found(package=Package(name=name))
    try:
        module = importlib.import_module(name)
        facts = FACTS[name](module) if name in FACTS else {}
    except Exception as error:  # a broken installation raises anything, and that is what is to be reported
        return Found(package=Package(name=name, version=_version(name), error=f"{type(error).__name__}: {error}"))
    return Found(package=Package(name=name, version=str(getattr(module, "__version__", _version(name)))), facts=facts)


def _version(name: str) -> str:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return "unknown version"


def _torch(torch: Any) -> dict[str, str]:
    return {"device": torch.cuda.get_device_name(0) if torch.cuda.is_available() else ""}


def _onnxruntime(onnxruntime: Any) -> dict[str, str]:
    return {
        "providers": ", ".join(name.removesuffix("ExecutionProvider") for name in onnxruntime.get_available_providers())
    }


def _rclpy(rclpy: Any) -> dict[str, str]:
    return {"middleware": rclpy.get_rmw_implementation_identifier()}


FACTS: dict[str, Callable[[Any], dict[str, str]]] = {
    "torch": _torch,
    "onnxruntime": _onnxruntime,
    "rclpy": _rclpy,
    "vitron_msgs": lambda module: {"file": module.__file__ or ""},
}


def main() -> None:
    for name in sys.argv[1:]:
        print(json.dumps(asdict(find_module(name))), flush=True)


if __name__ == "__main__":
    main()
