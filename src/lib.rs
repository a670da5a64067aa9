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

mod bounded;
mod build_log;
mod build_options;
mod builders;
mod context;
mod diagnosis;
mod disuse;
mod docker;
mod environment;
mod error;
mod families;
mod handover;
mod hub;
mod image;
mod image_labels;
mod image_reference;
mod install_settings;
mod interrupt;
mod kwargs;
mod library;
mod lock;
mod mask;
mod memory;
mod options;
mod owner;
mod package;
mod plan;
mod process;
mod readiness;
mod reap;
mod report;
mod run_folder;
mod source;
mod space;
mod spec;
mod stage;
mod start;
mod stop;
mod twin;
mod use_lock;
mod watch;

#[doc(hidden)]
#[allow(missing_docs)]
pub mod cli;
#[doc(hidden)]
pub mod commands;

pub use environment::Environment;
pub use error::{Exit, Problem, SandboxError, Signal};
pub use library::{RunResult, reap_orphaned_containers, start_env, start_env_async, stop_container};
pub use options::{DEFAULT_BASE_IMAGE, SandboxOptions, VectorizationMode};
pub use package::{DEFAULT_PACKAGE_NAME, default_rlmesh_package};
pub use readiness::Handshake;
pub use source::{EnvironmentSourceRef, GymSourceRef, HfSourceRef, ImageSourceRef};
pub use space::Space;
pub use spec::BOOTSTRAP_SCHEMA_VERSION;
