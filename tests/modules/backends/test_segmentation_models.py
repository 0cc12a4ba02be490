"""SAM 2, CLIPSeg and SAM 3 as the segmentation module, from tiny directories with random weights."""

import json
import shutil
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from tests.grounding.families.tiny_sam2 import sam2_video
from tests.modules.backends.tiny_segmentation import clipseg, sam3
from tests.refusals import assert_refused
from vitron_ros.cli.main import main
from vitron_ros.config import ModelRun
from vitron_ros.errors import ModelError
from vitron_ros.frame import Frame
from vitron_ros.model.sam2 import Sam2Object
from vitron_ros.module_registry import Module
from vitron_ros.modules.backends import load_backend
from vitron_ros.modules.module import BadJob, Cancelled, ModuleJob, Progress
from vitron_ros.region import Region

RGB = np.random.default_rng(0).integers(0, 256, (48, 80, 3), np.uint8)
BOX = np.array([20.0, 8, 60, 40])
BUILDERS = {"sam2": sam2_video, "clipseg": clipseg, "sam3": sam3}
TEXTS = ("clipseg", "sam3")


def clip(count):
    return tuple(Frame(rgb=np.roll(RGB, 4 * index, 1), stamp_ns=1 + index) for index in range(count))


def job(count=1, **options):
    module = Module.IMAGE_SEGMENTATION if count == 1 else Module.VIDEO_SEGMENTATION
    return ModuleJob(module=module, action="segment", frames=clip(count), **options)


@pytest.fixture(scope="module")
def directory(tmp_path_factory):
    folder = tmp_path_factory.mktemp("segmentation")
    return lambda name: folder / name if (folder / name).exists() else BUILDERS[name](folder / name)


@pytest.fixture(scope="module")
def backend(directory):
    loaded = {}

    def get(name):
        if name not in loaded:
            loaded[name] = load_backend("segmentation", str(directory(name)), ModelRun())
        return loaded[name]

    return get


REGIONS = {
    "box": Region.from_box(BOX),
    "point": Region.from_point(40, 24),
    "scribble": Region.from_scribble([[30, 20], [50, 30]]),
    "polygon": Region.from_polygon([[20, 8], [60, 8], [40, 40]]),
    "mask": Region.from_mask(np.pad(np.ones((20, 30), bool), ((10, 18), (20, 30)))),
}


@pytest.mark.parametrize("region", REGIONS.values(), ids=REGIONS)
def test_sam2_cuts_out_and_follows_what_was_marked(backend, region):
    result = backend("sam2").run(job(4, region=region), Progress())
    network = backend("sam2")._network
    target = Sam2Object(network, network.encode(clip(4)[0].rgb), region)
    expected = [target.newest, *(target.step(network.encode(frame.rgb)) for frame in clip(4)[1:])]
    for mask, box, seen in zip(result.masks, result.boxes, expected, strict=True):
        assert np.array_equal(mask, seen.pixels) and mask.any()
        assert np.array_equal(box, seen.box_xyxy)


def test_sam2_follows_a_track_from_where_it_begins_and_leaves_out_where_it_is_away(backend):
    result = backend("sam2").run(job(4, boxes=(None, BOX, None, BOX)), Progress())
    assert [mask.any() for mask in result.masks] == [False, True, False, True]
    assert [box is None for box in result.boxes] == [True, False, True, False]
    assert "not seen in 2 of 4 images" in result.message


@pytest.mark.parametrize("name", TEXTS)
def test_words_are_cut_out_in_every_frame_by_itself(backend, monkeypatch, name):
    asked = []
    probability = backend(name)._probability
    monkeypatch.setattr(backend(name), "_probability", lambda rgb, text: asked.append(text) or probability(rgb, text))
    result = backend(name).run(job(2, text=" red mug "), Progress())
    alone = backend(name).run(job(text="red mug"), Progress())
    assert asked == ["red mug"] * 3
    assert result.masks[0].shape == (48, 80) and np.array_equal(result.masks[0], alone.masks[0])


def test_clipseg_marks_what_is_likelier_than_not(backend):
    heat = backend("clipseg")._probability(RGB, "red mug")
    mask = backend("clipseg").run(job(text="red mug"), Progress()).masks[0]
    assert np.array_equal(mask == 255, heat > 0.5) and 0 < mask.mean() < 255
    other = backend("clipseg").run(job(text="blue cup"), Progress()).masks[0]
    assert not np.array_equal(mask, other), "the words matter"


@pytest.mark.parametrize("options", [{"region": Region.from_box(BOX)}, {"boxes": (BOX,)}], ids=["region", "track"])
def test_with_a_box_words_are_cut_out_inside_it(backend, options):
    mask = backend("clipseg").run(job(text="red mug", **options), Progress()).masks[0]
    rows, columns = np.nonzero(mask)
    assert len(rows) and rows.min() >= 4 and rows.max() < 44 and columns.min() >= 16 and columns.max() < 64


