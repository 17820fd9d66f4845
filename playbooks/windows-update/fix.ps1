# Installs the updates in $args, in one transaction of the agent. May run again: what is installed is not offered.
Test-Groups $args
$session = Get-Session
$targets = @(Get-Targets @(Get-Plan $session $args))
if ($targets.Count -eq 0) {
    Write-Fact 'changed' '0'
    exit 0
}
$updates = New-Object -ComObject 'Microsoft.Update.UpdateColl'
foreach ($update in $targets) {
    if (-not $update.EulaAccepted) { $update.AcceptEula() }
    [void]$updates.Add($update)
}

# Download first: a source that fails now has changed nothing.
try {
    $downloader = $session.CreateUpdateDownloader()
    $downloader.Updates = $updates
    $result = $downloader.Download()
} catch { Stop-ForAgent $_ 75 'download-failed' }
if ($result.ResultCode -ne 2) { Stop-Script 75 'download-failed' ('the download ended with code {0}, 0x{1:X8}' -f $result.ResultCode, $result.HResult) }

try {
    $installer = $session.CreateUpdateInstaller()
    if ($installer.RebootRequiredBeforeInstallation) { Stop-Script 4 'reboot-pending' 'a reboot is pending' }
    $installer.Updates = $updates
    $installer.ForceQuiet = $true
} catch { Stop-ForAgent $_ 4 'install-refused' }
try { $result = $installer.Install() } catch {
    # Only that another installation runs is known to come before any change.
    if ((Get-ErrorCode $_) -match '^0x(80240016|80070652)') { Stop-ForAgent $_ 75 'locked' }
    Stop-Script 1 'install-failed' "$(Get-ErrorCode $_) $($_.Exception.GetBaseException().Message)"
}
$failed = @()
for ($i = 0; $i -lt $updates.Count; $i++) {
    $one = $result.GetUpdateResult($i)
    [Console]::Out.WriteLine(('{0}: code {1}, 0x{2:X8}' -f $updates.Item($i).Title, $one.ResultCode, $one.HResult))
    if ($one.ResultCode -ne 2) { $failed += '{0} (0x{1:X8})' -f ((Get-Kbs $updates.Item($i)) -join ','), $one.HResult }
}
Write-Fact 'changed' ([string]($updates.Count - $failed.Count))
Write-Fact 'reboot_required' "$($result.RebootRequired)".ToLowerInvariant()
if ($failed.Count -gt 0 -or $result.ResultCode -ne 2) { Stop-Script 1 'install-failed' "code $($result.ResultCode): $($failed -join '; ')" }
exit 0
