# Fish completion for rlmesh-sandbox. The program itself knows what may follow.

function __rlmesh_sandbox_complete
    set -l words (commandline --current-process --tokenize --cut-at-cursor)
    set -l current (commandline --current-token --cut-at-cursor)
    # Variables may stand before the program.
    while test (count $words) -gt 1; and not string match --quiet -- '*rlmesh-sandbox' $words[1]
        set --erase words[1]
    end
    set -l unquoted (string unescape -- $current 2>/dev/null); or set unquoted $current
    set -l program $words[1]
    type --query -- $program; or set program rlmesh-sandbox
    set -l answer (command $program __complete (count $words) $words "$unquoted" 2>/dev/null </dev/null)
    if test (count $answer) -eq 1; and string match --quiet --regex '^\tcommand ' -- $answer[1]
        set -l start (math (string replace --regex '^\tcommand ' '' -- $answer[1]) + 1)
        set -l line (string escape -- $words[$start..-1])
        complete --do-complete "$(string join -- ' ' $line $current)"
        return
    end
    test (count $answer) -eq 0; or printf '%s\n' $answer
end

complete --command rlmesh-sandbox --erase
complete --command rlmesh-sandbox --no-files --keep-order --arguments '(__rlmesh_sandbox_complete)'
