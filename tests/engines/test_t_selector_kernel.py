"""The T-Selector kernel: its source compiles for every GPU without spills, and computes what torch computes.

Without a GPU its own source runs on the CPU, a fiber a thread (cuda_on_cpu/): indices, values, ties, barriers.
"""

import ctypes
import platform
import shutil
import subprocess
from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engines.kernels.compile import ARCHITECTURES, FATBIN, compile_kernels, read_report
from engines.kernels.launch import open_launcher
from engines.kernels.selector import Arguments, TSelectorKernel
from vitron_ros.errors import EngineError
from vitron_ros.model.token_selector import AttentionSelector, GatedTSelector, PublishedTSelector

HERE, KERNELS = Path(__file__).parent, Path(__file__).parents[2] / "engines" / "kernels"
DTYPES = (torch.float32, torch.float16, torch.bfloat16)
LOGIT_ERROR = {torch.float32: 2e-5, torch.float16: 2e-2, torch.bfloat16: 2e-1}


class CpuLauncher:
    """Runs the kernel's source block after block; warps in order, or with a seed as far ahead as barriers let them."""

    def __init__(self, library):
        self.library, self.seed = library, 0

    def launch(self, kernel, grid, arguments):
        status = self.library.run(kernel.encode(), *grid, self.seed, ctypes.byref(arguments))
        assert status == 0, "no such kernel" if status == 1 else "threads wait for each other for ever"


@pytest.fixture(scope="module")
def on_cpu(tmp_path_factory):
    compiler = shutil.which("g++")
    if compiler is None or platform.machine() != "x86_64":
        pytest.skip("needs g++ on x86_64")
    library = tmp_path_factory.mktemp("kernel") / "t_selector.so"
    command = [compiler, "-std=c++20", "-O1", "-shared", "-fPIC", f"-I{HERE / 'cuda_on_cpu'}", f"-I{KERNELS}"]
    subprocess.run([*command, str(HERE / "cuda_on_cpu" / "run.cpp"), "-o", str(library)], check=True)
    loaded = ctypes.CDLL(str(library))
    assert loaded.size_of_arguments() == ctypes.sizeof(Arguments)
    return CpuLauncher(loaded)


@pytest.fixture(scope="module", params=["cpu", pytest.param("cuda", marks=pytest.mark.gpu)])
def machine(request):
    """A launcher and its device: the source on the CPU, and the compiled kernel on a GPU."""
    if request.param == "cpu":
        return request.getfixturevalue("on_cpu"), "cpu"
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    if not FATBIN.is_file():
        pytest.skip("not compiled; run: python -m engines.kernels.compile")
    return open_launcher(FATBIN), "cuda"


def first_of_the_highest(logits, count):
    """The reference: indices of the `count` highest, the first of equal ones, ascending."""
    order = logits.sort(dim=-1, descending=True, stable=True).indices
    return order[:, :count].sort(dim=-1).values


def gather(patches, indices):
    return patches.gather(1, indices[..., None].expand(-1, -1, patches.shape[-1]))


def gate(width, count, seed=0):
    torch.manual_seed(seed)
    selector = GatedTSelector(count, width, 0.0).eval()
    for parameter in selector.parameters():
        torch.nn.init.normal_(parameter, std=0.5)
    return selector


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("out", DTYPES)
def test_given_scores_choose_gather_and_cast(machine, dtype, out):
    launcher, device = machine
    patches = torch.randn(2, 70, 24).to(device, dtype)
    logits = torch.randn(2, 70, device=device)
    kernel = TSelectorKernel(17, launcher, dtype=dtype, out_dtype=out, device=device)
    selected, shares = kernel.select(patches, logits, probabilities=True)
    indices = first_of_the_highest(logits, 17)
    assert torch.equal(selected.indices, indices)
    assert torch.equal(selected.tokens, gather(patches, indices).to(out))
    assert torch.allclose(shares, logits.softmax(-1).gather(1, indices), rtol=1e-4)


