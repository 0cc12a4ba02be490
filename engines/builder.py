"""From an ONNX file to an engine, with TensorRT or TensorRT for RTX.

Networks are strongly typed: every precision stands in the ONNX file, none is chosen by the builder. TensorRT for RTX
needs no GPU to build; the full library builds on the device itself.
"""

import sys
from pathlib import Path
from typing import Any

from engines.kernels.plugin import check_parser, register_plugin, write_plugin_graph
from engines.profile import EngineProfile
from vitron_ros.backends.tensorrt_runner import device_target, import_tensorrt
from vitron_ros.errors import EngineError


def build_engine(onnx: Path, profile: EngineProfile, engine: Path, *, plugin: bool = False) -> tuple[str, ...]:
    """Builds an engine file; gives the targets that it is for.

    Args:
        plugin: the T-Selector kernel takes the place of the graph's TopK and Gather; see kernels/plugin.py.

    Raises:
        EngineError: the library is missing, does not know a target, does not take an operation of the graph (it is
            named with its node) or a plugin, a size range does not fit, or memory ran out.
    """
    trt = import_tensorrt(profile.library)
    if plugin:
        check_parser(trt)
        register_plugin(trt)
    log = _log(trt)
    builder = trt.Builder(log)
    network = builder.create_network(1 << int(trt.NetworkDefinitionCreationFlag.STRONGLY_TYPED))
    parser = trt.OnnxParser(network, log)
    graph = write_plugin_graph(onnx, engine.with_name(f".{engine.stem}-plugin.onnx")) if plugin else onnx
    is_read = parser.parse_from_file(str(graph))
    if plugin:
        graph.unlink()
    if not is_read:
        raise EngineError(f"{profile.library} cannot read {onnx}: {_parser_errors(parser)}")
    config = builder.create_builder_config()
    if profile.precision == "float32":  # float32 means float32: TF32 would keep 10 bits of 23
        config.clear_flag(trt.BuilderFlag.TF32)
    targets = _set_targets(trt, config, profile)
    _set_sizes(builder, config, network, profile)
    cache_path = engine.with_name("timing.cache")
    is_timed = not hasattr(config, "set_compute_capability")  # TensorRT for RTX times nothing while it builds
    if is_timed:
        content = cache_path.read_bytes() if cache_path.is_file() else b""
        config.set_timing_cache(config.create_timing_cache(content), ignore_mismatch=True)
    config.progress_monitor = _progress(trt)
    try:
        plan = builder.build_serialized_network(network, config)
    except MemoryError as error:
        raise EngineError(_out_of_memory(profile)) from error
    if plan is None:
        reason = "; ".join(log.errors[-3:]) or "no reason given"
        if "memory" in reason.lower():
            raise EngineError(f"{_out_of_memory(profile)} ({reason})")
        raise EngineError(f"{profile.library} {trt.__version__} cannot build {profile.name}: {reason}")
    partial = engine.with_name(f".{engine.name}")
    partial.write_bytes(plan)
    partial.replace(engine)
    if is_timed:
        cache_path.write_bytes(bytes(config.get_timing_cache().serialize()))
    return targets


def _set_targets(trt: Any, config: Any, profile: EngineProfile) -> tuple[str, ...]:
    if not hasattr(config, "set_compute_capability"):  # the full library builds for the GPU that it runs on
        if profile.targets != ("CURRENT",):
            raise EngineError(f"{profile.path}: {profile.library} builds for its own GPU; set targets: [CURRENT]")
        return (device_target(),)
    known = [name for name in trt.ComputeCapability.__members__ if name.startswith("SM")]
    wrong = [target for target in profile.targets if target not in known]
    if wrong:
        raise EngineError(
            f"{profile.path}: {profile.library} {trt.__version__} builds for {', '.join(known)}, not for "
            f"{', '.join(wrong)}; use library: tensorrt on that device"
        )
    config.num_compute_capabilities = len(profile.targets)
    for index, target in enumerate(profile.targets):
        config.set_compute_capability(trt.ComputeCapability.__members__[target], index)
    return profile.targets


def _set_sizes(builder: Any, config: Any, network: Any, profile: EngineProfile) -> None:
    """One optimisation profile for each entry of the sizes. Dimensions are known by the names in the ONNX file."""
    inputs = [network.get_input(index) for index in range(network.num_inputs)]
    for sizes in profile.sizes:
        optimisation = builder.create_optimization_profile()
        for tensor in inputs:
            names = [tensor.get_dimension_name(axis) for axis in range(len(tensor.shape))]
            shapes = [
                tuple(sizes[name][which] if size < 0 else size for name, size in zip(names, tensor.shape, strict=True))
                for which in range(3)
            ]
            if any(size < 0 for size in tensor.shape):
                optimisation.set_shape(tensor.name, *shapes)
        if config.add_optimization_profile(optimisation) < 0:
            raise EngineError(f"{profile.path}: {profile.library} refuses the sizes {dict(sizes)}")


def _parser_errors(parser: Any) -> str:
    errors = [parser.get_error(index) for index in range(parser.num_errors)]
    return "; ".join(
        f"node {error.node_name()} ({error.node_operator()}): {error.desc()}" if error.node_name() else error.desc()
        for error in errors
    )


def _out_of_memory(profile: EngineProfile) -> str:
    return f"memory ran out while building {profile.name}; lower the max of its sizes, or build where there is more"


def _log(trt: Any) -> Any:
    """The library's log: errors are kept for the message, warnings of its own workings are dropped."""

    class Log(trt.ILogger):  # type: ignore[misc]
        def __init__(self) -> None:
            trt.ILogger.__init__(self)
            self.errors: list[str] = []

        def log(self, severity: Any, message: str) -> None:
            if severity in (trt.ILogger.ERROR, trt.ILogger.INTERNAL_ERROR):
                self.errors.append(message)

    return Log()


def _progress(trt: Any) -> Any:
    """Says on stderr what the builder is at, where a person watches."""

    class Progress(trt.IProgressMonitor):  # type: ignore[misc]
        def __init__(self) -> None:
            trt.IProgressMonitor.__init__(self)
            self._steps: dict[str, int] = {}

        def phase_start(self, phase_name: str, parent_phase: str | None, num_steps: int) -> None:
            self._steps[phase_name] = num_steps
            self._say(f"{phase_name} ...")

        def step_complete(self, phase_name: str, step: int) -> bool:
            self._say(f"{phase_name} {step + 1}/{self._steps.get(phase_name, 0)}")
            return True

        def phase_finish(self, phase_name: str) -> None:
            self._say("")

        @staticmethod
        def _say(text: str) -> None:
            if sys.stderr.isatty():
                print(f"\r\033[K{text[:100]}", end="", file=sys.stderr, flush=True)

    return Progress()
