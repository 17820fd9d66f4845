package switchback.strategy_test

import data.switchback.strategy

test_state_stays_in_place if {
	strategy.use.use == "in_place" with input as {"asset": {"labels": {"stateful": "true"}}}
}

test_others_are_left_to_the_policy if {
	strategy.use == null with input as {"asset": {"labels": {}}}
}
