"""Whatever a configuration says, in whichever place: it is taken, or refused as a ConfigError."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from supervisor.config.errors import ConfigError
from supervisor.config.loading import from_wire, load, to_wire
from supervisor.config.schema import KEYS
from supervisor.config.services import services_of
from supervisor.config.shipped import default_file
from supervisor.config.tools import not_installed, tools_of
from tests.kit.spoiled import NASTY, VALUES, changed_bytes, contents

SERVICE = b'[services.codex]\ncommand = "codex"\nargs = ["app-server"]\nrestart = "permanent"\n'
SAMPLES = [
    default_file().read_bytes(),
    default_file("tools.toml").read_bytes(),
    SERVICE,
    b"[state]\nautosave_interval_s = 30.0\n",
]
"""What tables may look like."""

TOML_NASTY = [
    b"a=" + b"[" * 100_000,
    b"[" + b"a." * 5000 + b"a]",
    b"[state]\nbackups_kept=" + b"9" * 5000,
    b"[state]\nbackups_kept=0x" + b"f" * 5000,
    b"[state]\nautosave_interval_s=0x" + b"f" * 5000,
    b"[state]\nautosave_interval_s=true",
    b"[state]\nbackups_kept=1e999",
    b"[state]\nautosave_interval_s=nan",
    b'[tools."a b"]\nargv=[]',
    b"[[state]]",
    b"state=1979-05-27",
]
ENVIRONMENT = st.dictionaries(
    st.sampled_from(["STATE_PATH", "DEBUG", *(f"PERDURE_{name.replace('.', '__').upper()}" for name in KEYS)]),
    st.text(max_size=20) | st.sampled_from(["9" * 5000, "[" * 100_000, "nan", "\udcff", "~nobody/x"]),
    max_size=3,
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(
    content=st.sampled_from(SAMPLES).flatmap(changed_bytes)
    | st.binary(max_size=100)
    | st.sampled_from([*NASTY, *TOML_NASTY]),
    dotenv=st.binary(max_size=60) | st.sampled_from([b"STATE_PATH=${STATE_PATH}${X:-", b"A='\n" * 9, b"\xff", *NASTY]),
    environ=ENVIRONMENT,
)
@example(content=TOML_NASTY[0], dotenv=b"", environ={})
@example(content=TOML_NASTY[2], dotenv=b"", environ={})
def test_any_files_and_any_environment_are_a_configuration_or_refused(
    tmp_path: Path, content: bytes, dotenv: bytes, environ: dict[str, str]
) -> None:
    (tmp_path / "perdure.toml").write_bytes(content)
    (tmp_path / ".env").write_bytes(dotenv)
    with contextlib.suppress(ConfigError):
        config = load("perdure.toml", environ=environ, cwd=tmp_path)
        assert from_wire(json.loads(json.dumps(to_wire(config)))) == config
        not_installed(tools_of(config.tools, environ), environ)
        services_of(config.services, environ)


@given(wire=contents([json.dumps(to_wire(load(environ={}, cwd=Path("/")))).encode()]), tools=VALUES)
def test_what_the_root_hands_over_is_a_configuration_or_refused(wire: bytes, tools: object) -> None:
    try:
        tables = json.loads(wire)  # the channel's decoder has read it before, as an object
    except (ValueError, RecursionError):
        return
    if isinstance(tables, dict):
        with contextlib.suppress(ConfigError):
            from_wire({**tables, "tools": tools} if tools else tables)
