"""What the decoder is asked: a conversation about a clip as embeddings, with the form of its answer."""

from collections.abc import Sequence
from dataclasses import replace
from typing import cast

import torch
from torch import Tensor

from vitron_ros.grounding.draft_proposer import DraftProposer
from vitron_ros.grounding.frame_tokens import FrameTokens
from vitron_ros.grounding.prompt_turns import follow, grammar, turns
from vitron_ros.grounding.reply_conversion import text_before_tags
from vitron_ros.grounding.request import ModelRequest, Task
from vitron_ros.model.answers import Box
from vitron_ros.model.checkpoint import Checkpoint
from vitron_ros.model.decoding import Request
from vitron_ros.model.prompts import Prompt, Turn
from vitron_ros.model.region import MarkedRegion, RegionEncoder


class DecoderRequests:
    """Words requests for one model.

    Args:
        drafts: boxes are guessed from those before them and checked together.
    """

    def __init__(self, checkpoint: Checkpoint, *, drafts: bool) -> None:
        self._model, self._tokenizer, self._prompts = checkpoint
        self._scale, self._drafts = self._tokenizer.number_scale(), drafts
        self._has_grammar = self._prompts.profile.dialect == "integers"  # the grammar's boxes are

    def answer(self, request: ModelRequest, clip: Sequence[FrameTokens]) -> Request:
        """For a request about a clip.

        Raises:
            ModelError: it cannot be worded.
            RegionError: a box or a region of it lies outside the image.
        """
        regions = self._regions(request, clip[-1]) if request.regions else None
        made = self._request(request, clip, turns(request), request.task, regions)
        say = request.on_text
        return made if say is None else replace(made, on_text=lambda text: say(text_before_tags(text)))

    def follow(self, request: ModelRequest, clip: Sequence[FrameTokens], box: Box) -> Request:
        """For where what the first frame of a request's clip shows in a box is in each of its frames.

        Raises:
            ModelError: it cannot be worded.
        """
        return self._request(request, clip, [follow(box, len(clip))], Task.FOLLOW)

    def _regions(self, request: ModelRequest, newest: FrameTokens) -> Tensor:
        frame = request.frames[-1]
        marked = [MarkedRegion(region=region, width=frame.width, height=frame.height) for region in request.regions]
        return self._model.region_tokens(newest.features, marked)

    def _request(
        self,
        request: ModelRequest,
        clip: Sequence[FrameTokens],
        conversation: Sequence[Turn],
        task: Task,
        regions: Tensor | None = None,
    ) -> Request:
        """A conversation about a clip, under the terms of a request, without the oldest turns where all do not fit."""
        form = grammar(task, len(clip), self._tokenizer) if self._has_grammar else None
        draft_proposer = None
        if self._drafts and form is not None and len(clip) > 1:
            draft_proposer = DraftProposer(form, self._scale, conversation[-1].box)
        visual = torch.stack([one.tokens for one in clip])
        prompt = self._fitting(conversation, tokens_per_image=visual.shape[1])
        return Request(
            embeds=self._model.splice(prompt, visual, regions),
            max_new_tokens=self._model.config.generation.max_new_tokens,
            deadline_ns=request.deadline_ns,
            grammar=form,
            propose_draft=draft_proposer,
            is_cancelled=request.is_cancelled,
            scale=self._scale,
        )

    def _fitting(self, conversation: Sequence[Turn], tokens_per_image: int) -> Prompt:
        """The prompt of a conversation, or of as many of its newest turns as leave room for the answer; at least one.

        Only the newest turn has images and regions: what is left out is text.
        """
        config, region = self._model.config, cast("RegionEncoder | None", self._model.region)
        tokens_per_region = 0 if region is None else region.tokens_per_region
        room = config.language.max_positions - config.generation.max_new_tokens
        for first in range(len(conversation)):
            prompt = self._prompts.build(conversation[first:])
            if prompt.length(tokens_per_image, tokens_per_region) <= room:
                break
        return prompt