ODD_SCORES = st.sampled_from([0.0, -0.0, 1.0, -1.0, 1e-40, -1e-40, 3e38, -3e38, float("inf"), float("-inf")])


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_of_tied_scores_the_first_are_selected(on_cpu, data):
    count = data.draw(st.integers(1, 80))
    top_k = data.draw(st.integers(1, count))
    values = data.draw(st.lists(ODD_SCORES | st.floats(width=32, allow_nan=False), min_size=count, max_size=count))
    on_cpu.seed = data.draw(st.integers(0, 1000))
    logits = torch.tensor([values])
    patches = torch.randn(1, count, 8)
    selected = TSelectorKernel(top_k, on_cpu, dtype=torch.float32, device="cpu").select(patches, logits)[0]
    assert torch.equal(selected.indices, first_of_the_highest(logits, top_k))


@pytest.mark.parametrize("count", [1, 255, 256, 257, 576, 1023, 1024])
@pytest.mark.parametrize("share", [0.0, 0.1875, 1.0])
def test_any_number_of_patches_and_of_kept_ones(machine, count, share):
    launcher, device = machine
    top_k = max(1, round(share * count))
    torch.manual_seed(count)
    logits = torch.randint(0, 50, (2, count), device=device).float()  # full of ties
    patches = torch.randn(2, count, 8, device=device)
    kernel = TSelectorKernel(top_k, launcher, dtype=torch.float32, device=device)
    for launcher.seed in (0, 1, 2):
        selected = kernel.select(patches, logits)[0]
        assert torch.equal(selected.indices, first_of_the_highest(logits, top_k))
        assert torch.equal(selected.tokens, gather(patches, selected.indices))


def test_nan_counts_as_the_greatest_as_in_torch(machine):
    launcher, device = machine
    logits = torch.tensor([[1.0, float("nan"), 3.0, float("inf"), -float("nan"), 2.0]], device=device)
    patches = torch.zeros(1, 6, 8, device=device)
    selected = TSelectorKernel(3, launcher, dtype=torch.float32, device=device).select(patches, logits)[0]
    assert selected.indices.tolist() == [[1, 3, 4]]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("width", "count"), [(32, 40), (192, 64), (104, 130)])
def test_the_gate_scores_as_the_model_does(machine, dtype, width, count):
    """Exact indices for exactly these scores; scores within rounding of the model's."""
    launcher, device = machine
    selector = gate(width, 11)
    torch.manual_seed(width)
    patches = (2 * torch.randn(2, count, width) + 0.7).to(device, dtype)
    kernel = TSelectorKernel(selector, launcher, dtype=dtype, device=device)
    selected, shares = kernel.select(patches, probabilities=True)
    with torch.no_grad():
        expected = selector.to(device).log_probabilities(patches.float())
    error = LOGIT_ERROR[dtype]
    log_p = expected.gather(1, selected.indices)
    assert torch.allclose(shares.log(), log_p, atol=4 * error)
    assert torch.equal(selected.indices, selected.indices.sort(-1).values)
    least, greatest_left = log_p.min(1).values, expected.scatter(1, selected.indices, -torch.inf).max(1).values
    assert (least > greatest_left - 4 * error).all()
    if dtype == torch.float32:
        assert torch.equal(selected.indices, first_of_the_highest(expected, 11))
    assert torch.equal(selected.tokens, gather(patches, selected.indices))


@pytest.mark.parametrize("dtype", DTYPES)
def test_the_published_scores(machine, dtype):
    launcher, device = machine
    torch.manual_seed(3)
    selector = PublishedTSelector(100, 25, 48)
    torch.nn.init.normal_(selector.trans_weight, std=0.3)
    patches = torch.randn(2, 100, 48).to(device, dtype)
    selector = selector.to(device, dtype).float()  # weights that the dtype holds exactly
    kernel = TSelectorKernel(selector, launcher, dtype=dtype, device=device)
    with torch.no_grad():
        expected = selector(patches.float())
    selected = kernel(patches)
    assert torch.equal(selected.indices, expected.indices)
    assert torch.equal(selected.tokens, gather(patches, selected.indices))


