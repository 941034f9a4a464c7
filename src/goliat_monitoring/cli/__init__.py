"""The command `goliat-monitoring`: server, agent, and everything the dashboard does, for scripts."""
