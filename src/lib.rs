//! Turns a reinforcement-learning environment into a running, isolated Docker container.
//!
//! [`start_env`] builds an image for an environment (unless the engine already has it), starts a container
//! that serves the environment over gRPC with the `rlmesh` Python package, and waits until it answers. The
//! container belongs to the calling process: stop it with [`stop_container`]. If the process is killed, a
//! later process can remove the container with [`reap_orphaned_containers`].
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
//! Images and containers are compatible with the rlmesh Python SDK: they have the same build hash, tag,
//! labels and payload.
//!
//! A [`Client`] has more options: [`Settings`] (where docker, caches, the Hub and package indexes are),
//! [`BuildOptions`], [`RunOptions`], a listener for [`Event`]s and an [`Interrupt`]. PATH is the only
//! environment variable that is read unless you pass [`Variables`]. The `rlmesh-sandbox` program (feature
//! `cli`, on by default) uses the same `Client`.

// Some private items are used only by the program.
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
pub use sandbox::check::{CheckReport, Frame};
pub use sandbox::gym_space::Space;
pub use sandbox::handshake::Handshake;
pub use sandbox::manifest::{Manifest, ManifestKind, ManifestOptions};
pub use settings::Settings;
pub use settings::build::{BuildOptions, Installer, PublishOptions};
pub use settings::hub::{HubSettings, Proxies, Token};
pub use settings::package_index::PackageIndex;
pub use settings::sandbox::{Ownership, RunOptions, SandboxOptions, VectorizationMode};
pub use settings::size::BuildMemory;
pub use settings::variables::Variables;
pub use source::{EnvironmentSourceRef, FolderSourceRef, GymSourceRef, HfSourceRef, ImageSourceRef};
