"""Reference values for the statistics of the gates, by SciPy: an implementation that shares nothing with ours.

    python3 -m venv venv && venv/bin/pip install scipy==1.17.* && venv/bin/python make.py

writes binomial.csv (events, trials, confidence, lower bound, upper bound) and hypergeometric.csv (candidate's calls,
candidate's events, live calls, live events, odds ratio, odds ratio of the null, logarithm of the likelihood ratio).
"""

import numpy
import scipy
from scipy.stats import beta, nchypergeom_fisher

head = f"# SciPy {scipy.__version__}; made by make.py\n"

with open("binomial.csv", "w") as out:
    out.write(head)
    for trials in [1, 2, 5, 20, 59, 150, 299, 1500, 30000, 1000000]:
        for events in sorted({0, 1, 2, 3, trials // 100, trials // 20, trials // 2, trials - 1, trials}):
            if not 0 <= events <= trials:
                continue
            for confidence in [0.95, 0.99, 0.999]:
                lower = 0.0 if events == 0 else beta.ppf(1 - confidence, events, trials - events + 1)
                upper = 1.0 if events == trials else beta.ppf(confidence, events + 1, trials - events)
                out.write(f"{events},{trials},{confidence},{lower!s},{upper!s}\n")

with open("hypergeometric.csv", "w") as out:
    out.write(head)
    for candidate, live in [(1, 9), (8, 67), (30, 270), (150, 150), (400, 3600)]:
        for rate, factor in [(0.01, 1), (0.01, 10), (0.05, 2), (0.3, 1), (0.5, 2)]:
            hit = min(candidate, round(candidate * rate * factor))
            for events in sorted({0, 1, hit}):
                missed = round(live * rate)
                for odds, null in [(2.0, 1.0), (8.0, 1.0), (64.0, 1.0), (3.0, 1.5), (24.0, 1.5)]:
                    if not 0 < events + missed < candidate + live or events > candidate:
                        continue
                    # M, n, N of SciPy: all calls, all events, the candidate's calls.
                    margins = (candidate + live, events + missed, candidate)
                    ratio = nchypergeom_fisher.logpmf(events, *margins, odds) - nchypergeom_fisher.logpmf(
                        events, *margins, null
                    )
                    if numpy.isfinite(ratio):
                        out.write(f"{candidate},{events},{live},{missed},{odds},{null},{ratio!s}\n")
