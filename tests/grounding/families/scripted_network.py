"""A stand-in for a transformers model that writes what a test says, through the real processors and stopping rules."""

from collections.abc import Callable
from types import SimpleNamespace

import torch


class ScriptedNetwork:
    """Writes the text that `say` gives for a prompt, token by token.

    Args:
        like: the tiny model whose configuration it takes.
        tokenizer: of that model.
        say: from the prompt, as text, to the answer.
        sure: probability of each token that it writes; the rest is spread over the others.
    """

    def __init__(self, like, tokenizer, say: Callable[[str], str], sure: float = 0.9) -> None:
        self.config, self.device = like.config, torch.device("cpu")
        self.generation_config = SimpleNamespace(eos_token_id=tokenizer.eos_token_id, pad_token_id=None)
        self.inputs: list[dict] = []
        self.prompts: list[str] = []
        self.written = 0
        self._tokenizer, self._say, self._sure = tokenizer, say, sure

    def generate(self, *, input_ids, max_new_tokens, logits_processor, stopping_criteria, **inputs):
        prompt = self._tokenizer.decode(input_ids[0])
        self.inputs.append(inputs)
        self.prompts.append(prompt)
        tokens = [*self._tokenizer.encode(self._say(prompt), add_special_tokens=False), self._tokenizer.eos_token_id]
        size = len(self._tokenizer)
        for token in tokens[:max_new_tokens]:
            probabilities = torch.full((1, size), (1 - self._sure) / (size - 1))
            probabilities[0, token] = self._sure
            scores = logits_processor(input_ids, probabilities.log())
            input_ids = torch.cat([input_ids, scores.argmax(dim=-1, keepdim=True)], dim=1)
            self.written += 1
            if bool(stopping_criteria(input_ids, None).all()):
                break
        return input_ids
