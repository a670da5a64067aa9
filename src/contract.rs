//! The values that this tool shares with the rlmesh SDK. Change them only together with the SDK.
//!
//! Each of the two uses the images that the other one builds, and recognizes the other one's containers. The
//! values are those of the rlmesh Python package 0.1.0.

/// The default base image.
pub const DEFAULT_BASE_IMAGE: &str = "python:3.11-slim";

/// The name on PyPI of the package that serves environments.
pub const DEFAULT_PACKAGE_NAME: &str = "rlmesh";

/// The version of the JSON that is hashed for the build hash.
pub const BOOTSTRAP_SCHEMA_VERSION: u32 = 1;

/// What image names start with; the slug and, as the tag, the start of the build hash follow.
pub(crate) const IMAGE_PREFIX: &str = "rlmesh-sandbox-";

/// What the default names of containers start with; the slug follows, and four characters of this tool or 32 hex
/// digits of the SDK. Containers are recognized by their label, not by their name.
pub(crate) const CONTAINER_PREFIX: &str = "rlmesh-sandbox-";

/// The folder in the image for rlmesh's files; also the working directory.
pub(crate) const IMAGE_FOLDER: &str = "/opt/rlmesh";

/// The folder below [`IMAGE_FOLDER`] from which wheels are installed. A wheel's path is part of the build
/// hash.
pub(crate) const PACKAGES_FOLDER: &str = "packages";

/// The folder below [`IMAGE_FOLDER`] that holds a Hugging Face repository.
pub(crate) const SOURCE_FOLDER: &str = "source";

/// The port that the server listens on inside the container.
pub(crate) const CONTAINER_PORT: u16 = 50051;

/// The folder in a container in which its server creates its Unix socket, and the socket.
pub(crate) const SOCKET_FOLDER: &str = "/run/rlmesh";
pub(crate) const SOCKET: &str = "/run/rlmesh/env.sock";

/// What a built image runs: the module that reads the bootstrap payload and serves the environment.
pub(crate) const ENTRYPOINT: [&str; 3] = ["python", "-m", "rlmesh._bootstrap.sandbox_env"];

/// The generation of the wire protocol. Servers accept exactly this text.
pub(crate) const PROTOCOL_GENERATION: &str = "rlmesh-wire-v1";

/// The gRPC method that answers once the environment is ready.
pub(crate) const HANDSHAKE_METHOD: &str = "/rlmesh.env.v1.EnvService/Handshake";

/// Variables that the server in the container reads.
pub(crate) mod variable {
    /// The port to listen on.
    pub(crate) const PORT: &str = "RLMESH_PORT";
    /// The address to listen on, instead of the port.
    pub(crate) const ADDRESS: &str = "RLMESH_ADDRESS";
    /// The bootstrap payload of a built image.
    pub(crate) const BOOTSTRAP_JSON: &str = "RLMESH_BOOTSTRAP_JSON";
    /// The environment's keyword arguments, as JSON, for a prebuilt image.
    pub(crate) const MAKE_KWARGS: &str = "RLMESH_MAKE_KWARGS";
    /// The number of copies, for a prebuilt image.
    pub(crate) const NUM_ENVS: &str = "RLMESH_NUM_ENVS";
    /// How the copies are stepped, for a prebuilt image.
    pub(crate) const VECTORIZATION_MODE: &str = "RLMESH_VECTORIZATION_MODE";
}

/// Labels of containers and images.
pub(crate) mod label {
    /// The label that every sandbox has, and its value.
    pub(crate) const MARK: (&str, &str) = ("rlmesh.sandbox", "1");
    pub(crate) const OWNER_PID: &str = "rlmesh.sandbox.owner-pid";
    pub(crate) const OWNER_PID_NAMESPACE: &str = "rlmesh.sandbox.owner-pid-ns";
    /// The owner's start time, boot and machine: only this tool writes them, and the SDK ignores them.
    pub(crate) const OWNER_START: &str = "rlmesh.sandbox.owner-start";
    pub(crate) const OWNER_BOOT: &str = "rlmesh.sandbox.owner-boot";
    pub(crate) const OWNER_HOST: &str = "rlmesh.sandbox.owner-host";
    /// The container's own name. A copy of a container or a container of an image with these labels has another
    /// name. Only this tool writes it.
    pub(crate) const NAME: &str = "rlmesh.sandbox.name";
    /// The run directory of its start, which shows other processes whether the start is complete. Only this tool
    /// writes it.
    pub(crate) const RUN_DIR: &str = "rlmesh.sandbox.run-dir";
    /// How long a container may run, in seconds. Only this tool writes it.
    pub(crate) const TTL: &str = "rlmesh.sandbox.ttl";
    /// What a container serves.
    pub(crate) const SOURCE: &str = "rlmesh.sandbox.source";
    /// The build hash of the image that it was started from.
    pub(crate) const BUILD_HASH: &str = "rlmesh.sandbox.build-hash";
    /// How much a container may do: only this tool writes it.
    pub(crate) const ISOLATION: &str = "rlmesh.sandbox.isolation";
    /// The version of this tool that built an image.
    pub(crate) const CREATED_BY: &str = "rlmesh.image.created-by";
    /// The labels of containers that the SDK writes.
    pub(crate) const OF_THE_SDK: [&str; 3] = [MARK.0, OWNER_PID, OWNER_PID_NAMESPACE];
    /// What the labels start with that decide what happens to a container. A container inherits its image's
    /// labels, so an image must not have any of these.
    pub(crate) const RESERVED: [&str; 2] = ["rlmesh.sandbox", "rlmesh.image"];
}
