# What the scripts of windows-update share; each of them runs behind this text, in one script block, as SYSTEM: the Windows
# Update Agent does not let somebody who is logged on from elsewhere download or install.
#
# Windows PowerShell 5.1. Values come in $args and the environment only. Everything a script has to say to the controller is a
# line on standard output: `##switchback fact KEY VALUE`, `##switchback reason CODE TEXT`.
# Exit codes: 0 done, 3 nothing to do, 4 refused and nothing changed, 75 will pass and nothing changed, else failed.
#
# Each of $args is what fixes one finding: a KB, or several with `/` between them, of which each is for another release of
# Windows. SOURCE is `wsus` (what the policy of the host says), `microsoft`, or `default` (what the host is set to).
Set-StrictMode -Version 2.0
$ErrorActionPreference = 'Stop'

function Write-Fact([string]$Key, [string]$Value) {
    [Console]::Out.WriteLine("##switchback fact $Key " + ($Value -replace '[\x00-\x1f\x7f]', ' '))
}

function Stop-Script([int]$Code, [string]$Reason, [string]$Text) {
    $line = ($Text -replace '[\x00-\x1f\x7f]+', ' ')
    [Console]::Out.WriteLine("##switchback reason $Reason " + $line.Substring(0, [Math]::Min(400, $line.Length)).Trim())
    exit $Code
}

# What was meant for somebody else's eyes must not be taken for a KB.
function Test-Groups([string[]]$Groups) {
    if ($Groups.Count -eq 0) { Stop-Script 4 'no-packages' 'no update is named' }
    foreach ($group in $Groups) {
        if ($group -cnotmatch '^KB[0-9]{5,9}(/KB[0-9]{5,9})*$') { Stop-Script 4 'invalid-package' "$group names no KB" }
    }
}

function Get-ErrorCode($Record) {
    '0x{0:X8}' -f $Record.Exception.GetBaseException().HResult
}

# Ends with what an error of the agent means; $Reason is the code where it is nothing that passes.
function Stop-ForAgent($Record, [int]$Code, [string]$Reason) {
    $number = Get-ErrorCode $Record
    $text = "$number $($Record.Exception.GetBaseException().Message)"
    # Names that are not resolved, connections refused, time-outs, answers of HTTP that are none.
    if ($number -match '^0x(80072E|80244|8024001F|8024500C|80240438)') { Stop-Script 75 'source-unreachable' $text }
    # Another installation is running.
    if ($number -match '^0x(80240016|8024000B|80070652)') { Stop-Script 75 'locked' $text }
    if ($number -match '^0x(80070070|80240012)') { Stop-Script 4 'no-space' $text }
    if ($number -eq '0x80070005') { Stop-Script 4 'not-system' "$text (this must run as SYSTEM)" }
    Stop-Script $Code $Reason $text
}

function Get-Session {
    $session = New-Object -ComObject 'Microsoft.Update.Session'
    $session.ClientApplicationID = 'Switchback'
    $session
}

function Get-Searcher($Session) {
    $searcher = $Session.CreateUpdateSearcher()
    $policy = 'HKLM:\SOFTWARE\Policies\Microsoft\Windows\WindowsUpdate'
    switch ($env:SOURCE) {
        'wsus' {
            $server = Get-ItemProperty -Path $policy -Name 'WUServer' -ErrorAction SilentlyContinue
            $used = Get-ItemProperty -Path "$policy\AU" -Name 'UseWUServer' -ErrorAction SilentlyContinue
            if (-not $server -or -not $used -or $used.UseWUServer -ne 1) {
                Stop-Script 4 'no-wsus' 'the policy of this host names no WSUS server, or does not use it'
            }
            $searcher.ServerSelection = 1
        }
        'microsoft' { $searcher.ServerSelection = 2 }
        'default' { $searcher.ServerSelection = 0 }
        default { Stop-Script 4 'invalid-source' "$($env:SOURCE) is none of wsus, microsoft and default" }
    }
    $searcher
}

function Find-Updates($Searcher, [string]$Criteria) {
    try { $found = $Searcher.Search($Criteria) } catch { Stop-ForAgent $_ 4 'search-failed' }
    if ($found.ResultCode -ne 2) { Stop-Script 75 'source-unreachable' "the search ended with code $($found.ResultCode)" }
    @($found.Updates | ForEach-Object { $_ })
}

function Get-Kbs($Update) {
    @($Update.KBArticleIDs | ForEach-Object { "KB$_" })
}

# KBs that are installed, as the agent and as Windows itself count them, sorted.
function Get-InstalledKbs($Searcher) {
    $agent = @(Find-Updates $Searcher "IsInstalled=1 and Type='Software'" | ForEach-Object { Get-Kbs $_ })
    $hotfixes = @(Get-CimInstance -ClassName 'Win32_QuickFixEngineering' | ForEach-Object { $_.HotFixID })
    @($agent + $hotfixes | Where-Object { $_ -cmatch '^KB[0-9]+$' } | Sort-Object -Unique)
}

