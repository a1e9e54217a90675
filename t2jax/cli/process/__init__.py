"""Process of a command: options, interrupts, broken pipes and errors."""
