//! What is wrong with the options is found before docker is asked for anything, and before anything is built.

use crate::support::{Run, StandIn};

/// A run on a machine whose docker has no answer to anything: its stderr.
fn refused(run: Run, status: i32) -> String {
    let run = run.docker(StandIn::new());
    let output = run.spawn().wait_with_output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(status), "{stderr}");
    assert_eq!(run.stand_in().calls(), Vec::<String>::new(), "{stderr}");
    stderr
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
        assert!(refused(option, 2).contains("RLMESH_SANDBOX_BASE_IMAGE is \"--help\""));
    }
}

#[test]
fn doctor_passes_no_option_of_a_variable_to_docker() {
    let run = Run::line("doctor").env("RLMESH_SANDBOX_BASE_IMAGE", "--help").docker(
        StandIn::new()
            .on(
                "version *",
                crate::support::Reply::stdout("{\"Version\":\"26\",\"Os\":\"linux\",\"Arch\":\"amd64\"}"),
            )
            .on("context *", crate::support::Reply::stdout("default unix:///var/run/docker.sock\n"))
            .on("buildx version", crate::support::Reply::stdout("github.com/docker/buildx v0.29.1 abc\n"))
            .on("ps *", crate::support::Reply::default()),
    );
    let output = run.spawn().wait_with_output().unwrap();
    assert!(String::from_utf8_lossy(&output.stdout).contains("RLMESH_SANDBOX_BASE_IMAGE is \"--help\""));
    assert!(!run.stand_in().calls().iter().any(|call| call.contains("--help")));
}

#[test]
fn variables_of_a_build_do_not_concern_other_verbs() {
    let run = Run::line("ps")
        .env("HF_ENDPOINT", "nonsense")
        .env("PIP_INDEX_URL", "a\nb")
        .env("RLMESH_SANDBOX_CA_CERT", "/nonexistent")
        .docker(StandIn::new().on("ps *", crate::support::Reply::default()));
    run.stdout("ID   SOURCE   ADDRESS   STATE   OWNER   AGE   NAME\n").check();
}
