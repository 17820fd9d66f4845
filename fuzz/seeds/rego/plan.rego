package switchback.plan

# every host
deny contains message if {
	count(input.hosts) > 10
	every host in input.hosts { host.name != "" }
	message := "too many"
}

warn contains m if { m := [x | x := input.waves[_]][0] with input as {} }

test_deny if { count(deny) == 0 }
