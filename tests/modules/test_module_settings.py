import pytest

from tests.modules.test_module import frames
from vitron_ros.errors import ConfigError
from vitron_ros.module_registry import Module
from vitron_ros.modules.module import JobSettings, ModuleJob, TooLarge
from vitron_ros.modules.settings import ModuleConfig


@pytest.mark.parametrize(
    ("size", "reason"),
    [((5000, 5000, 1), "max_pixels"), ((8, 8, 601), "max_frames"), ((2000, 2000, 100), "max_clip_pixels")],
)
def test_images_beyond_a_limit_are_named(size, reason):
    with pytest.raises(TooLarge, match=reason):
        ModuleConfig().check_images(*size)
    ModuleConfig().check_images(1920, 1080, 90)


def test_a_result_that_no_message_should_carry_is_refused_before_it_is_made():
    settings = JobSettings(width=1024, height=1024, frame_count=65)
    made = ModuleJob(module=Module.VIDEO_GENERATION, action="generate", settings=settings)
    with pytest.raises(TooLarge, match="would have 260 MiB, the limit is max_message=256"):
        ModuleConfig().check_message(made)
    ModuleConfig().check_message(ModuleJob(module=Module.VIDEO_SEGMENTATION, action="segment", frames=frames(5)))


@pytest.mark.parametrize("values", [{"cameras": ("a b",)}, {"device": "gpu"}, {"max_queue": 0}, {"history": -1.0}])
def test_settings_that_cannot_be_are_refused(values):
    with pytest.raises(ConfigError, match=next(iter(values))):
        ModuleConfig(**values)
