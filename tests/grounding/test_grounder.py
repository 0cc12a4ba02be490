"""The model behind the slow loop, against the evaluation of training, against itself, and under scripted answers."""

import logging
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest
import torch
from scripted_decoder import ScriptedDecoder

import training.evaluate
from tests.fakes import frame
from training.evaluate import EvaluationCase, ModelPredictor
from training.questions import make_question
from training.worlds import make_clip, make_samples
from vitron_ros.boxes import xyxy_from_norm
from vitron_ros.config import ModelRun
from vitron_ros.errors import ModelError
from vitron_ros.frame import Frame
from vitron_ros.grounding.grounder import Grounder
from vitron_ros.grounding.out_of_distribution import OutOfDistributionDetector
from vitron_ros.grounding.prompt_turns import TIME, turns, with_needed_frames
from vitron_ros.grounding.request import ConversationTurn, ModelRequest, ReplyStatus, Task
from vitron_ros.grounding.vocabulary import Vocabulary
from vitron_ros.model.answers import Invocation
from vitron_ros.model.checkpoint import save_pretrained
from vitron_ros.model.config import ModelConfig, RegionConfig
from vitron_ros.model.parsing import parse_reply
from vitron_ros.model.prompts import Turn
from vitron_ros.model.vitron import VitronModel
from vitron_ros.module_registry import Module
from vitron_ros.region import Region

WIDTH, HEIGHT = 64, 48
ANSWER = 120  # tokens of an answer of the small model, enough for a track of eight frames
TASKS = {"rec": Task.FIND, "rsot": Task.FIND, "sot": Task.FOLLOW}


def noise(index: int, seed: int = 0, **values) -> Frame:
    rgb = np.random.default_rng([seed, index]).integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8)
    return Frame(rgb=rgb, stamp_ns=1_000_000_000 + index, index=index, **values)


def clip(count: int, seed: int = 0) -> tuple[Frame, ...]:
    return tuple(noise(index, seed) for index in range(count))


def find(frames=None, text: str = "the red ring", id: str = "a", **values) -> ModelRequest:
    return ModelRequest(id=id, task=Task.FIND, frames=clip(1) if frames is None else frames, text=text, **values)


def ask(text: str, frames=None, id: str = "q", **values) -> ModelRequest:
    return ModelRequest(id=id, task=Task.ASK, frames=clip(1) if frames is None else frames, text=text, **values)


def scripted(checkpoint, monkeypatch, *lines, **options) -> tuple[Grounder, ScriptedDecoder]:
    decoder = ScriptedDecoder(*lines)
    monkeypatch.setattr("vitron_ros.grounding.grounder.Decoder", lambda *args, **kwargs: decoder)
    return Grounder(checkpoint, **options), decoder


# Against the evaluation of training


def as_request(case: EvaluationCase, frames: tuple[Frame, ...]) -> ModelRequest:
    """A question of the evaluation, as the runtime asks it."""
    sample, question, world, first = case.question.sample, case.question, case.clip, case.question.sample.frames[0]
    regions = tuple(marked.region for marked in question.regions)
    box = question.turns[-1].box
    history = [
        ConversationTurn(
            question=turn.user,
            reply="it is there",
            box_xyxy=None if turn.target is None else world.boxes_xyxy[first, turn.target],
        )
        for turn in sample.history
    ]
    return ModelRequest(
        id=f"{id(case)}",
        task=TASKS.get(sample.task, Task.ASK),
        frames=frames,
        text=sample.expression or sample.question,
        box_xyxy=None if box is None else np.asarray(xyxy_from_norm(box, world.width, world.height)),
        regions=regions,
        history=tuple(history),
    )


def cases_of(checkpoint, task: str, count: int) -> list[EvaluationCase]:
    """Questions about wide clips of one frame or four. Marks in clips are of the first frame there: left out."""
    length = 4 if task in ("rsot", "sot", "video_qa", "clip invocation") else 1
    found = []
    for seed in range(200):
        world = make_clip(seed, frames=length, size=(HEIGHT, WIDTH), split="val")
        for sample in make_samples(world, seed, per_task=2, tasks=(task.removeprefix("clip "),)):
            question = make_question(world, sample, checkpoint.prompts.profile, None, takes_regions=True)
            if question and len(sample.frames) == length and (length == 1 or _is_about_time(sample, question)):
                found.append(EvaluationCase(world, question))
        if len(found) >= count:
            return found[:count]
    raise AssertionError(f"the worlds have too few questions of {task}")


