"""Tells how long a start on many tasks takes, in order and after kill -9.

`.venv/bin/python bench/recovery.py [--quick] [--json] [--verify]`: `perdure bench --only recovery`.
"""

import sys

from supervisor.__main__ import main

sys.argv[1:1] = ["bench", "--only", "recovery"]
main()
