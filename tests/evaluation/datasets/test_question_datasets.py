"""The six sets of questions about images and the four about videos, in their official layouts."""

import json

import pytest

from tests.evaluation.datasets.miniature import (
    VIDEO_QA,
    answers,
    write_image,
    write_json,
    write_json_lines,
    write_ok_vqa,
    write_text,
)
from vitron_ros.errors import SourceError
from vitron_ros.evaluation.datasets import IMAGE_QUESTIONS, VIDEO_QUESTIONS


def test_ok_vqa_joins_by_id_and_keeps_answers_as_written(tmp_path):
    write_ok_vqa(tmp_path)
    first, second = IMAGE_QUESTIONS["ok-vqa"].read(tmp_path)
    assert (first.name, first.text, first.answers) == ("51", "How many?", ("two",) * 4 + ("2",) * 6)
    assert second.answers == ("blue.",) * 10
    assert first.media.name == "COCO_val2014_000000000005.jpg"


@pytest.mark.parametrize(
    ("annotations", "words"),
    [
        ([{"question_id": 51, "answers": answers("two")}], "1 ids have a question or an answer only, e.g. 52"),
        ([{"question_id": 51, "answers": answers("two")}] * 2, "entry 1, has the question_id 51 twice"),
        ([{"answers": answers("two")}], "has no question_id"),
        ([{"question_id": 51, "answers": []}, {"question_id": 52, "answers": answers("a")}], "51 has no answers"),
        ([{"question_id": 51, "answers": [{}]}, {"question_id": 52, "answers": []}], "answer should be a text"),
    ],
)
def test_answers_that_do_not_fit_are_refused(tmp_path, annotations, words):
    write_ok_vqa(tmp_path, annotations)
    with pytest.raises(SourceError, match=words):
        IMAGE_QUESTIONS["ok-vqa"].read(tmp_path)


def test_gqa_has_one_answer(tmp_path):
    entry = {"question": "Is it red?", "imageId": "n161313", "answer": "yes", "types": {"structural": "verify"}}
    write_json(tmp_path / "testdev_balanced_questions.json", {"201307251": entry})
    write_image(tmp_path / "images/n161313.jpg")
    (question,) = IMAGE_QUESTIONS["gqa"].read(tmp_path)
    assert (question.name, question.answers, question.category) == ("201307251", ("yes",), "verify")
    (tmp_path / "images/n161313.jpg").unlink()
    with pytest.raises(SourceError, match=r"n161313\.jpg is missing; GQA is at"):
        IMAGE_QUESTIONS["gqa"].read(tmp_path)


@pytest.mark.parametrize(("label", "answer"), [(0, "false"), (1, "true"), (2, None), (True, None)])
def test_vsr_is_true_or_false(tmp_path, label, answer):
    entry = {"image": "085637.jpg", "caption": "The cup is on the table.", "label": label, "relation": "on"}
    write_json_lines(tmp_path / "zeroshot/test.jsonl", [entry])
    write_image(tmp_path / "images/085637.jpg")
    if answer is None:
        with pytest.raises(SourceError, match="line 1: label should be"):
            IMAGE_QUESTIONS["vsr"].read(tmp_path)
    else:
        assert IMAGE_QUESTIONS["vsr"].read(tmp_path)[0].answers == (answer,)


def test_iconqa_has_a_folder_a_question(tmp_path):
    for task, data in (
        ("choose_txt", {"question": "Which?", "choices": ["one", "two"], "answer": 1}),
        ("fill_in_blank", {"question": "How many?", "answer": "7"}),
        ("choose_img", {"question": "Which?", "choices": ["choice_0.png"], "answer": 3}),
    ):
        folder = tmp_path / "iconqa_data/iconqa/val" / task / "12"
        write_json(folder / "data.json", data)
        write_image(folder / "image.png")
    (chosen,) = IMAGE_QUESTIONS["iconqa"].read(tmp_path)
    assert (chosen.name, chosen.answers, chosen.choices) == ("12", ("two",), ("one", "two"))
    assert IMAGE_QUESTIONS["iconqa"].read(tmp_path, "val/fill_in_blank")[0].answers == ("7",)
    with pytest.raises(SourceError, match="answer 3 is not among the 1 choices"):
        IMAGE_QUESTIONS["iconqa"].read(tmp_path, "val/choose_img")


def test_vizwiz_may_be_unanswerable_and_its_test_split_has_no_answers(tmp_path):
    entry = {"image": "VizWiz_val_00000000.jpg", "question": "What is it?", "answer_type": "unanswerable"}
    write_json(tmp_path / "Annotations/val.json", [entry | {"answers": answers(*["unanswerable"] * 10)}])
    write_image(tmp_path / "val/VizWiz_val_00000000.jpg")
    write_json(tmp_path / "Annotations/test.json", [{"image": "VizWiz_test_00000000.jpg", "question": "What?"}])
    write_image(tmp_path / "test/VizWiz_test_00000000.jpg")
    (question,) = IMAGE_QUESTIONS["vizwiz"].read(tmp_path)
    assert (question.category, len(question.answers)) == ("unanswerable", 10)
    assert IMAGE_QUESTIONS["vizwiz"].read(tmp_path, "test")[0].answers == ()


def test_hateful_memes_have_words_and_a_label(tmp_path):
    entries = [{"id": 8291, "img": "img/08291.png", "label": 1, "text": "words"}]
    write_json_lines(tmp_path / "dev.jsonl", entries)
    write_json_lines(tmp_path / "test.jsonl", [{"id": 8291, "img": "img/08291.png", "text": "words"}])
    write_image(tmp_path / "img/08291.png")
    assert IMAGE_QUESTIONS["hateful-memes"].read(tmp_path)[0].answers == ("yes",)
    assert IMAGE_QUESTIONS["hateful-memes"].read(tmp_path, "test")[0].answers == ()


