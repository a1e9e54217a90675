"""What makes a command a process: its options, interrupts, broken pipes and errors."""
