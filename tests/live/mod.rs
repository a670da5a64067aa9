//! Real sandboxes on a real engine, stepped by real rlmesh clients. Without an engine they fail: run `tests/engine/up`.

mod build_flags;
mod builders;
mod builds;
mod check;
mod engine;
mod failures;
mod families;
mod hf;
mod hub;
mod indexes;
mod interop;
mod library;
mod local;
mod manifest;
mod ownership;
mod python;
mod requirements;
mod serving;
mod signals;
