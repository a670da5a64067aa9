//! The public library, as another crate would use it.

use rlmesh_sandbox::{
    EnvironmentSourceRef, SandboxError, SandboxOptions, start_env, start_env_async, stop_container,
};

use super::engine::{Images, containers, exists, together};
use super::python::{EPISODE, script};
use crate::support::eventually;

fn cartpole() -> EnvironmentSourceRef {
    "CartPole-v1".parse().unwrap()
}

#[test]
fn start_step_stop() {
    let (_guard, _images) = (together(), Images::of(&["CartPole-v1"]));
    let sandbox = start_env(cartpole(), SandboxOptions::default()).unwrap();
    assert_eq!(
        (sandbox.requested_source.as_str(), sandbox.resolved_source.as_str()),
        ("gym://CartPole-v1", "gym://CartPole-v1")
    );
    assert_eq!(sandbox.handshake.env_id, "CartPole-v1");
    assert_eq!(sandbox.handshake.action_space.to_string(), "Discrete(2)");
    script(EPISODE, &[&sandbox.address], |_| {});
    stop_container(&sandbox.container_id).unwrap();
    assert!(!exists(&sandbox.container_id));
    stop_container(&sandbox.container_id).unwrap();
}

#[test]
fn inside_an_async_runtime() {
    let (_guard, _images) = (together(), Images::of(&["CartPole-v1"]));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let sandbox = start_env_async(cartpole(), SandboxOptions::default()).await.unwrap();
        stop_container(&sandbox.container_id).unwrap();
        // The blocking one blocks the thread, and works.
        let sandbox = start_env(cartpole(), SandboxOptions::default()).unwrap();
        stop_container(&sandbox.container_id).unwrap();
    });
}

#[test]
fn a_future_that_is_dropped_gives_the_start_up() {
    let source = "gym://MountainCarContinuous-v0";
    let (_guard, _images) = (together(), Images::of(&[source]));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let warm = start_env(source.parse().unwrap(), SandboxOptions::default()).unwrap();
    stop_container(&warm.container_id).unwrap();
    for wait in [1, 200, 500] {
        runtime.block_on(async {
            let start = start_env_async(source.parse().unwrap(), SandboxOptions::default());
            let given_up = tokio::time::timeout(std::time::Duration::from_millis(wait), start).await;
            if let Ok(started) = given_up {
                stop_container(&started.unwrap().container_id).unwrap();
            }
        });
        std::thread::sleep(std::time::Duration::from_secs(1));
        eventually("no container", || {
            containers(&format!("rlmesh.sandbox.source={source}")).is_empty().then_some(())
        });
    }
}

#[test]
fn errors_have_their_kind() {
    let _guard = together();
    let mut options = SandboxOptions::default();
    options.num_envs = Some(0);
    assert!(matches!(start_env(cartpole(), options), Err(SandboxError::InvalidOption(_))));
    let hub: EnvironmentSourceRef = "hf://org/repo".parse().unwrap();
    assert!(matches!(start_env(hub, SandboxOptions::default()), Err(SandboxError::HuggingFacePolicy(_))));
    assert!(matches!(stop_container("-x"), Err(SandboxError::InvalidOption(_))));
}