def _is_about_time(sample, question) -> bool:
    """Whether the runtime, too, would show the clip and not its newest frame alone."""
    return sample.task in TASKS or (not question.regions and bool(TIME.search(sample.question)))


@pytest.mark.parametrize("task", ["rec", "rsot", "sot", "vqa", "video_qa", "invocation", "clip invocation"])
def test_prompts_and_answers_are_those_of_the_evaluation(checkpoint, monkeypatch, task):
    monkeypatch.setattr(training.evaluate, "MAX_ANSWER", ANSWER)
    cases = cases_of(checkpoint, task, 24)
    if task in ("vqa", "invocation"):
        assert any(case.question.regions for case in cases)
    if task == "rec":
        assert any(len(case.question.turns) > 1 for case in cases)
    requests = [
        as_request(case, tuple(Frame(rgb=case.clip.frames[f], stamp_ns=1 + f) for f in case.question.sample.frames))
        for case in cases
    ]
    predictor = ModelPredictor(checkpoint, rows=4)
    grounder, decoder = scripted(checkpoint, monkeypatch, "none")
    grounder.reply(requests)
    for case, request in zip(cases, decoder.asked, strict=True):
        wanted = predictor._request(case)
        torch.testing.assert_close(request.embeds, wanted.embeds, atol=1e-5, rtol=1e-5)
        assert request.grammar is wanted.grammar
        assert request.max_new_tokens == wanted.max_new_tokens
    monkeypatch.undo()
    monkeypatch.setattr(training.evaluate, "MAX_ANSWER", ANSWER)
    replies = Grounder(checkpoint, rows=4).reply(requests[:3])
    spoken = [parse_reply(text).text if task not in TASKS else text for text in predictor(cases[:3])]
    assert [reply.text for reply in replies] == spoken


def test_questions_and_commands_need_no_telling_apart(checkpoint):
    prompts = checkpoint.prompts
    built = [prompts.build([Turn(task=task, text="Cut out the red ring.", images=2)]) for task in
             ("vqa", "video_qa", "invocation", "conversation")]  # fmt: skip
    assert built.count(built[0]) == 4


# Against itself


def test_several_at_once_are_answered_as_each_alone(checkpoint):
    frames = clip(4)
    requests = [
        find(frames, "the red ring", "a"),
        find(frames[3:], "the blue square", "b"),
        ModelRequest(id="c", task=Task.FOLLOW, frames=frames[1:], box_xyxy=np.array([5.0, 5, 30, 30])),
        ask("How many rings move?", frames, "d"),
        ask("What is this?", frames[3:], "e", regions=(Region.from_box([5.0, 5, 30, 30]),)),
        find(clip(3, seed=1), "the green star", "f"),
    ]
    grounder = Grounder(checkpoint, rows=4)
    together = grounder.reply(requests)
    assert [reply.id for reply in together] == list("abcdef")
    for request, reply in zip(requests, together, strict=True):
        alone = Grounder(checkpoint, rows=1).reply([request])[0]
        assert (reply.text, reply.status, reply.stamps_ns) == (alone.text, alone.status, alone.stamps_ns)
        assert reply.score == pytest.approx(alone.score, rel=1e-3)
        assert reply.stamps_ns == tuple(frame.stamp_ns for frame in request.frames)
        np.testing.assert_array_equal(reply.kept, alone.kept)
        if alone.boxes_xyxy is not None:
            np.testing.assert_array_equal(reply.boxes_xyxy, alone.boxes_xyxy)
    assert grounder._clips.frames.encoded == 7


def test_clips_that_overlap_are_encoded_once_and_answered_the_same(checkpoint):
    grounder, frames = Grounder(checkpoint), clip(8)
    for first in range(4):
        request = find(frames[first : first + 5])
        reply, fresh = grounder.reply([request])[0], Grounder(checkpoint).reply([request])[0]
        assert (reply.text, reply.status) == (fresh.text, fresh.status)
        assert grounder._clips.frames.encoded == 5 + first
        assert reply.kept.shape == (5, 6, 6)
        assert reply.kept.sum(axis=(1, 2)).tolist() == [9] * 5


# Under scripted answers


def test_boxes_are_pixels_of_the_image(checkpoint, monkeypatch):
    grounder, _ = scripted(checkpoint, monkeypatch, "Frame 1: [10,20,30,40], Frame 2: none, Frame 3: [0,0,100,100].")
    reply = grounder.reply([find(clip(3))])[0]
    assert reply.status is ReplyStatus.OK and reply.message == "" and reply.score == 0.5
    np.testing.assert_allclose(reply.boxes_xyxy[[0, 2]], [[6.4, 9.6, 19.2, 19.2], [0, 0, 64, 48]])
    assert np.isnan(reply.boxes_xyxy[1]).all()
    assert reply.grounded == () and reply.invocation is None


