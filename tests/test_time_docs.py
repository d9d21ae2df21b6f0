"""docs/time.md: the drawing is true, the tests it names exist, its example runs."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.test_time_semantics import InMemory
from weighbridge.clock import iso_to_us
from weighbridge.testing.semantics.scene import DAY_US
from weighbridge.testing.time_semantics import TimeSemantics

PAGE = (Path(__file__).parents[1] / "docs" / "time.md").read_text()
SCENARIOS = {name for name in dir(TimeSemantics) if name.startswith("test_")}
DAYS = {"Mon": "2026-03-09", "Tue": "2026-03-10"}


def test_every_test_that_the_page_names_exists():
    named = set(re.findall(r"`(test_\w+)`", PAGE))
    assert len(named) >= 10
    assert named <= SCENARIOS


def test_each_of_the_ten_cases_names_a_test():
    cases = re.findall(
        r"^(\d+)\. (.*?)(?=^\d+\. |^## |\Z)", PAGE.split("## Ten cases")[1].split("## The suite")[0], re.M | re.S
    )
    assert [int(number) for number, _ in cases] == list(range(1, 11))
    for _, text in cases:
        assert "Elsewhere:" in text
        assert "Here:" in text
        assert "`test_" in text


def test_the_example_runs():
    found = {}
    exec(re.search(r"```python\n(.*?)```", PAGE, re.S)[1], found)
    suite = found["TestMyStores"]()
    suite.test_ties_count_in_the_order_of_arrival()
    suite.test_a_restart_in_mid_stream_changes_nothing()


def drawn():
    """(name, event_us or None for the label, arrived_us) of the drawing's records, by the columns they stand in."""
    lines = re.search(r"```text\n(.*?)```", PAGE, re.S)[1].splitlines()
    columns = [(match.start() + 4, us(match[0])) for match in re.finditer(r"\w{3} \d\d:\d\d", lines[1])]
    for line in lines[2:]:
        record = re.match(r"seq \d\s+(\w{3} \d\d:\d\d)\s+(label of a: 1|\w)", line)
        if record is None:
            continue
        place, at_us = record.start(2), None
        if len(record[2]) == 1:
            before, after = max(c for c in columns if c[0] <= place), min([c for c in columns if c[0] >= place])
            share = (place - before[0]) / max(after[0] - before[0], 1)
            at_us = before[1] + round(share * (after[1] - before[1]))
        yield record[2], at_us, us(record[1])


def us(text: str) -> int:
    day, hour = text.split()
    return iso_to_us(f"{DAYS[day]}T{hour}:00Z")


def test_the_drawing_is_true():
    scene, seen = InMemory().scene(), {}
    for name, at_us, arrived_us in drawn():
        if at_us is None:
            scene.label("a", 1, arrived_us=arrived_us)
        else:
            seen[name] = scene.event(name, at_us, arrived_us=arrived_us)
    assert "".join(seen) == "zabcfde"
    assert (seen["b"]["card_count_1d"], seen["b"]["shop_label_count_labelled_1d"]) == (2, 0)
    assert (seen["d"]["card_count_1d"], seen["d"]["shop_label_count_positive_7d"]) == (3, 1)
    assert scene.log.find("d")[1].event_us - scene.log.find("z")[1].event_us == DAY_US
    scene.proven()
    assert seen["d"]["card_since_last_7d"] == pytest.approx(3_600)
