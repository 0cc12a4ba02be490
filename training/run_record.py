"""What a checkpoint's record says of where and from what it was trained."""

import os
import platform
import subprocess
from pathlib import Path
from typing import Any

import torch


def plain(values: Any) -> Any:
    """Tuples as lists, as JSON gives them back."""
    if isinstance(values, dict):
        return {key: plain(value) for key, value in values.items()}
    return [plain(value) for value in values] if isinstance(values, list | tuple) else values


def environment(device: torch.device, processes: int) -> dict[str, Any]:
    """Commit, hardware and versions."""
    return {
        "commit": _commit(),
        "hardware": _hardware(device) if processes == 1 else f"{processes} processes, each: {_hardware(device)}",
        "versions": {"python": platform.python_version(), "torch": torch.__version__},
    }


def _commit() -> str:
    """The commit of the checkout, "+" where it has changes; "unknown" outside one."""
    folder = Path(__file__).parent
    try:
        found = subprocess.run(
            ["git", "describe", "--always", "--dirty=+", "--abbrev=12"],
            cwd=folder, capture_output=True, text=True, check=True,
        )  # fmt: skip
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return found.stdout.strip()


def _hardware(device: torch.device) -> str:
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else platform.processor() or platform.machine()
    return f"{name}, {os.cpu_count()} cores"
