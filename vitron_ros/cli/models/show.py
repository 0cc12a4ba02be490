"""Show parameters and memory by part, before anything is allocated.

Of a hub id that was not fetched, what a fetch would bring is shown.
"""

import argparse
import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vitron_ros.cli.models.kinds import check_known, config_of, is_for_modules
from vitron_ros.cli.models.sizes import gibibytes, millions
from vitron_ros.cli.options import add_json_option
from vitron_ros.errors import ConfigError, ModelError
from vitron_ros.grounding.families import is_ours, model_type
from vitron_ros.model.bundled import is_bundled
from vitron_ros.model.config import PROFILES, ModelConfig, profile
from vitron_ros.model.hub import Download, size_text

if TYPE_CHECKING:
    from vitron_ros.grounding.families.published import PublishedSizes
    from vitron_ros.model.footprint import Footprint

EPILOG = "example: vitron models show elysium-7b"
WIDTH = 28  # of the names of parts, at least


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("model", help="a profile, or a checkpoint: directory, bundled name or hub id")
    add_json_option(parser)


def run(args: argparse.Namespace) -> int:
    # Here, since --help does without torch and transformers.
    from vitron_ros.cli.models.module_models import module_sizes
    from vitron_ros.grounding.families.published import published_sizes
    from vitron_ros.model.checkpoint import fetched_checkpoint, find_checkpoint, plan_checkpoint, read_config
    from vitron_ros.model.footprint import footprint

    name = args.model
    if name in PROFILES and not is_bundled(name) and not Path(name).is_dir():
        return _show_ours(profile(name), footprint(profile(name)), args.json)
    try:
        if len(Path(name).parts) == 2 and not Path(name).exists() and fetched_checkpoint(name) is None:
            return _show_remote(plan_checkpoint(name, check_known), args.json)
        directory = find_checkpoint(name)
    except ModelError as error:
        raise ConfigError(f"{error}. Profiles: {', '.join(PROFILES)}") from error
    if is_for_modules(config_of(directory)):
        return _show_published(module_sizes(directory), args.json)
    if is_ours(model_type(directory)):
        config = read_config(directory)
        return _show_ours(config, footprint(config), args.json)
    return _show_published(published_sizes(directory), args.json)


def _show_ours(config: ModelConfig, sizes: "Footprint", is_json: bool) -> int:
    if is_json:
        totals = {
            name: getattr(sizes, name)
            for name in ("total", "float32_bytes", "float16_bytes", "int8_bytes", "cache_bytes")
        }
        print(json.dumps({"config": json.loads(config.to_json()), **asdict(sizes), **totals}))
    else:
        print(_table(config, sizes))
    return 0


def _table(config: ModelConfig, sizes: "Footprint") -> str:
    vision = config.vision
    rows = [
        f"{config.name}: image {vision.image_size} px, {vision.num_patches} patches a frame, "
        f"{sizes.tokens_per_frame} tokens a frame",
        *_parts(sizes.parameters),
        f"  {'total':<{WIDTH}}{millions(sizes.total):>12}  {gibibytes(sizes.float16_bytes):>10} in float16, "
        f"{gibibytes(sizes.float32_bytes)} in float32, {gibibytes(sizes.int8_bytes)} with int8 language weights",
        f"  cache of a full context of {sizes.context} tokens: {gibibytes(sizes.cache_bytes)} in float16",
    ]
    return "\n".join(rows)


def _show_published(sizes: "PublishedSizes", is_json: bool) -> int:
    if is_json:
        print(json.dumps({**asdict(sizes), "total": sizes.total}))
        return 0
    can = f"; can {', '.join(sizes.can)}" if sizes.can else ""
    print(f"{sizes.name}: {sizes.model_type}, {sizes.architecture}{can}")
    width = max(WIDTH, *(len(part) + 2 for part in sizes.parameters))
    print("\n".join(_parts(sizes.parameters, width)))
    print(
        f"  {'total':<{width}}{millions(sizes.total):>12}  {gibibytes(2 * sizes.total):>10} in float16, "
        f"{gibibytes(4 * sizes.total)} in float32"
    )
    return 0


def _show_remote(downloads: Sequence[Download], is_json: bool) -> int:
    if is_json:
        first, *parts = map(_as_json, downloads)
        print(json.dumps({**first, "parts": parts}))
        return 0
    for download in downloads:
        model = download.model
        print(f"{model.id}: {size_text(download.size)}, licence {model.licence or 'unknown'}; not fetched yet")
        print("\n".join(f"  {file.name:<42}{size_text(file.size):>10}" for file in download.files))
    return 0


def _as_json(download: Download) -> dict[str, Any]:
    files = {file.name: file.size for file in download.files}
    return {"id": download.model.id, "licence": download.model.licence, "bytes": download.size, "files": files}


def _parts(parameters: dict[str, int], width: int = WIDTH) -> list[str]:
    return [f"  {part:<{width}}{millions(count):>12}  {gibibytes(2 * count):>10}" for part, count in parameters.items()]
