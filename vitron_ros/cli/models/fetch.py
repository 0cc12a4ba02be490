"""Fetch a published model from the hub into the cache of huggingface_hub, and check it.

Size and licence are said first. Only safetensors, JSON, texts and tokenizers are fetched; of VITRON, which has nothing
else, pickles too. Of Elysium and VITRON, the parts that lie in other repositories come along. A download that was cut
off goes on where it ended; what arrives is compared with the hub's hashes, and that is all that is checked of a model
for the modules' nodes. HF_HOME, HF_ENDPOINT and HF_TOKEN hold.
"""

import argparse
import json
import sys
from pathlib import Path

from vitron_ros.cli.models.kinds import check_known, is_for_modules
from vitron_ros.cli.models.verify import verdict_lines
from vitron_ros.cli.options import add_json_option
from vitron_ros.errors import ModelError
from vitron_ros.model.bundled import is_bundled
from vitron_ros.model.hub import Download, HubFile, fetch, size_text

EPILOG = "example: vitron models fetch iSEE-Laboratory/llmdet_tiny"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("model", help="its hub id, owner/name; see: vitron models list")
    parser.add_argument("--yes", action="store_true", help="go on without asking")
    add_json_option(parser)


def run(args: argparse.Namespace) -> int:
    """Exit code 0; 1 where nothing was fetched, or what was fetched has a fault."""
    # Here, since --help does without torch and transformers.
    from vitron_ros.grounding.families.published import verify_directory
    from vitron_ros.grounding.model_files import Verdict
    from vitron_ros.model.checkpoint import plan_checkpoint

    if is_bundled(args.model):
        raise ModelError(f"{args.model} comes with this package; nothing is to be fetched")
    if Path(args.model).is_dir():
        raise ModelError(f"{args.model} is a folder here, which is used as it is; check it: vitron models verify")
    downloads = plan_checkpoint(args.model, check_known)
    for download in downloads:
        _say(_summary(download))
    if any(download.missing_size for download in downloads) and not args.yes and not _is_wanted():
        _say("nothing was fetched")
        return 1
    folders = [fetch(download, on_file=_announce) for download in downloads]
    verdict = Verdict() if is_for_modules(downloads[0].config) else verify_directory(folders[0])
    faults = verdict.problems
    _say("\n".join(verdict_lines(folders[0], verdict)))
    if args.json:
        result = {
            "folders": [str(folder) for folder in folders],
            "bytes": sum(download.size for download in downloads),
            "licences": {download.model.id: download.model.licence for download in downloads},
            "faults": faults,
        }
        print(json.dumps(result))
    else:
        print("\n".join(map(str, folders)))
    return 1 if faults else 0


def _summary(download: Download) -> str:
    model, missing = download.model, download.missing_size
    licence = f"licence {model.licence}" if model.licence else "no licence on its model card"
    still = "all of it is here" if not missing else f"{size_text(missing)} to fetch"
    return f"{model.id}: {size_text(download.size)} in {len(download.files)} files, {licence}; {still}"


def _is_wanted() -> bool:
    if not sys.stdin.isatty():
        raise ModelError("nobody is there to be asked; give --yes to fetch it")
    print("fetch? [y/N] ", end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def _announce(file: HubFile) -> None:
    _say(f"{file.name}: {size_text(file.size)}")


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
