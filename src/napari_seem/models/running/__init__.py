"""How models run on this machine: threads, graphics, who waits for whom, and for how long."""
