"""What runs inside GOLIAT's own Python: standard library only, any Python from 3.8 on.

The folder `site/` goes first on PYTHONPATH; its `sitecustomize` loads this package by path, under a private name, so
nothing has to be installed beside GOLIAT. This is the only place that knows GOLIAT's internals. Every rule of it
follows from one: a study must go on whatever happens here, so nothing raises and a part of GOLIAT that is not found
is left as it is.
"""
