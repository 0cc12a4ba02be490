"""The T-Selector kernel as a plugin of TensorRT, in the place of a frames graph's two TopK and its GatherElements.

    register_plugin(trt)                        # trt: the module tensorrt, or tensorrt_rtx
    write_plugin_graph(onnx, target)            # has a node vitron.TSelector, which trt.OnnxParser now knows

    features (T, N, C) float, half or bfloat16, scores (T, N) float  ->  tokens (T, K, C), indices (T, K) int64

It is an IPluginV3 in Python, which TensorRT (from 10 on) and TensorRT for RTX take alike. The engine holds its name and
K, not its code: a process that loads the engine calls `register_plugin` first. The gate stays with TensorRT; of the
kernel the gate `scores` runs. Engines with it were built by TensorRT for RTX; none has run on a GPU, and with the full
library it has never been tried.
"""

import ctypes
import importlib.util
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from engines.kernels.compile import FATBIN
from engines.kernels.launch import Launcher, open_launcher
from engines.kernels.selector import MAX_PATCHES, TYPES, VECTOR, Arguments
from vitron_ros.errors import EngineError

NAME, NAMESPACE, VERSION = "TSelector", "vitron", "1"
SELECTED = "selected"  # the plugin's only field: K
RTX_LIBRARY = "libtensorrt_rtx.so"
# From the gather's indices back to the scores, as torch's exporter writes two sorts of `top_patches`.
CHAIN = ("Expand", "Unsqueeze", "TopK", "Slice", "TopK")

_creators: dict[str, Any] = {}  # of each library: the registry holds no reference to them


class CompiledKernel:
    """Launches the compiled kernel, which it loads at the first launch: a build for another GPU needs none."""

    def __init__(self, fatbin: Path = FATBIN) -> None:
        self._fatbin = fatbin
        self._launcher: Launcher | None = None

    def launch(self, kernel: str, grid: tuple[int, int], arguments: ctypes.Structure) -> None:
        if self._launcher is None:
            self._launcher = open_launcher(self._fatbin)
        self._launcher.launch(kernel, grid, arguments)


def register_plugin(trt: Any, launcher: Launcher | None = None) -> None:
    """Makes the plugin known to a library, for building and for loading engines; again: with another launcher.

    Args:
        launcher: None: of the file that `python -m engines.kernels.compile` writes. The full library launches while it
            builds, too, to time the plugin.

    Raises:
        EngineError: the library refuses it.
    """
    launcher = launcher or CompiledKernel()
    if trt.__name__ in _creators:
        _creators[trt.__name__].launcher = launcher
        return
    creator = _creator(trt, launcher)
    if not trt.get_plugin_registry().register_creator(creator, NAMESPACE):
        raise EngineError(f"{trt.__name__} {trt.__version__} refuses the plugin {NAMESPACE}.{NAME}; set no plugin")
    _creators[trt.__name__] = creator


def check_parser(trt: Any) -> None:
    """That the library's parser can add a plugin: where it cannot, it ends the process.

    The parser of TensorRT for RTX 1.7 loads its library for that by a name which its pip package does not have.

    Raises:
        EngineError: the name is not there.
    """
    if trt.__name__ != "tensorrt_rtx":
        return
    try:
        ctypes.CDLL(RTX_LIBRARY)
    except OSError as error:
        package = importlib.util.find_spec("tensorrt_rtx_libs")
        folder = Path(package.origin).parent if package is not None and package.origin else Path("FOLDER")
        if not (folder / RTX_LIBRARY).exists():
            raise EngineError(
                f"the parser of tensorrt_rtx needs {RTX_LIBRARY} for plugins, and there is none; make it with: "
                f"ln -s {RTX_LIBRARY}.1 {folder / RTX_LIBRARY}"
            ) from error


def write_plugin_graph(onnx: Path, target: Path) -> Path:
    """Writes a frames graph with the plugin in the place of its selection; gives the target.

    Raises:
        EngineError: the graph has no selection of patches by score, or one of a size that the kernel does not take.
    """
    import onnx_ir as ir
    from onnx_ir.passes.common import RemoveUnusedNodesPass

    model = ir.load(onnx)
    graph = model.graph
    found = [(gather, chain) for gather in graph if (chain := _selection(gather)) is not None]
    if len(found) != 1:
        raise EngineError(
            f"{onnx} has {len(found)} selections of patches by score, and the plugin takes the place of one; it is "
            "for the part frames of a model whose selector selects patches, exported again"
        )
    gather, (_, _, ascending, _, best) = found[0]
    features, scores, selected = gather.inputs[0], best.inputs[0], ascending.outputs[0].shape[1]
    _check_sizes(onnx, features.shape, selected)
    if scores.dtype != ir.DataType.FLOAT:
        cast = ir.node("Cast", [scores], {"to": ir.DataType.FLOAT}, name="selector.scores")
        graph.insert_before(gather, cast)
        scores = cast.outputs[0]
    attributes = {SELECTED: selected, "plugin_namespace": NAMESPACE, "plugin_version": VERSION}
    node = ir.node(NAME, [features, scores], attributes, domain=NAMESPACE, num_outputs=2, name="selector.plugin")
    graph.insert_before(gather, node)
    for old, new in zip((gather.outputs[0], ascending.outputs[0]), node.outputs, strict=True):
        new.name, new.shape, new.dtype = old.name, old.shape, old.dtype
        ir.convenience.replace_all_uses_with(old, new, replace_graph_outputs=True)
        old.name = f"{new.name}.unused"
    graph.sort()
    graph.opset_imports[NAMESPACE] = int(VERSION)
    RemoveUnusedNodesPass()(model)
    ir.save(model, target)
    return target


