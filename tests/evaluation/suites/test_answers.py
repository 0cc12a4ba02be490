"""Suites that ask questions about images and videos, and their judges."""

import json

import numpy as np
import pytest

from tests.evaluation.datasets.miniature import write_image, write_json, write_json_lines, write_ok_vqa
from tests.evaluation.suites.suite_run import report, run
from tests.fakes import said
from vitron_ros.cli.main import main
from vitron_ros.errors import PredictionError
from vitron_ros.evaluation.judging import judge_run
from vitron_ros.evaluation.metrics.judge import Judge
from vitron_ros.evaluation.predictions import FILE, read_run
from vitron_ros.grounding.request import ModelReply, ReplyStatus
from vitron_ros.recordings.video_writer import VideoWriter

pytest.importorskip("matplotlib", reason="the extra `evaluation` is not installed")


def says(text, score=0.9):
    return lambda request: ModelReply(id=request.id, task=request.task, status=ReplyStatus.OK, text=text, score=score)


def figures_of(folder):
    return report(folder)[0]["figures"]


def test_ok_vqa_by_the_official_rule_and_by_minigpt_v2s(tmp_path, monkeypatch):
    write_ok_vqa(tmp_path / "data")
    asked = []

    def answer(request):
        asked.append(request)
        return says("two." if request.text.startswith("How") else "blue")(request)

    rows = run(monkeypatch, "ok-vqa", tmp_path / "data", tmp_path / "out", answer)
    assert asked[0].text == "How many? Answer with one word or a short phrase."
    assert (rows["51"]["answer"], rows["51"]["true"]) == ("two", ["two"] * 4 + ["2"] * 6)
    # Official: "two" is "2", all ten agree: 1; the ten "blue." are all equal, so nothing is normalised: 0.
    # MiniGPT-v2: four times "two": min(4 / 3, 1) = 1; 0.
    assert figures_of(tmp_path / "out") == {"vqa-official": {"accuracy": 0.5}, "minigpt-v2-soft": {"accuracy": 0.5}}
    assert "| this run (vqa-official) | 50.0 |" in (tmp_path / "out/report.md").read_text()


def test_a_reply_that_is_no_answer_is_wrong(tmp_path, monkeypatch):
    write_ok_vqa(tmp_path / "data")
    rows = run(
        monkeypatch, "ok-vqa", tmp_path / "data", tmp_path / "out",
        lambda request: said(request, ReplyStatus.UNREADABLE, "no words"),
    )  # fmt: skip
    assert (rows["51"]["answer"], rows["51"]["message"]) == ("", "no words")
    assert figures_of(tmp_path / "out")["vqa-official"]["accuracy"] == 0


def test_the_instruction_is_a_setting_and_may_be_empty(tmp_path, monkeypatch):
    entry = {"question": "Is it red?", "imageId": "n1", "answer": "yes", "types": {"structural": "verify"}}
    write_json(tmp_path / "data/testdev_balanced_questions.json", {"1": entry})
    write_image(tmp_path / "data/images/n1.jpg")
    asked = []

    def answer(request):
        asked.append(request.text)
        return says("Yes")(request)

    run(monkeypatch, "gqa", tmp_path / "data", tmp_path / "out", answer, "--instruction", "")
    assert asked == ["Is it red?"]
    assert figures_of(tmp_path / "out") == {"exact-match": {"accuracy": 1}, "minigpt-v2": {"accuracy": 1}}
    assert read_run(tmp_path / "out").header.settings["instruction"] == ""


def test_vsr_offers_true_and_false(tmp_path, monkeypatch):
    entries = [{"image": "1.jpg", "caption": "The cup is on the table.", "label": label} for label in (0, 1)]
    write_json_lines(tmp_path / "data/zeroshot/test.jsonl", entries)
    write_image(tmp_path / "data/images/1.jpg")
    asked = []

    def answer(request):
        asked.append(request)
        return says("True")(request)

    run(monkeypatch, "vsr", tmp_path / "data", tmp_path / "out", answer)
    assert asked[0].choices == ("true", "false")
    assert asked[0].text.startswith('Is this true or false: "The cup is on the table."')
    assert figures_of(tmp_path / "out")["minigpt-v2"]["accuracy"] == 0.5


@pytest.mark.parametrize("said_as", ["B", "B.", "(B) two", "two"])
def test_iconqa_has_letters_and_the_letter_is_the_choice(tmp_path, monkeypatch, said_as):
    folder = tmp_path / "data/iconqa_data/iconqa/val/choose_txt/12"
    write_json(folder / "data.json", {"question": "Which?", "choices": ["three", "two"], "answer": 1})
    write_image(folder / "image.png")
    asked = []

    def answer(request):
        asked.append(request)
        return says(said_as)(request)

    rows = run(monkeypatch, "iconqa", tmp_path / "data", tmp_path / "out", answer)
    assert asked[0].text == "Which?\nA. three\nB. two\nAnswer with the letter of the right choice."
    assert asked[0].choices == ("A", "B")
    assert rows["12"]["answer"] == "two"
    assert figures_of(tmp_path / "out")["exact-match"]["accuracy"] == 1


