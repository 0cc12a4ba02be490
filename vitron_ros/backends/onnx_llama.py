"""The language model as an ONNX graph of ONNX Runtime's own fused operations, written out directly.

torch's exporter knows none of them. Grouped-query attention rotates queries and keys, writes the new keys and values
into the buffers of the cache that it is given, and reads no more of them than is filled: a token costs one call.

    embeds (B, S, C), take (R,), filled (B,), total (1,), keys.L and values.L (B, Hkv, P, D)
        -> logits (B, R, V), and the same buffers

`filled` is the slot of each row's last token after the pass, `total` one more than the largest. Rows differ in length:
with S above 1 the operation takes a single row.
"""

from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from vitron_ros.errors import EngineError
from vitron_ros.model.language import LanguageModel, Layer, rotary_table

MAX_BYTES = 1_900_000_000  # one protobuf ends at 2 GiB
HEAD_STEP = 16
OPSETS = {"": 20, "com.microsoft": 1}
IR_VERSION = 10
MICROSOFT = {"GroupQueryAttention", "QuickGelu", "SkipSimplifiedLayerNormalization"}


def language_graph(language: LanguageModel) -> bytes:
    """The serialised graph of a language model with float32 weights.

    Raises:
        EngineError: onnx is not installed, the model is too large for one graph, or its heads have a width that the
            operation does not take.
    """
    try:
        import onnx  # noqa: F401
    except ImportError as error:
        raise EngineError("decoding on ONNX Runtime needs onnx: pip install 'vitron_ros[engines]'") from error
    if language.config.head_dim % HEAD_STEP:
        raise EngineError(
            f"ONNX Runtime's attention takes heads whose width is a multiple of {HEAD_STEP}, not "
            f"{language.config.head_dim}; decode with torch"
        )
    size = sum(weight.nbytes for weight in language.state_dict().values())
    if size > MAX_BYTES:
        raise EngineError(f"{size / 1e9:.1f} GB of weights are too many for one ONNX graph; decode with torch")
    return _Writer(language).serialised()