def test_sam3_joins_the_instances_that_it_is_sure_of(backend, monkeypatch):
    masks = torch.full((1, 3, 12, 20), -9.0)
    masks[0, 0, :6] = masks[0, 1, :, :5] = masks[0, 2, 6:, 5:] = 9.0
    output = SimpleNamespace(
        pred_logits=torch.tensor([[4.0, 4.0, -4.0]]), presence_logits=torch.tensor([[4.0]]), pred_masks=masks
    )
    monkeypatch.setattr(type(backend("sam3")._network), "forward", lambda self, **_: output)
    mask = backend("sam3").run(job(text="mugs"), Progress()).masks[0]
    assert mask[:20].all() and mask[:, :16].all() and not mask[30:, 30:].any()
    output.presence_logits = torch.tensor([[-4.0]])
    result = backend("sam3").run(job(text="mugs"), Progress())
    assert not result.masks[0].any() and "not seen in 1 of 1 images" in result.message


def test_sam3_as_published_for_video_is_the_same(backend, directory, tmp_path):
    folder = shutil.copytree(directory("sam3"), tmp_path / "sam3")
    weights = {f"detector_model.{name}": weight for name, weight in load_file(folder / "model.safetensors").items()}
    save_file({**weights, "tracker_model.x": torch.zeros(1)}, folder / "model.safetensors", {"format": "pt"})
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({"model_type": "sam3_video", "detector_config": config}))
    video = load_backend("segmentation", str(folder), ModelRun())
    assert all(map(torch.equal, video._network.state_dict().values(), backend("sam3")._network.state_dict().values()))


@pytest.mark.parametrize("name", BUILDERS)
def test_a_job_reports_each_frame_stops_when_asked_and_can_be_repeated(backend, name):
    what, told = job(4, text="red mug", boxes=(BOX,) * 4), []
    first = backend(name).run(what, Progress(lambda fraction, _: told.append(fraction)))
    assert told == [0, 0.25, 0.5, 0.75, 1]
    frames = []

    def stop_at_the_second(fraction, _):
        frames.append(fraction)
        if fraction >= 0.25:
            progress.cancel()

    progress = Progress(stop_at_the_second)
    with pytest.raises(Cancelled):
        backend(name).run(what, progress)
    assert frames == [0, 0.25]
    again = backend(name).run(what, Progress())
    assert all(map(np.array_equal, first.masks, again.masks))


REFUSED = [
    ("sam2", job(text="red mug"), "knows no words: mark the object"),
    ("sam2", job(region=Region.from_box([200, 200, 300, 300])), "outside the image"),
    ("clipseg", job(region=Region.from_box(BOX)), "told by words"),
    ("clipseg", job(2, text="mug", region=Region.from_box(BOX)), "follows no region through a clip"),
    ("clipseg", job(text="mug", region=Region.from_box([200, 200, 300, 300])), "outside the image"),
]


@pytest.mark.parametrize(("name", "what", "sentence"), REFUSED)
def test_a_job_that_says_too_little_is_refused(backend, name, what, sentence):
    with pytest.raises(BadJob, match=sentence):
        backend(name).run(what, Progress())


def without(name):
    return lambda folder: (folder / name).unlink()


BAD = {
    "tokenizer": (without("tokenizer.json"), "has no tokenizer"),
    "processor": (without("preprocessor_config.json"), "has no image processor"),
    "weights": (without("model.safetensors"), "has no weights"),
    "size": (
        lambda folder: (folder / "preprocessor_config.json").write_text(
            '{"image_mean": [0,0,0], "image_std": [1,1,1]}'
        ),
        "that says the size",
    ),
    "type": (lambda folder: (folder / "config.json").write_text('{"model_type": "segformer"}'), "'segformer'"),
}


@pytest.mark.parametrize(("change", "sentence"), BAD.values(), ids=BAD)
def test_a_directory_that_lacks_something_is_refused_in_one_sentence(directory, tmp_path, change, sentence):
    folder = shutil.copytree(directory("clipseg"), tmp_path / "model")
    change(folder)
    with assert_refused(ModelError, sentence):
        load_backend("segmentation", str(folder), ModelRun())


@pytest.mark.parametrize("name", TEXTS)
def test_show_and_verify_take_what_perception_does_not(directory, tmp_path, capsys, name):
    folder = shutil.copytree(directory(name), tmp_path / "model")
    assert main(["models", "show", str(folder), "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert (shown["model_type"], shown["can"]) == (name, ["segment"])
    weights = load_file(folder / "model.safetensors").values()
    assert shown["total"] == pytest.approx(sum(weight.numel() for weight in weights), rel=0.01)
    assert main(["models", "verify", str(folder)]) == 0
    weights = load_file(folder / "model.safetensors")
    first = next(iter(weights))
    weights[first].view(-1)[0] = float("nan")
    save_file(weights, folder / "model.safetensors", {"format": "pt"})
    capsys.readouterr()
    assert main(["models", "verify", str(folder)]) == 1
    assert "holds NaN or infinity" in capsys.readouterr().out
