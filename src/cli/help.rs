//! What `--help`, `-h` and `--version` show in addition to the definitions, and in which order.

use std::sync::LazyLock;

use clap::{Arg, Command};

use crate::contract::PROTOCOL_GENERATION;
use crate::plan::rlmesh_package::default_rlmesh_package;

/// What `--version` prints. `-V` prints only the first line.
static LONG_VERSION: LazyLock<String> = LazyLock::new(|| {
    // What it was built from, if that is known: build.rs sets it.
    let commit = option_env!("RLMESH_SANDBOX_COMMIT").unwrap_or("unknown");
    let version = env!("CARGO_PKG_VERSION");
    let package = default_rlmesh_package();
    let rlmesh = package.split_once("==").map_or(package.as_str(), |(_, version)| version);
    format!("{version}\ncommit    {commit}\nprotocol  {PROTOCOL_GENERATION}\nrlmesh    {rlmesh}")
});

/// The options of verbs with a source that `-h` shows. `--help` shows all.
const SHORT_HELP: [&str; 15] = [
    "kind",
    "replicas",
    "image",
    "source",
    "command",
    "packages",
    "imports",
    "kwarg",
    "num_envs",
    "base_image",
    "detach",
    "check",
    "env",
    "format",
    "help",
];

/// The definition with examples, and with each option in its place.
pub(super) fn arranged(command: Command) -> Command {
    let command = command.long_version(LONG_VERSION.as_str()).after_long_help(PROGRAM);
    command.mut_args(in_order).mut_subcommands(|verb| {
        let verb = verb.mut_args(in_order);
        let verb = match examples(verb.get_name()) {
            "" => verb,
            examples => verb.after_long_help(examples),
        };
        let has_source = verb.get_arguments().any(|argument| argument.get_id() == "base_image");
        if !has_source {
            return verb;
        }
        let verb = verb.mut_args(|argument| {
            let is_shown = SHORT_HELP.contains(&argument.get_id().as_str());
            argument.hide_short_help(!is_shown)
        });
        verb.after_help("Use --help to see all options, with examples.")
    })
}

/// Gives an argument its place in the help, wherever its definition stands.
fn in_order(argument: Arg) -> Arg {
    match argument.get_id().as_str() {
        // Otherwise they would belong to the last heading before them.
        "command" | "format" => argument.help_heading(None),
        "color" | "progress" | "docker" => argument.hide_short_help(true),
        _ => argument,
    }
}

const PROGRAM: &str = "\
Examples:
  rlmesh-sandbox run CartPole-v1
  rlmesh-sandbox run CartPole-v1 -- python drive.py {address}
  rlmesh-sandbox check ./my_env
  rlmesh-sandbox ps
  rlmesh-sandbox stop 45d51db4c7f0

Exit codes:
  0         done
  1         any other failure
  2         the command line is not valid
  3         refused: code from the Hub needs your consent
  4         the source or the rlmesh wheel could not be resolved
  5         the image build failed
  6         the container failed to start or never became ready
  7         docker or buildx is missing, too old, or does not answer
  8         the build reached its memory limit
  130, 143  interrupted, terminated
  any       with `run … -- COMMAND`: the exit code of COMMAND";

