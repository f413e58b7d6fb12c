"""What readers of metrics get of a distribution is what the metrics library itself would have made of it."""

from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, Histogram

from supervisor.runtime.distribution import Distribution
from supervisor.runtime.metric_families import histogram

BOUNDS = (0.001, 0.01, 0.5, 1.0, 10.0)


@given(st.lists(st.floats(0, 100)))
def test_its_samples_are_those_of_the_library(values: list[float]) -> None:
    registry = CollectorRegistry()
    reference = Histogram("waits", "How long", buckets=BOUNDS, registry=registry)
    ours = Distribution("waits", "How long", BOUNDS)
    for value in values:
        reference.observe(value)
        ours.observe(value)
    expected = {
        (sample.name, tuple(sample.labels.items())): sample.value
        for family in registry.collect()
        for sample in family.samples
        if not sample.name.endswith("_created")
    }
    assert {(one.name, tuple(one.labels.items())): one.value for one in histogram(ours).samples} == expected
