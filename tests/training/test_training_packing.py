"""A packed question equals the question alone: same logits, and labels that spell its answer."""

import numpy as np
import pytest
import torch
from tiny_training import IMAGES, VIDEOS, tiny_checkpoint

from training.data import normalise
from training.dense import patch_shares
from training.packed_attention import BlockAttention, in_rows
from training.packing import IGNORE, PackedQuestions, Packer, PackSizes, add_box_noise, embed
from training.questions import Question, answer_text, make_question
from training.worlds import Clip, make_clip, make_samples
from vitron_ros.errors import ConfigError
from vitron_ros.model.parsing import ParseStatus, parse_reply

SIZES = PackSizes(tokens_per_frame=9, tokens_per_region=2, max_positions=512)


def ask(kind, seeds, sizes=SIZES, box_noise=None) -> tuple[list[Clip], list[list[Question]], PackedQuestions]:
    """Clips of a kind, their questions, and these packed."""
    builder = tiny_checkpoint().prompts
    packer, clips, asked = Packer(builder, sizes), [], []
    for index, seed in enumerate(seeds):
        clip = make_clip(seed, frames=kind.frames, size=48)
        rng = np.random.Generator(np.random.PCG64(seed))
        worded = [
            make_question(clip, sample, builder.profile, rng, takes_regions=True)
            for sample in make_samples(clip, seed, per_task=3, tasks=kind.tasks)
            if len(sample.frames) == kind.frames
        ]
        questions = [question for question in worded if question]
        packer.add_clip(questions, index * kind.frames, patch_shares(clip, 6), box_noise)
        clips.append(clip)
        asked.append(questions)
    packs = packer.packs()
    assert packs is not None
    return clips, asked, packs


def answers(packs: PackedQuestions) -> list[tuple[int, list[int]]]:
    """Row and columns that are asked of every question, in the order of the rows."""
    found = []
    for row in range(len(packs.token_ids)):
        for segment in range(1, int(packs.segments[row].max()) + 1):
            asked = (packs.labels[row] != IGNORE) & (packs.segments[row] == segment)
            found.append((row, asked.nonzero().flatten().tolist()))
    return found


@pytest.mark.parametrize("kind", [IMAGES, VIDEOS], ids=["images", "videos"])
@torch.inference_mode()
def test_logits_in_a_pack_equal_those_alone(kind):
    model, tokenizer, builder = tiny_checkpoint()
    clips, asked, packs = ask(kind, (1, 2, 5))
    model.eval()
    pixels = normalise(torch.cat([torch.from_numpy(clip.frames).permute(0, 3, 1, 2) for clip in clips]))
    features = model.vision(pixels, levels=model.region.levels)
    visual = model.visual_tokens(features).tokens
    marked = model.region_tokens(features, packs.regions) if packs.regions else None
    is_token = packs.segments >= 0
    embeds = embed(model, packs, visual, marked)[is_token][None]
    positions = packs.positions[is_token][None]
    packed = in_rows(model.language(embeds, BlockAttention(packs.segments), positions), is_token)
    spelled = {}
    for row, columns in answers(packs):
        text = tokenizer.decode(packs.labels[row, columns[:-1]].tolist())
        spelled.setdefault(text.strip(), []).append(packed[row, columns])
    compared = 0
    for clip, questions in zip(clips, asked, strict=True):
        own = model.features(model.pixels(list(clip.frames)))
        for question in questions:
            regions = model.region_tokens(own, question.regions) if question.regions else None
            prompt = model.splice(builder.build(question.turns), model.visual_tokens(own).tokens, regions)
            ids = torch.tensor(tokenizer.encode_answer(question.answer))
            alone = model.language(torch.cat([prompt, model.language.embed(ids)])[None])[0, len(prompt) - 1 :]
            candidates = spelled[question.answer.strip()]
            error = min(float((alone - candidate).abs().max()) for candidate in candidates)
            assert error < 1e-4, (question.turns, error)
            compared += 1
    assert compared == len(answers(packs)) > 15


def test_box_noise_changes_the_inputs_of_an_answer_and_not_its_labels():
    _, _, right = ask(VIDEOS, (1, 2, 5))
    _, _, wrong = ask(VIDEOS, (1, 2, 5), box_noise=lambda boxes: np.minimum(boxes + 3, 100))
    scale = tiny_checkpoint().tokenizer.number_scale()
    assert torch.equal(wrong.labels, right.labels)
    assert torch.equal(wrong.is_number, right.is_number)
    rows, columns = right.is_number.nonzero().unbind(1)
    before = [scale.index(token) for token in right.token_ids[rows, columns + 1].tolist()]
    after = [scale.index(token) for token in wrong.token_ids[rows, columns + 1].tolist()]
    assert after == [min(value + 3, 100) for value in before]
    elsewhere = torch.ones_like(right.is_number)
    elsewhere[rows, columns + 1] = False
    assert torch.equal(wrong.token_ids[elsewhere], right.token_ids[elsewhere])
    assert len(rows) > 50


