"""The engine: one home folder, its gallery and models, and the searches over them."""
