"""The HTML page of a report: one file that needs no other. It needs jinja2."""

import base64
from collections.abc import Mapping, Sequence
from pathlib import Path

from vitron_ros.errors import ConfigError
from vitron_ros.evaluation.tables import Table


def page(
    title: str,
    remarks: Sequence[str],
    tables: Sequence[Table],
    pictures: Mapping[str, bytes],
    legend: str,
    worst: Sequence[Mapping[str, str]],
) -> str:
    """The page.

    Args:
        tables: the first stands above the pictures.
        pictures: title -> SVG.
        legend: what the pictures of the worst cases show.
        worst: `jpeg` in base64 and `text` of each.

    Raises:
        ConfigError: jinja2 is not installed.
    """
    try:
        from jinja2 import Environment, StrictUndefined
    except ImportError as error:
        raise ConfigError(f"pages need jinja2 ({error}); run: pip install 'vitron_ros[evaluation]'") from error
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    template = environment.from_string(Path(__file__).with_name("page.html").read_text(encoding="utf-8"))
    encoded = {name: base64.b64encode(picture).decode() for name, picture in pictures.items()}
    return template.render(title=title, remarks=remarks, tables=tables, pictures=encoded, legend=legend, worst=worst)
