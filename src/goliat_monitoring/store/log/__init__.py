"""The rules of the log store: what repeats, how lines are sealed and searched. Pure: no database, no clock."""
