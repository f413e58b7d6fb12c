"""supervisor/config/loading.py: which layer wins, and that every mistake is named once, all together."""

import shlex
from collections.abc import Mapping
from pathlib import Path

import orjson
import pytest

from supervisor.config import Config, ConfigError, from_wire, load, masked, resolve, to_wire
from supervisor.config.schema import KEYS

NO_ENVIRONMENT: Mapping[str, str] = {}


def written(directory: Path, text: str, name: str = "mine.toml") -> Path:
    path = directory / name
    path.write_text(text)
    return path


def refused(
    cwd: Path, text: str = "", environ: Mapping[str, str] = NO_ENVIRONMENT, options: Mapping[str, object] | None = None
) -> ConfigError:
    with pytest.raises(ConfigError) as caught:
        load(written(cwd, text), options, environ, cwd)
    return caught.value


def test_nothing_given_is_the_defaults(tmp_path: Path) -> None:
    config = load(environ=NO_ENVIRONMENT, cwd=tmp_path)
    assert config.state.path == tmp_path / "coding-agent-state"
    shipped = {name: to_wire(config)[name] for name in ("state", "tools")}
    assert to_wire(config) == to_wire(Config()) | shipped


def test_each_later_layer_wins_and_is_named_as_the_source(tmp_path: Path) -> None:
    layers = written(tmp_path, "[tasks]\nlogs_kept = 1\narchive_after_days = 1\nlease_s = 1\n[sessions]\nmax = 1\n")
    written(
        tmp_path, "PERDURE_TASKS__LEASE_S=2\nPERDURE_TASKS__ARCHIVE_AFTER_DAYS=2\nPERDURE_SESSIONS__MAX=2\n", ".env"
    )
    environ = {"PERDURE_TASKS__LEASE_S": "3", "PERDURE_SESSIONS__MAX": "3"}
    resolved = resolve(layers, {"sessions.max": 4}, environ, tmp_path)
    assert resolved.config.tasks.logs_kept == 1
    assert resolved.config.tasks.archive_after_days == 2
    assert resolved.config.tasks.lease_s == 3.0
    assert resolved.config.sessions.max == 4
    assert resolved.sources["tasks.logs_kept"] == str(layers)
    assert resolved.sources["tasks.archive_after_days"] == f"{tmp_path / '.env'} PERDURE_TASKS__ARCHIVE_AFTER_DAYS"
    assert resolved.sources["tasks.lease_s"] == "environment PERDURE_TASKS__LEASE_S"
    assert resolved.sources["sessions.max"] == "option"
    assert resolved.sources["runs.ageing_s"].endswith("default.toml")


def test_every_key_can_be_set_by_its_variable(tmp_path: Path) -> None:
    environ = {
        "PERDURE_" + name.upper().replace(".", "__"): shlex.join(key.default)
        if isinstance(key.default, tuple)
        else str("" if key.default is None else key.default)
        for name, key in KEYS.items()
    }
    assert load(environ=environ, cwd=tmp_path) == load(environ=NO_ENVIRONMENT, cwd=tmp_path)
    assert set(resolve(environ=environ, cwd=tmp_path).sources.values()) == {f"environment {name}" for name in environ}


@pytest.mark.parametrize("place", ["environ", ".env"])
def test_the_configuration_file_can_be_named_by_a_variable(tmp_path: Path, place: str) -> None:
    written(tmp_path, "[sessions]\nmax = 7\n", "named.toml")
    environ = {"PERDURE_CONFIG": "named.toml"} if place == "environ" else NO_ENVIRONMENT
    if place == ".env":
        written(tmp_path, "PERDURE_CONFIG=named.toml\n", ".env")
    assert load(environ=environ, cwd=tmp_path).sessions.max == 7


def test_the_option_for_the_file_wins_over_the_variable(tmp_path: Path) -> None:
    named = written(tmp_path, "[sessions]\nmax = 7\n")
    assert load(named, environ={"PERDURE_CONFIG": "missing.toml"}, cwd=tmp_path).sessions.max == 7


def test_the_home_directory_is_expanded_and_a_relative_path_taken_from_the_working_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", "/home/somebody")
    assert load(options={"state.path": "~/state"}, environ={}, cwd=tmp_path).state.path == Path("/home/somebody/state")
    assert load(environ={"STATE_PATH": "here"}, cwd=tmp_path).state.path == tmp_path / "here"


def test_debug_is_the_short_name_of_the_logs_key(tmp_path: Path) -> None:
    assert load(environ={"DEBUG": "persistence:*"}, cwd=tmp_path).log.debug == "persistence:*"


def test_an_option_that_was_not_given_changes_nothing(tmp_path: Path) -> None:
    assert load(options={"state.path": None}, environ={}, cwd=tmp_path) == load(environ={}, cwd=tmp_path)


def test_the_beginning_of_a_name_is_completed(tmp_path: Path) -> None:
    error = refused(tmp_path, "[state]\nautosave = 5\n", {"PERDURE_STATE__AUTOSAVE": "5"}, {})
    assert [str(violation).partition("did you mean ")[2] for violation in error.violations] == [
        "state.autosave_interval_s?",
        "PERDURE_STATE__AUTOSAVE_INTERVAL_S?",
    ]


