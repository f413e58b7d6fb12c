"""An agent with a known output: prints what Claude Code prints, tool calls included, for a few seconds.

`python agent.py COPY SECONDS`. Every byte also goes to the file COPY, so that what was printed can be compared with
what was kept; and it follows from COPY and SECONDS alone (`printed`), so that it can be compared without the file too.
"""

from __future__ import annotations

import json
import sys
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Final

STEP_S: Final = 0.02
"""An agent works between two lines; this one only takes its time."""


def command_line(copy: str, seconds: float) -> list[str]:
    """Return the command line of this agent."""
    # By its file: an agent gets no environment of ours in which Python would find our packages.
    return [sys.executable, str(Path(__file__)), copy, str(seconds)]


def printed(copy: str, seconds: float) -> Iterator[bytes]:
    """Yield the lines of the conversation of an agent with this command line."""
    session = str(uuid.uuid5(uuid.NAMESPACE_URL, copy))
    steps = int(seconds / (2 * STEP_S))
    said: list[dict[str, object]] = [
        {"type": "system", "subtype": "init", "session_id": session, "tools": ["Bash"]},
    ]
    for step in range(steps):
        call = {"type": "tool_use", "id": f"toolu_{step}", "name": "Bash", "input": {"command": f"echo {step}"}}
        said.append({"type": "assistant", "message": {"role": "assistant", "content": [call]}, "session_id": session})
        result = {"type": "tool_result", "tool_use_id": f"toolu_{step}", "content": str(step)}
        said.append({"type": "user", "message": {"role": "user", "content": [result]}, "session_id": session})
    usage = {"input_tokens": steps, "output_tokens": steps}
    end = {"type": "result", "subtype": "success", "is_error": False, "result": "All done.", "session_id": session}
    said.append({**end, "num_turns": steps, "total_cost_usd": 0.0, "usage": usage})
    for line in said:
        yield json.dumps(line).encode() + b"\n"


def main(copy: str, seconds: str) -> None:
    """Print, and keep a copy."""
    with Path(copy).open("wb") as kept:
        for line in printed(copy, float(seconds)):
            kept.write(line)
            kept.flush()
            sys.stdout.buffer.write(line)
            sys.stdout.buffer.flush()
            time.sleep(STEP_S)


if __name__ == "__main__":
    main(*sys.argv[1:])
