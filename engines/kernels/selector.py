"""The T-Selector kernel in place of a model's own selector.

    kernel = TSelectorKernel(model.selector, open_launcher(FATBIN), dtype=torch.float16)
    selected = kernel(features.patches)        # Selected, as model.selector gives it

The kernel keeps sums in float32, where torch rounds to the model's dtype between the layers of the gate; patches whose
scores differ by less than that rounding may be exchanged.
"""

import ctypes
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from engines.kernels.launch import Launcher
from vitron_ros.errors import EngineError
from vitron_ros.model.token_selector import GatedTSelector, PublishedTSelector, Selected

MAX_PATCHES, MAX_HIDDEN, ROWS = 1024, 256, 64
TYPES = {torch.float32: 0, torch.float16: 1, torch.bfloat16: 2}
VECTOR = 8  # channels come in multiples of this


class Arguments(ctypes.Structure):
    """`struct Arguments` of t_selector.cu."""

    _fields_ = (
        ("features", ctypes.c_void_p),
        ("frame_stride", ctypes.c_int64),
        *((name, ctypes.c_void_p) for name in ("tokens", "indices", "probabilities", "logits", "finished")),
        *((name, ctypes.c_void_p) for name in ("weight", "map", "map_bias", "weight_sums", "biases", "out_weight")),
        ("out_bias", ctypes.c_float),
        ("epsilon", ctypes.c_float),
        *((name, ctypes.c_int32) for name in ("patches", "channels", "selected", "hidden", "out_type")),
    )