def test_all_mistakes_of_all_layers_are_told_at_once_in_one_line(tmp_path: Path) -> None:
    written(tmp_path, "PERDURE_LOG__LEVLE=info\n", ".env")
    error = refused(
        tmp_path,
        "[state]\nautosave_intervall_s = 5\nbackups_kept = '3'\n[gatway]\n",
        {"PERDURE_GATEWAY__NESTING_MAX": "many", "PERDURE_STATE_PATH": "x"},
        {"sessions.maximum": 5},
    )
    mine = tmp_path / "mine.toml"
    assert [str(violation) for violation in error.violations] == [
        f"{mine}: state.autosave_intervall_s: there is no such key; did you mean state.autosave_interval_s?",
        f'{mine}: state.backups_kept: must be a whole number, is text ("3")',
        f"{mine}: gatway: there is no such section; did you mean gateway?",
        f"{tmp_path / '.env'}: PERDURE_LOG__LEVLE: there is no such key; did you mean PERDURE_LOG__LEVEL?",
        'environment PERDURE_GATEWAY__NESTING_MAX: gateway.nesting_max: must be a whole number, is "many"',
        "environment: PERDURE_STATE_PATH: there is no such variable; did you mean PERDURE_STATE__PATH?",
        "option: sessions.maximum: there is no such key; did you mean sessions.max?",
    ]
    assert error.message.startswith("7 mistakes in the configuration: ")
    assert "\n" not in error.message
    assert all(str(violation) in error.message for violation in error.violations)
    assert error.hint


def test_a_mistake_is_told_also_where_a_later_layer_overrides_it(tmp_path: Path) -> None:
    error = refused(tmp_path, "[sessions]\nmax = 'many'\n", {"PERDURE_SESSIONS__MAX": "5"})
    assert [violation.key for violation in error.violations] == ["sessions.max"]


def test_a_right_key_below_the_wrong_section_is_found(tmp_path: Path) -> None:
    assert refused(tmp_path, "[log]\nheartbeat_s = 1\n").violations[0].nearest == "supervisor.heartbeat_s"


def test_a_key_that_resembles_nothing_gets_no_suggestion(tmp_path: Path) -> None:
    assert str(refused(tmp_path, "[log]\nqqqq = 1\n")).endswith("log.qqqq: there is no such key")


def test_variables_of_other_programs_are_passed_over(tmp_path: Path) -> None:
    environ = {"PERDURE_RUN_ID": "r1", "PERDURE_CONFIG": "", "STATE_PATH": "", "PATH": "/bin"}
    assert load(environ=environ, cwd=tmp_path) == load(environ={}, cwd=tmp_path)


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"[state\n", "is not valid TOML"),
        (b"[state]\npath = 'a'\npath = 'b'\n", "is not valid TOML"),
        (b"\xff\xfe", "is not valid UTF-8 (at byte 0)"),
        (b"state = 5\n", "is a section: write [state] and its keys below"),
    ],
)
def test_an_unusable_file_is_refused_by_name(tmp_path: Path, content: bytes, problem: str) -> None:
    path = tmp_path / "mine.toml"
    path.write_bytes(content)
    with pytest.raises(ConfigError) as caught:
        load(path, environ={}, cwd=tmp_path)
    assert str(path) in caught.value.message
    assert problem in caught.value.message


def test_a_file_that_is_not_there_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"missing\.toml: there is no such file"):
        load("missing.toml", environ={}, cwd=tmp_path)


def test_a_directory_in_the_files_place_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        load(tmp_path, environ={}, cwd=tmp_path)


def test_an_unreadable_dotenv_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / ".env").write_bytes(b"STATE_PATH=\xff\n")
    with pytest.raises(ConfigError, match=r"\.env: is not valid UTF-8"):
        load(environ={}, cwd=tmp_path)


def test_two_values_that_contradict_each_other_are_refused_with_both_sources_and_the_reason(tmp_path: Path) -> None:
    error = refused(tmp_path, "[supervisor]\nhung_after_s = 2\n", {"PERDURE_SUPERVISOR__HEARTBEAT_S": "3"})
    assert str(error) == (
        "environment PERDURE_SUPERVISOR__HEARTBEAT_S: supervisor.heartbeat_s: 3.0 is more than "
        f"supervisor.hung_after_s = 2.0 ({tmp_path / 'mine.toml'}): "
        "every child would be taken for hung before it could answer"
    )


def test_what_goes_to_the_runtime_as_json_comes_out_the_same(tmp_path: Path) -> None:
    config = load(options={"log.level": "debug", "chaos.enabled": True, "tasks.lease_s": 2}, environ={}, cwd=tmp_path)
    assert from_wire(orjson.loads(orjson.dumps(to_wire(config)))) == config


def test_what_comes_from_a_root_of_another_version_is_refused() -> None:
    tables = to_wire(Config())
    del tables["sessions"]["max"]
    tables["log"]["colour"] = "red"
    with pytest.raises(ConfigError) as caught:
        from_wire(tables)
    assert {(violation.key, violation.problem) for violation in caught.value.violations} == {
        ("sessions.max", "is missing"),
        ("log.colour", "there is no such key"),
    }


def test_what_is_shown_masks_secrets_in_texts_and_leaves_numbers() -> None:
    config = load(options={"log.debug": "x,API_KEY=sk-123"}, environ={}, cwd=Path("/"))
    shown = masked(config)
    assert "sk-123" not in str(shown)
    assert shown["idempotency"]["keys_max"] == 100_000
    assert to_wire(config)["log"]["debug"] == "x,API_KEY=sk-123"
