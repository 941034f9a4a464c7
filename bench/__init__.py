"""How fast the server is, as ratios against limits measured in the same run. `make bench` runs it; docs/benchmarks.md
is what it wrote last. Speed is never a test's verdict: nothing here runs in `make test`.
"""
