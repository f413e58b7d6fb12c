"""An agent for the demo: prints what Claude Code prints, tool calls included, for a few seconds.

`python agent.py COPY SECONDS`. Every byte also goes to the file COPY, so that the demo can compare what
was printed with what was kept.
"""

from __future__ import annotations

import json
import sys
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

STEP_S: Final = 0.02
"""An agent works between two lines; this one only takes its time."""


def lines(session: str, steps: int) -> Iterator[dict[str, Any]]:
    """Yield the lines of a conversation with so many tool calls."""
    yield {"type": "system", "subtype": "init", "session_id": session, "tools": ["Bash"]}
    for step in range(steps):
        call = {"type": "tool_use", "id": f"toolu_{step}", "name": "Bash", "input": {"command": f"echo {step}"}}
        yield {"type": "assistant", "message": {"role": "assistant", "content": [call]}, "session_id": session}
        result = {"type": "tool_result", "tool_use_id": f"toolu_{step}", "content": str(step)}
        yield {"type": "user", "message": {"role": "user", "content": [result]}, "session_id": session}
    done = {"num_turns": steps, "total_cost_usd": 0.0, "usage": {"input_tokens": steps, "output_tokens": steps}}
    yield {
        "type": "result",
        "subtype": "success",
        "is_error": False,
        "result": "All done.",
        "session_id": session,
        **done,
    }


def main(copy: str, seconds: str) -> None:
    """Print, and keep a copy."""
    steps = int(float(seconds) / (2 * STEP_S))
    with Path(copy).open("wb") as kept:
        for line in lines(str(uuid.uuid4()), steps):
            data = json.dumps(line).encode() + b"\n"
            kept.write(data)
            kept.flush()
            sys.stdout.buffer.write(data)
            sys.stdout.buffer.flush()
            time.sleep(STEP_S)


if __name__ == "__main__":
    main(*sys.argv[1:])
