"""Encoder, calibration, drift, split and zones."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from weighbridge.clock import DAY_US, duration_text, duration_us, iso_to_us, us_to_iso
from weighbridge.errors import InputError
from weighbridge.kernel.calibrate import Calibration
from weighbridge.kernel.encoder import Encoder, Kind
from weighbridge.kernel.forest import round_down
from weighbridge.kernel.split import latest_labels, time_split
from weighbridge.kernel.zones import zone_table


def test_every_kind_of_input():
    encoder = Encoder(
        source=np.array([0, 1, 1, 0, 0]),
        kind=np.array([Kind.COPY, Kind.IS_CODE, Kind.LOOK_UP, Kind.INTERPOLATE, Kind.IS_MISSING]),
        start=np.array([0, 0, 1, 4, 0]), count=np.array([0, 1, 3, 2, 0]),
        knots=np.array([1.0, 0, 0, 0, 10, 20]), levels=np.array([0.0, 0.5, 0.6, 0.7, -1, 1]),
    )  # fmt: skip
    vectors = np.array([[15, 1], [5, 0], [25, 9], [np.nan, np.nan]], dtype=np.float32)
    found = encoder.encode(vectors)
    np.testing.assert_array_equal(found[:, 1], [1, 0, 0, 0])
    np.testing.assert_array_equal(found[:, 2], np.array([0.6, 0.5, 0.7, 0.7], dtype=np.float32))
    np.testing.assert_array_equal(found[:, 3], [0, -1, 1, 0])
    np.testing.assert_array_equal(found[:, 4], [0, 0, 0, 1])
    for row in range(4):
        assert encoder.encode(vectors[row : row + 1]).tobytes() == found[row : row + 1].tobytes()
    assert encoder.sound(2)
    assert not encoder.sound(1)


def test_calibrations_rise_and_stay_in_bounds():
    x = np.array([-1e3, -1.0, 0.0, 1.0, 1e3])
    sigmoid = Calibration.sigmoid(2.0, 0.5).probability(x)
    assert (np.diff(sigmoid) >= 0).all()
    assert sigmoid[0] >= 0
    assert sigmoid[-1] == 1
    isotonic = Calibration(np.array(1.0), np.array(0.0), np.array([-1.0, 1.0]), np.array([0.2, 0.6]))
    np.testing.assert_allclose(isotonic.probability(x), [0.2, 0.2, 0.4, 0.6, 0.6])
    assert isotonic.sound()
    assert not Calibration(np.array(1.0), np.array(0.0), np.array([1.0, -1.0]), np.array([0.2, 0.6])).sound()


def test_rounding_down_keeps_every_comparison():
    rng = np.random.default_rng(0)
    thresholds = np.r_[rng.normal(size=500), 1e300, -1e300, 0.1, np.float64(np.float32(0.1))]
    rounded = round_down(thresholds)
    with np.errstate(over="ignore"):
        x = np.r_[rng.normal(size=500).astype(np.float32), rounded, np.nextafter(rounded, np.float32(np.inf))]
    x = x[np.isfinite(x)]
    assert ((x[:, None].astype(np.float64) <= thresholds) == (x[:, None] <= rounded)).all()


def test_a_split_leaves_the_gap_out():
    event_us = np.arange(30) * DAY_US
    known = np.ones(30, dtype=bool)
    known[28] = False
    split = time_split(
        event_us, known, until_us=28 * DAY_US, validation_us=5 * DAY_US, gap_us=7 * DAY_US, history_us=20 * DAY_US
    )
    assert np.flatnonzero(split.train).tolist() == list(range(9, 17))
    assert np.flatnonzero(split.validation).tolist() == [24, 25, 26, 27]
    with pytest.raises(InputError, match="no labelled event is left for training"):
        time_split(event_us, known, until_us=5 * DAY_US, validation_us=DAY_US, gap_us=9 * DAY_US, history_us=None)


def test_the_newest_label_wins():
    assert latest_labels(np.array([0, 2, 0]), np.array([1, 1, 0]), 4).tolist() == [0, -1, 1, -1]


@pytest.mark.parametrize("name", ["UTC", "Europe/Paris", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe"])
def test_zone_tables_agree_with_the_calendar(name):
    times, offsets = zone_table([name])
    rng = np.random.default_rng(0)
    moments = np.r_[rng.integers(0, iso_to_us("2099-01-01T00:00:00Z"), 3_000), times[0, 1:-1], times[0, 1:-1] - 1]
    for moment in moments[(moments > 0) & (moments < iso_to_us("2099-01-01T00:00:00Z"))].tolist():
        offset = offsets[0, np.searchsorted(times[0], moment, side="right") - 1]
        expected = datetime.fromtimestamp(moment // 1_000_000, UTC).astimezone(ZoneInfo(name)).utcoffset()
        assert offset == round(expected.total_seconds()) * 1_000_000


def test_times_and_durations_go_there_and_back():
    for text in ("1970-01-01T00:00:00.000000Z", "2026-02-28T23:59:59.999999Z", "1901-01-01T00:00:00.000001Z"):
        assert us_to_iso(iso_to_us(text)) == text
    for us in (1, 999, 60_000_000, DAY_US, 90 * 60_000_000):
        assert duration_us(duration_text(us)) == us
    for wrong in ("", "5", "1.5h", "-1d", "1 d", None):
        with pytest.raises(ValueError, match="is not a duration"):
            duration_us(wrong)