def test_a_class_token_between_the_frames_is_stepped_over(machine):
    launcher, device = machine
    states = torch.randn(3, 1 + 40, 32, device=device)
    selector = gate(32, 9).to(device)
    kernel = TSelectorKernel(selector, launcher, dtype=torch.float32, device=device)
    patches = states[:, 1:]
    assert not patches.is_contiguous()
    with torch.no_grad():
        assert torch.equal(kernel(patches).indices, selector(patches).indices)


def test_the_same_whatever_runs_first_and_on_every_call(on_cpu):
    """Another order of blocks and threads finds a missing barrier; a second call finds counters left standing."""
    patches = torch.randn(2, 150, 64).half()
    kernel = TSelectorKernel(gate(64, 20), on_cpu, dtype=torch.float16, device="cpu")
    results = []
    for on_cpu.seed in range(6):
        results.append(kernel.select(patches, probabilities=True))
    for selected, shares in results[1:]:
        assert torch.equal(selected.tokens, results[0][0].tokens)
        assert torch.equal(shares, results[0][1])


@pytest.mark.parametrize(
    ("selector", "patches", "words"),
    [
        (5, torch.zeros(1, 4, 8), r"takes \(frames, 5 to 1024, a multiple of 8\)"),
        (5, torch.zeros(1, 1025, 8), "5 to 1024"),
        (5, torch.zeros(1, 9, 12), "a multiple of 8"),
        (5, torch.zeros(9, 8), r"patches are \(9, 8\)"),
        (5, torch.zeros(0, 9, 8), "takes"),
        (5, torch.zeros(1, 9, 8).half(), "torch.float16 on cpu; this kernel takes torch.float32"),
        (5, torch.zeros(1, 9, 8), "logits are given to the kernel without a gate"),
        (gate(32, 5), torch.zeros(1, 9, 16), "this gate takes any patches of 32"),
        (PublishedTSelector(10, 5, 32), torch.zeros(1, 9, 32), "takes 10 patches of 32"),
    ],
)
def test_what_does_not_fit_is_refused_before_the_launch(selector, patches, words):
    with pytest.raises(EngineError, match=words):
        TSelectorKernel(selector, None, dtype=torch.float32, device="cpu").select(patches)


def test_selectors_without_a_kernel():
    with pytest.raises(EngineError, match="no kernel for AttentionSelector"):
        TSelectorKernel(AttentionSelector(4), None, dtype=torch.float32, device="cpu")
    with pytest.raises(EngineError, match="300 hidden channels; the kernel takes 256"):
        TSelectorKernel(gate(1200, 4), None, dtype=torch.float32, device="cpu")
    with pytest.raises(EngineError, match=r"not torch\.float64"):
        TSelectorKernel(4, None, dtype=torch.float64, device="cpu")


def test_without_a_file_or_a_gpu(tmp_path, monkeypatch):
    with pytest.raises(EngineError, match=r"compile it with: python -m engines\.kernels\.compile"):
        open_launcher(tmp_path / "none.fatbin")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    (tmp_path / "any.fatbin").write_bytes(b"")
    with pytest.raises(EngineError, match="needs an NVIDIA GPU"):
        open_launcher(tmp_path / "any.fatbin")


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.skipif(shutil.which("nvcc") is None, reason="nvcc is not installed")
def test_it_compiles_for_every_gpu_and_nothing_spills(tmp_path):
    report = compile_kernels(tmp_path / "t_selector.fatbin")
    assert (tmp_path / "t_selector.fatbin").stat().st_size > 10_000
    assert len(report) == 9 * len(ARCHITECTURES)
    assert {each.architecture for each in report} == set(ARCHITECTURES)
    assert [each for each in report if each.spilled or each.stack] == []
    assert max(each.shared for each in report) <= 48 * 1024
    assert max(each.registers for each in report) <= 255


def test_a_spill_in_the_report_is_found():
    (found,) = read_report(
        "ptxas info    : Compiling entry function 'k' for 'sm_86'\nptxas info    : Function properties for k\n"
        "    8 bytes stack frame, 4 bytes spill stores, 12 bytes spill loads\n"
        "ptxas info    : Used 40 registers, used 1 barriers, 8257 bytes smem, 480 bytes cmem[0]\n"
    )
    assert (found.registers, found.stack, found.spilled, found.shared) == (40, 8, 16, 8257)
