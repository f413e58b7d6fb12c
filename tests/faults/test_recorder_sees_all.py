"""The recorder's trace against the kernel's: what strace sees below the directory is what the model was given."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Final

import pytest

KERNEL_CALLS: Final = (
    "write,pwrite64,pwritev,writev,fsync,fdatasync,sync_file_range,rename,renameat,renameat2,link,linkat,symlinkat,"
    "unlink,unlinkat,rmdir,truncate,ftruncate,fallocate,mkdir,mkdirat,copy_file_range,sendfile,openat,creat"
)

PROGRAM: Final = """
import json, sys
from collections import Counter
from pathlib import Path
from tests.kit.disks import RecordingDisk
from tests.kit.toy_promises import run_workload
from tests.kit.toy_store import ToyOptions
root = Path(sys.argv[1])
disk = RecordingDisk(root)
run_workload(disk, root, ToyOptions(segment_bytes_max=900, preallocate_bytes=512))
print(json.dumps(Counter(type(operation).__name__ for operation in disk.trace.operations)))
"""

OPERATION_OF: Final = {
    "write": "Write",
    "pwrite64": "Write",
    "ftruncate": "Truncate",
    "fsync": "Sync",
    "fdatasync": "Sync",
    "mkdir": "Enter",
    "link": "Enter",
    "linkat": "Enter",
    "rename": "Rename",
    "unlink": "Leave",
}
"""What each system call is in the trace; a call that is not here would be one that the recorder does not know."""


def kernel_operations(log: Path, root: Path) -> Counter[str]:
    """Count the successful calls on `root` and what is below it, in the trace's words."""
    seen: Counter[str] = Counter()
    for line in log.read_text().splitlines():
        match = re.search(r"(\w+)\((.*)\) = \d", line)
        if match is None or str(root) not in match[2]:
            continue
        call, arguments = match[1], match[2]
        if call == "openat":
            if "O_CREAT" in arguments:
                seen["Enter"] += 1
            continue
        operation = OPERATION_OF.get(call, f"unknown to the recorder: {call}")
        is_directory = operation == "Sync" and not re.search(r"\.(json|jsonl|log)|\.tmp-|\.at-", arguments)
        seen["SyncDirectory" if is_directory else operation] += 1
    renames = seen.pop("Rename", 0)
    seen["Enter"] += renames
    seen["Leave"] += renames
    return seen


@pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed")
def test_the_recorder_misses_no_call_that_the_kernel_sees(tmp_path: Path) -> None:
    root, log = tmp_path / "state", tmp_path / "strace.log"
    root.mkdir()
    strace = ["strace", "-f", "-y", "-qq", "-s", "0", "-e", f"trace={KERNEL_CALLS}", "-o", str(log)]
    traced = subprocess.run(
        [*strace, sys.executable, "-c", PROGRAM, str(root)],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    if "ptrace" in traced.stderr:
        pytest.skip("strace may not trace processes here")
    assert traced.returncode == 0, traced.stderr
    recorded = Counter(json.loads(traced.stdout))
    del recorded["Mark"]
    assert kernel_operations(log, root) == recorded
    assert sum(recorded.values()) > 100
