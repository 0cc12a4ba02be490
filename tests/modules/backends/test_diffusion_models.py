"""Every pipeline from a tiny directory: it draws, tells how far it is, stops when asked, and can be used again."""

from dataclasses import replace

import numpy as np
import pytest

from vitron_ros.config import ModelRun
from vitron_ros.frame import Frame
from vitron_ros.module_registry import Module
from vitron_ros.modules.backends import load_backend
from vitron_ros.modules.diffusion.pipeline_kinds import KINDS
from vitron_ros.modules.module import BadJob, Cancelled, JobSettings, ModuleJob, Progress, TooLarge, Unsupported
from vitron_ros.region import Region

RGB = np.random.default_rng(0).integers(0, 256, (48, 80, 3), np.uint8)
MASK = np.zeros((48, 80), np.uint8)
MASK[16:30, 30:50] = 255
STEPS = 3
PIXELS = 128 * 96  # as if it had been trained on such images
SETTINGS = JobSettings(width=72, height=40, frame_count=6, steps=STEPS)


def clip(count):
    return tuple(Frame(rgb=np.roll(RGB, index, 1), stamp_ns=1 + index) for index in range(count))


def edit(action, text, count=1, **options):
    module = Module.IMAGE_EDITING if count == 1 else Module.VIDEO_EDITING
    options = {"masks": (MASK,) * count, **options}
    return ModuleJob(module=module, action=action, text=text, frames=clip(count), settings=SETTINGS, **options)


def generate(text, module=Module.IMAGE_GENERATION, settings=SETTINGS, **options):
    return ModuleJob(module=module, action="generate", text=text, settings=settings, **options)


def animate(text, **options):
    settings = options.pop("settings", SETTINGS)
    module = Module.IMAGE_TO_VIDEO
    return ModuleJob(module=module, action="animate", text=text, frames=clip(1), settings=settings, **options)


JOBS = {
    "sd": generate("a robot in a kitchen"),
    "gligen": generate("a red ball left of a blue cup"),
    "flux2-klein": generate("a robot in a kitchen"),
    "zeroscope": generate("a robot in a kitchen", Module.VIDEO_GENERATION),
    "wan": generate("a robot in a kitchen", Module.VIDEO_GENERATION),
    "i2vgen-xl": animate("the ball rolls away"),
    "wan-i2v": animate("the ball rolls away"),
    "sd-inpaint": edit("replace", "mug with a blue star"),
    "gligen-inpaint": edit("replace", "mug with a blue star"),
    "pix2pix": edit("recolour", "mug to blue"),
    "flux2-klein edits": edit("style", "like a pencil sketch", masks=()),
    "wan-vace": edit("remove", "the mug", 6),
}
EDITS = [name for name, job in JOBS.items() if job.module in (Module.IMAGE_EDITING, Module.VIDEO_EDITING)]


@pytest.fixture(scope="module")
def backend(tiny):
    loaded = {}

    def get(name):
        if name not in loaded:
            node = "editing" if name in EDITS else "generation"
            loaded[name] = load_backend(node, str(tiny(name.split()[0])), ModelRun())
            pipeline = loaded[name]._pipeline
            pipeline.kind = replace(pipeline.kind, pixels=PIXELS)
        return loaded[name]

    return get


@pytest.fixture(scope="module")
def drawn(backend):
    """What a job of the table gives, with the fractions that it reported; done once."""
    done = {}

    def get(name):
        if name not in done:
            progress = Watched()
            done[name] = (backend(name).run(JOBS[name], progress), progress.told)
        return done[name]

    return get


class Watched(Progress):
    """Progress that keeps what it was told, and is cancelled once it reaches a fraction."""

    def __init__(self, cancel_from=2.0):
        super().__init__(self._told)
        self.told = []
        self.cancel_from = cancel_from

    def _told(self, fraction, preview):
        self.told.append(fraction)
        if fraction >= self.cancel_from:
            self.cancel()


def same(first, second):
    return all(np.array_equal(*pair) for pair in zip(first.images, second.images, strict=True))


def counted(function, calls):
    def call(*args, **kwargs):
        calls.append(1)
        return function(*args, **kwargs)

    return call


def test_every_pipeline_is_in_the_table_of_jobs(backend):
    assert {type(backend(name)._pipeline._loaded).__name__ for name in JOBS} == set(KINDS)


@pytest.mark.parametrize("name", JOBS)
def test_a_job_is_done_in_steps(drawn, name):
    job, (result, told) = JOBS[name], drawn(name)
    is_given = bool(job.frames)
    count = 1 if job.module in (Module.IMAGE_GENERATION, Module.IMAGE_EDITING) else 6
    assert [image.shape for image in result.images] == [(48, 80, 3) if is_given else (40, 72, 3)] * count
    assert all(image.dtype == np.uint8 and image.std() > 0 for image in result.images)
    assert result.frame_rate == (12.0 if count == 6 and name not in EDITS else 0.0)
    between = {fraction for fraction in told if 0.05 <= fraction < 0.9}
    assert len(between) >= STEPS and told == sorted(told) and told[-1] == 1.0