class TSelectorKernel:
    """A fused token selector. Its weights are a copy: build it again after they change.

    Args:
        selector: GatedTSelector, PublishedTSelector; or a number of patches to select by given logits.
        dtype: of the patches.
        out_dtype: of the tokens; None: as the patches.

    Raises:
        EngineError: the selector or the dtype is another, or the gate is too wide.
    """

    needs_attention = False

    def __init__(
        self,
        selector: nn.Module | int,
        launcher: Launcher,
        *,
        dtype: torch.dtype,
        out_dtype: torch.dtype | None = None,
        device: torch.device | str = "cuda",
    ) -> None:
        out_dtype = dtype if out_dtype is None else out_dtype
        if dtype not in TYPES or out_dtype not in TYPES:
            raise EngineError(f"the T-Selector kernel takes {', '.join(map(str, TYPES))}, not {dtype} to {out_dtype}")
        self._launcher, self._dtype, self._out_dtype, self._device = launcher, dtype, out_dtype, torch.device(device)
        self._weights: dict[str, Tensor] = {}
        self._scalars: dict[str, float | int] = {}
        self._fits: tuple[int | None, int | None] = (None, None)  # channels and patches that the gate was made for
        if isinstance(selector, int):
            self.count, self._gate = selector, "scores"
        elif isinstance(selector, GatedTSelector):
            self.count, self._gate = selector.count, "gated"
            self._take_gated(selector)
        elif isinstance(selector, PublishedTSelector):
            self.count, self._gate = selector.count, "published"
            self._take_published(selector)
        else:
            raise EngineError(f"there is no kernel for {type(selector).__name__}; the model's own selector runs it")
        self._kernel = f"t_selector_{self._gate}_{str(dtype).removeprefix('torch.')}"
        self._finished = torch.zeros(0, dtype=torch.int32, device=self._device)

    def __call__(self, patches: Tensor, attention: Tensor | None = None) -> Selected:
        """The selected tokens of patches (T, N, C)."""
        return self.select(patches)[0]

    def select(
        self, patches: Tensor, logits: Tensor | None = None, *, probabilities: bool = False
    ) -> tuple[Selected, Tensor | None]:
        """The selected tokens of patches (T, N, C), and their softmax probabilities (T, K) float32 if asked for.

        Args:
            logits: (T, N) float32, of the kernel that was built without a gate.

        Raises:
            EngineError: shapes, dtype or device do not fit, or the launch fails.
        """
        patches, logits = self._checked(patches, logits)
        frames, count, channels = patches.shape
        tokens = torch.empty(frames, self.count, channels, dtype=self._out_dtype, device=self._device)
        indices = torch.empty(frames, self.count, dtype=torch.int64, device=self._device)
        shares = torch.empty(frames, self.count, device=self._device) if probabilities else None
        if logits is None:
            logits = torch.empty(frames, count, device=self._device)
        if len(self._finished) < frames:
            self._finished = torch.zeros(frames, dtype=torch.int32, device=self._device)
        pointers = {name: weight.data_ptr() for name, weight in self._weights.items()}
        arguments = Arguments(
            features=patches.data_ptr(),
            frame_stride=patches.stride(0),
            tokens=tokens.data_ptr(),
            indices=indices.data_ptr(),
            probabilities=None if shares is None else shares.data_ptr(),
            logits=logits.data_ptr(),
            finished=self._finished.data_ptr(),
            patches=count,
            channels=channels,
            selected=self.count,
            out_type=TYPES[self._out_dtype],
            **pointers,
            **self._scalars,
        )
        blocks = 1 if self._gate == "scores" else -(-count // ROWS)
        self._launcher.launch(self._kernel, (blocks, frames), arguments)
        return Selected(tokens, indices), shares

    def _checked(self, patches: Tensor, logits: Tensor | None) -> tuple[Tensor, Tensor | None]:
        frames, count, channels = patches.shape if patches.dim() == 3 else (0, 0, 0)
        if frames == 0 or not self.count <= count <= MAX_PATCHES or channels % VECTOR:
            raise EngineError(
                f"patches are {tuple(patches.shape)}; the T-Selector kernel takes (frames, {self.count} to "
                f"{MAX_PATCHES}, a multiple of {VECTOR})"
            )
        if patches.dtype != self._dtype or patches.device.type != self._device.type:
            raise EngineError(
                f"patches are {patches.dtype} on {patches.device}; this kernel takes {self._dtype} on {self._device}"
            )
        width, length = self._fits
        if width not in (None, channels) or length not in (None, count):
            raise EngineError(
                f"patches are {tuple(patches.shape)}; this gate takes {length or 'any'} patches of {width}"
            )
        if (logits is None) == (self._gate == "scores"):
            raise EngineError("logits are given to the kernel without a gate, and to no other")
        if logits is not None and (logits.shape != (frames, count) or logits.dtype != torch.float32):
            raise EngineError(
                f"logits are {tuple(logits.shape)} {logits.dtype}; they must be ({frames}, {count}) float32"
            )
        rows_are_whole = patches.stride(2) == 1 and patches.stride(1) == channels
        is_aligned = patches.data_ptr() % 16 == 0 and patches.stride(0) % VECTOR == 0
        return patches if rows_are_whole and is_aligned else patches.contiguous(), (
            None if logits is None else logits.contiguous()
        )

    def _take_gated(self, selector: GatedTSelector) -> None:
        norm, first, _, second = (layer for layer in selector.gate)
        assert isinstance(norm, nn.LayerNorm) and isinstance(first, nn.Linear) and isinstance(second, nn.Linear)
        hidden = -(-first.out_features // 16) * 16
        if hidden > MAX_HIDDEN:
            raise EngineError(f"the gate has {first.out_features} hidden channels; the kernel takes {MAX_HIDDEN}")
        with torch.no_grad():
            padding = (0, hidden - first.out_features)
            weight = first.weight.float() * norm.weight.float()
            # The sums are those of the rounded weights, so that a constant patch still cancels exactly.
            folded = F.pad(weight, (0, 0, *padding)).to(self._dtype)
            self._keep(
                weight=folded,
                weight_sums=folded.float().sum(1),
                biases=F.pad(first.bias.float() + first.weight.float() @ norm.bias.float(), padding),
                out_weight=F.pad(second.weight.float()[0], padding),
            )
        self._scalars = {"out_bias": float(second.bias.detach()), "epsilon": norm.eps, "hidden": hidden}
        self._fits = first.in_features, None

    def _take_published(self, selector: PublishedTSelector) -> None:
        with torch.no_grad():
            self._keep(
                weight=selector.pre_proj.weight[0].to(self._dtype),
                map=selector.trans_weight.to(self._dtype),
                map_bias=selector.trans_bias.float(),
            )
        self._scalars = {"out_bias": float(selector.pre_proj.bias.detach())}
        self._fits = selector.pre_proj.in_features, len(selector.trans_bias)

    def _keep(self, **weights: Any) -> None:
        self._weights = {name: weight.detach().to(self._device).contiguous() for name, weight in weights.items()}
