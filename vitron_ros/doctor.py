"""Whether a machine can run vitron_ros, and how to mend what it lacks. Facts come in, checks come out."""

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from xml.etree import ElementTree

MIB = 2**20
PYTHONS = ((3, 10), (3, 13))  # first and last with ros-* wheels
DISTRIBUTIONS = {"7": "Jazzy", "9": "Kilted"}  # by the major version of rclpy
IMAGE_BYTES = 640 * 480 * 3
SEGMENT_BYTES = 64 * MIB  # of shared memory for each process, as the shipped profile asks for
LAST_DOMAIN = 232
DOMAIN = re.compile("0|[1-9][0-9]{0,2}")  # ROS takes a leading zero for octal, and a minus sign for nothing
LAST_SAFE_DOMAIN = 101  # above it, Linux hands DDS's ports out to other programs
RANGES = ("SYSTEM_DEFAULT", "SUBNET", "LOCALHOST")


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One thing looked at. `remedy` is empty where nothing needs to be done."""

    name: str
    status: Literal["ok", "warn", "fail"]
    finding: str
    remedy: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Package:
    """A Python package as it was found. `version` None: not installed. `error`: why it cannot be imported."""

    name: str
    version: str | None = None
    error: str = ""

    @property
    def works(self) -> bool:
        return self.version is not None and not self.error


def check_python(version: tuple[int, int]) -> Check:
    finding = f"Python {version[0]}.{version[1]}"
    first, last = (f"{major}.{minor}" for major, minor in PYTHONS)
    if version < PYTHONS[0]:
        return Check(name="python", status="fail", finding=finding, remedy=f"use Python {first} or newer")
    if version > PYTHONS[1]:
        remedy = f"for ROS 2 without apt use Python {first} to {last}"
        return Check(
            name="python", status="warn", finding=f"{finding}, for which there are no ros-* wheels", remedy=remedy
        )
    return Check(name="python", status="ok", finding=finding)


def check_package(package: Package, use: str, remedy: str, *, is_required: bool = False, detail: str = "") -> Check:
    """`use`: what the package is for; `detail`: what else is known of it where it works."""
    if package.error:
        finding = f"{package.version} is installed, but cannot be imported: {package.error}"
        return Check(name=package.name, status="fail", finding=finding, remedy=remedy)
    if package.version is None:
        status: Literal["ok", "fail"] = "fail" if is_required else "ok"
        finding = f"not installed; {'needed for' if is_required else 'optional, for'} {use}"
        return Check(name=package.name, status=status, finding=finding, remedy=remedy)
    return Check(name=package.name, status="ok", finding=" ".join(filter(None, (package.version, detail))))


def check_rclpy(rclpy: Package, ros_distro: str, rmw: str) -> Check:
    """`ros_distro`: what the environment names; `rmw`: the middleware that rclpy uses, e.g. "rmw_fastrtps_cpp"."""
    remedy = "source /opt/ros/<distribution>/setup.bash, or: pip install '.[ros-wheels]'"
    if rclpy.version is None:
        finding = "not installed: files and webcams work, ROS 2 nodes do not"
        return Check(name="rclpy", status="warn", finding=finding, remedy=remedy)
    if rclpy.error:
        return check_package(rclpy, "", remedy)
    distribution = DISTRIBUTIONS.get(rclpy.version.split(".")[0], ros_distro or "unknown distribution")
    finding = f"{rclpy.version} ({distribution}), {rmw}"
    if ros_distro and distribution.lower() != ros_distro.lower():
        finding += f"; but ROS_DISTRO is {ros_distro}"
        remedy = (
            "use either the apt ROS 2 or the wheels: open a shell that sources no setup.bash, or leave the environment"
        )
        return Check(name="rclpy", status="warn", finding=finding, remedy=remedy)
    if not rmw.startswith("rmw_fastrtps"):
        remedy = f"the shipped transport profile is Fast DDS's; give {rmw} 64 MiB of shared memory by its own means"
        return Check(name="rclpy", status="warn", finding=finding, remedy=remedy)
    return Check(name="rclpy", status="ok", finding=finding)


def check_messages(
    messages: Package, has_rclpy: bool, installed: Mapping[str, str], sources: Mapping[str, str]
) -> Check:
    """`installed` and `sources`: texts of messages and actions by full name. Comments and spaces do not count."""
    remedy = "pip install --force-reinstall --no-deps ./msg, or: colcon build --base-paths . msg"
    if not messages.works:
        return check_package(messages, "ROS 2 nodes", remedy, is_required=has_rclpy)
    changed = sorted(name for name, text in sources.items() if _bare(installed.get(name, "")) != _bare(text))
    if changed:
        finding = f"{messages.version} was built from other sources than these: {', '.join(changed)}"
        return Check(name=messages.name, status="fail", finding=finding, remedy=remedy)
    finding = f"{messages.version}, " + (
        f"{len(sources)} messages and actions match the sources" if sources else "not compared"
    )
    return Check(name=messages.name, status="ok", finding=finding)


def _bare(text: str) -> list[str]:
    return list(filter(None, (" ".join(line.split("#")[0].split()) for line in text.splitlines())))


def check_backends(torch: Package, cuda_device: str, providers: str, tensorrt: Sequence[Package]) -> Check:
    """`cuda_device`: its name, empty where there is none; `providers`: onnxruntime's; `tensorrt`: its variants."""
    places = ["the CPU", *([cuda_device] if cuda_device else [])]
    can_run = [f"torch on {place}" for place in places if torch.works]
    can_run += [f"onnxruntime ({providers})"] if providers else []
    can_run += [f"{package.name} on {cuda_device}" for package in tensorrt if package.works and cuda_device]
    if not can_run:
        return Check(name="backends", status="fail", finding="none can run", remedy="pip install torch")
    return Check(name="backends", status="ok", finding="; ".join(can_run))


