"""The dashboard: pages that work without JavaScript for reading and are live with it."""
