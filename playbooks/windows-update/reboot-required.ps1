# Whether the host must be rebooted: 0 yes, with the reasons as a fact; 3 no. Only looks.
$reasons = @(Get-RebootReasons)
if ($reasons.Count -eq 0) { Stop-Script 3 'no-reboot-required' 'no reboot is required' }
Write-Fact 'reboot_why' ($reasons -join '; ')
exit 0
