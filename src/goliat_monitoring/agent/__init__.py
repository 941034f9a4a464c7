"""The agent: runs on a GPU machine, claims assignments, runs GOLIAT and brings everything back."""
