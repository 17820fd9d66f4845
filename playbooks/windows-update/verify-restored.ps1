# Whether a restored host is as it was: the same build and hot fixes (PACKAGES_BEFORE) and the services of its boot
# (UNITS_BEFORE), both facts of the preflight. Only looks.
$now = Get-PackagesDigest
if ($now -cne $env:PACKAGES_BEFORE) { Stop-Script 1 'packages-differ' "the updates are not those of the backup (digest $now, was $env:PACKAGES_BEFORE)" }
Test-Units
Write-Fact 'packages' $now
exit 0
