"""Tells how many acknowledged commands a second, beside raw append + fdatasync, SQLite, PostgreSQL and Redis.

`.venv/bin/python bench/throughput.py [--quick] [--json] [--verify]`: `perdure bench --only throughput`.
"""

import sys

from supervisor.__main__ import main

sys.argv[1:1] = ["bench", "--only", "throughput"]
main()
