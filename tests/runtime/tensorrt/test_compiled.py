from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from runtime.tensorrt import compiled, device
from siamtrt import MissingDependencyError
from siamtrt.libraries import cuda

KERNELS = Path(compiled.__file__).parent / "kernels"


def test_missing_kernels_tell_how_to_compile_them(monkeypatch, tmp_path):
    monkeypatch.setattr(compiled, "_LIBRARY", tmp_path / "libsiamtrt_kernels.so")
    with pytest.raises(MissingDependencyError, match=r"build\.sh sm_72"):
        compiled.load_kernels()


def test_nvcc_takes_them(tmp_path):
    nvcc = shutil.which("nvcc")
    if nvcc is None:
        pytest.skip("needs nvcc")
    known = subprocess.run([nvcc, "--list-gpu-arch"], capture_output=True, text=True, check=True).stdout.split()
    oldest = known[0].replace("compute", "sm")
    subprocess.run(["sh", str(KERNELS / "build.sh"), oldest, str(tmp_path)], check=True)
    library = (tmp_path / "libsiamtrt_kernels.so").read_bytes()
    assert b"siamtrt_crop" in library
    assert b"siamtrt_decode" in library


def test_the_cuda_library_has_every_function_that_is_called():
    try:
        library = cuda.load()
    except MissingDependencyError:
        pytest.skip("needs libcudart")
    sources = (Path(cuda.__file__), Path(device.__file__))
    called = {name for path in sources for name in re.findall(r"\b(cuda[A-Z][A-Za-z]+)\b", path.read_text())}
    assert {"cudaMemcpyAsync", "cudaGraphInstantiateWithFlags", "cudaFreeHost"} <= called
    assert [name for name in sorted(called - {"cudaDeviceAttr"}) if not hasattr(library, name)] == []
