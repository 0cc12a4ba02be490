"""Exported parts of small models, each made once a session."""

import pytest

from vitron_ros.backends.graphs import build_graph


@pytest.fixture(scope="session")
def exported(tmp_path_factory):
    """`exported(model, part, levels=False)`: the graph and its ONNX file."""
    pytest.importorskip("onnxscript", reason="onnxscript is not installed")
    from vitron_ros.backends.onnx_export import export_onnx

    folder, done = tmp_path_factory.mktemp("onnx"), {}

    def export(model, part, levels=False):
        key = (id(model), part, levels)
        if key not in done:
            graph = build_graph(model, part, levels=levels)
            done[key] = (model, graph, export_onnx(graph, folder / f"{len(done)}.onnx"))
        return done[key][1:]

    return export
