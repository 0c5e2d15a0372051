"""Claims about speed, each measured by one command that runs both sides."""
