"""Say what is installed, which backends can run, whether shared memory is set up well, and how to mend what is not."""

import argparse
import importlib
import importlib.metadata
import importlib.util
import json
import os
import shutil
import sys
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from types import ModuleType

from vitron_ros.doctor import (
    Check,
    Package,
    check_backends,
    check_domain,
    check_leftovers,
    check_messages,
    check_package,
    check_python,
    check_qos,
    check_rclpy,
    check_shared_memory,
    check_transport,
    check_webcams,
)
from vitron_ros.errors import SourceError
from vitron_ros.ros.leftovers import SHARED_MEMORY, leftover_segments, size_bytes
from vitron_ros.ros.transport import PROFILE, installed_rclpy, profile_variable

EPILOG = """example: vitron doctor
Exit code 0: nothing fails. Warnings cost speed, images or nodes; failures stop vitron_ros from working."""

MARKS = {"ok": "ok  ", "warn": "WARN", "fail": "FAIL"}
REQUIRED = {  # module: what it is for, the pip name
    "numpy": ("everything", "numpy"),
    "cv2": ("images and trackers", "opencv-contrib-python-headless"),
    "yaml": ("settings", "pyyaml"),
    "tqdm": ("progress bars", "tqdm"),
    "rosbags": ("bags", "rosbags"),
    "mcap": ("bags", "mcap"),
    "mcap_ros2": ("bags", "mcap-ros2-support"),
    "torch": ("models", "torch"),
    "transformers": ("models", "transformers"),
    "tokenizers": ("models", "tokenizers"),
    "safetensors": ("models", "safetensors"),
}
OPTIONAL = {  # module: what it is for, the remedy
    "onnxruntime": ("models at speed on a CPU", "pip install 'vitron_ros[engines]'"),
    "tensorrt": ("engines on a Jetson or a server", "install TensorRT from JetPack or NVIDIA's packages"),
    "tensorrt_rtx": ("engines on an RTX", "pip install tensorrt-rtx"),
    "vision_msgs": ("the detections topic", "sudo apt install ros-$ROS_DISTRO-vision-msgs"),
    "cv_bridge": ("unusual image encodings", "sudo apt install ros-$ROS_DISTRO-cv-bridge"),
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="print the checks as JSON on stdout")


def run(arguments: argparse.Namespace) -> int:
    checks = examine(os.environ)
    is_well = all(check.status != "fail" for check in checks)
    if arguments.json:
        print(json.dumps({"ok": is_well, "checks": [asdict(check) for check in checks]}, indent=2))
        return 0 if is_well else 1
    for check in checks:
        print(f"{MARKS[check.status]} {check.name:<18} {check.finding}")
        if check.remedy:
            print(f"{'':<24}-> {check.remedy}")
    return 0 if is_well else 1


def examine(environment: Mapping[str, str]) -> list[Check]:
    """All checks of this machine and these environment variables."""
    modules = {name: find_module(name) for name in ("rclpy", "vitron_msgs", *REQUIRED, *OPTIONAL)}
    found = {name: package for name, (package, _) in modules.items()}
    rclpy = modules["rclpy"][1]
    devices = sorted(map(str, Path("/dev").glob("video[0-9]*")))
    variable = profile_variable(installed_rclpy())
    leftovers = leftover_segments(SHARED_MEMORY)
    checks = [check_python((sys.version_info.major, sys.version_info.minor))]
    for name, (use, pip_name) in REQUIRED.items():
        checks.append(check_package(found[name], use, f"pip install {pip_name}", is_required=True))
    for name, (use, remedy) in OPTIONAL.items():
        checks.append(check_package(found[name], use, remedy))
    checks += [
        check_backends(
            found["torch"],
            _cuda_device(modules["torch"][1]),
            _providers(modules["onnxruntime"][1]),
            [found["tensorrt"], found["tensorrt_rtx"]],
        ),
        check_rclpy(found["rclpy"], environment.get("ROS_DISTRO", ""), _middleware(rclpy)),
        check_messages(
            found["vitron_msgs"], found["rclpy"].works, _built_texts(modules["vitron_msgs"][1]), _source_texts()
        ),
        check_transport(
            variable, environment.get(variable, ""), environment.get("FASTDDS_BUILTIN_TRANSPORTS", ""), PROFILE
        ),
        check_shared_memory(*_shared_memory()),
        check_leftovers(len(leftovers), sum(map(size_bytes, leftovers))),
        check_domain(environment.get("ROS_DOMAIN_ID", ""), environment.get("ROS_AUTOMATIC_DISCOVERY_RANGE", "")),
        check_qos(),
        check_webcams(devices, [device for device in devices if not os.access(device, os.R_OK | os.W_OK)]),
    ]
    return checks


def find_module(name: str) -> tuple[Package, ModuleType | None]:
    """What is known of a module, and the module where it can be imported."""
    if importlib.util.find_spec(name) is None:
        return Package(name=name), None
    try:
        module = importlib.import_module(name)
    except Exception as error:  # a broken installation raises anything, and that is what is to be reported
        return Package(name=name, version=_version(name), error=f"{type(error).__name__}: {error}"), None
    return Package(name=name, version=getattr(module, "__version__", None) or _version(name)), module


def _version(name: str) -> str:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return "unknown version"


def _cuda_device(torch: ModuleType | None) -> str:
    return str(torch.cuda.get_device_name(0)) if torch is not None and torch.cuda.is_available() else ""


def _providers(onnxruntime: ModuleType | None) -> list[str]:
    names = onnxruntime.get_available_providers() if onnxruntime is not None else []
    return [name.removesuffix("ExecutionProvider") for name in names]


def _middleware(rclpy: ModuleType | None) -> str:
    return str(rclpy.get_rmw_implementation_identifier()) if rclpy is not None else ""


def _source_texts() -> dict[str, str]:
    try:
        from vitron_ros.interfaces import message_texts  # needs rosbags, which may be what is missing

        return message_texts()
    except (ImportError, SourceError):
        return {}


def _built_texts(messages: ModuleType | None) -> dict[str, str]:
    """The .msg texts from which the installed vitron_msgs was built, by full name."""
    if messages is None or messages.__file__ is None:
        return {}
    shares = [parent / "share" / "vitron_msgs" / "msg" for parent in Path(messages.__file__).parents]
    return {f"vitron_msgs/msg/{path.stem}": path.read_text("utf-8") for share in shares for path in share.glob("*.msg")}


def _shared_memory() -> tuple[int | None, int]:
    if not SHARED_MEMORY.is_dir():
        return None, 0
    usage = shutil.disk_usage(SHARED_MEMORY)
    return usage.total, usage.free
