# Short names for what people do here. `just` lists them.

default:
    @just --list

# Everything CI runs.
ci:
    .ci/run

# Fast checks while working.
check:
    cargo fmt --check
    cargo clippy --all-targets -- -D warnings

# All tests that need no root and no lab.
test:
    cargo test

# The real fleet: needs root and podman.
test-fleet:
    cargo test --test fleet -- --nocapture

# Licences, sources and duplicate versions.
deny:
    cargo deny check bans licenses sources

# Random campaigns on simulated hosts, on all cores.
sim runs="20000":
    cargo xtask sim --runs {{runs}}

bench:
    cargo bench

# Every parser of foreign input against made-up bytes: seconds a target, then targets (all).
fuzz seconds="60" *targets:
    scripts/fuzz {{seconds}} {{targets}}
