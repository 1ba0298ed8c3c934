//! Benchmarks of the feed handler; see the `benches` and `src/bin` folders.
