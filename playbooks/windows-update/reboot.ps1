# Reboots, five seconds from now: the result of this script must be on disk before the host goes down.
& "$env:SystemRoot\System32\shutdown.exe" '/r' '/t' '5' '/d' 'p:2:17'
if ($LASTEXITCODE -ne 0) { Stop-Script 4 'no-reboot' "shutdown.exe ended with $LASTEXITCODE" }
exit 0
