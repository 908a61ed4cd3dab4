"""Who is told what, when and where: pure, with time as an argument. Sending is the runtime's."""
