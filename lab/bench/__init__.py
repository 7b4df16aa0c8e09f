"""The benchmark: every figure that the README states, measured by the real programs in the lab.

``python -m lab.bench [SECTION]...``. Sections that need delay run in one guest where this kernel
has no netem; the others run here.
"""
