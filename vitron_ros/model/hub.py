"""Models on a hub: what is there, how large it is, and fetching it into the cache that transformers shares.

`HF_HOME`, `HF_ENDPOINT` and `HF_TOKEN` hold. Each file is downloaded beside its place in the cache, goes on where an
earlier download broke off, and takes its place once it has the hash that the hub names; a snapshot that is linked there
is therefore whole. huggingface_hub itself checks sizes alone and begins a broken file anew.
"""

import errno
import hashlib
import logging
import re
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import httpx2
from filelock import FileLock
from huggingface_hub import HfApi, constants, hf_hub_download, hf_hub_url, try_to_load_from_cache
from huggingface_hub.errors import (
    GatedRepoError,
    HfHubHTTPError,
    HFValidationError,
    LocalEntryNotFoundError,
    OfflineModeIsEnabled,
    RepositoryNotFoundError,
)
from huggingface_hub.file_download import http_get, repo_folder_name
from huggingface_hub.utils import build_hf_headers  # type: ignore[attr-defined] # exported on first use

from vitron_ros.errors import ModelError
from vitron_ros.model.files import PICKLES, is_file, quoted, read_json, shortened
from vitron_ros.model.pipeline_layout import MODEL_INDEX, wanted_files

CONFIG, INDEX, WEIGHTS = "config.json", "model.safetensors.index.json", "model.safetensors"
PICKLE, PICKLE_INDEX = "pytorch_model.bin", "pytorch_model.bin.index.json"
MARKS = (CONFIG, MODEL_INDEX, "adapter_config.json", "tokenizer.model")  # one of them is in each part of a model
SMALL_FILES = ("*.json", "*.jinja", "*.txt", "tokenizer.model", "prompt_profile.yaml", "README.md")
DIGEST = re.compile(r"[0-9a-f]{64}|[0-9a-f]{40}")
TIMEOUT_S = 10.0
CHUNK_BYTES = 1 << 20
UNITS = ((1e9, "GB"), (1e6, "MB"), (1e3, "kB"), (1, "B"))

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class HubFile:
    """A file of a repository.

    Attributes:
        size: bytes.
        sha256: of its content, if it is kept in Git LFS; empty: it is not.
        git_sha1: of its content as git counts it, if it is not in LFS.
    """

    name: str
    size: int
    sha256: str
    git_sha1: str

    @property
    def digest(self) -> str:
        """What the hub names it by, and the cache too."""
        return self.sha256 or self.git_sha1


