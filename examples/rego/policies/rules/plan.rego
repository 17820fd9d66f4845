# What a plan as a whole must and should be.
package switchback.plan

week := ((7 * 24) * 3600) * 1000000000

# Critical fixes start within a week, or somebody decides on a way around the freeze.
deny contains {"msg": "critical fixes start later than in a week", "hosts": late} if {
	late := {name |
		some name, host in input.hosts
		host.priority == "critical"
		time.parse_rfc3339_ns(host.first_start) > time.parse_rfc3339_ns(input.as_of) + week
	}
	count(late) > 0
}

warn contains {"msg": sprintf("%d hosts have no backup", [count(bare)]), "hosts": bare} if {
	bare := {name | some name, host in input.hosts; host.without_backup}
	count(bare) > 0
}

warn contains "the plan touches no host" if input.totals.hosts == 0
