"""The server: HTTP API, dashboard, live updates and background jobs over the store."""
