"""Parameters of the generator. The defaults are those that the shipped model was trained with."""

from dataclasses import dataclass

from vitron_ros.errors import ConfigError


@dataclass(frozen=True, slots=True, kw_only=True)
class WorldConfig:
    """What a clip may contain. Probabilities are in [0, 1].

    Attributes:
        min_objects, max_objects: number of objects in a clip.
        distractor: probability that an object is a distractor: it differs from another in at most one attribute.
        camera_motion: probability that the camera pans, zooms or shakes.
        post: probability of a foreground post that occludes what passes behind it.
        out_of_view: additional probability that an object leaves the view, enters it or returns to it.
        degrade: strength of blur, noise, exposure, colour cast and shadow; 0 is a clean drawing, 1 the default.
        jpeg: probability that the frames went through JPEG.
        held_out_share: probability that an object of a validation clip has a colour-shape pair unseen in training.
    """

    min_objects: int = 2
    max_objects: int = 8
    distractor: float = 0.45
    camera_motion: float = 0.55
    post: float = 0.15
    out_of_view: float = 0.0
    degrade: float = 1.0
    jpeg: float = 0.4
    held_out_share: float = 0.3

    def __post_init__(self) -> None:
        if not 1 <= self.min_objects <= self.max_objects <= 8:
            raise ConfigError(f"a world has 1 to 8 objects, this asks for {self.min_objects} to {self.max_objects}")
        for name in ("distractor", "camera_motion", "post", "out_of_view", "jpeg", "held_out_share"):
            value = getattr(self, name)
            if not 0 <= value <= 1:
                raise ConfigError(f"{name} is a probability, this is {value}")
        if not 0 <= self.degrade <= 2:
            raise ConfigError(f"degrade is a strength in 0..2, this is {self.degrade}")
