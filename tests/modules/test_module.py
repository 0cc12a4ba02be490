import numpy as np
import pytest

from vitron_ros.frame import Frame
from vitron_ros.module_registry import Module
from vitron_ros.modules.module import BadJob, Cancelled, ModuleJob, Progress
from vitron_ros.region import Region


def frames(count, width=8):
    return tuple(Frame(rgb=np.zeros((6, width, 3), np.uint8), stamp_ns=0, index=index) for index in range(count))


BOX = Region.from_box([1, 1, 4, 4])
MASK = np.zeros((6, 8), np.uint8)


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"module": Module.TEXT}, "no module"),
        ({"action": "remove"}, "cannot remove; it does segment"),
        ({}, "one image, and 0 were given"),
        ({"frames": frames(2)}, "one image, and 2 were given"),
        ({"module": Module.VIDEO_SEGMENTATION}, "no image was given"),
        ({"module": Module.VIDEO_SEGMENTATION, "frames": frames(1) + frames(1, 9)}, "have 2"),
        ({"module": Module.IMAGE_GENERATION, "action": "generate", "frames": frames(1)}, "from text alone"),
        ({"module": Module.IMAGE_GENERATION, "action": "generate", "region": BOX}, "takes no box"),
        ({"frames": frames(1), "boxes": (None, None)}, "2 boxes were given for 1 images"),
        ({"frames": frames(1), "masks": (MASK[:3],)}, r"this is uint8 \(3, 8\)"),
        ({"frames": frames(1), "masks": (MASK > 0,)}, "this is bool"),
    ],
)
def test_a_job_that_no_backend_could_do_is_refused(values, reason):
    with pytest.raises(BadJob, match=reason):
        ModuleJob(**{"module": Module.IMAGE_SEGMENTATION, "action": "segment", **values})


def test_a_job_with_a_track_is_taken():
    job = ModuleJob(
        module=Module.VIDEO_EDITING,
        action="remove",
        frames=frames(2),
        region=BOX,
        boxes=(np.array([1.0, 1, 4, 4]), None),
        masks=(MASK, None),
    )
    assert job.seed == 0


def test_progress_never_falls_and_ends_at_one():
    told = []
    progress = Progress(lambda fraction, preview: told.append(fraction))
    for fraction in (0.1, 0.5, 0.3, 7.0):
        progress.report(fraction)
    assert told == [0.1, 0.5, 0.5, 1.0] and progress.fraction == 1.0


def test_a_part_of_a_job_tells_its_share_and_is_cancelled_with_it():
    told = []
    whole = Progress(lambda fraction, preview: told.append(fraction))
    part = whole.part(0.5, 0.9)
    part.report(0.5)
    assert told == [pytest.approx(0.7)]
    whole.cancel()
    with pytest.raises(Cancelled):
        part.report(0.6)
