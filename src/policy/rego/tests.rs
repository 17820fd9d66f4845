//! Rules with an evaluator in this process: what a child adds is its limits.
