"""A network that says exactly where a white box lies in the pixels it is given: the box comes back in camera pixels.

So whatever the published preprocessing does to an image (resizing, stretching, padding) is undone, within 1 px.
"""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from transformers import AutoImageProcessor, AutoTokenizer

from tests.grounding.families import tiny
from tests.grounding.families.fake_server import FakeServer, image_of, parts
from vitron_ros.config import ModelRun
from vitron_ros.frame import Frame
from vitron_ros.grounding.families.composite import Composite
from vitron_ros.grounding.families.detector import FINDS, Detector
from vitron_ros.grounding.families.grounding_dino import GroundingDino
from vitron_ros.grounding.families.owl import Owl
from vitron_ros.grounding.request import ModelDescription, ModelRequest, ReplyStatus, Task
from vitron_ros.streaming.answering import answers
from vitron_ros.streaming.models import load_model

SIZES = [(640, 480), (1280, 720), (720, 1280), (641, 427), (333, 999), (1920, 1080)]


def seen_box(pixels, mask=None):
    """Center and size of the white box in a prepared image (3, H, W), in fractions of what is no padding."""
    height, width = pixels.shape[1:] if mask is None else (int(mask[:, 0].sum()), int(mask[0].sum()))
    grey = pixels[:, :height, :width].double().mean(dim=0)
    light = ((grey - grey.min()) / (grey.max() - grey.min())).clamp(0, 1).round()
    rows, columns = light.sum(dim=1), light.sum(dim=0)
    side = torch.stack([(columns > 0).sum(), (rows > 0).sum()])
    first = torch.stack([(columns > 0).double().argmax(), (rows > 0).double().argmax()])
    size = torch.tensor([width, height])
    return torch.cat([(first + side / 2) / size, side / size])


class Sees:
    """Stands for the network: its only box is the true one."""

    def __init__(self, kind):
        text = SimpleNamespace(max_position_embeddings=16)
        self.config = SimpleNamespace(model_type=kind, max_text_len=256, text_config=text)
        self.device, self.dtype = torch.device("cpu"), torch.float32

    def __call__(self, pixel_values, input_ids, pixel_mask=None, **_):
        masks = [None] * len(pixel_values) if pixel_mask is None else pixel_mask
        boxes = torch.stack([seen_box(*image) for image in zip(pixel_values, masks, strict=True)])[:, None]
        is_dino = "dino" in self.config.model_type
        logits = torch.full((len(boxes), 1, 256 if is_dino else 1), -9.0 if is_dino else 9.0)
        if is_dino:
            logits[..., 1] = 9.0
        return SimpleNamespace(pred_boxes=boxes, logits=logits)


def network(tmp_path, kind):
    make, size = (tiny.grounding_dino, None) if "dino" in kind else (tiny.owl, 960)
    directory = make(tmp_path, kind=kind)
    images = AutoImageProcessor.from_pretrained(directory)
    images.size = {"shortest_edge": 800, "longest_edge": 1333} if size is None else {"height": size, "width": size}
    family = GroundingDino if "dino" in kind else Owl
    return family(Sees(kind), images, AutoTokenizer.from_pretrained(directory))


@pytest.mark.parametrize("kind", ["grounding-dino", "mm-grounding-dino", "owlvit", "owlv2"])
def test_the_true_box_comes_back_in_camera_pixels(tmp_path, kind):
    found = network(tmp_path, kind)
    for width, height in SIZES:
        truth = np.array([width // 5, height // 3, width // 5 + width // 3, height // 3 + height // 4])
        image = np.zeros((height, width, 3), np.uint8)
        image[truth[1] : truth[3], truth[0] : truth[2]] = 255
        (seen,) = found.detect([image], [found.worded("the mug")[0]])
        assert np.abs(seen.boxes_xyxy[0] - truth).max() <= 1, (width, height)
        assert seen.scores[0] > 0.9


@pytest.mark.parametrize("size", SIZES[:5], ids=str)
def test_a_true_box_is_marked_for_the_model_that_verifies_it_and_stays_where_it_is(tmp_path, size):
    width, height = size
    truth = np.array([width // 5, height // 3, width // 5 + width // 3, height // 3 + height // 4])
    image = np.zeros((height, width, 3), np.uint8)
    image[truth[1] : truth[3], truth[0] : truth[2]] = 255
    what = ModelDescription(name="d", family="grounding-dino", tasks=FINDS, parameters=0, memory_bytes=0, device="cpu")
    with FakeServer(lambda body: "1") as server:
        verifier = load_model(server.url, ModelRun())
        model = Composite({"finder": Detector(network(tmp_path, "grounding-dino"), what), "verifier": verifier})
        request = ModelRequest(id="1", task=Task.FIND, frames=(Frame(rgb=image, stamp_ns=1),), text="the mug")
        (reply,) = answers(model, [request])
        verifier.close()
    assert reply.status is ReplyStatus.OK and np.abs(reply.boxes_xyxy[0] - truth).max() <= 1
    (exchange,) = server.asked
    shown = image_of(*parts(exchange.body, "image_url")).astype(int)
    colourful = np.ptp(shown, axis=-1) > 60
    scale = np.array([shown.shape[1] / width, shown.shape[0] / height] * 2)
    x1, y1, x2, y2 = np.round(truth * scale).astype(int)
    for column, row in ((x1, (y1 + y2) // 2), (x2, (y1 + y2) // 2), ((x1 + x2) // 2, y1), ((x1 + x2) // 2, y2)):
        assert colourful[row - 4 : row + 5, column - 4 : column + 5].any(), "a line of the mark is at each edge"
    assert not colourful[y1 + 30 : y2 - 30, x1 + 30 : x2 - 30].any()
