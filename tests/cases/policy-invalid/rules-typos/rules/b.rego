package switchback.strategy

uses := "in_place"
