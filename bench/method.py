"""How the figures come about, in the words of the page."""

METHOD = """
Times depend on the machine, so the bars are ratios: what the server does against a limit that was measured in the
same run, in turns (limit, server, limit, server, ...), so that what disturbs the machine disturbs both. A ratio is the
median over the rounds of the ratios of neighbours; absolute values beside it are medians too.

- **Load**: `wrk` with two threads, on the same machine over loopback, a new connection for each request as the real
  GOLIAT client makes them. Each request brings ten log lines of about 100 characters whose numbers and times differ.
  The generator's own ceiling is what it reaches against a server that only accepts, reads, writes and closes
  (`bench/ceiling.py`); a ratio counts only where this ceiling is at least 1.5 times the echo.
- **Echo**: an ASGI application that reads the same body and gives the same answer with the same headers, on the same
  web server, started in the same way (`bench/echo.py`).
- **Bare inserts**: the same lines, one row a request, 100 requests a commit, one connection: `sqlite3` of the standard
  library with WAL and `synchronous=FULL`; PostgreSQL by `COPY`, as its wheel
  comes (`fsync` and `synchronous_commit` on; a server without them is not measured).
- **Server**: a process started as a user starts it, with an empty database unless the row says otherwise, on a real
  disk, with a reorder window of 1 s instead of 15 s: numbering bare lines is part of what is measured. After each load
  every acknowledged line must have its number; a refused request or a missing line ends the measurement without a
  figure. How long the last line waited for its number stands beside the figure.
- Nothing here is a test's verdict. `not counted` means that the load generator was too slow to prove anything, `not
  measured` that there is no figure, and why.
"""
