"""What an installation gets: both packages, the configuration as package data, the command, and nothing else."""

import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

import supervisor

CHECKOUT = Path(__file__).parents[2]
PROJECT = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())["project"]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("dist")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(directory)],
        check=True,
        cwd=CHECKOUT,
        capture_output=True,
        timeout=120,
    )
    (built,) = directory.glob("*.whl")
    return built


def test_a_wheel_holds_the_two_packages_and_the_configuration_inside_one_of_them(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    tops = {name.split("/")[0] for name in names}
    assert tops == {"supervisor", "actors", f"perdure-{supervisor.__version__}.dist-info"}
    assert {"supervisor/py.typed", "actors/py.typed", "supervisor/_configs/default.toml"} <= names


def test_an_installed_package_finds_its_configuration_without_the_checkout(wheel: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path)
    program = (
        "from pathlib import Path; from supervisor.config import resolve;"
        "print(resolve(environ={}, cwd=Path('/')).sources['state.path'])"
    )
    done = subprocess.run(
        [sys.executable, "-P", "-c", program],
        check=True,
        env={"PYTHONPATH": str(tmp_path)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.stdout.strip() == str(tmp_path / "supervisor" / "_configs" / "default.toml")


def test_the_checkout_is_left_without_build_leftovers(wheel: Path) -> None:
    assert not (CHECKOUT / "supervisor" / "_configs").exists()


def test_the_version_is_the_same_everywhere() -> None:
    assert PROJECT["version"] == supervisor.__version__
    assert f"## {supervisor.__version__} " in (CHECKOUT / "CHANGELOG.md").read_text()


def test_every_dependency_has_a_lower_bound_and_an_exact_version_in_the_constraints() -> None:
    lines = (CHECKOUT / "constraints.txt").read_text().splitlines()
    pinned = {_normal(line.partition("==")[0]) for line in lines if "==" in line}
    assert all(re.fullmatch(r"#.*|[\w.-]+==[\w.+]+", line) for line in lines)
    for requirement in (*PROJECT["dependencies"], *PROJECT["optional-dependencies"]["dev"]):
        name, bound, _ = requirement.partition(">=")
        assert bound, requirement
        assert _normal(name) in pinned


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
