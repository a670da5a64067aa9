//! The whole program, run as users run it: strictly against a stand-in for docker, and, with the feature
//! `live`, against a real engine and real rlmesh clients.
#![allow(missing_docs, clippy::unwrap_used, clippy::needless_pass_by_value)]

mod support;

mod architecture;
mod bounded;
mod build;
mod build_flags;
mod check;
mod checked_first;
mod complete;
mod generated;
mod hash;
mod hf;
mod json_errors;
mod left_behind;
mod listing;
mod local;
mod manifest;
mod manual;
mod reap;
mod reap_builders;
mod reuse;
mod run;
mod run_failures;
mod signals;
mod stop;
mod usage;

#[cfg(feature = "live")]
mod live;
