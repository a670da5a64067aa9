//! The `rlmesh-sandbox` program: passes the command line to the library and exits with its exit code.

use std::process::ExitCode;

use rlmesh_sandbox::{Variables, commands};

fn main() -> ExitCode {
    let exit = commands::main(std::env::args_os(), Variables::of_this_process());
    ExitCode::from(exit.code())
}
