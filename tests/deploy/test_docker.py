"""The Dockerfile is clean, takes only what is there, and its steps make a dynaferry that runs."""

import fnmatch
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.deploy.places import DEPLOY, ROOT

DOCKERFILE = DEPLOY / "docker" / "Dockerfile"
BY_DIGEST = f"python@sha256:{'0' * 64}"


def instructions() -> list[tuple[str, str]]:
    """(instruction, its words), comments and line ends taken away."""
    text = re.sub(r"(?m)^#.*\n", "", DOCKERFILE.read_text(encoding="utf-8"))
    lines = re.sub(r"\\\n\s*", "", text).splitlines()
    return [(line.split(" ", 1)[0], line.split(" ", 1)[1]) for line in lines if line]


def words_of(name: str) -> list[str]:
    return [words for instruction, words in instructions() if instruction == name]


def copied() -> list[Path]:
    """What COPY takes from the project, as paths in it."""
    sources = [words.split()[:-1] for words in words_of("COPY") if "--from" not in words]
    return [ROOT / source for each in sources for source in each]


def test_hadolint_finds_nothing() -> None:
    hadolint = Path(sys.executable).with_name("hadolint")
    ran = subprocess.run([hadolint, DOCKERFILE], capture_output=True, text=True, check=False)
    assert (ran.stdout, ran.returncode) == ("", 0)


def test_what_is_copied_is_there_and_not_ignored() -> None:
    lines = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    allowed = [line[1:] for line in lines if line.startswith("!")]
    assert "*" in lines
    assert len(copied()) == 7
    for path in copied():
        assert path.exists()
        name = path.relative_to(ROOT).as_posix()
        assert any(fnmatch.fnmatch(name, pattern) for pattern in allowed), name


def test_nothing_that_is_not_copied_is_sent_to_the_builder() -> None:
    lines = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    allowed = {ROOT / line[1:] for line in lines if line.startswith("!")}
    assert allowed == set(copied())


def test_the_image_runs_dynaferry_as_a_user_by_number_with_its_state_on_a_volume() -> None:
    (user,) = words_of("USER")
    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", user)
    assert [json.loads(words) for words in words_of("ENTRYPOINT")] == [["dynaferry"]]
    assert [json.loads(words) for words in words_of("VOLUME")] == [[words_of("WORKDIR")[-1]]]


def test_a_stop_sends_the_signal_that_python_heeds_as_process_one() -> None:
    assert words_of("STOPSIGNAL") == ["SIGINT"]


def test_it_is_built_on_an_image_by_digest_and_says_on_which() -> None:
    assert words_of("FROM") == ["${BASE} AS build", "${BASE}"]
    assert set(words_of("ARG")) == {"BASE"}  # without a default
    assert 'org.opencontainers.image.base.name="${BASE}"' in " ".join(words_of("LABEL"))
    check = words_of("RUN")[0].partition(" && ")[0]
    for base, code in ((BY_DIGEST, 0), ("python:3.13-slim-bookworm", 1), ("", 1)):
        ran = subprocess.run(
            ["/bin/sh", "-ec", check], env={"BASE": base}, capture_output=True, check=False
        )
        assert ran.returncode == code


def test_every_package_is_pinned_by_hash() -> None:
    installs = re.findall(r"/pip install ([^&]*)", " && ".join(words_of("RUN")))
    assert len(installs) == 3
    for options in installs:
        assert "--require-hashes" in options or "--no-index" in options


@pytest.mark.skipif(
    not os.environ.get("DYNAFERRY_BUILD_IMAGE_STEPS"),
    reason="it installs every package once more, so it is `make test-image` that runs it",
)
def test_the_steps_of_the_build_make_a_dynaferry_that_runs(tmp_path: Path) -> None:
    build = words_of("RUN")[:3]
    opt, here = tmp_path / "opt", tmp_path / "src"
    for path in copied():
        to = here / path.relative_to(ROOT)
        to.parent.mkdir(parents=True, exist_ok=True)
        (shutil.copytree if path.is_dir() else shutil.copy)(path, to)
    opt.mkdir()
    environment = {
        "PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin",
        "HOME": str(tmp_path),
        "BASE": BY_DIGEST,
        **{name: value for name, value in os.environ.items() if name.startswith("PIP_")},
    }
    for step in build:
        script = step.replace("/opt/", f"{opt}/")
        subprocess.run(["/bin/sh", "-ec", script], cwd=here, env=environment, check=True)
    ran = subprocess.run(
        [opt / "dynaferry" / "bin" / "dynaferry", "--version"],
        capture_output=True,
        text=True,
        check=True,
        env={"PATH": "/usr/bin:/bin", "HOME": "/nonexistent", "PYTHONDONTWRITEBYTECODE": "1"},
    )
    assert ran.stdout.startswith("dynaferry ")
    assert not (opt / "dynaferry" / "bin" / "pip").exists()
