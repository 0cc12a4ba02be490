"""The report of a run, read from its predictions alone: JSON, Markdown, SVG, and one HTML page.

The same predictions give the same bytes. What the clock said stands in files of its own and, if it is asked for, in the
page.
"""

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from vitron_ros.evaluation.metrics.single_object import FIGURES
from vitron_ros.evaluation.page import page
from vitron_ros.evaluation.paper import OURS, PaperTable, paper_tables
from vitron_ros.evaluation.plots import attributes_svg, curves_svg, latency_svg
from vitron_ros.evaluation.predictions import Run, read_run
from vitron_ros.evaluation.suite import Suite, find_suite
from vitron_ros.evaluation.tables import Table, markdown
from vitron_ros.evaluation.tracking_report import TrackingReport, tracking_report
from vitron_ros.recordings.output import write_bytes, write_json

DECIMALS = 6
WORST_CASES = 12
PERCENTILES = (50, 95, 99)
MISSING = "missing"


def write_report(folder: Path, *, with_latency: bool = True) -> dict[str, Any]:
    """Report a run in its folder; gives what is in report.json.

    Args:
        with_latency: also latency.json, latency.svg, and the histogram in the page.

    Raises:
        PredictionError: there is no finished run, or every sequence failed.
        MetricError: predictions and truth of a sequence do not fit.
        ConfigError: the suite is unknown, or matplotlib or jinja2 is not installed.
        SourceError: a file cannot be written.
    """
    run = read_run(folder)
    suite = find_suite(run.header.suite)
    report = tracking_report(suite, run)
    benchmark = suite.benchmark_of(run.header.settings["split"])
    tables = [] if benchmark is None else paper_tables(benchmark)
    document = _document(suite, run, report, tables)
    pictures = {"Curves": curves_svg(report.headline)}
    if report.by_attribute:
        pictures["Attributes"] = attributes_svg(report.by_attribute, report.headline.auc)
    for title, picture in pictures.items():
        write_bytes(folder / f"{title.lower()}.svg", picture)
    sections = _sections(suite, document, tables)
    ms = [value for values in run.ms.values() for value in values]
    if with_latency and ms:
        write_json(folder / "latency.json", _latency(ms, run.ms))
        pictures["Latency"] = latency_svg(ms)
        write_bytes(folder / "latency.svg", pictures["Latency"])
    remarks = _remarks(suite, run, tables)
    write_json(folder / "report.json", document)
    write_bytes(folder / "report.md", markdown(suite.name, remarks, sections).encode())
    worst = sorted(run.predicted, key=lambda row: (row["worst"]["iou"], row["name"]))[:WORST_CASES]
    write_bytes(folder / "report.html", page(suite.name, remarks, sections, pictures, worst).encode())
    return document


def _document(suite: Suite, run: Run, report: TrackingReport, tables: list[PaperTable]) -> dict[str, Any]:
    made_with = {key: value for key, value in asdict(run.header).items() if key != "names"}
    return _rounded(
        {
            "suite": suite.name,
            "made_with": made_with,
            "sequences": len(run.rows),
            "failed": run.failed,
            "variant": suite.variants[0],
            "figures": report.figures,
            "by_sequence": report.by_sequence,
            "by_attribute": report.by_attribute,
            "curves": {
                name: getattr(report.headline, name).tolist()
                for name in ("success_curve", "precision_curve", "norm_precision_curve")
            },
            "paper": [asdict(table) for table in tables],
        }
    )


def _sections(suite: Suite, document: Mapping[str, Any], tables: list[PaperTable]) -> list[Table]:
    variant = suite.variants[0]
    return [
        Table("Figures", ("variant", *FIGURES), _rows(suite.variants, document["figures"], FIGURES)),
        *(
            Table("GOT-10k", tuple(figures), [tuple(f"{value:.4f}" for value in figures.values())])
            for name, figures in document["figures"].items()
            if name == "got10k"
        ),
        *(_beside(table, variant, document["figures"][variant]) for table in tables),
        Table(
            "Attributes", ("attribute", "sequences", "auc"), _rows_of(document["by_attribute"], ("sequences", "auc"))
        ),
        Table(
            f"Sequences ({variant})",
            ("sequence", *FIGURES, "frames", "frames_absent"),
            _rows_of(document["by_sequence"], (*FIGURES, "frames", "frames_absent")),
        ),
        *([Table("Failed", ("sequence", "reason"), list(document["failed"].items()))] if document["failed"] else []),
    ]


def _beside(table: PaperTable, variant: str, figures: Mapping[str, float]) -> Table:
    ours = [f"{100 * figures[OURS[column]]:.1f}" if column in OURS else MISSING for column in table.columns]
    printed = [
        (f"{method} (the paper's own)" if method in table.own else method, *map(_percent, values))
        for method, values in table.rows.items()
    ]
    return Table(f"Beside {table.source}, %", ("method", *table.columns), [(f"this run ({variant})", *ours), *printed])


def _remarks(suite: Suite, run: Run, tables: list[PaperTable]) -> list[str]:
    header = run.header
    settings = ", ".join(f"{name} {value}" for name, value in header.settings.items())
    remarks = [
        f"{suite.about}; {settings}. Code {header.code_hash} (version {header.version}, commit "
        f"{header.commit or 'not known'}), settings {header.settings_hash}, data {header.data_hash}.",
        *suite.protocol,
    ]
    if run.failed:
        remarks.insert(
            0, f"PARTIAL: {len(run.predicted)} of {len(run.rows)} sequences; those that failed are in no figure."
        )
    if not tables:
        remarks.append("The papers print no figures for this data set and split.")
    return [*remarks, *(f"{table.source}: {note}" for table in tables for note in table.notes)]


def _latency(ms: list[float], by_sequence: Mapping[str, list[float]]) -> dict[str, Any]:
    return _rounded(
        {
            "frames": len(ms),
            "mean_ms": float(np.mean(ms)),
            **{f"p{share}_ms": float(np.percentile(ms, share)) for share in PERCENTILES},
            "by_sequence": {name: float(np.mean(values)) for name, values in by_sequence.items() if values},
        }
    )


def _rows(names: tuple[str, ...], figures: Mapping[str, Mapping[str, float]], keys: tuple[str, ...]) -> Any:
    return _rows_of({name: figures[name] for name in names}, keys)


def _rows_of(figures: Mapping[str, Mapping[str, float]], keys: tuple[str, ...]) -> list[tuple[str, ...]]:
    return [(name, *(_cell(values[key]) for key in keys)) for name, values in figures.items()]


def _cell(value: float) -> str:
    return str(value) if isinstance(value, int) else f"{value:.4f}"


def _percent(value: float | None) -> str:
    return MISSING if value is None else f"{value:g}"


def _rounded(document: dict[str, Any]) -> dict[str, Any]:
    return {key: _round(value) for key, value in document.items()}


def _round(value: Any) -> Any:
    if isinstance(value, dict):
        return _rounded(value)
    if isinstance(value, list | tuple):
        return [_round(item) for item in value]
    return round(value, DECIMALS) if isinstance(value, float) else value