@pytest.mark.parametrize("name", [*IMAGE_QUESTIONS, *VIDEO_QUESTIONS])
def test_what_is_missing_is_named_with_how_to_get_it(tmp_path, name):
    with pytest.raises(SourceError, match=r"is missing; .*(at|given) "):
        (IMAGE_QUESTIONS | VIDEO_QUESTIONS)[name].read(tmp_path)


@pytest.mark.parametrize("text", ["{", "[1]", '{"question": 3}\n', "[" * 100_000])
def test_a_damaged_file_is_named(tmp_path, text):
    write_text(tmp_path / "zeroshot/test.jsonl", text)
    with pytest.raises(SourceError, match=r"test\.jsonl, line 1"):
        IMAGE_QUESTIONS["vsr"].read(tmp_path)


def test_msvd_maps_its_numbers_to_names_and_a_missing_video_is_named_when_opened(tmp_path):
    write_json(tmp_path / "test_qa.json", VIDEO_QA)
    write_text(tmp_path / "youtube_mapping.txt", ["-4wsuPCjDBc_5_15 vid7", "-7KMZQEsJW4_205_208 vid8"])
    write_text(tmp_path / "YouTubeClips/-4wsuPCjDBc_5_15.avi", "")
    first, second = VIDEO_QUESTIONS["msvd-qa"].read(tmp_path)
    assert (first.media.name, first.text, first.answers) == ("-4wsuPCjDBc_5_15.avi", "who runs?", ("man",))
    assert (second.media.stem, second.media.exists()) == ("-7KMZQEsJW4_205_208", False)
    write_text(tmp_path / "youtube_mapping.txt", ["-4wsuPCjDBc_5_15 vid7"])
    with pytest.raises(SourceError, match=r"youtube_mapping\.txt does not say which video.*'video_id': 8"):
        VIDEO_QUESTIONS["msvd-qa"].read(tmp_path)


def test_msrvtt_has_videos_by_number(tmp_path):
    write_json(tmp_path / "test_qa.json", VIDEO_QA)
    with pytest.raises(SourceError, match="holds no video; questions of MSRVTT-QA"):
        VIDEO_QUESTIONS["msrvtt-qa"].read(tmp_path)
    write_text(tmp_path / "TestVideo/video7.mp4", "")
    first, second = VIDEO_QUESTIONS["msrvtt-qa"].read(tmp_path)
    assert (first.media.name, second.media.name) == ("video7.mp4", "video8.mp4")


def test_activitynet_joins_by_id_not_by_place(tmp_path):
    questions = [
        {"video_name": "1QIUV7WYKXg", "question": f"is it {word}?", "question_id": f"v_1QIUV7WYKXg_{place}"}
        for place, word in enumerate(("red", "blue"), 3)
    ]
    found = [
        {"answer": word, "type": 3, "question_id": f"v_1QIUV7WYKXg_{place}"} for place, word in ((4, "b"), (3, "r"))
    ]
    write_json(tmp_path / "test_q.json", questions)
    write_json(tmp_path / "test_a.json", found)
    write_text(tmp_path / "videos/v_1QIUV7WYKXg.mkv", "")
    red, blue = VIDEO_QUESTIONS["activitynet-qa"].read(tmp_path)
    assert (red.answers, blue.answers, red.category) == (("r",), ("b",), "3")
    assert red.media.name == "v_1QIUV7WYKXg.mkv"
    write_json(tmp_path / "test_a.json", found[:1])
    with pytest.raises(SourceError, match=r"1 ids have a question or an answer only, e\.g\. 'v_1QIUV7WYKXg_3'"):
        VIDEO_QUESTIONS["activitynet-qa"].read(tmp_path)


def test_tgif_has_tabs_and_choices(tmp_path):
    write_text(tmp_path / "gifs/tumblr_a.gif", "")
    frames = [
        "gif_name\tquestion\tanswer\ttype\tvid_id\tkey\tdescription",
        "tumblr_a\twhat is it ?\tcat\t0\tID1\t12\t-",
    ]
    write_text(tmp_path / "Test_frameqa_question.csv", frames)
    head = "gif_name\tquestion\ta1\ta2\ta3\ta4\ta5\tanswer\tvid_id\tkey"
    row = "tumblr_a\twhat does it do 3 times ?\tjump\trun\tsit\twave\tnod\t{}\tID1\t14"
    write_text(tmp_path / "Test_action_question.csv", [head, row.format(3)])
    (question,) = VIDEO_QUESTIONS["tgif-frameqa"].read(tmp_path)
    assert (question.text, question.answers, question.category) == ("what is it ?", ("cat",), "0")
    (question,) = VIDEO_QUESTIONS["tgif-action"].read(tmp_path)
    assert (question.answers, question.choices[0]) == (("wave",), "jump")
    for wrong, words in ((row.format(5), "answer '5' is not among"), (row[:40], "line 2: a2 should be a text")):
        write_text(tmp_path / "Test_action_question.csv", [head, wrong])
        with pytest.raises(SourceError, match=words):
            VIDEO_QUESTIONS["tgif-action"].read(tmp_path)


def test_answers_may_hold_any_letters(tmp_path):
    write_text(tmp_path / "testdev_balanced_questions.json", json.dumps({"1": {
        "question": "¿qué?", "imageId": "1", "answer": "café"}}, ensure_ascii=False))  # fmt: skip
    write_image(tmp_path / "images/1.jpg")
    assert IMAGE_QUESTIONS["gqa"].read(tmp_path)[0].answers == ("café",)
