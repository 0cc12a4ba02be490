"""Published models that run here, as data: see zoo.yaml."""

from collections.abc import Collection
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from vitron_ros.yaml_file import read_yaml

ZOO = Path(__file__).with_name("zoo.yaml")


@dataclass(frozen=True, slots=True, kw_only=True)
class ZooModel:
    """A published model.

    Attributes:
        id: on the hub.
        model_type: of its config.json, which chooses its family; of a pipeline, the class in its model_index.json.
        can: what it is for: find, follow, answer, masks; as a backend of the modules' nodes: see zoo.yaml.
        parameters: how many; None: not checked.
        download_gb: of its weights, 10^9 bytes, as many as they take in memory as published; None: not checked.
        licence: None: not checked.
        accuracy: its publisher's figure, which `source` holds; empty: none was checked.
    """

    id: str
    model_type: str
    can: tuple[str, ...]
    parameters: float | None = None
    download_gb: float | None = None
    licence: str | None = None
    accuracy: str = ""
    source: str = ""


@cache
def zoo() -> tuple[ZooModel, ...]:
    """All models of zoo.yaml, in its order."""
    return tuple(_model(**entry) for entry in read_yaml(ZOO))


def zoo_models(known: Collection[str]) -> list[ZooModel]:
    """Those of some types alone."""
    return [model for model in zoo() if model.model_type in known]


def _model(*, can: list[str], **values: object) -> ZooModel:
    return ZooModel(can=tuple(can), **values)  # type: ignore[arg-type]
