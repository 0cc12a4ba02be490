"""The language model's passes on ONNX Runtime, for a `Decoder`: on a CPU about as fast as the compiled step, at once.

    language = OnnxLanguage(model, engine_folder())
    decoder = Decoder(language, tokenizer, capacity=1024)

Embeddings, the cache and the plan of each pass stay torch's; keys and values are read from the cache where they lie.
"""

from pathlib import Path

import torch
from torch import Tensor

from vitron_ros.backends.graphs import build_graph, memory_inputs
from vitron_ros.backends.onnx_cache import cached_onnx
from vitron_ros.backends.onnx_runner import OnnxRunner
from vitron_ros.errors import EngineError
from vitron_ros.model.kv_cache import KVCache, Span, update
from vitron_ros.model.language import LanguageModel
from vitron_ros.model.vitron import VitronModel


class OnnxLanguage(LanguageModel):
    """A language model that shares the weights of another, and runs `prefill` and `decode` elsewhere.

    Its two graphs are exported once and kept, as those of frames are.

    Args:
        folder: of exported graphs.

    Raises:
        EngineError: the model is not in float32 on a CPU, or ONNX Runtime cannot be used.
    """

    def __init__(self, model: VitronModel, folder: Path) -> None:
        torch.nn.Module.__init__(self)  # the weights are there already: none are made
        language = model.language
        if language.device.type != "cpu" or language.dtype != torch.float32:
            raise EngineError(
                f"ONNX Runtime decodes float32 weights on a CPU, these are {language.dtype} on {language.device}"
            )
        self.config, self.model, self.lm_head = language.config, language.model, language.lm_head
        self._rotary = None
        prefill, decode = build_graph(model, "prefill"), build_graph(model, "decode")
        self._prefill = OnnxRunner(cached_onnx(prefill, model.config, folder), limits=prefill.limits)
        self._decode = OnnxRunner(cached_onnx(decode, model.config, folder), limits=decode.limits)
        self.eval()

    def prefill(self, embeds: Tensor, cache: KVCache, row: int, keep: int = 1) -> Tensor:
        span, length, count = cache.prefill(row, len(embeds)), cache.lengths[row], len(embeds)
        outputs = self._prefill.run(
            {
                "embeds": embeds[None],
                "take": torch.arange(count)[-keep:],
                "lengths": torch.tensor([length]),
                **memory_inputs(cache, slice(row, row + 1), max(1, length)),  # one slot that nobody looks at
            }
        )
        self._write(outputs, cache, span, row)
        return outputs["logits"][0]

    def decode(self, token_ids: Tensor, span: Span, cache: KVCache) -> Tensor:
        rows = len(token_ids)
        outputs = self._decode.run(
            {
                "token_ids": token_ids,
                "lengths": torch.tensor(cache.lengths[:rows]),
                **memory_inputs(cache, slice(0, rows), cache.capacity + 1),
            }
        )
        self._write(outputs, cache, span, 0)
        return outputs["logits"]

    def _write(self, outputs: dict[str, Tensor], cache: KVCache, span: Span, row: int) -> None:
        for layer, (keys, values) in enumerate(zip(cache.keys, cache.values, strict=True)):
            new_keys, new_values = outputs[f"new_keys.{layer}"], outputs[f"new_values.{layer}"]
            update(keys, values, new_keys.transpose(1, 2), new_values.transpose(1, 2), span, row)
