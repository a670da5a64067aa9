//! Signals at moments that are easy to miss, and closed or untrusted streams.

use std::os::unix::process::CommandExt as _;
use std::time::Duration;

use rustix::process::Signal;

use crate::run::{ID, UNWATCHED, up, up_with};
use crate::support::{Reply, Run, StandIn, WAITS, eventually, fixture, signal};

#[test]
fn a_signal_right_after_the_command_has_started_reaches_it() {
    for _ in 0..10 {
        let (docker, _server) = up();
        // The command's first act: most often we are still between its start and the wait for its end.
        Run::new([
            "-q",
            "run",
            "CartPole-v1",
            "--",
            "sh",
            "-c",
            "kill -TERM $PPID; while [ -d \"$HOME\" ]; do sleep 0.05; done",
        ])
        .docker(docker)
        .status(143)
        .check();
    }
}

#[test]
fn nohup_is_respected() {
    let (docker, _server) = up_with(Reply::default().marks("following").hangs());
    let run = Run::line("-q run CartPole-v1").docker(docker).env(WAITS, UNWATCHED);
    // As nohup and a shell's `&` start a process: with SIGHUP and SIGINT ignored.
    let mut command = run.command_of_a_shell("trap '' HUP INT; exec \"$@\"");
    command.process_group(0);
    let run = run.stdout("tcp://127.0.0.1:<port>\n").status(143);
    run.check_command(command, |run, child| {
        run.stand_in().wait_for("following");
        for ignored in [Signal::HUP, Signal::INT] {
            signal(child, ignored);
        }
        // Had one of them counted, this one would be the second or third, and the status another.
        signal(child, Signal::TERM);
    });
}

#[test]
fn a_reader_that_has_seen_enough_of_a_log_ends_it_quietly() {
    let docker = StandIn::new()
        .on("ps --all *", Reply::stdout(format!("{ID}\n")))
        .on(
            &format!("logs {ID}"),
            Reply::stdout("a long line of a log that goes on and on\n".repeat(100_000)).hangs(),
        )
        .on("container inspect *", Reply::stdout(fixture("inspect/running.json")));
    let run = Run::line("logs 45d51db4c7f0").docker(docker);
    let (mut reader, writer) = std::io::pipe().unwrap();
    let mut command = run.command();
    command.stdout(writer);
    run.check_command(command, |_, _| {
        std::io::Read::read_exact(&mut reader, &mut [0; 100]).unwrap();
        drop(reader);
    });
}

/// How often a foreground run reads the log, if what watches over its start waits that much longer before it does.
fn reads_of_the_log(factor: u32) -> usize {
    let (docker, _server) = up_with(Reply::default().marks("following").hangs());
    let run = Run::line("-q run CartPole-v1").docker(docker).stdout("tcp://127.0.0.1:<port>\n").status(143);
    let checked = run.env(WAITS, factor.to_string()).check_while(|run, child| {
        run.stand_in().wait_for("following");
        // Longer than the watch waits.
        std::thread::sleep(Duration::from_millis(500) * factor);
        signal(child, Signal::TERM);
    });
    checked.calls.iter().filter(|call| call.starts_with("logs --follow")).count()
}

#[test]
fn a_foreground_run_reads_the_log_once() {
    // A start that takes longer than the watch waits is followed by both, so a loaded machine needs a longer wait.
    assert!([3, 12, 48].into_iter().any(|factor| reads_of_the_log(factor) == 1));
}

#[test]
fn colours_and_quiet_hold_for_a_command_line_that_is_wrong() {
    Run::line("--color always run --bad")
        .status(2)
        .stderr("\x1b[1;31merror:\x1b[0m `run` has no option --bad\n\x1b[1;36mhint:\x1b[0m run `rlmesh-sandbox run --help` to list its options\n")
        .check();
}

#[test]
fn a_start_that_hangs_is_answered_in_words_and_ends_after_one_signal() {
    let docker = StandIn::new()
        .on("ps --all*", Reply::default())
        .on("run -d *", Reply::default().marks("starting").hangs())
        .on("container inspect *", Reply::fails(1, "Error: No such container: x\n"))
        .on("rm *", Reply::default());
    let run = Run::line("run -d CartPole-v1").docker(docker).status(130).stderr_with([
        "interrupted: stopping what was started (press Ctrl-C again to end at once)\n",
        "interrupted\n",
    ]);
    // The start may take longer than the test waits: it ends in time only if the signal ends it.
    run.env(WAITS, "2.5").check_while(|run, child| {
        run.stand_in().wait_for("starting");
        signal(child, Signal::INT);
    });
}

