"""The pictures of a report, as SVG. The same figures give the same bytes. They need matplotlib."""

import io
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vitron_ros.errors import ConfigError
from vitron_ros.evaluation.metrics.single_object import OnePassScore

Array = NDArray[np.float64]
SETTINGS = {"svg.hashsalt": "vitron", "svg.fonttype": "none", "font.size": 9, "axes.grid": True, "grid.alpha": 0.3}
WIDTH, HEIGHT, BAR = 9.0, 3.0, 0.3  # inches
COLOUR = "#2563a8"
LINE = {"color": "black", "linewidth": 1, "linestyle": "--"}
BINS = 40
BARS = 40
LAST_PERCENTILE = 99.5


def curves_svg(score: OnePassScore) -> bytes:
    """Success, precision and normalised precision over their thresholds, side by side.

    Raises:
        ConfigError: matplotlib is not installed; so of all of these functions.
    """
    panels = (
        (f"success {score.auc:.3f}", "IoU", 1.0, score.success_curve),
        (f"precision {score.precision:.3f}", "error of the centre, px", 50.0, score.precision_curve),
        (f"normalised precision {score.norm_precision:.3f}", "the same in sizes", 0.5, score.norm_precision_curve),
    )

    def draw(figure: Any) -> None:
        for number, (title, threshold, most, curve) in enumerate(panels, 1):
            axes = figure.add_subplot(1, len(panels), number)
            axes.plot(np.linspace(0, most, len(curve)), curve, color=COLOUR)
            axes.set(title=title, xlabel=threshold, xlim=(0, most), ylim=(0, 1.02))
        figure.axes[0].set_ylabel("share of frames")

    return _svg(draw)


def groups_svg(by_group: Mapping[str, Mapping[str, Any]], figures: Mapping[str, float | None]) -> bytes:
    """A bar of the mean of the first figure for each group, at most BARS of the largest, and a line for all samples."""
    name = next(key for key in next(iter(by_group.values())) if key != "samples")
    largest = sorted(by_group, key=lambda group: (-by_group[group]["samples"], group))[:BARS]
    shown = {group: by_group[group] for group in sorted(largest)}
    values = [row[name] or 0.0 for row in shown.values()]
    whole = figures.get(name)

    def draw(figure: Any) -> None:
        axes = figure.add_subplot()
        labels = [f"{group} ({row['samples']})" for group, row in shown.items()]
        axes.barh(labels, values, color=COLOUR, height=0.6)
        if whole is not None:
            axes.axvline(whole, **LINE)
        told = "" if whole is None else f"; dashed: all, {whole:.3f}"
        axes.set(xlabel=f"{name}{told}", xlim=(min(0, *values), max(1, *values)))
        axes.invert_yaxis()

    return _svg(draw, 1 + BAR * len(shown))


def latency_svg(ms: Sequence[float]) -> bytes:
    """How many steps took how long; the last bin holds what lies beyond the 99.5th percentile."""

    def draw(figure: Any) -> None:
        axes = figure.add_subplot()
        axes.hist(np.minimum(ms, np.percentile(ms, LAST_PERCENTILE)), bins=BINS, color=COLOUR)
        for share in (50, 99):
            axes.axvline(float(np.percentile(ms, share)), **LINE)
        axes.set(xlabel="ms; dashed: median and 99th percentile", ylabel="steps")

    return _svg(draw)


def paths_svg(paths: Mapping[str, tuple[Array, Array]]) -> bytes:
    """The ground seen from above, the camera at (0, 0) looking up: where targets were, and where they were said to be.

    Args:
        paths: of each target its true and its measured positions, (N, 3) m in the camera's optical frame, NaN: none.
    """

    def draw(figure: Any) -> None:
        above, ahead = figure.subplots(1, 2, width_ratios=(1, 1.4))
        for number, (name, (true, measured)) in enumerate(paths.items()):
            colour = f"C{number}"
            above.plot(true[:, 0], true[:, 2], color=colour, linewidth=1)
            above.plot(measured[:, 0], measured[:, 2], ".", color=colour, markersize=3)
            error = np.linalg.norm(measured - true, axis=1) / np.linalg.norm(true, axis=1)
            ahead.plot(true[:, 2], 100 * error, ".", color=colour, markersize=3, label=name)
        above.plot(0, 0, "^", color="black")
        above.set(xlabel="x, m", ylabel="z, m", aspect="equal", title="from above: line true, dots measured")
        above.set(ylim=(-0.3, None))
        ahead.set(xlabel="true distance z, m", ylabel="error, % of the range", ylim=(0, None))
        ahead.set_title("error over the distance")
        ahead.legend(fontsize=7)

    return _svg(draw, 4.0)


def _svg(draw: Callable[[Any], None], height: float = HEIGHT) -> bytes:
    try:
        import matplotlib
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ConfigError(f"pictures need matplotlib ({error}); run: pip install 'vitron_ros[evaluation]'") from error
    file = io.BytesIO()
    with matplotlib.rc_context(SETTINGS):
        figure = Figure(figsize=(WIDTH, height), layout="constrained")
        draw(figure)
        figure.savefig(file, format="svg", metadata={"Date": None})
    return file.getvalue()
