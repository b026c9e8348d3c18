//! The conformance suite of the queue, on the engine of one machine.

hookgate_tests::conformance_suite!(hookgate_tests::conformance::Sqlite);
