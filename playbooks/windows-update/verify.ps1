# Whether the updates in $args are installed and the host is as well as before. Only looks. UNITS_BEFORE is a fact of the
# preflight. What waits for a reboot is installed only behind it.
Test-Groups $args
$open = @(Get-Plan (Get-Session) $args | Where-Object { $_.State -eq 'offered' })
$reasons = @(Get-RebootReasons)
# An update that waits for a reboot is no longer offered; one that is still offered was not installed.
if ($open.Count -gt 0) { Stop-Script 1 'not-fixed' "still offered: $(@($open | ForEach-Object { $_.Group }) -join ', ')" }
Test-Units
Write-Fact 'reboot_pending' "$($reasons.Count -gt 0)".ToLowerInvariant()
if ($reasons.Count -gt 0) { Write-Fact 'reboot_why' ($reasons -join '; ') }
Write-Fact 'packages' (Get-PackagesDigest)
exit 0
