"""supervisor/config/changes.py: what a reload applies and what it leaves for a restart."""

import attrs

from supervisor.config import Config, apply_live, live_changes

OLD = Config()
NEW = attrs.evolve(
    OLD,
    log=attrs.evolve(OLD.log, level="debug"),
    sessions=attrs.evolve(OLD.sessions, max=7),
    chaos=attrs.evolve(OLD.chaos, enabled=True),
)


def test_changes_are_parted_into_those_applied_and_those_that_need_a_restart() -> None:
    assert live_changes(OLD, NEW) == (("sessions.max", "log.level"), ("chaos.enabled",))


def test_the_same_configuration_changes_nothing() -> None:
    assert live_changes(OLD, Config()) == ((), ())


def test_what_holds_after_a_reload_has_the_live_changes_only() -> None:
    after = apply_live(OLD, NEW)
    assert live_changes(after, NEW) == ((), ("chaos.enabled",))
    assert live_changes(OLD, after) == (("sessions.max", "log.level"), ())
