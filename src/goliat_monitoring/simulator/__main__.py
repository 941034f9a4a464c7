"""`python -m goliat_monitoring.simulator study CONFIG [--auto-close]`."""

from goliat_monitoring.simulator.command import main

if __name__ == "__main__":
    raise SystemExit(main())
