"""Tables, migrations, queries, the group-commit writer, the log store and artifact storage."""
