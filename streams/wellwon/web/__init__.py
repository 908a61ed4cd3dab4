"""The live page: open alerts as they come, a deal's timeline, how deals were won, and answers."""
