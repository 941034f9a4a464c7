"""What is given up or moved away with age. Each module one kind of thing, each unit of work a bounded part of it."""
