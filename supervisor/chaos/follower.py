"""A process that follows the journal from its first line, over every harm, and writes down what it was told.

`python -m supervisor.chaos.follower STATE_PATH RECORD_FILE [KIND…]`. It ends when it is told of the event END.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Final

from supervisor.client import Client

PATIENCE_S: Final = 60.0
END: Final = "chaos:end"
"""The type of the event that ends the following; it is a fact like any other."""


def main(state_path: str, record_path: str, *kinds: str) -> None:
    """Follow until END."""
    follower = Client(state_path, timeout_s=PATIENCE_S, wait_s=PATIENCE_S)
    with Path(record_path).open("w", encoding="utf-8") as record:
        for line in follower.subscribe(after_seq=0, kinds=list(kinds) or None):
            if line["seq"] is None:
                continue
            facts = [[event["kind"], event["id"], event["rev"]] for event in line["events"]]
            record.write(json.dumps({"seq": line["seq"], "facts": facts}) + "\n")
            record.flush()
            if any(event["data"].get("type") == END for event in line["events"] if event["kind"] == "event.recorded"):
                return


if __name__ == "__main__":
    main(*sys.argv[1:])
