"""Engine profiles: what to build, one YAML file an engine. Needs no torch.

model: vitron-tiny            # checkpoint: bundled name or directory; with weights random: a model profile
weights: checkpoint           # or random
part: frames                  # frames, vision, region, prefill, decode
levels: true                  # hidden states too, for regions; false without regions
library: tensorrt_rtx         # tensorrt (on the device itself), tensorrt_rtx, onnxruntime
precision: float16            # of weights and arithmetic; int8: of the products of frames and vision
calibration: worlds           # int8 only: a folder of images, or generated training images
selector: plugin              # only frames by TensorRT: the T-Selector kernel, kernels/plugin.py; may be left out
targets: [SM86, SM89]         # GPUs; [CURRENT] for tensorrt, [cpu] for onnxruntime
sizes:                        # one entry an optimisation profile
  - frames: {min: 1, opt: 1, max: 8}
"""

import hashlib
import importlib.metadata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import vitron_ros
from vitron_ros.backends.manifest import code_hash
from vitron_ros.errors import ConfigError, EngineError
from vitron_ros.model.files import is_file, quoted, shortened
from vitron_ros.yaml_file import read_yaml

LIBRARIES = ("tensorrt", "tensorrt_rtx", "onnxruntime")
CHOICES = {
    "weights": ("checkpoint", "random"),
    "part": ("frames", "vision", "region", "prefill", "decode"),
    "library": LIBRARIES,
    "precision": ("float32", "float16", "bfloat16", "int8"),
}
ASSETS = Path(vitron_ros.__file__).parent / "assets"
WORLDS_CODE = Path(__file__).parents[1] / "training/worlds", Path(vitron_ros.__file__).parent / "worlds"
BUILD_CODE = ("build.py", "builder.py", "int8_graph.py", "kernels/plugin.py", "profile.py", "source.py")
OPTIONAL = {"calibration", "selector"}
PLUGIN = "plugin"
VISION_PARTS = ("frames", "vision")
WORLDS = "worlds"


@dataclass(frozen=True, kw_only=True)
class EngineProfile:
    """One engine to build; fields as in the file.

    Attributes:
        path: the file itself; its name is the engine's.
        sizes: of each optimisation profile, every named dimension's (min, opt, max).
    """

    path: Path
    model: str
    weights: str
    part: str
    levels: bool
    library: str
    precision: str
    targets: tuple[str, ...]
    sizes: tuple[Mapping[str, tuple[int, int, int]], ...]
    calibration: str = ""
    selector: str = ""

    @property
    def name(self) -> str:
        return self.path.stem

    @property
    def rebuild(self) -> str:
        """The command that builds it."""
        return f"python -m engines.build {self.path}"

    @property
    def checkpoint(self) -> Path | None:
        """The directory of the weights; None: they are random.

        Raises:
            EngineError: it is not there.
        """
        if self.weights == "random":
            return None
        for folder in (Path(self.model), ASSETS / self.model):
            if is_file(folder / "config.json"):
                return folder
        raise EngineError(
            f"{self.path}: there is no checkpoint {self.model}; give its directory, or set weights: random to try "
            "the build without one"
        )


def read_profiles(paths: Sequence[Path]) -> list[EngineProfile]:
    """The engine profiles of files, all read before the first is used.

    Raises:
        ConfigError: as `read_profile`, or two have one name, which would be the engine's.
    """
    profiles = [read_profile(path) for path in paths]
    for profile in profiles:
        if any(other.name == profile.name and other.path != profile.path for other in profiles):
            raise ConfigError(f"{profile.path}: another profile is named {profile.name}, too; its engine would be lost")
    return profiles


