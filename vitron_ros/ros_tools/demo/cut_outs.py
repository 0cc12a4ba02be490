"""What the demo's commands have segmented: each call of image segmentation is run, and shown cut out."""

from vitron_ros.config import ModelRun
from vitron_ros.frame import Frame, Image
from vitron_ros.images.cut_out import cut_out
from vitron_ros.module_registry import Module
from vitron_ros.modules.backends import load_backend
from vitron_ros.modules.module import EMBEDDED, ModuleFailure, ModuleJob, Progress
from vitron_ros.recordings.bags import read_images
from vitron_ros.region import Region
from vitron_ros.ros.conversions import ns_from_time
from vitron_ros.ros_tools.demo.scoring import Assessment
from vitron_ros.ros_tools.demo.session import DemoRecording, DemoScene


def cut_outs(recording: DemoRecording, scene: DemoScene, verdicts: list[Assessment]) -> list[tuple[Assessment, Image]]:
    """Of each command that called it with a region, the image of its call with the object alone, (H, W, 3)."""
    calls = {}
    for verdict in verdicts:
        for call in getattr(verdict.exchange.result, "invocations", []):
            if call.module == Module.IMAGE_SEGMENTATION and verdict.box_xyxy is not None:
                calls[recording.recorded_ns(ns_from_time(call.header.stamp), scene)] = verdict
    frames = [frame for frame in read_images(scene.bag) if frame.stamp_ns in calls] if calls else []
    found = [(calls[frame.stamp_ns], _cut_out(frame, calls[frame.stamp_ns])) for frame in frames]
    return [(verdict, image) for verdict, image in found if image is not None]


def _cut_out(frame: Frame, verdict: Assessment) -> Image | None:
    assert verdict.box_xyxy is not None
    region = Region.from_box(verdict.box_xyxy)
    job = ModuleJob(module=Module.IMAGE_SEGMENTATION, action="segment", frames=(frame,), region=region)
    try:
        result = load_backend("segmentation", EMBEDDED, ModelRun()).run(job, Progress())
    except ModuleFailure:  # nothing stands out in the region
        return None
    return cut_out(frame.rgb, result.masks[0])
