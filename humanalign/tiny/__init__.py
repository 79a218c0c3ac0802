"""The bundled world: its grammar, its small model, and the demo that runs on both."""