@pytest.mark.parametrize("name", ["sd", "gligen", "gligen-inpaint", "wan"])
def test_another_seed_draws_something_else(backend, drawn, name):
    assert not same(backend(name).run(replace(JOBS[name], seed=1), Progress()), drawn(name)[0])


@pytest.mark.parametrize("name", JOBS)
def test_a_cancelled_job_stops_before_the_next_step_and_leaves_the_model_as_it_was(backend, drawn, monkeypatch, name):
    pipeline = backend(name)._pipeline._loaded
    whole, progress, steps = drawn(name)[0], Watched(cancel_from=0.2), []
    with monkeypatch.context() as patch:
        patch.setattr(type(pipeline.scheduler), "step", counted(type(pipeline.scheduler).step, steps))
        with pytest.raises(Cancelled):
            backend(name).run(JOBS[name], progress)
    assert len(steps) == sum(0.05 <= fraction < 0.9 for fraction in progress.told)
    assert "step" not in vars(pipeline.scheduler) and not pipeline.vae.decoder._forward_pre_hooks
    assert same(backend(name).run(JOBS[name], Progress()), whole), "the same job gives the same bytes"


@pytest.mark.parametrize("name", JOBS)
def test_a_job_that_is_cancelled_after_the_last_step_is_not_decoded(backend, monkeypatch, name):
    decoder, decoded = backend(name)._pipeline._loaded.vae.decoder, []
    monkeypatch.setattr(decoder, "forward", counted(decoder.forward, decoded))
    with pytest.raises(Cancelled):
        backend(name).run(JOBS[name], Watched(cancel_from=0.9 - 1e-6))
    assert len(decoded) <= 1, "a clip's decoder is called for a frame or more, and stops before the second"


@pytest.mark.parametrize("name", EDITS)
def test_outside_the_soft_mask_an_edit_is_the_source_bit_for_bit(drawn, name):
    job, result = JOBS[name], drawn(name)[0]
    for frame, image, mask in zip(job.frames, result.images, result.masks, strict=True):
        assert np.array_equal(image[mask == 0], frame.rgb[mask == 0])
        inside = mask == 255
        assert inside.any() and not np.array_equal(image[inside], frame.rgb[inside])
        if job.masks:
            assert (mask == 0).mean() > 0.5


def test_a_background_is_drawn_around_the_object(backend):
    job = edit("background", "to a sandy beach", masks=(MASK,))
    result = backend("sd-inpaint").run(job, Progress())
    core = np.zeros_like(MASK, bool)
    core[20:26, 36:44] = True
    assert np.array_equal(result.images[0][core], RGB[core]) and (result.masks[0][:8] == 255).all()


def test_a_marked_box_is_cut_out_first(backend):
    rgb = np.full((48, 80, 3), 40, np.uint8)
    rgb[16:30, 30:50] = (220, 30, 30)
    job = ModuleJob(
        module=Module.IMAGE_EDITING, action="remove", text="the mug", frames=(Frame(rgb=rgb, stamp_ns=1),),
        region=Region.from_box([28, 14, 52, 32]), settings=SETTINGS,
    )  # fmt: skip
    mask = backend("sd-inpaint").run(job, Progress()).masks[0]
    assert (mask[18:28, 32:48] == 255).all() and not mask[:, :20].any()


PROMPTS = [
    ("sd-inpaint", edit("remove", "the mug"), "an empty background, nothing there"),
    ("sd-inpaint", edit("replace", "mug with a blue star"), "a blue star"),
    ("sd-inpaint", edit("background", "background to a sandy beach"), "a sandy beach"),
    ("pix2pix", edit("remove", "the mug"), "remove the mug"),
    ("pix2pix", edit("replace", "mug with a blue star"), "replace the mug with a blue star"),
    ("pix2pix", edit("recolour", "mug to blue"), "change the colour of the mug to blue"),
    ("pix2pix", edit("style", "like a pencil sketch"), "make the whole picture look like a pencil sketch"),
    ("wan-vace", edit("replace", "mug with a blue star", 6), "a blue star"),
]


@pytest.mark.parametrize(("name", "job", "prompt"), PROMPTS)
def test_a_pipeline_is_told_an_edit_as_it_was_trained(backend, monkeypatch, name, job, prompt):
    given = {}
    monkeypatch.setattr(backend(name)._pipeline, "draw", lambda *_, **inputs: given.update(inputs) or ([RGB] * 6, ""))
    backend(name).run(job, Progress())
    assert given["prompt"] == prompt