@dataclass(frozen=True, slots=True, kw_only=True)
class HubModel:
    """A repository of a hub at one commit.

    Attributes:
        licence: as its model card says; empty: it does not.
        files: those of its top folder and of the folders in it.
    """

    id: str
    commit: str
    licence: str
    files: tuple[HubFile, ...]

    @property
    def blobs(self) -> Path:
        """Where the cache keeps its files."""
        return Path(constants.HF_HUB_CACHE, repo_folder_name(repo_id=self.id, repo_type="model"), "blobs")

    def has(self, name: str) -> bool:
        return any(file.name == name for file in self.files)

    def matching(self, *patterns: str) -> list[HubFile]:
        """Files of the top folder."""
        top = [file for file in self.files if "/" not in file.name]
        return [file for file in top if any(fnmatch(file.name, pattern) for pattern in patterns)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Download:
    """What is to be fetched of a repository, weights last.

    Attributes:
        config: the table of its config.json, and
        weights: the names of the weights that its index lists, where the whole model is fetched.
    """

    model: HubModel
    files: tuple[HubFile, ...]
    config: Mapping[str, Any] = field(default_factory=dict)
    weights: frozenset[str] = frozenset()

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(file.size for file in self.files)

    @property
    def missing_size(self) -> int:
        """Bytes that are still to come."""
        blobs = self.model.blobs
        return sum(file.size - _size(_part(blobs, file)) for file in self.files if not is_file(blobs / file.digest))


def plan_download(
    model_id: str,
    check: Callable[[Mapping[str, Any], str], object] | None = None,
    *,
    takes_pickles: Callable[[Mapping[str, Any]], bool] = lambda config: False,
) -> Download:
    """What a model needs: its JSON, texts and tokenizer, and the safetensors that its index names, of each part.

    Args:
        check: given the table of its config.json, or of a pipeline's model_index.json, and a name for it, before
            anything large is fetched; it raises what is wrong.
        takes_pickles: whether a model with such a config.json may be fetched as pickles where it has no safetensors.

    Raises:
        ModelError: the hub or the model cannot be reached, it has no config.json, or its weights are pickles.
    """
    with _explained(model_id):
        model = look_up(model_id)
        if model.has(MODEL_INDEX):
            return _plan_pipeline(model, check)
        if not model.has(CONFIG):
            raise ModelError(f"{model_id} has no {CONFIG}; it is not a model that can be loaded")
        config = read_json(_fetch_file(model, CONFIG))
        if check is not None:
            check(config, model_id)
        try:
            files, names = _weights(model, INDEX, WEIGHTS)
        except ModelError:
            if not takes_pickles(config):
                raise
            files, names = _weights(model, PICKLE_INDEX, PICKLE)
        return Download(model=model, files=(*model.matching(*SMALL_FILES), *files), config=config, weights=names)


def _plan_pipeline(model: HubModel, check: Callable[[Mapping[str, Any], str], object] | None) -> Download:
    index = read_json(_fetch_file(model, MODEL_INDEX))
    if check is not None:
        check(index, model.id)
    names = [file.name for file in model.files]
    wanted = wanted_files(names, index, lambda name: read_json(_fetch_file(model, name)), model.id)
    files = {file.name: file for file in model.files}
    return Download(model=model, files=tuple(files[name] for name in wanted), config=index)


def plan_files(model_id: str, patterns: tuple[str, ...]) -> Download:
    """Files of a repository by name, whatever they are.

    Raises:
        ModelError: the hub or the repository cannot be reached, or it has no such files.
    """
    with _explained(model_id):
        model = look_up(model_id)
    files = tuple(model.matching(*patterns))
    if not files:
        raise ModelError(f"{model_id} has none of the files {', '.join(patterns)}; see its page on the hub")
    return Download(model=model, files=files)


def look_up(model_id: str) -> HubModel:
    """What the hub knows of a model: one request. Beside ModelError it raises what huggingface_hub does."""
    info = HfApi(endpoint=constants.ENDPOINT).model_info(model_id, files_metadata=True, timeout=TIMEOUT_S)
    card: Any = info.card_data or {}
    files = [
        HubFile(
            name=file.rfilename,
            size=(file.lfs.size if file.lfs else file.size) or 0,
            sha256=file.lfs.sha256 if file.lfs else "",
            git_sha1=file.blob_id or "",
        )
        for file in info.siblings or []
        if file.rfilename.count("/") <= 1
    ]
    if nameless := [file.name for file in files if not DIGEST.fullmatch(file.digest)]:
        raise ModelError(f"the hub gives no hash for {shortened(nameless)} of {model_id}; it cannot be verified")
    licence = card.get("license_name") or card.get("license") or ""
    return HubModel(
        id=model_id,
        commit=str(info.sha),
        licence=", ".join(licence) if isinstance(licence, list) else str(licence),
        files=tuple(files),
    )


def fetch(download: Download, on_file: Callable[[HubFile], None] = lambda file: None) -> Path:
    """The folder with the files, all of them checked. What is there already is checked, and not fetched again.

    Args:
        on_file: told of each file before it is fetched.

    Raises:
        ModelError: the network, the disk or the hub fails, or a file is not what the hub says it is.
    """
    model = download.model
    with _explained(model.id):
        model.blobs.mkdir(parents=True, exist_ok=True)
        with FileLock(model.blobs.parent / ".fetch.lock"):
            _check_space(download)
            for file in download.files:
                blob = model.blobs / file.digest
                if is_file(blob) and _digest(blob, file) != file.digest:
                    blob.unlink()
                if not is_file(blob):
                    on_file(file)
                    _fetch_blob(model, file)
            linked = {Path(_link(model, file)).parents[file.name.count("/")] for file in download.files}
    if {folder.name for folder in linked} != {model.commit}:
        raise ModelError(f"{model.id} has changed on the hub while it was fetched; fetch it again")
    return linked.pop()


def cached_folder(model_id: str) -> Path | None:
    """The folder of the newest snapshot of a model in the cache, perhaps not a whole one; None: there is none."""
    try:
        found = [try_to_load_from_cache(model_id, name) for name in MARKS]
    except HFValidationError:
        return None
    return next((Path(path).parent for path in found if isinstance(path, str)), None)


def announce(download: Download) -> None:
    """Logs what is about to be fetched: its size and licence."""
    model = download.model
    licence = model.licence or "unknown, see its page"
    logger.info("fetching %s: %s, licence %s", model.id, size_text(download.missing_size), licence)


def _weights(model: HubModel, index: str, single: str) -> tuple[list[HubFile], frozenset[str]]:
    """The files that an index names, or the single one there is; and the names of the weights in the index."""
    ending = Path(single).suffix
    names: dict[str, Any] = {}
    if model.has(index):
        listed = read_json(_fetch_file(model, index)).get("weight_map")
        names = listed if isinstance(listed, dict) else {}
        wanted = {str(name) for name in names.values()}
    elif model.has(single):
        wanted = {single}
    else:
        wanted = {file.name for file in model.matching(f"*{ending}")}
    files = [file for file in model.files if file.name in wanted and file.name.endswith(ending)]
    if len(files) == len(wanted) > 0:
        return files, frozenset(names)
    if pickles := model.matching(*PICKLES):
        raise ModelError(
            f"{model.id} holds its weights as pickles ({shortened([file.name for file in pickles])}), which can run "
            "code when opened, and they are not fetched; take another repository of the model, with safetensors, or "
            "convert it where that is safe, with transformers' save_pretrained, and give the directory"
        )
    raise ModelError(f"{model.id} has no weights as safetensors, or not all that its index names; choose another model")


def _fetch_file(model: HubModel, name: str) -> Path:
    file = next(file for file in model.files if file.name == name)
    model.blobs.mkdir(parents=True, exist_ok=True)
    return _fetch_blob(model, file)


def _fetch_blob(model: HubModel, file: HubFile) -> Path:
    """The file in the cache, under the name of its hash."""
    blob, part = model.blobs / file.digest, _part(model.blobs, file)
    if is_file(blob):
        return blob
    if _size(part) > file.size:
        part.unlink()
    with part.open("ab") as out:
        http_get(
            hf_hub_url(model.id, file.name, revision=model.commit, endpoint=constants.ENDPOINT),
            out,
            resume_size=out.tell(),
            headers=build_hf_headers(),
            expected_size=file.size,
            displayed_filename=file.name,
        )
    if (found := _digest(part, file)) != file.digest:
        part.unlink()
        raise ModelError(
            f"{file.name} of {model.id} did not arrive as the hub has it (its hash is {found[:12]}..., not "
            f"{file.digest[:12]}...); it was thrown away: fetch it again"
        )
    part.replace(blob)
    return blob


def _link(model: HubModel, file: HubFile) -> str:
    """Puts a file of the cache into its snapshot, as huggingface_hub does."""
    return hf_hub_download(model.id, file.name, endpoint=constants.ENDPOINT)


def _part(blobs: Path, file: HubFile) -> Path:
    return blobs / f"{file.digest}.part"


def _size(path: Path) -> int:
    return path.stat().st_size if is_file(path) else 0


def _digest(path: Path, like: HubFile) -> str:
    """The hash of a file, of the kind that the hub gives of it."""
    digest = hashlib.sha256() if like.sha256 else hashlib.sha1(b"blob %d\0" % path.stat().st_size)
    with path.open("rb") as file:
        while chunk := file.read(CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()


def _check_space(download: Download) -> None:
    free, needed = free_bytes(download.model.blobs), download.missing_size
    if free < needed:
        raise ModelError(
            f"{download.model.id} needs {size_text(needed)} more and {constants.HF_HUB_CACHE} has {size_text(free)} "
            "free; make room, or set HF_HOME to a folder on a larger disk"
        )


def free_bytes(folder: Path) -> int:
    return shutil.disk_usage(folder).free


def size_text(nbytes: float) -> str:
    """A size for a person, as hubs and disks are labelled: 1 GB is 10^9 bytes."""
    return next(f"{nbytes / unit:.1f} {name}" for unit, name in UNITS if nbytes >= unit or unit == 1)


@contextmanager
def _explained(model_id: str) -> Iterator[None]:
    """Turns what the hub's client raises into a ModelError of one sentence."""
    try:
        yield
    except GatedRepoError as error:
        raise ModelError(
            f"{model_id} is gated: accept its licence on {constants.ENDPOINT}/{model_id} with an account, then run "
            "hf auth login, or set HF_TOKEN"
        ) from error
    except RepositoryNotFoundError as error:
        raise ModelError(
            f"{constants.ENDPOINT} has no model {model_id}, or a private one; see: vitron models list"
        ) from error
    except HFValidationError as error:
        raise ModelError(f"{quoted(model_id)} is not a hub id; they look like owner/name") from error
    except OfflineModeIsEnabled as error:
        raise ModelError(f"{model_id} is not in the cache, and HF_HUB_OFFLINE forbids to fetch it; unset it") from error
    except HfHubHTTPError as error:
        raise ModelError(
            f"{constants.ENDPOINT} answers {error.response.status_code} to a request for {model_id}; try again later"
        ) from error
    except (httpx2.TransportError, LocalEntryNotFoundError) as error:
        raise ModelError(
            f"{model_id} cannot be fetched: {constants.ENDPOINT} cannot be reached ({type(error).__name__}); check the "
            "network and fetch again, it goes on where it broke off"
        ) from error
    except OSError as error:
        reason = "the disk is full" if error.errno == errno.ENOSPC else str(error).partition("\n")[0]
        raise ModelError(
            f"{model_id} cannot be fetched into {constants.HF_HUB_CACHE}: {reason}; fetch it again, it goes on"
        ) from error
