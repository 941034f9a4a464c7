"""What replaces the spots of GOLIAT that need Sim4Life: one module per spot, each with `apply(module)`."""
