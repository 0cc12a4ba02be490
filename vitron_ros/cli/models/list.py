"""List the profiles, the bundled models, and published ones that run here."""

import argparse
import json
from dataclasses import asdict
from itertools import chain
from typing import Any

from vitron_ros.cli.models.sizes import gibibytes, millions
from vitron_ros.cli.options import add_json_option
from vitron_ros.grounding.families import FAMILIES
from vitron_ros.model.bundled import is_bundled
from vitron_ros.model.config import PARAMETERS
from vitron_ros.model.zoo import ZooModel, zoo_models
from vitron_ros.modules.backends import MODEL_BACKENDS

EPILOG = "example: vitron models list"
CLAIM = "Published models, as their publishers describe them (?: not checked). Run here with tiny random weights only."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_json_option(parser)


def run(args: argparse.Namespace) -> int:
    profiles, published = (
        [_profile(name, count) for name, count in PARAMETERS.items()],
        zoo_models({*FAMILIES, *chain.from_iterable(MODEL_BACKENDS.values())}),
    )
    if args.json:
        print(json.dumps({"profiles": profiles, "published": [asdict(model) for model in published]}))
        return 0
    for row in profiles:
        where = "bundled" if row["bundled"] else "needs weights"
        size = gibibytes(row["float16_bytes"])
        print(f"{row['name']:<22}{millions(row['parameters']):>12}  {size:>10} in float16  {where}")
    if published:
        print(f"\n{CLAIM}\n{'fetch with: vitron models fetch ID':<66}{'params':>8}{'weights':>9}  {'licence':<12} can")
    for model in published:
        print("\n".join(_lines(model)))
    return 0


def _profile(name: str, parameters: int) -> dict[str, Any]:
    return {"name": name, "bundled": is_bundled(name), "parameters": parameters, "float16_bytes": 2 * parameters}


def _lines(model: ZooModel) -> list[str]:
    """One line with the facts, and one for the accuracy with its source."""
    count = "?" if model.parameters is None else _count(model.parameters)
    size = "?" if model.download_gb is None else f"{model.download_gb:.1f} GB"
    facts = f"{model.id:<66}{count:>8}{size:>9}  {model.licence or 'not checked':<12} {', '.join(model.can) or '-'}"
    return [facts, f"    {model.accuracy} ({model.source})"] if model.accuracy else [facts]


def _count(parameters: float) -> str:
    return f"{parameters / 1e9:g} B" if parameters >= 1e9 else f"{parameters / 1e6:g} M"
