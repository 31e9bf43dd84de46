"""What the demonstration is made of: the deliveries, the server, the questions, the screen, and the story they tell."""
