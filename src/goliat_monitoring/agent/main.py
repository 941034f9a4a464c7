"""Entry of the agent."""

from goliat_monitoring.agent.settings import AgentSettings


def run_agent(settings: AgentSettings) -> int:
    """Run until told to end; the exit code for the shell."""
    raise NotImplementedError(settings.server)
