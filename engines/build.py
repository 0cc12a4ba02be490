"""Build engines from their profiles. One that nothing has changed for is left as it is.

Each engine NAME.engine (NAME.onnx for ONNX Runtime) lies in the cache folder with its manifest NAME.json, which says
what it was built from, with and for; the runtime refuses one that does not fit.
"""

import argparse
import resource
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from engines.profile import PLUGIN, EngineProfile, library_version, read_profiles, source_hash
from vitron_ros.backends.manifest import Manifest, manifest_path, read_manifest, sha256
from vitron_ros.cli.exit_code import exit_code
from vitron_ros.errors import EngineError

CACHE = Path(__file__).with_name("cache")
EPILOG = """example:
  python -m engines.build engines/profiles/vitron-tiny-frames-rtx.yaml
  VITRON_ENGINES=engines/cache vitron demo"""


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m engines.build",
        description=__doc__,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("profiles", nargs="+", type=Path, metavar="PROFILE", help="YAML file of an engine")
    parser.add_argument("--cache", type=Path, default=CACHE, help="folder of engines (default: engines/cache)")
    arguments = parser.parse_args(argv)
    return exit_code("build", lambda: _run(arguments))


def _run(arguments: argparse.Namespace) -> int:
    for profile in read_profiles(arguments.profiles):
        print(build(profile, arguments.cache))
    return 0


def build(profile: EngineProfile, cache: Path = CACHE) -> Path:
    """The engine of a profile: unchanged if nothing has changed, else rebuilt.

    Raises:
        EngineError: it cannot be built, or not be written.
        ConfigError, ModelError: the model cannot be loaded.
    """
    engine = engine_path(profile, cache)
    source = source_hash(profile)
    if _is_unchanged(engine, source):
        print(f"{engine} is up to date", file=sys.stderr)
        return engine
    try:
        manifest = _build(profile, engine, source)
    except OSError as error:
        raise EngineError(f"{engine} cannot be written: {error}; make room or name another --cache") from error
    print(
        f"{engine}: {manifest.bytes / 1e6:.1f} MB for {', '.join(manifest.targets)} in {manifest.build_s:.1f} s, "
        f"peak memory {manifest.peak_mb} MB",
        file=sys.stderr,
    )
    return engine


def engine_path(profile: EngineProfile, cache: Path) -> Path:
    return cache / (profile.name + (".onnx" if profile.library == "onnxruntime" else ".engine"))


def _is_unchanged(engine: Path, source: str) -> bool:
    if not engine.is_file() or not manifest_path(engine).is_file():
        return False
    try:
        manifest = read_manifest(engine)
    except EngineError:
        return False
    return manifest.source == source and manifest.bytes == engine.stat().st_size


def _build(profile: EngineProfile, engine: Path, source: str) -> Manifest:
    # Imported here, so that finding an engine up to date needs no torch.
    import torch

    from engines.int8_graph import calibration_images, write_int8
    from engines.source import INT8, load_model, read_precision
    from vitron_ros.backends.graphs import build_graph, fingerprint
    from vitron_ros.backends.onnx_cache import spec_values
    from vitron_ros.backends.onnx_export import export_onnx
    from vitron_ros.model.preprocess import pixels_from_images

    start = time.monotonic()
    checkpoint = profile.checkpoint
    model = load_model(checkpoint=checkpoint, profile_name=None if checkpoint else profile.model, part=profile.part)
    plain = build_graph(model, profile.part, levels=profile.levels)  # type: ignore[arg-type]
    weights = fingerprint(plain.module)
    is_int8 = profile.precision == INT8
    model = model.to(torch.float32 if is_int8 else read_precision(profile.precision))
    graph = build_graph(model, profile.part, levels=profile.levels)  # type: ignore[arg-type]
    for sizes in profile.sizes:
        if set(sizes) != set(graph.limits):
            raise EngineError(
                f"{profile.path}: sizes name {', '.join(sizes)}; the part {profile.part} has {', '.join(graph.limits)}"
            )
        for name, (least, most) in graph.limits.items():
            if not least <= sizes[name][0] <= sizes[name][2] <= most:
                raise EngineError(f"{profile.path}: {name} {sizes[name]} must lie between {least} and {most}")
    engine.parent.mkdir(parents=True, exist_ok=True)
    manifest_path(engine).unlink(missing_ok=True)  # a build that breaks off must leave nothing that looks whole
    onnx = engine.with_suffix(".onnx")
    if is_int8:
        vision = model.config.vision
        images = calibration_images(profile.calibration, vision.image_size)
        exact = export_onnx(graph, engine.with_name(f"{engine.stem}-float32.onnx"))
        try:
            write_int8(exact, onnx, [pixels_from_images([image], vision) for image in images])
        finally:
            exact.unlink()
    else:
        export_onnx(graph, onnx)
    if profile.library == "onnxruntime":
        targets = profile.targets
    else:
        from engines.builder import build_engine

        targets = build_engine(onnx, profile, engine, plugin=profile.selector == PLUGIN)
    manifest = Manifest(
        model=model.config.name,
        part=profile.part,
        weights=weights,
        graph=sha256(onnx),
        library=profile.library,
        version=library_version(profile.library),
        targets=targets,
        precision=profile.precision,
        levels=profile.levels,
        profiles=profile.sizes,
        inputs=spec_values(graph.inputs),
        outputs=spec_values(graph.outputs),
        sha256=sha256(engine),
        bytes=engine.stat().st_size,
        source=source,
        build_s=round(time.monotonic() - start, 2),
        peak_mb=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
        rebuild=profile.rebuild,
    )
    manifest.write(engine)
    return manifest


if __name__ == "__main__":
    sys.exit(main())
