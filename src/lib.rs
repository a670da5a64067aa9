//! Turns a reinforcement-learning environment into a running, isolated Docker container.
//!
//! [`start_env`] builds an image for an environment (unless the engine has it), starts a container from it
//! that serves the environment over gRPC with the `rlmesh` Python package, and waits until it answers. The
//! container belongs to the calling process: [`stop_container`] ends it, and should the process be killed,
//! [`reap_orphaned_containers`] of any later one removes it.
//!
//! ```no_run
//! use rlmesh_sandbox::{EnvironmentSourceRef, SandboxOptions, start_env, stop_container};
//!
//! # fn main() -> Result<(), rlmesh_sandbox::SandboxError> {
//! let source: EnvironmentSourceRef = "CartPole-v1".parse()?;
//! let mut options = SandboxOptions::default();
//! options.kwargs.insert("max_episode_steps".to_owned(), 50.into());
//!
//! let sandbox = start_env(source, options)?;
//! println!("step it with rlmesh.numpy.RemoteEnv({:?})", sandbox.address);
//! stop_container(&sandbox.container_id)?;
//! # Ok(())
//! # }
//! ```
//!
//! Images and containers are those of the rlmesh Python SDK: the same build hash, tag, labels and payload.
//! The `rlmesh-sandbox` program is a thin user of this crate.

/// The README's examples, kept compiling.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

mod api;
mod engine;
mod error;
mod host;
mod hub;
mod image;
mod output;
mod plan;
mod progress;
mod sandbox;
mod settings;
mod source;

#[doc(hidden)]
#[allow(missing_docs)]
pub mod cli;
#[doc(hidden)]
pub mod commands;

pub use api::{RunResult, reap_orphaned_containers, start_env, start_env_async, stop_container};
pub use error::{Exit, Problem, SandboxError, Signal};
pub use plan::BOOTSTRAP_SCHEMA_VERSION;
pub use plan::rlmesh_package::{DEFAULT_PACKAGE_NAME, default_rlmesh_package};
pub use sandbox::gym_space::Space;
pub use sandbox::handshake::Handshake;
pub use settings::sandbox::{DEFAULT_BASE_IMAGE, SandboxOptions, VectorizationMode};
pub use settings::variables::Variables;
pub use source::{EnvironmentSourceRef, GymSourceRef, HfSourceRef, ImageSourceRef};
