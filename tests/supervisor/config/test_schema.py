"""supervisor/config/schema.py and configs/default.toml say the same, and the shipped files are right."""

import re
from pathlib import Path

import pytest

from supervisor.config import load
from supervisor.config.schema import KEYS, ORDER
from supervisor.config.shipped import default_file
from supervisor.config.sources import from_file
from supervisor.config.state_path import DEFAULT_STATE_PATH
from supervisor.config.values import checked

ROOT = Path("/root-of-relative-paths")


def test_the_documented_file_names_every_key_with_the_declared_default() -> None:
    layer = from_file(default_file(), ROOT)
    assert layer.violations == []
    assert {name: sourced.value for name, sourced in layer.values.items()} == {
        name: checked(key, key.default, ROOT) for name, key in KEYS.items()
    }


def test_the_documented_file_holds_the_keys_in_the_order_of_the_schema() -> None:
    assert list(from_file(default_file(), ROOT).values) == list(KEYS)


def test_every_key_is_documented_by_a_comment_or_with_the_one_above() -> None:
    undocumented = []
    above = ""
    for line in default_file().read_text().splitlines():
        if re.match(r"\w+ = ", line) and not above.startswith("#"):
            undocumented.append(line)
        above = line
    assert undocumented == ["process_within_s = 10.0"]  # its comment stands above process_restarts_max, for both


def test_the_documented_file_says_live_of_exactly_the_keys_that_are() -> None:
    said: set[str] = set()
    section, comment = "", ""
    for line in default_file().read_text().splitlines():
        if header := re.match(r"\[(\w+)\]", line):
            section, comment = header[1], ""
        elif line.startswith("#"):
            comment += line
        elif key := re.match(r"(\w+) = ", line):
            if comment.endswith(" live"):
                said.add(f"{section}.{key[1]}")
            comment = ""
    assert said == {name for name, key in KEYS.items() if key.bounds.live}


def test_the_quick_path_knows_the_same_default() -> None:
    assert Path(DEFAULT_STATE_PATH) == KEYS["state.path"].default


def test_every_default_lies_within_its_own_bounds() -> None:
    for key in KEYS.values():
        checked(key, key.default, ROOT)


def test_every_order_is_between_declared_numbers() -> None:
    for rule in ORDER:
        assert {KEYS[rule.lower].kind, KEYS[rule.upper].kind} <= {int, float}


@pytest.mark.parametrize("name", ["dev.toml"])
def test_a_shipped_configuration_loads(name: str, tmp_path: Path) -> None:
    config = load(default_file().with_name(name), environ={}, cwd=tmp_path)
    assert config.chaos.enabled
