"""supervisor/bench/plot.py: the picture."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import pytest

from supervisor.bench.figures import Point
from supervisor.bench.plot import picture, round_above

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
    assert lines == ["80.0,239.0 600.0,155.0", "80.0,50.0"]
    assert "<theirs>" in [text.text for text in first.findall(f"{SVG}text")]
    assert second.get("transform") == "translate(0,300)"
    assert len(second.findall(f"{SVG}circle")) == 1


@pytest.mark.parametrize(
    ("value", "top"), [(0.0, 1.0), (0.7, 1.0), (1.0, 1.0), (1.248, 2.0), (201.6, 250.0), (11_000.0, 20_000.0)]
)
def test_an_axis_ends_at_a_number_that_is_easy_to_read(value: float, top: float) -> None:
    assert round_above(value) == pytest.approx(top)
