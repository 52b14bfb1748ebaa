"""Measuring composed retrieval: metrics, runs over benchmarks, speed."""
