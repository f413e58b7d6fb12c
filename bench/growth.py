"""Tells whether a command costs more at a million tasks than at a thousand.

`.venv/bin/python bench/growth.py [--quick] [--json] [--verify]`: `perdure bench --only growth`.
"""

import sys

from supervisor.__main__ import main

sys.argv[1:1] = ["bench", "--only", "growth"]
main()
