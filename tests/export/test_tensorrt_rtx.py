"""TensorRT-RTX engines, really compiled, without a GPU."""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from torch import nn

from gossamer.errors import CancelledError, MissingDependencyError, ModelError, SettingError
from gossamer.inference.backends import open_backend
from gossamer.models.weights import find_manifest
from gossamer_export.artifact import artifact_of, load_schema
from gossamer_export.engine_build import compile_engine
from gossamer_export.export import export, verify_artifact
from gossamer_export.settings import EngineSettings, ExportSettings, Profile

MakeWeights = Callable[..., Path]
trt = pytest.importorskip("tensorrt_rtx", reason='needs pip install "gossamer-matting[tensorrt-rtx]"')
SMALL = Profile((64, 64), (128, 128), (256, 192))


@pytest.mark.parametrize("precision", ["fp32", "fp16"])
def test_an_engine_is_compiled_for_the_named_cards(
    make_weights: MakeWeights, tiny: nn.Module, tmp_path: Path, precision: Any
) -> None:
    engine = EngineSettings(profiles=(SMALL,), tiles=(256,), gpus=("sm_86", "sm_89"))
    weights = make_weights(tiny)
    made = export(ExportSettings(str(weights), "tensorrt-rtx", precision, engine=engine), tmp_path / "out")
    name = f"mine-{precision}.sm_86-sm_89.rtx"
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == sorted(
        [name, f"{name}.json", f"mine-{precision}.onnx", f"mine-{precision}.onnx.json"]
    )
    assert (tmp_path / "out" / name).stat().st_size > 50_000
    jsonschema.validate(json.loads((tmp_path / "out" / f"{name}.json").read_text(encoding="utf-8")), load_schema())
    artifact = artifact_of(made)
    assert (artifact.status, artifact.results, artifact.timing) == ("built, not run", None, None)
    assert artifact.key == {"compute_capabilities": ["sm_86", "sm_89"], "tensorrt_rtx": trt.__version__}
    assert [entry["largest"] for entry in artifact.options["profiles"]] == [[256, 192], [384, 384]]
    assert artifact.built_from["results"]["inputs"] == 20
    onnx = find_manifest(str(tmp_path / "out" / f"mine-{precision}.onnx"))
    assert onnx.files["onnx"].sha256 == artifact.built_from["sha256"]
    with pytest.raises(ModelError, match=rf"no loader for tensorrt-rtx: verify the ONNX .*, mine-{precision}\.onnx"):
        verify_artifact(tmp_path / "out" / name, model=str(weights))
    assert open_backend(made, backend="onnxruntime", device="cpu")  # the graph beside it


def test_a_self_contained_graph_compiles_too(make_weights: MakeWeights, tiny: nn.Module, tmp_path: Path) -> None:
    engine = EngineSettings(profiles=(SMALL,), gpus=("sm_120",))
    settings = ExportSettings(str(make_weights(tiny)), "tensorrt-rtx", "fp16", self_contained=True, engine=engine)
    export(settings, tmp_path / "out")
    assert (tmp_path / "out" / "mine-fp16-self-contained.sm_120.rtx").is_file()


@pytest.mark.parametrize(
    ("engine", "message"),
    [
        (
            EngineSettings(gpus=("sm_90",)),
            r"has no sm_90; it compiles for sm_75, .*Data centre cards take --to tensorrt",
        ),
        (EngineSettings(version_compatible=True), "--version-compatible is for --to tensorrt; --to tensorrt-rtx does"),
        (EngineSettings(hardware_compatible=True), "--hardware-compatible is for --to tensorrt; "),
        (EngineSettings(timing_cache=Path("x")), "--timing-cache is for --to tensorrt; "),
        (EngineSettings(refit=True), "needs an NVIDIA GPU to build an engine that can be refitted"),
    ],
)
def test_what_it_cannot_do_is_told(
    make_weights: MakeWeights, tiny: nn.Module, tmp_path: Path, engine: EngineSettings, message: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr("shutil.which", lambda _name: None)
    with pytest.raises(SettingError, match=message):
        export(ExportSettings(str(make_weights(tiny)), "tensorrt-rtx", engine=engine), tmp_path / "out")
    assert not list(tmp_path.glob("out/*"))


def test_a_file_that_is_no_graph_is_named(tmp_path: Path) -> None:
    (tmp_path / "bad.onnx").write_bytes(b"nonsense")
    with pytest.raises(ModelError, match=r"tensorrt_rtx .* cannot read bad\.onnx: graph: .*parse"):
        compile_engine(trt, tmp_path / "bad.onnx", [SMALL], configure=lambda _builder, _config: None)


def test_the_real_compiler_can_be_stopped_and_tells_how_far_it_is(
    make_weights: MakeWeights, tiny: nn.Module, tmp_path: Path
) -> None:
    made = export(ExportSettings(str(make_weights(tiny))), tmp_path / "out")
    told: list[tuple[float, str]] = []

    def configure(_builder: Any, config: Any) -> None:
        config.num_compute_capabilities = 1
        config.set_compute_capability(trt.ComputeCapability.SM89, 0)
        assert not config.get_flag(trt.BuilderFlag.TF32)  # float32 is float32

    path = made.file("onnx")
    assert compile_engine(trt, path, [SMALL], configure=configure, progress=lambda *step: told.append(step))
    parts = [part for part, _ in told]
    assert parts == sorted(parts)
    assert 0 < parts[0] < parts[-1] <= 1
    with pytest.raises(CancelledError, match="was cancelled; nothing was written"):
        compile_engine(trt, path, [SMALL], configure=configure, cancelled=lambda: True)


def test_without_the_package_the_extra_is_named(
    make_weights: MakeWeights, tiny: nn.Module, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "tensorrt_rtx", None)
    with pytest.raises(MissingDependencyError, match=r"gossamer-matting\[tensorrt-rtx\]"):
        export(ExportSettings(str(make_weights(tiny)), "tensorrt-rtx"), tmp_path / "out")


@pytest.mark.slow
@pytest.mark.parametrize("precision", ["fp32", "fp16"])
def test_the_default_network_compiles(tmp_path: Path, precision: Any) -> None:
    engine = EngineSettings(gpus=("sm_89",))
    made = export(ExportSettings("gossamer-s", "tensorrt-rtx", precision, engine=engine), tmp_path)
    assert made.files["tensorrt-rtx"].bytes > 1_000_000