def check_shared_memory(total_bytes: int | None, free_bytes: int) -> Check:
    """Of /dev/shm; `total_bytes` None: there is none."""
    name, remedy = (
        "shared memory",
        "docker run --shm-size=1g (or --ipc=host); elsewhere: mount -o remount,size=1g /dev/shm",
    )
    if total_bytes is None:
        finding = "no /dev/shm: images travel over UDP, and large ones get lost"
        return Check(name=name, status="fail", finding=finding, remedy=remedy)
    finding = f"/dev/shm has {free_bytes // MIB} MiB free of {total_bytes // MIB} MiB"
    if free_bytes < 2 * SEGMENT_BYTES:
        finding += f"; a camera and a node need {SEGMENT_BYTES // MIB} MiB each"
        return Check(name=name, status="fail", finding=finding, remedy=remedy)
    if free_bytes < 8 * SEGMENT_BYTES:
        finding += f", enough for {free_bytes // SEGMENT_BYTES} processes with images"
        return Check(name=name, status="warn", finding=finding, remedy=remedy)
    return Check(name=name, status="ok", finding=finding)


def check_leftovers(count: int, total_bytes: int) -> Check:
    """Of Fast DDS segments in /dev/shm that belong to no running process."""
    name, finding = "leftover segments", f"{count} of no process that runs here, {total_bytes // MIB} MiB"
    if total_bytes < SEGMENT_BYTES:
        return Check(name=name, status="ok", finding=finding)
    remedy = "start a node of vitron_ros, which frees what is this user's; or: fastdds shm clean"
    return Check(name=name, status="warn", finding=finding, remedy=remedy)


