"""The report of a run, read from its predictions alone: JSON, Markdown, SVG, and one HTML page.

The same predictions give the same bytes. What the clock said stands in files of its own and, if it is asked for, in the
page.
"""

from collections.abc import Iterable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from vitron_ros.errors import PredictionError
from vitron_ros.evaluation.page import page
from vitron_ros.evaluation.paper import PaperTable, is_percent
from vitron_ros.evaluation.plots import groups_svg, latency_svg
from vitron_ros.evaluation.predictions import Run, read_run
from vitron_ros.evaluation.suite import Suite, find_suite
from vitron_ros.evaluation.tables import MISSING, Table, figures_table, markdown, rounded
from vitron_ros.evaluation.tasks.task import Details, Figures, means
from vitron_ros.recordings.output import write_bytes, write_json

WORST_CASES = 12
LISTED = 1000  # samples and failures in tables, the worst of them; report.json has all
PERCENTILES = (50, 95, 99)


def write_report(folder: Path, *, with_latency: bool = True) -> dict[str, Any]:
    """Report a run in its folder; gives what is in report.json.

    Args:
        with_latency: also latency.json, latency.svg, and the histogram in the page.

    Raises:
        PredictionError: there is no finished run, or every sample failed.
        MetricError: predictions and truth of a sample do not fit.
        ConfigError: the suite is unknown, or matplotlib or jinja2 is not installed.
        SourceError: a file cannot be written.
    """
    run = read_run(folder)
    if not run.predicted:
        name, reason = next(iter(run.failed.items()))
        raise PredictionError(f"every sample failed, {name} with: {reason}; mend it and run again with --retry-failed")
    suite = find_suite(run.header.suite)
    tables = suite.printed.tables(run.header.settings["split"]) if suite.printed else []
    details = suite.task.details(run)
    document = {**_document(suite, run, tables), **rounded(details.document)}
    pictures = dict(details.pictures)
    if by_group := document["by_group"][document["variant"]]:
        pictures["Groups"] = groups_svg(by_group, document["figures"][document["variant"]])
    for title, picture in pictures.items():
        write_bytes(folder / f"{title.lower()}.svg", picture)
    sections = _sections(document, details, tables, suite.printed.metrics if suite.printed else {})
    ms = [value for values in run.ms.values() for value in values]
    if with_latency and ms:
        write_json(folder / "latency.json", _latency(ms, run.ms))
        pictures["Latency"] = latency_svg(ms)
        write_bytes(folder / "latency.svg", pictures["Latency"])
    remarks = _remarks(suite, run, tables)
    write_json(folder / "report.json", document)
    write_bytes(folder / "report.md", markdown(suite.name, remarks, sections).encode())
    drawn = {row["name"]: row["picture"] for row in run.predicted if "picture" in row}
    worst = [drawn[name] for name in _worst_first(document["by_sample"]) if name in drawn][:WORST_CASES]
    text = page(suite.name, remarks, sections, pictures, suite.task.legend, worst)
    write_bytes(folder / "report.html", text.encode())
    return document


def _document(suite: Suite, run: Run, tables: list[PaperTable]) -> dict[str, Any]:
    task, variants = suite.task, suite.task.variants(run)
    by_sample = {variant: task.by_sample(run, variant) for variant in variants}
    groups = {row["name"]: tuple(task.groups(row)) for row in run.predicted}
    made_with = {key: value for key, value in asdict(run.header).items() if key != "names"}
    return rounded(
        {
            "suite": suite.name,
            "made_with": made_with,
            "samples": len(run.rows),
            "failed": run.failed,
            "variant": variants[0],
            "figures": {variant: task.figures(run, variant) for variant in variants},
            "by_sample": by_sample[variants[0]],
            "by_group": {variant: _by_group(groups, own) for variant, own in by_sample.items()},
            "paper": [asdict(table) for table in tables],
        }
    )


