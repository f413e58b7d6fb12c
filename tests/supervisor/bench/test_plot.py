"""supervisor/bench/plot.py: the picture."""

from __future__ import annotations

import xml.etree.ElementTree as ET

from supervisor.bench.figures import Point
from supervisor.bench.plot import picture

SVG = "{http://www.w3.org/2000/svg}"


def test_each_series_is_a_line_through_its_points_and_each_chart_has_its_place() -> None:
    drawn = ET.fromstring(
        picture(
            [
                Point("rates", "ours", 1, 10),
                Point("rates", "ours", 100, 50),
                Point("rates", "<theirs>", 1, 100),
                Point("costs", "ours", 1000, 2),
            ]
        )
    )
    first, second = drawn.findall(f"{SVG}g")
    lines = [line.get("points") for line in first.findall(f"{SVG}polyline")]
    assert lines == ["80.0,239.0 620.0,155.0", "80.0,50.0"]
    assert "<theirs>" in [text.text for text in first.findall(f"{SVG}text")]
    assert second.get("transform") == "translate(0,300)"
    assert len(second.findall(f"{SVG}circle")) == 1