class _Writer:
    """Nodes and weights, in the order of the pass."""

    def __init__(self, language: LanguageModel) -> None:
        self._language, self._config = language, language.config
        self._nodes: list[Any] = []
        self._weights: list[Any] = []

    def serialised(self) -> bytes:
        import onnx

        config = self._config
        half = config.head_dim // 2
        cos, sin = rotary_table(config, torch.device("cpu"), torch.float32)
        # One more, for the scrap slot of a full cache.
        self._constant("cos", torch.cat([cos, cos[-1:]])[:, 0, :half])
        self._constant("sin", torch.cat([sin, sin[-1:]])[:, 0, half:])
        layers = [cast(Layer, layer) for layer in self._language.model.layers]
        x = "embeds"
        normed = self._norm("norm.0", x, layers[0].input_layernorm)
        for index, layer in enumerate(layers):
            attended = self._attention(index, layer, normed)
            x, normed = self._add_norm(f"middle.{index}", x, attended, layer.post_attention_layernorm)
            fed = self._mlp(index, layer, normed)
            norm = layers[index + 1].input_layernorm if index + 1 < len(layers) else self._language.model.norm
            x, normed = self._add_norm(f"end.{index}", x, fed, norm)
        taken = self._add("Gather", [normed, "take"], "taken", axis=1)
        self._linear("logits", taken, self._language.lm_head.weight)
        graph = onnx.helper.make_graph(
            self._nodes, "language", self._inputs(), self._outputs(), initializer=self._weights
        )
        opsets = [onnx.helper.make_opsetid(domain, number) for domain, number in OPSETS.items()]
        model = onnx.helper.make_model(graph, opset_imports=opsets, ir_version=IR_VERSION)
        return bytes(model.SerializeToString())

    def _attention(self, index: int, layer: Layer, x: str) -> str:
        attention, config = layer.self_attn, self._config
        weights = [attention.q_proj.weight, attention.k_proj.weight, attention.v_proj.weight]
        heads = self._linear(f"heads.{index}", x, torch.cat(weights))
        names = [f"keys.{index}", f"values.{index}"]
        self._nodes.append(
            _node(
                "GroupQueryAttention",
                [heads, "", "", *names, "filled", "total", "cos", "sin"],
                [f"attended.{index}", *(f"new_{name}" for name in names)],
                num_heads=config.num_heads,
                kv_num_heads=config.num_kv_heads,
                do_rotary=1,
            )
        )
        return self._linear(f"out.{index}", f"attended.{index}", attention.o_proj.weight)

    def _mlp(self, index: int, layer: Layer, x: str) -> str:
        mlp, width = layer.mlp, self._config.intermediate_size
        both = self._linear(f"both.{index}", x, torch.cat([mlp.gate_proj.weight, mlp.up_proj.weight]))
        gate, up = f"gate.{index}", f"up.{index}"
        if index == 0:
            self._constant("halves", torch.tensor([width, width]))
        self._nodes.append(_node("Split", [both, "halves"], [gate, up], axis=-1))
        active = self._add("QuickGelu", [gate], f"active.{index}", alpha=1.0)  # x * sigmoid(x)
        fed = self._add("Mul", [active, up], f"fed.{index}")
        return self._linear(f"down.{index}", fed, mlp.down_proj.weight)

    def _linear(self, name: str, x: str, weight: Tensor) -> str:
        self._constant(f"{name}.weight", weight.detach().t())
        return self._add("MatMul", [x, f"{name}.weight"], name)

    def _norm(self, name: str, x: str, norm: Any) -> str:
        self._constant(f"{name}.weight", norm.weight.detach())
        return self._add(
            "SimplifiedLayerNormalization", [x, f"{name}.weight"], name, axis=-1, epsilon=norm.eps, stash_type=1
        )

    def _add_norm(self, name: str, x: str, more: str, norm: Any) -> tuple[str, str]:
        """The sum of both, and that behind a norm."""
        self._constant(f"{name}.weight", norm.weight.detach())
        outputs = [f"{name}.normed", "", "", f"{name}.sum"]
        self._nodes.append(
            _node("SkipSimplifiedLayerNormalization", [x, more, f"{name}.weight"], outputs, epsilon=norm.eps)
        )
        return outputs[3], outputs[0]

    def _add(self, kind: str, inputs: list[str], output: str, **attributes: Any) -> str:
        self._nodes.append(_node(kind, inputs, [output], **attributes))
        return output

    def _constant(self, name: str, value: Tensor) -> None:
        import onnx

        array: NDArray[Any] = np.ascontiguousarray(value.detach().cpu().numpy())
        self._weights.append(onnx.numpy_helper.from_array(array, name))

    def _inputs(self) -> list[Any]:
        return [
            _value("embeds", ("rows", "tokens", self._config.hidden_size)),
            _value("take", ("taken",), "INT64"),
            _value("filled", ("rows",), "INT32"),
            _value("total", (1,), "INT32"),
            *self._cache(""),
        ]

    def _outputs(self) -> list[Any]:
        return [_value("logits", ("rows", "taken", self._config.vocab_size)), *self._cache("new_")]

    def _cache(self, prefix: str) -> list[Any]:
        shape = ("rows", self._config.num_kv_heads, "slots", self._config.head_dim)
        return [
            _value(f"{prefix}{name}.{layer}", shape)
            for layer in range(self._config.num_layers)
            for name in ("keys", "values")
        ]


def _node(kind: str, inputs: list[str], outputs: list[str], **attributes: Any) -> Any:
    import onnx

    domain = "com.microsoft" if kind in MICROSOFT else ""
    return onnx.helper.make_node(kind, inputs, outputs, name=outputs[0], domain=domain, **attributes)


def _value(name: str, shape: tuple[int | str, ...], kind: str = "FLOAT") -> Any:
    import onnx

    return onnx.helper.make_tensor_value_info(name, getattr(onnx.TensorProto, kind), shape)
