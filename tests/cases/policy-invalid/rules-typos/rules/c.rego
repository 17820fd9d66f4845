package switchback.plans

deny contains "x"