def _selection(gather: Any) -> list[Any] | None:
    """The nodes of CHAIN behind a gather of patches; None: it gathers something else."""
    axis = gather.attributes.get("axis")
    if gather.op_type != "GatherElements" or axis is None or axis.as_int() != 1:
        return None
    chain, value = [], gather.inputs[1]
    for operation in CHAIN:
        node = value.producer()
        if node is None or node.op_type != operation:
            return None
        chain.append(node)
        value = node.inputs[0]
    return chain


def _check_sizes(onnx: Path, shape: Sequence[Any], selected: Any) -> None:
    _, patches, channels = shape
    if not (isinstance(patches, int) and selected <= patches <= MAX_PATCHES) or channels % VECTOR:
        raise EngineError(
            f"{onnx} selects {selected} of {patches} patches of {channels}; the T-Selector kernel takes up to "
            f"{MAX_PATCHES} of a multiple of {VECTOR}; set no plugin"
        )


def _creator(trt: Any, launcher: Launcher) -> Any:
    """What the library's registry holds: it makes the plugin of a node, and of an engine's file."""
    plugin = _plugin_class(trt)

    class Creator(trt.IPluginCreatorV3One):  # type: ignore[misc]
        def __init__(self) -> None:
            trt.IPluginCreatorV3One.__init__(self)
            self.name, self.plugin_namespace, self.plugin_version = NAME, NAMESPACE, VERSION
            field = trt.PluginField(SELECTED, np.array([], np.int32), trt.PluginFieldType.INT32)
            self.field_names = trt.PluginFieldCollection([field])
            self.launcher = launcher

        def create_plugin(self, name: str, fields: Any, phase: Any) -> Any:
            selected = {field.name: field for field in fields}[SELECTED]
            return plugin(int(selected.data[0]), self.launcher)

    return Creator()


def _plugin_class(trt: Any) -> Any:
    types = {trt.float32: torch.float32, trt.float16: torch.float16, trt.bfloat16: torch.bfloat16}

    bases: Any = (trt.IPluginV3, trt.IPluginV3OneCore, trt.IPluginV3OneBuild, trt.IPluginV3OneRuntime)

    class Plugin(*bases):  # type: ignore[misc]
        def __init__(self, selected: int, launcher: Launcher) -> None:
            for base in bases:
                base.__init__(self)
            self.plugin_name, self.plugin_namespace, self.plugin_version = NAME, NAMESPACE, VERSION
            self.num_outputs = 2
            self.selected, self.launcher = selected, launcher

        def get_capability_interface(self, kind: Any) -> Any:
            return self

        def clone(self) -> Any:
            return Plugin(self.selected, self.launcher)

        def get_output_data_types(self, input_types: Sequence[Any]) -> list[Any]:
            return [input_types[0], trt.int64]

        def get_output_shapes(self, inputs: Sequence[Any], shape_inputs: Sequence[Any], expressions: Any) -> list[Any]:
            (frames, _, channels), selected = inputs[0], expressions.constant(self.selected)
            return [trt.DimsExprs([frames, selected, channels]), trt.DimsExprs([frames, selected])]

        def supports_format_combination(self, position: int, tensors: Sequence[Any], num_inputs: int) -> bool:
            tensor = tensors[position].desc
            dtypes = (tuple(types), (trt.float32,), (tensors[0].desc.type,), (trt.int64,))[position]
            return tensor.format == trt.TensorFormat.LINEAR and tensor.type in dtypes

        def configure_plugin(self, inputs: Any, outputs: Any) -> None: ...

        def on_shape_change(self, inputs: Any, outputs: Any) -> None: ...

        def set_tactic(self, tactic: int) -> None: ...

        def get_valid_tactics(self) -> list[int]:
            return []

        def get_workspace_size(self, inputs: Any, outputs: Any) -> int:
            return 0

        def get_fields_to_serialize(self) -> Any:
            field = trt.PluginField(SELECTED, np.array([self.selected], np.int32), trt.PluginFieldType.INT32)
            return trt.PluginFieldCollection([field])

        def attach_to_context(self, context: Any) -> Any:
            return self.clone()

        def enqueue(
            self,
            input_descs: Sequence[Any],
            output_descs: Sequence[Any],
            inputs: Sequence[int],
            outputs: Sequence[int],
            workspace: int,
            stream: int,
        ) -> int:
            frames, patches, channels = input_descs[0].dims
            dtype = types[input_descs[0].type]
            arguments = Arguments(
                features=inputs[0],
                logits=inputs[1],
                tokens=outputs[0],
                indices=outputs[1],
                frame_stride=patches * channels,
                patches=patches,
                channels=channels,
                selected=self.selected,
                out_type=TYPES[dtype],
            )
            kernel = f"t_selector_scores_{str(dtype).removeprefix('torch.')}"
            own: Any = torch.cuda.ExternalStream(stream) if stream else None  # type: ignore[no-untyped-call]
            with torch.cuda.stream(own):  # 0 is the default stream, which is torch's current one unless told
                self.launcher.launch(kernel, (1, frames), arguments)
            return 0

    return Plugin
