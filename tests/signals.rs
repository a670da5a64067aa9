//! Signals at moments that are easy to miss, and closed or untrusted streams.

use std::os::unix::process::CommandExt as _;
use std::process::{Command, Stdio};

use rustix::process::Signal;

use crate::run::{ID, UNWATCHED, up, up_with};
use crate::support::{Reply, Run, StandIn, WAITS, program, signal};

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
    let ours = run.command();
    // As nohup and a shell's `&` start a process: with SIGHUP and SIGINT ignored.
    let mut command = Command::new("/bin/sh");
    command.args(["-c", "trap '' HUP INT; exec \"$@\"", "sh"]).arg(program()).args(ours.get_args());
    command.env_clear().envs(ours.get_envs().filter_map(|(name, value)| Some((name, value?))));
    command.current_dir(run.here()).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
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
        .on("container inspect *", Reply::stdout(crate::support::fixture("inspect/running.json")));
    let run = Run::line("logs 45d51db4c7f0").docker(docker);
    let (mut reader, writer) = std::io::pipe().unwrap();
    let mut command = run.command();
    command.stdout(writer);
    run.check_command(command, |_, _| {
        std::io::Read::read_exact(&mut reader, &mut [0; 100]).unwrap();
        drop(reader);
    });
}

#[test]
fn a_foreground_run_reads_the_log_once() {
    let (docker, _server) = up_with(Reply::default().marks("following").hangs());
    let run = Run::line("-q run CartPole-v1").docker(docker).stdout("tcp://127.0.0.1:<port>\n").status(143);
    // Long enough for the start to be over before the watch over it reads the log.
    let run = run.env(WAITS, "3");
    let checked = run.check_while(|run, child| {
        run.stand_in().wait_for("following");
        // Longer than that watch waits.
        std::thread::sleep(std::time::Duration::from_millis(1400));
        signal(child, Signal::TERM);
    });
    let reads = checked.calls.iter().filter(|call| call.starts_with("logs --follow")).count();
    assert_eq!(reads, 1, "{:?}", checked.calls);
}

#[test]
fn colours_and_quiet_hold_for_a_command_line_that_is_wrong() {
    Run::line("--color always run --bad")
        .status(2)
        .stderr("\x1b[1;31merror:\x1b[0m `run` has no option --bad\n\x1b[1;36mhint:\x1b[0m run `rlmesh-sandbox run --help` to list its options\n")
        .check();
}