def check_transport(variable: str, value: str, builtin_transports: str, shipped: Path) -> Check:
    """`variable`: where this Fast DDS looks for its profile; `value`: what the user has set it to, empty: nothing."""
    name, remedy = "transport", f"export {variable}={shipped}   # for the camera driver and for the node"
    if not value:
        transports = (
            f"FASTDDS_BUILTIN_TRANSPORTS={builtin_transports}" if builtin_transports else "the default transports"
        )
        finding = f"{transports} lose best-effort images above 0.5 MB between processes; {variable} is not set"
        if not shipped.is_file():
            finding, remedy = f"{finding}; {shipped} is missing too", "install vitron_ros again"
            return Check(name=name, status="fail", finding=finding, remedy=remedy)
        return Check(name=name, status="warn", finding=finding, remedy=remedy)
    try:
        root = ElementTree.fromstring(Path(value).read_bytes())
        sizes = [int(found.text or 0) for found in root.iter() if re.fullmatch(r"(\{.*\})?segment_size", found.tag)]
    except (OSError, ElementTree.ParseError, ValueError) as error:
        finding = f"{variable} names a profile that cannot be read: {error}"
        return Check(name=name, status="fail", finding=finding, remedy=remedy)
    if max(sizes, default=0) < 2 * IMAGE_BYTES:
        finding = f"{value} gives shared memory a segment_size of {max(sizes, default=0)} bytes: images overflow it"
        return Check(name=name, status="warn", finding=finding, remedy=remedy)
    return Check(name=name, status="ok", finding=f"{max(sizes) // MIB} MiB of shared memory a process, by {value}")


def check_middleware(name: str, error: str) -> Check:
    """`name`: what RMW_IMPLEMENTATION says; `error`: why that cannot be loaded, empty: it can, or there is no ROS."""
    if not error:
        return Check(name="middleware", status="ok", finding=f"RMW_IMPLEMENTATION is {name or 'not set'}")
    finding = f"RMW_IMPLEMENTATION is {name}, which cannot be loaded: {error}"
    package = name.replace("_", "-")
    remedy = f"unset RMW_IMPLEMENTATION, or: sudo apt install ros-$ROS_DISTRO-{package}"
    return Check(name="middleware", status="fail", finding=finding, remedy=remedy)


def check_start(problem: str) -> Check:
    """`problem`: why ROS cannot make a node in this environment; empty: it can."""
    if not problem:
        return Check(name="ros node", status="ok", finding="a node can be made")
    remedy = "look at what it names in: env | grep -E 'ROS|RMW|RCUTILS|DDS|RTPS'"
    return Check(name="ros node", status="fail", finding=f"no node can be made: {problem}", remedy=remedy)


def check_domain(domain: str, discovery_range: str) -> Check:
    """ROS_DOMAIN_ID and ROS_AUTOMATIC_DISCOVERY_RANGE as set, empty where they are not."""
    name, finding = "domain", f"ROS_DOMAIN_ID is {domain or '0, the default'}"
    if discovery_range:
        finding += f", discovery {discovery_range}"
    if domain and (not DOMAIN.fullmatch(domain) or int(domain) > LAST_DOMAIN):
        remedy = f"export ROS_DOMAIN_ID=<0 to {LAST_SAFE_DOMAIN}>, the same for all processes of the robot"
        return Check(name=name, status="fail", finding=finding, remedy=remedy)
    if discovery_range and discovery_range not in RANGES:
        remedy = f"export ROS_AUTOMATIC_DISCOVERY_RANGE={' or '.join(RANGES[1:])}: nodes do not find each other with it"
        return Check(name=name, status="warn", finding=finding, remedy=remedy)
    if int(domain or 0) > LAST_SAFE_DOMAIN:
        remedy = (
            f"use a ROS_DOMAIN_ID of at most {LAST_SAFE_DOMAIN}: Linux may give the ports of this one to other programs"
        )
        return Check(name=name, status="warn", finding=finding, remedy=remedy)
    return Check(name=name, status="ok", finding=finding)


def check_webcams(devices: Collection[str], unreadable: Collection[str]) -> Check:
    """Video devices by path, and those of them that this user may not open."""
    if unreadable:
        finding = f"no permission to open {', '.join(sorted(unreadable))}"
        remedy = "sudo usermod -aG video $USER, then log in again"
        return Check(name="webcams", status="warn", finding=finding, remedy=remedy)
    return Check(name="webcams", status="ok", finding=", ".join(sorted(devices)) or "none; files and bags work")


def check_qos() -> Check:
    """What a user needs to know of QoS; whether a running camera fits, only the node's diagnostics can say."""
    finding = "perception subscribes to images best effort, one deep, which any camera's QoS fits"
    remedy = "no images? ros2 topic info --verbose <image topic>; /diagnostics names a mismatch; see image_qos"
    return Check(name="qos", status="ok", finding=finding, remedy=remedy)
