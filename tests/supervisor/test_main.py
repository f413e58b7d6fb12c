"""supervisor/__main__.py: what the command says where another `supervisor` got in its way."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).parents[2]


@pytest.fixture
def installation(tmp_path: Path) -> Path:
    """A copy of what one installation holds of the two packages' tops."""
    for package in ("supervisor", "actors"):
        (tmp_path / package).mkdir()
        for file in ("__init__.py", "__main__.py"):
            if (CHECKOUT / package / file).exists():
                shutil.copy(CHECKOUT / package / file, tmp_path / package / file)
    return tmp_path


def run(installation: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-S", "-m", "supervisor", "version"],  # -S: no other installation is on the path
        check=False,
        cwd=installation,
        capture_output=True,
        text=True,
        timeout=60,
    )


def assert_one_clear_line(done: subprocess.CompletedProcess[str], said: str) -> None:
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.startswith("perdure: ")
    assert done.stderr.count("\n") == 1
    assert said in done.stderr


def test_a_package_overwritten_by_supervisord_is_named(installation: Path) -> None:
    (installation / "supervisor" / "__init__.py").write_text("# supervisord's\n")
    assert_one_clear_line(run(installation), "an environment of its own: pipx")


def test_a_package_whose_init_supervisord_took_along_is_named(installation: Path) -> None:
    (installation / "supervisor" / "__init__.py").unlink()
    assert_one_clear_line(run(installation), "an environment of its own: pipx")


def test_an_installation_without_actors_is_named(installation: Path) -> None:
    shutil.rmtree(installation / "actors")
    assert_one_clear_line(run(installation), "not all of it")


def test_an_installation_without_a_command_line_is_named(installation: Path) -> None:
    assert_one_clear_line(run(installation), "Install Perdure again")


def test_an_installation_that_is_whole_runs_the_command_line_and_gives_its_exit_code(installation: Path) -> None:
    (installation / "supervisor" / "cli.py").write_text(
        "import sys\ndef main() -> int:\n    print(sys.argv[1:])\n    return 5\n"
    )
    done = run(installation)
    assert (done.returncode, done.stdout, done.stderr) == (5, "['version']\n", "")
