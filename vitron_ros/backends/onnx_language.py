"""The language model's passes on ONNX Runtime, for a `Decoder`: on a CPU a token takes a fraction of torch's time.

    language = OnnxLanguage(model.language)
    decoder = Decoder(language, tokenizer, capacity=1024)

Embeddings and the cache stay torch's. A pass is one call: it reads and writes the cache in place.
"""

from typing import Any
from weakref import WeakKeyDictionary

import torch
from torch import Tensor

from vitron_ros.backends.agreement import compare
from vitron_ros.backends.onnx_llama import language_graph
from vitron_ros.backends.onnx_runner import open_session
from vitron_ros.errors import EngineError
from vitron_ros.model.kv_cache import CacheKind, KVCache, Span
from vitron_ros.model.language import LanguageModel

FLOAT, INT32, INT64 = 1, 6, 7  # ONNX's numbers


class OnnxLanguage(LanguageModel):
    """A language model that shares the weights of another, and runs `prefill` and `decode` elsewhere.

    The attention takes many rows or many new tokens, not both: rows go through side by side, token by token, or one
    after the other, whatever takes fewer calls.

    Args:
        threads: CPU threads of one operation; None: as many as torch uses.

    Raises:
        EngineError: the model is not in float32 on a CPU or too large, or ONNX Runtime cannot be used.
    """

    def __init__(self, language: LanguageModel, *, threads: int | None = None) -> None:
        torch.nn.Module.__init__(self)  # the weights are there already: none are made
        if language.device.type != "cpu" or language.dtype != torch.float32:
            raise EngineError(
                f"ONNX Runtime decodes float32 weights on a CPU, these are {language.dtype} on {language.device}"
            )
        self.name = "onnxruntime cpu"
        self.config, self.model, self.lm_head = language.config, language.model, language.lm_head
        self._rotary = None
        self._session: Any = open_session(language_graph(language), "the language model", threads=threads)
        # Naming the buffers of a cache takes a third of the time of a token, so each row is named once.
        self._bindings: WeakKeyDictionary[KVCache, dict[tuple[int, int], Any]] = WeakKeyDictionary()
        self.eval()

    def new_cache(self, *, rows: int, capacity: int, kind: CacheKind = "full") -> KVCache:
        """Raises EngineError for a kind that the session cannot read."""
        if kind != "full":
            raise EngineError(f"ONNX Runtime reads a full cache, not {kind}; decode by torch")
        return super().new_cache(rows=rows, capacity=capacity)

    def prefill(self, embeds: Tensor, cache: KVCache, row: int, keep: int = 1) -> Tensor:
        count = len(embeds)
        cache.prefill(row, count)  # refuses what does not fit
        return self._run(embeds[None], cache, row, torch.arange(max(0, count - keep), count))[0]

    def decode(self, token_ids: Tensor, span: Span, cache: KVCache) -> Tensor:
        embeds, last = self.embed(token_ids), torch.zeros(1, dtype=torch.int64)
        rows, width = token_ids.shape
        if width == 1 or width < rows:
            # Tokens that a row has not are written behind its end, where nobody reads.
            return torch.cat([self._run(embeds[:, step : step + 1], cache, 0, last, step) for step in range(width)], 1)
        counts = (span.slots < cache.capacity).sum(-1).expand(rows).tolist()
        logits = torch.zeros(rows, width, self.config.vocab_size)
        for row, count in enumerate(counts):
            if count:
                logits[row, :count] = self._run(embeds[row : row + 1, :count], cache, row, torch.arange(count))[0]
        return logits

    def _run(self, embeds: Tensor, cache: KVCache, row: int, take: Tensor, skip: int = 0) -> Tensor:
        """Logits (B, R, V) after the places `take` of embeddings (B, S, C), `skip` slots behind B rows of the cache."""
        rows, width, _ = embeds.shape
        embeds, take = embeds.contiguous(), take.contiguous()
        last = [min(length + skip + width - 1, cache.capacity) for length in cache.lengths[row : row + rows]]
        filled, total = torch.tensor(last, dtype=torch.int32), torch.tensor([1 + max(last)], dtype=torch.int32)
        logits = torch.empty(rows, len(take), self.config.vocab_size)
        binding = self._binding(cache, row, rows)
        inputs = (("embeds", embeds, FLOAT), ("take", take, INT64), ("filled", filled, INT32), ("total", total, INT32))
        for name, tensor, kind in inputs:
            binding.bind_input(name, "cpu", 0, kind, tuple(tensor.shape), tensor.data_ptr())
        binding.bind_output("logits", "cpu", 0, FLOAT, tuple(logits.shape), logits.data_ptr())
        try:
            self._session.run_with_iobinding(binding)
        except Exception as error:  # its own kinds have no common base
            raise EngineError(f"{self.name} failed: {error}") from error
        return logits

    def _binding(self, cache: KVCache, row: int, rows: int) -> Any:
        """Rows of a cache as inputs and, in the same memory, as outputs."""
        known = self._bindings.setdefault(cache, {})
        if (row, rows) not in known:
            known[row, rows] = binding = self._session.io_binding()
            for layer, pair in enumerate(zip(cache.keys, cache.values, strict=True)):
                for name, buffer in zip(("keys", "values"), pair, strict=True):
                    part = buffer[row : row + rows]
                    place = ("cpu", 0, FLOAT, tuple(part.shape), part.data_ptr())
                    binding.bind_input(f"{name}.{layer}", *place)
                    binding.bind_output(f"new_{name}.{layer}", *place)
        return known[row, rows]


@torch.inference_mode()
def check_language(reference: LanguageModel, language: LanguageModel) -> None:
    """Compares passes over noise with torch's: a prompt, a token, and several behind them.

    Raises:
        EngineError: they disagree, or the language model fails.
    """
    config = reference.config
    generator = torch.Generator().manual_seed(0)
    size = min(16, config.max_positions)
    prompt = size - 5
    # As large as embeddings are: of larger numbers the residuals would hide what the layers do.
    scale = float(reference.model.embed_tokens.weight.std())
    embeds = scale * torch.randn(prompt, config.hidden_size, generator=generator)
    ids = torch.randint(config.vocab_size, (1, 4), generator=generator)
    results = []
    for each in (reference, language):
        cache = each.new_cache(rows=2, capacity=size)
        outputs = {"prompt": each.prefill(embeds, cache, 0, keep=2)}
        cache.advance(0, prompt)
        outputs["token"] = each.decode(ids[:, :1], cache.decode([1]), cache)
        cache.advance(0, 1)
        outputs["tokens"] = each.decode(ids[:, 1:], cache.decode([3]), cache)
        results.append(outputs)
    worst = compare(results[0], results[1])[0]
    if not worst.is_within:
        raise EngineError(f"decoding on ONNX Runtime disagrees with torch: {worst}")
