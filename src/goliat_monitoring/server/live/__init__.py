"""Live pages: a hub of changed topics and the event stream that carries them to browsers."""
