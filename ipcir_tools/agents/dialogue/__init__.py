"""The dialogue graph: what a user says becomes searches, refinements and questions, turn after turn."""
