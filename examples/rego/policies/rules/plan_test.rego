package switchback.plan_test

import data.switchback.plan

summary(start, bare) := {
	"as_of": "2026-12-17T12:00:00Z",
	"totals": {"hosts": 1},
	"hosts": {"web-1": {"priority": "critical", "first_start": start, "without_backup": bare}},
}

test_a_plan_within_a_week_may_be if {
	count(plan.deny) == 0 with input as summary("2026-12-19T21:00:00Z", false)
	count(plan.warn) == 0 with input as summary("2026-12-19T21:00:00Z", false)
}

test_a_plan_behind_the_freeze_must_not_be if {
	some message in plan.deny with input as summary("2027-01-09T21:00:00Z", false)
	message.hosts == {"web-1"}
}

test_hosts_without_backup_are_told if {
	some message in plan.warn with input as summary("2026-12-19T21:00:00Z", true)
	message.msg == "1 hosts have no backup"
}

test_an_empty_plan_is_told if {
	"the plan touches no host" in plan.warn with input as {"totals": {"hosts": 0}, "hosts": {}}
}