def test_box_noise_is_correlated_and_stays_on_the_scale():
    rng = np.random.default_rng(0)
    said = np.full((8, 4), 50)
    errors = np.stack([add_box_noise(said, 6.0, rng) - said for _ in range(3000)])
    assert abs(errors.mean()) < 0.2
    assert 2.5 < np.abs(errors).mean() < 6
    assert 0.01 < (np.abs(errors) > 15).mean() < 0.1

    def alike(one, other):
        return np.corrcoef(one.ravel(), other.ravel())[0, 1]

    assert alike(errors[:, :, 0], errors[:, :, 2]) > 0.8  # a box moves as a whole
    assert alike(errors[:, 1:, 0], errors[:, :-1, 0]) > 0.5  # and the next is where it was
    assert abs(alike(errors[:, :, 0], errors[:, :, 1])) < 0.1
    for boxes in (add_box_noise(rng.integers(0, 101, (99, 4)), 50.0, rng), add_box_noise(2 * said, 1.0, rng)):
        assert boxes.min() >= 0
        assert boxes.max() <= 100


def test_rows_share_their_images_between_questions():
    _, asked, packs = ask(IMAGES, (1, 2, 5, 6))
    total = sum(map(len, asked))
    assert len(answers(packs)) == total
    assert len(packs.token_ids) < 0.5 * total


def test_number_labels_are_the_numbers_of_the_boxes():
    tokenizer = tiny_checkpoint().tokenizer
    for kind in (IMAGES, VIDEOS):
        _, asked, packs = ask(kind, (1, 2, 5))
        expected = sorted(
            round(100 * value)
            for questions in asked
            for question in questions
            for reply in [parse_reply(question.answer)]
            for box in [
                *(item.box for item in reply.boxes),
                *(box for box in reply.frames.values() if box),
                *([reply.invocation.region] if reply.invocation and reply.invocation.region else []),
            ]
            for value in box
        )
        numbers = {ids[0]: number for number, ids in enumerate(tokenizer.number_ids())}
        assert sorted(numbers[int(label)] for label in packs.labels[packs.is_number]) == expected
        assert len(expected) > 20


def test_pointers_lie_on_the_object_that_is_meant():
    _, _, packs = ask(VIDEOS, (1, 2, 5))
    numbers = {ids[0]: number for number, ids in enumerate(tiny_checkpoint().tokenizer.number_ids())}
    torch.testing.assert_close(packs.pointer_targets.sum(1), torch.ones(len(packs.pointers)))
    boxes = 0
    for (row, column, frame), share in zip(packs.pointers.tolist(), packs.pointer_targets, strict=True):
        if not packs.is_number[row, column] or packs.is_number[row, column - 2]:
            continue  # no box begins here
        for offset in (2, 4, 6):
            same = (packs.pointers == torch.tensor([row, column + offset, frame])).all(dim=1)
            torch.testing.assert_close(packs.pointer_targets[same], share[None])
        x1, y1, x2, y2 = (numbers[int(packs.labels[row, column + offset])] / 100 for offset in (0, 2, 4, 6))
        rows, columns = np.divmod(np.arange(36), 6)
        x, y = (float(share.numpy() @ (cells + 0.5)) / 6 for cells in (columns, rows))
        assert x1 - 1 / 6 <= x <= x2 + 1 / 6 and y1 - 1 / 6 <= y <= y2 + 1 / 6
        boxes += 1
    assert boxes > 10


def test_every_answer_is_readable():
    seen = set()
    for seed in range(30):
        for frames in (1, 3):
            clip = make_clip(seed, frames=frames, size=48)
            for sample in make_samples(clip, seed):
                answer = answer_text(clip, sample)
                if answer is not None:
                    reply = parse_reply(answer)
                    assert (reply.status, reply.repairs) == (ParseStatus.OK, ()), answer
                    assert reply.is_absent == (sample.absent and sample.task in ("rec", "rsot")), answer
                    seen.add(sample.task)
    assert len(seen) == 10


def test_a_question_longer_than_the_context_is_refused():
    with pytest.raises(ConfigError, match="fewer frames"):
        ask(VIDEOS, (1, 2), PackSizes(tokens_per_frame=9, tokens_per_region=2, max_positions=60))