def _by_group(groups: Mapping[str, Iterable[str]], by_sample: Mapping[str, Figures]) -> dict[str, dict[str, Any]]:
    having: dict[str, list[Figures]] = {}
    for name, own in groups.items():
        for group in own:
            having.setdefault(group, []).append(by_sample[name])
    return {group: {"samples": len(scores), **means(scores)} for group, scores in sorted(having.items())}


def _sections(
    document: Mapping[str, Any], details: Details, tables: list[PaperTable], paper_metrics: Mapping[str, str]
) -> list[Table]:
    variant, by_sample = document["variant"], document["by_sample"]
    listed = {name: by_sample[name] for name in _worst_first(by_sample)[:LISTED]}
    failed = document["failed"]
    return [
        figures_table("Figures", "variant", document["figures"]),
        *(_beside(table, variant, document["figures"][variant], paper_metrics) for table in tables),
        *(
            figures_table(f"Groups ({name})", "group", groups)
            for name, groups in document["by_group"].items()
            if groups
        ),
        figures_table(f"Samples ({variant}){_most(len(by_sample), ', the worst')}", "sample", listed),
        *details.tables,
        *([_failed(failed)] if failed else []),
    ]


def _failed(reasons: Mapping[str, str]) -> Table:
    title = f"Failed{_most(len(reasons))}"
    return Table(title, ("sample", "reason"), list(reasons.items())[:LISTED], is_text=True)


def _worst_first(by_sample: Mapping[str, Figures]) -> list[str]:
    """Names; the first figure decides, and samples without it come last."""

    def rank(name: str) -> tuple[float, str]:
        value = next(iter(by_sample[name].values()), None)
        return np.inf if value is None else value, name

    return sorted(by_sample, key=rank)


def _most(count: int, words: str = "") -> str:
    return f"{words} {LISTED} of {count}" if count > LISTED else ""


def _beside(table: PaperTable, variant: str, figures: Figures, paper_metrics: Mapping[str, str]) -> Table:
    ours = [_ours(column, figures.get(paper_metrics.get(column, ""))) for column in table.columns]
    printed = [
        (f"{method} (the paper's own)" if method in table.own else method, *map(_printed, values))
        for method, values in table.rows.items()
    ]
    return Table(f"Beside {table.source}", ("method", *table.columns), [(f"this run ({variant})", *ours), *printed])


def _ours(column: str, value: float | None) -> str:
    """In the unit of the papers, which is percent where nothing else is usual."""
    if value is None:
        return MISSING
    return f"{100 * value:.1f}" if is_percent(column) else f"{value:.3f}"


def _remarks(suite: Suite, run: Run, tables: list[PaperTable]) -> list[str]:
    header = run.header
    settings = ", ".join(f"{name} {value!r}" for name, value in header.settings.items())
    remarks = [
        f"{suite.dataset.title}; {settings}. Code {header.code_hash} (version {header.version}, commit "
        f"{header.commit or 'not known'}), settings {header.settings_hash}, data {header.data_hash}.",
        *suite.task.protocol,
    ]
    if run.failed:
        remarks.insert(
            0, f"PARTIAL: {len(run.predicted)} of {len(run.rows)} samples; those that failed are in no figure."
        )
    if suite.printed and not tables:
        remarks.append("The papers print no figures for this split.")
    return [*remarks, *(f"{table.source}: {note}" for table in tables for note in table.notes)]


def _latency(ms: list[float], by_sample: Mapping[str, list[float]]) -> dict[str, Any]:
    return rounded(
        {
            "steps": len(ms),
            "mean_ms": float(np.mean(ms)),
            **{f"p{share}_ms": float(np.percentile(ms, share)) for share in PERCENTILES},
            "by_sample": {name: float(np.mean(values)) for name, values in by_sample.items() if values},
        }
    )


def _printed(value: float | None) -> str:
    return MISSING if value is None else f"{value:g}"
