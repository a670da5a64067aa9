# Elvish completion for rlmesh-sandbox. The program itself knows what may follow.

use str

set edit:completion:arg-completer[rlmesh-sandbox] = {|@words|
    var index = (- (count $words) 1)
    var answer = []
    try {
        set answer = [((external $words[0]) __complete $index $@words 2>/dev/null </dev/null)]
    } catch error {
        # Nothing is known.
    }
    for line $answer {
        var value description = (str:split &max=2 "\t" $line)
        if (and (eq $value '') (str:has-prefix $description 'command ')) {
            var start = (str:trim-prefix $description 'command ')
            # What follows `--` is completed like what follows sudo.
            edit:complete-sudo (all $words[(- $start 1)..])
        } elif (not-eq $value '') {
            var space = ' '
            for end [/ : = @] {
                if (str:has-suffix $value $end) { set space = '' }
            }
            var display = $value
            if (not-eq $description '') { set display = $value'  ('$description')' }
            edit:complex-candidate $value &display=$display &code-suffix=$space
        }
    }
}
