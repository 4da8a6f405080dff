"""What shows how well Digitline does its work, on more than one kind of question."""
