"""The shape of a query."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from actors.decisions.decision import At
from actors.model.state import Tables

Answer = bytes | Callable[[Any], bytes]
"""What a query gives: the encoded result, or a job for the writer's background thread when the disk must be asked."""

Query = Callable[[Tables, Any, At], Answer]
