"""Say what is installed, which backends can run, whether shared memory is set up well, and how to mend what is not."""

import argparse
import contextlib
import json
import os
import shutil
import sys
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path

from vitron_ros.cli.module_probe import find_modules
from vitron_ros.doctor import (
    Check,
    check_backends,
    check_domain,
    check_leftovers,
    check_messages,
    check_middleware,
    check_package,
    check_python,
    check_qos,
    check_rclpy,
    check_shared_memory,
    check_start,
    check_transport,
    check_webcams,
)
from vitron_ros.ros.middleware import middleware_error
from vitron_ros.ros.stale_shared_memory import SHARED_MEMORY, size_bytes, stale_segments
from vitron_ros.ros.transport import PROFILE, installed_rclpy, profile_variable

EPILOG = """example: vitron doctor
Exit code 0: nothing fails. Warnings cost speed, images or nodes; failures stop vitron_ros from working."""

MARKS = {"ok": "ok  ", "warn": "WARN", "fail": "FAIL"}
NODE = "vitron_ros.ros.first_node"
REQUIRED = {  # module: what it is for, the pip name
    "numpy": ("everything", "numpy"),
    "cv2": ("images and trackers", "opencv-contrib-python-headless"),
    "scipy": ("trackers", "scipy"),
    "numba": ("trackers", "numba"),
    "yaml": ("settings", "pyyaml"),
    "av": ("videos", "av"),
    "tqdm": ("progress bars", "tqdm"),
    "rosbags": ("bags", "rosbags"),
    "mcap": ("bags", "mcap"),
    "mcap_ros2": ("bags", "mcap-ros2-support"),
    "pycocotools": ("masks in files", "pycocotools"),
    "torch": ("models", "torch"),
    "transformers": ("models", "transformers"),
    "tokenizers": ("models", "tokenizers"),
    "safetensors": ("models", "safetensors"),
    "huggingface_hub": ("models of the hub", "huggingface_hub"),
    "filelock": ("models of the hub", "filelock"),
    "httpx2": ("models on a server", "httpx2"),
    "psutil": ("benchmarks", "psutil"),
}
OPTIONAL = {  # module: what it is for, the remedy
    "onnxruntime": ("models at speed on a CPU", "pip install 'vitron_ros[engines]'"),
    "tensorrt": ("engines on a Jetson or a server", "install TensorRT from JetPack or NVIDIA's packages"),
    "tensorrt_rtx": ("engines on an RTX", "pip install tensorrt-rtx"),
    "vision_msgs": ("the topics detections and detections_3d", "sudo apt install ros-$ROS_DISTRO-vision-msgs"),
    "tf2_ros": ("positions in target_frame", "sudo apt install ros-$ROS_DISTRO-tf2-ros-py"),
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
    modules = find_modules(("rclpy", NODE, "vitron_msgs", *REQUIRED, *OPTIONAL))
    found = {name: module.package for name, module in modules.items()}
    name = environment.get("RMW_IMPLEMENTATION", "") if found["rclpy"].version else ""
    middleware = check_middleware(name, middleware_error(name))
    rclpy = check_rclpy(found["rclpy"], environment.get("ROS_DISTRO", ""), modules["rclpy"].facts.get("middleware", ""))
    if middleware.status == "fail":
        rclpy = replace(rclpy, remedy="mend the middleware first")
    devices = sorted(map(str, Path("/dev").glob("video[0-9]*")))
    variable = profile_variable(installed_rclpy())
    leftovers = _leftovers()
    checks = [check_python((sys.version_info.major, sys.version_info.minor))]
    for name, (use, pip_name) in REQUIRED.items():
        checks.append(check_package(found[name], use, f"pip install {pip_name}", is_required=True))
    for name, (use, remedy) in OPTIONAL.items():
        checks.append(check_package(found[name], use, remedy))
    checks += [
        check_backends(
            found["torch"],
            modules["torch"].facts.get("device", ""),
            modules["onnxruntime"].facts.get("providers", ""),
            [found["tensorrt"], found["tensorrt_rtx"]],
        ),
        middleware,
        rclpy,
        *([check_start(found[NODE].error)] if found["rclpy"].works else []),
        check_messages(
            found["vitron_msgs"],
            found["rclpy"].works,
            _built_texts(modules["vitron_msgs"].facts.get("file", "")),
            _source_texts(),
        ),
        check_transport(
            variable, environment.get(variable, ""), environment.get("FASTDDS_BUILTIN_TRANSPORTS", ""), PROFILE
        ),
        check_shared_memory(*_shared_memory()),
        check_leftovers(len(leftovers), sum(leftovers)),
        check_domain(environment.get("ROS_DOMAIN_ID", ""), environment.get("ROS_AUTOMATIC_DISCOVERY_RANGE", "")),
        check_qos(),
        check_webcams(devices, [device for device in devices if not os.access(device, os.R_OK | os.W_OK)]),
    ]
    return checks


def _source_texts() -> dict[str, str]:
    try:
        from vitron_ros.interfaces import interface_texts  # needs rosbags, which may be what is missing

        return interface_texts()
    except Exception:  # a broken package raises anything; its own check says so
        return {}


def _built_texts(file: str) -> dict[str, str]:
    """The texts from which the installed vitron_msgs was built, by full name; `file`: where it is."""
    shares = [parent / "share" / "vitron_msgs" for parent in Path(file).parents] if file else []
    files = [path for share in shares for kind in ("msg", "action", "srv") for path in share.glob(f"{kind}/*.{kind}")]
    return {f"vitron_msgs/{path.parent.name}/{path.stem}": path.read_text("utf-8") for path in files}


def _shared_memory() -> tuple[int | None, int]:
    if not SHARED_MEMORY.is_dir():
        return None, 0
    usage = shutil.disk_usage(SHARED_MEMORY)
    return usage.total, usage.free


def _leftovers() -> list[int]:
    """Bytes of each leftover segment."""
    sizes = []
    for segment in stale_segments(SHARED_MEMORY):
        with contextlib.suppress(OSError):  # another process has freed it in the meantime
            sizes.append(size_bytes(segment))
    return sizes
