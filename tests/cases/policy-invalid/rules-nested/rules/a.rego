package switchback.priority

override := [[[[[[[[[[[[[1]]]]]]]]]]]]]
