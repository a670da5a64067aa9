//! Ends without an exception, and hangs.

use super::*;

#[test]
fn an_end_without_an_exception_is_explained() {
    let explained = |exit_code, log: &str| {
        let end = ContainerEnd { exit_code, is_out_of_memory: false };
        let diagnosis = startup(&plan("X-v0"), Some(end), log, &Facts::default());
        (diagnosis.cause.clone().unwrap_or_default(), diagnosis.hints[0].clone(), words(&diagnosis))
    };
    assert!(explained(0, "").1.contains("sys.exit"));
    assert!(explained(3, "bye\n").1.contains("exit code 3"));
    assert!(explained(137, "").1.contains("memory"));
    assert_eq!(explained(135, "").2, "--shm-size 1g");
    assert!(explained(132, "").1.contains("processor"));
    let crash = "Fatal Python error: Segmentation fault\n\nCurrent thread 0x1 (most recent call first):\n  File \"/usr/lib/python3.11/ctypes/__init__.py\", line 519 in string_at\n  File \"/opt/env.py\", line 21 in segv\n";
    assert_eq!(explained(139, crash).0, "segmentation fault at /opt/env.py:21 in segv");
    // As process 1 of a container, abort() ends in a segmentation fault, which is reported too.
    let aborted = crash.replace("Segmentation fault", "Aborted");
    assert_eq!(explained(139, &format!("{aborted}{crash}")).0, "aborted at /opt/env.py:21 in segv");
    let said = "building\nterminate called after throwing an instance of 'std::bad_alloc'\n  what():  std::bad_alloc\n";
    assert_eq!(
        explained(134, &format!("{said}{aborted}")).0,
        "aborted: terminate called after throwing an instance of 'std::bad_alloc' at /opt/env.py:21 in segv"
    );
    assert_eq!(
        explained(134, &format!("working\nfree(): invalid pointer\n{aborted}")).0,
        "aborted: free(): invalid pointer at /opt/env.py:21 in segv"
    );
    assert_eq!(explained(134, "working\n").0, "aborted");
    let out = Some(ContainerEnd { exit_code: 1, is_out_of_memory: true });
    let diagnosis = startup(&plan("X-v0"), out, &traceback("MemoryError"), &Facts::default());
    assert!(diagnosis.hints[0].contains("ran out of memory"), "{diagnosis:?}");
    let prebuilt = samples::prebuilt("x");
    let ended = Some(ContainerEnd { exit_code: 0, is_out_of_memory: false });
    assert!(startup(&prebuilt, ended, "", &Facts::default()).hints[0].contains("serves rlmesh"));
    let usage =
        "usage: python -m rlmesh._bootstrap.sandbox_env <bootstrap.json> (or set RLMESH_BOOTSTRAP_JSON)";
    let ended = Some(ContainerEnd { exit_code: 2, is_out_of_memory: false });
    assert!(startup(&prebuilt, ended, usage, &Facts::default()).hints[0].contains("run the source"));
    let built = startup(&plan("X-v0"), ended, "", &Facts::default());
    assert!(built.hints[0].contains("exit code 2): look for sys.exit"), "{:?}", built.hints);
}

#[test]
fn a_hang_differs_from_slow_work() {
    let stack = |file: &str| {
        format!(
            "Fatal Python error: Aborted\n\nCurrent thread 0x1 (most recent call first):\n  File \"/usr/lib/python3.11/{file}\", line 294 in accept\n  File \"/opt/env.py\", line 25 in sock\n"
        )
    };
    let limit = Some(Duration::from_secs(45));
    let explained = |log: &str, cpu| {
        let facts = Facts { cpu, limit, ..Facts::default() };
        let diagnosis = startup(&plan("X-v0"), None, log, &facts);
        (diagnosis.hints[0].clone(), words(&diagnosis))
    };
    let (hint, changes) = explained(&stack("socket.py"), Some(0.1));
    assert!(hint.contains("waits for a network connection") && changes.is_empty(), "{hint} {changes}");
    let (hint, changes) = explained(&stack("socket.py"), Some(99.0));
    assert!(hint.contains("still working") && changes == "--ready-timeout 90", "{hint} {changes}");
    assert_eq!(explained("", Some(0.0)).1, "--ready-timeout 90");
    let facts = Facts::default();
    let diagnosis = startup(&plan("X-v0"), None, &stack("socket.py"), &facts);
    assert_eq!(diagnosis.cause.as_deref(), Some("it is at /opt/env.py:25 in sock"));
}