/// The examples of a verb.
fn examples(verb: &str) -> &'static str {
    match verb {
        "init" => {
            "\
Examples:
  rlmesh-sandbox init ./my_env
  rlmesh-sandbox run ./my_env"
        }
        "build" => {
            "\
Examples:
  rlmesh-sandbox build CartPole-v1
  rlmesh-sandbox build ./my_env --push ghcr.io/org/my-env:1.0
  rlmesh-sandbox build CartPole-v1 --lock rlmesh.lock
  rlmesh-sandbox build MyEnv-v0 -p ./my_package -i my_package --dry-run"
        }
        "run" => {
            "\
Examples:
  rlmesh-sandbox run CartPole-v1
  rlmesh-sandbox run CartPole-v1 -- python drive.py {address}
  rlmesh-sandbox run -n 4 --vectorization-mode async CartPole-v1 -- pytest
  rlmesh-sandbox run ./my_env
  rlmesh-sandbox run MyEnv-v0 -p ./my_package -i my_package
  rlmesh-sandbox run ALE/Pong-v5 -p ale-py -i ale_py -k render_mode=rgb_array
  ADDRESS=$(rlmesh-sandbox run -d CartPole-v1)"
        }
        "check" => {
            "\
Examples:
  rlmesh-sandbox check CartPole-v1
  rlmesh-sandbox check LunarLander-v3 -p 'gymnasium[box2d]' -k render_mode=rgb_array
  rlmesh-sandbox run --check ALE/Pong-v5 -p ale-py -i ale_py"
        }
        "stop" => {
            "\
Examples:
  rlmesh-sandbox stop 45d51db4c7f0
  rlmesh-sandbox stop CartPole-v1
  rlmesh-sandbox stop tcp://127.0.0.1:49153
  rlmesh-sandbox stop --all --mine"
        }
        "reap" => {
            "\
Examples:
  rlmesh-sandbox reap --dry-run
  rlmesh-sandbox reap"
        }
        "hash" => {
            "\
Examples:
  rlmesh-sandbox hash CartPole-v1
  rlmesh-sandbox hash ./my_env --tag"
        }
        "ls" => {
            "\
Examples:
  rlmesh-sandbox ls hf://org/repo
  rlmesh-sandbox ls hf://org/repo@v1.0 --show env.py"
        }
        "manifest" => {
            "\
Examples:
  rlmesh-sandbox build CartPole-v1 --push registry.example.com/cartpole:1
  rlmesh-sandbox manifest CartPole-v1 -N 8 --image registry.example.com/cartpole:1 | kubectl apply -f -
  rlmesh-sandbox manifest CartPole-v1 -N 4 --kind compose > compose.yaml"
        }
        "ps" => {
            "\
Examples:
  rlmesh-sandbox ps --filter source=CartPole
  rlmesh-sandbox ps -q --filter owner=none
  rlmesh-sandbox ps --json | jq -r '.[].address'"
        }
        "inspect" => {
            "\
Examples:
  rlmesh-sandbox inspect 45d51db4c7f0
  rlmesh-sandbox inspect CartPole-v1 --json"
        }
        "images" => {
            "\
Examples:
  rlmesh-sandbox images
  rlmesh-sandbox images --json"
        }
        "logs" => {
            "\
Examples:
  rlmesh-sandbox logs -f CartPole-v1
  rlmesh-sandbox logs -n 20 --since 10m 45d51db4c7f0
  rlmesh-sandbox logs --build"
        }
        "prune" => {
            "\
Examples:
  rlmesh-sandbox prune --dry-run
  rlmesh-sandbox prune --older-than 7d
  rlmesh-sandbox prune --images --older-than 0"
        }
        "completions" => {
            "\
Examples:
  rlmesh-sandbox completions bash > ~/.local/share/bash-completion/completions/rlmesh-sandbox
  echo 'source <(rlmesh-sandbox completions bash)' >> ~/.bashrc
  echo 'source <(rlmesh-sandbox completions zsh)' >> ~/.zshrc
  rlmesh-sandbox completions fish > ~/.config/fish/completions/rlmesh-sandbox.fish
  echo 'eval (rlmesh-sandbox completions elvish | slurp)' >> ~/.config/elvish/rc.elv
  'rlmesh-sandbox completions powershell | Out-String | Invoke-Expression' >> $PROFILE"
        }
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    /// Every line of an example must be one that this program understands.
    #[test]
    fn the_examples_parse() {
        let mut command = crate::cli::command();
        command.build();
        let help = command.get_subcommands().chain([&command]).filter_map(|verb| verb.get_after_long_help());
        let text: String = help.map(|help| format!("{help}\n")).collect();
        let lines = text.lines().filter_map(|line| line.strip_prefix("  rlmesh-sandbox "));
        let lines: Vec<&str> = lines.map(|line| line.split(['>', '|']).next().unwrap_or(line)).collect();
        assert!(lines.len() > 20, "{lines:?}");
        for line in lines {
            let words = shlex::split(line).unwrap();
            let words = std::iter::once("rlmesh-sandbox".to_owned()).chain(words);
            crate::cli::parse(words).unwrap_or_else(|error| panic!("{line}: {error}"));
        }
    }
}
