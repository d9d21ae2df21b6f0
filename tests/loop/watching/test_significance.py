"""P-values of clustered samples beside scipy's, and beside what is drawn."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from weighbridge.kernel.clustered import INDEPENDENT, Spread
from weighbridge.loop.watching.significance import chi_square_p_value, kolmogorov_p_value


@given(st.floats(0.01, 60), st.integers(1, 10))
def test_with_many_clusters_the_p_values_are_those_of_independent_rows(statistic, degrees):
    assert chi_square_p_value(statistic, degrees, INDEPENDENT) == pytest.approx(
        stats.chi2.sf(statistic, degrees), rel=1e-4
    )
    distance = (statistic / 4_000) ** 0.5
    theirs = stats.kstwobign.sf(1_000**0.5 * distance)
    ours = kolmogorov_p_value(distance, 1_000, INDEPENDENT)
    assert theirs - 1e-9 <= ours <= theirs + (0.001 if theirs < 0.2 else 0.13)


@given(st.floats(0.1, 60), st.integers(1, 10), st.floats(1, 1e6))
def test_fewer_clusters_never_make_surer(statistic, degrees, clusters):
    few = Spread(degrees=clusters, cumulative_degrees=clusters)
    many = Spread(degrees=clusters * 2, cumulative_degrees=clusters * 2)
    if stats.chi2.sf(statistic, degrees) < 0.05:
        p = (chi_square_p_value(statistic, degrees, few), chi_square_p_value(statistic, degrees, many))
        assert p[0] >= p[1] * (1 - 1e-9)
    assert kolmogorov_p_value(statistic / 60, 100, few) >= kolmogorov_p_value(statistic / 60, 100, many) * (1 - 1e-9)


def test_the_mean_over_an_estimated_variance_is_what_it_says():
    """2 exp(-x w / 2) over w = chi-square(v) / v, drawn."""
    w = np.random.default_rng(5).chisquare(12, 400_000) / 12
    x = 4 * 200 * 0.14**2
    assert kolmogorov_p_value(0.14, 200, Spread(cumulative_degrees=12)) == pytest.approx(
        float(np.mean(2 * np.exp(-x * w / 2))), rel=0.02
    )


def test_one_cluster_is_never_sure():
    alone = Spread(degrees=0, cumulative_degrees=0)
    assert (chi_square_p_value(1e6, 5, alone), kolmogorov_p_value(1.0, 500, alone)) == (1.0, 1.0)
    assert chi_square_p_value(11.07 * 4, 5, Spread(degrees=1)) > 0.05
