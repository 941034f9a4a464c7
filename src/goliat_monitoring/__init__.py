"""Run and watch GOLIAT studies on a fleet of GPU machines."""

from importlib.metadata import version

__version__ = version("goliat-monitoring")
