# Print an optspec for argparse to handle cmd's options that are independent of any subcommand.
function __fish_rlmesh_sandbox_global_optspecs
    string join \n q/quiet v/verbose json color= progress= docker= h/help V/version
end

function __fish_rlmesh_sandbox_needs_command
    # Figure out if the current invocation already has a command.
    set -l cmd (commandline -opc)
    set -e cmd[1]
    argparse -s (__fish_rlmesh_sandbox_global_optspecs) -- $cmd 2>/dev/null
    or return
    if set -q argv[1]
        # Also print the command, so this can be used to figure out what it is.
        echo $argv[1]
        return 1
    end
    return 0
end

function __fish_rlmesh_sandbox_using_subcommand
    set -l cmd (__fish_rlmesh_sandbox_needs_command)
    test -z "$cmd"
    and return 1
    contains -- $cmd[1] $argv
end

complete -c rlmesh-sandbox -n "__fish_rlmesh_sandbox_needs_command" -l color -d 'When to use colours [default: auto, which also honours NO_COLOR]' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t''
never\t''"
complete -c rlmesh-sandbox -n "__fish_rlmesh_sandbox_needs_command" -l progress -d 'How to show progress [default: auto]' -r -f -a "auto\t'Bars on a terminal, plain lines elsewhere'
plain\t'One line per finished step'
json\t'One JSON object per event, on stderr'
none\t''"
complete -c rlmesh-sandbox -n "__fish_rlmesh_sandbox_needs_command" -l docker -d 'The docker client to use [env: RLMESH_SANDBOX_DOCKER] [default: docker on PATH]' -r -F
complete -c rlmesh-sandbox -n "__fish_rlmesh_sandbox_needs_command" -s q -l quiet -d 'Print only results and errors'
complete -c rlmesh-sandbox -n "__fish_rlmesh_sandbox_needs_command" -s v -l verbose -d 'Also print each docker command as it runs'
complete -c rlmesh-sandbox -n "__fish_rlmesh_sandbox_needs_command" -l json -d 'Print results and errors as JSON: short for --format json, or jsonl where that is a stream'
complete -c rlmesh-sandbox -n "__fish_rlmesh_sandbox_needs_command" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c rlmesh-sandbox -n "__fish_rlmesh_sandbox_needs_command" -s V -l version -d 'Print version'
complete -c rlmesh-sandbox -n "__fish_rlmesh_sandbox_needs_command" -f -a "init" -d 'Write a new environment, as a start for your own'
complete -c rlmesh-sandbox -n "__fish_rlmesh_sandbox_needs_command" -f -a "build" -d 'Build the image for an environment and print its tag'
complete -c rlmesh-sandbox -n "__fish_rlmesh_sandbox_needs_command" -f -a "run" -d 'Start an environment, wait until it answers, and print its address'
complete -c rlmesh-sandbox -n "__fish_rlmesh_sandbox_needs_command" -f -a "check" -d 'Start an environment, use it once as a client does, and stop it'
complete -c rlmesh-sandbox -n "__fish_rlmesh_sandbox_needs_command" -f -a "stop" -d 'Stop sandboxes and remove their containers'
complete -c rlmesh-sandbox -n "__fish_rlmesh_sandbox_needs_command" -f -a "reap" -d 'Remove sandboxes whose owner is gone'
complete -c rlmesh-sandbox -n "__fish_rlmesh_sandbox_needs_command" -f -a "hash" -d 'Print the build hash of an environment, without Docker'
complete -c rlmesh-sandbox -n "__fish_rlmesh_sandbox_needs_command" -f -a "ls" -d 'List the files of a Hugging Face source, to review them before you trust it'
complete -c rlmesh-sandbox -n "__fish_rlmesh_sandbox_needs_command" -f -a "manifest" -d 'Print a Kubernetes manifest or a Compose file that starts an environment'
complete -c rlmesh-sandbox -n "__fish_rlmesh_sandbox_needs_command" -f -a "ps" -d 'List the sandboxes on this engine'
complete -c rlmesh-sandbox -n "__fish_rlmesh_sandbox_needs_command" -f -a "inspect" -d 'Show all about a sandbox: what it serves, its spaces and versions, its limits and labels'
complete -c rlmesh-sandbox -n "__fish_rlmesh_sandbox_needs_command" -f -a "logs" -d 'Print a sandbox\'s log, or that of the last failed build'
complete -c rlmesh-sandbox -n "__fish_rlmesh_sandbox_needs_command" -f -a "images" -d 'List the images that this tool and the rlmesh SDK built'
complete -c rlmesh-sandbox -n "__fish_rlmesh_sandbox_needs_command" -f -a "prune" -d 'Remove what is not needed any more: images, builders, cached files and logs'
complete -c rlmesh-sandbox -n "__fish_rlmesh_sandbox_needs_command" -f -a "doctor" -d 'Check that this machine can run sandboxes, and suggest how to fix what is missing'
complete -c rlmesh-sandbox -n "__fish_rlmesh_sandbox_needs_command" -f -a "completions" -d 'Print the completion script for a shell'
complete -c rlmesh-sandbox -n "__fish_rlmesh_sandbox_using_subcommand init" -l format -d 'The format of the result' -r -f -a "text\t'For people, and for `$(…)`'
json\t''"
complete -c rlmesh-sandbox -n "__fish_rlmesh_sandbox_using_subcommand init" -l color -d 'When to use colours [default: auto, which also honours NO_COLOR]' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t''
never\t''"
complete -c rlmesh-sandbox -n "__fish_rlmesh_sandbox_using_subcommand init" -l progress -d 'How to show progress [default: auto]' -r -f -a "auto\t'Bars on a terminal, plain lines elsewhere'
plain\t'One line per finished step'
json\t'One JSON object per event, on stderr'
none\t''"
complete -c rlmesh-sandbox -n "__fish_rlmesh_sandbox_using_subcommand init" -l docker -d 'The docker client to use [env: RLMESH_SANDBOX_DOCKER] [default: docker on PATH]' -r -F
complete -c rlmesh-sandbox -n "__fish_rlmesh_sandbox_using_subcommand init" -s q -l quiet -d 'Print only results and errors'
complete -c rlmesh-sandbox -n "__fish_rlmesh_sandbox_using_subcommand init" -s v -l verbose -d 'Also print each docker command as it runs'
complete -c rlmesh-sandbox -n "__fish_rlmesh_sandbox_using_subcommand init" -l json -d 'Print results and errors as JSON: short for --format json, or jsonl where that is a stream'
complete -c rlmesh-sandbox -n "__fish_rlmesh_sandbox_using_subcommand init" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c rlmesh-sandbox -n "__fish_rlmesh_sandbox_using_subcommand build" -l base-image -d 'The image to build on, with Python 3.10 or newer [env: RLMESH_SANDBOX_BASE_IMAGE] [default: python:3.11-slim]' -r
complete -c rlmesh-sandbox -n "__fish_rlmesh_sandbox_using_subcommand build" -l rlmesh-package -d 'The rlmesh to install: a pip requirement, a wheel file, or `local` for the newest wheel of the rlmesh checkout around this folder [env: RLMESH_SANDBOX_RLMESH_PACKAGE] [default: rlmesh==0.1.0]' -r
complete -c rlmesh-sandbox -n "__fish_rlmesh_sandbox_using_subcommand build" -s p -l package -d 'A pip requirement, or your own package: ./FOLDER, FILE.whl or FILE.tar.gz (can be repeated)' -r
complete -c rlmesh-sandbox -n "__fish_rlmesh_sandbox_using_subcommand build" -s i -l import -d 'A module to import before the environment is created, to register it, or a function to call (can be repeated)' -r
complete -c rlmesh-sandbox -n "__fish_rlmesh_sandbox_using_subcommand build" -l wrap -d 'A wrapper to apply to the environment; the first one is the innermost (can be repeated)' -r
complete -c rlmesh-sandbox -n "__fish_rlmesh_sandbox_using_subcommand build" -l lock -d 'Install exactly the packages in this lockfile, with their hashes; if it does not exist, write it after the build' -r -F
complete -c rlmesh-sandbox -n "__fish_rlmesh_sandbox_using_subcommand build" -l apt -d 'A Debian package to install, for a base image with apt (can be repeated)' -r
complete -c rlmesh-sandbox -n "__fish_rlmesh_sandbox_using_subcommand build" -l as-of -d 'Install the packages that were the newest on this date, such as 2025-03-31: for an environment that a newer package broke' -r
complete -c rlmesh-sandbox -n "__fish_rlmesh_sandbox_using_subcommand build" -l max-source-size -d 'The largest total size of the files of an hf:// source or a folder [env: RLMESH_SANDBOX_MAX_SOURCE_SIZE] [default: 10g]' -r
complete -c rlmesh-sandbox -n "__fish_rlmesh_sandbox_using_subcommand build" -l build-memory -d 'Memory limit of the build: 20g, 1.5g, 2048m, a number of bytes, off, or auto for the engine\'s memory minus 8 GiB [env: RLMESH_SANDBOX_BUILD_MEMORY] [default: off]' -r
complete -c rlmesh-sandbox -n "__fish_rlmesh_sandbox_using_subcommand build" -s k -l kwarg -d 'An argument for the environment (can be repeated); VALUE is JSON if it parses as JSON, otherwise text' -r
complete -c rlmesh-sandbox -n "__fish_rlmesh_sandbox_using_subcommand build" -l kwargs -d 'Arguments for the environment as one JSON object, or @FILE to read it from a file (@- for stdin)' -r
complete -c rlmesh-sandbox -n "__fish_rlmesh_sandbox_using_subcommand build" -s n -l num-envs -d 'How many copies of the environment to serve as one vector environment [default: 1]' -r
complete -c rlmesh-sandbox -n "__fish_rlmesh_sandbox_using_subcommand build" -l vectorization-mode -d 'How the copies are stepped: one after the other, or each in its own process [default: sync]' -r -f -a "sync\t'One after the other, in one process (`SyncVectorEnv`)'
async\t'Each in its own process (`AsyncVectorEnv`)'"
complete -c rlmesh-sandbox -n "__fish_rlmesh_sandbox_using_subcommand build" -l installer -d 'The installer for Python packages [default: uv, or pip where uv is not available]' -r -f -a "uv\t'uv, or pip if uv is not available'
pip\t'Always pip'"
complete -c rlmesh-sandbox -n "__fish_rlmesh_sandbox_using_subcommand build" -l ca-cert -d 'Certificates (PEM) that the build trusts in addition to its base image\'s, or `auto` for the file that SSL_CERT_FILE names; they do not become part of the image [env: RLMESH_SANDBOX_CA_CERT]' -r -F
complete -c rlmesh-sandbox -n "__fish_rlmesh_sandbox_using_subcommand build" -l platform -d 'Build for this platform instead of the engine\'s own, such as linux/arm64' -r
complete -c rlmesh-sandbox -n "__fish_rlmesh_sandbox_using_subcommand build" -l cache-from -d 'Import the build cache from here, as for `docker buildx build`: type=registry,ref=… (can be repeated)' -r
complete -c rlmesh-sandbox -n "__fish_rlmesh_sandbox_using_subcommand build" -l tag -d 'Give the image this additional name (can be repeated)' -r
complete -c rlmesh-sandbox -n "__fish_rlmesh_sandbox_using_subcommand build" -l push -d 'Give the image this additional name and push it to its registry (can be repeated)' -r
complete -c rlmesh-sandbox -n "__fish_rlmesh_sandbox_using_subcommand build" -l label -d 'A label for the image, set when it is built (can be repeated)' -r
complete -c rlmesh-sandbox -n "__fish_rlmesh_sandbox_using_subcommand build" -l cache-to -d 'Export the build cache to here, as for `docker buildx build`: type=local,dest=… (can be repeated)' -r
complete -c rlmesh-sandbox -n "__fish_rlmesh_sandbox_using_subcommand build" -l format -d 'The format of the result' -r -f -a "text\t'For people, and for `$(…)`'
json\t''"
complete -c rlmesh-sandbox -n "__fish_rlmesh_sandbox_using_subcommand build" -l color -d 'When to use colours [default: auto, which also honours NO_COLOR]' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t''
never\t''"
complete -c rlmesh-sandbox -n "__fish_rlmesh_sandbox_using_subcommand build" -l progress -d 'How to show progress [default: auto]' -r -f -a "auto\t'Bars on a terminal, plain lines elsewhere'
plain\t'One line per finished step'
json\t'One JSON object per event, on stderr'
none\t''"
complete -c rlmesh-sandbox -n "__fish_rlmesh_sandbox_using_subcommand build" -l docker -d 'The docker client to use [env: RLMESH_SANDBOX_DOCKER] [default: docker on PATH]' -r -F
complete -c rlmesh-sandbox -n "__fish_rlmesh_sandbox_using_subcommand build" -l no-auto -d 'Add nothing for known environments: no packages, imports, variables or wrappers that were not given'
complete -c rlmesh-sandbox -n "__fish_rlmesh_sandbox_using_subcommand build" -l trust-remote-code -d 'Allow an hf:// source to run its repository\'s code'
complete -c rlmesh-sandbox -n "__fish_rlmesh_sandbox_using_subcommand build" -l allow-unpinned-hf -d 'Allow an hf:// source whose revision is not a full commit id'
complete -c rlmesh-sandbox -n "__fish_rlmesh_sandbox_using_subcommand build" -l rebuild -d 'Build the image even if it exists'
complete -c rlmesh-sandbox -n "__fish_rlmesh_sandbox_using_subcommand build" -l pull -d 'Pull a newer base image if the registry has one, and build again'
complete -c rlmesh-sandbox -n "__fish_rlmesh_sandbox_using_subcommand build" -l dry-run -d 'Print the Dockerfile and the bootstrap JSON, but build nothing'
complete -c rlmesh-sandbox -n "__fish_rlmesh_sandbox_using_subcommand build" -s q -l quiet -d 'Print only results and errors'
complete -c rlmesh-sandbox -n "__fish_rlmesh_sandbox_using_subcommand build" -s v -l verbose -d 'Also print each docker command as it runs'
complete -c rlmesh-sandbox -n "__fish_rlmesh_sandbox_using_subcommand build" -l json -d 'Print results and errors as JSON: short for --format json, or jsonl where that is a stream'
complete -c rlmesh-sandbox -n "__fish_rlmesh_sandbox_using_subcommand build" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c rlmesh-sandbox -n "__fish_rlmesh_sandbox_using_subcommand run" -l base-image -d 'The image to build on, with Python 3.10 or newer [env: RLMESH_SANDBOX_BASE_IMAGE] [default: python:3.11-slim]' -r
complete -c rlmesh-sandbox -n "__fish_rlmesh_sandbox_using_subcommand run" -l rlmesh-package -d 'The rlmesh to install: a pip requirement, a wheel file, or `local` for the newest wheel of the rlmesh checkout around this folder [env: RLMESH_SANDBOX_RLMESH_PACKAGE] [default: rlmesh==0.1.0]' -r
complete -c rlmesh-sandbox -n "__fish_rlmesh_sandbox_using_subcommand run" -s p -l package -d 'A pip requirement, or your own package: ./FOLDER, FILE.whl or FILE.tar.gz (can be repeated)' -r
complete -c rlmesh-sandbox -n "__fish_rlmesh_sandbox_using_subcommand run" -s i -l import -d 'A module to import before the environment is created, to register it, or a function to call (can be repeated)' -r
complete -c rlmesh-sandbox -n "__fish_rlmesh_sandbox_using_subcommand run" -l wrap -d 'A wrapper to apply to the environment; the first one is the innermost (can be repeated)' -r
complete -c rlmesh-sandbox -n "__fish_rlmesh_sandbox_using_subcommand run" -l lock -d 'Install exactly the packages in this lockfile, with their hashes; if it does not exist, write it after the build' -r -F
complete -c rlmesh-sandbox -n "__fish_rlmesh_sandbox_using_subcommand run" -l apt -d 'A Debian package to install, for a base image with apt (can be repeated)' -r
complete -c rlmesh-sandbox -n "__fish_rlmesh_sandbox_using_subcommand run" -l as-of -d 'Install the packages that were the newest on this date, such as 2025-03-31: for an environment that a newer package broke' -r
complete -c rlmesh-sandbox -n "__fish_rlmesh_sandbox_using_subcommand run" -l max-source-size -d 'The largest total size of the files of an hf:// source or a folder [env: RLMESH_SANDBOX_MAX_SOURCE_SIZE] [default: 10g]' -r
complete -c rlmesh-sandbox -n "__fish_rlmesh_sandbox_using_subcommand run" -l build-memory -d 'Memory limit of the build: 20g, 1.5g, 2048m, a number of bytes, off, or auto for the engine\'s memory minus 8 GiB [env: RLMESH_SANDBOX_BUILD_MEMORY] [default: off]' -r
complete -c rlmesh-sandbox -n "__fish_rlmesh_sandbox_using_subcommand run" -s k -l kwarg -d 'An argument for the environment (can be repeated); VALUE is JSON if it parses as JSON, otherwise text' -r
complete -c rlmesh-sandbox -n "__fish_rlmesh_sandbox_using_subcommand run" -l kwargs -d 'Arguments for the environment as one JSON object, or @FILE to read it from a file (@- for stdin)' -r
complete -c rlmesh-sandbox -n "__fish_rlmesh_sandbox_using_subcommand run" -s n -l num-envs -d 'How many copies of the environment to serve as one vector environment [default: 1]' -r
complete -c rlmesh-sandbox -n "__fish_rlmesh_sandbox_using_subcommand run" -l vectorization-mode -d 'How the copies are stepped: one after the other, or each in its own process [default: sync]' -r -f -a "sync\t'One after the other, in one process (`SyncVectorEnv`)'
async\t'Each in its own process (`AsyncVectorEnv`)'"
complete -c rlmesh-sandbox -n "__fish_rlmesh_sandbox_using_subcommand run" -l installer -d 'The installer for Python packages [default: uv, or pip where uv is not available]' -r -f -a "uv\t'uv, or pip if uv is not available'
pip\t'Always pip'"
complete -c rlmesh-sandbox -n "__fish_rlmesh_sandbox_using_subcommand run" -l ca-cert -d 'Certificates (PEM) that the build trusts in addition to its base image\'s, or `auto` for the file that SSL_CERT_FILE names; they do not become part of the image [env: RLMESH_SANDBOX_CA_CERT]' -r -F
complete -c rlmesh-sandbox -n "__fish_rlmesh_sandbox_using_subcommand run" -l platform -d 'Build for this platform instead of the engine\'s own, such as linux/arm64' -r
complete -c rlmesh-sandbox -n "__fish_rlmesh_sandbox_using_subcommand run" -l cache-from -d 'Import the build cache from here, as for `docker buildx build`: type=registry,ref=… (can be repeated)' -r
complete -c rlmesh-sandbox -n "__fish_rlmesh_sandbox_using_subcommand run" -l owner-pid -d 'With -d: the process that owns the container (a script\'s $$); once it has ended, `reap` removes the container' -r
complete -c rlmesh-sandbox -n "__fish_rlmesh_sandbox_using_subcommand run" -l name -d 'The name of the container [default: rlmesh-sandbox-, the environment, and four characters]' -r
complete -c rlmesh-sandbox -n "__fish_rlmesh_sandbox_using_subcommand run" -s e -l env -d 'Set a variable in the container; a name alone takes its value from here (can be repeated)' -r
complete -c rlmesh-sandbox -n "__fish_rlmesh_sandbox_using_subcommand run" -l env-file -d 'Set the variables in this file, one NAME=VALUE or NAME on each line (can be repeated)' -r -F
complete -c rlmesh-sandbox -n "__fish_rlmesh_sandbox_using_subcommand run" -l shm-size -d 'The size of /dev/shm, such as 1g [default: Docker\'s, 64m]' -r
complete -c rlmesh-sandbox -n "__fish_rlmesh_sandbox_using_subcommand run" -l ready-timeout -d 'How long to wait for the environment to answer, in seconds or as 90s, 5m' -r
complete -c rlmesh-sandbox -n "__fish_rlmesh_sandbox_using_subcommand run" -l stop-timeout -d 'How long to wait for the environment to stop before it is killed, in seconds or as 30s, 2m' -r
complete -c rlmesh-sandbox -n "__fish_rlmesh_sandbox_using_subcommand run" -l format -d 'The format of the result' -r -f -a "text\t'For people, and for `$(…)`'
json\t''
env\t'NAME=value lines, ready for `>> "$GITHUB_ENV"`'"
complete -c rlmesh-sandbox -n "__fish_rlmesh_sandbox_using_subcommand run" -l color -d 'When to use colours [default: auto, which also honours NO_COLOR]' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t''
never\t''"
complete -c rlmesh-sandbox -n "__fish_rlmesh_sandbox_using_subcommand run" -l progress -d 'How to show progress [default: auto]' -r -f -a "auto\t'Bars on a terminal, plain lines elsewhere'
plain\t'One line per finished step'
json\t'One JSON object per event, on stderr'
none\t''"
complete -c rlmesh-sandbox -n "__fish_rlmesh_sandbox_using_subcommand run" -l docker -d 'The docker client to use [env: RLMESH_SANDBOX_DOCKER] [default: docker on PATH]' -r -F
complete -c rlmesh-sandbox -n "__fish_rlmesh_sandbox_using_subcommand run" -l no-auto -d 'Add nothing for known environments: no packages, imports, variables or wrappers that were not given'
complete -c rlmesh-sandbox -n "__fish_rlmesh_sandbox_using_subcommand run" -l trust-remote-code -d 'Allow an hf:// source to run its repository\'s code'
complete -c rlmesh-sandbox -n "__fish_rlmesh_sandbox_using_subcommand run" -l allow-unpinned-hf -d 'Allow an hf:// source whose revision is not a full commit id'
complete -c rlmesh-sandbox -n "__fish_rlmesh_sandbox_using_subcommand run" -l rebuild -d 'Build the image even if it exists'
complete -c rlmesh-sandbox -n "__fish_rlmesh_sandbox_using_subcommand run" -l pull -d 'Pull a newer base image if the registry has one, and build again'
complete -c rlmesh-sandbox -n "__fish_rlmesh_sandbox_using_subcommand run" -l dry-run -d 'Print the Dockerfile and the bootstrap JSON, but build nothing'
complete -c rlmesh-sandbox -n "__fish_rlmesh_sandbox_using_subcommand run" -s d -l detach -d 'Leave the container running in the background, without an owner, until `rlmesh-sandbox stop`'
complete -c rlmesh-sandbox -n "__fish_rlmesh_sandbox_using_subcommand run" -l check -d 'Reset, step and render the environment once before its address is printed; if that fails, stop it'
complete -c rlmesh-sandbox -n "__fish_rlmesh_sandbox_using_subcommand run" -s q -l quiet -d 'Print only results and errors'
complete -c rlmesh-sandbox -n "__fish_rlmesh_sandbox_using_subcommand run" -s v -l verbose -d 'Also print each docker command as it runs'
complete -c rlmesh-sandbox -n "__fish_rlmesh_sandbox_using_subcommand run" -l json -d 'Print results and errors as JSON: short for --format json, or jsonl where that is a stream'
complete -c rlmesh-sandbox -n "__fish_rlmesh_sandbox_using_subcommand run" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c rlmesh-sandbox -n "__fish_rlmesh_sandbox_using_subcommand check" -l base-image -d 'The image to build on, with Python 3.10 or newer [env: RLMESH_SANDBOX_BASE_IMAGE] [default: python:3.11-slim]' -r
complete -c rlmesh-sandbox -n "__fish_rlmesh_sandbox_using_subcommand check" -l rlmesh-package -d 'The rlmesh to install: a pip requirement, a wheel file, or `local` for the newest wheel of the rlmesh checkout around this folder [env: RLMESH_SANDBOX_RLMESH_PACKAGE] [default: rlmesh==0.1.0]' -r
complete -c rlmesh-sandbox -n "__fish_rlmesh_sandbox_using_subcommand check" -s p -l package -d 'A pip requirement, or your own package: ./FOLDER, FILE.whl or FILE.tar.gz (can be repeated)' -r
complete -c rlmesh-sandbox -n "__fish_rlmesh_sandbox_using_subcommand check" -s i -l import -d 'A module to import before the environment is created, to register it, or a function to call (can be repeated)' -r
complete -c rlmesh-sandbox -n "__fish_rlmesh_sandbox_using_subcommand check" -l wrap -d 'A wrapper to apply to the environment; the first one is the innermost (can be repeated)' -r
complete -c rlmesh-sandbox -n "__fish_rlmesh_sandbox_using_subcommand check" -l lock -d 'Install exactly the packages in this lockfile, with their hashes; if it does not exist, write it after the build' -r -F
complete -c rlmesh-sandbox -n "__fish_rlmesh_sandbox_using_subcommand check" -l apt -d 'A Debian package to install, for a base image with apt (can be repeated)' -r
complete -c rlmesh-sandbox -n "__fish_rlmesh_sandbox_using_subcommand check" -l as-of -d 'Install the packages that were the newest on this date, such as 2025-03-31: for an environment that a newer package broke' -r
complete -c rlmesh-sandbox -n "__fish_rlmesh_sandbox_using_subcommand check" -l max-source-size -d 'The largest total size of the files of an hf:// source or a folder [env: RLMESH_SANDBOX_MAX_SOURCE_SIZE] [default: 10g]' -r
complete -c rlmesh-sandbox -n "__fish_rlmesh_sandbox_using_subcommand check" -l build-memory -d 'Memory limit of the build: 20g, 1.5g, 2048m, a number of bytes, off, or auto for the engine\'s memory minus 8 GiB [env: RLMESH_SANDBOX_BUILD_MEMORY] [default: off]' -r
complete -c rlmesh-sandbox -n "__fish_rlmesh_sandbox_using_subcommand check" -s k -l kwarg -d 'An argument for the environment (can be repeated); VALUE is JSON if it parses as JSON, otherwise text' -r
complete -c rlmesh-sandbox -n "__fish_rlmesh_sandbox_using_subcommand check" -l kwargs -d 'Arguments for the environment as one JSON object, or @FILE to read it from a file (@- for stdin)' -r
complete -c rlmesh-sandbox -n "__fish_rlmesh_sandbox_using_subcommand check" -s n -l num-envs -d 'How many copies of the environment to serve as one vector environment [default: 1]' -r
complete -c rlmesh-sandbox -n "__fish_rlmesh_sandbox_using_subcommand check" -l vectorization-mode -d 'How the copies are stepped: one after the other, or each in its own process [default: sync]' -r -f -a "sync\t'One after the other, in one process (`SyncVectorEnv`)'
async\t'Each in its own process (`AsyncVectorEnv`)'"
complete -c rlmesh-sandbox -n "__fish_rlmesh_sandbox_using_subcommand check" -l installer -d 'The installer for Python packages [default: uv, or pip where uv is not available]' -r -f -a "uv\t'uv, or pip if uv is not available'
pip\t'Always pip'"
complete -c rlmesh-sandbox -n "__fish_rlmesh_sandbox_using_subcommand check" -l ca-cert -d 'Certificates (PEM) that the build trusts in addition to its base image\'s, or `auto` for the file that SSL_CERT_FILE names; they do not become part of the image [env: RLMESH_SANDBOX_CA_CERT]' -r -F
complete -c rlmesh-sandbox -n "__fish_rlmesh_sandbox_using_subcommand check" -l platform -d 'Build for this platform instead of the engine\'s own, such as linux/arm64' -r
complete -c rlmesh-sandbox -n "__fish_rlmesh_sandbox_using_subcommand check" -l cache-from -d 'Import the build cache from here, as for `docker buildx build`: type=registry,ref=… (can be repeated)' -r
complete -c rlmesh-sandbox -n "__fish_rlmesh_sandbox_using_subcommand check" -s e -l env -d 'Set a variable in the container; a name alone takes its value from here (can be repeated)' -r
complete -c rlmesh-sandbox -n "__fish_rlmesh_sandbox_using_subcommand check" -l env-file -d 'Set the variables in this file, one NAME=VALUE or NAME on each line (can be repeated)' -r -F
complete -c rlmesh-sandbox -n "__fish_rlmesh_sandbox_using_subcommand check" -l shm-size -d 'The size of /dev/shm, such as 1g [default: Docker\'s, 64m]' -r
complete -c rlmesh-sandbox -n "__fish_rlmesh_sandbox_using_subcommand check" -l ready-timeout -d 'How long to wait for the environment to answer, in seconds or as 90s, 5m' -r
complete -c rlmesh-sandbox -n "__fish_rlmesh_sandbox_using_subcommand check" -l stop-timeout -d 'How long to wait for the environment to stop before it is killed, in seconds or as 30s, 2m' -r
complete -c rlmesh-sandbox -n "__fish_rlmesh_sandbox_using_subcommand check" -l format -d 'The format of the result' -r -f -a "text\t'For people, and for `$(…)`'
json\t''"
complete -c rlmesh-sandbox -n "__fish_rlmesh_sandbox_using_subcommand check" -l color -d 'When to use colours [default: auto, which also honours NO_COLOR]' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t''
never\t''"
complete -c rlmesh-sandbox -n "__fish_rlmesh_sandbox_using_subcommand check" -l progress -d 'How to show progress [default: auto]' -r -f -a "auto\t'Bars on a terminal, plain lines elsewhere'
plain\t'One line per finished step'
json\t'One JSON object per event, on stderr'
none\t''"
complete -c rlmesh-sandbox -n "__fish_rlmesh_sandbox_using_subcommand check" -l docker -d 'The docker client to use [env: RLMESH_SANDBOX_DOCKER] [default: docker on PATH]' -r -F
complete -c rlmesh-sandbox -n "__fish_rlmesh_sandbox_using_subcommand check" -l no-auto -d 'Add nothing for known environments: no packages, imports, variables or wrappers that were not given'
complete -c rlmesh-sandbox -n "__fish_rlmesh_sandbox_using_subcommand check" -l trust-remote-code -d 'Allow an hf:// source to run its repository\'s code'
complete -c rlmesh-sandbox -n "__fish_rlmesh_sandbox_using_subcommand check" -l allow-unpinned-hf -d 'Allow an hf:// source whose revision is not a full commit id'
complete -c rlmesh-sandbox -n "__fish_rlmesh_sandbox_using_subcommand check" -l rebuild -d 'Build the image even if it exists'
complete -c rlmesh-sandbox -n "__fish_rlmesh_sandbox_using_subcommand check" -l pull -d 'Pull a newer base image if the registry has one, and build again'
complete -c rlmesh-sandbox -n "__fish_rlmesh_sandbox_using_subcommand check" -l dry-run -d 'Print the Dockerfile and the bootstrap JSON, but build nothing'
complete -c rlmesh-sandbox -n "__fish_rlmesh_sandbox_using_subcommand check" -s q -l quiet -d 'Print only results and errors'
complete -c rlmesh-sandbox -n "__fish_rlmesh_sandbox_using_subcommand check" -s v -l verbose -d 'Also print each docker command as it runs'
complete -c rlmesh-sandbox -n "__fish_rlmesh_sandbox_using_subcommand check" -l json -d 'Print results and errors as JSON: short for --format json, or jsonl where that is a stream'
complete -c rlmesh-sandbox -n "__fish_rlmesh_sandbox_using_subcommand check" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c rlmesh-sandbox -n "__fish_rlmesh_sandbox_using_subcommand stop" -s t -l timeout -d 'How long to wait for a sandbox to stop before it is killed, in seconds or as 30s, 2m' -r
complete -c rlmesh-sandbox -n "__fish_rlmesh_sandbox_using_subcommand stop" -l format -d 'The format of the result' -r -f -a "text\t'For people, and for `$(…)`'
json\t'One array'
jsonl\t'One object on each line'"
complete -c rlmesh-sandbox -n "__fish_rlmesh_sandbox_using_subcommand stop" -l color -d 'When to use colours [default: auto, which also honours NO_COLOR]' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t''
never\t''"
complete -c rlmesh-sandbox -n "__fish_rlmesh_sandbox_using_subcommand stop" -l progress -d 'How to show progress [default: auto]' -r -f -a "auto\t'Bars on a terminal, plain lines elsewhere'
plain\t'One line per finished step'
json\t'One JSON object per event, on stderr'
none\t''"
complete -c rlmesh-sandbox -n "__fish_rlmesh_sandbox_using_subcommand stop" -l docker -d 'The docker client to use [env: RLMESH_SANDBOX_DOCKER] [default: docker on PATH]' -r -F
complete -c rlmesh-sandbox -n "__fish_rlmesh_sandbox_using_subcommand stop" -s a -l all -d 'Stop every sandbox that matches SANDBOX; without SANDBOX, every sandbox on this engine, including those of other users'
complete -c rlmesh-sandbox -n "__fish_rlmesh_sandbox_using_subcommand stop" -l mine -d 'Stop every sandbox except those that belong to other running processes or to other machines'
complete -c rlmesh-sandbox -n "__fish_rlmesh_sandbox_using_subcommand stop" -s y -l yes -d 'With --all: do not ask before sandboxes of other processes are stopped'
complete -c rlmesh-sandbox -n "__fish_rlmesh_sandbox_using_subcommand stop" -s q -l quiet -d 'Print only results and errors'
complete -c rlmesh-sandbox -n "__fish_rlmesh_sandbox_using_subcommand stop" -s v -l verbose -d 'Also print each docker command as it runs'
complete -c rlmesh-sandbox -n "__fish_rlmesh_sandbox_using_subcommand stop" -l json -d 'Print results and errors as JSON: short for --format json, or jsonl where that is a stream'
complete -c rlmesh-sandbox -n "__fish_rlmesh_sandbox_using_subcommand stop" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c rlmesh-sandbox -n "__fish_rlmesh_sandbox_using_subcommand reap" -l format -d 'The format of the result' -r -f -a "text\t'For people, and for `$(…)`'
json\t'One array'
jsonl\t'One object on each line'"
complete -c rlmesh-sandbox -n "__fish_rlmesh_sandbox_using_subcommand reap" -l color -d 'When to use colours [default: auto, which also honours NO_COLOR]' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t''
never\t''"
complete -c rlmesh-sandbox -n "__fish_rlmesh_sandbox_using_subcommand reap" -l progress -d 'How to show progress [default: auto]' -r -f -a "auto\t'Bars on a terminal, plain lines elsewhere'
plain\t'One line per finished step'
json\t'One JSON object per event, on stderr'
none\t''"
complete -c rlmesh-sandbox -n "__fish_rlmesh_sandbox_using_subcommand reap" -l docker -d 'The docker client to use [env: RLMESH_SANDBOX_DOCKER] [default: docker on PATH]' -r -F
complete -c rlmesh-sandbox -n "__fish_rlmesh_sandbox_using_subcommand reap" -l dry-run -d 'Print what would be removed, and why the rest stays, but remove nothing'
complete -c rlmesh-sandbox -n "__fish_rlmesh_sandbox_using_subcommand reap" -s q -l quiet -d 'Print only results and errors'
complete -c rlmesh-sandbox -n "__fish_rlmesh_sandbox_using_subcommand reap" -s v -l verbose -d 'Also print each docker command as it runs'
complete -c rlmesh-sandbox -n "__fish_rlmesh_sandbox_using_subcommand reap" -l json -d 'Print results and errors as JSON: short for --format json, or jsonl where that is a stream'
complete -c rlmesh-sandbox -n "__fish_rlmesh_sandbox_using_subcommand reap" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c rlmesh-sandbox -n "__fish_rlmesh_sandbox_using_subcommand hash" -l base-image -d 'The image to build on, with Python 3.10 or newer [env: RLMESH_SANDBOX_BASE_IMAGE] [default: python:3.11-slim]' -r
complete -c rlmesh-sandbox -n "__fish_rlmesh_sandbox_using_subcommand hash" -l rlmesh-package -d 'The rlmesh to install: a pip requirement, a wheel file, or `local` for the newest wheel of the rlmesh checkout around this folder [env: RLMESH_SANDBOX_RLMESH_PACKAGE] [default: rlmesh==0.1.0]' -r
complete -c rlmesh-sandbox -n "__fish_rlmesh_sandbox_using_subcommand hash" -s p -l package -d 'A pip requirement, or your own package: ./FOLDER, FILE.whl or FILE.tar.gz (can be repeated)' -r
complete -c rlmesh-sandbox -n "__fish_rlmesh_sandbox_using_subcommand hash" -s i -l import -d 'A module to import before the environment is created, to register it, or a function to call (can be repeated)' -r
complete -c rlmesh-sandbox -n "__fish_rlmesh_sandbox_using_subcommand hash" -l wrap -d 'A wrapper to apply to the environment; the first one is the innermost (can be repeated)' -r
complete -c rlmesh-sandbox -n "__fish_rlmesh_sandbox_using_subcommand hash" -l lock -d 'Install exactly the packages in this lockfile, with their hashes; if it does not exist, write it after the build' -r -F
complete -c rlmesh-sandbox -n "__fish_rlmesh_sandbox_using_subcommand hash" -l apt -d 'A Debian package to install, for a base image with apt (can be repeated)' -r
complete -c rlmesh-sandbox -n "__fish_rlmesh_sandbox_using_subcommand hash" -l as-of -d 'Install the packages that were the newest on this date, such as 2025-03-31: for an environment that a newer package broke' -r
complete -c rlmesh-sandbox -n "__fish_rlmesh_sandbox_using_subcommand hash" -l max-source-size -d 'The largest total size of the files of an hf:// source or a folder [env: RLMESH_SANDBOX_MAX_SOURCE_SIZE] [default: 10g]' -r
complete -c rlmesh-sandbox -n "__fish_rlmesh_sandbox_using_subcommand hash" -l build-memory -d 'Memory limit of the build: 20g, 1.5g, 2048m, a number of bytes, off, or auto for the engine\'s memory minus 8 GiB [env: RLMESH_SANDBOX_BUILD_MEMORY] [default: off]' -r
complete -c rlmesh-sandbox -n "__fish_rlmesh_sandbox_using_subcommand hash" -s k -l kwarg -d 'An argument for the environment (can be repeated); VALUE is JSON if it parses as JSON, otherwise text' -r
complete -c rlmesh-sandbox -n "__fish_rlmesh_sandbox_using_subcommand hash" -l kwargs -d 'Arguments for the environment as one JSON object, or @FILE to read it from a file (@- for stdin)' -r
complete -c rlmesh-sandbox -n "__fish_rlmesh_sandbox_using_subcommand hash" -s n -l num-envs -d 'How many copies of the environment to serve as one vector environment [default: 1]' -r
complete -c rlmesh-sandbox -n "__fish_rlmesh_sandbox_using_subcommand hash" -l vectorization-mode -d 'How the copies are stepped: one after the other, or each in its own process [default: sync]' -r -f -a "sync\t'One after the other, in one process (`SyncVectorEnv`)'
async\t'Each in its own process (`AsyncVectorEnv`)'"
complete -c rlmesh-sandbox -n "__fish_rlmesh_sandbox_using_subcommand hash" -l format -d 'The format of the result' -r -f -a "text\t'For people, and for `$(…)`'
json\t''"
complete -c rlmesh-sandbox -n "__fish_rlmesh_sandbox_using_subcommand hash" -l color -d 'When to use colours [default: auto, which also honours NO_COLOR]' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t''
never\t''"
complete -c rlmesh-sandbox -n "__fish_rlmesh_sandbox_using_subcommand hash" -l progress -d 'How to show progress [default: auto]' -r -f -a "auto\t'Bars on a terminal, plain lines elsewhere'
plain\t'One line per finished step'
json\t'One JSON object per event, on stderr'
none\t''"
complete -c rlmesh-sandbox -n "__fish_rlmesh_sandbox_using_subcommand hash" -l docker -d 'The docker client to use [env: RLMESH_SANDBOX_DOCKER] [default: docker on PATH]' -r -F
complete -c rlmesh-sandbox -n "__fish_rlmesh_sandbox_using_subcommand hash" -l no-auto -d 'Add nothing for known environments: no packages, imports, variables or wrappers that were not given'
complete -c rlmesh-sandbox -n "__fish_rlmesh_sandbox_using_subcommand hash" -l trust-remote-code -d 'Allow an hf:// source to run its repository\'s code'
complete -c rlmesh-sandbox -n "__fish_rlmesh_sandbox_using_subcommand hash" -l allow-unpinned-hf -d 'Allow an hf:// source whose revision is not a full commit id'
complete -c rlmesh-sandbox -n "__fish_rlmesh_sandbox_using_subcommand hash" -l tag -d 'Print the image tag instead'
complete -c rlmesh-sandbox -n "__fish_rlmesh_sandbox_using_subcommand hash" -s q -l quiet -d 'Print only results and errors'
complete -c rlmesh-sandbox -n "__fish_rlmesh_sandbox_using_subcommand hash" -s v -l verbose -d 'Also print each docker command as it runs'
complete -c rlmesh-sandbox -n "__fish_rlmesh_sandbox_using_subcommand hash" -l json -d 'Print results and errors as JSON: short for --format json, or jsonl where that is a stream'
complete -c rlmesh-sandbox -n "__fish_rlmesh_sandbox_using_subcommand hash" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c rlmesh-sandbox -n "__fish_rlmesh_sandbox_using_subcommand ls" -l show -d 'Print this file, such as env.py, instead of the list' -r
complete -c rlmesh-sandbox -n "__fish_rlmesh_sandbox_using_subcommand ls" -l format -d 'The format of the result' -r -f -a "text\t'For people, and for `$(…)`'
json\t''"
complete -c rlmesh-sandbox -n "__fish_rlmesh_sandbox_using_subcommand ls" -l color -d 'When to use colours [default: auto, which also honours NO_COLOR]' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t''
never\t''"
complete -c rlmesh-sandbox -n "__fish_rlmesh_sandbox_using_subcommand ls" -l progress -d 'How to show progress [default: auto]' -r -f -a "auto\t'Bars on a terminal, plain lines elsewhere'
plain\t'One line per finished step'
json\t'One JSON object per event, on stderr'
none\t''"
complete -c rlmesh-sandbox -n "__fish_rlmesh_sandbox_using_subcommand ls" -l docker -d 'The docker client to use [env: RLMESH_SANDBOX_DOCKER] [default: docker on PATH]' -r -F
complete -c rlmesh-sandbox -n "__fish_rlmesh_sandbox_using_subcommand ls" -s q -l quiet -d 'Print only results and errors'
complete -c rlmesh-sandbox -n "__fish_rlmesh_sandbox_using_subcommand ls" -s v -l verbose -d 'Also print each docker command as it runs'
complete -c rlmesh-sandbox -n "__fish_rlmesh_sandbox_using_subcommand ls" -l json -d 'Print results and errors as JSON: short for --format json, or jsonl where that is a stream'
complete -c rlmesh-sandbox -n "__fish_rlmesh_sandbox_using_subcommand ls" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c rlmesh-sandbox -n "__fish_rlmesh_sandbox_using_subcommand manifest" -l base-image -d 'The image to build on, with Python 3.10 or newer [env: RLMESH_SANDBOX_BASE_IMAGE] [default: python:3.11-slim]' -r
complete -c rlmesh-sandbox -n "__fish_rlmesh_sandbox_using_subcommand manifest" -l rlmesh-package -d 'The rlmesh to install: a pip requirement, a wheel file, or `local` for the newest wheel of the rlmesh checkout around this folder [env: RLMESH_SANDBOX_RLMESH_PACKAGE] [default: rlmesh==0.1.0]' -r
complete -c rlmesh-sandbox -n "__fish_rlmesh_sandbox_using_subcommand manifest" -s p -l package -d 'A pip requirement, or your own package: ./FOLDER, FILE.whl or FILE.tar.gz (can be repeated)' -r
complete -c rlmesh-sandbox -n "__fish_rlmesh_sandbox_using_subcommand manifest" -s i -l import -d 'A module to import before the environment is created, to register it, or a function to call (can be repeated)' -r
complete -c rlmesh-sandbox -n "__fish_rlmesh_sandbox_using_subcommand manifest" -l wrap -d 'A wrapper to apply to the environment; the first one is the innermost (can be repeated)' -r
complete -c rlmesh-sandbox -n "__fish_rlmesh_sandbox_using_subcommand manifest" -l lock -d 'Install exactly the packages in this lockfile, with their hashes; if it does not exist, write it after the build' -r -F
complete -c rlmesh-sandbox -n "__fish_rlmesh_sandbox_using_subcommand manifest" -l apt -d 'A Debian package to install, for a base image with apt (can be repeated)' -r
complete -c rlmesh-sandbox -n "__fish_rlmesh_sandbox_using_subcommand manifest" -l as-of -d 'Install the packages that were the newest on this date, such as 2025-03-31: for an environment that a newer package broke' -r
complete -c rlmesh-sandbox -n "__fish_rlmesh_sandbox_using_subcommand manifest" -l max-source-size -d 'The largest total size of the files of an hf:// source or a folder [env: RLMESH_SANDBOX_MAX_SOURCE_SIZE] [default: 10g]' -r
complete -c rlmesh-sandbox -n "__fish_rlmesh_sandbox_using_subcommand manifest" -l build-memory -d 'Memory limit of the build: 20g, 1.5g, 2048m, a number of bytes, off, or auto for the engine\'s memory minus 8 GiB [env: RLMESH_SANDBOX_BUILD_MEMORY] [default: off]' -r
complete -c rlmesh-sandbox -n "__fish_rlmesh_sandbox_using_subcommand manifest" -s k -l kwarg -d 'An argument for the environment (can be repeated); VALUE is JSON if it parses as JSON, otherwise text' -r
complete -c rlmesh-sandbox -n "__fish_rlmesh_sandbox_using_subcommand manifest" -l kwargs -d 'Arguments for the environment as one JSON object, or @FILE to read it from a file (@- for stdin)' -r
complete -c rlmesh-sandbox -n "__fish_rlmesh_sandbox_using_subcommand manifest" -s n -l num-envs -d 'How many copies of the environment to serve as one vector environment [default: 1]' -r
complete -c rlmesh-sandbox -n "__fish_rlmesh_sandbox_using_subcommand manifest" -l vectorization-mode -d 'How the copies are stepped: one after the other, or each in its own process [default: sync]' -r -f -a "sync\t'One after the other, in one process (`SyncVectorEnv`)'
async\t'Each in its own process (`AsyncVectorEnv`)'"
complete -c rlmesh-sandbox -n "__fish_rlmesh_sandbox_using_subcommand manifest" -l kind -d 'What to print' -r -f -a "kubernetes\t'A StatefulSet (with --ttl: a Job), its Service and its NetworkPolicy'
compose\t'A Compose file'"
complete -c rlmesh-sandbox -n "__fish_rlmesh_sandbox_using_subcommand manifest" -s N -l replicas -d 'The number of containers' -r
complete -c rlmesh-sandbox -n "__fish_rlmesh_sandbox_using_subcommand manifest" -l name -d 'The name of the StatefulSet, Job, Service and NetworkPolicy, or of the Compose project [default: from the source]' -r
complete -c rlmesh-sandbox -n "__fish_rlmesh_sandbox_using_subcommand manifest" -l image -d 'The image as the nodes pull it, such as registry.example.com/envs/cartpole:1 [default: its local tag]' -r
complete -c rlmesh-sandbox -n "__fish_rlmesh_sandbox_using_subcommand manifest" -l ttl -d 'Kubernetes: end the containers after this time, such as 2h; it makes the StatefulSet a Job' -r
complete -c rlmesh-sandbox -n "__fish_rlmesh_sandbox_using_subcommand manifest" -l memory -d 'The memory limit of each container' -r
complete -c rlmesh-sandbox -n "__fish_rlmesh_sandbox_using_subcommand manifest" -l cpus -d 'The CPU limit of each container, in cores' -r
complete -c rlmesh-sandbox -n "__fish_rlmesh_sandbox_using_subcommand manifest" -l tmp-size -d 'The size of /tmp, the only folder that the environment can write to' -r
complete -c rlmesh-sandbox -n "__fish_rlmesh_sandbox_using_subcommand manifest" -l format -d 'The format of the result: `text` is YAML' -r -f -a "text\t'For people, and for `$(…)`'
json\t''"
complete -c rlmesh-sandbox -n "__fish_rlmesh_sandbox_using_subcommand manifest" -l color -d 'When to use colours [default: auto, which also honours NO_COLOR]' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t''
never\t''"
complete -c rlmesh-sandbox -n "__fish_rlmesh_sandbox_using_subcommand manifest" -l progress -d 'How to show progress [default: auto]' -r -f -a "auto\t'Bars on a terminal, plain lines elsewhere'
plain\t'One line per finished step'
json\t'One JSON object per event, on stderr'
none\t''"
complete -c rlmesh-sandbox -n "__fish_rlmesh_sandbox_using_subcommand manifest" -l docker -d 'The docker client to use [env: RLMESH_SANDBOX_DOCKER] [default: docker on PATH]' -r -F
complete -c rlmesh-sandbox -n "__fish_rlmesh_sandbox_using_subcommand manifest" -l no-auto -d 'Add nothing for known environments: no packages, imports, variables or wrappers that were not given'
complete -c rlmesh-sandbox -n "__fish_rlmesh_sandbox_using_subcommand manifest" -l trust-remote-code -d 'Allow an hf:// source to run its repository\'s code'
complete -c rlmesh-sandbox -n "__fish_rlmesh_sandbox_using_subcommand manifest" -l allow-unpinned-hf -d 'Allow an hf:// source whose revision is not a full commit id'
complete -c rlmesh-sandbox -n "__fish_rlmesh_sandbox_using_subcommand manifest" -s q -l quiet -d 'Print only results and errors'
complete -c rlmesh-sandbox -n "__fish_rlmesh_sandbox_using_subcommand manifest" -s v -l verbose -d 'Also print each docker command as it runs'
complete -c rlmesh-sandbox -n "__fish_rlmesh_sandbox_using_subcommand manifest" -l json -d 'Print results and errors as JSON: short for --format json, or jsonl where that is a stream'
complete -c rlmesh-sandbox -n "__fish_rlmesh_sandbox_using_subcommand manifest" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c rlmesh-sandbox -n "__fish_rlmesh_sandbox_using_subcommand ps" -s f -l filter -d 'List only these: source=TEXT, name=TEXT, image=TEXT, state=running, owner=none|alive|gone|unknown|PID (can be repeated)' -r
complete -c rlmesh-sandbox -n "__fish_rlmesh_sandbox_using_subcommand ps" -l format -d 'The format of the result' -r -f -a "text\t'For people, and for `$(…)`'
json\t'One array'
jsonl\t'One object on each line'"
complete -c rlmesh-sandbox -n "__fish_rlmesh_sandbox_using_subcommand ps" -l color -d 'When to use colours [default: auto, which also honours NO_COLOR]' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t''
never\t''"
complete -c rlmesh-sandbox -n "__fish_rlmesh_sandbox_using_subcommand ps" -l progress -d 'How to show progress [default: auto]' -r -f -a "auto\t'Bars on a terminal, plain lines elsewhere'
plain\t'One line per finished step'
json\t'One JSON object per event, on stderr'
none\t''"
complete -c rlmesh-sandbox -n "__fish_rlmesh_sandbox_using_subcommand ps" -l docker -d 'The docker client to use [env: RLMESH_SANDBOX_DOCKER] [default: docker on PATH]' -r -F
complete -c rlmesh-sandbox -n "__fish_rlmesh_sandbox_using_subcommand ps" -s q -l quiet -d 'Print only results and errors'
complete -c rlmesh-sandbox -n "__fish_rlmesh_sandbox_using_subcommand ps" -s v -l verbose -d 'Also print each docker command as it runs'
complete -c rlmesh-sandbox -n "__fish_rlmesh_sandbox_using_subcommand ps" -l json -d 'Print results and errors as JSON: short for --format json, or jsonl where that is a stream'
complete -c rlmesh-sandbox -n "__fish_rlmesh_sandbox_using_subcommand ps" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c rlmesh-sandbox -n "__fish_rlmesh_sandbox_using_subcommand inspect" -l format -d 'The format of the result' -r -f -a "text\t'For people, and for `$(…)`'
json\t''"
complete -c rlmesh-sandbox -n "__fish_rlmesh_sandbox_using_subcommand inspect" -l color -d 'When to use colours [default: auto, which also honours NO_COLOR]' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t''
never\t''"
complete -c rlmesh-sandbox -n "__fish_rlmesh_sandbox_using_subcommand inspect" -l progress -d 'How to show progress [default: auto]' -r -f -a "auto\t'Bars on a terminal, plain lines elsewhere'
plain\t'One line per finished step'
json\t'One JSON object per event, on stderr'
none\t''"
complete -c rlmesh-sandbox -n "__fish_rlmesh_sandbox_using_subcommand inspect" -l docker -d 'The docker client to use [env: RLMESH_SANDBOX_DOCKER] [default: docker on PATH]' -r -F
complete -c rlmesh-sandbox -n "__fish_rlmesh_sandbox_using_subcommand inspect" -s q -l quiet -d 'Print only results and errors'
complete -c rlmesh-sandbox -n "__fish_rlmesh_sandbox_using_subcommand inspect" -s v -l verbose -d 'Also print each docker command as it runs'
complete -c rlmesh-sandbox -n "__fish_rlmesh_sandbox_using_subcommand inspect" -l json -d 'Print results and errors as JSON: short for --format json, or jsonl where that is a stream'
complete -c rlmesh-sandbox -n "__fish_rlmesh_sandbox_using_subcommand inspect" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c rlmesh-sandbox -n "__fish_rlmesh_sandbox_using_subcommand logs" -s n -l tail -l lines -d 'Print only the last N lines' -r
complete -c rlmesh-sandbox -n "__fish_rlmesh_sandbox_using_subcommand logs" -l since -d 'Print only what was written since then: 90s, 10m, 2h, or a time such as 2026-11-25T09:00:00Z' -r
complete -c rlmesh-sandbox -n "__fish_rlmesh_sandbox_using_subcommand logs" -l format -d 'The format of the result' -r -f -a "text\t'As the container wrote it'
jsonl\t'One object for each line'"
complete -c rlmesh-sandbox -n "__fish_rlmesh_sandbox_using_subcommand logs" -l color -d 'When to use colours [default: auto, which also honours NO_COLOR]' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t''
never\t''"
complete -c rlmesh-sandbox -n "__fish_rlmesh_sandbox_using_subcommand logs" -l progress -d 'How to show progress [default: auto]' -r -f -a "auto\t'Bars on a terminal, plain lines elsewhere'
plain\t'One line per finished step'
json\t'One JSON object per event, on stderr'
none\t''"
complete -c rlmesh-sandbox -n "__fish_rlmesh_sandbox_using_subcommand logs" -l docker -d 'The docker client to use [env: RLMESH_SANDBOX_DOCKER] [default: docker on PATH]' -r -F
complete -c rlmesh-sandbox -n "__fish_rlmesh_sandbox_using_subcommand logs" -l build -d 'Print the log of the last failed build instead'
complete -c rlmesh-sandbox -n "__fish_rlmesh_sandbox_using_subcommand logs" -s f -l follow -d 'Follow the log until the container ends or you press Ctrl-C'
complete -c rlmesh-sandbox -n "__fish_rlmesh_sandbox_using_subcommand logs" -s t -l timestamps -d 'Print when each line was written'
complete -c rlmesh-sandbox -n "__fish_rlmesh_sandbox_using_subcommand logs" -s q -l quiet -d 'Print only results and errors'
complete -c rlmesh-sandbox -n "__fish_rlmesh_sandbox_using_subcommand logs" -s v -l verbose -d 'Also print each docker command as it runs'
complete -c rlmesh-sandbox -n "__fish_rlmesh_sandbox_using_subcommand logs" -l json -d 'Print results and errors as JSON: short for --format json, or jsonl where that is a stream'
complete -c rlmesh-sandbox -n "__fish_rlmesh_sandbox_using_subcommand logs" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c rlmesh-sandbox -n "__fish_rlmesh_sandbox_using_subcommand images" -l format -d 'The format of the result' -r -f -a "text\t'For people, and for `$(…)`'
json\t'One array'
jsonl\t'One object on each line'"
complete -c rlmesh-sandbox -n "__fish_rlmesh_sandbox_using_subcommand images" -l color -d 'When to use colours [default: auto, which also honours NO_COLOR]' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t''
never\t''"
complete -c rlmesh-sandbox -n "__fish_rlmesh_sandbox_using_subcommand images" -l progress -d 'How to show progress [default: auto]' -r -f -a "auto\t'Bars on a terminal, plain lines elsewhere'
plain\t'One line per finished step'
json\t'One JSON object per event, on stderr'
none\t''"
complete -c rlmesh-sandbox -n "__fish_rlmesh_sandbox_using_subcommand images" -l docker -d 'The docker client to use [env: RLMESH_SANDBOX_DOCKER] [default: docker on PATH]' -r -F
complete -c rlmesh-sandbox -n "__fish_rlmesh_sandbox_using_subcommand images" -s q -l quiet -d 'Print only results and errors'
complete -c rlmesh-sandbox -n "__fish_rlmesh_sandbox_using_subcommand images" -s v -l verbose -d 'Also print each docker command as it runs'
complete -c rlmesh-sandbox -n "__fish_rlmesh_sandbox_using_subcommand images" -l json -d 'Print results and errors as JSON: short for --format json, or jsonl where that is a stream'
complete -c rlmesh-sandbox -n "__fish_rlmesh_sandbox_using_subcommand images" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c rlmesh-sandbox -n "__fish_rlmesh_sandbox_using_subcommand prune" -l older-than -d 'Remove only what is older than this: images by when they were built or tagged, the rest by its last use; in seconds or as 90m, 24h, 7d' -r
complete -c rlmesh-sandbox -n "__fish_rlmesh_sandbox_using_subcommand prune" -l format -d 'The format of the result' -r -f -a "text\t'For people, and for `$(…)`'
json\t'One array'
jsonl\t'One object on each line'"
complete -c rlmesh-sandbox -n "__fish_rlmesh_sandbox_using_subcommand prune" -l color -d 'When to use colours [default: auto, which also honours NO_COLOR]' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t''
never\t''"
complete -c rlmesh-sandbox -n "__fish_rlmesh_sandbox_using_subcommand prune" -l progress -d 'How to show progress [default: auto]' -r -f -a "auto\t'Bars on a terminal, plain lines elsewhere'
plain\t'One line per finished step'
json\t'One JSON object per event, on stderr'
none\t''"
complete -c rlmesh-sandbox -n "__fish_rlmesh_sandbox_using_subcommand prune" -l docker -d 'The docker client to use [env: RLMESH_SANDBOX_DOCKER] [default: docker on PATH]' -r -F
complete -c rlmesh-sandbox -n "__fish_rlmesh_sandbox_using_subcommand prune" -l images -d 'Remove images'
complete -c rlmesh-sandbox -n "__fish_rlmesh_sandbox_using_subcommand prune" -l builders -d 'Remove builders of --build-memory, with their caches'
complete -c rlmesh-sandbox -n "__fish_rlmesh_sandbox_using_subcommand prune" -l cache -d 'Remove cached files from the Hugging Face Hub'
complete -c rlmesh-sandbox -n "__fish_rlmesh_sandbox_using_subcommand prune" -l logs -d 'Remove logs of failed builds and starts'
complete -c rlmesh-sandbox -n "__fish_rlmesh_sandbox_using_subcommand prune" -l dry-run -d 'Print what would be removed, and why the rest stays, but remove nothing'
complete -c rlmesh-sandbox -n "__fish_rlmesh_sandbox_using_subcommand prune" -s y -l yes -d 'Do not ask'
complete -c rlmesh-sandbox -n "__fish_rlmesh_sandbox_using_subcommand prune" -s q -l quiet -d 'Print only results and errors'
complete -c rlmesh-sandbox -n "__fish_rlmesh_sandbox_using_subcommand prune" -s v -l verbose -d 'Also print each docker command as it runs'
complete -c rlmesh-sandbox -n "__fish_rlmesh_sandbox_using_subcommand prune" -l json -d 'Print results and errors as JSON: short for --format json, or jsonl where that is a stream'
complete -c rlmesh-sandbox -n "__fish_rlmesh_sandbox_using_subcommand prune" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c rlmesh-sandbox -n "__fish_rlmesh_sandbox_using_subcommand doctor" -l format -d 'The format of the result' -r -f -a "text\t'For people, and for `$(…)`'
json\t''"
complete -c rlmesh-sandbox -n "__fish_rlmesh_sandbox_using_subcommand doctor" -l color -d 'When to use colours [default: auto, which also honours NO_COLOR]' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t''
never\t''"
complete -c rlmesh-sandbox -n "__fish_rlmesh_sandbox_using_subcommand doctor" -l progress -d 'How to show progress [default: auto]' -r -f -a "auto\t'Bars on a terminal, plain lines elsewhere'
plain\t'One line per finished step'
json\t'One JSON object per event, on stderr'
none\t''"
complete -c rlmesh-sandbox -n "__fish_rlmesh_sandbox_using_subcommand doctor" -l docker -d 'The docker client to use [env: RLMESH_SANDBOX_DOCKER] [default: docker on PATH]' -r -F
complete -c rlmesh-sandbox -n "__fish_rlmesh_sandbox_using_subcommand doctor" -s q -l quiet -d 'Print only results and errors'
complete -c rlmesh-sandbox -n "__fish_rlmesh_sandbox_using_subcommand doctor" -s v -l verbose -d 'Also print each docker command as it runs'
complete -c rlmesh-sandbox -n "__fish_rlmesh_sandbox_using_subcommand doctor" -l json -d 'Print results and errors as JSON: short for --format json, or jsonl where that is a stream'
complete -c rlmesh-sandbox -n "__fish_rlmesh_sandbox_using_subcommand doctor" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c rlmesh-sandbox -n "__fish_rlmesh_sandbox_using_subcommand completions" -l color -d 'When to use colours [default: auto, which also honours NO_COLOR]' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t''
never\t''"
complete -c rlmesh-sandbox -n "__fish_rlmesh_sandbox_using_subcommand completions" -l progress -d 'How to show progress [default: auto]' -r -f -a "auto\t'Bars on a terminal, plain lines elsewhere'
plain\t'One line per finished step'
json\t'One JSON object per event, on stderr'
none\t''"
complete -c rlmesh-sandbox -n "__fish_rlmesh_sandbox_using_subcommand completions" -l docker -d 'The docker client to use [env: RLMESH_SANDBOX_DOCKER] [default: docker on PATH]' -r -F
complete -c rlmesh-sandbox -n "__fish_rlmesh_sandbox_using_subcommand completions" -s q -l quiet -d 'Print only results and errors'
complete -c rlmesh-sandbox -n "__fish_rlmesh_sandbox_using_subcommand completions" -s v -l verbose -d 'Also print each docker command as it runs'
complete -c rlmesh-sandbox -n "__fish_rlmesh_sandbox_using_subcommand completions" -l json -d 'Print results and errors as JSON: short for --format json, or jsonl where that is a stream'
complete -c rlmesh-sandbox -n "__fish_rlmesh_sandbox_using_subcommand completions" -s h -l help -d 'Print help (see more with \'--help\')'
