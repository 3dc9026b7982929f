"""Counters and histograms as Prometheus reads them, and how many series they can have."""

import pytest

from bot.telemetry.counted import word
from bot.telemetry.meters import SERIES, Counter, Histogram, Metric, Sample, exposition


def lines(*metrics: Metric) -> list[str]:
    return exposition(metrics).splitlines()


def test_a_counter_has_a_line_a_series() -> None:
    counter = Counter("calls_total", "Calls.", ["method", "reason"])
    counter.add("chat.update", "ratelimited")
    counter.add("chat.update", "ratelimited", by=2)
    counter.add("chat.update", "fatal_error")
    assert lines(counter.metric()) == [
        "# HELP calls_total Calls.",
        "# TYPE calls_total counter",
        'calls_total{method="chat.update",reason="ratelimited"} 3.0',
        'calls_total{method="chat.update",reason="fatal_error"} 1.0',
    ]


def test_a_metric_without_values_is_announced_all_the_same() -> None:
    assert lines(Histogram("seconds", "Time.").metric()) == [
        "# HELP seconds Time.",
        "# TYPE seconds histogram",
    ]


def test_buckets_of_a_histogram_hold_the_smaller_ones_too() -> None:
    histogram = Histogram("seconds", "Time.", ["stage"])
    for seconds in (0.005, 0.3, 0.31, 1000.0):
        histogram.observe(seconds, "search")
    shown = lines(histogram.metric())
    assert 'seconds_bucket{stage="search",le="0.01"} 1.0' in shown
    assert 'seconds_bucket{stage="search",le="0.3"} 2.0' in shown
    assert 'seconds_bucket{stage="search",le="1.0"} 3.0' in shown
    assert 'seconds_bucket{stage="search",le="300.0"} 3.0' in shown
    assert 'seconds_bucket{stage="search",le="+Inf"} 4.0' in shown
    assert 'seconds_sum{stage="search"} 1000.615' in shown
    assert 'seconds_count{stage="search"} 4.0' in shown


def test_labels_are_escaped() -> None:
    metric = Metric("up", "gauge", "Up.", (Sample(True, {"part": 'a"b\\c\nd'}),))
    assert lines(metric)[-1] == r'up{part="a\"b\\c\nd"} 1.0'


def test_a_meter_never_has_more_than_its_series() -> None:
    counter, histogram = Counter("c", "C.", ["who"]), Histogram("h", "H.", ["who"])
    for number in range(SERIES + 50):
        counter.add(f"U{number}")
        histogram.observe(1.0, f"U{number}")
    counts = {sample.labels["who"]: sample.value for sample in counter.metric().samples}
    assert len(counts) == SERIES + 1
    assert counts["other"] == 50
    sums = [one for one in histogram.metric().samples if one.suffix == "_sum"]
    assert len(sums) == SERIES + 1


def test_labels_that_are_not_the_meters_are_refused() -> None:
    with pytest.raises(ValueError, match="2 values for the labels method"):
        Counter("c", "C.", ["method"]).add("a", "b")


def test_only_single_words_become_labels() -> None:
    assert word("channel_not_found") == "channel_not_found"
    assert word("chat.postMessage") == "chat.postMessage"
    assert word("What is Project Bittern?") == "other"
    assert word("x" * 65) == "other"