#[test]
fn a_second_signal_ends_everything_whatever_docker_does() {
    let (docker, _server) = up_with(Reply::default().marks("following").hangs());
    let docker = StandIn::new()
        .on("stop *", Reply::default().marks("stopping").hangs())
        .on("rm *", Reply::default().hangs())
        .and(docker);
    let run = Run::line("run CartPole-v1")
        .docker(docker)
        .env(WAITS, UNWATCHED)
        .any_stdout()
        .status(130)
        .leaves(1)
        .stderr_with(["could not be removed", "hint: run `rlmesh-sandbox reap` once docker answers"]);
    // Clean-up may take longer than the test waits: it ends in time only if the signal ends it.
    run.check_while(|run, child| {
        run.stand_in().wait_for("following");
        signal(child, Signal::INT);
        run.stand_in().wait_for("stopping");
        signal(child, Signal::INT);
    });
}

#[test]
fn a_command_has_its_own_exit_code_even_if_the_container_cannot_be_removed() {
    for (status, code) in [("0", 0), ("3", 3)] {
        let (docker, _server) = up();
        let docker = StandIn::new()
            .on("rm *", Reply::fails(1, "Error response from daemon: device or resource busy\n"))
            .and(docker);
        Run::new(["-q", "run", "CartPole-v1", "--", "sh", "-c", &format!("exit {status}")])
            .docker(docker)
            .status(code)
            .leaves(1)
            .stderr_with(["error: the container rlmesh-sandbox-cartpole-v1-<uuid> could not be removed"])
            .check();
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_command_ends_with_the_program_even_if_that_is_killed() {
    let (docker, _server) = up();
    let run =
        Run::new(["run", "CartPole-v1", "--", "sh", "-c", "echo $$ >pid; mv pid ready; exec sleep 600"]);
    let run = run.docker(docker).any_stderr().any_status().leaves(1);
    let mut pid = None;
    run.check_while(|run, child| {
        let ready = run.here().join("ready");
        pid = Some(eventually("the command", || std::fs::read_to_string(&ready).ok()));
        signal(child, Signal::KILL);
    });
    let process = std::path::PathBuf::from(format!("/proc/{}", pid.unwrap().trim()));
    eventually("the end of the command", || (!process.exists()).then_some(()));
}

#[test]
fn a_result_that_cannot_be_read_is_a_failure() {
    let (docker, _server) = up();
    let run = Run::line("-q run -d CartPole-v1")
        .docker(docker)
        .status(1)
        .stderr_with(["error: cannot write the result to stdout: it is closed\n"]);
    let command = run.command_of_a_shell("exec \"$@\" >&-");
    let checked = run.check_command(command, |_, _| {});
    assert!(checked.calls.iter().any(|call| call.starts_with("rm --force")), "{:?}", checked.calls);
    // A program that wants no result opens /dev/null as it likes.
    let (docker, _server) = up();
    let run = Run::line("-q run -d CartPole-v1").docker(docker);
    let command = run.command_of_a_shell("exec \"$@\" 1<>/dev/null");
    run.check_command(command, |_, _| {});
}

#[test]
fn a_current_folder_that_was_removed_is_not_needed() {
    let (docker, _server) = up();
    let run = Run::line("-q run -d CartPole-v1").docker(docker).stdout("tcp://127.0.0.1:<port>\n");
    let command = run.command_of_a_shell("mkdir gone && cd gone && rmdir ../gone && exec \"$@\"");
    run.check_command(command, |_, _| {});
}

#[test]
fn a_limit_on_the_size_of_files_is_an_error_and_not_the_end() {
    let (docker, _server) = up();
    let run = Run::line("-q run -d CartPole-v1").docker(docker).status(1).stderr_with(["File too large"]);
    let command = run.command_of_a_shell("ulimit -f 0 && exec \"$@\"");
    run.check_command(command, |_, _| {});
}
