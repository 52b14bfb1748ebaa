"""The dialogue graph: a user's messages become searches, refinements and questions, turn after turn."""
