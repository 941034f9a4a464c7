"""The tabs of a study's page: each has an address of its own, works without a script and loads only what it shows."""
