"""One job of an expert module from the command line: `vitron segment`, `edit` and `generate`."""

import argparse
import json
import sys

from tqdm import tqdm

from vitron_ros.cli.exit_code import DONE
from vitron_ros.cli.module_options import DEFAULT, backends_of, check_results
from vitron_ros.commands.plan import module_for
from vitron_ros.config import ModelRun
from vitron_ros.module_registry import Action, Node
from vitron_ros.modules.backends import load_backend
from vitron_ros.modules.instructions import read_instructions
from vitron_ros.modules.module import BadJob, JobSettings, ModuleJob, Progress
from vitron_ros.modules.worker import run_job
from vitron_ros.offline.module_input import read_frames
from vitron_ros.offline.module_output import write_results


def run_module(
    node: Node, arguments: argparse.Namespace, action: Action, text: str, settings: JobSettings = DEFAULT
) -> int:
    """Do it, write the results and say where they are."""
    check_results(arguments)
    source = getattr(arguments, "source", None)
    frames = () if source is None else read_frames(source, fps=arguments.fps, topic=arguments.topic, at_s=arguments.at)
    regions = getattr(arguments, "region", [])
    if len(regions) > 1:
        raise BadJob(f"{len(regions)} regions were given; a job is about one object")
    entry = module_for(action, is_clip=len(frames) > 1 or getattr(arguments, "clip", False))
    module, action, text = read_instructions(entry.module, [f"{action}: {text}"])
    job = ModuleJob(
        module=module,
        action=action,
        text=text,
        frames=frames[:1] if entry.input == "image" else frames,
        region=regions[0] if regions else None,
        seed=getattr(arguments, "seed", 0),
        settings=settings,
    )
    backend = load_backend(node, backends_of(arguments)[node], ModelRun())
    with tqdm(total=1.0, desc=entry.name, file=sys.stderr, disable=None, bar_format="{l_bar}{bar}|") as bar:
        result = run_job(backend, job, Progress(lambda fraction, preview: bar.update(fraction - bar.n)))
    path = write_results(arguments.out, job, result, arguments.formats)
    about = backend.describe()
    if arguments.json:
        said = {"module": module.name.lower(), "backend": about.name, "licence": about.licence, "note": result.message}
        print(json.dumps({**said, "images": max(len(result.images), len(result.masks)), "path": str(path)}))
    else:
        print("\n".join(filter(None, (result.message, f"look at {path}"))))
    return DONE
