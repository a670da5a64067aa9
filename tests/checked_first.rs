//! What is wrong with the options is found before docker is asked for anything, and before anything is built.

use crate::support::{Reply, Run, StandIn};

/// A run on a machine whose docker has no answer to anything: its stderr.
fn refused(run: Run, status: i32) -> String {
    let checked = run.docker(StandIn::new()).status(status).stderr_with(["error: ", "\nhint: "]).check();
    assert_eq!(checked.calls, Vec::<String>::new(), "{}", checked.stderr);
    checked.stderr
}

#[test]
fn certificates_indexes_and_lockfiles() {
    for verb in ["build", "run"] {
        for (flags, said) in [
            ("--ca-cert /nonexistent.pem", "ca_cert (--ca-cert): cannot read /nonexistent.pem"),
            ("--ca-cert /dev/zero", "ca_cert (--ca-cert): /dev/zero is larger than 500 KiB"),
            ("--kwargs @/dev/zero", "cannot read /dev/zero: it is larger than 64 MiB"),
            ("--lock no/such/folder/lock.txt", "lock (--lock): cannot write"),
            ("--lock /dev/null/lock.txt", "lock (--lock): cannot read /dev/null/lock.txt"),
        ] {
            let stderr = refused(Run::line(&format!("{verb} CartPole-v1 {flags}")), 2);
            assert!(stderr.contains(said), "{flags}: {stderr}");
        }
        let broken = Run::line(&format!("{verb} CartPole-v1")).env("PIP_INDEX_URL", "https://a\nhttps://b");
        assert!(refused(broken, 2).contains("PIP_INDEX_URL contains a line break"));
        let option = Run::line(&format!("{verb} CartPole-v1")).env("RLMESH_SANDBOX_BASE_IMAGE", "--help");
        assert!(refused(option, 2).contains("RLMESH_SANDBOX_BASE_IMAGE \"--help\""));
    }
}

#[test]
fn doctor_passes_no_option_of_a_variable_to_docker() {
    let run = Run::line("doctor").env("RLMESH_SANDBOX_BASE_IMAGE", "--help").docker(
        StandIn::new()
            .on("version *", Reply::stdout("{\"Version\":\"26\",\"Os\":\"linux\",\"Arch\":\"amd64\"}"))
            .on("context *", Reply::stdout("default unix:///var/run/docker.sock\n"))
            .on("buildx version", Reply::stdout("github.com/docker/buildx v0.29.1 abc\n"))
            .on("ps *", Reply::default()),
    );
    let checked = run.status(7).stdout_with(["RLMESH_SANDBOX_BASE_IMAGE \"--help\""]).check();
    assert!(!checked.calls.iter().any(|call| call.contains("--help")), "{:?}", checked.calls);
}

#[test]
fn variables_of_a_build_do_not_concern_other_verbs() {
    let run = Run::line("ps")
        .env("HF_ENDPOINT", "nonsense")
        .env("PIP_INDEX_URL", "a\nb")
        .env("RLMESH_SANDBOX_CA_CERT", "/nonexistent")
        .docker(StandIn::new().on("ps *", Reply::default()));
    run.stdout("ID  SOURCE  ENVS  ADDRESS  STATE  OWNER  AGE  ISOLATION  NAME\n").check();
}