def test_what_wan_vace_is_to_draw_is_grey_and_a_clip_is_filled_up(backend, monkeypatch):
    given = {}
    pipeline = backend("wan-vace")._pipeline
    monkeypatch.setattr(pipeline, "draw", lambda *_, **inputs: given.update(inputs) or ([RGB] * 9, ""))
    backend("wan-vace").run(JOBS["wan-vace"], Progress())
    assert given["num_frames"] == len(given["video"]) == len(given["mask"]) == 9, "of 6"
    for image, mask in zip(given["video"], given["mask"], strict=True):
        drawn = np.asarray(mask) == 255
        assert drawn.any() and (np.asarray(image)[drawn] == 128).all()


def test_things_of_a_text_are_drawn_where_it_places_them(backend, monkeypatch):
    given = {}
    pipeline = backend("gligen")._pipeline
    monkeypatch.setattr(pipeline, "draw", lambda *_, **inputs: given.update(inputs) or ([RGB], ""))
    message = backend("gligen").run(JOBS["gligen"], Progress()).message
    assert given["gligen_phrases"] == ["red circle", "blue mug"] and "places" not in message
    (left, *_, left_end, _), (right, *_) = given["gligen_boxes"]
    assert 0 <= left < left_end <= right < 1
    message = backend("gligen").run(generate("a robot in a kitchen"), Progress()).message
    assert given["gligen_scheduled_sampling_beta"] == 0 and "the model chose the places" in message


REFUSED = [
    ("sd", generate(" "), BadJob, "there is no text"),
    ("sd", generate("a robot", settings=JobSettings(steps=501)), BadJob, "at most 500 are taken"),
    ("wan", generate("a robot", Module.VIDEO_GENERATION, JobSettings(frame_count=82)), TooLarge, "at most 81 images"),
    ("wan-vace", edit("remove", "the mug", 82), TooLarge, "at most 81 images"),
    ("sd-inpaint", edit("recolour", "mug to blue"), Unsupported, "cannot recolour"),
    ("sd-inpaint", edit("remove", "the mug", 2), Unsupported, "cannot remove here"),
    ("sd-inpaint", edit("remove", "the mug", masks=()), BadJob, "needs an object"),
    ("sd-inpaint", edit("remove", "mug", reference=clip(1)[0]), Unsupported, "takes no reference image"),
]


@pytest.mark.parametrize(("name", "job", "error", "sentence"), REFUSED)
def test_what_a_model_cannot_do_is_refused_before_it_runs(backend, name, job, error, sentence):
    with pytest.raises(error, match=sentence):
        backend(name).run(job, Progress())


def test_values_that_are_no_numbers_are_refused(backend, monkeypatch):
    pipeline = backend("sd")._pipeline._loaded
    forward = pipeline.vae.decoder.forward
    monkeypatch.setattr(pipeline.vae.decoder, "forward", lambda *a, **k: forward(*a, **k) * np.nan)
    with pytest.raises(BadJob, match="not numbers; try another seed"):
        backend("sd").run(JOBS["sd"], Progress())


@pytest.mark.parametrize("name", ["sd", "gligen", "gligen-inpaint", "wan-i2v", "flux2-klein"])
def test_a_long_text_is_cut_and_not_a_failure(backend, name):
    text = " ".join(["mug", "with", *["enormous", "striped", "über"] * 39])
    assert backend(name).run(replace(JOBS[name], text=text), Progress()).images


@pytest.mark.parametrize("name", [name for name, job in JOBS.items() if job.masks])
@pytest.mark.parametrize("share", ["pixel", "all"])
def test_an_image_of_one_pixel_up_and_an_object_that_fills_it(backend, name, share):
    job = JOBS[name]
    side = 1 if share == "all" else 37
    mask = np.zeros((side, side), np.uint8)
    mask[side // 2, side // 2] = 255
    frames = tuple(Frame(rgb=np.zeros((side, side, 3), np.uint8), stamp_ns=frame.stamp_ns) for frame in job.frames)
    result = backend(name).run(replace(job, frames=frames, masks=(mask,) * len(frames)), Progress())
    assert [image.shape for image in result.images] == [(side, side, 3)] * len(frames)


def test_an_image_that_the_checker_withholds_is_said(backend, monkeypatch):
    pipeline = backend("sd")._pipeline._loaded
    monkeypatch.setattr(pipeline, "run_safety_checker", lambda image, *_: (image, [True]))
    assert "safety checker" in backend("sd").run(JOBS["sd"], Progress()).message


def test_a_region_of_an_image_to_animate_is_not_dropped_in_silence(backend):
    result = backend("wan-i2v").run(animate("it rolls", region=Region.from_point(40, 20)), Progress())
    assert "takes no region" in result.message
