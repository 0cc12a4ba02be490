"""Compile the CUDA kernels for all GPUs in one file, and say what each needs. Needs nvcc, and no GPU.

The file (a fatbin) runs on every GPU of the list; it is compiled on a robot with nvcc, or copied there.
"""

import argparse
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from vitron_ros.cli.exit_code import exit_code
from vitron_ros.errors import EngineError
from vitron_ros.recordings.output import make_folder

SOURCE = Path(__file__).with_name("t_selector.cu")
FATBIN = Path(__file__).parents[1] / "cache" / "t_selector.fatbin"
ARCHITECTURES = ("80", "86", "87", "89", "90", "120")
EPILOG = """example:
  python -m engines.kernels.compile"""
ENTRY = re.compile(r"Compiling entry function '(\w+)' for 'sm_(\d+)'")
SPILLS = re.compile(r"(\d+) bytes stack frame, (\d+) bytes spill stores, (\d+) bytes spill loads")


@dataclass(frozen=True, kw_only=True)
class Resources:
    """What one kernel needs on one GPU.

    Attributes:
        stack, spilled: bytes of slow local memory a thread, of arrays and of registers that were too few.
        shared: bytes a block.
    """

    kernel: str
    architecture: str
    registers: int
    stack: int
    spilled: int
    shared: int


def compile_kernels(out: Path = FATBIN, architectures: Sequence[str] = ARCHITECTURES) -> list[Resources]:
    """Writes the fatbin; gives what each kernel needs on each GPU.

    Raises:
        EngineError: nvcc is not there, or refuses the source.
    """
    nvcc = shutil.which("nvcc")
    if nvcc is None:
        raise EngineError("there is no nvcc; install the CUDA toolkit, or copy a compiled file to the engine folder")
    make_folder(out.parent)
    options = ["-fatbin", "-std=c++17", "-O3", "-Xptxas=-v", *_targets(architectures)]
    command = [nvcc, *options, str(SOURCE), "-o", str(out)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        lines = done.stderr.strip().splitlines() or ["it gives no reason"]
        raise EngineError(f"nvcc cannot compile {SOURCE.name} to {out}: {lines[-1]}")
    return read_report(done.stderr)


def _targets(architectures: Sequence[str]) -> list[str]:
    """Options of nvcc: GPUs of one major version share their PTX, which half of the time goes into."""
    found = []
    for _, minor in groupby(sorted(architectures, key=int), key=lambda each: int(each) // 10):
        first, *others = minor
        code = ",".join(f"sm_{each}" for each in (first, *others))
        found.append(f"-gencode=arch=compute_{first},code=[{code}]")
    return found


def read_report(text: str) -> list[Resources]:
    """The report of `ptxas -v`.

    Raises:
        EngineError: it is not as expected.
    """
    found = []
    parts = ENTRY.split(text)[1:]
    for kernel, architecture, rest in zip(parts[::3], parts[1::3], parts[2::3], strict=True):
        spills, used = SPILLS.search(rest), re.search(r"Used (\d+) registers(.*)", rest)
        if spills is None or used is None:
            raise EngineError(f"ptxas says nothing of {kernel} for sm_{architecture}; its report has changed")
        shared = re.search(r"(\d+) bytes smem", used[2])
        found.append(
            Resources(
                kernel=kernel,
                architecture=architecture,
                registers=int(used[1]),
                stack=int(spills[1]),
                spilled=int(spills[2]) + int(spills[3]),
                shared=int(shared[1]) if shared else 0,
            )
        )
    return found


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m engines.kernels.compile",
        description=__doc__,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--out", type=Path, default=FATBIN, help="file (default: engines/cache/t_selector.fatbin)")
    arguments = parser.parse_args(argv)
    return exit_code("compile", lambda: _run(arguments))


def _run(arguments: argparse.Namespace) -> int:
    report = compile_kernels(arguments.out)
    print(f"{'kernel':<32}{'GPU':>6}{'registers':>11}{'stack B':>9}{'spilled B':>11}{'shared B':>10}")
    for each in report:
        print(
            f"{each.kernel:<32}{'SM' + each.architecture:>6}{each.registers:>11}{each.stack:>9}{each.spilled:>11}"
            f"{each.shared:>10}"
        )
    print(arguments.out, file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
