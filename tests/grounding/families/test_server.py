"""A model behind a server: requests become prompts and images, answers become boxes in pixels of the camera's image."""

import re
import subprocess
import sys
import threading
import time
from dataclasses import replace

import numpy as np
import pytest

from tests.fakes import frame
from tests.grounding.families.fake_server import FakeServer, closed, half, image_of, parts, silence, status, token
from vitron_ros.config import ModelRun
from vitron_ros.errors import ConfigError, ModelError
from vitron_ros.frame import Frame
from vitron_ros.grounding.families.box_text import INTERNVL, QWEN2_5_VL, QWEN3_VL, write_boxes
from vitron_ros.grounding.families.certainty import UNSCORED
from vitron_ros.grounding.families.chat_http import KEY_VARIABLE
from vitron_ros.grounding.families.sent_image import MOST_PX, sent_size
from vitron_ros.grounding.families.server_address import read_address
from vitron_ros.grounding.request import ConversationTurn, ModelRequest, ReplyStatus, Task
from vitron_ros.region import Region
from vitron_ros.streaming.models import load_model

FAMILIES = {"qwen3-vl": QWEN3_VL, "qwen2.5-vl": QWEN2_5_VL, "internvl": INTERNVL}
MUG = '[{"bbox_2d": [100, 200, 300, 400], "label": "mug"}]'


@pytest.fixture
def server():
    with FakeServer(lambda body: MUG) as server:
        yield server


@pytest.fixture
def model(server):
    model = load_model(server.url, ModelRun())
    yield model
    model.close()


def find(text="the mug", frames=None, **terms):
    terms = {"deadline_ns": time.monotonic_ns() + 60_000_000_000, **terms}
    return ModelRequest(id="1", task=Task.FIND, frames=frames or (frame(),), text=text, **terms)


def ask(text="what is this?", **terms):
    return ModelRequest(id="2", task=Task.ASK, frames=terms.pop("frames", (frame(),)), text=text, **terms)


def white_box(rgb):
    """Where the white thing is in an image that a model is shown."""
    rows, columns = np.nonzero((rgb > 127).all(axis=-1))
    return [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]


