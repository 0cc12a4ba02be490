"""What cannot run is refused in one sentence that says what is wrong, whichever the family."""

import json
import shutil
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import fake_hub
import pytest
from fake_hub import FakeHub
from published import ELYSIUM_CONFIG, VITRON_CONFIG, save_elysium, save_vitron
from tiny_language import bpe
from tiny_vitron import tiny_vitron

from tests.grounding.families import tiny, tiny_sam2, tiny_text_models
from tests.refusals import assert_refused
from vitron_ros.config import ModelRun
from vitron_ros.errors import ModelError
from vitron_ros.grounding.families import FAMILIES, WITHOUT_WORDS, is_ours
from vitron_ros.model.checkpoint import save_pretrained
from vitron_ros.model.config import PROFILES
from vitron_ros.streaming.models import load_model

POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 3\n"
PROCESSORS = ("processor_config.json", "preprocessor_config.json")
VOCABULARIES = ("tokenizer.json", "vocab.txt", "vocab.json", "merges.txt", "tokenizer.model")


def ours(directory: Path) -> None:
    save_pretrained(tiny_vitron(), directory, tokenizer=bpe())


def elysium(directory: Path) -> None:
    save_elysium(directory)
    bpe().save(directory)


def vitron(directory: Path) -> None:
    save_vitron(directory, directory / "vitron-lora", pickled=False)
    bpe().save(directory)


MAKERS: dict[str, Callable[[Path], object]] = {
    "vitron": ours,
    "elysium": elysium,
    "llava": vitron,
    "grounding-dino": tiny.grounding_dino,
    "mm-grounding-dino": partial(tiny.grounding_dino, kind="mm-grounding-dino"),
    "owlvit": tiny.owl,
    "owlv2": partial(tiny.owl, kind="owlv2"),
    **{kind: partial(tiny_text_models.qwen, kind=kind) for kind in ("qwen2_5_vl", "qwen3_vl", "qwen3_5")},
    "florence2": tiny_text_models.florence2,
    "sam2_video": tiny_sam2.sam2_video,
}
KINDS = pytest.mark.parametrize("kind", MAKERS)


def test_every_family_is_tried():
    assert set(FAMILIES) - set(MAKERS) == {"edgetam_video"}, "it needs timm, which is not here"


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folders = {kind: tmp_path_factory.mktemp("families") / kind for kind in MAKERS}
    for kind, make in MAKERS.items():
        make(folders[kind])
    return folders


@pytest.fixture(autouse=True)
def sizes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(PROFILES, "elysium-7b", ELYSIUM_CONFIG)
    monkeypatch.setitem(PROFILES, "vitron-7b-published", VITRON_CONFIG)


@pytest.fixture
def model(good, kind, tmp_path) -> Path:
    return shutil.copytree(good[kind], tmp_path / "model")


def remove(*patterns: str) -> Callable[[Path], object]:
    return lambda folder: [file.unlink() for pattern in patterns for file in folder.glob(pattern)]


def configured(**values: object) -> Callable[[Path], object]:
    def change(folder: Path) -> None:
        path = folder / "config.json"
        path.write_text(json.dumps({**json.loads(path.read_text()), **values}))

    return change


def with_weights(content: bytes) -> Callable[[Path], object]:
    return lambda folder: [file.write_bytes(content) for file in folder.glob("*.safetensors")]


def pickled(folder: Path) -> None:
    remove("*.safetensors", "*.index.json")(folder)
    (folder / "pytorch_model.bin").write_bytes(b"\x80")


def refused(name: Path | str, sentence: str, run: ModelRun | None = None) -> None:
    with assert_refused(ModelError, sentence):
        load_model(str(name), run or ModelRun())


@KINDS
@pytest.mark.parametrize(
    ("damage", "sentence"),
    [
        (remove("config.json"), r"has no config\.json"),
        (configured(model_type="llama", architectures=["LlamaForCausalLM"]), "of type 'llama'; the types that run"),
        (configured(model_type=None), "of type None; the types that run here are"),
        (remove("*.safetensors", "*.index.json"), "has no weights|has neither"),
        (
            pickled,
            r"holds pickles \(pytorch_model\.bin\), which can run code|pytorch_model\.bin .* holds more than tensors",
        ),
        (with_weights(b"\x10\0\0\0\0\0\0\0{"), "damaged|cannot be read"),
        (with_weights(POINTER), r"is a pointer of Git LFS, not the file itself; fetch it: git lfs pull"),
    ],
    ids=["no config", "text only", "no type", "no weights", "pickles", "damaged", "pointers"],
)
def test_a_directory_that_is_no_model(model, damage, sentence):
    damage(model)
    refused(model, sentence)


@KINDS
def test_a_processor_or_a_tokenizer_that_is_missing(kind, model, monkeypatch, tmp_path):
    fake_hub.use(monkeypatch, "http://127.0.0.1:9", tmp_path)  # where a published layout would look for it
    if not is_ours(kind):
        spare = shutil.copytree(model, tmp_path / "spare")
        remove(*PROCESSORS)(spare)
        refused(spare, "the image processor in .* cannot be read|has no image processor")
    if kind not in WITHOUT_WORDS:
        remove(*VOCABULARIES)(model)
        refused(model, "has no tokenizer|has neither tokenizer|needs the tokenizer of lmsys/vicuna")


@KINDS
def test_code_of_its_own_is_never_run(kind, model):
    (model / "evil.py").write_text(f"open({str(model / 'ran')!r}, 'w')")
    code = {"auto_map": {"AutoConfig": "evil.Config", "AutoModel": "evil.Model"}}
    if kind == "vitron":
        configured(**code)(model)
        with pytest.raises(Exception, match="unknown settings auto_map"):
            load_model(str(model), ModelRun())
    elif is_ours(kind):  # Elysium was published with code, which nobody needs
        configured(**code)(model)
        load_model(str(model), ModelRun(backend="torch"))
    else:
        configured(**code)(model)
        refused(model, r"asks for code of its own \(auto_map in its config\.json\), which is never run")
    assert not (model / "ran").exists()


@KINDS
def test_a_device_that_is_too_small_or_not_there(kind, model, monkeypatch):
    refused(model, "this torch sees no GPU; use cpu", ModelRun(device="cuda"))
    for module in ("memory", "transformers_directory"):
        monkeypatch.setattr(f"vitron_ros.model.{module}.memory_bytes", lambda device: 1000)
    refused(model, "GiB.*(smaller model|larger machine)")


@pytest.fixture(scope="module")
def hub() -> Iterator[FakeHub]:
    with fake_hub.serving() as hub:
        yield hub


@KINDS
def test_a_hub_that_is_not_reached_or_does_not_give_it(kind, good, hub, monkeypatch, tmp_path):
    fake_hub.use(monkeypatch, hub.url, tmp_path)
    refused("lab/nothing", "has no model lab/nothing, or a private one; see: vitron models list")
    hub.add(f"lab/{kind}", good[kind]).is_gated = True
    refused(f"lab/{kind}", f"lab/{kind} is gated: accept its licence on {hub.url}/lab/{kind}")
    fake_hub.use(monkeypatch, "http://127.0.0.1:9", tmp_path)
    refused(f"lab/{kind}", r"http://127\.0\.0\.1:9 cannot be reached \(\w+\); check the network")
