"""`goliat-monitoring demo`: a server, three agents and a study of simulated simulations, on this machine alone."""

from goliat_monitoring.cli.demo.command import demo

__all__ = ["demo"]
