"""The ways out: what a message looks like there (pure), and how it gets there."""