# What is to be done for each group: an object with `Group`, `State` (installed, offered, absent) and `Updates`. What was
# superseded is not offered any more, but what supersedes it is.
function Get-Plan($Session, [string[]]$Groups) {
    $searcher = Get-Searcher $Session
    $criteria = "IsInstalled=0 and IsHidden=0 and Type='Software'"
    $offers = @(Find-Updates $searcher $criteria)
    $searcher.IncludePotentiallySupersededUpdates = $true
    $known = @(Find-Updates $searcher $criteria)
    $installed = @(Get-InstalledKbs $searcher)
    foreach ($group in @($Groups | Sort-Object -Unique)) {
        $kbs = $group.Split('/')
        $updates = @($offers | Where-Object { @(Get-Kbs $_ | Where-Object { $kbs -ccontains $_ }).Count -gt 0 })
        if ($updates.Count -eq 0) {
            $ids = @($known | Where-Object { @(Get-Kbs $_ | Where-Object { $kbs -ccontains $_ }).Count -gt 0 } |
                ForEach-Object { $_.Identity.UpdateID })
            $updates = @($offers | Where-Object { @($_.SupersededUpdateIDs | Where-Object { $ids -contains $_ }).Count -gt 0 })
        }
        $state = 'absent'
        if ($updates.Count -gt 0) { $state = 'offered' }
        elseif (@($kbs | Where-Object { $installed -ccontains $_ }).Count -gt 0) { $state = 'installed' }
        New-Object -TypeName PSObject -Property @{ Group = $group; State = $state; Updates = $updates }
    }
}

# The updates of a plan, each once; ends where a finding has none and nothing that fixes it is installed.
function Get-Targets($Plan) {
    $absent = @($Plan | Where-Object { $_.State -eq 'absent' } | ForEach-Object { $_.Group })
    if ($absent.Count -gt 0) { Stop-Script 4 'fix-not-offered' "neither installed nor offered: $($absent -join ', ')" }
    $seen = @{}
    foreach ($entry in $Plan) {
        foreach ($update in $entry.Updates) {
            $id = $update.Identity.UpdateID
            if ($seen.ContainsKey($id)) { continue }
            $seen[$id] = $true
            if ($update.InstallationBehavior.CanRequestUserInput) { Stop-Script 4 'asks-questions' "$($update.Title) asks questions: a person must" }
            $update
        }
    }
}

function Get-Build {
    $version = Get-ItemProperty -Path 'HKLM:\SOFTWARE\Microsoft\Windows NT\CurrentVersion'
    "$($version.CurrentBuild).$($version.UBR)"
}

# Digest of the build and of all hot fixes.
function Get-PackagesDigest {
    $fixes = @(Get-CimInstance -ClassName 'Win32_QuickFixEngineering' | ForEach-Object { $_.HotFixID } | Sort-Object -Unique)
    $bytes = [Text.Encoding]::UTF8.GetBytes((@(Get-Build) + $fixes) -join "`n")
    $sha = [Security.Cryptography.SHA256]::Create()
    -join ($sha.ComputeHash($bytes) | ForEach-Object { $_.ToString('x2') })
}

# Services that a boot starts and that run; names hold no blanks but are checked, for they are joined by them.
function Get-Units {
    @(Get-CimInstance -ClassName 'Win32_Service' -Filter "StartMode='Auto' and State='Running'" |
        ForEach-Object { $_.Name } | Where-Object { $_ -match '^[A-Za-z0-9._$-]+$' } | Sort-Object -Unique)
}

# Which boot this is.
function Get-BootIdentity {
    (Get-CimInstance -ClassName 'Win32_OperatingSystem').LastBootUpTime.ToUniversalTime().ToString('yyyyMMddTHHmmssZ')
}

# Why this host must be rebooted, one reason a line; nothing if it need not be.
function Get-RebootReasons {
    if ((New-Object -ComObject 'Microsoft.Update.SystemInfo').RebootRequired) { 'the update agent asks for it' }
    $keys = @{
        'HKLM:\SOFTWARE\Microsoft\Windows\CurrentVersion\Component Based Servicing\RebootPending' = 'components wait for it'
        'HKLM:\SOFTWARE\Microsoft\Windows\CurrentVersion\WindowsUpdate\Auto Update\RebootRequired' = 'an update waits for it'
    }
    foreach ($key in @($keys.Keys | Sort-Object)) {
        if (Test-Path -Path $key) { $keys[$key] }
    }
}

# Ends unless the services of before run.
function Test-Units {
    $before = @("$($env:UNITS_BEFORE)".Split(' ') | Where-Object { $_ })
    $missing = @()
    # Slow starters get two minutes: Windows delays some of them by itself.
    for ($try = 0; $try -lt 60; $try++) {
        $now = @(Get-Units)
        # One that stopped well, or is no longer there, has nothing to do.
        $missing = @($before | Where-Object { $now -notcontains $_ } | Where-Object {
                $service = Get-CimInstance -ClassName 'Win32_Service' -Filter "Name='$_'"
                $service -and $service.StartMode -eq 'Auto' -and $service.ExitCode -ne 0
            })
        if ($missing.Count -eq 0) { return }
        Start-Sleep -Seconds 2
    }
    Stop-Script 1 'service-lost' "ran before and not now: $($missing -join ' ')"
}
