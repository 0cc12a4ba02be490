"""What one server knows beyond the plain protocol, as its answers show, and which images it has already."""

import logging
from collections import OrderedDict
from collections.abc import Sequence

from vitron_ros.grounding.families.certainty import UNSCORED
from vitron_ros.grounding.families.sent_image import SentImage

logger = logging.getLogger(__name__)

MOST_IMAGES = 64  # that the server is taken to remember
OPTIONAL = {
    "structured_outputs": "boxes are read from free text",
    "logprobs": f"every score is {UNSCORED}",
    "chat_template_kwargs": "a model that thinks aloud may answer late",
    "uuid": "each image is sent in full",
}
"""Fields of a request that a server may not know, and what it means if so."""


class ServerFeatures:
    """Single-threaded.

    Args:
        url: of the server, for messages.
        caches_images: it may know an image by its uuid.
    """

    def __init__(self, url: str, *, caches_images: bool) -> None:
        self._url = url
        self._lacking = set() if caches_images else {"uuid"}
        self._images: OrderedDict[str, None] = OrderedDict()

    def takes(self, name: str) -> bool:
        """Whether a field of OPTIONAL is worth sending."""
        return name not in self._lacking

    def lacks(self, name: str) -> None:
        """Leave a field out from now on. It is said once."""
        if name not in self._lacking:
            logger.warning("%s does not know %s: %s", self._url, name, OPTIONAL[name])
            self._lacking.add(name)

    def learn(self, message: str, images: Sequence[SentImage]) -> None:
        """Leave out from now on what a refusal names, or else the uuid of images that were not sent in full."""
        named = [name for name in OPTIONAL if name in message]
        if not named and self.takes("uuid") and any(image.uuid in self._images for image in images):
            named = ["uuid"]
        for name in named:
            self.lacks(name)

    def image(self, image: SentImage) -> dict[str, object]:
        """The part of a message that shows an image: in full, or by its uuid alone where the server has it."""
        if not self.takes("uuid"):
            return {"type": "image_url", "image_url": {"url": image.url}}
        url = None if image.uuid in self._images else {"url": image.url}
        return {"type": "image_url", "image_url": url, "uuid": image.uuid}

    def remember(self, images: Sequence[SentImage], *, is_answered: bool) -> None:
        """The server has these; or after a failure, perhaps of one that came back without its memory, none."""
        if not is_answered:
            self._images.clear()
            return
        self._images |= OrderedDict.fromkeys(image.uuid for image in images)
        while len(self._images) > MOST_IMAGES:
            self._images.popitem(last=False)
