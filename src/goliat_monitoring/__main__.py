"""`python -m goliat_monitoring`: the command `goliat-monitoring`."""

from goliat_monitoring.cli.main import app

if __name__ == "__main__":
    app(prog_name="goliat-monitoring")
