
using namespace System.Management.Automation
using namespace System.Management.Automation.Language

Register-ArgumentCompleter -Native -CommandName 'rlmesh-sandbox' -ScriptBlock {
    param($wordToComplete, $commandAst, $cursorPosition)

    $commandElements = $commandAst.CommandElements
    $command = @(
        'rlmesh-sandbox'
        for ($i = 1; $i -lt $commandElements.Count; $i++) {
            $element = $commandElements[$i]
            if ($element -isnot [StringConstantExpressionAst] -or
                $element.StringConstantType -ne [StringConstantType]::BareWord -or
                $element.Value.StartsWith('-') -or
                $element.Value -eq $wordToComplete) {
                break
        }
        $element.Value
    }) -join ';'

    $completions = @(switch ($command) {
        'rlmesh-sandbox' {
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colours [default: auto, which also honours NO_COLOR]')
            [CompletionResult]::new('--progress', '--progress', [CompletionResultType]::ParameterName, 'How to show progress [default: auto]')
            [CompletionResult]::new('--docker', '--docker', [CompletionResultType]::ParameterName, 'The docker client to use [env: RLMESH_SANDBOX_DOCKER] [default: docker on PATH]')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Print only results and errors')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Print only results and errors')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Also print each docker command as it runs')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Also print each docker command as it runs')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'Print results and errors as JSON: short for --format json, or jsonl where that is a stream')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('init', 'init', [CompletionResultType]::ParameterValue, 'Write a new environment, as a start for your own')
            [CompletionResult]::new('build', 'build', [CompletionResultType]::ParameterValue, 'Build the image for an environment and print its tag')
            [CompletionResult]::new('run', 'run', [CompletionResultType]::ParameterValue, 'Start an environment, wait until it answers, and print its address')
            [CompletionResult]::new('check', 'check', [CompletionResultType]::ParameterValue, 'Start an environment, use it once as a client does, and stop it')
            [CompletionResult]::new('stop', 'stop', [CompletionResultType]::ParameterValue, 'Stop sandboxes and remove their containers')
            [CompletionResult]::new('reap', 'reap', [CompletionResultType]::ParameterValue, 'Remove sandboxes whose owner is gone')
            [CompletionResult]::new('hash', 'hash', [CompletionResultType]::ParameterValue, 'Print the build hash of an environment, without Docker')
            [CompletionResult]::new('ls', 'ls', [CompletionResultType]::ParameterValue, 'List the files of a Hugging Face source, to review them before you trust it')
            [CompletionResult]::new('ps', 'ps', [CompletionResultType]::ParameterValue, 'List the sandboxes on this engine')
            [CompletionResult]::new('inspect', 'inspect', [CompletionResultType]::ParameterValue, 'Show all about a sandbox: what it serves, its spaces and versions, its limits and labels')
            [CompletionResult]::new('logs', 'logs', [CompletionResultType]::ParameterValue, 'Print a sandbox''s log, or that of the last failed build')
            [CompletionResult]::new('images', 'images', [CompletionResultType]::ParameterValue, 'List the images that this tool and the rlmesh SDK built')
            [CompletionResult]::new('prune', 'prune', [CompletionResultType]::ParameterValue, 'Remove what is not needed any more: images, builders, cached files and logs')
            [CompletionResult]::new('doctor', 'doctor', [CompletionResultType]::ParameterValue, 'Check that this machine can run sandboxes, and suggest how to fix what is missing')
            [CompletionResult]::new('completions', 'completions', [CompletionResultType]::ParameterValue, 'Print the completion script for a shell')
            [CompletionResult]::new('help', 'help', [CompletionResultType]::ParameterValue, 'Print this message or the help of the given subcommand(s)')
            break
        }
        'rlmesh-sandbox;init' {
            [CompletionResult]::new('--format', '--format', [CompletionResultType]::ParameterName, 'The format of the result')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colours [default: auto, which also honours NO_COLOR]')
            [CompletionResult]::new('--progress', '--progress', [CompletionResultType]::ParameterName, 'How to show progress [default: auto]')
            [CompletionResult]::new('--docker', '--docker', [CompletionResultType]::ParameterName, 'The docker client to use [env: RLMESH_SANDBOX_DOCKER] [default: docker on PATH]')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Print only results and errors')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Print only results and errors')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Also print each docker command as it runs')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Also print each docker command as it runs')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'Print results and errors as JSON: short for --format json, or jsonl where that is a stream')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'rlmesh-sandbox;build' {
            [CompletionResult]::new('--base-image', '--base-image', [CompletionResultType]::ParameterName, 'The image to build on, with Python 3.10 or newer [env: RLMESH_SANDBOX_BASE_IMAGE] [default: python:3.11-slim]')
            [CompletionResult]::new('--rlmesh-package', '--rlmesh-package', [CompletionResultType]::ParameterName, 'The rlmesh to install: a pip requirement, a wheel file, or `local` for the newest wheel of the rlmesh checkout around this folder [env: RLMESH_SANDBOX_RLMESH_PACKAGE] [default: rlmesh==0.1.0]')
            [CompletionResult]::new('-p', '-p', [CompletionResultType]::ParameterName, 'A pip requirement, or your own package: ./FOLDER, FILE.whl or FILE.tar.gz (can be repeated)')
            [CompletionResult]::new('--package', '--package', [CompletionResultType]::ParameterName, 'A pip requirement, or your own package: ./FOLDER, FILE.whl or FILE.tar.gz (can be repeated)')
            [CompletionResult]::new('-i', '-i', [CompletionResultType]::ParameterName, 'A module to import before the environment is created, to register it, or a function to call (can be repeated)')
            [CompletionResult]::new('--import', '--import', [CompletionResultType]::ParameterName, 'A module to import before the environment is created, to register it, or a function to call (can be repeated)')
            [CompletionResult]::new('--wrap', '--wrap', [CompletionResultType]::ParameterName, 'A wrapper to apply to the environment; the first one is the innermost (can be repeated)')
            [CompletionResult]::new('--lock', '--lock', [CompletionResultType]::ParameterName, 'Install exactly the packages in this lockfile, with their hashes; if it does not exist, write it after the build')
            [CompletionResult]::new('--apt', '--apt', [CompletionResultType]::ParameterName, 'A Debian package to install, for a base image with apt (can be repeated)')
            [CompletionResult]::new('--as-of', '--as-of', [CompletionResultType]::ParameterName, 'Install the packages that were the newest on this date, such as 2025-03-31: for an environment that a newer package broke')
            [CompletionResult]::new('--max-source-size', '--max-source-size', [CompletionResultType]::ParameterName, 'The largest total size of the files of an hf:// source or a folder [env: RLMESH_SANDBOX_MAX_SOURCE_SIZE] [default: 10g]')
            [CompletionResult]::new('--build-memory', '--build-memory', [CompletionResultType]::ParameterName, 'Memory limit of the build: 20g, 1.5g, 2048m, a number of bytes, off, or auto for the engine''s memory minus 8 GiB [env: RLMESH_SANDBOX_BUILD_MEMORY] [default: off]')
            [CompletionResult]::new('-k', '-k', [CompletionResultType]::ParameterName, 'An argument for the environment (can be repeated); VALUE is JSON if it parses as JSON, otherwise text')
            [CompletionResult]::new('--kwarg', '--kwarg', [CompletionResultType]::ParameterName, 'An argument for the environment (can be repeated); VALUE is JSON if it parses as JSON, otherwise text')
            [CompletionResult]::new('--kwargs', '--kwargs', [CompletionResultType]::ParameterName, 'Arguments for the environment as one JSON object, or @FILE to read it from a file (@- for stdin)')
            [CompletionResult]::new('-n', '-n', [CompletionResultType]::ParameterName, 'How many copies of the environment to serve as one vector environment [default: 1]')
            [CompletionResult]::new('--num-envs', '--num-envs', [CompletionResultType]::ParameterName, 'How many copies of the environment to serve as one vector environment [default: 1]')
            [CompletionResult]::new('--vectorization-mode', '--vectorization-mode', [CompletionResultType]::ParameterName, 'How the copies are stepped: one after the other, or each in its own process [default: sync]')
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'Use this project file [default: rlmesh-sandbox.toml, or the table tool.rlmesh-sandbox of pyproject.toml, in this folder or the nearest one above]')
            [CompletionResult]::new('--installer', '--installer', [CompletionResultType]::ParameterName, 'The installer for Python packages [default: uv, or pip where uv is not available]')
            [CompletionResult]::new('--ca-cert', '--ca-cert', [CompletionResultType]::ParameterName, 'Certificates (PEM) that the build trusts in addition to its base image''s, or `auto` for the file that SSL_CERT_FILE names; they do not become part of the image [env: RLMESH_SANDBOX_CA_CERT]')
            [CompletionResult]::new('--platform', '--platform', [CompletionResultType]::ParameterName, 'Build for this platform instead of the engine''s own, such as linux/arm64 [env: DOCKER_DEFAULT_PLATFORM]')
            [CompletionResult]::new('--cache-from', '--cache-from', [CompletionResultType]::ParameterName, 'Import the build cache from here, as for `docker buildx build`: type=registry,ref=… (can be repeated)')
            [CompletionResult]::new('--tag', '--tag', [CompletionResultType]::ParameterName, 'Give the image this additional name (can be repeated)')
            [CompletionResult]::new('--push', '--push', [CompletionResultType]::ParameterName, 'Give the image this additional name and push it to its registry (can be repeated)')
            [CompletionResult]::new('--label', '--label', [CompletionResultType]::ParameterName, 'A label for the image, set when it is built (can be repeated)')
            [CompletionResult]::new('--cache-to', '--cache-to', [CompletionResultType]::ParameterName, 'Export the build cache to here, as for `docker buildx build`: type=local,dest=… (can be repeated)')
            [CompletionResult]::new('--format', '--format', [CompletionResultType]::ParameterName, 'The format of the result')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colours [default: auto, which also honours NO_COLOR]')
            [CompletionResult]::new('--progress', '--progress', [CompletionResultType]::ParameterName, 'How to show progress [default: auto]')
            [CompletionResult]::new('--docker', '--docker', [CompletionResultType]::ParameterName, 'The docker client to use [env: RLMESH_SANDBOX_DOCKER] [default: docker on PATH]')
            [CompletionResult]::new('--no-auto', '--no-auto', [CompletionResultType]::ParameterName, 'Add nothing for known environments: no packages, imports, variables or wrappers that were not given')
            [CompletionResult]::new('--trust-remote-code', '--trust-remote-code', [CompletionResultType]::ParameterName, 'Allow an hf:// source to run its repository''s code')
            [CompletionResult]::new('--allow-unpinned-hf', '--allow-unpinned-hf', [CompletionResultType]::ParameterName, 'Allow an hf:// source whose revision is not a full commit id')
            [CompletionResult]::new('--no-config', '--no-config', [CompletionResultType]::ParameterName, 'Use no project file')
            [CompletionResult]::new('--rebuild', '--rebuild', [CompletionResultType]::ParameterName, 'Build the image even if it exists')
            [CompletionResult]::new('--pull', '--pull', [CompletionResultType]::ParameterName, 'Pull a newer base image if the registry has one, and build again')
            [CompletionResult]::new('--dry-run', '--dry-run', [CompletionResultType]::ParameterName, 'Print the Dockerfile and the bootstrap JSON, but build nothing')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Print only results and errors')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Print only results and errors')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Also print each docker command as it runs')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Also print each docker command as it runs')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'Print results and errors as JSON: short for --format json, or jsonl where that is a stream')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'rlmesh-sandbox;run' {
            [CompletionResult]::new('--base-image', '--base-image', [CompletionResultType]::ParameterName, 'The image to build on, with Python 3.10 or newer [env: RLMESH_SANDBOX_BASE_IMAGE] [default: python:3.11-slim]')
            [CompletionResult]::new('--rlmesh-package', '--rlmesh-package', [CompletionResultType]::ParameterName, 'The rlmesh to install: a pip requirement, a wheel file, or `local` for the newest wheel of the rlmesh checkout around this folder [env: RLMESH_SANDBOX_RLMESH_PACKAGE] [default: rlmesh==0.1.0]')
            [CompletionResult]::new('-p', '-p', [CompletionResultType]::ParameterName, 'A pip requirement, or your own package: ./FOLDER, FILE.whl or FILE.tar.gz (can be repeated)')
            [CompletionResult]::new('--package', '--package', [CompletionResultType]::ParameterName, 'A pip requirement, or your own package: ./FOLDER, FILE.whl or FILE.tar.gz (can be repeated)')
            [CompletionResult]::new('-i', '-i', [CompletionResultType]::ParameterName, 'A module to import before the environment is created, to register it, or a function to call (can be repeated)')
            [CompletionResult]::new('--import', '--import', [CompletionResultType]::ParameterName, 'A module to import before the environment is created, to register it, or a function to call (can be repeated)')
            [CompletionResult]::new('--wrap', '--wrap', [CompletionResultType]::ParameterName, 'A wrapper to apply to the environment; the first one is the innermost (can be repeated)')
            [CompletionResult]::new('--lock', '--lock', [CompletionResultType]::ParameterName, 'Install exactly the packages in this lockfile, with their hashes; if it does not exist, write it after the build')
            [CompletionResult]::new('--apt', '--apt', [CompletionResultType]::ParameterName, 'A Debian package to install, for a base image with apt (can be repeated)')
            [CompletionResult]::new('--as-of', '--as-of', [CompletionResultType]::ParameterName, 'Install the packages that were the newest on this date, such as 2025-03-31: for an environment that a newer package broke')
            [CompletionResult]::new('--max-source-size', '--max-source-size', [CompletionResultType]::ParameterName, 'The largest total size of the files of an hf:// source or a folder [env: RLMESH_SANDBOX_MAX_SOURCE_SIZE] [default: 10g]')
            [CompletionResult]::new('--build-memory', '--build-memory', [CompletionResultType]::ParameterName, 'Memory limit of the build: 20g, 1.5g, 2048m, a number of bytes, off, or auto for the engine''s memory minus 8 GiB [env: RLMESH_SANDBOX_BUILD_MEMORY] [default: off]')
            [CompletionResult]::new('-k', '-k', [CompletionResultType]::ParameterName, 'An argument for the environment (can be repeated); VALUE is JSON if it parses as JSON, otherwise text')
            [CompletionResult]::new('--kwarg', '--kwarg', [CompletionResultType]::ParameterName, 'An argument for the environment (can be repeated); VALUE is JSON if it parses as JSON, otherwise text')
            [CompletionResult]::new('--kwargs', '--kwargs', [CompletionResultType]::ParameterName, 'Arguments for the environment as one JSON object, or @FILE to read it from a file (@- for stdin)')
            [CompletionResult]::new('-n', '-n', [CompletionResultType]::ParameterName, 'How many copies of the environment to serve as one vector environment [default: 1]')
            [CompletionResult]::new('--num-envs', '--num-envs', [CompletionResultType]::ParameterName, 'How many copies of the environment to serve as one vector environment [default: 1]')
            [CompletionResult]::new('--vectorization-mode', '--vectorization-mode', [CompletionResultType]::ParameterName, 'How the copies are stepped: one after the other, or each in its own process [default: sync]')
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'Use this project file [default: rlmesh-sandbox.toml, or the table tool.rlmesh-sandbox of pyproject.toml, in this folder or the nearest one above]')
            [CompletionResult]::new('--installer', '--installer', [CompletionResultType]::ParameterName, 'The installer for Python packages [default: uv, or pip where uv is not available]')
            [CompletionResult]::new('--ca-cert', '--ca-cert', [CompletionResultType]::ParameterName, 'Certificates (PEM) that the build trusts in addition to its base image''s, or `auto` for the file that SSL_CERT_FILE names; they do not become part of the image [env: RLMESH_SANDBOX_CA_CERT]')
            [CompletionResult]::new('--platform', '--platform', [CompletionResultType]::ParameterName, 'Build for this platform instead of the engine''s own, such as linux/arm64 [env: DOCKER_DEFAULT_PLATFORM]')
            [CompletionResult]::new('--cache-from', '--cache-from', [CompletionResultType]::ParameterName, 'Import the build cache from here, as for `docker buildx build`: type=registry,ref=… (can be repeated)')
            [CompletionResult]::new('--owner-pid', '--owner-pid', [CompletionResultType]::ParameterName, 'With -d: the process that owns the container (a script''s $$); once it has ended, `reap` removes the container')
            [CompletionResult]::new('--name', '--name', [CompletionResultType]::ParameterName, 'The name of the container [default: rlmesh-sandbox-, the environment, and four characters]')
            [CompletionResult]::new('--ttl', '--ttl', [CompletionResultType]::ParameterName, 'Stop the environment after this time, even if this command was killed: 90s, 30m, 2h [default: no limit]')
            [CompletionResult]::new('-e', '-e', [CompletionResultType]::ParameterName, 'Set a variable in the container; a name alone takes its value from here (can be repeated)')
            [CompletionResult]::new('--env', '--env', [CompletionResultType]::ParameterName, 'Set a variable in the container; a name alone takes its value from here (can be repeated)')
            [CompletionResult]::new('--env-file', '--env-file', [CompletionResultType]::ParameterName, 'Set the variables in this file, one NAME=VALUE or NAME on each line (can be repeated)')
            [CompletionResult]::new('--shm-size', '--shm-size', [CompletionResultType]::ParameterName, 'The size of /dev/shm, such as 1g [default: Docker''s, 64m]')
            [CompletionResult]::new('--ready-timeout', '--ready-timeout', [CompletionResultType]::ParameterName, 'How long to wait for the environment to answer, in seconds or as 90s, 5m')
            [CompletionResult]::new('--stop-timeout', '--stop-timeout', [CompletionResultType]::ParameterName, 'How long to wait for the environment to stop before it is killed, in seconds or as 30s, 2m')
            [CompletionResult]::new('--format', '--format', [CompletionResultType]::ParameterName, 'The format of the result')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colours [default: auto, which also honours NO_COLOR]')
            [CompletionResult]::new('--progress', '--progress', [CompletionResultType]::ParameterName, 'How to show progress [default: auto]')
            [CompletionResult]::new('--docker', '--docker', [CompletionResultType]::ParameterName, 'The docker client to use [env: RLMESH_SANDBOX_DOCKER] [default: docker on PATH]')
            [CompletionResult]::new('--no-auto', '--no-auto', [CompletionResultType]::ParameterName, 'Add nothing for known environments: no packages, imports, variables or wrappers that were not given')
            [CompletionResult]::new('--trust-remote-code', '--trust-remote-code', [CompletionResultType]::ParameterName, 'Allow an hf:// source to run its repository''s code')
            [CompletionResult]::new('--allow-unpinned-hf', '--allow-unpinned-hf', [CompletionResultType]::ParameterName, 'Allow an hf:// source whose revision is not a full commit id')
            [CompletionResult]::new('--no-config', '--no-config', [CompletionResultType]::ParameterName, 'Use no project file')
            [CompletionResult]::new('--rebuild', '--rebuild', [CompletionResultType]::ParameterName, 'Build the image even if it exists')
            [CompletionResult]::new('--pull', '--pull', [CompletionResultType]::ParameterName, 'Pull a newer base image if the registry has one, and build again')
            [CompletionResult]::new('--dry-run', '--dry-run', [CompletionResultType]::ParameterName, 'Print the Dockerfile and the bootstrap JSON, but build nothing')
            [CompletionResult]::new('-d', '-d', [CompletionResultType]::ParameterName, 'Leave the container running in the background, without an owner, until `rlmesh-sandbox stop`')
            [CompletionResult]::new('--detach', '--detach', [CompletionResultType]::ParameterName, 'Leave the container running in the background, without an owner, until `rlmesh-sandbox stop`')
            [CompletionResult]::new('--check', '--check', [CompletionResultType]::ParameterName, 'Reset, step and render the environment once before its address is printed; if that fails, stop it')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Print only results and errors')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Print only results and errors')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Also print each docker command as it runs')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Also print each docker command as it runs')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'Print results and errors as JSON: short for --format json, or jsonl where that is a stream')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'rlmesh-sandbox;check' {
            [CompletionResult]::new('--base-image', '--base-image', [CompletionResultType]::ParameterName, 'The image to build on, with Python 3.10 or newer [env: RLMESH_SANDBOX_BASE_IMAGE] [default: python:3.11-slim]')
            [CompletionResult]::new('--rlmesh-package', '--rlmesh-package', [CompletionResultType]::ParameterName, 'The rlmesh to install: a pip requirement, a wheel file, or `local` for the newest wheel of the rlmesh checkout around this folder [env: RLMESH_SANDBOX_RLMESH_PACKAGE] [default: rlmesh==0.1.0]')
            [CompletionResult]::new('-p', '-p', [CompletionResultType]::ParameterName, 'A pip requirement, or your own package: ./FOLDER, FILE.whl or FILE.tar.gz (can be repeated)')
            [CompletionResult]::new('--package', '--package', [CompletionResultType]::ParameterName, 'A pip requirement, or your own package: ./FOLDER, FILE.whl or FILE.tar.gz (can be repeated)')
            [CompletionResult]::new('-i', '-i', [CompletionResultType]::ParameterName, 'A module to import before the environment is created, to register it, or a function to call (can be repeated)')
            [CompletionResult]::new('--import', '--import', [CompletionResultType]::ParameterName, 'A module to import before the environment is created, to register it, or a function to call (can be repeated)')
            [CompletionResult]::new('--wrap', '--wrap', [CompletionResultType]::ParameterName, 'A wrapper to apply to the environment; the first one is the innermost (can be repeated)')
            [CompletionResult]::new('--lock', '--lock', [CompletionResultType]::ParameterName, 'Install exactly the packages in this lockfile, with their hashes; if it does not exist, write it after the build')
            [CompletionResult]::new('--apt', '--apt', [CompletionResultType]::ParameterName, 'A Debian package to install, for a base image with apt (can be repeated)')
            [CompletionResult]::new('--as-of', '--as-of', [CompletionResultType]::ParameterName, 'Install the packages that were the newest on this date, such as 2025-03-31: for an environment that a newer package broke')
            [CompletionResult]::new('--max-source-size', '--max-source-size', [CompletionResultType]::ParameterName, 'The largest total size of the files of an hf:// source or a folder [env: RLMESH_SANDBOX_MAX_SOURCE_SIZE] [default: 10g]')
            [CompletionResult]::new('--build-memory', '--build-memory', [CompletionResultType]::ParameterName, 'Memory limit of the build: 20g, 1.5g, 2048m, a number of bytes, off, or auto for the engine''s memory minus 8 GiB [env: RLMESH_SANDBOX_BUILD_MEMORY] [default: off]')
            [CompletionResult]::new('-k', '-k', [CompletionResultType]::ParameterName, 'An argument for the environment (can be repeated); VALUE is JSON if it parses as JSON, otherwise text')
            [CompletionResult]::new('--kwarg', '--kwarg', [CompletionResultType]::ParameterName, 'An argument for the environment (can be repeated); VALUE is JSON if it parses as JSON, otherwise text')
            [CompletionResult]::new('--kwargs', '--kwargs', [CompletionResultType]::ParameterName, 'Arguments for the environment as one JSON object, or @FILE to read it from a file (@- for stdin)')
            [CompletionResult]::new('-n', '-n', [CompletionResultType]::ParameterName, 'How many copies of the environment to serve as one vector environment [default: 1]')
            [CompletionResult]::new('--num-envs', '--num-envs', [CompletionResultType]::ParameterName, 'How many copies of the environment to serve as one vector environment [default: 1]')
            [CompletionResult]::new('--vectorization-mode', '--vectorization-mode', [CompletionResultType]::ParameterName, 'How the copies are stepped: one after the other, or each in its own process [default: sync]')
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'Use this project file [default: rlmesh-sandbox.toml, or the table tool.rlmesh-sandbox of pyproject.toml, in this folder or the nearest one above]')
            [CompletionResult]::new('--installer', '--installer', [CompletionResultType]::ParameterName, 'The installer for Python packages [default: uv, or pip where uv is not available]')
            [CompletionResult]::new('--ca-cert', '--ca-cert', [CompletionResultType]::ParameterName, 'Certificates (PEM) that the build trusts in addition to its base image''s, or `auto` for the file that SSL_CERT_FILE names; they do not become part of the image [env: RLMESH_SANDBOX_CA_CERT]')
            [CompletionResult]::new('--platform', '--platform', [CompletionResultType]::ParameterName, 'Build for this platform instead of the engine''s own, such as linux/arm64 [env: DOCKER_DEFAULT_PLATFORM]')
            [CompletionResult]::new('--cache-from', '--cache-from', [CompletionResultType]::ParameterName, 'Import the build cache from here, as for `docker buildx build`: type=registry,ref=… (can be repeated)')
            [CompletionResult]::new('-e', '-e', [CompletionResultType]::ParameterName, 'Set a variable in the container; a name alone takes its value from here (can be repeated)')
            [CompletionResult]::new('--env', '--env', [CompletionResultType]::ParameterName, 'Set a variable in the container; a name alone takes its value from here (can be repeated)')
            [CompletionResult]::new('--env-file', '--env-file', [CompletionResultType]::ParameterName, 'Set the variables in this file, one NAME=VALUE or NAME on each line (can be repeated)')
            [CompletionResult]::new('--shm-size', '--shm-size', [CompletionResultType]::ParameterName, 'The size of /dev/shm, such as 1g [default: Docker''s, 64m]')
            [CompletionResult]::new('--ready-timeout', '--ready-timeout', [CompletionResultType]::ParameterName, 'How long to wait for the environment to answer, in seconds or as 90s, 5m')
            [CompletionResult]::new('--stop-timeout', '--stop-timeout', [CompletionResultType]::ParameterName, 'How long to wait for the environment to stop before it is killed, in seconds or as 30s, 2m')
            [CompletionResult]::new('--format', '--format', [CompletionResultType]::ParameterName, 'The format of the result')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colours [default: auto, which also honours NO_COLOR]')
            [CompletionResult]::new('--progress', '--progress', [CompletionResultType]::ParameterName, 'How to show progress [default: auto]')
            [CompletionResult]::new('--docker', '--docker', [CompletionResultType]::ParameterName, 'The docker client to use [env: RLMESH_SANDBOX_DOCKER] [default: docker on PATH]')
            [CompletionResult]::new('--no-auto', '--no-auto', [CompletionResultType]::ParameterName, 'Add nothing for known environments: no packages, imports, variables or wrappers that were not given')
            [CompletionResult]::new('--trust-remote-code', '--trust-remote-code', [CompletionResultType]::ParameterName, 'Allow an hf:// source to run its repository''s code')
            [CompletionResult]::new('--allow-unpinned-hf', '--allow-unpinned-hf', [CompletionResultType]::ParameterName, 'Allow an hf:// source whose revision is not a full commit id')
            [CompletionResult]::new('--no-config', '--no-config', [CompletionResultType]::ParameterName, 'Use no project file')
            [CompletionResult]::new('--rebuild', '--rebuild', [CompletionResultType]::ParameterName, 'Build the image even if it exists')
            [CompletionResult]::new('--pull', '--pull', [CompletionResultType]::ParameterName, 'Pull a newer base image if the registry has one, and build again')
            [CompletionResult]::new('--dry-run', '--dry-run', [CompletionResultType]::ParameterName, 'Print the Dockerfile and the bootstrap JSON, but build nothing')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Print only results and errors')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Print only results and errors')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Also print each docker command as it runs')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Also print each docker command as it runs')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'Print results and errors as JSON: short for --format json, or jsonl where that is a stream')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'rlmesh-sandbox;stop' {
            [CompletionResult]::new('-t', '-t', [CompletionResultType]::ParameterName, 'How long to wait for a sandbox to stop before it is killed, in seconds or as 30s, 2m')
            [CompletionResult]::new('--timeout', '--timeout', [CompletionResultType]::ParameterName, 'How long to wait for a sandbox to stop before it is killed, in seconds or as 30s, 2m')
            [CompletionResult]::new('--format', '--format', [CompletionResultType]::ParameterName, 'The format of the result')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colours [default: auto, which also honours NO_COLOR]')
            [CompletionResult]::new('--progress', '--progress', [CompletionResultType]::ParameterName, 'How to show progress [default: auto]')
            [CompletionResult]::new('--docker', '--docker', [CompletionResultType]::ParameterName, 'The docker client to use [env: RLMESH_SANDBOX_DOCKER] [default: docker on PATH]')
            [CompletionResult]::new('-a', '-a', [CompletionResultType]::ParameterName, 'Stop every sandbox that matches SANDBOX; without SANDBOX, every sandbox on this engine, including those of other users')
            [CompletionResult]::new('--all', '--all', [CompletionResultType]::ParameterName, 'Stop every sandbox that matches SANDBOX; without SANDBOX, every sandbox on this engine, including those of other users')
            [CompletionResult]::new('--mine', '--mine', [CompletionResultType]::ParameterName, 'Stop every sandbox except those that belong to other running processes or to other machines')
            [CompletionResult]::new('-y', '-y', [CompletionResultType]::ParameterName, 'With --all: do not ask before sandboxes of other processes are stopped')
            [CompletionResult]::new('--yes', '--yes', [CompletionResultType]::ParameterName, 'With --all: do not ask before sandboxes of other processes are stopped')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Print only results and errors')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Print only results and errors')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Also print each docker command as it runs')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Also print each docker command as it runs')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'Print results and errors as JSON: short for --format json, or jsonl where that is a stream')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'rlmesh-sandbox;reap' {
            [CompletionResult]::new('--format', '--format', [CompletionResultType]::ParameterName, 'The format of the result')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colours [default: auto, which also honours NO_COLOR]')
            [CompletionResult]::new('--progress', '--progress', [CompletionResultType]::ParameterName, 'How to show progress [default: auto]')
            [CompletionResult]::new('--docker', '--docker', [CompletionResultType]::ParameterName, 'The docker client to use [env: RLMESH_SANDBOX_DOCKER] [default: docker on PATH]')
            [CompletionResult]::new('--dry-run', '--dry-run', [CompletionResultType]::ParameterName, 'Print what would be removed, and why the rest stays, but remove nothing')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Print only results and errors')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Print only results and errors')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Also print each docker command as it runs')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Also print each docker command as it runs')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'Print results and errors as JSON: short for --format json, or jsonl where that is a stream')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'rlmesh-sandbox;hash' {
            [CompletionResult]::new('--base-image', '--base-image', [CompletionResultType]::ParameterName, 'The image to build on, with Python 3.10 or newer [env: RLMESH_SANDBOX_BASE_IMAGE] [default: python:3.11-slim]')
            [CompletionResult]::new('--rlmesh-package', '--rlmesh-package', [CompletionResultType]::ParameterName, 'The rlmesh to install: a pip requirement, a wheel file, or `local` for the newest wheel of the rlmesh checkout around this folder [env: RLMESH_SANDBOX_RLMESH_PACKAGE] [default: rlmesh==0.1.0]')
            [CompletionResult]::new('-p', '-p', [CompletionResultType]::ParameterName, 'A pip requirement, or your own package: ./FOLDER, FILE.whl or FILE.tar.gz (can be repeated)')
            [CompletionResult]::new('--package', '--package', [CompletionResultType]::ParameterName, 'A pip requirement, or your own package: ./FOLDER, FILE.whl or FILE.tar.gz (can be repeated)')
            [CompletionResult]::new('-i', '-i', [CompletionResultType]::ParameterName, 'A module to import before the environment is created, to register it, or a function to call (can be repeated)')
            [CompletionResult]::new('--import', '--import', [CompletionResultType]::ParameterName, 'A module to import before the environment is created, to register it, or a function to call (can be repeated)')
            [CompletionResult]::new('--wrap', '--wrap', [CompletionResultType]::ParameterName, 'A wrapper to apply to the environment; the first one is the innermost (can be repeated)')
            [CompletionResult]::new('--lock', '--lock', [CompletionResultType]::ParameterName, 'Install exactly the packages in this lockfile, with their hashes; if it does not exist, write it after the build')
            [CompletionResult]::new('--apt', '--apt', [CompletionResultType]::ParameterName, 'A Debian package to install, for a base image with apt (can be repeated)')
            [CompletionResult]::new('--as-of', '--as-of', [CompletionResultType]::ParameterName, 'Install the packages that were the newest on this date, such as 2025-03-31: for an environment that a newer package broke')
            [CompletionResult]::new('--max-source-size', '--max-source-size', [CompletionResultType]::ParameterName, 'The largest total size of the files of an hf:// source or a folder [env: RLMESH_SANDBOX_MAX_SOURCE_SIZE] [default: 10g]')
            [CompletionResult]::new('--build-memory', '--build-memory', [CompletionResultType]::ParameterName, 'Memory limit of the build: 20g, 1.5g, 2048m, a number of bytes, off, or auto for the engine''s memory minus 8 GiB [env: RLMESH_SANDBOX_BUILD_MEMORY] [default: off]')
            [CompletionResult]::new('-k', '-k', [CompletionResultType]::ParameterName, 'An argument for the environment (can be repeated); VALUE is JSON if it parses as JSON, otherwise text')
            [CompletionResult]::new('--kwarg', '--kwarg', [CompletionResultType]::ParameterName, 'An argument for the environment (can be repeated); VALUE is JSON if it parses as JSON, otherwise text')
            [CompletionResult]::new('--kwargs', '--kwargs', [CompletionResultType]::ParameterName, 'Arguments for the environment as one JSON object, or @FILE to read it from a file (@- for stdin)')
            [CompletionResult]::new('-n', '-n', [CompletionResultType]::ParameterName, 'How many copies of the environment to serve as one vector environment [default: 1]')
            [CompletionResult]::new('--num-envs', '--num-envs', [CompletionResultType]::ParameterName, 'How many copies of the environment to serve as one vector environment [default: 1]')
            [CompletionResult]::new('--vectorization-mode', '--vectorization-mode', [CompletionResultType]::ParameterName, 'How the copies are stepped: one after the other, or each in its own process [default: sync]')
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'Use this project file [default: rlmesh-sandbox.toml, or the table tool.rlmesh-sandbox of pyproject.toml, in this folder or the nearest one above]')
            [CompletionResult]::new('--format', '--format', [CompletionResultType]::ParameterName, 'The format of the result')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colours [default: auto, which also honours NO_COLOR]')
            [CompletionResult]::new('--progress', '--progress', [CompletionResultType]::ParameterName, 'How to show progress [default: auto]')
            [CompletionResult]::new('--docker', '--docker', [CompletionResultType]::ParameterName, 'The docker client to use [env: RLMESH_SANDBOX_DOCKER] [default: docker on PATH]')
            [CompletionResult]::new('--no-auto', '--no-auto', [CompletionResultType]::ParameterName, 'Add nothing for known environments: no packages, imports, variables or wrappers that were not given')
            [CompletionResult]::new('--trust-remote-code', '--trust-remote-code', [CompletionResultType]::ParameterName, 'Allow an hf:// source to run its repository''s code')
            [CompletionResult]::new('--allow-unpinned-hf', '--allow-unpinned-hf', [CompletionResultType]::ParameterName, 'Allow an hf:// source whose revision is not a full commit id')
            [CompletionResult]::new('--no-config', '--no-config', [CompletionResultType]::ParameterName, 'Use no project file')
            [CompletionResult]::new('--tag', '--tag', [CompletionResultType]::ParameterName, 'Print the image tag instead')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Print only results and errors')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Print only results and errors')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Also print each docker command as it runs')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Also print each docker command as it runs')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'Print results and errors as JSON: short for --format json, or jsonl where that is a stream')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'rlmesh-sandbox;ls' {
            [CompletionResult]::new('--show', '--show', [CompletionResultType]::ParameterName, 'Print this file, such as env.py, instead of the list')
            [CompletionResult]::new('--format', '--format', [CompletionResultType]::ParameterName, 'The format of the result')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colours [default: auto, which also honours NO_COLOR]')
            [CompletionResult]::new('--progress', '--progress', [CompletionResultType]::ParameterName, 'How to show progress [default: auto]')
            [CompletionResult]::new('--docker', '--docker', [CompletionResultType]::ParameterName, 'The docker client to use [env: RLMESH_SANDBOX_DOCKER] [default: docker on PATH]')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Print only results and errors')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Print only results and errors')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Also print each docker command as it runs')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Also print each docker command as it runs')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'Print results and errors as JSON: short for --format json, or jsonl where that is a stream')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'rlmesh-sandbox;ps' {
            [CompletionResult]::new('-f', '-f', [CompletionResultType]::ParameterName, 'List only these: source=TEXT, name=TEXT, image=TEXT, state=running, owner=none|alive|gone|unknown|PID (can be repeated)')
            [CompletionResult]::new('--filter', '--filter', [CompletionResultType]::ParameterName, 'List only these: source=TEXT, name=TEXT, image=TEXT, state=running, owner=none|alive|gone|unknown|PID (can be repeated)')
            [CompletionResult]::new('--format', '--format', [CompletionResultType]::ParameterName, 'The format of the result')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colours [default: auto, which also honours NO_COLOR]')
            [CompletionResult]::new('--progress', '--progress', [CompletionResultType]::ParameterName, 'How to show progress [default: auto]')
            [CompletionResult]::new('--docker', '--docker', [CompletionResultType]::ParameterName, 'The docker client to use [env: RLMESH_SANDBOX_DOCKER] [default: docker on PATH]')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Print only results and errors')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Print only results and errors')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Also print each docker command as it runs')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Also print each docker command as it runs')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'Print results and errors as JSON: short for --format json, or jsonl where that is a stream')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'rlmesh-sandbox;inspect' {
            [CompletionResult]::new('--format', '--format', [CompletionResultType]::ParameterName, 'The format of the result')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colours [default: auto, which also honours NO_COLOR]')
            [CompletionResult]::new('--progress', '--progress', [CompletionResultType]::ParameterName, 'How to show progress [default: auto]')
            [CompletionResult]::new('--docker', '--docker', [CompletionResultType]::ParameterName, 'The docker client to use [env: RLMESH_SANDBOX_DOCKER] [default: docker on PATH]')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Print only results and errors')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Print only results and errors')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Also print each docker command as it runs')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Also print each docker command as it runs')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'Print results and errors as JSON: short for --format json, or jsonl where that is a stream')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'rlmesh-sandbox;logs' {
            [CompletionResult]::new('-n', '-n', [CompletionResultType]::ParameterName, 'Print only the last N lines')
            [CompletionResult]::new('--tail', '--tail', [CompletionResultType]::ParameterName, 'Print only the last N lines')
            [CompletionResult]::new('--lines', '--lines', [CompletionResultType]::ParameterName, 'Print only the last N lines')
            [CompletionResult]::new('--since', '--since', [CompletionResultType]::ParameterName, 'Print only what was written since then: 90s, 10m, 2h, or a time such as 2026-11-25T09:00:00Z')
            [CompletionResult]::new('--format', '--format', [CompletionResultType]::ParameterName, 'The format of the result')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colours [default: auto, which also honours NO_COLOR]')
            [CompletionResult]::new('--progress', '--progress', [CompletionResultType]::ParameterName, 'How to show progress [default: auto]')
            [CompletionResult]::new('--docker', '--docker', [CompletionResultType]::ParameterName, 'The docker client to use [env: RLMESH_SANDBOX_DOCKER] [default: docker on PATH]')
            [CompletionResult]::new('--build', '--build', [CompletionResultType]::ParameterName, 'Print the log of the last failed build instead')
            [CompletionResult]::new('-f', '-f', [CompletionResultType]::ParameterName, 'Follow the log until the container ends or you press Ctrl-C')
            [CompletionResult]::new('--follow', '--follow', [CompletionResultType]::ParameterName, 'Follow the log until the container ends or you press Ctrl-C')
            [CompletionResult]::new('-t', '-t', [CompletionResultType]::ParameterName, 'Print when each line was written')
            [CompletionResult]::new('--timestamps', '--timestamps', [CompletionResultType]::ParameterName, 'Print when each line was written')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Print only results and errors')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Print only results and errors')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Also print each docker command as it runs')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Also print each docker command as it runs')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'Print results and errors as JSON: short for --format json, or jsonl where that is a stream')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'rlmesh-sandbox;images' {
            [CompletionResult]::new('--format', '--format', [CompletionResultType]::ParameterName, 'The format of the result')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colours [default: auto, which also honours NO_COLOR]')
            [CompletionResult]::new('--progress', '--progress', [CompletionResultType]::ParameterName, 'How to show progress [default: auto]')
            [CompletionResult]::new('--docker', '--docker', [CompletionResultType]::ParameterName, 'The docker client to use [env: RLMESH_SANDBOX_DOCKER] [default: docker on PATH]')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Print only results and errors')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Print only results and errors')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Also print each docker command as it runs')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Also print each docker command as it runs')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'Print results and errors as JSON: short for --format json, or jsonl where that is a stream')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'rlmesh-sandbox;prune' {
            [CompletionResult]::new('--older-than', '--older-than', [CompletionResultType]::ParameterName, 'Remove only what is older than this: images by when they were built or tagged, the rest by its last use; in seconds or as 90m, 24h, 7d')
            [CompletionResult]::new('--format', '--format', [CompletionResultType]::ParameterName, 'The format of the result')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colours [default: auto, which also honours NO_COLOR]')
            [CompletionResult]::new('--progress', '--progress', [CompletionResultType]::ParameterName, 'How to show progress [default: auto]')
            [CompletionResult]::new('--docker', '--docker', [CompletionResultType]::ParameterName, 'The docker client to use [env: RLMESH_SANDBOX_DOCKER] [default: docker on PATH]')
            [CompletionResult]::new('--images', '--images', [CompletionResultType]::ParameterName, 'Remove images')
            [CompletionResult]::new('--builders', '--builders', [CompletionResultType]::ParameterName, 'Remove builders of --build-memory, with their caches')
            [CompletionResult]::new('--cache', '--cache', [CompletionResultType]::ParameterName, 'Remove cached files from the Hugging Face Hub')
            [CompletionResult]::new('--logs', '--logs', [CompletionResultType]::ParameterName, 'Remove logs of failed builds and starts')
            [CompletionResult]::new('--dry-run', '--dry-run', [CompletionResultType]::ParameterName, 'Print what would be removed, and why the rest stays, but remove nothing')
            [CompletionResult]::new('-y', '-y', [CompletionResultType]::ParameterName, 'Do not ask')
            [CompletionResult]::new('--yes', '--yes', [CompletionResultType]::ParameterName, 'Do not ask')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Print only results and errors')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Print only results and errors')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Also print each docker command as it runs')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Also print each docker command as it runs')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'Print results and errors as JSON: short for --format json, or jsonl where that is a stream')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'rlmesh-sandbox;doctor' {
            [CompletionResult]::new('--format', '--format', [CompletionResultType]::ParameterName, 'The format of the result')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colours [default: auto, which also honours NO_COLOR]')
            [CompletionResult]::new('--progress', '--progress', [CompletionResultType]::ParameterName, 'How to show progress [default: auto]')
            [CompletionResult]::new('--docker', '--docker', [CompletionResultType]::ParameterName, 'The docker client to use [env: RLMESH_SANDBOX_DOCKER] [default: docker on PATH]')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Print only results and errors')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Print only results and errors')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Also print each docker command as it runs')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Also print each docker command as it runs')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'Print results and errors as JSON: short for --format json, or jsonl where that is a stream')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'rlmesh-sandbox;completions' {
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colours [default: auto, which also honours NO_COLOR]')
            [CompletionResult]::new('--progress', '--progress', [CompletionResultType]::ParameterName, 'How to show progress [default: auto]')
            [CompletionResult]::new('--docker', '--docker', [CompletionResultType]::ParameterName, 'The docker client to use [env: RLMESH_SANDBOX_DOCKER] [default: docker on PATH]')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Print only results and errors')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Print only results and errors')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Also print each docker command as it runs')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Also print each docker command as it runs')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'Print results and errors as JSON: short for --format json, or jsonl where that is a stream')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'rlmesh-sandbox;help' {
            [CompletionResult]::new('init', 'init', [CompletionResultType]::ParameterValue, 'Write a new environment, as a start for your own')
            [CompletionResult]::new('build', 'build', [CompletionResultType]::ParameterValue, 'Build the image for an environment and print its tag')
            [CompletionResult]::new('run', 'run', [CompletionResultType]::ParameterValue, 'Start an environment, wait until it answers, and print its address')
            [CompletionResult]::new('check', 'check', [CompletionResultType]::ParameterValue, 'Start an environment, use it once as a client does, and stop it')
            [CompletionResult]::new('stop', 'stop', [CompletionResultType]::ParameterValue, 'Stop sandboxes and remove their containers')
            [CompletionResult]::new('reap', 'reap', [CompletionResultType]::ParameterValue, 'Remove sandboxes whose owner is gone')
            [CompletionResult]::new('hash', 'hash', [CompletionResultType]::ParameterValue, 'Print the build hash of an environment, without Docker')
            [CompletionResult]::new('ls', 'ls', [CompletionResultType]::ParameterValue, 'List the files of a Hugging Face source, to review them before you trust it')
            [CompletionResult]::new('ps', 'ps', [CompletionResultType]::ParameterValue, 'List the sandboxes on this engine')
            [CompletionResult]::new('inspect', 'inspect', [CompletionResultType]::ParameterValue, 'Show all about a sandbox: what it serves, its spaces and versions, its limits and labels')
            [CompletionResult]::new('logs', 'logs', [CompletionResultType]::ParameterValue, 'Print a sandbox''s log, or that of the last failed build')
            [CompletionResult]::new('images', 'images', [CompletionResultType]::ParameterValue, 'List the images that this tool and the rlmesh SDK built')
            [CompletionResult]::new('prune', 'prune', [CompletionResultType]::ParameterValue, 'Remove what is not needed any more: images, builders, cached files and logs')
            [CompletionResult]::new('doctor', 'doctor', [CompletionResultType]::ParameterValue, 'Check that this machine can run sandboxes, and suggest how to fix what is missing')
            [CompletionResult]::new('completions', 'completions', [CompletionResultType]::ParameterValue, 'Print the completion script for a shell')
            [CompletionResult]::new('help', 'help', [CompletionResultType]::ParameterValue, 'Print this message or the help of the given subcommand(s)')
            break
        }
        'rlmesh-sandbox;help;init' {
            break
        }
        'rlmesh-sandbox;help;build' {
            break
        }
        'rlmesh-sandbox;help;run' {
            break
        }
        'rlmesh-sandbox;help;check' {
            break
        }
        'rlmesh-sandbox;help;stop' {
            break
        }
        'rlmesh-sandbox;help;reap' {
            break
        }
        'rlmesh-sandbox;help;hash' {
            break
        }
        'rlmesh-sandbox;help;ls' {
            break
        }
        'rlmesh-sandbox;help;ps' {
            break
        }
        'rlmesh-sandbox;help;inspect' {
            break
        }
        'rlmesh-sandbox;help;logs' {
            break
        }
        'rlmesh-sandbox;help;images' {
            break
        }
        'rlmesh-sandbox;help;prune' {
            break
        }
        'rlmesh-sandbox;help;doctor' {
            break
        }
        'rlmesh-sandbox;help;completions' {
            break
        }
        'rlmesh-sandbox;help;help' {
            break
        }
    })

    $completions.Where{ $_.CompletionText -like "$wordToComplete*" } |
        Sort-Object -Property ListItemText
}
