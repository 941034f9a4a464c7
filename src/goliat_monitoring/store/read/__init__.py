"""What pages and lists ask: queries that return typed structs. Nothing here writes."""
