"""docs/benchmarks.md: made from a report, and from nothing else.

``markdown`` writes the page, ``reading`` holds its sentences. ``pictures`` draws: ``series`` takes
out of a report's sessions what is shown, ``physics`` says what was to be expected, and ``draw``,
``skew_picture`` and ``delay_picture`` alone know the plotting library.
"""
