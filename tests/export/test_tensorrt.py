"""TensorRT engines, by a double of the library: what is asked of it, where the engine goes, what is said."""

import dataclasses
import importlib.util
import json
import sys
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import onnxruntime
import pytest
from torch import nn

from gossamer.errors import CancelledError, MissingDependencyError, ModelError, SettingError
from gossamer.image.image import FloatArray
from gossamer.inference.backends.base import UnavailableError
from gossamer.inference.backends.engine_file import EngineKey, EngineRequest, list_engines, read_engine_manifest
from gossamer.models.weights import Manifest, file_sha256
from gossamer_export import tensorrt
from gossamer_export.artifact import artifact_of, load_schema
from gossamer_export.engines import find_engines, prune_engines
from gossamer_export.export import export, verify_artifact
from gossamer_export.onnx import write_onnx
from gossamer_export.settings import EngineSettings, ExportSettings, Profile
from gossamer_export.tensorrt import build_engine, machine_key

MakeWeights = Callable[..., Path]
KEY = EngineKey("NVIDIA RTX 6000", "8.9", "11.4.0", "590.1")


@pytest.fixture
def fakes() -> Any:
    path = Path(__file__).parents[1] / "fakes" / "fake_tensorrt_builder.py"
    spec = importlib.util.spec_from_file_location("fake_tensorrt_builder", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(params=["10.16.1", "11.4.0"])
def library(fakes: Any, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Any:
    fake = fakes.FakeTensorRt(request.param)
    monkeypatch.setitem(sys.modules, "tensorrt", fake)
    return fake


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("GOSSAMER_ENGINES", str(tmp_path / "cache"))
    return tmp_path / "cache"


class Gpu:
    def describe(self) -> tuple[str, str]:
        return KEY.gpu, KEY.compute_capability


@pytest.fixture
def gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tensorrt, "open_device_memory", Gpu)
    monkeypatch.setattr(tensorrt, "driver_version", lambda: KEY.driver)


@pytest.fixture
def request_engine(tiny: nn.Module, tmp_path: Path) -> EngineRequest:
    write_onnx(tiny, tmp_path / "tiny.onnx", multiple_of=32)
    sha256 = file_sha256(tmp_path / "tiny.onnx")
    return EngineRequest(
        "tiny", tmp_path / "tiny.onnx", sha256, "fp32", KEY, (64, 64), (512, 512), (1024, 1536), tmp_path / "cache"
    )


def test_the_engine_lies_where_cores_loader_looks(library: Any, request_engine: EngineRequest) -> None:
    path = build_engine(request_engine)
    manifest = read_engine_manifest(path)
    assert [manifest] == list_engines(request_engine.folder)
    assert (manifest.key, manifest.onnx_sha256) == (KEY, request_engine.onnx_sha256)
    assert (manifest.smallest, manifest.usual, manifest.largest) == ((64, 64), (512, 512), (1024, 1536))
    assert manifest.file().read_bytes().startswith(b"fake engine")
    assert path.parent.name == f"tiny-{request_engine.onnx_sha256[:12]}-fp32-nvidia-rtx-6000-trt11.4.0"
    assert "toolchain" in manifest.extra


def test_the_library_is_asked_for_a_strongly_typed_network_and_the_sizes(
    library: Any, fakes: Any, request_engine: EngineRequest
) -> None:
    build_engine(request_engine, engine=EngineSettings(workspace=1 << 30))
    builder = library.builders[-1]
    assert builder.network.flags == 1 << int(fakes.NetworkDefinitionCreationFlag.STRONGLY_TYPED)
    (profile,) = builder.config.profiles
    assert profile.shapes == {
        "plate": ((1, 3, 64, 64), (1, 3, 512, 512), (1, 3, 1024, 1536)),
        "trimap": ((1, 1, 64, 64), (1, 1, 512, 512), (1, 1, 1024, 1536)),
    }
    assert builder.config.pools == {fakes.MemoryPoolType.WORKSPACE: 1 << 30}
    assert builder.config.flags_set == []
    assert builder.config.flags_cleared == [fakes.BuilderFlag.TF32]


def test_compatibility_and_refit_are_passed_on(library: Any, fakes: Any, request_engine: EngineRequest) -> None:
    settings = EngineSettings(version_compatible=True, hardware_compatible=True, refit=True)
    manifest = read_engine_manifest(build_engine(request_engine, engine=settings))
    config = library.builders[-1].config
    assert config.flags_set == [fakes.BuilderFlag.VERSION_COMPATIBLE, fakes.BuilderFlag.REFIT]
    assert config.hardware_compatibility_level == fakes.HardwareCompatibilityLevel.AMPERE_PLUS
    assert manifest.extra["refit"] is True


def test_timings_are_kept_for_the_next_build(library: Any, request_engine: EngineRequest) -> None:
    path = request_engine.folder / "timing-nvidia-rtx-6000-trt11.4.0.cache"
    build_engine(request_engine)
    assert path.read_bytes() == b"+"
    build_engine(request_engine)
    assert path.read_bytes() == b"++"


def test_progress_is_told_and_building_again_replaces(library: Any, request_engine: EngineRequest) -> None:
    told: list[tuple[float, str]] = []
    build_engine(request_engine, progress=lambda part, what: told.append((part, what)))
    assert told == [(0.25, "Building"), (0.5, "Building"), (0.75, "Building"), (1.0, "Building")]
    build_engine(request_engine)
    assert len(find_engines(request_engine.folder)) == 1


def test_a_cancelled_build_leaves_nothing(library: Any, request_engine: EngineRequest) -> None:
    with pytest.raises(CancelledError, match=r"engine of tiny\.onnx was cancelled; nothing was written"):
        build_engine(request_engine, cancelled=lambda: True)
    assert list(request_engine.folder.iterdir()) == []


def test_the_compilers_complaint_is_passed_on(library: Any, request_engine: EngineRequest) -> None:
    library.failure = "no tactic for node 7"
    with pytest.raises(ModelError, match=r"tensorrt 1.* cannot compile tiny\.onnx: no tactic for node 7\.$"):
        build_engine(request_engine)
    assert list(request_engine.folder.iterdir()) == []


def test_a_graph_that_cannot_be_read_is_named_with_its_node(library: Any, request_engine: EngineRequest) -> None:
    import onnx

    model = onnx.load(str(request_engine.onnx))
    model.graph.node[0].domain, model.graph.node[0].name = "strange", "first"
    onnx.save(model, str(request_engine.onnx))
    with pytest.raises(ModelError, match=r"cannot read tiny\.onnx: first: no importer for"):
        build_engine(request_engine)


def test_the_entry_point_is_what_core_calls() -> None:
    (point,) = metadata.entry_points(group="gossamer.engine_builders", name="tensorrt")
    assert point.load() is build_engine


def run_fake(manifest: Manifest, **_wishes: Any) -> Any:
    """Core's loader, with a GPU that runs the fake engine: by ONNX Runtime, from the cache."""
    (found,) = list_engines(Path(__import__("os").environ["GOSSAMER_ENGINES"]))
    assert found.onnx_sha256 == manifest.files["onnx"].sha256
    graph = found.file().read_bytes().removeprefix(b"fake engine\n")
    session = onnxruntime.InferenceSession(graph, providers=["CPUExecutionProvider"])

    class Backend:
        def infer(self, plate: FloatArray, trimap: FloatArray) -> FloatArray:
            return np.asarray(session.run(["alpha"], {"plate": plate, "trimap": trimap})[0])

    return Backend()


def test_an_exported_engine_is_certified_on_its_gpu(
    library: Any, gpu: None, cache: Path, make_weights: MakeWeights, tiny: nn.Module, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr(tensorrt, "open_backend", run_fake)
    weights = make_weights(tiny)
    engine = EngineSettings(profiles=(Profile((64, 64), (256, 256), (512, 512)),))
    made = export(ExportSettings(str(weights), "tensorrt", "fp16", engine=engine), tmp_path / "out")
    names = ["mine-fp16.nvidia-rtx-6000.engine", "mine-fp16.onnx"]
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == sorted(
        [*names, *(f"{name}.json" for name in names)]
    )
    artifact = artifact_of(made)
    assert artifact.status == "built, run"
    assert artifact.key == {**dataclasses.asdict(KEY), "tensorrt": library.__version__}
    assert artifact.built_from["results"]["inputs"] == 20
    for name in names:
        jsonschema.validate(json.loads((tmp_path / "out" / f"{name}.json").read_text()), load_schema())
    assert verify_artifact(tmp_path / "out" / names[0], model=str(weights)).mean < 1e-3
    prune_engines(cache, None, everything=True)  # another machine of the same kind: the artifact fills the cache again
    assert verify_artifact(tmp_path / "out" / names[0], model=str(weights)).mean < 1e-3


@pytest.mark.parametrize("self_contained", [False, True])
def test_an_engine_of_one_size_is_compared_at_that_size(
    library: Any, gpu: None, cache: Path, make_weights: MakeWeights, tiny: nn.Module, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch, self_contained: bool,
) -> None:  # fmt: skip
    shown: set[tuple[int, ...]] = set()

    def open_fixed(manifest: Manifest, **wishes: Any) -> Any:
        backend = run_fake(manifest, **wishes)

        class Fixed:
            def infer(self, plate: FloatArray, trimap: FloatArray) -> FloatArray:
                shown.add(plate.shape[2:])
                return np.asarray(backend.infer(plate, trimap), np.float32)

        return Fixed()

    monkeypatch.setattr(tensorrt, "open_backend", open_fixed)
    engine = EngineSettings(profiles=(Profile((320, 256), (320, 256), (320, 256)),))
    settings = ExportSettings(str(make_weights(tiny)), "tensorrt", self_contained=self_contained, engine=engine)
    made = export(settings, tmp_path / "out")
    assert shown == {(256, 320)}
    artifact = artifact_of(made)
    assert artifact.results is not None
    assert artifact.results["inputs"] == (29 if self_contained else 20)
    assert artifact.timing is not None
    assert artifact.timing["size"] == "320x256"


def test_inputs_larger_than_the_engine_are_left_out(
    library: Any, gpu: None, cache: Path, make_weights: MakeWeights, tiny: nn.Module, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr(tensorrt, "open_backend", run_fake)
    engine = EngineSettings(profiles=(Profile((64, 64), (192, 192), (192, 192)),))
    artifact = artifact_of(export(ExportSettings(str(make_weights(tiny)), "tensorrt", engine=engine), tmp_path / "out"))
    assert artifact.results is not None
    assert artifact.results["inputs"] < 20


def test_an_engine_that_cannot_be_kept_is_told_with_its_folder(
    library: Any, request_engine: EngineRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    request_engine.folder.write_text("a file", encoding="ascii")
    monkeypatch.setenv("GOSSAMER_ENGINES", str(request_engine.folder))
    with pytest.raises(ModelError, match=r"Cannot keep the engine in .*cache: File exists .* in GOSSAMER_ENGINES"):
        build_engine(request_engine)


def test_measurements_that_cannot_be_kept_do_not_cost_the_engine(
    library: Any, request_engine: EngineRequest, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "blocked").write_text("a file", encoding="ascii")
    timings = tmp_path / "blocked" / "timing.cache"
    assert build_engine(request_engine, engine=EngineSettings(timing_cache=timings)).is_file()
    assert "measurements are not kept" in caplog.text


def test_a_refused_engine_does_not_stay_in_the_cache(
    library: Any, gpu: None, cache: Path, make_weights: MakeWeights, tiny: nn.Module, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    class Wrong:
        def infer(self, plate: FloatArray, trimap: FloatArray) -> FloatArray:
            return trimap * 0

    def wrong(manifest: Manifest, **_wishes: Any) -> Any:
        assert len(list_engines(cache)) == 1
        return Wrong()

    monkeypatch.setattr(tensorrt, "open_backend", wrong)
    with pytest.raises(ModelError, match="the engine's compiler is at fault"):
        export(ExportSettings(str(make_weights(tiny)), "tensorrt"), tmp_path / "out")
    assert find_engines(cache) == []
    assert list((tmp_path / "out").iterdir()) == []


class Grey:
    """An engine that gives a grey where the network gives a matte."""

    def infer(self, plate: FloatArray, trimap: FloatArray) -> FloatArray:
        return np.where(trimap == 0.5, np.float32(0.1), trimap)


def test_an_engine_that_is_kept_by_force_does_not_stay_in_the_cache(
    library: Any, gpu: None, cache: Path, make_weights: MakeWeights, tiny: nn.Module, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr(tensorrt, "open_backend", lambda *_, **__: Grey())
    made = export(ExportSettings(str(make_weights(tiny)), "tensorrt", force=True), tmp_path / "out")
    assert artifact_of(made).forced
    assert made.file("tensorrt").is_file()
    assert find_engines(cache) == []


class Broken:
    """An engine that gives no numbers."""

    def infer(self, plate: FloatArray, trimap: FloatArray) -> FloatArray:
        return trimap * np.float32("nan")


@pytest.mark.parametrize("wrong", [Grey, Broken])
def test_an_engine_that_is_found_wrong_later_leaves_the_cache(
    library: Any, gpu: None, cache: Path, make_weights: MakeWeights, tiny: nn.Module, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch, wrong: Callable[[], Any],
) -> None:  # fmt: skip
    monkeypatch.setattr(tensorrt, "open_backend", run_fake)
    weights = make_weights(tiny)
    made = export(ExportSettings(str(weights), "tensorrt"), tmp_path / "out")
    assert len(find_engines(cache)) == 1
    monkeypatch.setattr(tensorrt, "open_backend", lambda *_, **__: wrong())
    with pytest.raises(ModelError, match=r"answers differently|not numbers"):
        verify_artifact(made.file("tensorrt"), model=str(weights))
    assert find_engines(cache) == []
    assert made.file("tensorrt").is_file()


def test_an_engine_of_another_machine_is_not_run(
    library: Any, gpu: None, cache: Path, make_weights: MakeWeights, tiny: nn.Module, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr(tensorrt, "open_backend", run_fake)
    weights = make_weights(tiny)
    made = export(ExportSettings(str(weights), "tensorrt"), tmp_path / "out")
    monkeypatch.setattr(tensorrt, "driver_version", lambda: "600.0")
    with pytest.raises(ModelError, match=r"whole and unchanged, but this machine cannot run it: .* driver 590\.1"):
        verify_artifact(made.file("tensorrt"), model=str(weights))


def test_without_the_library_the_way_on_is_told(
    make_weights: MakeWeights, tiny: nn.Module, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "tensorrt", None)
    with pytest.raises(
        MissingDependencyError, match=r"pip install tensorrt.* --to tensorrt-rtx compiles ahead of time"
    ):
        export(ExportSettings(str(make_weights(tiny)), "tensorrt"), tmp_path / "out")
    assert list((tmp_path / "out").iterdir()) == []


def test_without_a_gpu_the_way_on_is_told(library: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def none() -> None:
        raise UnavailableError(ModelError("torch finds no CUDA device."))

    monkeypatch.setattr(tensorrt, "open_device_memory", none)
    with pytest.raises(
        ModelError, match=r"here is none: torch finds no CUDA device\. Without a GPU, --to tensorrt-rtx"
    ):
        machine_key()


@pytest.mark.parametrize(
    ("engine", "message"),
    [
        (EngineSettings(gpus=("sm_89",)), "--gpu is for --to tensorrt-rtx"),
        (EngineSettings(tiles=(256, 512)), "holds one range of sizes here"),
        (
            EngineSettings(profiles=(Profile((64, 64), (64, 64), (96, 64)),)),
            "at most 96x64 cannot be compared .* Give a larger --size-range or --tile",
        ),
    ],
)
def test_settings_that_do_not_fit_are_refused(
    library: Any, gpu: None, make_weights: MakeWeights, tiny: nn.Module, tmp_path: Path, engine: EngineSettings,
    message: str,
) -> None:  # fmt: skip
    with pytest.raises(SettingError, match=message):
        export(ExportSettings(str(make_weights(tiny)), "tensorrt", engine=engine), tmp_path / "out")


def test_the_double_has_no_name_that_the_real_library_lacks(fakes: Any) -> None:
    real = pytest.importorskip("tensorrt_rtx", reason='pip install "gossamer-matting[tensorrt-rtx]"')
    pairs = {
        "Config": real.IBuilderConfig, "Network": real.INetworkDefinition, "Profile": real.IOptimizationProfile,
        "OnnxParser": real.OnnxParser, "Builder": real.Builder, "ParserError": real.ParserError,
        "TimingCache": real.ITimingCache, "BuilderFlag": real.BuilderFlag, "MemoryPoolType": real.MemoryPoolType,
        "HardwareCompatibilityLevel": real.HardwareCompatibilityLevel,
        "NetworkDefinitionCreationFlag": real.NetworkDefinitionCreationFlag,
    }  # fmt: skip
    for name, theirs in pairs.items():
        ours = [entry for entry in vars(getattr(fakes, name)) if not entry.startswith("_")]
        missing = [entry for entry in ours if not hasattr(theirs, entry)]
        assert missing == [], name
    for name in vars(fakes.FakeTensorRt):
        assert name.startswith("_") or hasattr(real, name)