def test_hateful_memes_have_an_auroc_of_the_probability(tmp_path, monkeypatch):
    entries = [{"id": n, "img": f"img/{n}.png", "label": label, "text": str(n)} for n, label in enumerate((1, 1, 0, 0))]
    write_json_lines(tmp_path / "data/dev.jsonl", entries)
    for entry in entries:
        write_image(tmp_path / "data" / entry["img"])
    replies = {"0": says("yes", 0.9), "1": says("no", 0.7), "2": says("no", 0.8), "3": says("yes", 0.6)}

    def answer(request):
        return replies[request.text.split('"')[1]](request)

    run(monkeypatch, "hateful-memes", tmp_path / "data", tmp_path / "out", answer)
    # P(yes) = 0.9, 0.3 of the hateful ones, 0.2, 0.6 of the others: three of four pairs are in order.
    assert figures_of(tmp_path / "out")["exact-match"] == {"accuracy": 0.5, "auroc": 0.75}


def test_a_split_whose_answers_a_server_keeps_is_refused_in_a_report(tmp_path, monkeypatch):
    write_json(tmp_path / "data/Annotations/test.json", [{"image": "1.jpg", "question": "What?"}])
    write_image(tmp_path / "data/test/1.jpg")
    run(monkeypatch, "vizwiz", tmp_path / "data", tmp_path / "out", says("x"), "--split", "test")
    with pytest.raises(PredictionError, match="a server keeps the answers"):
        report(tmp_path / "out")


FRAMES = 12


@pytest.fixture
def videos(tmp_path):
    """Two videos of 12 grey frames that get lighter, and one that is missing."""
    questions = [{"video_name": name, "question": f"{name}?", "question_id": name} for name in ("a", "b", "gone")]
    answers = [
        {"answer": word, "type": 3, "question_id": name} for name, word in zip("ab", ("cat", "dog"), strict=True)
    ]
    write_json(tmp_path / "data/test_q.json", questions)
    write_json(tmp_path / "data/test_a.json", [*answers, {"answer": "cat", "type": 4, "question_id": "gone"}])
    for name in "ab":
        (tmp_path / "data/videos").mkdir(exist_ok=True)
        with VideoWriter(tmp_path / f"data/videos/v_{name}.mp4", 10, (64, 48)) as writer:
            for index in range(FRAMES):
                writer.write(np.full((48, 64, 3), 10 + 20 * index, np.uint8), 1_000_000_000 + index * 100_000_000)
    return tmp_path / "data"


def test_a_video_is_shown_from_end_to_end_and_a_missing_one_is_a_row(videos, tmp_path, monkeypatch):
    asked = []

    def answer(request):
        asked.append([int(frame.rgb.mean()) for frame in request.frames])
        return says("a cat")(request)

    rows = run(monkeypatch, "activitynet-qa", videos, tmp_path / "out", answer, exit_code=1, max_frames=4)
    assert np.abs(np.array(asked[0]) - [10, 90, 150, 230]).max() < 5, "frames 0, 4, 7 and 11"
    assert "v_gone" in rows["gone"]["error"]
    document, text = report(tmp_path / "out")
    assert document["figures"]["judge: exact match 1"]["accuracy"] == 0.5
    assert "| this run (judge: exact match 1) | 2.500 | 50.0 |" in text


def test_a_judges_replies_are_kept_and_those_that_cannot_be_read_are_counted(videos, tmp_path, monkeypatch):
    run(monkeypatch, "activitynet-qa", videos, tmp_path / "out", says("a cat"), exit_code=1)
    prompts = []

    def ask(texts):
        prompts.extend(texts)
        return ['{"verdict": "yes", "score": 4}' if "dog" not in text else "I cannot say" for text in texts]

    judge = Judge("fair", "2", ask)
    judge_run(tmp_path / "out", judge)
    judge_run(tmp_path / "out", judge)
    assert len(prompts) == 2, "what was judged is not judged again"
    assert json.loads(prompts[0].splitlines()[-1])["true_answer"] == "cat"
    figures = figures_of(tmp_path / "out")
    assert list(figures) == ["judge: fair 2", "judge: exact match 1"]
    assert figures["judge: fair 2"] == {"accuracy": 0.5, "score": 4, "accuracy_of_parsed": 1, "unparsed": 1}
    assert report(tmp_path / "out")[0]["judge"] == {"judge": "fair", "version": "2", "prompt": judge.prompt_hash}
    with pytest.raises(PredictionError, match=r"is stale: .* with other settings"):
        judge_run(tmp_path / "out", Judge("harsh", "1", ask))
    predictions = tmp_path / "out" / FILE
    predictions.write_text(predictions.read_text().replace("a cat", "a dog"))
    with pytest.raises(PredictionError, match="it judged other predictions"):
        report(tmp_path / "out")


def test_the_judge_of_the_command_line_needs_no_model(videos, tmp_path, monkeypatch, capsys):
    run(monkeypatch, "activitynet-qa", videos, tmp_path / "out", says("cat"), exit_code=1)
    assert main(["eval", "judge", str(tmp_path / "out")]) == 0
    assert "2 answers judged by judge: exact match 1" in capsys.readouterr().out
    assert list(figures_of(tmp_path / "out")) == ["judge: exact match 1"]
    run(monkeypatch, "ok-vqa", write_ok_vqa(tmp_path / "images"), tmp_path / "vqa", says("x"))
    assert main(["eval", "judge", str(tmp_path / "vqa")]) == 1
    assert "ok-vqa is scored without a judge" in capsys.readouterr().err
