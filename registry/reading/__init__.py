"""Reading what others hold: answers, sources, and what is made of them for readers."""
