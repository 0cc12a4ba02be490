"""Published checkpoints of Elysium and VITRON, written in this project's layout: merged, smaller, or of other sizes."""

from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from safetensors import SafetensorError

from vitron_ros.errors import ModelError
from vitron_ros.grounding.families import check_config
from vitron_ros.grounding.model_files import verify_files
from vitron_ros.model.checkpoint import find_checkpoint, read_config, read_model, read_tokenizer, save_pretrained
from vitron_ros.model.published_layouts import layout_in
from vitron_ros.model.published_parts import ADAPTER, IMAGE_TOWER, TOKENIZER, VIDEO_TOWER
from vitron_ros.model.tokenizer import Tokenizer
from vitron_ros.model.vitron import VitronModel
from vitron_ros.model.weights import Loaded


def convert(
    source: str,
    out: Path,
    *,
    dtype: torch.dtype,
    adapter: Path | None = None,
    image_tower: Path | None = None,
    video_tower: Path | None = None,
    tokenizer: Path | None = None,
    config: Path | None = None,
) -> Loaded:
    """Writes a checkpoint that `vitron models verify` finds sound, or nothing; gives what was written.

    Args:
        source: the published directory or hub id; of VITRON, the base.
        out: a new or empty directory.
        dtype: of the weights written.
        adapter, image_tower, video_tower, tokenizer: folders of parts; None: looked for as of a model that is loaded.
        config: folder with a config.json of this layout; None: the published sizes.

    Raises:
        ConfigError: the config is wrong.
        ModelError: `out` is not empty or cannot be written; there is no such checkpoint; a part does not belong to it;
            its weights do not fit, or are too large for the type.
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise ModelError(f"{out} exists already; give a new directory")
    directory = find_checkpoint(source, check_config)
    layout = layout_in(directory)
    if layout is None:
        read_config(directory)  # a better reason, where it is no checkpoint at all
        raise ModelError(f"{directory} is in this project's layout already")
    named = {ADAPTER: adapter, IMAGE_TOWER: image_tower, VIDEO_TOWER: video_tower}
    given = {part: path for part, path in named.items() if path is not None}
    if given and layout == "elysium":
        raise ModelError(f"{source} is Elysium's, which has no adapter and no towers beside it; leave them out")
    if tokenizer is not None:
        given[TOKENIZER] = tokenizer
    sizes = read_config(config or directory)
    words = read_tokenizer(directory, sizes, given=given)
    loaded = read_model(directory, sizes, dtype=dtype, given=given)
    try:
        _write_sound(loaded.model, words, out, dtype)
    except (OSError, SafetensorError) as error:
        raise ModelError(f"{out} cannot be written: {error}; nothing was kept") from error
    return loaded


def _write_sound(model: VitronModel, tokenizer: Tokenizer, out: Path, dtype: torch.dtype) -> None:
    out.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=out.parent, prefix=f".{out.name}-") as unfinished:
        written = Path(unfinished) / out.name
        save_pretrained(model, written, tokenizer=tokenizer, dtype=dtype)
        if faults := verify_files(written).faults:
            told = "; ".join(faults.values()).replace(str(written), str(out))
            raise ModelError(f"nothing was written, since it would not load: {told}")
        written.replace(out)
