"""Tells whether appending to a long session costs more than to a new one.

`.venv/bin/python bench/session.py [--quick] [--json] [--verify]`: `perdure bench --only session`.
"""

import sys

from supervisor.__main__ import main

sys.argv[1:1] = ["bench", "--only", "session"]
main()
