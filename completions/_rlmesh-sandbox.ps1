# PowerShell completion for rlmesh-sandbox. The program itself knows what may follow.

Register-ArgumentCompleter -Native -CommandName 'rlmesh-sandbox' -ScriptBlock {
    param($wordToComplete, $commandAst, $cursorPosition)

    $words = @()
    foreach ($element in $commandAst.CommandElements) {
        if ($element.Extent.StartOffset -ge $cursorPosition) { break }
        $text = $element.Extent.Text
        $length = [Math]::Min($text.Length, $cursorPosition - $element.Extent.StartOffset)
        $words += $text.Substring(0, $length).Trim([char[]]@("'", '"'))
    }
    # After a space, a new word begins.
    $index = $words.Count
    if ($cursorPosition -le $commandAst.Extent.EndOffset -and $wordToComplete -ne '') { $index = $words.Count - 1 }

    $program = $words[0]
    if (-not (Get-Command $program -ErrorAction Ignore)) { $program = 'rlmesh-sandbox' }
    $answer = @()
    try { $answer = @(& $program __complete $index @words 2>$null) } catch { $answer = @() }

    $count = 0
    foreach ($line in $answer) {
        $value, $description = $line -split "`t", 2
        if ($value -eq '' -and $description -like 'command *') {
            # PowerShell completes the user's own command as it completes any argument.
            $start = [int]($description -replace '^command ', '')
            if ($index -eq $start) {
                [System.Management.Automation.CompletionCompleters]::CompleteCommand($wordToComplete)
            } else {
                [System.Management.Automation.CompletionCompleters]::CompleteFilename($wordToComplete)
            }
            return
        }
        if ($value -eq '') { continue }
        $inserted = $value
        if ($value -match "[^\w./:=+~%-]") { $inserted = "'" + ($value -replace "'", "''") + "'" }
        if (-not $description) { $description = $value }
        [System.Management.Automation.CompletionResult]::new($inserted, $value, 'ParameterValue', $description)
        $count++
    }
    # Without any result, PowerShell would offer files.
    if ($count -eq 0) { '' }
}