def test_absence_is_an_answer_and_gibberish_is_not(checkpoint, monkeypatch):
    grounder, _ = scripted(checkpoint, monkeypatch, "none", "It is red.", rows=2)
    absent, unreadable = grounder.reply([find(clip(2)), find(clip(2), id="b")])
    assert (
        absent.status is ReplyStatus.ABSENT and np.isnan(absent.boxes_xyxy).all() and absent.boxes_xyxy.shape == (2, 4)
    )
    assert absent.score == 0.5 and absent.message == "small does not see it"
    assert unreadable.status is ReplyStatus.UNREADABLE and unreadable.boxes_xyxy is None and unreadable.score == 0
    assert unreadable.message == "small gave a reply that cannot be read: 'It is red.'"


CUT_OUT = (
    "I will cut it out. <module>Image Segmentation</module> <instruction>segmentation: red ring</instruction> "
    "<region>[10,20,30,40]</region>"
)


def test_an_invocation_comes_with_its_words_and_region(checkpoint, monkeypatch):
    grounder, decoder = scripted(checkpoint, monkeypatch, CUT_OUT)
    told = []
    reply = grounder.reply([ask("Cut out the red ring.", on_text=told.append)])[0]
    assert reply.status is ReplyStatus.OK and reply.text == "I will cut it out." and reply.boxes_xyxy is None
    assert reply.invocation == Invocation(Module.IMAGE_SEGMENTATION, ("segmentation: red ring",), (0.1, 0.2, 0.3, 0.4))
    assert told[-1] == "I will cut it out." and not any("<" in text for text in told)
    assert len(decoder.asked) == 1


def test_boxes_of_an_answer_about_a_clip_are_followed_to_its_newest_frame(checkpoint, monkeypatch):
    lines = [CUT_OUT + " a star: [1,2,3,4], a gone ring: [5,6,7,8]", "Frame 1: [10,20,30,40], Frame 2: [50,50,60,60].",
             "Frame 2: [20,20,40,40].", "none"]  # fmt: skip
    grounder, decoder = scripted(checkpoint, monkeypatch, *lines, rows=8)
    request = ask("Cut out the red ring in the clip.", clip(2), is_cancelled=lambda: False, deadline_ns=2**62)
    reply = grounder.reply([request])[0]
    assert reply.status is ReplyStatus.OK
    assert reply.invocation.region == (0.5, 0.5, 0.6, 0.6)
    assert [item.label for item in reply.grounded] == ["a star"]
    np.testing.assert_allclose(reply.grounded[0].box_xyxy, [12.8, 9.6, 25.6, 19.2])
    assert decoder.batches == [1, 3]
    # Asked as any other box that is to be followed, under the same terms.
    box = np.array([6.4, 9.6, 19.2, 19.2])
    grounder.reply([ModelRequest(id="f", task=Task.FOLLOW, frames=request.frames, box_xyxy=box)])
    torch.testing.assert_close(decoder.asked[1].embeds, decoder.asked[4].embeds)
    assert decoder.asked[1].grammar is decoder.asked[4].grammar
    assert (decoder.asked[1].deadline_ns, decoder.asked[1].is_cancelled) == (2**62, request.is_cancelled)


def test_an_invocation_whose_target_has_left_calls_nothing(checkpoint, monkeypatch):
    grounder, _ = scripted(checkpoint, monkeypatch, CUT_OUT, "Frame 1: [10,20,30,40], Frame 2: none.")
    reply = grounder.reply([ask("Cut out the red ring in the clip.", clip(2))])[0]
    assert reply.status is ReplyStatus.ABSENT and reply.invocation is None
    assert "does not see in the newest image" in reply.message


@pytest.mark.parametrize(
    ("finish", "status"), [("cancelled", ReplyStatus.CANCELLED), ("deadline", ReplyStatus.DEADLINE)]
)
@pytest.mark.parametrize("lines", [[("[10,20,",)], [(CUT_OUT, "stop"), ("Frame 1: [1",)]], ids=["first", "second"])
def test_an_answer_that_is_cut_off_has_no_boxes(checkpoint, monkeypatch, lines, finish, status):
    grounder, _ = scripted(checkpoint, monkeypatch, *lines[:-1], (*lines[-1], finish))
    request = find() if len(lines) == 1 else ask("Cut out the red ring in the clip.", clip(2))
    reply = grounder.reply([request])[0]
    assert reply.status is status and reply.message
    assert (reply.boxes_xyxy, reply.invocation, reply.grounded, reply.score) == (None, None, (), 0.0)


