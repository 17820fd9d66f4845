//! Every code a diagnostic may have, with what it means and what to do.

/// The codes with their explanations, sorted by code.
pub const CODES: &[(&str, &str)] = &[
    (
        "abbreviated-time-zone",
        "The time zone is an abbreviation such as EST or CET. The database has it, but it names no place: it has no or an outdated daylight saving. Name a place, such as Europe/Berlin.",
    ),
    (
        "ambiguous-host",
        "A name in a report fits several hosts of the inventory. Say which one is meant, or give the hosts distinct aliases.",
    ),
    (
        "ambiguous-scalar",
        "A text stands without quotes that other readers of YAML take for something else: `no` and `on` for truth values, `012` for an octal number, `22:00` for a number to the base of 60. Put it in quotes.",
    ),
    (
        "approval-missing",
        "The plan needs approvals that it does not have: it is not run. `switchback approvals PLAN` shows per rule what is missing and what does not count; `switchback approve PLAN` gives an approval.",
    ),
    (
        "approval-not-checked",
        "The signatures of approvals cannot be checked, so that none counts. Install `ssh-keygen` of OpenSSH, or free what it needs.",
    ),
    (
        "approval-too-short",
        "Approvals will have expired when the first window of a host opens. Approve the plan later, or let the policy's `valid_for` be longer.",
    ),
    (
        "approver-is-author",
        "Whoever made the plan wants to approve it, and the policy has `not_author`. Somebody else must approve it.",
    ),
    (
        "approvers-missing",
        "The file that names who may approve is not there: nobody can. Write it beside the policy, in the format of `allowed_signers` of OpenSSH, or say with `-p` where the policies are now.",
    ),
    (
        "args-of-run",
        "A command written as `run` has `args` as well. The list behind `run` holds the program and all its arguments.",
    ),
    (
        "audit-approval-missing",
        "The journal tells of an approval whose statement is not in the evidence. It was left out, or it was changed: then it is not the one any more that was accepted.",
    ),
    (
        "audit-approval-wrong",
        "What the journal says of an approval is not what was signed, the signature does not hold, or whoever signed may not approve. The message says which.",
    ),
    ("audit-checkpoint-foreign", "A checkpoint is of another campaign or plan: the evidence was mixed."),
    (
        "audit-checkpoint-wrong",
        "A line of the checkpoints is none, or is there twice. It was changed after it was written.",
    ),
    (
        "audit-journal-cut",
        "The journal ends before the last record that was signed, or in the middle of one. The rest was cut off or lost.",
    ),
    (
        "audit-manifest-wrong",
        "The manifest tells of more or less than there is, or of another last record. Something was taken out or added after the export.",
    ),
    (
        "audit-not-as-policy",
        "The plan does not ask people for what its policies ask, such as approvals or a ticket: it was changed after it was made, before or while it was run.",
    ),
    (
        "audit-outside-window",
        "The first disruptive step of a host began outside its windows. No controller does that by itself.",
    ),
    (
        "audit-plan-changed",
        "The plan is not the one that was run, or it cannot be read. If it has another format, verify with the version of the program that made it.",
    ),
    ("audit-plan-unsafe", "The plan breaks an invariant: no controller runs such a plan."),
    (
        "audit-policies-absent",
        "The texts of the policies are not there, so that nothing shows that the plan asks people for what they ask. They were taken out, or not kept, as by `run --trust-plan`: then --without-policies lets it pass.",
    ),
    (
        "audit-policies-changed",
        "The texts of the policies do not have the digest that the plan names: they are not those from which it was made.",
    ),
    ("audit-record-added", "A record is there that the controller did not write there, or one is there twice."),
    (
        "audit-record-changed",
        "A record is not what its controller wrote: the record behind it, or a signature, names another digest. Where a chain was made anew, one of the records since the last signature was changed.",
    ),
    (
        "audit-record-foreign",
        "A record is of another campaign, or the journal begins with another plan: the evidence was mixed.",
    ),
    (
        "audit-record-impossible",
        "A record cannot follow from the plan and the records before it, although it is in the chain: the engine would not have written it.",
    ),
    ("audit-record-moved", "Records are not in the order in which they were written."),
    ("audit-record-removed", "Records that the next one follows are not there."),
    (
        "audit-signature-wrong",
        "A checkpoint is not signed by the controller's key: it was changed, or signed by somebody else. If the controller's key was changed meanwhile, give both with --controller-key.",
    ),
    (
        "audit-tail-unsigned",
        "The last records are covered by no signature: the controller could not sign, crashed before it did, or somebody added or rewrote them.",
    ),
    (
        "audit-unfinished",
        "The campaign has not ended by its records. Either it was still under way when it was exported (then --unfinished lets it pass), or its end was left out.",
    ),
    (
        "audit-unreadable",
        "The folder is no bundle of `switchback audit export`, or holds what no bundle has: links, devices, files that are too large.",
    ),
    (
        "campaign-ended",
        "The campaign has ended: there is nothing to pause, abort or resume. Make a new plan for what is left.",
    ),
    (
        "campaign-unreadable",
        "What a campaign of the state folder has shown cannot be read: its plan or its records are damaged, or another program has \
         made them. What it put in quarantine would be planned again, so nothing is planned. Bring the journal back from a backup, or \
         move the state folder away.",
    ),
    (
        "change-not-checked",
        "Nobody could be asked whether the change may go on, so it does not. Mend what `change.check` of the policy names.",
    ),
    ("change-refused", "Whoever keeps change requests does not let this one go on now."),
    (
        "deadlines-out-of-order",
        "A more urgent priority has a later deadline than a less urgent one. The deadlines of critical, high, medium and low must not fall in this order.",
    ),
    (
        "duplicate-feed",
        "Two feeds of one kind are given: two KEV catalogues, or two files of EPSS scores. Which of them counts is not guessed. Give the newest one only.",
    ),
    (
        "duplicate-host",
        "Two hosts of the inventory have the same name. Hosts are known by their names in plans and journals. Rename or remove one.",
    ),
    (
        "duplicate-key",
        "A mapping has the same key twice. Readers of YAML differ in which of them they take, so that neither is taken. Keep one of them.",
    ),
    (
        "duplicate-name",
        "Two entries of a section have the same name. Names hold across all files of a bundle; decisions and plans refer to them. Rename one.",
    ),
    (
        "empty-calendar",
        "No event of a calendar is taken: `summary` selects none, or all are cancelled or count as free. As a window it never opens, as a freeze it freezes nothing.",
    ),
    ("empty-description", "A playbook says nothing of what it does. People choose and approve by the description."),
    (
        "empty-limit",
        "`--limit` and `--host` together select no host: a name that is mistyped, or in another inventory.",
    ),
    ("empty-run", "A command names no program."),
    (
        "empty-selector",
        "A selector, or one of its lists, is empty. It is not guessed whether everything or nothing was meant: write `match: all` for everything, or leave the empty key out.",
    ),
    (
        "empty-window",
        "A window does not open on any day within two years, for example because its rule asks for February 30 or ended long ago. Hosts that have no other window are never fixed.",
    ),
    (
        "encrypted-vars",
        "A file of variables, or a value in one, is encrypted and not known here; the rest is read. Keep what is needed to reach hosts outside of the vault.",
    ),
    (
        "event-without-length",
        "An event of a calendar has no DTEND and no DURATION, or ends when it begins. As a window it opens nothing; as a freeze it is refused, because it would silently freeze nothing.",
    ),
    (
        "exception-expires-soon",
        "An exception ends within two weeks. What it covers is then planned again: fix it before, or agree on another date while there is time.",
    ),
    (
        "executable-inventory",
        "The inventory is a program. None is run unless `--run-inventory` allows it: it would run as you do. Or run it yourself, and give what it prints for `--list` as the inventory.",
    ),
    (
        "expired-exception",
        "The date of an exception has passed, so that it no longer applies. Take it out, or give it another date if its reason still holds.",
    ),
    (
        "feed-count-mismatch",
        "The KEV catalogue says that it has another number of entries than it has. It may have been cut off, or be a sample. What is missing in it is not taken for exploited.",
    ),
    (
        "feed-rows-left-out",
        "Rows of a feed name no vulnerability, name one twice, or have a score that is none. The other rows count.",
    ),
    ("feed-without-date", "A feed does not say of which day it is, so that nobody can see how old it is."),
    ("file-too-large", "A file is larger than its kind may be. Split it, one file a host."),
    (
        "forbidden-builtin",
        "A rule calls a function whose answer depends on more than its arguments: the clock, the network, the machine or chance. A plan must come out the same whenever and wherever it is made. The time is `input.now`.",
    ),
    (
        "free-event",
        "Events of a calendar say TRANSP:TRANSPARENT, that their time stays free. They open no window; as freezes they count, because calendars of holidays mark all their days so.",
    ),
    (
        "glued-tag",
        "A template tag touches the text beside it. It must have white space on both sides, so that its value is a word of its own.",
    ),
    ("group-loop", "A group is a member of itself, through others or at once."),
    ("ignored-key", "A key of an inventory has no meaning here and is left out."),
    (
        "ignored-variable",
        "A variable of an Ansible inventory changes how hosts are reached in a way that is not supported; it is left out.",
    ),
    (
        "impossible-selector",
        "The keys of a selector contradict each other, such as `kev: true` together with `not: {kev: true}`, or a comparison that no value fulfils. All keys of a selector must hold at once, so that it can never match; alternatives stand under `any`.",
    ),
    (
        "in-use",
        "A clone, backup, original or watch belongs to a host whose campaign has not ended: it may be the way back.",
    ),
    (
        "incomplete-decision-table",
        "Some combinations of answers have no row in a decision table of SSVC. For these it decides nothing.",
    ),
    (
        "invalid-amount",
        "An amount is neither a number of hosts from 1 nor a share from 1% to 100%, or it is one where only the other makes sense.",
    ),
    (
        "invalid-calendar",
        "A calendar (.ics) cannot be read, or one of its events is broken. Nothing of a calendar is skipped: a window would be wrong, or a freeze missing, and nobody would know. The place is the line of the calendar.",
    ),
    (
        "invalid-comparison",
        "A comparison could not be read. Write an operator (>=, <=, >, <, =) and a value of the right kind; several, all of which must hold, are parted by commas.",
    ),
    (
        "invalid-cron",
        "A cron expression could not be read, has seconds, or fires several times an hour. It has five fields: minute, hour, day of month, month and day of week; names, `L`, `#`, `W` and nicknames such as @weekly are taken. It says when a window opens; `duration` or `end` says when it closes.",
    ),
    ("invalid-date", "A day could not be read. Write it as 2026-12-05."),
    (
        "invalid-duration",
        "The length of a window could not be read, is zero, negative or longer than 31 days. Write whole numbers with d, h, m or s, such as 4h30m.",
    ),
    ("invalid-fact", "A fact is not written as STEP.KEY, or is not one that an earlier step reports."),
    (
        "invalid-feed",
        "A feed has another header or other fields than its kind has, a decision table contradicts itself, or no row of it can be used. Take the file as it is published.",
    ),
    (
        "invalid-freeze",
        "A freeze says twice when it holds. It has `from`, `to` and `timezone`, or `calendar` with `summary` and `timezone` if they are needed.",
    ),
    ("invalid-group-name", "The name of a group has characters that names may not have."),
    (
        "invalid-host-name",
        "The name of a host has characters that names may not have, or is not given where it must be.",
    ),
    ("invalid-host-range", "A range of hosts such as web[1:9] could not be read or is empty."),
    ("invalid-ignore-file", "The ignore file is not text."),
    ("invalid-inventory", "The inventory is not text, or does not have the shape of one."),
    (
        "invalid-inventory-line",
        "A line of an inventory could not be read: its quotes, brackets or `name=value` are not in order.",
    ),
    ("invalid-json", "The file is not JSON; the message says what it seems to be, or where it breaks off."),
    (
        "invalid-name",
        "A name is empty, too long, or has characters that cannot be printed. Names are shown in tables and logs and stand in plans.",
    ),
    (
        "invalid-pattern",
        "A pattern cannot be used: one of a selector is empty or longer than 256 bytes, or a host pattern is too large, has a regular expression that is none, or counts beyond the hosts that it matches.",
    ),
    ("invalid-rego", "A rule file cannot be read: it is not Rego v1, or it uses a name that nothing defines."),
    (
        "invalid-report",
        "A report is not of the shape that its format asks for. It may be truncated or of another version.",
    ),
    (
        "invalid-rrule",
        "A recurrence rule could not be read or is finer than a day. Write a rule of RFC 5545 with FREQ=DAILY, WEEKLY, MONTHLY or YEARLY; the time of day is `start`, so that BYHOUR, BYMINUTE and BYSECOND have no place.",
    ),
    (
        "invalid-rule-decision",
        "A rule gave an answer that means nothing. `override` is null, a priority, or an object with `priority` and perhaps `reason`; `use` is null, a strategy, or an object with `use` and perhaps `reason`; `deny` and `warn` are sets of texts, or of objects with `msg` and perhaps `hosts`.",
    ),
    ("invalid-schedule", "A schedule needs `rrule` or `dates` (not both), and `duration` or `end` (not both)."),
    ("invalid-score", "A score lies between 0 and 10."),
    (
        "invalid-table",
        "A table of separated values has no header with the columns that its format needs, or a row that cannot be read. The message says which, and the place.",
    ),
    ("invalid-template", "A template cannot be read or would not give a single safe value."),
    (
        "invalid-test",
        "A test of policies expects nothing, is about neither a finding nor a host, or expects of a host what only a finding has.",
    ),
    (
        "invalid-time",
        "A time could not be read. Write a time of day as \"22:00\", in quotes, and a local time as 2026-12-18T18:00.",
    ),
    (
        "invalid-time-span",
        "A length of time could not be read, or is zero where something must be done in it. Write 90d or 4h30m.",
    ),
    ("invalid-toml", "The file is not TOML; the message is that of the parser."),
    (
        "invalid-unit",
        "A unit of `restart.never` holds a character that no systemd unit has. Write a name such as nginx.service, with `*` for any text and `?` for any character.",
    ),
    ("invalid-url", "The URL of a probe must begin with http:// or https://."),
    (
        "invalid-value",
        "A value has the right type and is not one of those that make sense here; the message says which do.",
    ),
    ("invalid-variable", "A variable has a name or a value that it may not have."),
    ("invalid-vars-file", "A file of variables is not a mapping of names to values."),
    ("invalid-version", "A condition on the version of a system could not be read."),
    (
        "invalid-weight",
        "A weight is not between 0 and 1000, or all weights are zero. Weights are normalised, so that any unit will do.",
    ),
    (
        "invalid-xml",
        "The file is not well-formed XML, or it defines entities of its own, which are refused. The place is where it gave up.",
    ),
    (
        "invalid-yaml",
        "The file is not YAML. The message is that of the parser; the place is where it gave up, which may be behind the cause.",
    ),
    (
        "inventory-plugin",
        "The file configures an inventory plugin of Ansible; plugins are not run. Give the output of `ansible-inventory --list`.",
    ),
    (
        "inventory-program-failed",
        "An inventory program did not give what `--list` is to give: it could not be started, ended with another exit code than 0, took longer than 30 seconds, printed too much, or something other than a JSON object. The message says which, with the end of what it said on stderr.",
    ),
    (
        "malformed-expiry",
        "The date of an exception could not be read. It is taken as expired: an exception that might never end must not hide findings.",
    ),
    (
        "missing-file",
        "A policy names a file that is not there. Paths are relative to the policy file, or else to the folder that is given as policies, and never lead out of it.",
    ),
    ("missing-key", "A key that must be given is not there."),
    ("missing-owner", "An exception names nobody who answers for it."),
    (
        "missing-reason",
        "A rule that departs from the usual gives no reason. It is shown with every decision the rule makes.",
    ),
    ("negative-freeze", "A freeze ends before it begins."),
    ("nesting-too-deep", "A file nests deeper than any tool writes it."),
    ("no-campaign", "The state folder has no campaign yet."),
    ("no-fix", "A playbook has no fix step, so that it fixes nothing."),
    (
        "no-open-campaign",
        "No campaign is left that could be paused, aborted or resumed: there was none, or all have ended.",
    ),
    (
        "no-policy-files",
        "A folder of policies holds no *.yaml and no *.yml file, or a test has no policy to be about. It is not guessed that none was meant.",
    ),
    ("no-state", "The state folder holds no journal. --state names the folder in which the campaign was started."),
    (
        "no-tests",
        "There is nothing to run: no `*.test.yaml` lies beside the policies, one has no tests, or `--run` fits none.",
    ),
    ("no-verify", "A playbook has no verify step, so that it could not be told whether the fix is there."),
    (
        "no-window",
        "A host has no time in which disruptive steps may start: no window is for it, none opens in the time asked for, or freezes take all that do. `switchback windows --for HOST` lists them.",
    ),
    ("not-a-plan", "The file is not one that `switchback plan` wrote."),
    (
        "not-an-approver",
        "The key is not one of those that the plan's files of approvers name, or not for this person. Who may approve is part of a plan: whoever is added needs a new one.",
    ),
    ("not-in-quarantine", "The name is not in quarantine. `switchback quarantine` lists what is."),
    (
        "ordered-list-split",
        "A list in which the first match wins stands in two files. Files of a bundle have no order, so that it could not be said which rule comes first. Put all rules of the list into one file.",
    ),
    (
        "other-plan",
        "The digest of the plan does not begin as --plan-digest says: it is not the plan that was looked at. Look at it again, and see who changed it.",
    ),
    (
        "plan-changed",
        "The plan is not the one that its digest names: the file was changed or damaged. Plans are not edited; make it again.",
    ),
    (
        "plan-denied",
        "A rule of package `switchback.plan` denies this plan, for the reasons shown. The plan file was not written.",
    ),
    (
        "plan-format",
        "The plan was made by a version of the program that writes another format. Make it again with this one.",
    ),
    (
        "plan-input-missing",
        "A file from which the plan was made is not where it was, or the plan names none, so that it cannot be told whether the plan is stale. Say where it is with -p or -i, or run the plan as it is with --trust-plan.",
    ),
    (
        "plan-invalid",
        "The digest of the plan is right, but it does not have the shape of one. It was not made by `switchback plan`.",
    ),
    ("plan-io", "The plan file could not be read to its end; the message says why."),
    (
        "plan-not-as-policy",
        "The plan does not ask people for what its policies ask (approvals, a ticket, by whom), or a host is not as the inventory has it: the plan was changed after it was made. Make it again.",
    ),
    (
        "plan-stale",
        "The policies or the inventory are not those from which the plan was made; both digests are shown. Make the plan again, name the right files with -p and -i, or run the plan as it is with --trust-plan.",
    ),
    ("plan-too-large", "The plan file is larger than any plan."),
    ("plan-trailing-data", "The plan file goes on behind the plan. Plans are not edited."),
    ("plan-truncated", "The plan file breaks off before its end. Copy it again, or make the plan again."),
    (
        "plan-unsafe",
        "The plan breaks an invariant, such as a fix without a backup. No plan that this program makes does: it was made by other means or by a faulty version. Make it again.",
    ),
    ("points-out-of-order", "A more important host would get fewer points than a less important one."),
    (
        "record-too-large",
        "One record of a report, or a list that must be kept while it is read, is larger than any tool writes it. The message names the limit.",
    ),
    (
        "rego-crashed",
        "The process that evaluates rules died or gave an answer that cannot be read. Nothing was decided by rules, so that nothing is planned.",
    ),
    (
        "rego-error",
        "A rule could not be evaluated: a function was given what it cannot take, or two rules give different answers. What cannot be computed is an error, never silently undefined.",
    ),
    (
        "rego-memory",
        "Rules wanted more memory than the process that evaluates them may have. Look for ranges, products of large sets and repeated concatenation.",
    ),
    (
        "rego-nesting",
        "Brackets are nested too deeply in a rule file; the time to read them doubles with every level. Give the inner part a rule or a variable of its own.",
    ),
    ("rego-recursion", "Rules call each other without end."),
    ("rego-timeout", "A rule took too long to evaluate. Look for loops over products of large sets."),
    (
        "rego-too-large",
        "A rule file, all rule files together, a question to the rules or an answer of theirs is larger than its limit, which the message names.",
    ),
    (
        "rego-unavailable",
        "The process that evaluates rules could not be started, or was not. Without it nothing can be decided, so that nothing is planned.",
    ),
    (
        "repeated-replacement",
        "An event of a calendar replaces one occurrence of another (RECURRENCE-ID) and has rules or dates of its own. As a window only its own time counts; as a freeze it is refused, because nobody can tell when it holds.",
    ),
    (
        "rrule-needs-from",
        "The days of this rule depend on the day it starts from (INTERVAL, COUNT, or no days named). Name the days, or add `from` with that day.",
    ),
    (
        "rule-without-decision",
        "A file belongs to a package that is asked for decisions, and the package defines none: `override` in `switchback.priority`, `use` in `switchback.strategy`, `deny` or `warn` in `switchback.plan`.",
    ),
    (
        "scan-incomplete",
        "Some hosts could not be scanned. What the others said is written; the message names the hosts that failed and why.",
    ),
    (
        "scanners-disagree",
        "Several scanners report the same vulnerability of the same package on a host and do not say the same of it: another severity, fix or installed version. The worst that is said holds; what each says is kept under `claims`.",
    ),
    ("script-digest", "A playbook gives a script that does not have the digest by which it is called."),
    (
        "selector-context",
        "A selector asks for something that is not known where it stands: a rule about hosts cannot ask for findings, and a rule that sets the importance cannot ask for it.",
    ),
    (
        "service-busy",
        "A campaign that has not ended has hosts of the same service. Each counts its own hosts only, and together they could take down more than `max_unavailable` allows. Go on with that campaign, or abort it.",
    ),
    (
        "set-twice",
        "A value is set in two files of a bundle. Files have no order, so that neither wins. Keep one of them.",
    ),
    (
        "shadowed-rule",
        "A rule of a list in which the first match wins comes behind others that match all that it matches, so that it decides nothing: by what the selectors say, for every host of the inventory, or for every finding of the reports; the message says which. Take it out, or put it in front of the more general rule.",
    ),
    (
        "tag-strips-space",
        "A template tag removes the white space around it, which would join its value to what stands beside it.",
    ),
    (
        "thresholds-out-of-order",
        "The thresholds do not fall from critical over high to medium, so that some priority could never be reached.",
    ),
    ("ticket-missing", "The policy wants a change request, and the plan names none. Make it again with `--ticket`."),
    ("too-complex", "A script cannot be followed far enough to know that its values are safe. Write it more simply."),
    ("too-many-commands", "A step of a playbook has more commands than a step may have."),
    ("too-many-hosts", "The inventory names more hosts than one may name."),
    ("undefined-group", "A group is used that is defined nowhere."),
    (
        "undefined-rule-decision",
        "A rule has no value for a finding or host. Write `default override := null` (or `default use := null`): null means that the rule has no opinion.",
    ),
    ("unfinished-tag", "A template tag or a quote is not closed."),
    ("unknown-builtin", "There is no built-in script of this name."),
    ("unknown-campaign", "The state folder has no campaign of this name. `switchback status` lists those it has."),
    (
        "unknown-feed",
        "The file is no feed that is known here. Feeds are the KEV catalogue, the EPSS scores and decision tables of SSVC. Advisory databases (NVD, OSV, CVE records, distributions) are none: scanners compare packages with them.",
    ),
    ("unknown-function", "A rule calls a function that neither Rego, Switchback nor any rule file defines."),
    (
        "unknown-host",
        "A report speaks of hosts that are not in the inventory. Add them there as host, address or alias, or say which host the report is about.",
    ),
    (
        "unknown-ignore-format",
        "The file is none of the ignore files known here: .trivyignore, .trivyignore.yaml, .grype.yaml, osv-scanner.toml, and audit.toml of cargo-audit.",
    ),
    ("unknown-input", "A rule reads a part of the input that does not exist; it would always be undefined."),
    (
        "unknown-inventory-format",
        "The file is none of the inventories known here: the native one, or Ansible's in INI, YAML or JSON.",
    ),
    (
        "unknown-item",
        "The list of manual work has no item of this name. `switchback manual list` shows it, and takes in the items of a plan with -p, -i and -f, or --plan.",
    ),
    (
        "unknown-justification",
        "The justification of an exception is not one of those that VEX knows. It is shown as it is written; other tools will not understand it.",
    ),
    (
        "unknown-key",
        "A key is not part of the format. It is refused, because a misspelt key would silently not be acted on; a near one is suggested.",
    ),
    ("unknown-name", "A test names a host or a finding that its file does not describe."),
    (
        "unknown-reference",
        "No provider holds a clone, backup or original of this name for a host of this state folder.",
    ),
    ("unknown-report-format", "The file is none of the reports known here."),
    (
        "unknown-rule-package",
        "A rule file belongs to a package `switchback.*` that nothing asks. Packages of helpers have other names.",
    ),
    ("unknown-step", "A step is named that there is not, or not before this one."),
    ("unknown-tag", "A template tag is not one of those that are of use in a script."),
    (
        "unknown-time-zone",
        "A time zone is not in the IANA database, or is an offset such as GMT+2, which knows no daylight saving and is read with either sign. Name a place, such as Europe/Berlin.",
    ),
    ("unknown-type", "There is no such type of vulnerability."),
    ("unknown-variable", "A template uses a variable that is not there at this place."),
    ("unknown-version", "The playbook says that it is written for another version of the format."),
    (
        "unknown-vex-format",
        "The document is no VEX known here. Read are OpenVEX, CSAF 2.0 and 2.1, and CycloneDX, each as JSON.",
    ),
    ("unknown-vulnerability", "The plan knows no such vulnerability on this host: no report had it."),
    ("unknown-watch", "No campaign of this state folder has left the host stuck with a watch that may put it back."),
    (
        "unmatched-exception",
        "An exception matches none of the findings that are given. What it accepted may be fixed, or its selector misspelt.",
    ),
    (
        "unmatched-exdate",
        "A date in `exdate` is none on which the window would open, so that it takes nothing out. Correct it, or take it out.",
    ),
    (
        "unmatched-selector",
        "A rule can match no host of the inventory: a misspelt label or group, or a rule that has outlived its hosts.",
    ),
    (
        "unreachable-priority",
        "No score can be so high, or so low, that a finding would have this priority, and neither an override nor `unscored` gives it: the thresholds do not fit the weights and the points of importance.",
    ),
    ("unreachable-scope", "`scope.fix` lists only priorities that no finding can have, so that nothing is ever fixed."),
    ("unreadable-file", "A file or folder could not be read; the message says why."),
    (
        "unreadable-revision",
        "A revision of git, or a path in it, cannot be read: it is not there, or there is no repository here. Nothing is compared.",
    ),
    (
        "unsupported-encoding",
        "An XML file says that it is in an encoding which is not read. UTF-8, ISO-8859-1 and Windows-1252 are; save the file as UTF-8.",
    ),
    ("unsupported-version", "The file says that it is written for another version of the format."),
    (
        "unused-playbook",
        "A playbook that was given fits no host of the inventory, or another one fits every host that it fits and comes first by name, so that no plan uses it.",
    ),
    ("unused-var", "No template of the playbook names this constant. Use it as `{{ vars.NAME }}` or take it out."),
    ("value-as-command", "A value would decide which program runs. The program must be a plain name."),
    ("value-as-script", "A value would be read as a script, by `eval`, `sh -c` and the like."),
    (
        "value-in-context",
        "A value stands where quoting it does not protect: inside quotes, a comment, a here-document or a substitution.",
    ),
    ("variable-twice", "A variable of the environment is set in two ways."),
    ("waves-out-of-order", "A wave is not larger than the one before. Waves are cumulative."),
    (
        "went-back-by-itself",
        "The watch of a host has restored it, or does so now: it had not heard of its controller. What was done there since its backup is gone.",
    ),
    (
        "which-command",
        "A command has none or several of `builtin`, `run`, `shell` and `ansible`, or a reboot is given to `ansible`.",
    ),
    (
        "window-frozen",
        "Freezes take whole openings of a window. A warning where they take all of two years: hosts that have no other window are never fixed. A note where they take some.",
    ),
    (
        "window-lengthened",
        "On the night on which clocks are put back, a window with `end` is longer than usual: an hour of the clock comes twice. Write `duration` for a length that never changes.",
    ),
    (
        "window-overlaps",
        "A window opens again while it is still open. Both together count as one longer opening. Shorten it if that is not meant.",
    ),
    (
        "window-shortened",
        "On the night on which clocks are put forward, a window with `end` is shorter than usual, or does not open: an hour of the clock is missing. What needs the whole window does not start in it. Write `duration` for a length that never changes.",
    ),
    (
        "windows-proven",
        "Which time zone data the windows of the next two years were worked out with. Other data may move them: the rules of time zones change several times a year somewhere.",
    ),
    ("wrong-type", "A value is of another type than expected, for example a text where a list must stand."),
    (
        "yaml-limit",
        "The file exceeds a limit of size, depth or repetition through anchors. No file that people write does; large inventories may.",
    ),
];