@pytest.mark.parametrize("size", [(640, 480), (1280, 720), (480, 640), (1920, 1080), (637, 479), (333, 1001), (64, 48)])
@pytest.mark.parametrize("family", FAMILIES)
def test_what_a_model_sees_is_found_where_it_is_in_the_camera_image(server, family, size):
    def see(body):
        rgb = image_of(*parts(body, "image_url"))
        return write_boxes(white_box(rgb), ["it"], FAMILIES[family], (rgb.shape[1], rgb.shape[0]))

    server.answer = see
    width, height = size
    box = [width // 5, height // 4, width // 2, height * 3 // 4]
    rgb = np.zeros((height, width, 3), np.uint8)
    rgb[box[1] : box[3], box[0] : box[2]] = 255
    model = load_model(f"{server.url}#{server.models[0]['id']}@{family}", ModelRun())
    (reply,) = model.reply([find(frames=(frame(), Frame(rgb=rgb, stamp_ns=2)))])
    assert reply.status is ReplyStatus.OK and np.isnan(reply.boxes_xyxy[0]).all()
    near = 1 if width * height <= MOST_PX else 2  # px; a larger image is sent smaller
    np.testing.assert_allclose(reply.boxes_xyxy[1], box, atol=near)
    np.testing.assert_array_equal(reply.candidates_xyxy[0], reply.boxes_xyxy[1])
    model.close()


@pytest.mark.parametrize("size", [(640, 480), (1280, 720), (1, 1), (4000, 3000), (1000, 5), (37, 91)])
@pytest.mark.parametrize("dialect", FAMILIES.values(), ids=list(FAMILIES))
def test_a_size_that_was_sent_is_left_as_it_is(size, dialect):
    sent = sent_size(size, dialect)
    assert sent == sent_size(sent, dialect) and all(side % (32 if dialect is QWEN3_VL else 28) == 0 for side in sent)
    assert 0 < sent[0] * sent[1] <= MOST_PX


def test_the_sizes_are_those_of_the_published_processors():
    assert sent_size((640, 480), QWEN2_5_VL) == (644, 476) and sent_size((640, 480), QWEN3_VL) == (640, 480)


ANSWERS = {
    "none": ("[]", ReplyStatus.UNSURE),
    "none in words": ("There is no mug in the image.", ReplyStatus.UNSURE),
    "fenced": (f"```json\n{MUG}\n```", ReplyStatus.OK),
    "after a thought": (f"<think>[1, 2, 3, 4]?</think>\n{MUG}", ReplyStatus.OK),
    "a thought alone": ("<think>the mug is at [1, 2, 3, 4]", ReplyStatus.UNREADABLE),
    "prose": ("The mug is on the table.", ReplyStatus.UNREADABLE),
    "empty": ("", ReplyStatus.UNREADABLE),
    "three numbers": ('[{"bbox_2d": [1, 2, 3]}]', ReplyStatus.UNREADABLE),
    "half a box": ('[{"bbox_2d": [100, 200, 30', ReplyStatus.UNREADABLE),
    "no Unicode": ("\ud800", ReplyStatus.UNREADABLE),
}


@pytest.mark.parametrize("name", ANSWERS)
def test_an_answer_is_a_box_or_no_box(server, model, name):
    text, expected = ANSWERS[name]
    server.answer = lambda body: text
    (reply,) = model.reply([find()])
    assert reply.status is expected, reply.message
    assert (reply.boxes_xyxy is not None) == (expected is ReplyStatus.OK)
    assert bool(reply.message) == (expected is not ReplyStatus.OK)


def test_several_boxes_are_candidates(server, model):
    server.answer = lambda body: '[{"bbox_2d": [10, 20, 30, 40], "label": "a"}, {"bbox_2d": [50, 60, 70, 80]}]'
    (reply,) = model.reply([find()])
    expected = np.array([[10, 20, 30, 40], [50, 60, 70, 80]]) / 1000 * [64, 48, 64, 48]
    np.testing.assert_allclose(reply.candidates_xyxy, expected, atol=1e-4)
    assert len(reply.candidate_scores) == 2


PRESENCE = {
    "surely": ("yes", {"yes": 0.98, "no": 0.02}, ReplyStatus.OK, 0.98),
    "just": ("yes", {"Yes": 0.5, " yes": 0.1, "no": 0.3, "a": 0.1}, ReplyStatus.OK, 0.6 / 0.9),
    "not": ("no", {"no": 0.9, "yes": 0.1}, ReplyStatus.ABSENT, 0.9),
    "bound to yes against its will": ("yes", {"yes": 0.1, "no": 0.9}, ReplyStatus.ABSENT, 0.9),
    "yes without probabilities": ("Yes.", None, ReplyStatus.OK, UNSCORED),
    "no without probabilities": ("No, there is none.", None, ReplyStatus.ABSENT, UNSCORED),
    "after a thought": ("<think>no?</think>yes", None, ReplyStatus.OK, UNSCORED),
    "probabilities of something else": ("yes", {"```": 0.9}, ReplyStatus.OK, UNSCORED),
    "neither": ("maybe", None, ReplyStatus.UNREADABLE, 0.0),
    "nothing": ("", None, ReplyStatus.UNREADABLE, 0.0),
}


@pytest.mark.parametrize("name", PRESENCE)
def test_whether_it_is_there_is_asked_first_and_is_the_score(server, model, name):
    server.presence, probabilities, expected, score = PRESENCE[name]
    server.logprobs = token(probabilities) if probabilities else None
    (reply,) = model.reply([find()])
    assert reply.status is expected and reply.score == pytest.approx(score), reply.message
    assert len(server.asked) == (2 if expected is ReplyStatus.OK else 1)


def test_a_server_without_log_probabilities_is_said_once(server, model, caplog):
    replies = [model.reply([find()])[0] for _ in range(3)]
    assert {reply.score for reply in replies} == {UNSCORED} and UNSCORED >= 0.5
    assert caplog.text.count("does not know logprobs") == 1


def test_the_form_of_the_answer_is_demanded_and_matches_what_is_read(server, model):
    model.reply([find()])
    assert server.asked[0].body["structured_outputs"] == {"choice": ["yes", "no"]}
    form = server.asked[1].body["structured_outputs"]["regex"]
    assert re.fullmatch(form, MUG) and re.fullmatch(form, "[]") and not re.fullmatch(form, "a mug")
    assert server.asked[0].body["temperature"] == 0


def test_what_a_server_does_not_take_is_left_out_and_said_once(server, model, caplog):
    def refusing(name):
        return status("400 Bad Request", {"error": {"message": f"Unrecognized request argument: {name}"}})

    server.faults += [refusing("structured_outputs"), refusing("logprobs")]
    for _ in range(2):
        (reply,) = model.reply([find()])
        assert reply.status is ReplyStatus.OK
    assert not {"structured_outputs", "logprobs"} & set(server.asked[-1].body)
    assert len(server.asked) == 6 and caplog.text.count("does not know structured_outputs") == 1


def test_another_refusal_is_a_failure_with_the_servers_words(server, model):
    server.faults.append(status("400 Bad Request", {"error": {"message": "the prompt is too long"}}))
    (reply,) = model.reply([find()])
    assert reply.status is ReplyStatus.FAILED and "the prompt is too long" in reply.message
    assert len(server.asked) == 1


def test_an_image_is_sent_once_to_a_server_that_remembers_it(server, model, caplog):
    for text in ("the mug", "the cup"):
        model.reply([find(text)])
    assert [exchange.recalled for exchange in server.asked] == [0, 1, 1, 1]
    server.images.clear()
    assert model.reply([find()])[0].status is ReplyStatus.OK
    assert [exchange.recalled for exchange in server.asked[4:]] == [1, 0, 0]
    assert caplog.text.count("does not know uuid: each image is sent in full") == 1


def test_after_a_failure_images_are_sent_in_full(server, model):
    model.reply([find()])
    server.faults.append(closed)
    assert model.reply([find()])[0].status is ReplyStatus.FAILED
    model.reply([find()])
    assert [exchange.recalled for exchange in server.asked[3:]] == [0, 1]


def test_other_servers_are_sent_each_image_in_full(server):
    server.models = [{"id": "Qwen3VL-4B-Instruct-Q4_K_M.gguf", "owned_by": "llamacpp"}]
    model = load_model(server.url, ModelRun())
    picture = frame()
    for _ in range(2):
        model.reply([find(frames=(picture,))])
    content = [exchange.body["messages"][0]["content"][0] for exchange in server.asked]
    assert all(part["image_url"]["url"] and "uuid" not in part for part in content)
    model.close()


def test_a_question_comes_with_its_conversation_marks_and_frames(server, model):
    server.answer = lambda body: "A red mug."
    turn = ConversationTurn(question="what is there?", reply="A <|im_end|> mug.", box_xyxy=np.array([1.0, 2, 30, 40]))
    (reply,) = model.reply([ask(history=(turn,), regions=(Region.from_point(30, 20),))])
    assert reply.status is ReplyStatus.OK and reply.text == "A red mug."
    body = server.asked[0].body
    assert [message["role"] for message in body["messages"]] == ["user", "assistant", "user"]
    words = " ".join(parts(body, "text"))
    assert (
        "<|" not in words
        and '"bbox_2d"' in words
        and "The box drawn on the image" in words
        and "What is this?" in words
    )
    assert np.ptp(image_of(*parts(body, "image_url"))) > 60, "the mark is drawn"
    model.reply([ask("what moved?", frames=tuple(frame(n) for n in range(3)))])
    assert len(parts(server.asked[1].body, "image_url")) == 3


@pytest.mark.parametrize(
    ("probabilities", "expected", "score"),
    [({"yes": 0.9, "no": 0.1}, ReplyStatus.OK, 0.9), ({"no": 0.8, "yes": 0.2}, ReplyStatus.ABSENT, 0.8)],
)
def test_a_box_is_verified_by_the_probability_of_yes(server, model, probabilities, expected, score):
    server.presence, server.logprobs = next(iter(probabilities)), token(probabilities)
    region = Region.from_box([10, 10, 40, 40])
    (reply,) = model.reply([replace(find("the red mug"), task=Task.VERIFY, regions=(region,))])
    assert reply.status is expected and reply.score == pytest.approx(score)
    assert bool(reply.message) == (expected is ReplyStatus.ABSENT)
    (exchange,) = server.asked
    assert "Is what it marks the red mug?" in parts(exchange.body, "text")[0]
    assert exchange.body["structured_outputs"] == {"choice": ["yes", "no"]}
    assert np.ptp(image_of(*parts(exchange.body, "image_url"))) > 60, "the mark is drawn"


def test_a_description_is_asked_of_a_crop(server, model):
    server.answer = lambda body: "red mug"
    region = Region.from_box([0, 0, 8, 40])
    (reply,) = model.reply([replace(find(""), task=Task.DESCRIBE, regions=(region,))])
    assert (reply.status, reply.text) == (ReplyStatus.OK, "red mug")
    height, width = image_of(*parts(server.asked[0].body, "image_url")).shape[:2]
    assert height > 2 * width


@pytest.mark.parametrize(
    ("said", "probabilities", "score"),
    [("2", {"2": 0.6, "1": 0.2, "a": 0.2}, 0.75), ("the", {"the": 0.5, "1": 0.2}, 0.5), ("2", None, UNSCORED)],
)
def test_choices_bind_the_answer_and_its_score(server, model, said, probabilities, score):
    server.answer, server.logprobs = lambda body: said, token(probabilities) if probabilities else None
    (reply,) = model.reply([ask("which?", choices=("0", "1", "2"))])
    assert (reply.status, reply.text, reply.score) == (ReplyStatus.OK, said, pytest.approx(score))
    body = server.asked[0].body
    assert body["structured_outputs"] == {"choice": ["0", "1", "2"]} and body["max_tokens"] < 10


def test_an_answer_grows_and_names_boxes(server, model):
    server.answer = lambda body: f"Here: {MUG}"
    seen = []
    (reply,) = model.reply([ask(on_text=seen.append)])
    assert seen[-1] == reply.text == f"Here: {MUG}" and len(seen) > 1
    (named,) = reply.grounded
    assert named.label == "mug"


def test_what_a_model_cannot_do_or_is_not_marked_is_answered_without_the_server(server, model):
    follow = ModelRequest(id="3", task=Task.FOLLOW, frames=(frame(),), box_xyxy=np.array([1.0, 2, 3, 4]))
    outside = ask(regions=(Region.from_box([900, 900, 950, 950]),))
    late, unwanted = find(deadline_ns=0), find(is_cancelled=lambda: True)
    many = find(frames=tuple(frame(n) for n in range(9)))
    replies = model.reply([follow, outside, late, unwanted, many])
    assert [reply.status.value for reply in replies] == ["refused", "failed", "deadline", "cancelled", "failed"]
    assert all(reply.message for reply in replies) and not server.asked


@pytest.mark.parametrize("fault", [status("503 Busy"), half, closed, status("200 OK", b"<html>")])
def test_a_fault_costs_one_request_of_a_batch(server, model, fault):
    server.faults.append(fault)
    replies = model.reply([find() for _ in range(3)])
    assert sorted(reply.status.value for reply in replies) == ["failed", "ok", "ok"]


def test_a_cancelled_request_ends_while_others_are_answered(server, model):
    server.faults.append(silence)
    replies = model.reply([find(is_cancelled=lambda: bool(server.asked))])
    assert replies[0].status is ReplyStatus.CANCELLED and server.asked[0].is_gone.wait(20)


def test_robots_do_not_wait_for_each_others_cameras(server):
    """Four robots at one server; one robot's question hangs, and those of the others are open beside it."""
    server.least_at_once = 4
    robots = [load_model(server.url, ModelRun()) for _ in range(4)]
    server.faults.append(silence)
    stop = threading.Event()
    request = find(is_cancelled=stop.is_set, deadline_ns=None)
    hanging = threading.Thread(target=robots[0].reply, args=([request],))
    hanging.start()
    while not server.asked:
        time.sleep(0.01)
    replies, barrier = [], threading.Barrier(3)

    def ask_twice(robot):
        barrier.wait()
        for _ in range(2):
            replies.extend(robot.reply([find()]))

    threads = [threading.Thread(target=ask_twice, args=(robot,)) for robot in robots[1:]]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [reply.status for reply in replies] == [ReplyStatus.OK] * 6
    assert hanging.is_alive() and server.most_at_once >= 4
    stop.set()
    hanging.join()
    for robot in robots:
        robot.close()


ADDRESSES = {
    "http://": "cannot be read",
    "http://host:port/v1": "cannot be read",
    "http://ho st/v1": "cannot be read",
    "http://host:99999/v1": "cannot be read",
    "http://me:secret@host/v1": "no user, password or query",
    "http://host/v1?key=secret": "no user, password or query",
    "http://host/v1#model@gpt": "no family 'gpt'.*qwen3-vl",
    "http://127.0.0.1:9/v1": "cannot connect to http://127.0.0.1:9/v1: .*is the server running there",
}


@pytest.mark.parametrize("address", ADDRESSES)
def test_an_address_that_is_none_is_refused(address):
    with pytest.raises(ModelError, match=ADDRESSES[address]) as caught:
        load_model(address, ModelRun())
    assert "secret" not in str(caught.value)


def test_a_model_that_the_server_has_not_is_refused_with_the_list(server):
    with pytest.raises(ModelError, match="does not serve 'other'; it serves Qwen/Qwen3-VL-4B-Instruct"):
        load_model(f"{server.url}#other", ModelRun())


def test_a_family_that_is_not_known_is_never_guessed(server):
    server.models = [{"id": "robot-eyes", "root": "/models/my-vlm"}]
    with pytest.raises(ModelError, match=r"'robot-eyes' .*#robot-eyes@qwen3-vl .*qwen2\.5-vl, internvl"):
        load_model(server.url, ModelRun())
    server.models = [{"id": "robot-eyes", "root": "Qwen/Qwen2.5-VL-7B-Instruct"}]
    model = load_model(server.url, ModelRun())
    assert model.describe().source == "Qwen/Qwen2.5-VL-7B-Instruct" and model.describe().device == server.url
    model.close()


def test_how_a_model_here_is_kept_is_no_matter_of_a_server(server):
    with pytest.raises(ConfigError, match="leave them as they are"):
        load_model(server.url, ModelRun(weights="int8"))


def test_a_key_comes_from_the_environment_and_is_named_when_it_is_wrong(server, monkeypatch, caplog):
    monkeypatch.setenv(KEY_VARIABLE, "sk-secret\n")
    model = load_model(server.url, ModelRun())
    server.faults.append(status("401 Unauthorized", {"error": {"message": "Incorrect API key: sk-secret"}}))
    (reply,) = model.reply([find()])
    assert KEY_VARIABLE in reply.message and "sk-secret" not in reply.message + caplog.text
    assert server.asked[0].headers["authorization"] == "Bearer sk-secret"
    monkeypatch.setenv(KEY_VARIABLE, "sk-sécret")
    with pytest.raises(ModelError, match="cannot be sent") as caught:
        load_model(server.url, ModelRun())
    assert "cret" not in str(caught.value)
    model.close()


@pytest.mark.parametrize("url, is_private", [("https://host/v1", True), ("http://host/v1", False),
    ("http://localhost:1/v1", True), ("http://[::1]:1/v1", True), ("http://10.0.0.1/v1", False)])  # fmt: skip
def test_a_key_in_the_clear_is_worth_a_warning(url, is_private):
    assert read_address(url).is_private is is_private


def test_a_robot_with_a_server_needs_no_torch():
    code = "import sys, vitron_ros.grounding.families.server; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
