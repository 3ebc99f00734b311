from __future__ import annotations

import os
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


@pytest.fixture
def compiled_by_ours(tmp_path, monkeypatch):
    """What build.sh makes with a compiler of our own, which leaves the kernels out, as the library that is loaded."""
    if shutil.which("g++") is None:
        pytest.skip("needs a C++ compiler")
    nvcc = tmp_path / "bin" / "nvcc"
    nvcc.parent.mkdir()
    nvcc.write_text(
        "#!/bin/sh\n"
        'for word in "$@"; do case $before in -o) out=$word;; esac; before=$word\n'
        "case $word in -D*) define=$word;; */sources.cu) source=$word;; esac; done\n"
        'g++ -shared -fPIC "$define" -x c++ "$source" -o "$out"\n'
    )
    nvcc.chmod(0o755)
    folder = tmp_path / "kernels"
    shutil.copytree(KERNELS, folder, ignore=shutil.ignore_patterns("*.so"))
    monkeypatch.setenv("PATH", f"{nvcc.parent}:{os.environ['PATH']}")
    subprocess.run(["sh", str(folder / "build.sh")], check=True)
    monkeypatch.setattr(compiled, "_KERNELS", folder)
    monkeypatch.setattr(compiled, "_LIBRARY", folder / "libsiamtrt_kernels.so")
    return folder


def test_kernels_of_these_sources_are_loaded(compiled_by_ours):
    assert compiled.load_kernels() is not None


def test_kernels_of_other_sources_are_refused(compiled_by_ours):
    with (compiled_by_ours / "crop.h").open("a") as stream:
        stream.write("/* changed */")
    with pytest.raises(MissingDependencyError, match=r"from other sources\n.*build\.sh sm_72"):
        compiled.load_kernels()


def test_kernels_from_before_they_told_their_sources_are_refused(compiled_by_ours, monkeypatch):
    out = compiled_by_ours / "old.so"
    subprocess.run(["g++", "-shared", "-fPIC", "-x", "c++", "/dev/null", "-o", str(out)], check=True)
    monkeypatch.setattr(compiled, "_LIBRARY", out)
    with pytest.raises(MissingDependencyError, match="from other sources"):
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
