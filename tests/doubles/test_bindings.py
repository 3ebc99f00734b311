"""What the code asks of TensorRT, and what the double offers, against NVIDIA's own Python bindings.

The bindings are a megabyte and need TensorRT's libraries at import only, so stubs of those do: nothing is built or run.
"""

from __future__ import annotations

import ast
import enum
import importlib.util
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from siamtrt.libraries import tensorrt as library
from tests.doubles.tensorrt.cudart import Cudart
from tests.doubles.tensorrt.trt import make

VERSION = "8.6.1" if sys.version_info < (3, 9) else "10.9.0"
ROOT = Path(__file__).parents[2]
GOLDEN = json.loads((ROOT / "tests" / "golden" / "tensorrt" / "bindings-8.5.2.json").read_text())
OURS = ("quantize.py", "__main__.py")  # whose names are those of ONNX and of the command line
SOURCES = [
    *sorted({*(ROOT / "engines" / "tensorrt").glob("*.py")} - {ROOT / "engines" / "tensorrt" / name for name in OURS}),
    ROOT / "runtime" / "tensorrt" / "engine.py",
    ROOT / "benchmarks" / "profiling" / "layers" / "tensorrt_profile.py",
    ROOT / "siamtrt" / "libraries" / "tensorrt.py",
]
CLASSES = {
    "builder": "Builder",
    "config": "IBuilderConfig",
    "context": "IExecutionContext",
    "engine": "ICudaEngine",
    "inspector": "EngineInspector",
    "layer": "ILayer",
    "network": "INetworkDefinition",
    "parser": "OnnxParser",
    "refitter": "Refitter",
    "runtime": "Runtime",
    "tensor": "ITensor",
}
# Where the double keeps what a test looks at.
DOUBLES_OWN = {"IBuilderConfig": {"calibrator", "pools", "timing_cache"}}
# Asked of TensorRT-RTX, or of version 10 and later, alone.
ELSEWHERE = {
    "ComputeCapability",
    "IBuilderConfig.num_compute_capabilities",
    "IBuilderConfig.set_compute_capability",
    "NetworkDefinitionCreationFlag.STRONGLY_TYPED",
}


@pytest.fixture(scope="module")
def real(tmp_path_factory):
    spec = importlib.util.find_spec("tensorrt_bindings")
    compiler = shutil.which("gcc") or shutil.which("cc")
    if spec is None or compiler is None:
        pytest.skip("needs the bindings of requirements/dev.txt or board-tests.txt, and a C compiler")
    (folder,) = spec.submodule_search_locations
    major = VERSION.split(".")[0]
    stubs = []
    for name in ("nvinfer", "nvonnxparser", "nvinfer_plugin", "nvparsers"):
        path = tmp_path_factory.mktemp("stubs") / f"lib{name}.so.{major}"
        source = Path(__file__).parent / "stub_libraries.c"
        flags = ["-shared", "-fPIC", f"-Wl,-soname,{path.name}"]
        subprocess.run([compiler, *flags, "-o", str(path), str(source)], check=True)
        stubs.append(str(path))
    command = [sys.executable, "-m", "tests.doubles.bindings", folder, *stubs]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def asked_of(path):
    """Each class of TensorRT, and each member of one as ``Class.member``, that the code of a file asks for."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if not isinstance(node, ast.Attribute) or node.attr.startswith("_"):
            continue
        owner = node.value
        name = getattr(owner, "id", getattr(owner, "attr", "")).lstrip("_")
        if name == "trt":
            yield node.attr
        elif (
            isinstance(owner, ast.Attribute) and getattr(owner.value, "id", "") == "trt" and owner.attr != "__version__"
        ):
            yield f"{owner.attr}.{node.attr}"
        elif name in CLASSES:
            yield f"{CLASSES[name]}.{node.attr}"


def test_every_name_the_code_asks_for_is_there(real):
    known = set(real["names"]) | {f"{kind}.{name}" for kind, names in real["names"].items() for name in names}
    asked = {name for path in SOURCES for name in asked_of(path)}
    assert {"IBuilderConfig.int8_calibrator", "ILayer.set_output_type", "ProfilingVerbosity.DETAILED"} <= asked
    assert asked - known <= ELSEWHERE


def test_every_name_is_in_the_version_of_the_board_too():
    """8.5.2 has no bindings to install; these are the names in its public source."""
    names = GOLDEN["names"]
    known = set(names) | {f"{kind}.{name}" for kind, members in names.items() for name in members}
    asked = {name for path in SOURCES for name in asked_of(path)}
    assert asked - known - ELSEWHERE == set()


def test_what_8_5_2_keeps_alive_is_what_the_double_models():
    kept = GOLDEN["keep_alive"]
    assert "ICudaEngine.create_engine_inspector" not in kept  # so the caller has to hold the engine
    assert kept["ICudaEngine.create_execution_context"] == ["0, 1"]
    assert "2, 1" in kept["OnnxParser.__init__"]  # a circle: so each build has a process of its own


def test_the_double_offers_nothing_the_bindings_lack(real):
    double = make(VERSION, Cudart())
    builder = double.Builder(library.make_logger(double))
    made = {"IBuilderConfig": builder.create_builder_config(), "INetworkDefinition": builder.create_network(1)}
    kinds = {name: kind for name, kind in vars(double).items() if isinstance(kind, type)}
    kinds.update({name: type(instance) for name, instance in made.items()})
    assert {"BuilderFlag", "DataType", "IInt8EntropyCalibrator2", "IProfiler", "LayerType", "Refitter"} <= set(kinds)
    for name, kind in kinds.items():
        members = kind.__members__ if issubclass(kind, enum.Enum) else vars(kind)
        offered = {member for member in members if not member.startswith("_")}
        assert offered - set(real["names"][name]) <= DOUBLES_OWN.get(name, set()), name


def test_our_classes_stand_on_the_real_base_classes(real):
    assert real["calibrator"] == [1, "cache", "ENTROPY_CALIBRATION_2"]
    assert real["profiler"] == [[["conv", 2.0]]]
    assert real["logger"] == ["wrong"]
