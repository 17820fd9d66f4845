# Whether the updates in $args can be installed now, and how the host is before. Changes nothing.
Test-Groups $args
Write-Fact 'packages' (Get-PackagesDigest)
Write-Fact 'kernel' (Get-Build)
Write-Fact 'units' ((Get-Units) -join ' ')
Write-Fact 'boot' (Get-BootIdentity)
$reasons = @(Get-RebootReasons)
Write-Fact 'reboot_pending' "$($reasons.Count -gt 0)".ToLowerInvariant()
if ($reasons.Count -gt 0) { Write-Fact 'reboot_why' ($reasons -join '; ') }

$session = Get-Session
$targets = @(Get-Targets @(Get-Plan $session $args))
if ($targets.Count -eq 0) { Stop-Script 3 'nothing-to-do' 'everything that was found is installed' }
Write-Fact 'transaction' (@($targets | ForEach-Object { "$((Get-Kbs $_) -join ',') $($_.Title)" }) -join '; ')
# The agent would refuse, and only then.
$installer = $session.CreateUpdateInstaller()
if ($installer.RebootRequiredBeforeInstallation) { Stop-Script 4 'reboot-pending' "a reboot is pending: $($reasons -join '; ')" }
if ($installer.IsBusy) { Stop-Script 75 'locked' 'another installation is running' }

# Space: an update is unpacked beside its download and beside what it replaces.
$download = [decimal]0
foreach ($update in $targets) { $download += $update.MaxDownloadSize }
Write-Fact 'download_kib' ([string][Math]::Ceiling($download / 1024))
$free = (Get-CimInstance -ClassName 'Win32_LogicalDisk' -Filter "DeviceID='$env:SystemDrive'").FreeSpace
$needed = 3 * $download + 1gb
if ($free -lt $needed) { Stop-Script 4 'no-space' "$env:SystemDrive has $([Math]::Floor($free / 1kb)) KiB free and needs $([Math]::Ceiling($needed / 1kb))" }
exit 0
