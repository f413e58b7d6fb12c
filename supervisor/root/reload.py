"""Reading the configuration again: what holds from now on, what waits for a restart, and what is wrong with it."""

from collections.abc import Callable
from typing import Final

import msgspec

from supervisor.config import Config, ConfigError, apply_live, live_changes, to_wire
from supervisor.logs import get_logger
from supervisor.root.control import Reload, ReloadRefused

_log: Final = get_logger("supervision:reload")


class Reread(msgspec.Struct, frozen=True, kw_only=True):
    """The outcome: the configuration that holds now, and the order that tells the runtime."""

    config: Config
    order: Reload | ReloadRefused


def reread(current: Config, load: Callable[[], Config]) -> Reread:
    """
    Read every layer again and take what can be taken while running; a configuration with a mistake changes nothing.

    What waits for a restart waits for the root's: a runtime that crashes meanwhile comes back with what held before.
    """
    try:
        wanted = load()
    except ConfigError as error:
        _log.error("the new configuration is refused, the old one stays", error=error.message, hint=error.hint)
        return Reread(config=current, order=ReloadRefused(message=error.message))
    except Exception as error:  # noqa: BLE001  whatever goes wrong in reading must not end the root
        _log.error("the configuration cannot be read, the old one stays", error=repr(error))
        return Reread(config=current, order=ReloadRefused(message=f"the configuration cannot be read: {error}"))
    applied, needs_restart = live_changes(current, wanted)
    config = apply_live(current, wanted)
    _log.info("configuration read again", applied=applied, needs_restart=needs_restart)
    return Reread(config=config, order=Reload(config=to_wire(config), applied=applied, needs_restart=needs_restart))