# What goes wrong


PAST = ConversationTurn(question="Find it.", reply="", box_xyxy=np.full(4, np.nan))
BAD = {
    "a region outside": (ask("What is this?", regions=(Region.from_box([80.0, 5, 90, 30]),)), "lies outside the image"),
    "a box outside": (ModelRequest(id="", task=Task.FOLLOW, frames=clip(2), box_xyxy=np.array([70.0, 1, 90, 9])),
                      "lies outside the image"),
    "a box of nothing": (ModelRequest(id="", task=Task.FOLLOW, frames=clip(2), box_xyxy=np.full(4, np.nan)),
                         "four finite numbers"),
    "no box": (ModelRequest(id="", task=Task.FOLLOW, frames=clip(2)), "FOLLOW needs the box"),
    "no text": (find(text="  "), "text is empty"),
    "no frames": (find(()), "0 frames; small takes 1 to 8"),
    "too many frames": (find(clip(9)), "9 frames; small takes 1 to 8"),
    "too long": (ask("ring " * 600), "exceeds the context of 512; give fewer frames or shorter text"),
    "a box in the past": (ask("What is it?", history=(PAST,)), "four finite numbers"),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_what_goes_wrong_with_one_request_does_no_harm_to_the_others(checkpoint, name):
    request, message = BAD[name]
    good, other = find(id="good"), ask("What colour is the ring?", id="other")
    grounder = Grounder(checkpoint)
    replies = grounder.reply([good, replace(request, id="bad"), other])
    assert [reply.id for reply in replies] == ["good", "bad", "other"]
    assert replies[1].status is ReplyStatus.FAILED
    assert message in replies[1].message
    fresh = Grounder(checkpoint).reply([good, other])
    assert [(reply.text, reply.status) for reply in (replies[0], replies[2])] == [(r.text, r.status) for r in fresh]


@pytest.mark.parametrize("count", [1, 8, 60])
def test_a_conversation_keeps_what_fits_and_the_newest_turn_whole(checkpoint, count):
    """Sixty turns do not fit; the oldest go. What is asked then is asked with as many as a shorter talk has."""
    turn = ConversationTurn(question="Where is the ring?", reply="It is on the left, beside the blue square.")
    grounder, request = Grounder(checkpoint), ask("What is it?", frames=clip(4))
    (reply,) = grounder.reply([replace(request, history=(turn,) * count)])
    assert reply.status is not ReplyStatus.FAILED, reply.message
    lengths = [turns_length(checkpoint, replace(request, history=(turn,) * n)) for n in range(61)]
    most = max(n for n, length in enumerate(lengths) if length <= 512 - ANSWER)
    (fitting,) = Grounder(checkpoint).reply([replace(request, history=(turn,) * min(count, most))])
    assert 1 < most < 60
    assert reply.text == fitting.text


def turns_length(checkpoint, request: ModelRequest) -> int:
    """Tokens of a question's prompt, of its newest frame alone."""
    return checkpoint.prompts.build(turns(with_needed_frames(request))).length(checkpoint.model.config.tokens_per_frame)


def test_a_prompt_of_just_the_context_does_no_harm_either(checkpoint):
    """Splicing allows a prompt that fills the context; the decoder refuses it, and with it its whole batch."""
    length = checkpoint.prompts.build([Turn(task="vqa", text="A.", images=1)]).length(9)
    texts = ["A" + " 1" * count for count in range(200, 512 - length + 1)]
    fits = next(
        t for t in texts if checkpoint.prompts.build([Turn(task="vqa", text=f"{t}.", images=1)]).length(9) >= 511
    )
    requests = [find(id="good"), *(ask(f"{fits}{tail}.", id=tail) for tail in ("", " 1", "1"))]
    replies = Grounder(checkpoint).reply(requests)
    assert replies[0].status is not ReplyStatus.FAILED
    assert any("and its answer exceed the context of 512" in reply.message for reply in replies)


def test_a_model_that_takes_no_regions_says_so(checkpoint, tmp_path):
    from training.tiny import new_checkpoint

    config = replace(checkpoint.model.config, region=RegionConfig(kind="none"))
    path = tmp_path / "model.json"
    path.write_text(config.to_json())
    plain = new_checkpoint(str(path), seed=0, tokenizer_clips=2)
    reply = Grounder(plain).reply([ask("What is this?", regions=(Region.from_point(5, 5),))])[0]
    assert reply.status is ReplyStatus.FAILED
    assert "takes no regions; give the box as text" in reply.message


def test_a_model_that_fails_fails_its_requests_and_a_bug_shows_itself(checkpoint, monkeypatch):
    grounder, _ = scripted(checkpoint, monkeypatch, ModelError("NaN"), "none", rows=1)
    replies = grounder.reply([find(id="a"), find(id="b")])
    assert [(reply.status, reply.message) for reply in replies] == [
        (ReplyStatus.FAILED, "NaN"), (ReplyStatus.ABSENT, "small does not see it")
    ]  # fmt: skip
    broken, _ = scripted(checkpoint, monkeypatch, KeyError("a bug"))
    with pytest.raises(KeyError, match="a bug"):
        broken.reply([find()])


def raises(*arguments):
    raise ValueError("user's callback")


@pytest.mark.parametrize("callback", ["is_cancelled", "on_text"])
def test_a_callback_that_raises_costs_its_own_request_alone(checkpoint, callback):
    good, other = find(id="good"), ask("What colour is the ring?", id="other")
    bad = ask("What colour is the ring?", id="bad", **{callback: raises})
    replies = Grounder(checkpoint).reply([good, bad, other])
    assert replies[1].status is ReplyStatus.FAILED
    assert replies[1].message == f"the caller's {callback} raised ValueError: user's callback"
    alone = Grounder(checkpoint).reply([good, other])
    assert [replies[0].text, replies[2].text] == [reply.text for reply in alone]


def test_what_fails_together_is_asked_one_by_one(checkpoint, monkeypatch):
    grounder, decoder = scripted(checkpoint, monkeypatch, ModelError("NaN"), "none", ModelError("NaN"), rows=2)
    replies = grounder.reply([find(id="a"), find(id="b")])
    assert [reply.status for reply in replies] == [ReplyStatus.ABSENT, ReplyStatus.FAILED]
    assert decoder.batches == [2, 1, 1]


def test_a_callback_that_asks_the_model_again_is_told_not_to(checkpoint):
    grounder = Grounder(checkpoint)
    question = ask("What colour is the ring?")
    (reply,) = grounder.reply([replace(question, on_text=lambda text: grounder.reply([question]))])
    assert reply.status is ReplyStatus.FAILED
    assert "asked from a callback of its own answer" in reply.message
    assert grounder.reply([question])[0].status is not ReplyStatus.FAILED


def test_threads_that_ask_at_once_are_answered_as_each_alone(checkpoint):
    grounder = Grounder(checkpoint, rows=2)
    requests = [ask(f"What colour is the {thing}?", clip(2, seed), id=thing) for seed, thing in enumerate("ABC")]
    alone = [grounder.reply([request])[0].text for request in requests]
    with ThreadPoolExecutor(4) as pool:
        rounds = list(pool.map(lambda _: [grounder.reply([request])[0].text for request in requests], range(4)))
    assert rounds == [alone] * 4


def test_what_nobody_waits_for_is_not_even_looked_at(checkpoint):
    now = [100]
    grounder = Grounder(checkpoint, now_ns=lambda: now[0])
    replies = grounder.reply([find(is_cancelled=lambda: True), find(deadline_ns=100), find(deadline_ns=99)])
    assert [reply.status for reply in replies] == [ReplyStatus.CANCELLED, ReplyStatus.DEADLINE, ReplyStatus.DEADLINE]
    assert all(reply.message for reply in replies)
    assert grounder._clips.frames.encoded == 0


def test_a_deadline_and_a_cancel_end_an_answer_on_its_way(checkpoint):
    ticks = iter(range(10_000))
    late, other = ask("How many?", deadline_ns=6, id="late"), ask("How many?", id="other")
    replies = Grounder(checkpoint, now_ns=lambda: next(ticks)).reply([late, other])
    assert [reply.status for reply in replies] == [ReplyStatus.DEADLINE, ReplyStatus.OK]
    assert 0 < len(replies[0].text) < len(replies[1].text)
    asked = iter([False, False, False, True])
    withdrawn = replace(other, is_cancelled=lambda: next(asked))
    assert Grounder(checkpoint).reply([withdrawn])[0].status is ReplyStatus.CANCELLED


def test_no_requests_no_replies(checkpoint):
    assert Grounder(checkpoint).reply([]) == []


def test_models_that_look_at_clips_as_a_whole_are_refused(checkpoint):
    average = checkpoint.model.config
    model = type(checkpoint.model)(replace(average, temporal="average"))
    with pytest.raises(ModelError, match="small looks at clips as a whole"):
        Grounder(checkpoint._replace(model=model))


# What stands beside a model


def test_words_that_were_never_taught_are_refused_before_the_model_runs(checkpoint, monkeypatch):
    known = Vocabulary.collect(["find the red ring", "what is it"])
    grounder, decoder = scripted(checkpoint, monkeypatch, "none", vocabulary=known)
    replies = grounder.reply(
        [find(text="the person in a red jacket"), ask("What is it?"), find(text="red rings", id="b")]
    )
    assert [reply.status for reply in replies] == [ReplyStatus.UNKNOWN, ReplyStatus.ABSENT, ReplyStatus.ABSENT]
    assert replies[0].message == (
        'small was never taught "person", "in", "a", "jacket"; its model card says what it knows'
    )
    assert len(decoder.asked) == 2 and grounder._clips.frames.encoded == 2
    follow = ModelRequest(id="f", task=Task.FOLLOW, frames=clip(2), text="a person", box_xyxy=np.array([1.0, 1, 9, 9]))
    assert grounder.reply([follow])[0].status is ReplyStatus.ABSENT


def test_footage_unlike_all_it_knows_is_warned_of_once(checkpoint, monkeypatch, caplog):
    grounder, _ = scripted(checkpoint, monkeypatch, "none")
    looks = np.stack([one.mean_patch for one in grounder._clips.frames([noise(index) for index in range(60)])])
    known = OutOfDistributionDetector.fit(looks)
    grounder, _ = scripted(checkpoint, monkeypatch, "none", ood_detector=known)
    with caplog.at_level(logging.WARNING):
        grounder.reply([find(clip(3))])
        assert not caplog.records and not grounder.is_out_of_distribution
        for index in range(4):
            grounder.reply([find((frame(index, camera="other"),))])
    assert grounder.is_out_of_distribution
    assert [record.message for record in caplog.records] == [
        "this footage looks unlike all that small was trained on; expect wrong answers, or use another model"
    ]


def test_a_model_is_loaded_with_what_stands_beside_it(checkpoint, tmp_path):
    save_pretrained(checkpoint.model, tmp_path, tokenizer=checkpoint.tokenizer, dtype=torch.float16)
    Vocabulary.collect(["red ring"]).save(tmp_path)
    OutOfDistributionDetector(np.zeros(32, np.float32), np.eye(32, dtype=np.float32), 1e-9).save(tmp_path)
    grounder = Grounder.load(tmp_path, ModelRun(backend="torch"), rows=2)
    assert (grounder.name, grounder.max_frames, grounder.max_requests) == ("small", 8, 2)
    replies = grounder.reply([find(text="red ring"), find(text="blue ring", id="b")])
    assert replies[1].status is ReplyStatus.UNKNOWN
    assert replies[0].kept is not None and replies[0].seconds > 0
    assert grounder.is_out_of_distribution
    assert ModelConfig().max_frames > 8  # a longer clip than any that training shows is not taken


def test_every_backend_gives_the_same_replies(checkpoint, tmp_path, monkeypatch):
    pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
    pytest.importorskip("onnxscript", reason="onnxscript is not installed")
    monkeypatch.setenv("VITRON_ENGINES", str(tmp_path / "engines"))
    config = checkpoint.model.config
    torch.manual_seed(4)
    model = VitronModel(replace(config, language=replace(config.language, head_dim=16)))
    for weight in model.language.parameters():
        if weight.dim() == 2:
            torch.nn.init.normal_(weight, std=0.3)  # else one number repeats, which anything would get right
    save_pretrained(model, tmp_path, tokenizer=checkpoint.tokenizer)
    requests = [find(clip(3)), find(clip(2), id="b"), find((frame(7),), id="c")]
    replies = {
        backend: Grounder.load(tmp_path, ModelRun(backend=backend), rows=3).reply(requests)
        for backend in ("torch", "onnx")
    }
    assert any(len(set(reply.text)) > 6 for reply in replies["torch"])
    for ours, theirs in zip(*replies.values(), strict=True):
        assert (ours.status, ours.text) == (theirs.status, theirs.text)
        assert ours.score == pytest.approx(theirs.score, abs=1e-3)
        assert np.array_equal(ours.kept, theirs.kept)
