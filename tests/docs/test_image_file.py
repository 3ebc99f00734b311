"""What can be proved of the board's image without building it: that its file asks for what is there."""

from __future__ import annotations

import re
import shutil
import subprocess
from fnmatch import fnmatch
from pathlib import Path, PurePosixPath

import pytest

from runtime.tensorrt import compiled

ROOT = Path(__file__).parents[2]
FILE = (ROOT / "Dockerfile.l4t").read_text()
BUILT = (
    "build/siamrpn_nano/model.json",
    ".venv38/bin/python",
    "runtime/__pycache__/a.pyc",
    "runtime/tensorrt/kernels/libsiamtrt_kernels.so",
)
GIVEN = {"PATH", "HOME"}  # every image has them


def instructions(text):
    """Word and rest of each instruction."""
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    joined = re.sub(r"\\\n\s*", "", "\n".join(lines))
    return [tuple(line.split(None, 1)) for line in joined.splitlines()]


def context():
    """Files that docker is sent: those of the checkout that .dockerignore leaves, and its history."""
    done = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip("needs the checkout's history")
    ignored = (ROOT / ".dockerignore").read_text().split()
    files = [*done.stdout.split(), ".git/HEAD"]
    return [name for name in files if not any(is_ignored(PurePosixPath(name), pattern) for pattern in ignored)]


def is_ignored(path, pattern):
    """Whether a pattern of .dockerignore takes out a file or a folder around it: its ``*`` stays within a name."""
    if pattern.startswith("**/"):
        return any(fnmatch(name, pattern[3:]) for name in path.parts)
    words = pattern.split("/")
    return len(words) <= len(path.parts) and all(map(fnmatch, path.parts, words))


def faults(text, files):
    """What a build would stumble over, a sentence each."""
    said, stages, of_all, declared, copied = [], [], set(), set(), []
    for word, rest in instructions(text):
        if word in {"COPY", "RUN", "FROM"}:
            known = of_all if word == "FROM" else declared | GIVEN | assigned(rest)
            said += [f"{name} is used and not declared" for name in used(rest) if name not in known]
        if word in {"ARG", "ENV"}:
            (declared if stages else of_all).update(assigned(rest))
        elif word == "FROM":
            stages.append(rest.partition(" AS ")[2])
            declared, copied = set(), []
        elif word == "COPY":
            origin = re.match(r"--from=(\w+) ", rest)
            sources = rest[origin.end() if origin else 0 :].split()[:-1]
            if origin:
                said += [f"no stage {origin[1]} before it"] if origin[1] not in stages[:-1] else []
                continue
            for source in sources:
                taken = [name for name in files if source == "." or name == source or name.startswith(f"{source}/")]
                said += [] if taken else [f"{source} is not sent to docker"]
                copied += taken
        elif word == "RUN":
            for name in re.findall(r"-r (\S+)", rest):
                said += [f"{one} is installed and not copied" for one in required(name) if one not in copied]
    return said


def used(text):
    return re.findall(r"\$\{?(\w+)", text)


def assigned(text):
    return set(re.findall(r"(\w+)=", text))


def required(name):
    """A file of requirements and those that it names."""
    lines = (ROOT / name).read_text().splitlines()
    others = [str(PurePosixPath(name).with_name(line[3:])) for line in lines if line.startswith("-r ")]
    return [name, *(one for other in others for one in required(other))]


def test_all_that_the_image_is_made_of_is_there():
    assert faults(FILE, context()) == []


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ("ARG ARCH=sm_72\n", "", "ARCH is used and not declared"),
        ("ARG JETSON_STATS=\n", "", "JETSON_STATS is used and not declared"),
        ("ARG BASE_IMAGE=", "ARG BASE=", "BASE_IMAGE is used and not declared"),
        ("AS kernels", "AS compiled", "no stage kernels before it"),
        ("COPY runtime/tensorrt/kernels ", "COPY runtime/kernels ", "runtime/kernels is not sent to docker"),
        (" requirements/fleet.txt", "", "requirements/fleet.txt is installed and not copied"),
    ],
)
def test_a_fault_in_the_images_file_is_seen(before, after, said):
    assert before in FILE
    assert said in faults(FILE.replace(before, after), context())


def test_docker_is_sent_the_history_and_nothing_that_is_built():
    files = context()
    assert ".git/HEAD" in files
    assert {"requirements/in_container.sh", "runtime/tensorrt/kernels/build.sh"} <= set(files)
    patterns = (ROOT / ".dockerignore").read_text().split()
    for built in BUILT:
        assert any(is_ignored(PurePosixPath(built), pattern) for pattern in patterns), built


def test_the_second_stage_takes_the_kernels_from_where_the_first_compiles_them(tmp_path):
    """The steps of both stages, carried out without docker and with a compiler of our own."""
    steps = instructions(FILE)
    (_, copied), (_, compiling) = next(pair for pair in zip(steps, steps[1:]) if "build.sh" in pair[1][1])
    source, target = copied.split()
    (taken,) = (rest for word, rest in steps if word == "COPY" and rest.startswith("--from="))
    _, made, place = taken.split()
    (inside,) = (rest for word, rest in steps if word == "WORKDIR")
    shutil.copytree(ROOT / source, tmp_path / target.lstrip("/"), ignore=shutil.ignore_patterns("*.so"))
    nvcc = tmp_path / "bin" / "nvcc"
    nvcc.parent.mkdir()
    nvcc.write_text('#!/bin/sh\nwhile test "$1" != -o; do shift; done; echo compiled > "$2"\n')
    nvcc.chmod(0o755)
    step = compiling.replace("/usr/local/cuda/bin", str(nvcc.parent)).replace(f" {target}/", f" {tmp_path}{target}/")
    subprocess.run(["sh", "-c", step], env={"PATH": "/usr/bin:/bin", "ARCH": "sm_72"}, check=True)
    assert (tmp_path / made.lstrip("/")).read_text() == "compiled\n"
    installed = PurePosixPath(inside) / place / PurePosixPath(made).name
    assert installed == PurePosixPath(inside) / compiled._LIBRARY.relative_to(ROOT)