/// What a code means, if it is one of ours.
pub fn explain(code: &str) -> Option<&'static str> {
    CODES.binary_search_by(|(known, _)| (*known).cmp(code)).ok().map(|index| CODES[index].1)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;
    use std::collections::BTreeSet;
    use std::path::Path;

    /// The codes that stand in a source text: arguments of the functions that make diagnostics.
    fn codes_in(text: &str) -> BTreeSet<String> {
        let mut codes = BTreeSet::new();
        for (marker, argument) in [
            ("Diagnostic::error(", 1),
            ("Diagnostic::warning(", 1),
            ("Error::new(", 1),
            ("Self::new(", 1),
            (".error(", 1),
            ("diagnostic.code = ", 1),
            ("self.once(", 3),
            ("self.error(", 2),
            ("self.error_at(", 2),
            ("self.unknown(", 2),
            ("self.warn(", 1),
            ("problem(", 1),
            (".code(", 1),
        ] {
            for (start, _) in text.match_indices(marker) {
                let rest = &text[start + marker.len()..];
                let end = rest.find(';').unwrap_or(rest.len()).min(200);
                let call = &rest[..rest.floor_char_boundary(end)];
                let Some(part) = call.split(',').nth(argument - 1) else { continue };
                let code = part.trim().strip_prefix('"').and_then(|rest| rest.split('"').next());
                codes.extend(
                    code.filter(|c| {
                        c.contains('-') && c.bytes().all(|b| b.is_ascii_lowercase() || b == b'-' || b.is_ascii_digit())
                    })
                    .map(str::to_owned),
                );
            }
        }
        // Errors that tell their codes themselves: `Self::Variant => "code",`.
        for (start, marker) in text.match_indices("fn code(&self) -> &'static str {") {
            let body = &text[start + marker.len()..];
            let body = &body[..body.find("\n    }\n").unwrap_or(body.len())];
            codes.extend(body.split('"').skip(1).step_by(2).map(str::to_owned));
        }
        codes
    }

    /// The texts of all source files but this one, without their tests.
    fn sources(folder: &Path, texts: &mut Vec<String>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                sources(&path, texts);
            } else if path.extension().is_some_and(|e| e == "rs")
                && !path.ends_with("tests.rs")
                && !path.ends_with("codes.rs")
            {
                let text = std::fs::read_to_string(&path).unwrap();
                texts.push(text.split("#[cfg(test)]").next().unwrap().to_owned());
            }
        }
    }

    fn all_sources() -> Vec<String> {
        let mut texts = Vec::new();
        sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut texts);
        texts
    }

    #[test]
    fn every_code_is_explained() {
        let used: BTreeSet<String> = all_sources().iter().flat_map(|text| codes_in(text)).collect();
        assert!(used.len() > 30 && used.contains("plan-changed") && used.contains("plan-stale"), "{used:?}");
        let unknown: Vec<_> = used.iter().filter(|code| explain(code).is_none()).collect();
        assert!(unknown.is_empty(), "add these to CODES: {unknown:?}");
    }

    #[test]
    fn codes_are_sorted_and_each_is_used() {
        assert!(CODES.is_sorted_by(|a, b| a.0 < b.0));
        let texts = all_sources();
        let is_used = |code: &str| texts.iter().any(|text| text.contains(&format!("\"{code}\"")));
        let unused: Vec<_> = CODES.iter().map(|c| c.0).filter(|code| !is_used(code)).collect();
        assert!(unused.is_empty(), "nothing makes these: {unused:?}");
        assert!(explain("no-such-code").is_none());
    }
}
