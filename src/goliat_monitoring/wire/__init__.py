"""What the two sides say to each other: message structs, one module per conversation. No I/O."""
