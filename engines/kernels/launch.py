"""Launching a compiled kernel on torch's memory and current stream: through PyCUDA where it is installed, else through
the driver's own interface, which every machine with a GPU has.
"""

import ctypes
from pathlib import Path
from typing import Any, Protocol

import torch

from vitron_ros.errors import EngineError

THREADS = 256  # of every block


class Launcher(Protocol):
    """Launches kernels of one file."""

    def launch(self, kernel: str, grid: tuple[int, int], arguments: ctypes.Structure) -> None:
        """Starts a kernel behind what is on torch's current stream; `arguments` is its one parameter.

        Raises:
            EngineError: the file has no such kernel, or the launch fails.
        """
        ...


def open_launcher(fatbin: Path) -> Launcher:
    """The launcher of a compiled file.

    Raises:
        EngineError: there is no file or no GPU, or the file has nothing for this GPU.
    """
    if not fatbin.is_file():
        raise EngineError(f"there is no {fatbin}; compile it with: python -m engines.kernels.compile")
    if not torch.cuda.is_available():
        raise EngineError("a CUDA kernel needs an NVIDIA GPU and a torch with CUDA; the model's own selector runs here")
    torch.zeros(1, device="cuda")  # makes the context that both launchers share with torch
    try:
        return PyCudaLauncher(fatbin)
    except ImportError:
        return DriverLauncher(fatbin)


class DriverLauncher:
    """The CUDA driver through ctypes."""

    def __init__(self, fatbin: Path) -> None:
        try:
            self._driver = ctypes.CDLL("libcuda.so.1")
        except OSError as error:
            raise EngineError(f"the CUDA driver cannot be loaded: {error}") from error
        self._module = ctypes.c_void_p()
        self._functions: dict[str, ctypes.c_void_p] = {}
        self._check(self._driver.cuModuleLoadData(ctypes.byref(self._module), fatbin.read_bytes()), f"load {fatbin}")

    def launch(self, kernel: str, grid: tuple[int, int], arguments: ctypes.Structure) -> None:
        if kernel not in self._functions:
            function = ctypes.c_void_p()
            found = self._driver.cuModuleGetFunction(ctypes.byref(function), self._module, kernel.encode())
            self._check(found, f"find {kernel}")
            self._functions[kernel] = function
        parameters = (ctypes.c_void_p * 1)(ctypes.addressof(arguments))
        stream = ctypes.c_void_p(torch.cuda.current_stream().cuda_stream)
        status = self._driver.cuLaunchKernel(
            self._functions[kernel], grid[0], grid[1], 1, THREADS, 1, 1, 0, stream, parameters, None
        )
        self._check(status, f"launch {kernel}")

    def _check(self, status: int, what: str) -> None:
        if status:
            text = ctypes.c_char_p()
            self._driver.cuGetErrorString(status, ctypes.byref(text))
            raise EngineError(f"the CUDA driver cannot {what}: {(text.value or b'error').decode()} ({status})")


class PyCudaLauncher:
    """PyCUDA, in torch's context."""

    def __init__(self, fatbin: Path) -> None:
        import pycuda.autoprimaryctx  # noqa: F401 - joins the context
        from pycuda import driver

        self._error = driver.Error
        try:
            self._module: Any = driver.module_from_buffer(fatbin.read_bytes())
        except driver.Error as error:
            raise EngineError(f"PyCUDA cannot load {fatbin}: {error}; compile it for this GPU") from error

    def launch(self, kernel: str, grid: tuple[int, int], arguments: ctypes.Structure) -> None:
        import numpy as np

        content = np.frombuffer(bytes(arguments), dtype=f"V{ctypes.sizeof(arguments)}")[0]
        # PyCUDA has no streams but its own: it launches on the default stream, which torch's current one waits for.
        current, default = torch.cuda.current_stream(), torch.cuda.default_stream()
        default.wait_stream(current)
        try:
            self._module.get_function(kernel)(content, block=(THREADS, 1, 1), grid=(*grid, 1))
        except self._error as error:
            raise EngineError(f"PyCUDA cannot launch {kernel}: {error}") from error
        current.wait_stream(default)
