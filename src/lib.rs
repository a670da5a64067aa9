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
//! A [`Client`] takes more: [`Settings`] (where docker, caches, the Hub and package indexes are), [`BuildOptions`],
//! [`RunOptions`], a listener for [`Event`]s and an [`Interrupt`]. No function reads a variable but PATH unless it
//! is given [`Variables`]. The `rlmesh-sandbox` program (feature `cli`, on by default) uses the same `Client`.

// The program, which is in this crate too, uses more of it than other crates can.
#![cfg_attr(not(feature = "cli"), allow(dead_code, unused_imports))]

/// The README's examples, kept compiling.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

mod api;
mod contract;
mod engine;
mod error;
mod host;
mod hub;
mod image;
mod plan;
mod progress;
mod sandbox;
mod settings;
mod source;

#[cfg(feature = "cli")]
#[doc(hidden)]
#[allow(missing_docs)]
pub mod cli;
#[cfg(feature = "cli")]
#[doc(hidden)]
pub mod commands;
#[cfg(feature = "cli")]
mod output;

pub use api::{
    BuildResult, Client, RunResult, reap_orphaned_containers, start_env, start_env_async, stop_container,
};
pub use contract::{BOOTSTRAP_SCHEMA_VERSION, DEFAULT_BASE_IMAGE, DEFAULT_PACKAGE_NAME};
pub use error::{Exit, InvalidValue, Problem, SandboxError, Signal};
pub use host::interrupt::Interrupt;
pub use plan::rlmesh_package::default_rlmesh_package;
pub use progress::{BuildEvent, Event, Listener};
pub use sandbox::gym_space::Space;
pub use sandbox::handshake::Handshake;
pub use settings::Settings;
pub use settings::build::{BuildOptions, Installer, PublishOptions};
pub use settings::hub::{HubSettings, Proxies, Token};
pub use settings::package_index::PackageIndex;
pub use settings::sandbox::{Ownership, RunOptions, SandboxOptions, VectorizationMode};
pub use settings::size::BuildMemory;
pub use settings::variables::Variables;
pub use source::{EnvironmentSourceRef, GymSourceRef, HfSourceRef, ImageSourceRef};
