"""supervisor/config/state_path.py: the same answer as the full loader's, at a fraction of its price."""

import subprocess
import sys
from pathlib import Path

import pytest

from supervisor.config import ConfigError, load, quick_state_path

DOTENVS = {
    "none": None,
    "short": "STATE_PATH=from-dotenv\n",
    "long": "export PERDURE_STATE__PATH='from dotenv'\n",
    "config": "PERDURE_CONFIG=named.toml\n",
    "other": "FOO=bar\n",
}
ENVIRONMENTS = {
    "none": {},
    "short": {"STATE_PATH": "from-environment"},
    "long": {"STATE_PATH": "loses", "PERDURE_STATE__PATH": "/from/environment"},
    "home": {"STATE_PATH": "~/state"},
    "empty": {"STATE_PATH": ""},
    "config": {"PERDURE_CONFIG": "named.toml"},
}


@pytest.mark.parametrize("option", [None, "from-option", "/from/option"])
@pytest.mark.parametrize("environment", ENVIRONMENTS)
@pytest.mark.parametrize("dotenv", DOTENVS)
def test_it_agrees_with_the_full_loader(tmp_path: Path, option: str | None, environment: str, dotenv: str) -> None:
    (tmp_path / "named.toml").write_text("[state]\npath = 'from-config'\n")
    if (text := DOTENVS[dotenv]) is not None:
        (tmp_path / ".env").write_text(text)
    environ = ENVIRONMENTS[environment]
    full = load(options={"state.path": option}, environ=environ, cwd=tmp_path).state.path
    assert quick_state_path(option, environ, tmp_path) == full


def test_a_named_file_is_read_for_it(tmp_path: Path) -> None:
    (tmp_path / "named.toml").write_text("[state]\npath = 'from-config'\n")
    assert quick_state_path(None, {}, tmp_path, "named.toml") == tmp_path / "from-config"


@pytest.mark.parametrize("option", ["", "a\0b", "~no-such-user-as-this"])
def test_what_cannot_be_a_path_is_refused(tmp_path: Path, option: str) -> None:
    with pytest.raises(ConfigError, match=r"option: state\.path: "):
        quick_state_path(option, {}, tmp_path)


def test_an_unreadable_dotenv_is_refused(tmp_path: Path) -> None:
    (tmp_path / ".env").write_bytes(b"STATE_PATH=\xff\n")
    with pytest.raises(ConfigError, match=r"\.env: is not valid UTF-8"):
        quick_state_path(None, {}, tmp_path)


def test_nothing_heavy_is_imported_for_it() -> None:
    program = (
        "import sys; from pathlib import Path; from supervisor.config import quick_state_path;"
        "quick_state_path(None, {'STATE_PATH': '/x'}, Path('/'));"
        "heavy = {'attrs', 'tomllib', 'dotenv', 'difflib', 'trio', 'structlog'} & sys.modules.keys();"
        "assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", program], check=True, cwd=Path(__file__).parents[3], timeout=60)