def read_profile(path: Path) -> EngineProfile:
    """The engine profile of a file.

    Raises:
        ConfigError: it is not there or not valid; names the key.
    """
    values = read_yaml(path)
    keys = [item.name for item in fields(EngineProfile) if item.name not in {"path", *OPTIONAL}]
    if not isinstance(values, dict) or set(values) - OPTIONAL != set(keys):
        found = shortened(sorted(map(str, values)), most=12) if isinstance(values, dict) else quoted(values)
        raise ConfigError(f"{path} must have exactly the settings {', '.join(keys)}; it has {found}")
    for name, choices in CHOICES.items():
        if values[name] not in choices:
            raise ConfigError(f"{path}: {name} is {quoted(values[name])}; it must be one of {', '.join(choices)}")
    model, levels = values["model"], values["levels"]
    if not isinstance(model, str) or not model or not model.isprintable() or not isinstance(levels, bool):
        raise ConfigError(
            f"{path}: model is a name and levels true or false; they are {quoted(model)} and {quoted(levels)}"
        )
    _check_calibration(path, values)
    _check_selector(path, values)
    targets, sizes = values["targets"], values["sizes"]
    if not isinstance(targets, list) or not targets or not all(isinstance(target, str) for target in targets):
        raise ConfigError(f"{path}: targets is {quoted(targets)}; it must be a list such as [SM86, SM89]")
    if len(set(targets)) < len(targets) or (values["library"] == "onnxruntime" and targets != ["cpu"]):
        raise ConfigError(f"{path}: targets is {quoted(targets)}; name each once, and for onnxruntime [cpu] alone")
    if not isinstance(sizes, list) or not sizes:
        raise ConfigError(f"{path}: sizes is {quoted(sizes)}; it must be a list with at least one entry")
    ranges = tuple(_sizes(path, each) for each in sizes)
    return EngineProfile(path=path, **{**values, "targets": tuple(targets), "sizes": ranges})


def _check_calibration(path: Path, values: Mapping[str, Any]) -> None:
    calibration, is_int8 = values.get("calibration"), values["precision"] == "int8"
    if is_int8 and values["part"] not in VISION_PARTS:
        raise ConfigError(
            f"{path}: precision int8 is for the parts {', '.join(VISION_PARTS)}, not for {values['part']}"
        )
    if is_int8 != ("calibration" in values) or (is_int8 and not (isinstance(calibration, str) and calibration)):
        raise ConfigError(
            f"{path}: calibration is {quoted(calibration)}; with precision int8, and no other, it must name a folder "
            "of images like those that the engine will see, or worlds"
        )


def _check_selector(path: Path, values: Mapping[str, Any]) -> None:
    if "selector" not in values:
        return
    selector, part, library = values["selector"], values["part"], values["library"]
    if selector != PLUGIN or part != "frames" or library == "onnxruntime":
        raise ConfigError(
            f"{path}: selector is {quoted(selector)} for {part} by {library}; leave it out, or set it to {PLUGIN} for "
            "frames by tensorrt or tensorrt_rtx"
        )


def _sizes(path: Path, values: Any) -> dict[str, tuple[int, int, int]]:
    sizes = {}
    form = "they must be like {min: 1, opt: 1, max: 8}"
    for name, each in values.items() if isinstance(values, dict) else ():
        if not isinstance(name, str) or not isinstance(each, dict) or set(each) != {"min", "opt", "max"}:
            raise ConfigError(f"{path}: sizes of {quoted(name)} are {quoted(each)}; {form}")
        low, usual, high = each["min"], each["opt"], each["max"]
        if not all(type(size) is int for size in (low, usual, high)) or not 1 <= low <= usual <= high:
            raise ConfigError(f"{path}: sizes of {name} are {quoted(each)}; they must be whole, at least 1, and ascend")
        sizes[name] = (low, usual, high)
    if not sizes:
        raise ConfigError(f"{path}: sizes has the entry {quoted(values)}; it must name each dimension that varies")
    return sizes


def source_hash(profile: EngineProfile) -> str:
    """Hash of all that a build starts from: settings, weights and images by their files' dates, code and versions.

    Raises:
        EngineError: the checkpoint or a library is not there.
    """
    digest = hashlib.sha256(profile.path.read_bytes())
    for name in (profile.library, "torch", "onnx", "onnxscript"):
        digest.update(f"{name} {library_version(name)}".encode())
    digest.update(code_hash().encode())
    for name in BUILD_CODE:
        digest.update((Path(__file__).parent / name).read_bytes())
    folder = profile.checkpoint
    for file in sorted(folder.iterdir()) if folder is not None else ():
        if file.suffix in (".json", ".safetensors"):
            digest.update(_date(file))
    if profile.calibration:
        digest.update(f"onnxruntime {library_version('onnxruntime')}".encode())
        drawn = profile.calibration == WORLDS
        folders = WORLDS_CODE if drawn else (Path(profile.calibration),)
        for file in sorted(file for folder in folders for file in folder.rglob("*.py" if drawn else "*.*")):
            digest.update(_date(file))
    return digest.hexdigest()


def _date(file: Path) -> bytes:
    status = file.stat()
    return f"{file.name} {status.st_size} {status.st_mtime_ns}".encode()


def library_version(name: str) -> str:
    """The installed version of a distribution.

    Raises:
        EngineError: it is not installed.
    """
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError as error:
        raise EngineError(f"{name} is not installed; see docs/engines.md") from error
