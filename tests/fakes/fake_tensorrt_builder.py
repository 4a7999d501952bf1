"""A double of the part of TensorRT's Python module that compiles engines: what this project calls, and nothing else.

``FakeTensorRt("11.4.0")`` stands for the module. Its engine is the graph's bytes behind a header, so that whoever
"runs" it can tell what it was compiled from. Names and arguments are those of the real module; a test compares them
with TensorRT-RTX's, which is installed.
"""

from __future__ import annotations

import enum
from pathlib import Path
from typing import Any

HEADER = b"fake engine\n"


class Severity(enum.Enum):
    INTERNAL_ERROR = 0
    ERROR = 1
    WARNING = 2


class ILogger:
    Severity = Severity

    def __init__(self) -> None: ...

    def log(self, severity: Any, msg: str) -> None:
        raise NotImplementedError


class IProgressMonitor:
    def __init__(self) -> None: ...


class NetworkDefinitionCreationFlag(enum.IntEnum):
    STRONGLY_TYPED = 1


class MemoryPoolType(enum.Enum):
    WORKSPACE = 0


class HardwareCompatibilityLevel(enum.Enum):
    NONE = 0
    AMPERE_PLUS = 1


class BuilderFlag(enum.Enum):
    """Those that TensorRT 10 and 11 both have."""

    REFIT = 0
    VERSION_COMPATIBLE = 1
    TF32 = 2


class Tensor:
    def __init__(self, name: str, shape: tuple[int, ...]) -> None:
        self.name, self.shape = name, shape


class Network:
    def __init__(self, flags: int) -> None:
        self.flags = flags
        self.graph = b""
        self.inputs: list[Tensor] = []

    @property
    def num_inputs(self) -> int:
        return len(self.inputs)

    def get_input(self, index: int) -> Tensor:
        return self.inputs[index]


class ParserError:
    def __init__(self, node: str, text: str) -> None:
        self._node, self._text = node, text

    def node_name(self) -> str:
        return self._node

    def desc(self) -> str:
        return self._text


class OnnxParser:
    def __init__(self, network: Network, logger: ILogger) -> None:
        self._network = network
        self._errors: list[ParserError] = []

    @property
    def num_errors(self) -> int:
        return len(self._errors)

    def get_error(self, index: int) -> ParserError:
        return self._errors[index]

    def parse_from_file(self, path: str) -> bool:
        import onnx

        content = Path(path).read_bytes()
        model = onnx.load_from_string(content)
        unknown = [node for node in model.graph.node if node.domain not in ("", "ai.onnx")]
        self._errors = [ParserError(node.name, f"no importer for {node.op_type}") for node in unknown]
        self._network.graph = content
        for value in model.graph.input:
            dims = value.type.tensor_type.shape.dim
            self._network.inputs.append(Tensor(value.name, tuple(dim.dim_value or -1 for dim in dims)))
        return not self._errors


class Profile:
    def __init__(self) -> None:
        self.shapes: dict[str, tuple[tuple[int, ...], ...]] = {}

    def set_shape(self, input: str, min: tuple[int, ...], opt: tuple[int, ...], max: tuple[int, ...]) -> None:
        self.shapes[input] = (min, opt, max)


class TimingCache:
    def __init__(self, content: bytes) -> None:
        self.content = content

    def serialize(self) -> memoryview:
        return memoryview(self.content + b"+")


class Config:
    def __init__(self) -> None:
        self.progress_monitor: Any = None
        self.hardware_compatibility_level = HardwareCompatibilityLevel.NONE
        self.profiles: list[Profile] = []
        self.flags_set: list[BuilderFlag] = []
        self.flags_cleared: list[BuilderFlag] = []
        self.pools: dict[MemoryPoolType, int] = {}
        self._cache: TimingCache | None = None

    def add_optimization_profile(self, profile: Profile) -> int:
        self.profiles.append(profile)
        return len(self.profiles) - 1

    def set_memory_pool_limit(self, pool: MemoryPoolType, pool_size: int) -> None:
        self.pools[pool] = pool_size

    def set_flag(self, flag: BuilderFlag) -> None:
        assert isinstance(flag, BuilderFlag)
        self.flags_set.append(flag)

    def clear_flag(self, flag: BuilderFlag) -> None:
        assert isinstance(flag, BuilderFlag)
        self.flags_cleared.append(flag)

    def create_timing_cache(self, serialized_timing_cache: bytes) -> TimingCache:
        return TimingCache(serialized_timing_cache)

    def set_timing_cache(self, cache: TimingCache, ignore_mismatch: bool) -> bool:
        assert not ignore_mismatch
        self._cache = cache
        return True

    def get_timing_cache(self) -> TimingCache | None:
        return self._cache


class Builder:
    """``module.builders[-1]`` is the last one made."""

    def __init__(self, module: FakeTensorRt, logger: Any) -> None:
        assert isinstance(logger, ILogger)
        self._module, self._logger = module, logger
        self.network: Network | None = None
        self.config: Config | None = None
        module.builders.append(self)

    def create_network(self, flags: int) -> Network:
        self.network = Network(flags)
        return self.network

    def create_builder_config(self) -> Config:
        self.config = Config()
        return self.config

    def create_optimization_profile(self) -> Profile:
        return Profile()

    def build_serialized_network(self, network: Network, config: Config) -> memoryview | None:
        monitor = config.progress_monitor
        monitor.phase_start("Building", None, 4)
        monitor.phase_start("Tactics", "Building", 2)
        for step in range(4):
            monitor.step_complete("Tactics", step)
            if not monitor.step_complete("Building", step):
                return None
        monitor.phase_finish("Tactics")
        monitor.phase_finish("Building")
        if self._module.failure:
            self._logger.log(Severity.WARNING, "a remark")
            self._logger.log(Severity.ERROR, self._module.failure)
            return None
        return memoryview(HEADER + network.graph)


class FakeTensorRt:
    """The module ``tensorrt``."""

    __name__ = "tensorrt"
    ILogger = ILogger
    IProgressMonitor = IProgressMonitor
    NetworkDefinitionCreationFlag = NetworkDefinitionCreationFlag
    MemoryPoolType = MemoryPoolType
    HardwareCompatibilityLevel = HardwareCompatibilityLevel
    BuilderFlag = BuilderFlag
    OnnxParser = OnnxParser

    def __init__(self, version: str) -> None:
        self.__version__ = version
        self.failure = ""
        """What the compiler complains about; empty: it compiles."""
        self.builders: list[Builder] = []

    def Builder(self, logger: Any) -> Builder:  # noqa: N802  (the library's name)
        return Builder(self, logger)
